//! Tests of policy documents, and of the faults they report.

use super::*;
use crate::Span;
use crate::policy::{AiUse, AreaUntil, ClaimLimits, CommentMode, CountMode, Lane, Policy, Record, TierRule};
use crate::reputation::Score;
use serde_json::json;

fn read(document: serde_json::Value) -> Document {
    serde_json::from_value(document).unwrap()
}

#[test]
fn what_is_left_out_keeps_its_default() {
    for base in [Policy::managed(), Policy::manual(3, true)] {
        assert_eq!(read(json!({})).apply(&base), Ok(base.clone()));
        assert_eq!(read(json!({ "version": 1, "leases": {}, "tiers": { "1": null } })).apply(&base), Ok(base));
    }
}

#[test]
fn a_policy_written_out_and_read_again_is_the_same() {
    for base in [Policy::managed(), Policy::manual(3, false)] {
        let written = serde_json::to_string(&Document::of(&base)).unwrap();
        let again: Document = serde_json::from_str(&written).unwrap();
        assert_eq!(again.apply(&Policy::managed()).unwrap().tiers, base.tiers, "{written}");
        assert_eq!(again.apply(&base), Ok(base), "{written}");
    }
}

#[test]
fn every_key_sets_what_it_names() {
    let document = read(json!({
        "version": 1,
        "budget": { "max_open_prs": 9, "count": "all", "drafts": false },
        "leases": { "ttl": "2h", "claim_ttl": "1d12h", "ack_within": "90s", "max_lifetime": "1w", "warn_before": "10%" },
        "claims": { "per_worker": 3, "newcomers": 2, "newcomers_total": 5, "cooldown": "0s", "join_first": true },
        "area_locks": { "enabled": false, "until": "merged" },
        "tiers": { "1": { "trust": 0 }, "2": { "merged": 2 }, "3": { "trust": 3, "merged": 9, "reputation": 0.955, "allow": ["@Octocat", "Org/Core"] } },
        "lanes": [{ "for": { "trust": 0, "newcomers": true }, "allow": { "areas": ["Docs"], "tier": 1, "estimate": 3 } }],
        "gates": { "draft": true, "checks": ["ci/test"], "checklist": true },
        "labels": { "ready": "owp", "estimate": ["points"], "bots": ["Triage[bot]"] },
        "contract": { "setup": "make deps", "test": "make test", "lint": "make lint", "branch": "pool/{issue}", "pr_template": "Fixes #",
            "ai": "refuse", "paths": { "only": ["src/**", "docs"], "never": ["src/secret.rs"] }, "max_diff": 400, "sign_off": true,
            "trailers": ["Assisted-by: {tool} {version}"] },
        "comments": "quiet",
        "linking": { "issue": 12 },
        "pause": { "schedule": "* * * * SAT,SUN" },
    }));
    let policy = document.apply(&Policy::managed()).unwrap();
    assert_eq!((policy.max_open_prs, policy.count, policy.count_drafts), (9, CountMode::All, false));
    assert_eq!((policy.ttl, policy.claim_ttl), (Span::hours(2), Span::hours(36)));
    assert_eq!((policy.ack_within, policy.max_lifetime), (Span::secs(90), Span::days(7)));
    assert_eq!((policy.warn_before_percent, policy.area_locks), (10, false));
    let claims = ClaimLimits { per_person: 3, newcomer: 2, newcomers_total: 5, cooldown: Span(0), join_first: true };
    assert_eq!(policy.claims, Some(claims));
    let record = |merged, score| Some(Record { merged, reputation: Score(score) });
    assert_eq!(
        policy.tiers,
        [
            TierRule::trust(0),
            TierRule { record: record(2, 0), ..TierRule::trust(2) },
            TierRule { record: record(9, 955), allow: vec!["octocat".into(), "org/core".into()], ..TierRule::trust(3) },
        ]
    );
    assert_eq!((policy.area_until, policy.comments), (AreaUntil::Merged, CommentMode::Quiet));
    assert_eq!(policy.link_issue, Some(12));
    let areas = Some(vec!["docs".to_owned()]);
    assert_eq!(policy.lanes, [Lane { trust: Some(0), newcomers: true, areas, tier: Some(1), estimate: Some(3) }]);
    assert_eq!((policy.gates.drafts, policy.gates.checklist, policy.gates.checks.len()), (true, true, 1));
    assert_eq!((policy.labels.ready.as_str(), policy.labels.bots.join(",")), ("owp", "triage[bot]".to_owned()));
    assert_eq!(policy.contract.branch.name(7, "x"), "pool/7");
    assert_eq!(policy.contract.test.as_deref(), Some("make test"));
    assert_eq!(
        (policy.contract.ai, policy.contract.max_diff, policy.contract.sign_off),
        (AiUse::Refuse, Some(400), true)
    );
    assert_eq!(
        (policy.contract.paths.only.len(), policy.contract.paths.never.join(",")),
        (2, "src/secret.rs".to_owned())
    );
    assert_eq!(policy.contract.trailers, ["Assisted-by: {tool} {version}"]);
    assert_eq!(policy.pause.as_ref().map(ToString::to_string).as_deref(), Some("* * * * SAT,SUN"));
    assert_eq!(Document::of(&policy).apply(&Policy::managed()), Ok(policy));
    // Naming one limit brings the others at their defaults.
    let one = read(json!({ "claims": { "per_worker": 7 } })).apply(&Policy::manual(3, true)).unwrap().claims;
    assert_eq!(one, Some(ClaimLimits { per_person: 7, ..ClaimLimits::DEFAULT }));
}

