//! GitHub's published webhook examples. Not a test by itself; see `npm.rs`.

use crate::github_data::npm::read;
use serde_json::Value;

/// GitHub's published webhook examples: event name and payload.
pub(crate) fn webhook_examples() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for event in read("@octokit/webhooks-examples/api.github.com/index.json").as_array().unwrap() {
        let name = event["name"].as_str().unwrap();
        found.extend(event["examples"].as_array().unwrap().iter().map(|one| (name.to_owned(), one.clone())));
    }
    found
}
