//! GitHub's published webhook examples. Not a test by itself; see `npm.rs`.

use crate::github_data::npm::read;
use serde_json::Value;

/// GitHub's published webhook examples of a product (`api.github.com`, `ghes-35`): event name and payload.
pub(crate) fn webhook_examples(product: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for event in read(&format!("@octokit/webhooks-examples/{product}/index.json")).as_array().unwrap() {
        let name = event["name"].as_str().unwrap();
        found.extend(event["examples"].as_array().unwrap().iter().map(|one| (name.to_owned(), one.clone())));
    }
    found
}
