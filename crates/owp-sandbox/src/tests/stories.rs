//! Tests of the product's main stories from GitHub's side.

use super::*;
use crate::PrSpec;

#[tokio::test]
async fn curl_alone_can_take_an_issue_from_opening_to_merge() {
    let stage = Stage::new().await;
    let (mona, ada) = (stage.token("mona"), stage.token("ada"));
    let (status, issue) =
        stage.post(&mona, "/repos/acme/rocket/issues", json!({ "title": "Fuel gauge", "body": "sticks" })).await;
    assert_eq!((status, &issue["number"], &issue["user"]["login"]), (201, &json!(1), &json!("mona")));
    let labels = json!({ "labels": ["pool:ready", "estimate:3"] });
    let (status, labels) = stage.post(&mona, "/repos/acme/rocket/issues/1/labels", labels).await;
    assert_eq!((status, labels.as_array().unwrap().len()), (200, 2));
    let (status, comment) =
        stage.post(&ada, "/repos/acme/rocket/issues/1/comments", json!({ "body": "/owp claim" })).await;
    assert_eq!((status, &comment["author_association"]), (201, &json!("NONE")));
    let pull = json!({ "title": "Fix", "head": "ada:fix", "base": "main", "body": "Fixes #1", "draft": true });
    stage.push_branch(ROCKET, "ada", "ada:fix").await;
    let (status, pull) = stage.post(&ada, "/repos/acme/rocket/pulls", pull).await;
    assert_eq!((status, &pull["number"], &pull["draft"]), (201, &json!(2), &json!(true)));
    assert_eq!(pull["head"]["repo"]["full_name"], "ada/rocket");
    let ready = json!({
        "query": "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { id } } }",
        "variables": { "id": pull["node_id"] },
    });
    let (_, ready) = stage.post(&ada, "/graphql", ready).await;
    assert_eq!(ready["data"]["markPullRequestReadyForReview"]["pullRequest"]["isDraft"], false);
    let (status, _) = stage.call(Method::PUT, &ada, "/repos/acme/rocket/pulls/2/merge", json!({})).await;
    assert_eq!(status, 403, "ada may not merge");
    let (status, merged) = stage.call(Method::PUT, &mona, "/repos/acme/rocket/pulls/2/merge", json!({})).await;
    assert_eq!((status, &merged["merged"]), (200, &json!(true)));
    let (_, issue) = stage.get("", "/repos/acme/rocket/issues/1").await;
    assert_eq!((&issue["state"], &issue["state_reason"]), (&json!("closed"), &json!("completed")));
    assert_eq!(issue["closed_by"]["login"], "mona");
    let (_, events) = stage.get("", "/repos/acme/rocket/issues/1/events").await;
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["labeled", "labeled", "closed"]);
    assert_eq!(events[2]["commit_id"], merged["sha"]);
}

#[tokio::test]
async fn verbs_tell_the_same_story() {
    let stage = Stage::new().await;
    let (mona, ada) = (stage.sandbox.as_user("mona"), stage.sandbox.as_user("ada"));
    let issue = mona.open_issue(ROCKET, "Fuel gauge", "sticks", &["pool:ready"]).unwrap();
    let comment = ada.comment(ROCKET, issue, "/owp claim").unwrap();
    ada.edit_comment(ROCKET, comment, "/owp claim please").unwrap();
    let spec =
        PrSpec { head: "fix".into(), title: "Fix".into(), body: format!("closes #{issue}"), ..PrSpec::default() };
    let pull = ada.open_pr(ROCKET, spec).unwrap();
    let before = stage.sandbox.pull(ROCKET, pull).unwrap();
    let sha = ada.push(ROCKET, pull).unwrap();
    assert_ne!(before.head_sha, sha);
    assert_eq!(stage.sandbox.open_pulls(ROCKET).len(), 1);
    mona.merge(ROCKET, pull).unwrap();
    assert!(stage.sandbox.pull(ROCKET, pull).unwrap().merged);
    assert!(!stage.sandbox.issue(ROCKET, issue).unwrap().open);
    assert_eq!(stage.sandbox.open_pulls(ROCKET), []);
    assert_eq!(stage.sandbox.comments(ROCKET, issue)[0].body, "/owp claim please");
}

