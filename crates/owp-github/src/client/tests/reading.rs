//! Tests of the read client against GitHub's responses.

use crate::client::{
    GitHubError, Permission, UserRef,
    testing::{Call, INSTALLATION, Reply, Server, repo},
};
use owp_pool::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn pull(number: i64) -> Value {
    json!({
        "id": 1000 + number, "number": number, "state": "open", "draft": false, "merged_at": null, "title": "Fix",
        "body": null, "user": {"id": 3, "login": "ada", "type": "User"}, "html_url": "https://github.com/octo/hello/pull/1",
        "head": {"ref": "owp/1", "sha": "abc", "repo": null}, "base": {"ref": "main", "sha": "def", "repo": {"full_name": "octo/hello"}},
        "updated_at": "2023-11-14T22:00:00Z", "unknown": {"deep": [1]}
    })
}

fn page_of(call: &Call) -> i64 {
    call.line.rsplit("page=").next().unwrap().parse().unwrap()
}

/// Serves `total` pull requests in pages of 100, with ETags and Link headers.
fn pulls_pages(call: &Call, total: i64) -> Reply {
    let page = page_of(call);
    let etag = format!("\"page-{page}-of-{total}\"");
    if call.etag.as_deref() == Some(&etag) {
        return Reply::text(304, "application/json", "");
    }
    let numbers = (page - 1) * 100 + 1..=total.min(page * 100);
    let reply = Reply::json(200, numbers.map(pull).collect()).with("etag", etag);
    if page * 100 < total {
        // An absolute link to another host must not be followed.
        return reply.with("link", "<https://elsewhere.example/repositories/1/pulls?page=2>; rel=\"next\"");
    }
    reply.with("link", "<https://elsewhere.example/repositories/1/pulls?page=1>; rel=\"first\"")
}

#[tokio::test]
async fn every_page_is_read_by_path_and_the_second_look_is_free() {
    let server = Server::with_tokens(|call| pulls_pages(call, 250)).await;
    let reader = server.github().reader(INSTALLATION, repo());
    let pulls = reader.open_pulls().await.unwrap();
    assert_eq!(pulls.len(), 250);
    assert_eq!(pulls[249].number, 250);
    assert_eq!(server.lines().len(), 6, "three pages, and once more to see that they held still");
    assert_eq!(
        server.lines()[0],
        "GET /repos/octo/hello/pulls?state=open&sort=created&direction=asc&per_page=100&page=1"
    );

    assert_eq!(reader.open_pulls().await.unwrap().len(), 250);
    assert!(server.calls()[7..].iter().all(|call| call.etag.is_some()));
}

