//! Tests of pull requests: forks, drafts, closing keywords, merging and closing.

use super::*;
use crate::PrSpec;

fn spec(head: &str, body: &str) -> PrSpec {
    PrSpec { head: head.into(), title: "Fix".into(), body: body.into(), ..PrSpec::default() }
}

#[tokio::test]
async fn a_strangers_branch_is_in_a_fork_and_survives_its_deletion_without_a_head_repository() {
    let stage = Stage::new().await;
    let ada = stage.sandbox.as_user("ada");
    let number = ada.open_pr(ROCKET, spec("fix", "")).unwrap();
    let (_, pull) = stage.get("", &format!("/repos/{ROCKET}/pulls/{number}")).await;
    assert_eq!((&pull["head"]["label"], &pull["head"]["repo"]["fork"]), (&json!("ada:fix"), &json!(true)));
    ada.delete_repo("ada/rocket").unwrap();
    let (_, pull) = stage.get("", &format!("/repos/{ROCKET}/pulls/{number}")).await;
    assert_eq!((&pull["head"]["repo"], &pull["state"]), (&Value::Null, &json!("open")));
    ada.close_pr(ROCKET, number).unwrap();
    assert_eq!(ada.reopen(ROCKET, number).unwrap_err().status, 422);
}

#[tokio::test]
async fn the_same_branch_is_offered_once_and_strangers_cannot_use_the_repositorys_own() {
    let stage = Stage::new().await;
    let ada = stage.sandbox.as_user("ada");
    ada.open_pr(ROCKET, spec("fix", "")).unwrap();
    let again = ada.open_pr(ROCKET, spec("fix", "")).unwrap_err();
    assert_eq!(
        (again.status, again.errors[0]["message"].as_str()),
        (422, Some("A pull request already exists for ada:fix."))
    );
    assert_eq!(ada.open_pr(ROCKET, spec("acme:fix", "")).unwrap_err().status, 422);
    stage.sandbox.as_user("mona").open_pr(ROCKET, spec("fix", "")).unwrap();
}

#[tokio::test]
async fn merging_into_another_branch_closes_nothing() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    let issue = mona.open_issue(ROCKET, "One", "", &[]).unwrap();
    let side = PrSpec { base: "next".into(), ..spec("a", &format!("fixes #{issue}")) };
    let pull = mona.open_pr(ROCKET, side).unwrap();
    mona.merge(ROCKET, pull).unwrap();
    assert!(stage.sandbox.issue(ROCKET, issue).unwrap().open);
    let far = mona.open_issue("acme/docs", "Far", "", &[]).unwrap();
    let pull = mona.open_pr(ROCKET, spec("b", &format!("fixes #{issue}, closes acme/docs#{far}"))).unwrap();
    mona.merge(ROCKET, pull).unwrap();
    assert!(!stage.sandbox.issue(ROCKET, issue).unwrap().open);
    assert!(!stage.sandbox.issue("acme/docs", far).unwrap().open);
}

#[tokio::test]
async fn drafts_and_closed_ones_cannot_be_merged() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    let pull = mona.open_pr(ROCKET, PrSpec { draft: true, ..spec("a", "") }).unwrap();
    assert_eq!(mona.merge(ROCKET, pull).unwrap_err().status, 405);
    mona.ready_for_review(ROCKET, pull).unwrap();
    mona.close_pr(ROCKET, pull).unwrap();
    assert_eq!(mona.merge(ROCKET, pull).unwrap_err().status, 405);
    mona.reopen(ROCKET, pull).unwrap();
    let path = format!("/repos/{ROCKET}/pulls/{pull}/merge");
    let (status, _) = stage.call(Method::PUT, &stage.token("mona"), &path, json!({ "sha": "stale" })).await;
    assert_eq!(status, 409);
    mona.merge(ROCKET, pull).unwrap();
    assert_eq!(mona.reopen(ROCKET, pull).unwrap_err().status, 422);
    let (_, seen) = stage.get("", &format!("/repos/{ROCKET}/pulls/{pull}")).await;
    assert_eq!(
        (&seen["merged"], &seen["state"], &seen["merged_by"]["login"]),
        (&json!(true), &json!("closed"), &json!("mona"))
    );
    assert_eq!(stage.get("", &path).await.0, 204);
}

#[tokio::test]
async fn a_commit_to_the_forks_branch_is_a_push_to_the_pull_request() {
    let stage = Stage::new().await;
    let ada = stage.sandbox.as_user("ada");
    let number = ada.open_pr(ROCKET, spec("fix", "")).unwrap();
    let before = stage.sandbox.pull(ROCKET, number).unwrap().head_sha;
    stage.sandbox.hold_deliveries();
    let body = json!({ "message": "more", "content": "aGk=", "branch": "fix" });
    let (status, _) = stage.call(Method::PUT, &stage.token("ada"), "/repos/ada/rocket/contents/a.txt", body).await;
    assert_eq!(status, 201);
    assert_ne!(stage.sandbox.pull(ROCKET, number).unwrap().head_sha, before);
    assert_eq!(stage.sandbox.held()[0].action.as_deref(), Some("synchronize"));
}
