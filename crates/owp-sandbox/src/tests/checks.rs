//! Tests of checks and statuses on pull requests, signed commits, pinned issues, teams.

use super::*;
use crate::PrSpec;

async fn stage() -> (Stage, u64) {
    let stage = Stage::with(SandboxConfig::with_checks).await;
    stage.sandbox.hold_deliveries();
    let spec = PrSpec { head: "fix".into(), title: "Fix".into(), ..PrSpec::default() };
    let pull = stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    stage.sandbox.take_deliveries();
    (stage, pull)
}

impl Stage {
    async fn of_head(&self, token: &str, pull: u64, what: &str) -> (u16, Value) {
        let sha = self.sandbox.pull(ROCKET, pull).unwrap().head_sha;
        self.get(token, &format!("/repos/{ROCKET}/commits/{sha}/{what}")).await
    }

    fn heard(&self) -> Vec<String> {
        let name = |webhook: crate::WebhookEvent| match webhook.action {
            Some(action) => format!("{}.{action}", webhook.event),
            None => webhook.event,
        };
        self.sandbox.take_deliveries().into_iter().map(|webhook| name(webhook.webhook)).collect()
    }
}

#[tokio::test]
async fn checks_belong_to_a_commit_and_a_push_starts_anew() {
    let (stage, pull) = stage().await;
    let token = stage.mint(json!({})).await;
    stage.sandbox.set_check(ROCKET, pull, "ci/test", "in_progress", None).unwrap();
    stage.sandbox.set_check(ROCKET, pull, "ci/lint", "completed", Some("success")).unwrap();
    assert_eq!(stage.heard(), ["check_run.created", "check_run.created", "check_run.completed"]);
    stage.sandbox.set_check(ROCKET, pull, "ci/test", "completed", Some("failure")).unwrap();
    assert_eq!(stage.heard(), ["check_run.completed", "check_suite.completed"]);
    let (_, list) = stage.of_head(&token, pull, "check-runs?check_name=ci/test").await;
    assert_eq!((&list["total_count"], &list["check_runs"][0]["conclusion"]), (&json!(1), &json!("failure")));
    stage.sandbox.set_check(ROCKET, pull, "ci/test", "queued", None).unwrap();
    let (_, latest) = stage.of_head(&token, pull, "check-runs").await;
    assert_eq!((&latest["total_count"], &latest["check_runs"][0]["status"]), (&json!(2), &json!("queued")));
    assert_eq!(stage.of_head(&token, pull, "check-runs?filter=all").await.1["total_count"], 3);
    stage.sandbox.as_user("ada").push(ROCKET, pull).unwrap();
    assert_eq!(stage.of_head(&token, pull, "check-runs").await.1["total_count"], 0);
}

#[tokio::test]
async fn statuses_are_combined_as_github_combines_them() {
    let (stage, pull) = stage().await;
    let token = stage.mint(json!({})).await;
    for (context, state, combined) in [
        ("a", "success", "success"),
        ("b", "pending", "pending"),
        ("a", "error", "failure"),
        ("a", "success", "pending"),
        ("b", "success", "success"),
    ] {
        stage.sandbox.set_status(ROCKET, pull, context, state).unwrap();
        assert_eq!(stage.of_head(&token, pull, "status").await.1["state"], combined, "{context} {state}");
    }
    assert_eq!(stage.heard(), ["status"; 5]);
    assert!(stage.sandbox.set_status(ROCKET, pull, "a", "failed").is_err());
    assert!(stage.sandbox.set_check(ROCKET, pull, "a", "completed", None).is_err());
    assert!(stage.sandbox.set_check(ROCKET, pull, "a", "queued", Some("success")).is_err());
}

