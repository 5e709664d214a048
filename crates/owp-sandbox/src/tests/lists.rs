//! Tests of lists: paging, filters, ETags, limits.

use super::*;
use reqwest::header;

#[tokio::test]
async fn every_item_is_on_exactly_one_page_and_links_are_absolute() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    for n in 0..7 {
        mona.open_issue(ROCKET, &format!("Issue {n}"), "", &["pool:ready"]).unwrap();
    }
    let token = stage.mint(json!({})).await;
    let mut next = Some("/repos/acme/rocket/issues?labels=pool:ready&state=all&per_page=3".to_owned());
    let mut seen = Vec::new();
    while let Some(url) = next.take() {
        let answer = stage.send(Method::GET, &token, &url, Value::Null).await.unwrap();
        let link = answer.headers().get(header::LINK).map(|value| value.to_str().unwrap().to_owned());
        next = link.iter().flat_map(|link| link.split(", ")).find(|one| one.ends_with("rel=\"next\"")).map(|one| {
            let url = one.trim_start_matches('<').split('>').next().unwrap();
            assert!(url.starts_with(&format!("{}/repositories/", stage.sandbox.api_url())), "{url}");
            url.to_owned()
        });
        let page: Value = answer.json().await.unwrap();
        seen.extend(page.as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()));
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn issue_lists_filter_by_label_state_and_time_and_contain_pull_requests() {
    let stage = Stage::new().await;
    let mona = stage.sandbox.as_user("mona");
    mona.open_issue(ROCKET, "Ready", "", &["Pool:Ready", "tier:1"]).unwrap();
    mona.open_issue(ROCKET, "Closed", "", &["pool:ready"]).unwrap();
    mona.close(ROCKET, 2).unwrap();
    stage.advance_secs(10);
    let spec = crate::PrSpec { head: "fix".into(), title: "Fix".into(), ..Default::default() };
    stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    let numbers = async |query: &str| {
        let (_, list) = stage.get("", &format!("/repos/acme/rocket/issues?{query}")).await;
        list.as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers("").await, [3, 1]);
    assert_eq!(numbers("labels=pool:ready").await, [1]);
    assert_eq!(numbers("labels=pool:ready,tier:1&state=all").await, [1]);
    assert_eq!(numbers("state=closed").await, [2]);
    assert_eq!(numbers("state=all&since=2026-01-01T00:00:10Z").await, [3]);
    assert_eq!(numbers("state=all&sort=created&direction=asc").await, [1, 2, 3]);
    let (_, list) = stage.get("", "/repos/acme/rocket/issues").await;
    assert!(list[0]["pull_request"].is_object() && list[1].get("pull_request").is_none());
}

#[tokio::test]
async fn comments_since_is_inclusive_by_the_second() {
    let stage = Stage::new().await;
    let ada = stage.sandbox.as_user("ada");
    ada.open_issue(ROCKET, "One", "", &[]).unwrap();
    ada.comment(ROCKET, 1, "old").unwrap();
    stage.advance_secs(5);
    ada.comment(ROCKET, 1, "new").unwrap();
    let (_, list) = stage.get("", "/repos/acme/rocket/issues/1/comments?since=2026-01-01T00:00:05Z").await;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["body"]), (1, &json!("new")));
    let (_, list) = stage.get("", "/repos/acme/rocket/issues/comments?since=2026-01-01T00:00:00Z").await;
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_did_not_change_answers_304_for_free() {
    let stage = Stage::new().await;
    let token = stage.mint(json!({})).await;
    let url = format!("{}/repos/acme/rocket/pulls?state=open", stage.sandbox.api_url());
    let http = http();
    let first = http.get(&url).bearer_auth(&token).send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = |token: &str| http.get(&url).bearer_auth(token).header("if-none-match", &tag).send();
    let second = again(&token).await.unwrap();
    assert_eq!(second.status(), 304);
    assert_eq!(second.headers()["x-ratelimit-remaining"], first.headers()["x-ratelimit-remaining"]);
    assert_eq!(again(&stage.token("ada")).await.unwrap().status(), 200, "tags differ by token");
    let spec = crate::PrSpec { head: "fix".into(), title: "Fix".into(), ..Default::default() };
    stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    assert_eq!(again(&token).await.unwrap().status(), 200);
}

#[tokio::test]
async fn limits_are_enforced_and_told() {
    let stage =
        Stage::with(|config| SandboxConfig { requests_per_hour: 3, content_limit: Some((1, 10)), ..config }).await;
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    let token = stage.mint(json!({})).await;
    let path = "/repos/acme/rocket/issues/1/comments";
    assert_eq!(stage.post(&token, path, json!({ "body": "one" })).await.0, 201);
    let answer = stage.send(Method::POST, &token, path, json!({ "body": "two" })).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (403, "60"));
    stage.get(&token, "/repos/acme/rocket").await;
    let answer = stage.send(Method::GET, &token, "/repos/acme/rocket", Value::Null).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-ratelimit-remaining"]), (403, &"0".parse().unwrap()));
    stage.advance_secs(3_600);
    let token = stage.mint(json!({})).await;
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 200);
}
