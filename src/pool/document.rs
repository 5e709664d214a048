//! The policy as its owners write it: `.github/owp.yml` and `POST /v1/admin/policy`. Every key is optional; what is left
//! out keeps its default. What must not be here: a key nothing obeys, because a rule somebody wrote down and nobody keeps
//! is worse than an error.

use super::Span;
use super::policy::{ClaimLimits, CountMode, Policy, Record, TierRule};
use super::reputation::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::RangeInclusive;

/// No policy warns a holder while a larger part of the time, in percent, is left.
pub const WARN_BEFORE_MOST: i64 = 90;

/// A policy document.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "Policy")]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// The version of this format: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// How much may be open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetPart>,
    /// How long a task is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<LeasesPart>,
    /// How much one person may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsPart>,
    /// Whether an area has one holder at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area_locks: Option<AreaLocksPart>,
    /// What risk tiers ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TiersPart>,
}

/// How much may be open at once.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyBudget")]
#[serde(deny_unknown_fields, default)]
pub struct BudgetPart {
    /// Open pull requests and work handed out together, 0 to 100; 0 hands out nothing.
    pub max_open_prs: Option<i64>,
    /// Which pull requests count.
    pub count: Option<Counted>,
    /// Whether drafts count.
    pub drafts: Option<bool>,
}

/// Which pull requests count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyCount")]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Those linked to tasks or written by the pool's people.
    Pool,
    /// All of them.
    All,
}

/// How long a task is held.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLeases")]
#[serde(deny_unknown_fields, default)]
pub struct LeasesPart {
    /// For clients; each sign of life begins it anew. 1m to 30d.
    pub ttl: Option<Duration>,
    /// For claims by comment. 1h to 90d.
    pub claim_ttl: Option<Duration>,
    /// How soon an offer must be acknowledged. 5s to 1h.
    pub ack_within: Option<Duration>,
    /// No lease lives longer. 1h to 365d.
    pub max_lifetime: Option<Duration>,
    /// The part of a lease's time that is left when its holder is warned. 1% to 90%.
    pub warn_before: Option<Percent>,
}

/// How much one person may hold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyClaims")]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsPart {
    /// Tasks a person may hold at once, 1 to 20.
    pub per_worker: Option<i64>,
    /// Tasks a person without a merged one here may hold at once, 0 to 20.
    pub newcomers: Option<i64>,
    /// Tasks all such people together may hold at once, 0 to 100.
    pub newcomers_total: Option<i64>,
    /// How long the next claim waits after a lapse. 0s to 90d.
    pub cooldown: Option<Duration>,
}

/// Whether an area has one holder at a time.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyAreaLocks")]
#[serde(deny_unknown_fields, default)]
pub struct AreaLocksPart {
    /// Whether it has.
    pub enabled: Option<bool>,
}

/// What risk tiers ask for; tier 0 is open to all.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyTiers")]
#[serde(deny_unknown_fields, default)]
pub struct TiersPart {
    /// Tier 1.
    #[serde(rename = "1")]
    pub one: Option<TierPart>,
    /// Tier 2.
    #[serde(rename = "2")]
    pub two: Option<TierPart>,
    /// Tier 3.
    #[serde(rename = "3")]
    pub three: Option<TierPart>,
}

/// What opens a tier: the trust, or the record.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "PolicyTier")]
#[serde(deny_unknown_fields, default)]
pub struct TierPart {
    /// The trust a maintainer must have given, 0 to 3; the tier's own number when not given.
    pub trust: Option<i64>,
    /// The merged tasks that stand in for it, 0 to 1000.
    pub merged: Option<i64>,
    /// The reputation that goes with them, 0 to 1.
    pub reputation: Option<f64>,
}

/// A span as people write it: `30m`, `4h`, `1d12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub Span);

/// A percentage: `20%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub i64);

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, with those it stands under: `leases.ttl`.
    pub key: String,
    /// What is wrong with it: "must be from 1m to 30d".
    pub message: String,
}

