//! Tests of deliveries: their shapes, their order, the delivery log, redelivery.

use super::*;
use crate::{DeliveryFault, DeliveryFaultKind, PrSpec, sign};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use std::sync::Mutex;

type Heard = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Starts a webhook receiver that responds with this status.
async fn receiver(status: u16) -> (String, Heard) {
    let heard = Heard::default();
    let app = Router::new()
        .route(
            "/hook",
            post(move |State(heard): State<Heard>, headers: HeaderMap, body: Bytes| async move {
                heard.lock().unwrap().push((headers, body));
                StatusCode::from_u16(status).unwrap()
            }),
        )
        .with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, heard)
}

/// Returns event and action of each held delivery.
fn held(stage: &Stage) -> Vec<String> {
    let name = |one: crate::WebhookEvent| format!("{}.{}", one.event, one.action.unwrap_or_default());
    stage.sandbox.held().into_iter().map(name).collect()
}

#[tokio::test]
async fn deliveries_are_signed_and_carry_githubs_headers() {
    let stage = Stage::new().await;
    let (url, heard) = receiver(202).await;
    stage.sandbox.set_webhook_url(&url);
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &["bug"]).unwrap();
    stage.sandbox.flush().await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    let (headers, body) = &heard[0];
    assert_eq!(headers["x-hub-signature-256"], sign(stage.sandbox.webhook_secret().as_bytes(), body).as_str());
    assert!(headers["x-hub-signature"].to_str().unwrap().starts_with("sha1="), "the older one beside it");
    assert_eq!(headers["x-github-event"], "issues");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("GitHub-Hookshot/"));
    let payload: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(
        (&payload["action"], payload["installation"]["id"].as_u64()),
        (&json!("opened"), Some(stage.installation))
    );
    assert_eq!((&payload["sender"]["login"], &payload["repository"]["full_name"]), (&json!("mona"), &json!(ROCKET)));
    let done = stage.sandbox.deliveries();
    assert!(done.iter().all(|one| one.status == "OK" && one.code == 202));
}

#[tokio::test]
async fn every_action_is_announced_in_githubs_words() {
    let stage = Stage::new().await;
    stage.sandbox.hold_deliveries();
    let (mona, ada) = (stage.sandbox.as_user("mona"), stage.sandbox.as_user("ada"));
    let issue = mona.open_issue(ROCKET, "One", "old", &["a", "b"]).unwrap();
    mona.rewrite(ROCKET, issue, "new").unwrap();
    mona.unlabel(ROCKET, issue, "a").unwrap();
    mona.assign(ROCKET, issue, &["ada"]).unwrap();
    let comment = ada.comment(ROCKET, issue, "one").unwrap();
    ada.edit_comment(ROCKET, comment, "two").unwrap();
    ada.delete_comment(ROCKET, comment).unwrap();
    mona.close(ROCKET, issue).unwrap();
    mona.reopen(ROCKET, issue).unwrap();
    let body = format!("fixes #{issue}");
    let spec = PrSpec { head: "x".into(), title: "Fix".into(), body, draft: true, ..PrSpec::default() };
    let pull = ada.open_pr(ROCKET, spec).unwrap();
    ada.push(ROCKET, pull).unwrap();
    ada.ready_for_review(ROCKET, pull).unwrap();
    ada.convert_to_draft(ROCKET, pull).unwrap();
    ada.ready_for_review(ROCKET, pull).unwrap();
    ada.comment(ROCKET, pull, "look").unwrap();
    mona.merge(ROCKET, pull).unwrap();
    let all = "issues.opened issues.labeled issues.labeled issues.edited issues.unlabeled issues.assigned \
        issue_comment.created issue_comment.edited issue_comment.deleted issues.closed issues.reopened \
        pull_request.opened pull_request.synchronize pull_request.ready_for_review pull_request.converted_to_draft \
        pull_request.ready_for_review issue_comment.created pull_request.closed issues.closed";
    assert_eq!(held(&stage).join(" "), all);
    let letters = stage.sandbox.held();
    let payload = |index: usize| -> Value { serde_json::from_str(&letters[index].body).unwrap() };
    assert_eq!(payload(3)["changes"], json!({ "body": { "from": "old" } }));
    assert_eq!(payload(4)["label"]["name"], "a");
    assert_eq!(payload(7)["changes"], json!({ "body": { "from": "one" } }));
    assert!(payload(16)["issue"]["pull_request"].is_object());
    assert_eq!((&payload(17)["pull_request"]["merged"], &payload(17)["number"]), (&json!(true), &json!(pull)));
    assert_eq!(payload(18)["sender"]["login"], "mona", "the merger closes the issue");
}

