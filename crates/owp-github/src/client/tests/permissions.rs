//! Tests of cached permissions: used for acts that they are newer than, dropped on every doubt.

use crate::client::{
    GitHub, GitHubError, RepoReader,
    testing::{INSTALLATION, NOW, Reply, Server, repo},
};
use owp_pool::permission::Permission;
use owp_pool::{Span, Timestamp};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An act ten seconds before the test began.
const ACT: Timestamp = Timestamp(NOW - 10_000);

fn permission(name: &str) -> Reply {
    Reply::json(200, json!({"permission": name, "user": {"id": 5, "login": "ada"}}))
}

/// Answers with each permission in turn, and then with the last one.
async fn changing(names: &'static [&'static str]) -> Server {
    let asked = AtomicUsize::new(0);
    Server::with_tokens(move |call| {
        if !call.line.contains("/collaborators/") {
            return Reply::json(404, json!({}));
        }
        let n = asked.fetch_add(1, Ordering::SeqCst).min(names.len() - 1);
        permission(names[n])
    })
    .await
}

/// Returns a reader of a process that has had a response from GitHub before, and so knows its time.
async fn started(github: &GitHub) -> RepoReader {
    let reader = github.reader(INSTALLATION, repo());
    let _ = reader.user("ada").await;
    reader
}

/// Returns the number of permission requests.
fn asked(server: &Server) -> usize {
    server.lines().iter().filter(|line| line.contains("/collaborators/")).count()
}

async fn judged(reader: &RepoReader, act: Timestamp) -> Permission {
    reader.permission_for_act("ada", act).await.unwrap().permission
}

#[tokio::test]
async fn a_permission_is_asked_once_for_acts_before_it() {
    let server = changing(&["write", "read"]).await;
    let github = server.github();
    let reader = started(&github).await;
    for _ in 0..3 {
        assert_eq!(judged(&reader, ACT).await, Permission::Write);
    }
    let ada = github.reader(INSTALLATION, repo()).permission_for_act("Ada", ACT).await.unwrap();
    assert_eq!(ada.permission, Permission::Write, "logins have no case, and readers share what is known");
    assert_eq!((asked(&server), reader.permissions_asked()), (1, 1));
    server.clock.advance_ms(60_000);
    assert_eq!(judged(&reader, ACT).await, Permission::Read, "after a minute it is asked again");
}

#[tokio::test]
async fn an_act_after_the_response_is_judged_with_a_new_one() {
    let server = changing(&["write", "read"]).await;
    let reader = started(&server.github()).await;
    assert_eq!(judged(&reader, ACT).await, Permission::Write);
    server.clock.advance_ms(20_000);
    let later = Timestamp(NOW) + Span::secs(1);
    assert_eq!(judged(&reader, later).await, Permission::Read, "the permission was withdrawn before the act");
    assert_eq!(judged(&reader, ACT).await, Permission::Read, "the newer response counts for older acts too");
    assert_eq!(asked(&server), 2);
}

#[tokio::test]
async fn an_act_in_the_second_of_the_request_is_judged_with_a_new_response() {
    let server = changing(&["write", "read"]).await;
    let reader = started(&server.github()).await;
    let just_before = Timestamp(NOW - 999);
    assert_eq!(judged(&reader, just_before).await, Permission::Write);
    assert_eq!(judged(&reader, just_before).await, Permission::Read);
}