impl Document {
    /// The whole of a policy as a document.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let tier = |rule: &TierRule| {
            let record = rule.record;
            Some(TierPart {
                trust: Some(rule.trust),
                merged: record.map(|record| record.merged),
                reputation: record.map(|record| record.reputation.share()),
            })
        };
        Self {
            version: Some(1),
            budget: Some(BudgetPart {
                max_open_prs: Some(policy.max_open_prs),
                count: Some(match policy.count {
                    CountMode::Pool => Counted::Pool,
                    CountMode::All => Counted::All,
                }),
                drafts: Some(policy.count_drafts),
            }),
            leases: Some(LeasesPart {
                ttl: Some(Duration(policy.ttl)),
                claim_ttl: Some(Duration(policy.claim_ttl)),
                ack_within: Some(Duration(policy.ack_within)),
                max_lifetime: Some(Duration(policy.max_lifetime)),
                warn_before: Some(Percent(policy.warn_before_percent)),
            }),
            claims: policy.claims.map(|claims| ClaimsPart {
                per_worker: Some(claims.per_person),
                newcomers: Some(claims.newcomer),
                newcomers_total: Some(claims.newcomers_total),
                cooldown: Some(Duration(claims.cooldown)),
            }),
            area_locks: Some(AreaLocksPart { enabled: Some(policy.area_locks) }),
            tiers: Some(TiersPart {
                one: tier(&policy.tiers[0]),
                two: tier(&policy.tiers[1]),
                three: tier(&policy.tiers[2]),
            }),
        }
    }

    /// The policy that comes of `base` when this document is followed.
    ///
    /// # Errors
    /// Everything that is out of bounds; then nothing is followed.
    pub fn apply(&self, base: &Policy) -> Result<Policy, Vec<Fault>> {
        let mut policy = base.clone();
        let mut faults = Faults::default();
        if self.version.is_some_and(|version| version != 1) {
            faults.note("version", "must be 1");
        }
        if let Some(budget) = &self.budget {
            faults.number("budget.max_open_prs", budget.max_open_prs, 0..=100, &mut policy.max_open_prs);
            policy.count = budget.count.map_or(policy.count, |count| match count {
                Counted::Pool => CountMode::Pool,
                Counted::All => CountMode::All,
            });
            policy.count_drafts = budget.drafts.unwrap_or(policy.count_drafts);
        }
        if let Some(leases) = &self.leases {
            leases.apply(&mut policy, &mut faults);
        }
        if let Some(claims) = &self.claims {
            claims.apply(&mut policy, &mut faults);
        }
        let locks = self.area_locks.as_ref().and_then(|locks| locks.enabled);
        policy.area_locks = locks.unwrap_or(policy.area_locks);
        if let Some(tiers) = &self.tiers {
            for (tier, part) in (1..).zip([&tiers.one, &tiers.two, &tiers.three]) {
                if let Some(part) = part {
                    policy.tiers[tier - 1] = part.rule(tier, &mut faults);
                }
            }
        }
        if faults.0.is_empty() { Ok(policy) } else { Err(faults.0) }
    }
}

impl LeasesPart {
    fn apply(&self, policy: &mut Policy, faults: &mut Faults) {
        let (minute, hour, day) = (Span::minutes(1), Span::hours(1), Span::days(1));
        faults.span("leases.ttl", self.ttl, minute..=Span(30 * day.0), &mut policy.ttl);
        faults.span("leases.claim_ttl", self.claim_ttl, hour..=Span(90 * day.0), &mut policy.claim_ttl);
        faults.span("leases.ack_within", self.ack_within, Span::secs(5)..=hour, &mut policy.ack_within);
        faults.span("leases.max_lifetime", self.max_lifetime, hour..=Span(365 * day.0), &mut policy.max_lifetime);
        let percent = self.warn_before.map(|percent| percent.0);
        faults.number("leases.warn_before", percent, 1..=WARN_BEFORE_MOST, &mut policy.warn_before_percent);
    }
}

impl ClaimsPart {
    fn apply(&self, policy: &mut Policy, faults: &mut Faults) {
        // Where claims were not limited, naming one limit brings the others at their defaults.
        let mut claims = policy.claims.unwrap_or(ClaimLimits::DEFAULT);
        faults.number("claims.per_worker", self.per_worker, 1..=20, &mut claims.per_person);
        faults.number("claims.newcomers", self.newcomers, 0..=20, &mut claims.newcomer);
        faults.number("claims.newcomers_total", self.newcomers_total, 0..=100, &mut claims.newcomers_total);
        faults.span("claims.cooldown", self.cooldown, Span(0)..=Span::days(90), &mut claims.cooldown);
        policy.claims = Some(claims);
    }
}