#[tokio::test]
async fn deleted_issues_are_gone_and_transferred_ones_have_moved() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    let first = mona.open_issue(ROCKET, "One", "", &[]).unwrap();
    let second = mona.open_issue(ROCKET, "Two", "", &[]).unwrap();
    let comment = mona.comment(ROCKET, first, "hello").unwrap();
    mona.delete_issue(ROCKET, first).unwrap();
    assert_eq!(stage.get("", &format!("/repos/{ROCKET}/issues/{first}")).await.0, 410);
    assert_eq!(mona.edit_comment(ROCKET, comment, "again").unwrap_err().status, 404);
    let there = mona.transfer_issue(ROCKET, second, "acme/docs").unwrap();
    // The client follows the redirect.
    let (status, issue) = stage.get("", &format!("/repos/{ROCKET}/issues/{second}")).await;
    assert_eq!((status, issue["number"].as_u64()), (200, Some(there)));
    assert!(issue["repository_url"].as_str().unwrap().ends_with("/repos/acme/docs"));
}

#[tokio::test]
async fn a_renamed_repository_answers_301_under_its_old_name() {
    let stage = Stage::new().await;
    stage.sandbox.as_user("mona").rename_repo(ROCKET, "starship").unwrap();
    let (status, repo) = stage.get("", "/repos/acme/rocket").await;
    assert_eq!((status, &repo["full_name"]), (200, &json!("acme/starship")));
    let bare = http_with(reqwest::redirect::Policy::none());
    let answer =
        bare.get(format!("{}/repos/acme/rocket/pulls?state=open", stage.sandbox.api_url())).send().await.unwrap();
    assert_eq!(answer.status(), 301);
    assert!(answer.headers()["location"].to_str().unwrap().contains("/repositories/"));
    // A write is redirected with 307, so that the client repeats its method.
    let issues = format!("{}/repos/acme/rocket/issues", stage.sandbox.api_url());
    let answer = bare.post(issues).bearer_auth(stage.token("ada")).body(r#"{"title":"x"}"#).send().await.unwrap();
    assert_eq!(answer.status(), 307);
    let (status, _) = stage.post(&stage.token("ada"), "/repos/acme/rocket/issues", json!({ "title": "One" })).await;
    assert_eq!(status, 201, "followed");
}

#[tokio::test]
async fn somebody_who_vanished_is_null_and_somebody_renamed_keeps_the_id() {
    let stage = Stage::new().await;
    let issue = stage.sandbox.as_user("ada").open_issue(ROCKET, "One", "", &[]).unwrap();
    let id = stage.sandbox.add_user("ada").id;
    stage.sandbox.rename_user("ada", "lovelace").unwrap();
    let path = format!("/repos/{ROCKET}/issues/{issue}");
    let (_, seen) = stage.get("", &path).await;
    assert_eq!((&seen["user"]["login"], seen["user"]["id"].as_u64()), (&json!("lovelace"), Some(id)));
    stage.sandbox.vanish_user("lovelace").unwrap();
    let (_, seen) = stage.get("", &path).await;
    assert_eq!(seen["user"], Value::Null);
}

#[tokio::test]
async fn the_policy_file_can_be_put_and_read() {
    let stage = Stage::new().await;
    let text = "version: 1\nbudget: { max_open_prs: 2 }\n# long enough that base64 is wrapped over lines\n";
    let content = data_encoding::BASE64.encode(text.as_bytes());
    let path = "/repos/acme/rocket/contents/.github/owp.yml";
    let body = json!({ "message": "policy", "content": content });
    let (status, _) = stage.call(Method::PUT, &stage.token("mona"), path, body.clone()).await;
    assert_eq!(status, 201);
    let token = stage.mint(json!({ "permissions": { "single_file": "read" } })).await;
    let (status, file) = stage.get(&token, path).await;
    assert_eq!((status, &file["encoding"]), (200, &json!("base64")));
    let packed: String = file["content"].as_str().unwrap().split_whitespace().collect();
    assert_eq!(data_encoding::BASE64.decode(packed.as_bytes()).unwrap(), text.as_bytes());
    assert_eq!(stage.call(Method::PUT, &stage.token("mona"), path, body).await.0, 409, "without the old sha");
    stage.sandbox.set_file(ROCKET, "README.md", "hello").unwrap();
    assert_eq!(
        stage.get(&token, "/repos/acme/rocket/contents/README.md").await.0,
        403,
        "a single file is a single file"
    );
    assert_eq!(stage.get("", "/repos/acme/rocket/contents/missing").await.0, 404);
}
