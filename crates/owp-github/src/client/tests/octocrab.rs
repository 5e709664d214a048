//! Tests of what octocrab cannot do for the pool. When one fails, octocrab can, and ADR 1 is out of date.

use crate::client::testing::{NOW, key};
use octocrab::models::{App, CombinedStatus, Installation, InstallationToken, IssueEvent, issues, pulls};
use serde_json::{Value, json};

#[test]
fn its_jwt_takes_the_machines_clock_and_no_other() {
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key().0.as_bytes()).unwrap();
    let jwt = octocrab::auth::create_jwt(octocrab::models::AppId(42), &key).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(jwt.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_ne!(claims["iat"], json!(NOW / 1000 - 60), "the time of the pool's clock in these tests");
}

/// GitHub's example of `what`, from its OpenAPI description.
fn example(what: &str) -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/npm/node_modules/@octokit/openapi/generated/api.github.com.json"
    );
    let description = std::fs::read_to_string(path).expect("npm ci --prefix tests/npm");
    let description: Value = serde_json::from_str(&description).unwrap();
    description["components"]["examples"][what]["value"].clone()
}

/// Asserts that a model accepts an example, and rejects it with one field changed.
fn rejects<T: serde::de::DeserializeOwned>(example: &Value, field: &str, value: Value) {
    assert!(serde_json::from_value::<T>(example.clone()).is_ok(), "the example itself");
    let mut changed = example.clone();
    changed[field] = value;
    assert!(serde_json::from_value::<T>(changed).is_err(), "{field}");
}

#[test]
fn its_models_reject_what_github_may_send() {
    let (issue, comment) = (&example("issue-items")[0], example("issue-comment"));
    let (event, pull) = (&example("issue-event-for-issue-items")[0], &example("pull-request-simple-items")[0]);
    rejects::<issues::Issue>(issue, "user", Value::Null);
    rejects::<issues::Issue>(issue, "labels", json!(["bug"]));
    rejects::<issues::Comment>(&comment, "user", Value::Null);
    rejects::<IssueEvent>(event, "actor", Value::Null);
    rejects::<IssueEvent>(event, "event", json!("an event of next year"));
    rejects::<pulls::PullRequest>(pull, "state", json!("a state of next year"));
    rejects::<CombinedStatus>(&example("combined-commit-status"), "state", json!("a state of next year"));
    rejects::<Installation>(&example("installation"), "account", Value::Null);
    rejects::<App>(&example("integration"), "owner", json!({"id": 1, "slug": "acme", "name": "Acme"}));
    let mut token = example("installation-token");
    token.as_object_mut().unwrap().remove("permissions");
    assert!(serde_json::from_value::<InstallationToken>(token).is_err());
}