#[test]
fn all_that_is_out_of_bounds_is_told_at_once_and_nothing_is_followed() {
    let faults = read(json!({
        "version": 2,
        "budget": { "max_open_prs": 101 },
        "leases": { "ttl": "5s", "warn_before": "91%" },
        "claims": { "per_worker": 0, "cooldown": "91d" },
        "tiers": { "2": { "trust": 4, "reputation": 1.5, "allow": ["-x", "a/b/c"] } },
        "lanes": [{ "for": {}, "allow": { "areas": [""] } }, { "for": { "trust": 7 }, "allow": { "estimate": 0 } }],
        "gates": { "checks": ["two\nlines"] },
        "labels": { "ready": "", "bots": ["no bot"] },
        "contract": { "branch": "main", "test": "", "paths": { "only": ["/etc"], "never": ["a/../b", ""] }, "max_diff": 0,
            "trailers": ["no colon", "Made-with: {model}", ": x"] },
        "pause": { "schedule": "weekends" },
    }))
    .apply(&Policy::managed())
    .unwrap_err();
    let told: Vec<String> = faults.into_iter().map(|fault| format!("{} {}", fault.key, fault.message)).collect();
    assert_eq!(
        told,
        [
            "version must be 1",
            "budget.max_open_prs must be from 0 to 100, not 101",
            "leases.ttl must be from 1m to 30d, not 5s",
            "leases.warn_before must be from 1 to 90, not 91",
            "claims.per_worker must be from 1 to 20, not 0",
            "claims.cooldown must be from 0s to 90d, not 91d",
            "tiers.2.trust must be from 0 to 3, not 4",
            "tiers.2.reputation must be from 0 to 1",
            "tiers.2.allow.0 is not a GitHub login such as `octocat`",
            "tiers.2.allow.1 is neither a login such as `octocat` nor a team such as `org/core`",
            "lanes.0.allow.areas.0 is not the name of an area",
            "lanes.0.for must name whom the lane is for: `trust`, or `newcomers: true`",
            "lanes.1.for.trust must be from 0 to 3, not 7",
            "lanes.1.allow.estimate must be from 1 to 100, not 0",
            "gates.checks.0 must be one line of 1 to 255 visible characters",
            "labels.ready must be one line of 1 to 64 visible characters",
            "labels.bots.0 is not a GitHub login such as `octocat`",
            "contract.test must be one line of 1 to 500 visible characters",
            "contract.branch must contain `{issue}`, as in `owp/{issue}-{slug}`",
            "contract.paths.only.0 must be a path within the repository, such as `src/**`, without `..`, `\\` or a leading `/`",
            "contract.paths.never.0 must be a path within the repository, such as `src/**`, without `..`, `\\` or a leading `/`",
            "contract.paths.never.1 must be one line of 1 to 200 visible characters",
            "contract.max_diff must be from 1 to 100000, not 0",
            "contract.trailers.0 must be a trailer, such as `Assisted-by: {tool} {version}`",
            "contract.trailers.1 may have the placeholders `{tool}`, `{version}` and `{task}`, and no other braces",
            "contract.trailers.2 must be a trailer, such as `Assisted-by: {tool} {version}`",
            "pause.schedule must have five fields (minute, hour, day of month, month, day of week), not 1",
        ]
    );
}

#[test]
fn leases_may_be_as_short_as_seconds_where_repositories_are_made_by_hand() {
    let short = |ttl: &str, ack_within: &str| read(json!({ "leases": { "ttl": ttl, "ack_within": ack_within } }));
    let policy = short("1s", "1s").apply(&Policy::manual(3, true)).unwrap();
    assert_eq!((policy.ttl, policy.ack_within), (Span::secs(1), Span::secs(1)));
    let told = |document: Document, base: &Policy| -> Vec<String> {
        document.apply(base).unwrap_err().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(short("0s", "0s"), &Policy::manual(3, true)),
        ["`leases.ttl` must be from 1s to 30d, not 0s", "`leases.ack_within` must be from 1s to 1h, not 0s"]
    );
    assert_eq!(
        told(short("59s", "4s"), &Policy::managed()),
        ["`leases.ttl` must be from 1m to 30d, not 59s", "`leases.ack_within` must be from 5s to 1h, not 4s"]
    );
    assert!(short("1m", "5s").apply(&Policy::managed()).is_ok());
    let managed = policy.with_min_durations(Policy::managed().shortest);
    assert_eq!((managed.ttl, managed.ack_within), (Span::minutes(1), Span::secs(5)));
}

#[test]
fn a_key_that_nothing_obeys_is_an_error_and_not_ignored() {
    for (document, word) in [
        (r#"{ "bugdet": {} }"#, "bugdet"),
        (r#"{ "claims": { "join_last": true } }"#, "join_last"),
        (r#"{ "lanes": [{ "for": {}, "deny": {} }] }"#, "deny"),
        (r#"{ "tiers": { "4": {} } }"#, "unknown field"),
        (r#"{ "leases": { "ttl": "soon" } }"#, "written like"),
        (r#"{ "leases": { "ttl": 4 } }"#, "string"),
        (r#"{ "leases": { "warn_before": 20 } }"#, "string"),
        (r#"{ "budget": { "count": "some" } }"#, "some"),
    ] {
        let error = serde_json::from_str::<Document>(document).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("line 1"), "{error}");
    }
}
