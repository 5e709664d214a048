//! GitHub's published webhook examples (npm `@octokit/webhooks-examples`), read by our own structs.
//!
//! `OWP_NPM_DIR` names the `node_modules` folder to look in; otherwise it is `tests/npm/node_modules`, which
//! `npm ci --prefix tests/npm` fills. A missing folder is a failure, never a skip.

use crate::github_data::examples::webhook_examples;
use owp_github::payload::{CommentAction, Incoming, Kind, read_delivery};
use std::collections::BTreeMap;

/// One set of examples per product: github.com and the Enterprise Server versions.
const SETS: [&str; 6] = ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"];

#[test]
fn every_published_example_is_read_without_error() {
    for set in SETS {
        let examples = webhook_examples(set);
        let least = if set == "api.github.com" { 300 } else { 40 };
        assert!(examples.len() > least, "{set} holds only {} examples", examples.len());
        for (event, payload) in examples {
            let body = payload.to_string();
            let incoming = read_delivery(&event, Some("application/json"), body.as_bytes())
                .unwrap_or_else(|error| panic!("{set} {event}: {error}\n{body:.400}"));
            let kept = Incoming::from_json(&incoming.to_json());
            assert_eq!(kept.as_ref().ok(), Some(&incoming), "{set} {event}: {kept:?}");
            assert_eq!(incoming.action.as_deref(), payload["action"].as_str(), "{set} {event}");
            assert_eq!(incoming.repository.map(|repo| repo.id), payload["repository"]["id"].as_i64(), "{set} {event}");
            assert_eq!(incoming.sender.map(|user| user.id), payload["sender"]["id"].as_i64(), "{set} {event}");
            assert_eq!(incoming.installation_id, payload["installation"]["id"].as_i64(), "{set} {event}");
        }
    }
}

#[test]
fn the_events_we_use_become_hints_that_say_where_to_look() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (event, payload) in webhook_examples("api.github.com") {
        let incoming = read_delivery(&event, None, payload.to_string().as_bytes()).expect("the test above reads all");
        let kind = match incoming.kind {
            Kind::Issue { number, label, .. } => {
                assert_eq!(Some(number), payload["issue"]["number"].as_i64());
                assert_eq!(label.as_deref(), payload["label"]["name"].as_str());
                "issue"
            }
            Kind::IssueComment { issue_number, on_pull, comment, action, old_body } => {
                assert_eq!(Some(issue_number), payload["issue"]["number"].as_i64());
                assert_eq!(on_pull, payload["issue"].get("pull_request").is_some());
                assert_eq!(Some(comment.body.as_str()), payload["comment"]["body"].as_str());
                assert_eq!(comment.author.map(|user| user.id), payload["comment"]["user"]["id"].as_i64());
                assert!(comment.created_at.is_some() && action != CommentAction::Other);
                assert_eq!(old_body.is_some(), action == CommentAction::Edited);
                "issue_comment"
            }
            Kind::PullRequest { number, said } => {
                assert_eq!(Some(number), payload["pull_request"]["number"].as_i64());
                assert_eq!(said.closed, payload["pull_request"]["state"] == "closed");
                assert!(said.updated_at.is_some());
                "pull_request"
            }
            Kind::Commit { sha, name } => {
                let place = if event == "status" { &payload } else { &payload[&event] };
                let (at, named) = if event == "status" { ("sha", "context") } else { ("head_sha", "name") };
                assert_eq!(Some(sha.as_str()), place[at].as_str());
                assert_eq!(name.as_deref(), place[named].as_str());
                "commit"
            }
            Kind::Installation { repositories, .. } => {
                assert_eq!(repositories.len(), payload["repositories"].as_array().map_or(0, Vec::len));
                "installation"
            }
            Kind::InstallationRepositories { added, removed } => {
                assert_eq!(added.len(), payload["repositories_added"].as_array().map_or(0, Vec::len));
                assert_eq!(removed.len(), payload["repositories_removed"].as_array().map_or(0, Vec::len));
                "installation_repositories"
            }
            Kind::Repository { .. } => "repository",
            Kind::Ping => "ping",
            Kind::Other => "other",
        };
        *counts.entry(kind).or_default() += 1;
    }
    let expected = [
        ("commit", 11),
        ("installation", 7),
        ("installation_repositories", 3),
        ("issue", 29),
        ("issue_comment", 9),
        ("other", 224),
        ("ping", 4),
        ("pull_request", 29),
        ("repository", 13),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected, "the package is pinned to 7.6.1");
}