impl TierPart {
    fn rule(&self, tier: usize, faults: &mut Faults) -> TierRule {
        let key = |name: &str| format!("tiers.{tier}.{name}");
        let mut trust = i64::try_from(tier).unwrap_or(3);
        faults.number(&key("trust"), self.trust, 0..=3, &mut trust);
        let (mut merged, mut reputation) = (0, Score(0));
        faults.number(&key("merged"), self.merged, 0..=1000, &mut merged);
        match self.reputation {
            Some(share) if (0.0..=1.0).contains(&share) => reputation = score(share),
            Some(_) => faults.note(key("reputation"), "must be from 0 to 1"),
            None => {}
        }
        let named = self.merged.is_some() || self.reputation.is_some();
        TierRule { trust, record: named.then_some(Record { merged, reputation }) }
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn note(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { key: key.into(), message: message.into() });
    }

    fn number(&mut self, key: &str, asked: Option<i64>, bounds: RangeInclusive<i64>, value: &mut i64) {
        let Some(asked) = asked else { return };
        if bounds.contains(&asked) {
            *value = asked;
        } else {
            self.note(key, format!("must be from {} to {}, not {asked}", bounds.start(), bounds.end()));
        }
    }

    fn span(&mut self, key: &str, asked: Option<Duration>, bounds: RangeInclusive<Span>, value: &mut Span) {
        let Some(Duration(asked)) = asked else { return };
        if bounds.contains(&asked) {
            *value = asked;
        } else {
            let (from, to) = (bounds.start().compact(), bounds.end().compact());
            self.note(key, format!("must be from {from} to {to}, not {}", asked.compact()));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller checked that it is from 0 to 1")]
fn score(share: f64) -> Score {
    Score((share * 1000.0).round() as i64)
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = Span::parse(&text.trim().to_lowercase());
        span.map(Self).ok_or_else(|| serde::de::Error::custom("a duration is written like `30m`, `4h` or `1d12h`"))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.compact())
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^([0-9]+[a-z]+)+$", "examples": ["30m", "4h", "1d12h"],
            "description": "Numbers with units, one after another: s, m, h, d, w."
        })
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        number.map(Self).ok_or_else(|| serde::de::Error::custom("a percentage is written like `20%`"))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}%", self.0))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{1,2} *%$", "examples": ["20%"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            "claims": { "per_worker": 3, "newcomers": 2, "newcomers_total": 5, "cooldown": "0s" },
            "area_locks": { "enabled": false },
            "tiers": { "1": { "trust": 0 }, "2": { "merged": 2 }, "3": { "trust": 3, "merged": 9, "reputation": 0.955 } },
        }));
        let policy = document.apply(&Policy::managed()).unwrap();
        assert_eq!((policy.max_open_prs, policy.count, policy.count_drafts), (9, CountMode::All, false));
        assert_eq!((policy.ttl, policy.claim_ttl), (Span::hours(2), Span::hours(36)));
        assert_eq!((policy.ack_within, policy.max_lifetime), (Span::secs(90), Span::days(7)));
        assert_eq!((policy.warn_before_percent, policy.area_locks), (10, false));
        let claims = ClaimLimits { per_person: 3, newcomer: 2, newcomers_total: 5, cooldown: Span(0) };
        assert_eq!(policy.claims, Some(claims));
        let record = |merged, score| Some(Record { merged, reputation: Score(score) });
        assert_eq!(
            policy.tiers,
            [
                TierRule { trust: 0, record: None },
                TierRule { trust: 2, record: record(2, 0) },
                TierRule { trust: 3, record: record(9, 955) },
            ]
        );
        // Naming one limit where there was none brings the others.
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
            "tiers": { "2": { "trust": 4, "reputation": 1.5 } },
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
            ]
        );
    }

    #[test]
    fn a_key_that_nothing_obeys_is_an_error_and_not_ignored() {
        for (document, word) in [
            (r#"{ "bugdet": {} }"#, "bugdet"),
            (r#"{ "claims": { "join_first": true } }"#, "join_first"),
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
}