#[tokio::test]
async fn checks_need_their_permissions_and_their_events() {
    let stage = Stage::new().await;
    stage.sandbox.hold_deliveries();
    let spec = PrSpec { head: "fix".into(), title: "Fix".into(), ..PrSpec::default() };
    let pull = stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    stage.sandbox.take_deliveries();
    stage.sandbox.set_check(ROCKET, pull, "ci/test", "completed", Some("success")).unwrap();
    stage.sandbox.set_status(ROCKET, pull, "a", "success").unwrap();
    assert!(stage.heard().is_empty());
    let token = stage.mint(json!({})).await;
    for what in ["check-runs", "status"] {
        let (status, body) = stage.of_head(&token, pull, what).await;
        assert_eq!((status, &body["message"]), (403, &json!("Resource not accessible by integration")), "{what}");
        assert_eq!(stage.of_head("", pull, what).await.0, 200, "everybody may look at a public repository");
    }
}

#[tokio::test]
async fn commits_tell_who_signed() {
    let (stage, pull) = stage().await;
    let ada = stage.sandbox.as_user("ada");
    ada.push_signed(ROCKET, pull).unwrap();
    let last = ada.push(ROCKET, pull).unwrap();
    let token = stage.mint(json!({})).await;
    let (_, commits) = stage.get(&token, &format!("/repos/{ROCKET}/pulls/{pull}/commits")).await;
    let told = commits.as_array().unwrap().iter().map(|one| one["commit"]["verification"]["reason"].clone());
    assert_eq!(told.collect::<Vec<_>>(), ["unsigned", "valid", "unsigned"]);
    assert_eq!(commits[2]["sha"], last);
}

#[tokio::test]
async fn issues_are_pinned_and_become_discussions() {
    let (stage, _) = stage().await;
    let (mona, tri) = (stage.sandbox.as_user("mona"), stage.sandbox.as_user("tri"));
    let issues: Vec<u64> = (0..4).map(|_| mona.open_issue(ROCKET, "One", "", &[]).unwrap()).collect();
    stage.heard();
    assert_eq!(tri.pin_issue(ROCKET, issues[0]).unwrap_err().status, 403);
    for issue in &issues[..3] {
        mona.pin_issue(ROCKET, *issue).unwrap();
    }
    assert_eq!(mona.pin_issue(ROCKET, issues[3]).unwrap_err().status, 422);
    mona.unpin_issue(ROCKET, issues[0]).unwrap();
    assert_eq!(stage.heard(), ["issues.pinned", "issues.pinned", "issues.pinned", "issues.unpinned"]);
    mona.convert_to_discussion(ROCKET, issues[3]).unwrap();
    assert_eq!(stage.heard(), ["issues.closed", "issues.locked"]);
    let left = stage.sandbox.issue(ROCKET, issues[3]).unwrap();
    assert!(!left.open && left.locked);
    let (_, events) = stage.get("", &format!("/repos/{ROCKET}/issues/{}/events", issues[3])).await;
    let names: Vec<_> = events.as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["converted_to_discussion", "closed", "locked"]);
}

#[tokio::test]
async fn who_is_in_a_team_is_told_to_apps_that_may_read_members() {
    let stage = Stage::new().await;
    stage.sandbox.add_team_member("acme", "core", "ada");
    let path = "/orgs/acme/teams/core/memberships/ada";
    assert_eq!(stage.get(&stage.mint(json!({})).await, path).await.0, 403);
    assert_eq!(stage.get("", path).await.0, 401);
    assert_eq!(stage.get(&stage.token("bo"), path).await.0, 404);
    let members = [("members".to_owned(), "read".to_owned())];
    stage.sandbox.grant(stage.installation, members.into()).unwrap();
    let token = stage.mint(json!({})).await;
    let (status, told) = stage.get(&token, path).await;
    assert_eq!((status, &told["state"]), (200, &json!("active")));
    assert_eq!(stage.get(&token, "/orgs/acme/teams/core/memberships/mona").await.0, 404);
    stage.sandbox.remove_team_member("acme", "core", "ada").unwrap();
    assert_eq!(stage.get(&token, path).await.0, 404);
}
