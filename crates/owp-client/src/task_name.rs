//! Names of tasks as users write them: the pool's id, `owner/name#12`, or the address of the issue. Only parsing; a lookup
//! of the task is a call.

/// A task named by a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskName {
    /// The pool's own id.
    Id(String),
    /// The issue the task was made from.
    Issue {
        /// `owner/name`.
        repo: String,
        /// Number of the issue.
        number: i64,
    },
}

impl TaskName {
    /// Parses a name; returns `None` if it can be neither an id nor an issue.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.contains(['#', '/']) {
            return (!text.is_empty()).then(|| Self::Id(text.to_owned()));
        }
        match text.split_once("://") {
            Some((_, rest)) => of_address(rest),
            None => text.split_once('#').and_then(|(repo, number)| of_parts(repo, number)),
        }
    }
}

/// Parses `github.com/owner/name/issues/12`, with any suffix after the number.
fn of_address(rest: &str) -> Option<TaskName> {
    let mut parts = rest.split('/').skip(1);
    let (owner, name, kind, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let number = number.split(['#', '?']).next()?;
    (kind == "issues").then(|| of_parts(&format!("{owner}/{name}"), number)).flatten()
}

fn of_parts(repo: &str, number: &str) -> Option<TaskName> {
    let (owner, name) = repo.split_once('/')?;
    let plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ']);
    let number = number.parse().ok().filter(|number| *number > 0)?;
    (plain(owner) && plain(name)).then(|| TaskName::Issue { repo: repo.to_owned(), number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_named_by_repository_and_number_or_by_its_address() {
        let rocket = Some(TaskName::Issue { repo: "acme/rocket".to_owned(), number: 12 });
        for text in [
            "acme/rocket#12",
            " acme/rocket#12 ",
            "https://github.com/acme/rocket/issues/12",
            "http://127.0.0.1:9797/acme/rocket/issues/12#issuecomment-7",
        ] {
            assert_eq!(TaskName::parse(text), rocket, "{text}");
        }
        assert_eq!(TaskName::parse("t_06bg3qk4c5v2j0"), Some(TaskName::Id("t_06bg3qk4c5v2j0".to_owned())));
    }

    #[test]
    fn other_texts_name_no_task() {
        for text in [
            "",
            "acme/rocket",
            "#12",
            "acme/rocket#x",
            "acme/rocket#-1",
            "a/b/c#1",
            "https://github.com/acme/rocket/pull/12",
            "https://github.com/acme",
        ] {
            assert_eq!(TaskName::parse(text), None, "{text}");
        }
    }
}