#[tokio::test]
async fn repositories_and_installations_announce_themselves() {
    let stage = Stage::new().await;
    stage.sandbox.hold_deliveries();
    let mona = stage.sandbox.as_user("mona");
    mona.rename_repo(ROCKET, "ship").unwrap();
    mona.set_private("acme/ship", true).unwrap();
    mona.set_archived("acme/ship", true).unwrap();
    stage.sandbox.change_installation(stage.installation, &["acme/docs"], &["acme/ship"]).unwrap();
    stage.sandbox.suspend(stage.installation, true).unwrap();
    mona.open_issue("acme/docs", "unheard", "", &[]).unwrap();
    stage.sandbox.suspend(stage.installation, false).unwrap();
    stage.sandbox.uninstall(stage.installation).unwrap();
    stage.sandbox.ping();
    let all = "repository.renamed repository.privatized repository.archived installation_repositories.added \
        installation_repositories.removed installation.suspend installation.unsuspend installation.deleted ping.";
    assert_eq!(held(&stage).join(" "), all);
    let first: Value = serde_json::from_str(&stage.sandbox.held()[0].body).unwrap();
    assert_eq!(first["changes"]["repository"]["name"]["from"], "rocket");
}

#[tokio::test]
async fn the_apps_own_comments_come_back_as_events_of_its_bot() {
    let stage = Stage::new().await;
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    let token = stage.mint(json!({})).await;
    stage.sandbox.hold_deliveries();
    stage.post(&token, "/repos/acme/rocket/issues/1/comments", json!({ "body": "hello" })).await;
    let payload: Value = serde_json::from_str(&stage.sandbox.held()[0].body).unwrap();
    assert_eq!((&payload["sender"]["login"], &payload["sender"]["type"]), (&json!("owp-pool[bot]"), &json!("Bot")));
    assert_eq!(payload["comment"]["performed_via_github_app"]["slug"], "owp-pool");
}

#[tokio::test]
async fn failures_are_recorded_never_retried_and_can_be_asked_for_again_under_the_same_guid() {
    let stage = Stage::new().await;
    let (bad, heard_bad) = receiver(500).await;
    stage.sandbox.set_webhook_url(&bad);
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    stage.sandbox.flush().await;
    assert_eq!(heard_bad.lock().unwrap().len(), 1);
    let jwt = stage.jwt(&json!({}));
    let (_, list) = stage.get(&jwt, "/app/hook/deliveries?status=failure").await;
    assert_eq!((&list[0]["status"], &list[0]["status_code"]), (&json!("Invalid HTTP Response: 500"), &json!(500)));
    let (good, heard_good) = receiver(202).await;
    stage.sandbox.set_webhook_url(&good);
    let id = list[0]["id"].as_u64().unwrap();
    assert_eq!(stage.post(&jwt, &format!("/app/hook/deliveries/{id}/attempts"), Value::Null).await.0, 202);
    stage.sandbox.flush().await;
    assert_eq!(heard_good.lock().unwrap().len(), 1);
    let (_, list) = stage.get(&jwt, "/app/hook/deliveries").await;
    assert_eq!((&list[0]["guid"], &list[0]["redelivery"]), (&list[1]["guid"], &json!(true)));
    assert_ne!(list[0]["id"], list[1]["id"]);
    let (_, full) = stage.get(&jwt, &format!("/app/hook/deliveries/{id}")).await;
    assert_eq!(full["request"]["payload"]["action"], "opened");
    stage.advance_secs(3 * 24 * 3_600 + 1);
    let jwt = stage.jwt(&json!({}));
    assert_eq!(stage.get(&jwt, "/app/hook/deliveries").await.1, json!([]), "GitHub forgets after three days");
}

