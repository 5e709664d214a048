//! The sandbox's deliveries: each kind it can send is held against GitHub's own description, and GitHub's published
//! examples travel through its sender.

use crate::github_data::examples::webhook_examples;
use crate::github_data::openapi::{compile, complaints, description};
use crate::support::github;
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use owp_sandbox::{PrSpec, Role, Sandbox, sign};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

const REPO: &str = "acme/rocket";

async fn sandbox() -> (Sandbox, u64) {
    let sandbox = Sandbox::start(github::sandbox(|| 1_767_225_600_000).with_checks()).await.unwrap();
    sandbox.hold_deliveries();
    for repo in [REPO, "acme/docs"] {
        sandbox.add_repo(repo).unwrap();
        sandbox.add_collaborator(repo, "mona", Role::Admin).unwrap();
    }
    sandbox.add_user("ada");
    let installation = sandbox.install(&[REPO]).unwrap();
    (sandbox, installation)
}

/// Does everything that is announced.
fn live_a_full_life(sandbox: &Sandbox, installation: u64) {
    let (mona, ada) = (sandbox.as_user("mona"), sandbox.as_user("ada"));
    sandbox.ping();
    let issue = mona.open_issue(REPO, "One", "old", &["pool:ready"]).unwrap();
    mona.rewrite(REPO, issue, "new").unwrap();
    mona.retitle(REPO, issue, "Uno").unwrap();
    mona.unlabel(REPO, issue, "pool:ready").unwrap();
    mona.assign(REPO, issue, &["ada"]).unwrap();
    mona.assign(REPO, issue, &[]).unwrap();
    let comment = ada.comment(REPO, issue, "/owp claim").unwrap();
    ada.edit_comment(REPO, comment, "/owp release").unwrap();
    ada.delete_comment(REPO, comment).unwrap();
    mona.lock(REPO, issue).unwrap();
    mona.unlock(REPO, issue).unwrap();
    mona.pin_issue(REPO, issue).unwrap();
    mona.unpin_issue(REPO, issue).unwrap();
    mona.close_not_planned(REPO, issue).unwrap();
    mona.reopen(REPO, issue).unwrap();
    let spec = |head: &str, draft| PrSpec {
        head: head.into(),
        title: "Fix".into(),
        body: format!("fixes #{issue}"),
        draft,
        ..PrSpec::default()
    };
    let pull = ada.open_pr(REPO, spec("one", true)).unwrap();
    mona.label(REPO, pull, "bug").unwrap();
    mona.unlabel(REPO, pull, "bug").unwrap();
    mona.assign(REPO, pull, &["ada"]).unwrap();
    mona.assign(REPO, pull, &[]).unwrap();
    ada.push(REPO, pull).unwrap();
    ada.ready_for_review(REPO, pull).unwrap();
    ada.convert_to_draft(REPO, pull).unwrap();
    ada.ready_for_review(REPO, pull).unwrap();
    ada.rewrite(REPO, pull, &format!("Fixes #{issue}.")).unwrap();
    ada.retarget(REPO, pull, "next").unwrap();
    ada.retarget(REPO, pull, "main").unwrap();
    ada.comment(REPO, pull, "ready").unwrap();
    sandbox.set_check(REPO, pull, "ci/test", "queued", None).unwrap();
    sandbox.set_check(REPO, pull, "ci/test", "completed", Some("success")).unwrap();
    sandbox.set_status(REPO, pull, "legacy/build", "failure").unwrap();
    ada.close_pr(REPO, pull).unwrap();
    ada.reopen(REPO, pull).unwrap();
    mona.lock(REPO, pull).unwrap();
    mona.unlock(REPO, pull).unwrap();
    mona.merge(REPO, pull).unwrap();
    sandbox.change_installation(installation, &["acme/docs"], &[]).unwrap();
    let moving = mona.open_issue(REPO, "Moves", "", &[]).unwrap();
    mona.comment(REPO, moving, "hello").unwrap();
    mona.transfer_issue(REPO, moving, "acme/docs").unwrap();
    let talked = mona.open_issue(REPO, "Talk", "", &[]).unwrap();
    mona.convert_to_discussion(REPO, talked).unwrap();
    // A pull request from the repository itself: its checks name it.
    let own = mona.open_pr(REPO, spec("own", false)).unwrap();
    sandbox.set_check(REPO, own, "ci/test", "completed", Some("failure")).unwrap();
    sandbox.set_status(REPO, own, "legacy/build", "pending").unwrap();
    let doomed = mona.open_issue(REPO, "Doomed", "", &[]).unwrap();
    mona.delete_issue(REPO, doomed).unwrap();
    mona.set_private("acme/docs", true).unwrap();
    mona.set_private("acme/docs", false).unwrap();
    mona.set_archived("acme/docs", true).unwrap();
    mona.set_archived("acme/docs", false).unwrap();
    mona.set_default_branch("acme/docs", "trunk").unwrap();
    mona.rename_repo("acme/docs", "manual").unwrap();
    sandbox.change_installation(installation, &[], &["acme/manual"]).unwrap();
    sandbox.suspend(installation, true).unwrap();
    sandbox.suspend(installation, false).unwrap();
    sandbox.grant(installation, [("issues".to_owned(), "write".to_owned())].into()).unwrap();
    mona.delete_repo(REPO).unwrap();
    sandbox.uninstall(installation).unwrap();
}

