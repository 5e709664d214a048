//! Resolves task names: the pool's id, `owner/name#12`, or the URL of the issue.

use super::failure::Failure;
use super::print::{field, read, word};
use owp_client::{Client, ClientError, TaskName, segment};
use serde::Deserialize;
use serde_json::Value;

/// Help text of a TASK argument.
pub(super) const TASK_HELP: &str = "The task: its id (t_…), owner/name#12, or the address of its issue";

/// Returns the id of the task the user named; `told` explains the pool's errors.
///
/// # Errors
/// If no task exists for the issue, or the name is invalid.
pub(super) async fn task_id(
    client: &Client,
    named: &str,
    told: impl Fn(ClientError) -> Failure,
) -> Result<String, Failure> {
    let (repo, number) = match TaskName::parse(named) {
        Some(TaskName::Id(id)) => return Ok(id),
        Some(TaskName::Issue { repo, number }) => (repo, number),
        None => return Err(no_name(named)),
    };
    let query = format!("/v1/tasks?repo={}&issue={number}&limit=100", segment(&repo));
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{query}{cursor}")).await.map_err(&told)?;
        let page: Page = read(client, &page)?;
        // An older pool ignores the filter and lists every task of the repository.
        if let Some(task) = page.tasks.iter().find(|task| task["issue"].as_i64() == Some(number)) {
            return Ok(field(task, "task_id").to_owned());
        }
        match page.next_cursor {
            Some(next) if cursor != after(&next) => cursor = after(&next),
            _ => return Err(nothing(&repo, number)),
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

fn nothing(repo: &str, number: i64) -> Failure {
    let repo = word(repo);
    Failure::failed(format!("No task that you can see belongs to {repo}#{number}."))
        .next("Name a task of a private repository by its id. An issue becomes a task when it gets the pool's label.")
}

fn no_name(named: &str) -> Failure {
    Failure::usage_error(format!("{} is not the name of a task.", word(named.trim())))
        .next("Give an id (t_…), owner/name#12, or an address such as https://github.com/owner/name/issues/12.")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(find("acme/rocket").await.unwrap_err().code(), 2);
    }
}
