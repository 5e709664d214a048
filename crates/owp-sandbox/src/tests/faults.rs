//! Tests of faults on the wire, and of the journal.

use super::*;
use crate::{ActorKind, Chaos, Fault, FaultKind, FaultTarget};

const COMMENTS: &str = "/repos/acme/rocket/issues/1/comments";

async fn stage_with_issue() -> (Stage, String) {
    let stage = Stage::new().await;
    stage.sandbox.as_user("mona").open_issue(ROCKET, "One", "", &[]).unwrap();
    let token = stage.mint(json!({})).await;
    (stage, token)
}

#[tokio::test]
async fn a_server_error_is_html_and_changes_nothing() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("POST", "/repos/*/comments"));
    assert_eq!(stage.get(&token, COMMENTS).await.0, 200, "another method");
    let answer = stage.send(Method::POST, &token, COMMENTS, json!({ "body": "x" })).await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(stage.sandbox.comments(ROCKET, 1), []);
    assert_eq!(stage.post(&token, COMMENTS, json!({ "body": "x" })).await.0, 201, "used up");
}

#[tokio::test]
async fn a_lost_answer_has_taken_effect() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::LostAnswer { as_502: false }).on("POST", "comments"));
    stage.send(Method::POST, &token, COMMENTS, json!({ "body": "first" })).await.unwrap_err();
    stage.sandbox.fault(Fault::next(FaultKind::LostAnswer { as_502: true }).on("POST", "comments"));
    assert_eq!(stage.post(&token, COMMENTS, json!({ "body": "second" })).await.0, 502);
    let bodies: Vec<String> = stage.sandbox.comments(ROCKET, 1).into_iter().map(|one| one.body).collect();
    assert_eq!(bodies, ["first", "second"]);
    assert_eq!(
        stage.sandbox.requests().iter().rev().find(|one| one.status == 0).unwrap().fault.as_deref(),
        Some("lost_answer")
    );
}

#[tokio::test]
async fn a_reset_connection_changes_nothing_and_the_next_call_works() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::Reset));
    stage.send(Method::POST, &token, COMMENTS, json!({ "body": "x" })).await.unwrap_err();
    assert_eq!(stage.sandbox.comments(ROCKET, 1), []);
    assert_eq!(stage.get(&token, COMMENTS).await.0, 200);
}

#[tokio::test]
async fn truncated_json_is_a_whole_message_and_a_cut_one_is_not() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::Truncated));
    let answer = stage.send(Method::GET, &token, "/repos/acme/rocket", Value::Null).await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
    stage.sandbox.fault(Fault::next(FaultKind::Cut));
    let answer = stage.send(Method::GET, &token, "/repos/acme/rocket", Value::Null).await.unwrap();
    answer.bytes().await.unwrap_err();
}

#[tokio::test]
async fn rate_limits_look_like_githubs() {
    let (stage, token) = stage_with_issue().await;
    let kinds = [
        FaultKind::SecondaryLimit { status: 429, retry_after: Some(7) },
        FaultKind::SecondaryLimit { status: 403, retry_after: None },
        FaultKind::PrimaryLimit { status: 403, reset_in_secs: 90 },
        FaultKind::BadCredentials,
    ];
    for kind in kinds {
        stage.sandbox.fault(Fault::next(kind));
    }
    let ask = || stage.send(Method::GET, &token, "/repos/acme/rocket", Value::Null);
    let first = ask().await.unwrap();
    assert_eq!((first.status().as_u16(), &first.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    let second = ask().await.unwrap();
    assert_eq!((second.status().as_u16(), second.headers().get("retry-after")), (403, None));
    let third = ask().await.unwrap();
    let reset = (START / 1_000 + 90).to_string();
    assert_eq!(third.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(third.headers()["x-ratelimit-reset"], reset.as_str());
    assert_eq!(ask().await.unwrap().status(), 401);
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn people_go_on_working_while_the_app_suffers_unless_told() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::ServerError { status: 500 }));
    assert_eq!(stage.get(&stage.token("ada"), "/repos/acme/rocket").await.0, 200);
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 500);
    stage.sandbox.fault(Fault::next(FaultKind::ServerError { status: 500 }).victim(FaultTarget::Any).times(2));
    assert_eq!(stage.get("", "/repos/acme/rocket").await.0, 500);
    assert_eq!(stage.get(&stage.token("ada"), "/repos/acme/rocket").await.0, 500);
    stage.sandbox.set_down(true);
    assert_eq!(stage.get(&stage.jwt(&json!({})), "/app").await.0, 503);
    stage.sandbox.clear_faults();
    assert_eq!(stage.get(&stage.jwt(&json!({})), "/app").await.0, 200);
}

#[tokio::test]
async fn a_slow_answer_comes_late_and_whole() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.fault(Fault::next(FaultKind::Slow { ms: 80 }));
    let started = std::time::Instant::now();
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 200);
    assert!(started.elapsed().as_millis() >= 80);
}

#[tokio::test]
async fn chaos_strikes_by_the_seed() {
    let (stage, token) = stage_with_issue().await;
    stage.sandbox.chaos(Chaos { server_error: 0.5, ..Chaos::default() });
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(stage.get(&token, "/repos/acme/rocket").await.0);
    }
    assert!(seen.contains(&200) && seen.contains(&502), "{seen:?}");
}