#[tokio::test]
async fn every_delivery_is_as_github_describes_it() {
    let (sandbox, installation) = sandbox().await;
    live_a_full_life(&sandbox, installation);
    let description = description();
    let (mut kinds, mut problems) = (BTreeSet::new(), BTreeSet::new());
    for webhook in sandbox.take_deliveries() {
        let event = webhook.webhook;
        let action = event.action.map(|action| format!("-{action}")).unwrap_or_default();
        let name = format!("{}{action}", event.event).replace('_', "-");
        let schema = &description["x-webhooks"][&name]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert!(!schema.is_null(), "GitHub has no webhook {name}");
        let payload = serde_json::from_str(&event.body).unwrap();
        problems.extend(complaints(&description, schema, &payload).into_iter().map(|one| format!("{name}: {one}")));
        kinds.insert(name);
    }
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert_eq!(kinds.len(), 49, "{kinds:?}");
}

#[tokio::test]
async fn githubs_published_examples_travel_signed_and_unchanged() {
    let heard: Arc<Mutex<Vec<(HeaderMap, Bytes)>>> = Arc::default();
    let note = heard.clone();
    let app = Router::new().route(
        "/hook",
        post(move |headers: HeaderMap, body: Bytes| async move { note.lock().unwrap().push((headers, body)) }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app.layer(axum::extract::DefaultBodyLimit::disable())).await });
    let (sandbox, _) = sandbox().await;
    sandbox.take_deliveries();
    sandbox.set_webhook_url(&url);
    let examples = webhook_examples("api.github.com");
    for (event, payload) in &examples {
        sandbox.deliver(event, payload);
    }
    assert_eq!(sandbox.flush().await, examples.len());
    let heard = heard.lock().unwrap();
    assert!(heard.len() > 300, "{} examples", heard.len());
    for ((event, payload), (headers, body)) in examples.iter().zip(heard.iter()) {
        assert_eq!(headers["x-github-event"], event.as_str());
        assert_eq!(headers["x-hub-signature-256"], sign(sandbox.webhook_secret().as_bytes(), body).as_str());
        assert_eq!(&serde_json::from_slice::<Value>(body).unwrap(), payload);
    }
}

#[test]
fn the_check_notices_a_wrong_payload() {
    let description = description();
    let schema =
        &description["x-webhooks"]["issues-opened"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert!(!compile(&description, schema).is_valid(&json!({ "action": "opened", "issue": {} })));
}
