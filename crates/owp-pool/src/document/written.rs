//! Writes a policy as a complete document, so that reading it again gives the same policy.

use super::Document;
use super::parts::{
    AreaLocksPart, BudgetPart, ClaimsPart, ContractPart, GatesPart, LabelsPart, LaneAllow, LaneFor, LanePart,
    LeasesPart, LinkingPart, PathsPart, PausePart, TierPart, TiersPart,
};
use super::scalars::{Duration, Percent};
use crate::labels::LabelRules;
use crate::policy::{Contract, Gates, Lane, Policy, TierRule};

impl Document {
    /// Builds a document that sets every key.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let [one, two, three] = policy.tiers.each_ref().map(|rule| Some(tier(rule)));
        Self {
            version: Some(1),
            budget: Some(BudgetPart {
                max_open_prs: Some(policy.max_open_prs),
                count: Some(policy.count),
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
                join_first: Some(claims.join_first),
            }),
            area_locks: Some(AreaLocksPart { enabled: Some(policy.area_locks), until: Some(policy.area_until) }),
            tiers: Some(TiersPart { one, two, three }),
            lanes: Some(policy.lanes.iter().map(lane).collect()),
            gates: Some(gates(&policy.gates)),
            labels: Some(labels(&policy.labels)),
            contract: Some(contract(&policy.contract)),
            comments: Some(policy.comments),
            linking: policy.link_issue.map(|issue| LinkingPart { issue: Some(issue) }),
            pause: policy.pause.as_ref().map(|schedule| PausePart { schedule: Some(schedule.to_string()) }),
        }
    }
}

fn tier(rule: &TierRule) -> TierPart {
    TierPart {
        trust: Some(rule.trust),
        merged: rule.record.map(|record| record.merged),
        reputation: rule.record.map(|record| record.reputation.share()),
        allow: Some(rule.allow.clone()),
    }
}

fn lane(lane: &Lane) -> LanePart {
    LanePart {
        who: LaneFor { trust: lane.trust, newcomers: Some(lane.newcomers) },
        allow: LaneAllow { areas: lane.areas.clone(), tier: lane.tier, estimate: lane.estimate },
    }
}

fn gates(gates: &Gates) -> GatesPart {
    GatesPart { draft: Some(gates.drafts), checks: Some(gates.checks.clone()), checklist: Some(gates.checklist) }
}

fn labels(labels: &LabelRules) -> LabelsPart {
    LabelsPart {
        ready: Some(labels.ready.clone()),
        estimate: Some(labels.estimate.clone()),
        priority: Some(labels.priority.clone()),
        skills: Some(labels.skills.clone()),
        area: Some(labels.area.clone()),
        tier: Some(labels.tier.clone()),
        bots: Some(labels.bots.clone()),
    }
}

fn contract(contract: &Contract) -> ContractPart {
    ContractPart {
        setup: contract.setup.clone(),
        test: contract.test.clone(),
        lint: contract.lint.clone(),
        branch: Some(contract.branch.to_string()),
        pr_template: contract.pr_template.clone(),
        ai: Some(contract.ai),
        paths: Some(PathsPart { only: Some(contract.paths.only.clone()), never: Some(contract.paths.never.clone()) }),
        max_diff: contract.max_diff,
        sign_off: Some(contract.sign_off),
        trailers: Some(contract.trailers.clone()),
    }
}