#[tokio::test]
async fn deliveries_are_listed_with_a_cursor() {
    let stage = Stage::new().await;
    stage.sandbox.hold_deliveries();
    for n in 0..5 {
        stage.sandbox.as_user("mona").open_issue(ROCKET, &format!("{n}"), "", &[]).unwrap();
    }
    assert_eq!(stage.sandbox.take_deliveries().len(), 5);
    let jwt = stage.jwt(&json!({}));
    let mut next = Some("/app/hook/deliveries?per_page=2".to_owned());
    let mut pages = Vec::new();
    while let Some(url) = next.take() {
        let answer = stage.send(Method::GET, &jwt, &url, Value::Null).await.unwrap();
        let link = answer.headers().get("link").map(|value| value.to_str().unwrap().to_owned());
        next = link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
        pages.push(answer.json::<Value>().await.unwrap().as_array().unwrap().len());
    }
    assert_eq!(pages, [2, 2, 1]);
}

#[tokio::test]
async fn held_deliveries_can_be_shuffled_doubled_and_lost_the_same_way_every_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new().await;
        stage.sandbox.hold_deliveries();
        for n in 0..8 {
            stage.sandbox.as_user("mona").open_issue(ROCKET, &format!("{n}"), "", &[]).unwrap();
        }
        stage.sandbox.shuffle_held();
        assert!(stage.sandbox.duplicate_held(0));
        assert!(stage.sandbox.drop_held(3).is_some());
        let order: Vec<String> = stage.sandbox.take_deliveries().into_iter().map(|one| one.webhook.guid).collect();
        assert_eq!(order.len(), 8);
        runs.push(order);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn faults_lose_fail_double_and_delay_deliveries() {
    let stage = Stage::new().await;
    let (url, heard) = receiver(202).await;
    stage.sandbox.set_webhook_url(&url);
    for kind in [
        DeliveryFaultKind::Lost,
        DeliveryFaultKind::Failed,
        DeliveryFaultKind::Duplicate,
        DeliveryFaultKind::Delay { ms: 60 },
    ] {
        stage.sandbox.delivery_fault(DeliveryFault { kind, event: Some("issues".into()), times: 1 });
    }
    for n in 0..5 {
        stage.sandbox.as_user("mona").open_issue(ROCKET, &format!("{n}"), "", &[]).unwrap();
    }
    stage.sandbox.flush().await;
    let title = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap()["issue"]["title"].clone();
    let titles: Vec<Value> = heard.lock().unwrap().iter().map(|(_, body)| title(body)).collect();
    assert_eq!(json!(titles), json!(["2", "2", "4", "3"]));
    let failed = stage.sandbox.deliveries().into_iter().filter(|one| one.status != "OK").count();
    assert_eq!(failed, 1, "the failed one is listed, the lost one is not");
}

#[tokio::test]
async fn a_reordered_delivery_arrives_behind_those_that_follow_it() {
    let stage = Stage::new().await;
    let (url, heard) = receiver(202).await;
    stage.sandbox.set_webhook_url(&url);
    stage.sandbox.delivery_fault(DeliveryFault { kind: DeliveryFaultKind::Reorder, event: None, times: 1 });
    stage.sandbox.as_user("mona").open_issue(ROCKET, "first", "", &[]).unwrap();
    stage.sandbox.as_user("mona").open_issue(ROCKET, "second", "", &[]).unwrap();
    stage.sandbox.flush().await;
    let title = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap()["issue"]["title"].clone();
    let titles: Vec<Value> = heard.lock().unwrap().iter().map(|(_, body)| title(body)).collect();
    assert_eq!(json!(titles), json!(["second", "first"]));
}

#[tokio::test]
async fn nothing_is_recorded_for_a_hook_without_a_url() {
    let stage = Stage::new().await;
    stage.sandbox.as_user("mona").open_issue(ROCKET, "unheard", "", &[]).unwrap();
    stage.sandbox.flush().await;
    assert!(stage.sandbox.deliveries().is_empty() && stage.sandbox.held().is_empty());
}
