//! Tests of reading checks, statuses and signatures.

use crate::client::{
    GitHubError,
    testing::{INSTALLATION, Reply, Server, repo},
};
use owp_pool::{gates::CheckState, pull::Signatures};
use serde_json::{Value, json};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn run(id: i64, name: &str, status: &str, conclusion: &Value) -> Value {
    json!({"id": id, "name": name, "status": status, "conclusion": conclusion, "head_sha": SHA, "app": {"id": 1}})
}

#[tokio::test]
async fn the_newest_run_and_status_of_each_name_are_told() {
    let server = Server::with_tokens(|call| {
        if call.line.contains("/check-runs") {
            let runs = [
                run(3, "build", "completed", &json!("success")),
                run(1, "build", "completed", &json!("failure")),
                run(2, "lint", "in_progress", &json!(null)),
            ];
            return Reply::json(200, json!({"total_count": 3, "check_runs": runs}));
        }
        let statuses = json!([
            {"id": 9, "context": "lint", "state": "success"}, {"id": 8, "context": "deploy", "state": "error"}
        ]);
        Reply::json(200, json!({"state": "failure", "total_count": 2, "statuses": statuses}))
    })
    .await;
    let seen = server.github().reader(INSTALLATION, repo()).checks(SHA).await.unwrap();
    let named: Vec<_> = seen.iter().map(|(name, state)| (name.as_str(), *state)).collect();
    assert_eq!(
        named,
        [
            ("build", CheckState::Passed),
            ("lint", CheckState::Pending),
            ("deploy", CheckState::Failed),
            ("lint", CheckState::Passed)
        ]
    );
    let token = server.calls().into_iter().find(|call| call.line.ends_with("tokens")).unwrap();
    assert_eq!(token.body["permissions"], json!({"checks": "read", "statuses": "read", "metadata": "read"}));
}

#[tokio::test]
async fn a_token_that_github_does_not_give_is_told_apart_from_no_checks() {
    let server = Server::start(std::time::Duration::ZERO, |_| {
        Reply::json(422, json!({"message": "The permissions requested are not granted to this installation."}))
    })
    .await;
    let refused = server.github().reader(INSTALLATION, repo()).checks(SHA).await.unwrap_err();
    assert!(matches!(&refused, GitHubError::NoToken { cause } if matches!(**cause, GitHubError::Validation { .. })));
    let odd = server.github().reader(INSTALLATION, repo()).checks("../../app").await.unwrap_err();
    assert!(matches!(odd, GitHubError::NotFound { .. }), "{odd}");
}

#[tokio::test]
async fn signed_commits_are_counted_over_all_pages() {
    let server = Server::with_tokens(|call| {
        let page: i64 = call.line.rsplit("page=").next().unwrap().parse().unwrap();
        let commits: Vec<Value> = ((page - 1) * 100..(page * 100).min(150))
            .map(|n| {
                let verified = if n == 140 { json!(null) } else { json!({"verified": n % 2 == 0}) };
                json!({"sha": format!("{n:040x}").chars().rev().collect::<String>(), "commit": {"verification": verified}})
            })
            .collect();
        let reply = Reply::json(200, json!(commits));
        if page == 1 { reply.with("link", "<x>; rel=\"next\"") } else { reply }
    })
    .await;
    let signed = server.github().reader(INSTALLATION, repo()).signatures(7).await.unwrap();
    assert_eq!((signed, signed.word()), (Signatures { commits: 150, verified: 74 }, "some"));
    assert_eq!(Signatures { commits: 2, verified: 2 }.word(), "all");
    assert_eq!(Signatures { commits: 2, verified: 0 }.word(), "none");
}
