//! Branch names: from an issue to the branch the contract asks for, and back.

use std::fmt;

const SLUG_MAX_CHARS: usize = 40;
/// Maximum length of a template, in characters.
pub const TEMPLATE_MAX_CHARS: usize = 100;
const ISSUE: &str = "{issue}";
const SLUG: &str = "{slug}";

/// Template of branch names: text with `{issue}` once and, at the end, an optional `{slug}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchTemplate {
    /// Text before the issue number.
    before: String,
    /// Text between the number and the slug, or after the number.
    after: String,
    /// True when a slug of the title follows.
    slug: bool,
}

impl Default for BranchTemplate {
    /// Returns `owp/{issue}-{slug}`.
    fn default() -> Self {
        Self { before: "owp/".to_owned(), after: "-".to_owned(), slug: true }
    }
}

impl BranchTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// Returns the problem, as words that follow the setting's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{what}, as in `owp/{ISSUE}-{SLUG}`"));
        if text.chars().count() > TEMPLATE_MAX_CHARS {
            return wrong("must have at most 100 characters");
        }
        let Some((before, rest)) = text.split_once(ISSUE) else { return wrong("must contain `{issue}`") };
        let (after, slug) = rest.strip_suffix(SLUG).map_or((rest, false), |after| (after, true));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
        if !plain(before) || !plain(after) {
            return wrong(
                "must be letters, digits, `-`, `_`, `.` and `/`, with `{issue}` once and `{slug}` at the end",
            );
        }
        if before.is_empty() {
            return wrong("must begin with fixed text, so that other branches are not mistaken for the pool's");
        }
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if digit(before.chars().next_back()) || digit(after.chars().next()) || (slug && after.is_empty()) {
            return wrong("must separate the number from the text around it");
        }
        let template = Self { before: before.to_owned(), after: after.to_owned(), slug };
        if !names_a_branch(&template.name(1, "x")) {
            return wrong("must produce a branch name that git accepts");
        }
        Ok(template)
    }

    /// Returns the branch for an issue. The slug has plain letters and digits, at most 40, and is cut between words
    /// where possible.
    #[must_use]
    pub fn name(&self, issue: i64, title: &str) -> String {
        let Self { before, after, .. } = self;
        if !self.slug {
            return format!("{before}{issue}{after}");
        }
        let slug = slug(title);
        if slug.is_empty() { format!("{before}{issue}") } else { format!("{before}{issue}{after}{slug}") }
    }

    /// Returns the issue a branch was made for.
    #[must_use]
    pub fn issue(&self, head_ref: &str) -> Option<i64> {
        let rest = head_ref.strip_prefix(self.before.as_str())?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        let number: i64 = number.parse().ok().filter(|n| *n > 0)?;
        let fits = if self.slug { rest.is_empty() || rest.starts_with(&self.after) } else { rest == self.after };
        fits.then_some(number)
    }
}

impl fmt::Display for BranchTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{ISSUE}{}{}", self.before, self.after, if self.slug { SLUG } else { "" })
    }
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let room = SLUG_MAX_CHARS.saturating_sub(slug.len());
        if slug.is_empty() {
            slug.push_str(&word[..word.len().min(room)]);
        } else if word.len() < room {
            slug.push('-');
            slug.push_str(word);
        } else {
            break;
        }
    }
    slug.make_ascii_lowercase();
    slug
}

/// Applies the rules of `git check-ref-format` to the characters a template may have.
fn names_a_branch(name: &str) -> bool {
    let bad = ["..", "//", "/.", ".lock/", "@{"];
    !bad.iter().any(|piece| name.contains(piece))
        && !name.starts_with(['/', '.', '-'])
        && !name.ends_with(['/', '.'])
        && !name.ends_with(".lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_branch_of_the_contract_leads_back_to_its_issue() {
        let usual = BranchTemplate::default();
        assert_eq!(usual.name(12, "Fix: the Größe of *things*!"), "owp/12-fix-the-gr-e-of-things");
        assert_eq!(usual.name(12, "修复"), "owp/12");
        assert_eq!(usual.name(12, &"word ".repeat(50)), "owp/12-word-word-word-word-word-word-word-word");
        assert_eq!(usual.name(12, &"x".repeat(500)), format!("owp/12-{}", "x".repeat(40)));
        for (branch, issue) in [
            ("owp/12-fix", Some(12)),
            ("owp/12", Some(12)),
            ("owp/12-", Some(12)),
            ("owp/0-x", None),
            ("owp/-x", None),
            ("owp/12x", None),
            ("owp/12/x", None),
            ("x/owp/12-x", None),
            ("owp/", None),
            ("", None),
            ("owp/9999999999999999999-x", None),
        ] {
            assert_eq!(usual.issue(branch), issue, "{branch}");
        }
    }

    #[test]
    fn a_template_of_ones_own_leads_back_too_and_to_nothing_else() {
        let own = BranchTemplate::parse("pool/issue-{issue}").unwrap();
        assert_eq!(own.name(7, "Whatever"), "pool/issue-7");
        assert_eq!(
            (own.issue("pool/issue-7"), own.issue("pool/issue-7-x"), own.issue("owp/7-x")),
            (Some(7), None, None)
        );
        let deep = BranchTemplate::parse("work/{issue}/{slug}").unwrap();
        assert_eq!(deep.name(7, "Fix it"), "work/7/fix-it");
        assert_eq!((deep.issue("work/7/fix-it"), deep.issue("work/7-fix")), (Some(7), None));
        for text in ["owp/{issue}-{slug}", "pool/issue-{issue}", "work/{issue}/{slug}", "a{issue}b"] {
            assert_eq!(BranchTemplate::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_template_that_would_not_work_is_refused_with_its_reason() {
        for (text, word) in [
            ("owp/work", "contain `{issue}`"),
            ("{issue}-{slug}", "fixed text"),
            ("owp/{slug}-{issue}", "at the end"),
            ("owp/{issue}{slug}", "separate"),
            ("owp1{issue}", "separate"),
            ("owp {issue}", "letters"),
            ("owp/{issue}/{issue}", "once"),
            ("../{issue}", "git accepts"),
            ("owp//{issue}", "git accepts"),
        ] {
            let error = BranchTemplate::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_title_makes_a_branch_git_accepts_and_we_recognise(issue in 1_i64.., title in "\\PC{0,120}") {
            let usual = BranchTemplate::default();
            let branch = usual.name(issue, &title);
            prop_assert_eq!(usual.issue(&branch), Some(issue));
            let slug = branch.split_once('-').map_or("", |(_, slug)| slug);
            prop_assert!(slug.len() <= SLUG_MAX_CHARS && !slug.ends_with('-') && !slug.contains("--"));
            prop_assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
    }
}
