//! Tests of roles and permissions.

use super::*;

#[tokio::test]
async fn labels_need_triage_and_merging_needs_write() {
    let stage = Stage::new().await;
    let issue = stage.sandbox.as_user("ada").open_issue(ROCKET, "One", "", &["pool:ready"]).unwrap();
    assert_eq!(stage.sandbox.issue(ROCKET, issue).unwrap().labels, [""; 0], "a stranger's labels are dropped");
    assert_eq!(stage.sandbox.as_user("ada").label(ROCKET, issue, "bug").unwrap_err().status, 403);
    stage.sandbox.as_user("tri").label(ROCKET, issue, "bug").unwrap();
    let templated = stage.sandbox.as_user("ada").open_template_issue(ROCKET, "Two", "", &["pool:ready"]).unwrap();
    assert_eq!(stage.sandbox.issue(ROCKET, templated).unwrap().labels, ["pool:ready"]);
}

#[tokio::test]
async fn authors_edit_and_close_their_own_and_nobody_elses() {
    let stage = Stage::new().await;
    let (ada, bo) = (stage.sandbox.as_user("ada"), stage.sandbox.as_user("bo"));
    stage.sandbox.add_user("bo");
    let issue = ada.open_issue(ROCKET, "One", "text", &[]).unwrap();
    ada.rewrite(ROCKET, issue, "better text").unwrap();
    assert_eq!(bo.rewrite(ROCKET, issue, "vandalism").unwrap_err().status, 403);
    assert_eq!(
        stage.sandbox.as_user("tri").rewrite(ROCKET, issue, "no").unwrap_err().status,
        403,
        "triage edits no text"
    );
    assert_eq!(bo.close(ROCKET, issue).unwrap_err().status, 403);
    ada.close(ROCKET, issue).unwrap();
    ada.reopen(ROCKET, issue).unwrap();
    stage.sandbox.as_user("mona").close(ROCKET, issue).unwrap();
    assert_eq!(ada.reopen(ROCKET, issue).unwrap_err().status, 403, "closed by a maintainer");
    let comment = ada.comment(ROCKET, issue, "mine").unwrap();
    assert_eq!(bo.edit_comment(ROCKET, comment, "his").unwrap_err().status, 403);
    stage.sandbox.as_user("mona").edit_comment(ROCKET, comment, "moderated").unwrap();
}

#[tokio::test]
async fn role_name_says_what_permission_cannot() {
    let stage = Stage::new().await;
    let token = stage.mint(json!({ "permissions": { "metadata": "read" } })).await;
    for (login, permission, role) in [("mona", "admin", "admin"), ("tri", "read", "triage"), ("ada", "read", "read")] {
        let (status, body) = stage.get(&token, &format!("/repos/acme/rocket/collaborators/{login}/permission")).await;
        assert_eq!((status, &body["permission"], &body["role_name"]), (200, &json!(permission), &json!(role)));
    }
    assert_eq!(stage.get(&token, "/repos/acme/rocket/collaborators/nobody/permission").await.0, 404);
    let path = "/repos/acme/rocket/collaborators/mona/permission";
    assert_eq!(stage.get(&stage.token("ada"), path).await.0, 403);
}

#[tokio::test]
async fn what_is_private_or_outside_the_installation_is_not_found() {
    let stage = Stage::new().await;
    let token = stage.mint(json!({})).await;
    assert_eq!(stage.get(&token, "/repos/acme/docs").await.0, 404);
    assert_eq!(stage.get(&stage.token("ada"), "/repos/acme/docs").await.0, 200);
    stage.sandbox.as_user("mona").set_private("acme/docs", true).unwrap();
    assert_eq!(stage.get(&stage.token("ada"), "/repos/acme/docs").await.0, 404);
    assert_eq!(stage.get(&stage.token("mona"), "/repos/acme/docs").await.0, 200);
}

#[tokio::test]
async fn the_app_may_do_what_its_token_says_and_no_more() {
    let stage = Stage::new().await;
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    let spec = crate::PrSpec { head: "fix".into(), title: "Fix".into(), ..Default::default() };
    let pull = stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    let comment = json!({ "body": "hello" });
    let reads = stage.mint(json!({ "permissions": { "issues": "read", "pull_requests": "read" } })).await;
    assert_eq!(stage.post(&reads, "/repos/acme/rocket/issues/1/comments", comment.clone()).await.0, 403);
    assert_eq!(stage.get(&reads, "/repos/acme/rocket/pulls").await.0, 200);
    let writes = stage.mint(json!({ "permissions": { "issues": "write" } })).await;
    let (status, made) = stage.post(&writes, "/repos/acme/rocket/issues/1/comments", comment.clone()).await;
    assert_eq!((status, &made["user"]["login"], &made["user"]["type"]), (201, &json!("owp-pool[bot]"), &json!("Bot")));
    assert_eq!(made["performed_via_github_app"]["id"].as_u64(), Some(stage.sandbox.app_id()));
    let under_pull = format!("/repos/acme/rocket/issues/{pull}/comments");
    assert_eq!(stage.post(&writes, &under_pull, comment).await.0, 403, "a pull request wants pull_requests: write");
    assert_eq!(stage.get(&writes, "/repos/acme/rocket/pulls").await.0, 403);
    assert_eq!(stage.get(&writes, "/user").await.0, 403);
}

#[tokio::test]
async fn bad_tokens_and_missing_ones_are_401() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("ghp_wrong", "/repos/acme/rocket").await.0, 401);
    assert_eq!(stage.get("", "/user").await.0, 401);
    let (status, body) = stage.post("", "/repos/acme/rocket/issues", json!({ "title": "x" })).await;
    assert_eq!((status, &body["message"]), (401, &json!("Requires authentication")));
}

#[tokio::test]
async fn locked_and_archived_things_refuse_writing() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    let issue = mona.open_issue(ROCKET, "One", "", &[]).unwrap();
    mona.lock(ROCKET, issue).unwrap();
    assert_eq!(stage.sandbox.as_user("ada").comment(ROCKET, issue, "hi").unwrap_err().status, 403);
    let token = stage.mint(json!({})).await;
    assert_eq!(stage.post(&token, "/repos/acme/rocket/issues/1/comments", json!({ "body": "hi" })).await.0, 403);
    mona.comment(ROCKET, issue, "still allowed").unwrap();
    mona.set_archived(ROCKET, true).unwrap();
    assert_eq!(mona.comment(ROCKET, issue, "no more").unwrap_err().status, 403);
}

#[tokio::test]
async fn bodies_are_checked_as_github_checks_them() {
    let stage = Stage::new().await;
    let mona = stage.token("mona");
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    let comments = "/repos/acme/rocket/issues/1/comments";
    let (status, body) = stage.post(&mona, comments, json!({ "body": "x".repeat(65_537) })).await;
    assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("body")));
    assert_eq!(stage.post(&mona, comments, json!({ "body": "x".repeat(65_536) })).await.0, 201);
    assert_eq!(stage.post(&mona, comments, json!({ "body": " " })).await.0, 422);
    assert_eq!(stage.post(&mona, comments, json!({ "body": 7 })).await.0, 422);
    assert_eq!(stage.post(&mona, comments, json!({})).await.0, 422);
    assert_eq!(stage.post(&mona, comments, json!(["no object"])).await.0, 400);
    assert_eq!(stage.post(&mona, "/repos/acme/rocket/issues", json!({ "body": "no title" })).await.0, 422);
    assert_eq!(stage.get(&mona, "/no/such/route").await.0, 404);
}