#[tokio::test]
async fn a_pull_that_slipped_between_two_pages_is_found_by_looking_again() {
    let looks = AtomicUsize::new(0);
    let server = Server::with_tokens(move |call| {
        // During the read of page 1 there are 101; then number 1 closes, and number 101 moves to page 1.
        let first_look = looks.fetch_add(1, Ordering::SeqCst) == 0;
        let numbers: Vec<i64> = if first_look { (1..=101).collect() } else { (2..=102).collect() };
        let page = usize::try_from(page_of(call)).unwrap();
        let part: Vec<i64> = numbers.chunks(100).nth(page - 1).unwrap_or_default().to_vec();
        let etag = format!("\"{part:?}\"").replace(' ', "");
        if call.etag.as_ref() == Some(&etag) {
            return Reply::text(304, "application/json", "");
        }
        let reply = Reply::json(200, part.into_iter().map(pull).collect()).with("etag", etag);
        if page == 1 { reply.with("link", "<x>; rel=\"next\"") } else { reply }
    })
    .await;
    let pulls = server.github().reader(INSTALLATION, repo()).open_pulls().await.unwrap();
    let numbers: Vec<i64> = pulls.iter().map(|pull| pull.number).collect();
    assert_eq!(numbers, (2..=102).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_link_header_a_full_page_means_another() {
    let server = Server::with_tokens(|call| {
        let numbers = if page_of(call) == 1 { 1..=100 } else { 100..=103 };
        Reply::json(200, numbers.map(pull).collect())
    })
    .await;
    let pulls = server.github().reader(INSTALLATION, repo()).open_pulls().await.unwrap();
    assert_eq!(pulls.len(), 103, "number 100 came twice and counts once");
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let server = Server::with_tokens(|call| match page_of(call) {
        1 => pulls_pages(call, 150),
        _ => Reply::json(500, json!({})),
    })
    .await;
    let error = server.github().reader(INSTALLATION, repo()).open_pulls().await.unwrap_err();
    assert_eq!(error, GitHubError::Unavailable { status: 500, retry_at: None });

    let endless =
        Server::with_tokens(|call| Reply::json(200, json!([pull(page_of(call))])).with("link", "<x>; rel=\"next\""))
            .await;
    let error = endless.github().reader(INSTALLATION, repo()).open_pulls().await.unwrap_err();
    assert!(matches!(error, GitHubError::TooMany { limit: 30_000, .. }), "{error}");
}

#[tokio::test]
async fn a_pull_tells_its_branch_its_fork_and_whether_it_was_merged() {
    let server = Server::with_tokens(|_| {
        let mut merged = pull(4);
        merged["state"] = json!("closed");
        merged["merged_at"] = json!("2023-11-14T21:00:00Z");
        merged["head"]["repo"] = json!({"full_name": "ada/hello"});
        merged["user"] = json!({"id": 9, "login": "Copilot", "type": "Bot"});
        Reply::json(200, merged)
    })
    .await;
    let pull = server.github().reader(INSTALLATION, repo()).pull(4).await.unwrap();
    assert!(pull.merged && !pull.is_open());
    assert_eq!(pull.merged_at, Timestamp::parse_rfc3339("2023-11-14T21:00:00Z"));
    assert_eq!((pull.head_ref.as_str(), pull.head_repo_full_name.as_deref()), ("owp/1", Some("ada/hello")));
    assert_eq!(pull.author, Some(UserRef { id: 9, login: "Copilot".to_owned(), is_bot: true }));
    assert_eq!(server.lines(), ["GET /repos/octo/hello/pulls/4"]);
}

#[tokio::test]
async fn labelled_issues_leave_pull_requests_out_and_survive_missing_fields() {
    let server = Server::with_tokens(|_| {
        let at = "2023-11-14T22:00:00Z";
        Reply::json(
            200,
            json!([
                {"id": 1, "number": 1, "title": "A", "body": null, "state": "open", "user": null, "updated_at": at,
                 "labels": ["old", {"name": "pool:ready"}, {"name": null}], "assignees": [{"id": 3, "login": "ada"}]},
                {"id": 2, "number": 2, "state": "open", "updated_at": at, "pull_request": {"url": "x"}},
                {"id": 3, "number": 3, "state": "open", "updated_at": at, "locked": true}
            ]),
        )
    })
    .await;
    let issues = server.github().reader(INSTALLATION, repo()).labelled_issues("pool:ready").await.unwrap();
    assert_eq!(issues.iter().map(|issue| issue.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(issues[0].labels, ["old", "pool:ready"]);
    assert_eq!((&issues[0].author, issues[0].assignees[0].id), (&None, 3));
    assert!(issues[1].locked && issues[1].is_open());
    assert!(server.lines()[0].contains("labels=pool%3Aready&state=open&sort=created&direction=asc&per_page=100"));
}

#[tokio::test]
async fn the_role_decides_and_a_custom_role_falls_back() {
    let answers = [
        (
            json!({"permission": "write", "role_name": "maintain", "user": {"id": 5, "login": "ada"}}),
            Permission::Maintain,
        ),
        (json!({"permission": "read", "role_name": "triage", "user": {"id": 5, "login": "ada"}}), Permission::Triage),
        (json!({"permission": "read", "role_name": "read", "user": {"id": 5, "login": "ada"}}), Permission::Read),
        (
            json!({"permission": "write", "role_name": "release-crew", "user": {"id": 5, "login": "ada"}}),
            Permission::Write,
        ),
        (
            json!({"permission": "read", "role_name": "helpers", "user": {"id": 5, "login": "ada",
                "permissions": {"pull": true, "triage": true, "push": false}}}),
            Permission::Triage,
        ),
        (json!({"permission": "admin", "user": {"id": 5, "login": "ada"}}), Permission::Admin),
        (
            json!({"permission": "surprise", "role_name": "surprise", "user": {"id": 5, "login": "ada"}}),
            Permission::None,
        ),
    ];
    for (body, expected) in answers {
        let server = Server::with_tokens(move |_| Reply::json(200, body.clone())).await;
        let response = server.github().reader(INSTALLATION, repo()).permission("dependabot[bot]").await.unwrap();
        assert_eq!((response.permission, response.user.unwrap().id), (expected, 5));
        assert_eq!(server.lines(), ["GET /repos/octo/hello/collaborators/dependabot%5Bbot%5D/permission"]);
    }
    assert!(Permission::Triage >= Permission::Triage && Permission::Read < Permission::Triage);
}

#[tokio::test]
async fn events_tell_who_set_a_label_and_comments_which_app_wrote_them() {
    let server = Server::with_tokens(|call| {
        let at = "2023-11-14T22:00:00Z";
        if call.line.contains("/events") {
            return Reply::json(
                200,
                json!([{"id": 8, "event": "labeled", "actor": {"id": 5, "login": "ada"},
                "label": {"name": "pool:ready", "color": "fff"}, "created_at": at, "performed_via_github_app": null}]),
            );
        }
        Reply::json(
            200,
            json!([{"id": 9, "body": "hi", "user": {"id": 6, "login": "owp-pool[bot]", "type": "Bot"},
            "performed_via_github_app": {"id": 42}, "created_at": at, "updated_at": at}]),
        )
    })
    .await;
    let reader = server.github().reader(INSTALLATION, repo());
    let event = reader.issue_events(3).await.unwrap().remove(0);
    assert_eq!(
        (event.event.as_str(), event.label.as_deref(), event.actor.unwrap().id),
        ("labeled", Some("pool:ready"), 5)
    );
    let since = Timestamp::parse_rfc3339("2023-11-14T21:00:00Z");
    let comment = reader.comments(3, since).await.unwrap().remove(0);
    assert_eq!((comment.via_app_id, comment.author.unwrap().is_bot), (Some(42), true));
    assert_eq!(
        server.lines()[1],
        "GET /repos/octo/hello/issues/3/comments?since=2023-11-14T21%3A00%3A00Z&per_page=100&page=1"
    );
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_github_only() {
    let repository = |id: i64| json!({"id": id, "full_name": "octo/renamed", "default_branch": "main"});
    let server = Server::with_tokens(move |call| match call.line.as_str() {
        "GET /repos/octo/hello" => Reply::json(301, json!({})).with("location", "/api/v3/repositories/99"),
        "GET /repositories/99" if call.bearer == "ghs_1" => Reply::json(200, repository(99)),
        _ => Reply::json(404, json!({})),
    })
    .await;
    let info = server.github().reader(INSTALLATION, repo()).repository().await.unwrap();
    assert_eq!((info.full_name.as_str(), info.has_issues), ("octo/renamed", true));

    let stranger = Server::with_tokens(|_| Reply::json(200, json!({}))).await;
    let trap = format!("{}repositories/99", stranger.url);
    let server = Server::with_tokens(move |_| Reply::json(302, json!({})).with("location", trap.clone())).await;
    let error = server.github().reader(INSTALLATION, repo()).repository().await.unwrap_err();
    assert!(matches!(error, GitHubError::Moved { .. }), "{error}");
    assert!(stranger.calls().is_empty(), "the token never reached the other host");
}

#[tokio::test]
async fn a_list_keeps_its_filter_through_a_redirect() {
    let server = Server::with_tokens(|call| match call.line.split('?').next() {
        Some("GET /repos/octo/hello/issues") => {
            Reply::json(301, json!({})).with("location", "/api/v3/repositories/99/issues")
        }
        _ => Reply::json(200, json!([])),
    })
    .await;
    server.github().reader(INSTALLATION, repo()).labelled_issues("pool:ready").await.unwrap();
    assert!(server.lines()[1].starts_with("GET /repositories/99/issues?labels=pool%3Aready&state=open"));
}

#[tokio::test]
async fn a_name_taken_over_by_another_repository_is_noticed() {
    let server = Server::with_tokens(|_| Reply::json(200, json!({"id": 100, "full_name": "octo/hello"}))).await;
    let error = server.github().reader(INSTALLATION, repo()).repository().await.unwrap_err();
    assert_eq!(error, GitHubError::OtherRepository { full_name: "octo/hello".to_owned() });
}

#[tokio::test]
async fn installations_and_their_repositories_are_listed_whole() {
    let server = Server::with_tokens(|call| {
        if call.line.starts_with("GET /app/installations") {
            return Reply::json(200, json!([
                {"id": 7, "account": {"login": "octo", "id": 1}, "permissions": {"issues": "write"}, "suspended_at": null},
                {"id": 8, "account": null, "suspended_at": "2023-11-14T22:00:00Z"}
            ]));
        }
        Reply::json(200, json!({"total_count": 1, "repositories": [{"id": 99, "full_name": "octo/hello", "private": true}]}))
    })
    .await;
    let github = server.github();
    let installations = github.installations().await.unwrap();
    assert_eq!((installations[0].account_login.as_str(), installations[0].suspended_at), ("octo", None));
    assert_eq!(installations[0].permissions["issues"], "write");
    assert!(installations[1].suspended_at.is_some());
    let repositories = github.installation_repositories(7).await.unwrap();
    assert!(repositories[0].private);
    let minted = server.calls().into_iter().find(|call| call.line.ends_with("/access_tokens")).unwrap();
    assert_eq!(minted.body, json!({"permissions": {"metadata": "read"}}));
}

#[tokio::test]
async fn a_user_is_looked_up_by_login() {
    let server = Server::with_tokens(|_| Reply::json(200, json!({"id": 5, "login": "Ada", "type": "User"}))).await;
    let user = server.github().reader(INSTALLATION, repo()).user("ada").await.unwrap();
    assert_eq!(user, UserRef { id: 5, login: "Ada".to_owned(), is_bot: false });
    assert_eq!(server.lines(), ["GET /users/ada"]);
}