/// A server whose clock is a minute behind this machine's. Other clocks are ahead: that of the machine counts then.
#[tokio::test]
async fn an_act_that_github_dates_after_its_last_response_is_judged_with_a_new_response() {
    let date = |ms: i64| {
        let at = chrono::DateTime::from_timestamp_millis(ms).unwrap();
        at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let server = Server::start(Duration::ZERO, move |call| {
        let reply = match call.line.ends_with("/access_tokens") {
            true => Reply::json(201, json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z"})),
            false => permission("write"),
        };
        reply.with("date", date(NOW - 60_000))
    })
    .await;
    let reader = started(&server.github()).await;
    judged(&reader, ACT).await;
    judged(&reader, ACT).await;
    assert_eq!(asked(&server), 2, "GitHub's clock says that the act is yet to come");
    judged(&reader, Timestamp(NOW - 61_000)).await;
    assert_eq!(asked(&server), 2);
}

#[tokio::test]
async fn a_command_is_never_judged_with_what_is_known() {
    let server = changing(&["write", "read"]).await;
    let reader = started(&server.github()).await;
    assert_eq!(judged(&reader, ACT).await, Permission::Write);
    assert_eq!(reader.permission("ada").await.unwrap().permission, Permission::Read);
    assert_eq!(judged(&reader, ACT).await, Permission::Read, "and its response replaces what was known");
}

#[tokio::test]
async fn a_change_of_members_drops_the_permissions_of_its_repository_alone() {
    let server = changing(&["write", "admin", "read"]).await;
    let github = server.github();
    let reader = started(&github).await;
    judged(&reader, ACT).await;
    github.forget_permissions(Some(repo().github_id + 1));
    assert_eq!(judged(&reader, ACT).await, Permission::Write);
    github.forget_permissions(Some(repo().github_id));
    assert_eq!(judged(&reader, ACT).await, Permission::Admin);
    github.forget_permissions(None);
    assert_eq!(judged(&reader, ACT).await, Permission::Read);
    github.reader(INSTALLATION + 1, repo()).permission_for_act("ada", ACT).await.unwrap();
    assert_eq!(asked(&server), 4, "another installation asks for itself");
}

#[tokio::test]
async fn a_change_of_members_during_a_request_leaves_nothing_known() {
    let server = Server::start(Duration::from_millis(100), |call| match call.line.ends_with("/access_tokens") {
        true => Reply::json(201, json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z"})),
        false => permission("write"),
    })
    .await;
    let github = server.github();
    let reader = github.reader(INSTALLATION, repo());
    let drops = async {
        while asked(&server) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        github.forget_permissions(Some(repo().github_id));
    };
    tokio::join!(judged(&reader, ACT), drops);
    judged(&reader, ACT).await;
    assert_eq!(asked(&server), 2);
}

/// The wrong answers of GitHub, once each, between two good ones.
#[tokio::test]
async fn an_error_is_never_remembered_and_drops_what_was_known() {
    type Fault = (&'static str, fn() -> Reply, fn(&GitHubError) -> bool);
    let faults: [Fault; 7] = [
        ("404", || Reply::json(404, json!({"message": "Not Found"})), |e| matches!(e, GitHubError::NotFound { .. })),
        ("403", || Reply::json(403, json!({"message": "No"})), |e| matches!(e, GitHubError::Forbidden { .. })),
        ("401", || Reply::json(401, json!({"message": "Bad"})), |e| matches!(e, GitHubError::Unauthorized { .. })),
        ("500", || Reply::text(500, "text/html", "<h1>Unicorn</h1>"), GitHubError::is_transient),
        ("truncated", || Reply::text(200, "application/json", "{\"permission\": \"wr"), GitHubError::is_transient),
        ("no level", || Reply::json(200, json!([])), GitHubError::is_transient),
        (
            "moved",
            || Reply::json(301, json!({})).with("location", "https://elsewhere.example/"),
            |e| matches!(e, GitHubError::Moved { .. }),
        ),
    ];
    for (name, fault, is_right) in faults {
        let fails = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let switch = fails.clone();
        let server =
            Server::with_tokens(move |_| if switch.load(Ordering::SeqCst) { fault() } else { permission("write") })
                .await;
        let reader = started(&server.github()).await;
        assert_eq!(judged(&reader, ACT).await, Permission::Write, "{name}");
        fails.store(true, Ordering::SeqCst);
        let error = reader.permission("ada").await.unwrap_err();
        assert!(is_right(&error), "{name}: {error}");
        let error = reader.permission_for_act("ada", ACT).await.unwrap_err();
        assert!(is_right(&error), "{name}: what was known before is gone: {error}");
        fails.store(false, Ordering::SeqCst);
        let before = asked(&server);
        assert_eq!(judged(&reader, ACT).await, Permission::Write, "{name}");
        assert_eq!(asked(&server), before + 1, "{name}: the error was not remembered");
    }
}

#[tokio::test]
async fn a_slow_or_lost_response_is_not_remembered() {
    let url = "http://127.0.0.1:9/";
    let unreachable = crate::client::testing::github(url, owp_base::clock::Clock::manual(NOW), Duration::from_secs(2));
    let reader = unreachable.reader(INSTALLATION, repo());
    for _ in 0..2 {
        let error = reader.permission_for_act("ada", ACT).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
    let slow = Server::start(Duration::from_millis(300), |_| permission("write")).await;
    let hasty = crate::client::testing::github(&slow.url, slow.clock.clone(), Duration::from_millis(50));
    let reader = hasty.reader(INSTALLATION, repo());
    assert!(reader.permission_for_act("ada", ACT).await.unwrap_err().is_transient());
}
