//! Tests of the control API and the HTML pages.

use super::*;

#[tokio::test]
async fn a_whole_scene_can_be_set_over_http() {
    let stage = Stage::new().await;
    let (status, user) = stage.post("", "/_sandbox/users", json!({ "login": "zoe" })).await;
    assert_eq!((status, user["token"].as_str().unwrap().starts_with("ghp_")), (201, true));
    assert_eq!(stage.post("", "/_sandbox/repos", json!({ "full_name": "space/x" })).await.0, 201);
    assert_eq!(stage.post("", "/_sandbox/repos", json!({ "full_name": "space/x" })).await.0, 422);
    let role = json!({ "repo": "space/x", "login": "zoe", "role": "write" });
    assert_eq!(stage.call(Method::PUT, "", "/_sandbox/roles", role).await.0, 204);
    let (_, installed) = stage.post("", "/_sandbox/installations", json!({ "repositories": ["space/x"] })).await;
    let path = format!("/_sandbox/installations/{}", installed["id"]);
    let (_, changed) = stage.call(Method::PATCH, "", &path, json!({ "suspended": true })).await;
    assert!(changed["suspended_at"].is_string());
    let issue = json!({ "repo": "space/x", "login": "ada", "title": "From a form", "labels": ["pool:ready"] });
    let (_, issue) = stage.post("", "/_sandbox/template-issues", issue).await;
    assert_eq!(issue["labels"][0]["name"], "pool:ready");
    stage.push_branch("space/x", "zoe", "fix").await;
    let pull = json!({ "title": "Fix", "head": "fix", "base": "main" });
    let (_, pull) = stage.post(user["token"].as_str().unwrap(), "/repos/space/x/pulls", pull).await;
    let push = json!({ "repo": "space/x", "login": "zoe", "number": pull["number"] });
    let (_, pushed) = stage.post("", "/_sandbox/push", push).await;
    assert_ne!(pushed["sha"], pull["head"]["sha"]);
    let token = stage.mint(json!({})).await;
    assert_eq!(stage.post("", "/_sandbox/tokens/expire", json!({})).await.0, 204);
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 401);
    assert_eq!(stage.call(Method::PUT, "", "/_sandbox/down", json!({ "down": true })).await.0, 200);
    assert_eq!(stage.get("", "/repos/space/x").await.0, 503);
    assert_eq!(stage.call(Method::DELETE, "", "/_sandbox/faults", Value::Null).await.0, 204);
    assert_eq!(stage.get("", "/repos/space/x").await.0, 200);
    assert_eq!(stage.call(Method::DELETE, "", &path, Value::Null).await.0, 204);
    assert_eq!(stage.call(Method::DELETE, "", "/_sandbox/users/zoe", Value::Null).await.0, 204);
    assert_eq!(stage.get(user["token"].as_str().unwrap(), "/user").await.0, 401);
}

#[tokio::test]
async fn deliveries_can_be_steered_over_http() {
    let stage = Stage::new().await;
    let steer = async |what: &str| stage.post("", &format!("/_sandbox/deliveries/{what}"), Value::Null).await.1;
    assert_eq!(steer("hold").await["held"], true);
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &["a"]).unwrap();
    assert_eq!(steer("ping").await["waiting"], 3);
    assert_eq!(steer("shuffle").await["waiting"], 3);
    assert_eq!(steer("flush").await["sent"], 3);
    assert_eq!(steer("release").await["held"], false);
    assert_eq!(stage.post("", "/_sandbox/deliveries/eat", Value::Null).await.0, 404);
    let failed = stage.sandbox.deliveries();
    assert!(failed.iter().all(|one| one.status == "no webhook url is set"), "{failed:?}");
}

#[tokio::test]
async fn html_urls_lead_to_pages_that_show_text_as_text() {
    let stage = Stage::new().await;
    let issue =
        stage.sandbox.as_user("ada").open_issue(ROCKET, "<b>One</b>", "<script>alert(1)</script>", &[]).unwrap();
    stage.sandbox.as_user("ada").comment(ROCKET, issue, "/owp claim").unwrap();
    let (_, json) = stage.get("", &format!("/repos/{ROCKET}/issues/{issue}")).await;
    let answer = stage.send(Method::GET, "", json["html_url"].as_str().unwrap(), Value::Null).await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.contains("/owp claim") && text.contains("&lt;script&gt;") && !text.contains("<script>"));
    for (path, status) in [("/", 200), ("/acme/rocket", 200), ("/acme/none", 404), ("/acme/rocket/issues/99", 404)] {
        assert_eq!(stage.send(Method::GET, "", path, Value::Null).await.unwrap().status(), status, "{path}");
    }
    stage.sandbox.as_user("mona").set_private(ROCKET, true).unwrap();
    assert_eq!(stage.send(Method::GET, "", "/acme/rocket", Value::Null).await.unwrap().status(), 404);
}
