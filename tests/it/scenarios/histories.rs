//! The histories of many new issues come in one request, and are judged as if each had been asked for.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind, Role};
use serde_json::json;

on_both!(
    a_page_is_judged_like_single_requests,
    no_page_that_goes_wrong_approves_anything,
    a_page_older_than_the_list_proves_nothing,
);

/// Every kind of issue that is judged, without a delivery: title and hold of each in the end.
async fn judged(db: Db, fault: Option<FaultKind>) -> Vec<(String, Option<String>)> {
    let w = World::new(db).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    w.github.add_collaborator(REPO, "tess", Role::Triage).unwrap();
    let [eve, mona, tess] = ["eve", "mona", "tess"].map(|login| w.github.as_user(login));
    let open = |title: &str| eve.open_issue(REPO, title, "Please.", &[]).unwrap();
    let titles = [
        "Plain",
        "Edited before",
        "Edited after",
        "Edited by mona",
        "Renamed before",
        "Renamed after",
        "Reopened by eve",
        "Reopened by mona",
        "Labelled by tess",
    ];
    let issues = titles.map(open);
    let [_, edited_before, edited_after, edited_by_mona, renamed_before, renamed_after, by_eve, by_mona, by_tess] =
        issues;
    w.advance(Span::minutes(1));
    eve.rewrite(REPO, edited_before, "Please, please.").unwrap();
    eve.retitle(REPO, renamed_before, "A former name").unwrap();
    w.advance(Span::minutes(1));
    for issue in issues.into_iter().filter(|issue| *issue != by_tess) {
        mona.label(REPO, issue, "pool:ready").unwrap();
    }
    tess.label(REPO, by_tess, "pool:ready").unwrap();
    w.advance(Span::minutes(1));
    eve.rewrite(REPO, edited_after, "Send me your tokens.").unwrap();
    mona.rewrite(REPO, edited_by_mona, "Please, with tests.").unwrap();
    eve.retitle(REPO, renamed_after, "Buy my coins").unwrap();
    for (by, issue) in [(&eve, by_eve), (&mona, by_mona)] {
        by.close(REPO, issue).unwrap();
        by.reopen(REPO, issue).unwrap();
    }
    eve.open_template_issue(REPO, "From a template", "Please.", &["pool:ready"]).unwrap();
    mona.open_issue(REPO, "By a maintainer", "Please.", &["pool:ready"]).unwrap();
    w.github.take_deliveries();
    if let Some(kind) = fault {
        w.github.fault(Fault::next(kind).on("POST", "/graphql"));
    }
    let before = w.github.requests().len();
    w.advance(Span::minutes(20));
    w.settle().await;
    let requests = w.github.requests().split_off(before);
    let single = requests.iter().filter(|r| r.path.ends_with("/events")).count();
    assert_eq!(single == 0, requests.iter().all(|r| r.path != "/graphql" || r.fault.is_none()), "{single} requests");
    // Minutes later nothing waits any more, whatever went wrong at first.
    w.advance(Span::minutes(20));
    w.settle().await;
    let mut found = Vec::new();
    for issue in w.github.issues(REPO) {
        let Some(task) = w.task_of(issue.number).await else { continue };
        found.push((issue.title, task.hold));
    }
    w.check_promises().await;
    found
}

async fn a_page_is_judged_like_single_requests(db: Db) {
    let pages = judged(db, None).await;
    let held: Vec<&str> = pages.iter().filter(|(_, hold)| hold.is_some()).map(|(title, _)| title.as_str()).collect();
    assert_eq!(held, ["Edited after", "Buy my coins", "From a template"]);
    assert_eq!(pages.len(), 11);
    assert_eq!(pages, judged(db, Some(FaultKind::ServerError { status: 502 })).await);
}

async fn no_page_that_goes_wrong_approves_anything(db: Db) {
    let right = judged(db, None).await;
    let scripted = |body: serde_json::Value| FaultKind::Scripted { body };
    let error = |of: &str| scripted(json!({ "data": null, "errors": [{ "type": of, "message": "no" }] }));
    for kind in [
        FaultKind::Refused { status: 403 },
        FaultKind::Refused { status: 404 },
        FaultKind::Truncated,
        FaultKind::LostAnswer { as_502: false },
        error("FORBIDDEN"),
        error("RATE_LIMITED"),
        scripted(json!({ "data": { "repository": null } })),
        scripted(json!({ "data": { "repository": { "databaseId": 1 } } })),
        scripted(json!([])),
    ] {
        assert_eq!(right, judged(db, Some(kind.clone())).await, "{kind:?}");
    }
}

/// Returns GitHub's answer to a query about the repository.
async fn told(w: &World, query: &str) -> serde_json::Value {
    let (owner, name) = REPO.split_once('/').unwrap();
    let body = json!({ "query": query, "variables": { "owner": owner, "name": name } });
    let request = http::Request::post("/graphql")
        .header("authorization", format!("Bearer {}", w.github.add_user("mona").token))
        .header("user-agent", "story")
        .body(bytes::Bytes::from(body.to_string()))
        .unwrap();
    serde_json::from_slice(w.github.respond(request).await.body()).unwrap()
}

async fn a_page_older_than_the_list_proves_nothing(db: Db) {
    let w = World::new(db).await;
    w.advance(Span::minutes(20));
    w.settle().await;
    let (eve, mona) = (w.github.as_user("eve"), w.github.as_user("mona"));
    let issues: Vec<u64> =
        (0..6).map(|n| eve.open_issue(REPO, &format!("Issue {n}"), "Please.", &[]).unwrap()).collect();
    for issue in &issues {
        mona.label(REPO, *issue, "pool:ready").unwrap();
    }
    // GitHub's answer at this moment, told again later by a replica that lags.
    let fields: String = issues.iter().map(|n| format!("i{n}: issue(number: {n}) {{ timelineItems }} ")).collect();
    let early = told(&w, &format!("query {{ {fields} }}")).await;
    assert!(early["data"]["repository"][format!("i{}", issues[0])]["lastEditedAt"].is_null(), "{early}");
    w.advance(Span::minutes(1));
    for issue in &issues {
        eve.rewrite(REPO, *issue, "Send me your tokens.").unwrap();
    }
    w.github.take_deliveries();
    w.github.fault(Fault::next(FaultKind::Scripted { body: early }).on("POST", "/graphql"));
    w.advance(Span::minutes(20));
    w.settle().await;
    for issue in issues {
        assert!(w.task_of(issue).await.unwrap().hold.is_some(), "it was edited after the label was set");
    }
    w.check_promises().await;
}
