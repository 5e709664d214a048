//! Resolves task names: the pool's id, `owner/name#12`, or the URL of the issue.

use super::failure::Failure;
use super::print::{field, read, word};
use owp_client::{Client, ClientError, segment};
use serde::Deserialize;
use serde_json::Value;

/// Help text of a TASK argument.
pub(super) const TASK_HELP: &str = "The task: its id (t_…), owner/name#12, or the address of its issue";

/// An issue named by the user.
#[derive(Debug, PartialEq, Eq)]
struct Issue {
    repo: String,
    number: i64,
}

/// Returns the id of the task the user named; `told` explains the pool's errors.
///
/// # Errors
/// If no task exists for the issue, or the name is invalid.
pub(super) async fn task_id(
    client: &Client,
    named: &str,
    told: impl Fn(ClientError) -> Failure,
) -> Result<String, Failure> {
    let Some(issue) = issue(named)? else { return Ok(named.trim().to_owned()) };
    let query = format!("/v1/tasks?repo={}&issue={}&limit=100", segment(&issue.repo), issue.number);
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{query}{cursor}")).await.map_err(&told)?;
        let page: Page = read(client, &page)?;
        // An older pool ignores the filter and lists every task of the repository.
        if let Some(task) = page.tasks.iter().find(|task| task["issue"].as_i64() == Some(issue.number)) {
            return Ok(field(task, "task_id").to_owned());
        }
        match page.next_cursor {
            Some(next) if cursor != after(&next) => cursor = after(&next),
            _ => return Err(nothing(&issue)),
        }
    }
}

#[derive(Deserialize)]
struct Page {
    tasks: Vec<Value>,
    next_cursor: Option<String>,
}

fn after(cursor: &str) -> String {
    format!("&cursor={}", segment(cursor))
}

fn nothing(issue: &Issue) -> Failure {
    let (repo, number) = (word(&issue.repo), issue.number);
    Failure::failed(format!("No task that you can see belongs to {repo}#{number}."))
        .next("Name a task of a private repository by its id. An issue becomes a task when it gets the pool's label.")
}

/// Parses an issue's name; returns `None` for an id.
fn issue(named: &str) -> Result<Option<Issue>, Failure> {
    let named = named.trim();
    if !named.contains(['#', '/']) {
        return Ok(None);
    }
    let wrong = || {
        Failure::usage_error(format!("{} is not the name of a task.", word(named)))
            .next("Give an id (t_…), owner/name#12, or an address such as https://github.com/owner/name/issues/12.")
    };
    let found = match named.split_once("://") {
        Some((_, rest)) => of_address(rest),
        None => named.split_once('#').and_then(|(repo, number)| of_parts(repo, number)),
    };
    found.map(Some).ok_or_else(wrong)
}

/// Parses `github.com/owner/name/issues/12`, with any suffix after the number.
fn of_address(rest: &str) -> Option<Issue> {
    let mut parts = rest.split('/').skip(1);
    let (owner, name, kind, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let number = number.split(['#', '?']).next()?;
    (kind == "issues").then(|| of_parts(&format!("{owner}/{name}"), number)).flatten()
}

fn of_parts(repo: &str, number: &str) -> Option<Issue> {
    let (owner, name) = repo.split_once('/')?;
    let plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ']);
    let number = number.parse().ok().filter(|number| *number > 0)?;
    (plain(owner) && plain(name)).then(|| Issue { repo: repo.to_owned(), number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_named_by_repository_and_number_or_by_its_address() {
        let named = |text: &str| issue(text).unwrap().map(|issue| (issue.repo, issue.number));
        let rocket = Some(("acme/rocket".to_owned(), 12));
        for text in [
            "acme/rocket#12",
            " acme/rocket#12 ",
            "https://github.com/acme/rocket/issues/12",
            "http://127.0.0.1:9797/acme/rocket/issues/12#issuecomment-7",
        ] {
            assert_eq!(named(text), rocket, "{text}");
        }
        assert_eq!(named("t_06bg3qk4c5v2j0"), None);
    }

    /// Starts a pool that answers every call with the same page.
    async fn pool(page: &'static str) -> Client {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _asked = stream.read(&mut [0; 4096]).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
                let _told = stream.write_all(format!("{head}{page}").as_bytes()).await;
            }
        });
        Client::new(&url, owp_client::Auth::None).unwrap()
    }

    #[tokio::test]
    async fn the_task_of_an_issue_is_found_and_an_endless_list_is_not_read_for_ever() {
        let page = r#"{ "tasks": [{ "task_id": "t_7", "issue": 7 }, { "task_id": "t_12", "issue": 12 }], "next_cursor": "x" }"#;
        let pool = pool(page).await;
        let find = async |named: &str| task_id(&pool, named, Failure::from).await;
        assert_eq!(find("acme/rocket#12").await.unwrap(), "t_12");
        assert_eq!(find("t_99").await.unwrap(), "t_99", "an id is not looked up");
        assert_eq!(find("acme/rocket#13").await.unwrap_err().code(), 1);
    }

    #[test]
    fn what_names_no_task_is_told_with_what_does() {
        for text in [
            "acme/rocket",
            "#12",
            "acme/rocket#x",
            "acme/rocket#-1",
            "a/b/c#1",
            "https://github.com/acme/rocket/pull/12",
            "https://github.com/acme",
        ] {
            assert_eq!(issue(text).unwrap_err().code(), 2, "{text}");
        }
    }
}