#[tokio::test]
async fn faults_and_the_journal_are_there_over_http_too() {
    let (stage, token) = stage_with_issue().await;
    let fault = json!({ "kind": "server_error", "status": 500, "method": "GET", "path": "/repos/*" });
    assert_eq!(stage.post("", "/_sandbox/faults", fault).await.0, 201);
    assert_eq!(stage.post("", "/_sandbox/faults", json!({ "kind": "gremlins" })).await.0, 422);
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 500);
    let (_, requests) = stage.get("", "/_sandbox/requests").await;
    let last = requests.as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["route"], &last["actor"]), (&json!("/repos/{owner}/{repo}"), &json!("installation")));
    let (_, state) = stage.get("", "/_sandbox/state").await;
    assert_eq!(state["users"]["ada"]["token"], stage.token("ada").as_str());
}

#[tokio::test]
async fn the_journal_tells_every_write_of_the_app() {
    let (stage, token) = stage_with_issue().await;
    let (_, made) = stage.post(&token, COMMENTS, json!({ "body": "x" })).await;
    let path = format!("/repos/acme/rocket/issues/comments/{}", made["id"]);
    stage.call(Method::PATCH, &token, &path, json!({ "body": "y" })).await;
    stage.post(&stage.token("ada"), COMMENTS, json!({ "body": "z" })).await;
    let requests = stage.sandbox.requests();
    let writes = requests.iter().filter(|one| one.by_app() && one.is_write());
    let writes: Vec<(ActorKind, &str, &str, u16)> =
        writes.map(|one| (one.actor, one.method.as_str(), one.route.as_str(), one.status)).collect();
    assert_eq!(
        writes,
        [
            (ActorKind::App, "POST", "/app/installations/{installation_id}/access_tokens", 201),
            (ActorKind::Installation, "POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", 201),
            (ActorKind::Installation, "PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", 200),
        ]
    );
}

#[tokio::test]
async fn a_stopped_box_answers_nobody_on_old_connections_either() {
    let (stage, token) = stage_with_issue().await;
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 200);
    stage.sandbox.stop().await;
    stage.send(Method::GET, &token, "/repos/acme/rocket", Value::Null).await.unwrap_err();
}

#[tokio::test]
async fn a_refusal_answers_in_githubs_words_and_changes_nothing() {
    let (stage, token) = stage_with_issue().await;
    let issue = "/repos/acme/rocket/issues/1";
    for (status, words) in [(404, "Not Found"), (410, "This issue was deleted"), (403, "Resource not accessible")] {
        stage.sandbox.fault(Fault::next(FaultKind::Refused { status }).on("GET", "/issues/1"));
        let (answered, body) = stage.get(&token, issue).await;
        assert_eq!(answered, status);
        assert!(body["message"].as_str().unwrap().starts_with(words), "{body}");
        assert_eq!(stage.get(&token, issue).await.0, 200, "used up");
    }
}

#[tokio::test]
async fn a_stale_read_answers_what_the_same_read_answered_before() {
    let (stage, token) = stage_with_issue().await;
    let (issue, mona) = ("/repos/acme/rocket/issues/1", stage.sandbox.as_user("mona"));
    stage.sandbox.fault(Fault::next(FaultKind::Stale));
    assert_eq!(stage.get(&token, issue).await.1["title"], "One", "nothing is known of before");
    assert_eq!(stage.get(&token, issue).await.1["title"], "One");
    mona.retitle(ROCKET, 1, "Two").unwrap();
    stage.sandbox.fault(Fault::next(FaultKind::Stale));
    assert_eq!(stage.get(&token, issue).await.1["title"], "One");
    assert_eq!(stage.get(&token, issue).await.1["title"], "Two");
    mona.delete_issue(ROCKET, 1).unwrap();
    stage.sandbox.fault(Fault::next(FaultKind::Stale));
    assert_eq!(stage.get(&token, issue).await.0, 200, "not gone there yet");
    assert_eq!(stage.get(&token, issue).await.0, 410);
}

#[tokio::test]
async fn graphql_tells_when_and_by_whom_a_body_was_edited() {
    let (stage, token) = stage_with_issue().await;
    let query = json!({
        "query": "query($owner: String!, $name: String!, $number: Int!) { repository(owner: $owner, name: $name) { issue(number: $number) { lastEditedAt editor { login ... on User { databaseId } } } } }",
        "variables": { "owner": "acme", "name": "rocket", "number": 1 },
    });
    let ask = || async { stage.post(&token, "/graphql", query.clone()).await.1 };
    assert_eq!(ask().await["data"]["repository"]["issue"], json!({ "lastEditedAt": null, "editor": null }));
    let mona = stage.sandbox.as_user("mona");
    mona.retitle(ROCKET, 1, "Another").unwrap();
    assert_eq!(ask().await["data"]["repository"]["issue"]["lastEditedAt"], Value::Null, "a title is no body");
    mona.rewrite(ROCKET, 1, "Please.").unwrap();
    let edited = ask().await["data"]["repository"]["issue"].clone();
    assert!(edited["lastEditedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(edited["editor"]["login"], "mona");
    assert_eq!(edited["editor"]["databaseId"], stage.sandbox.add_user("mona").id);
    let body = json!({ "data": null, "errors": [{ "type": "FORBIDDEN" }] });
    stage.sandbox.fault(Fault::next(FaultKind::Scripted { body }).on("POST", "/graphql"));
    assert_eq!(ask().await["errors"][0]["type"], "FORBIDDEN");
    mona.delete_issue(ROCKET, 1).unwrap();
    assert_eq!(ask().await["errors"][0]["type"], "NOT_FOUND");
}
