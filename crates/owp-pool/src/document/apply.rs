//! Applies a document to a policy: checks every key, reports all faults at once, and changes nothing if there is one.

use super::fault::{Fault, Faults};
use super::parts::{BudgetPart, ClaimsPart, ContractPart, GatesPart, LabelsPart, LanePart, LeasesPart, TierPart};
use super::{Document, MAX_WARN_BEFORE};
use crate::Span;
use crate::branch::BranchTemplate;
use crate::labels::{LabelRules, NAME_MAX_CHARS, normalise_area};
use crate::policy::{COOLDOWN_MAX, ClaimLimits, Contract, Gates, Lane, Policy, Record, TierRule};
use crate::reputation::Score;
use crate::schedule::Schedule;
use crate::text::is_hidden;

/// Maximum number of entries in a list.
const LIST_MAX: usize = 50;
const COMMAND_MAX_CHARS: usize = 500;
const TEMPLATE_MAX_CHARS: usize = 10_000;
const CHECK_MAX_CHARS: usize = 255;
const PATH_MAX_CHARS: usize = 200;
const TRAILER_MAX_CHARS: usize = 200;
const TRAILERS_MAX: usize = 10;
/// More lines than anybody reviews.
const MAX_DIFF: i64 = 100_000;

/// Upper bound far above GitHub's issue numbers.
const MAX_ISSUE_NUMBER: i64 = 1_000_000_000;

impl Document {
    /// Returns `base` with the settings of this document.
    ///
    /// # Errors
    /// Returns every value out of bounds; `base` stays in force.
    pub fn apply(&self, base: &Policy) -> Result<Policy, Vec<Fault>> {
        let mut policy = base.clone();
        let mut faults = Faults::default();
        if self.version.is_some_and(|version| version != 1) {
            faults.note("version", "must be 1");
        }
        if let Some(budget) = &self.budget {
            budget.apply(&mut policy, &mut faults);
        }
        if let Some(leases) = &self.leases {
            leases.apply(&mut policy, &mut faults);
        }
        if let Some(claims) = &self.claims {
            claims.apply(&mut policy, &mut faults);
        }
        if let Some(locks) = &self.area_locks {
            policy.area_locks = locks.enabled.unwrap_or(policy.area_locks);
            policy.area_until = locks.until.unwrap_or(policy.area_until);
        }
        if let Some(tiers) = &self.tiers {
            for (tier, part) in (1..).zip([&tiers.one, &tiers.two, &tiers.three]) {
                if let Some(part) = part {
                    policy.tiers[tier - 1] = part.rule(tier, &mut faults);
                }
            }
        }
        if let Some(lanes) = &self.lanes {
            policy.lanes = lanes.iter().enumerate().map(|(at, lane)| lane.rule(at, &mut faults)).collect();
        }
        if let Some(gates) = &self.gates {
            gates.apply(&mut policy.gates, &mut faults);
        }
        if let Some(labels) = &self.labels {
            labels.apply(&mut policy.labels, &mut faults);
        }
        if let Some(contract) = &self.contract {
            contract.apply(&mut policy.contract, &mut faults);
        }
        policy.comments = self.comments.unwrap_or(policy.comments);
        if let Some(issue) = self.linking.as_ref().and_then(|linking| linking.issue) {
            let mut number = issue;
            faults.number("linking.issue", Some(issue), 1..=MAX_ISSUE_NUMBER, &mut number);
            policy.link_issue = Some(number);
        }
        if let Some(schedule) = self.pause.as_ref().and_then(|pause| pause.schedule.as_deref()) {
            match Schedule::parse(schedule) {
                Ok(schedule) => policy.pause = Some(schedule),
                Err(why) => faults.note("pause.schedule", why),
            }
        }
        if faults.0.is_empty() { Ok(policy) } else { Err(faults.0) }
    }
}

impl BudgetPart {
    fn apply(&self, policy: &mut Policy, faults: &mut Faults) {
        faults.number("budget.max_open_prs", self.max_open_prs, 0..=100, &mut policy.max_open_prs);
        policy.count = self.count.unwrap_or(policy.count);
        policy.count_drafts = self.drafts.unwrap_or(policy.count_drafts);
    }
}

impl LeasesPart {
    fn apply(&self, policy: &mut Policy, faults: &mut Faults) {
        let (shortest, hour, day) = (policy.shortest, Span::hours(1), Span::days(1));
        faults.span("leases.ttl", self.ttl, shortest.ttl..=Span(30 * day.0), &mut policy.ttl);
        faults.span("leases.claim_ttl", self.claim_ttl, hour..=Span(90 * day.0), &mut policy.claim_ttl);
        faults.span("leases.ack_within", self.ack_within, shortest.ack_within..=hour, &mut policy.ack_within);
        faults.span("leases.max_lifetime", self.max_lifetime, hour..=Span(365 * day.0), &mut policy.max_lifetime);
        let percent = self.warn_before.map(|percent| percent.0);
        faults.number("leases.warn_before", percent, 1..=MAX_WARN_BEFORE, &mut policy.warn_before_percent);
    }
}

impl ClaimsPart {
    fn apply(&self, policy: &mut Policy, faults: &mut Faults) {
        // In a policy without claim limits, naming one brings the others at their defaults.
        let mut claims = policy.claims.unwrap_or(ClaimLimits::DEFAULT);
        faults.number("claims.per_worker", self.per_worker, 1..=20, &mut claims.per_person);
        faults.number("claims.newcomers", self.newcomers, 0..=20, &mut claims.newcomer);
        faults.number("claims.newcomers_total", self.newcomers_total, 0..=100, &mut claims.newcomers_total);
        faults.span("claims.cooldown", self.cooldown, Span(0)..=COOLDOWN_MAX, &mut claims.cooldown);
        claims.join_first = self.join_first.unwrap_or(claims.join_first);
        policy.claims = Some(claims);
    }
}

impl TierPart {
    /// Builds the rule of tier `tier` from this part.
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
        let allow = self.allow.as_deref().unwrap_or_default();
        TierRule {
            trust,
            record: named.then_some(Record { merged, reputation }),
            allow: faults.list(&key("allow"), allow, LIST_MAX, login_or_team),
        }
    }
}

impl LanePart {
    fn rule(&self, at: usize, faults: &mut Faults) -> Lane {
        let key = |name: &str| format!("lanes.{at}.{name}");
        let mut within = |name: &str, asked: Option<i64>, bounds| {
            let mut value = 0;
            faults.number(&key(name), asked, bounds, &mut value);
            asked.map(|_| value)
        };
        let trust = within("for.trust", self.who.trust, 0..=3);
        let tier = within("allow.tier", self.allow.tier, 0..=3);
        let estimate = within("allow.estimate", self.allow.estimate, 1..=100);
        let area = |text: &str| normalise_area(text).ok_or_else(|| "is not the name of an area".to_owned());
        let areas = self.allow.areas.as_ref().map(|areas| faults.list(&key("allow.areas"), areas, LIST_MAX, area));
        let newcomers = self.who.newcomers.unwrap_or(false);
        if trust.is_none() && !newcomers {
            faults.note(key("for"), "must name whom the lane is for: `trust`, or `newcomers: true`");
        }
        Lane { trust, newcomers, areas, tier, estimate }
    }
}

impl GatesPart {
    fn apply(&self, gates: &mut Gates, faults: &mut Faults) {
        gates.drafts = self.draft.unwrap_or(gates.drafts);
        gates.checklist = self.checklist.unwrap_or(gates.checklist);
        if let Some(checks) = &self.checks {
            gates.checks = faults.list("gates.checks", checks, LIST_MAX, |name| one_line(name, CHECK_MAX_CHARS));
        }
    }
}

impl LabelsPart {
    fn apply(&self, labels: &mut LabelRules, faults: &mut Faults) {
        if let Some(ready) = &self.ready {
            match one_line(ready, NAME_MAX_CHARS) {
                Ok(ready) => labels.ready = ready,
                Err(why) => faults.note("labels.ready", why),
            }
        }
        for (name, asked, words) in [
            ("estimate", &self.estimate, &mut labels.estimate),
            ("priority", &self.priority, &mut labels.priority),
            ("skills", &self.skills, &mut labels.skills),
            ("area", &self.area, &mut labels.area),
            ("tier", &self.tier, &mut labels.tier),
        ] {
            if let Some(asked) = asked {
                let word = |text: &str| one_line(text, NAME_MAX_CHARS);
                *words = faults.list(&format!("labels.{name}"), asked, LIST_MAX, word);
            }
        }
        if let Some(bots) = &self.bots {
            labels.bots = faults.list("labels.bots", bots, LIST_MAX, login);
        }
    }
}

impl ContractPart {
    fn apply(&self, contract: &mut Contract, faults: &mut Faults) {
        for (name, asked, words) in [
            ("setup", &self.setup, &mut contract.setup),
            ("test", &self.test, &mut contract.test),
            ("lint", &self.lint, &mut contract.lint),
        ] {
            match asked.as_deref().map(|text| one_line(text.trim(), COMMAND_MAX_CHARS)) {
                Some(Ok(text)) => *words = Some(text),
                Some(Err(why)) => faults.note(format!("contract.{name}"), why),
                None => {}
            }
        }
        match self.branch.as_deref().map(BranchTemplate::parse) {
            Some(Ok(branch)) => contract.branch = branch,
            Some(Err(why)) => faults.note("contract.branch", why),
            None => {}
        }
        match &self.pr_template {
            Some(text) if text.chars().count() > TEMPLATE_MAX_CHARS => {
                faults.note("contract.pr_template", format!("must have at most {TEMPLATE_MAX_CHARS} characters"));
            }
            Some(text) => contract.pr_template = Some(text.clone()).filter(|text| !text.trim().is_empty()),
            None => {}
        }
        contract.ai = self.ai.unwrap_or(contract.ai);
        contract.sign_off = self.sign_off.unwrap_or(contract.sign_off);
        if let Some(paths) = &self.paths {
            for (name, asked, rules) in
                [("only", &paths.only, &mut contract.paths.only), ("never", &paths.never, &mut contract.paths.never)]
            {
                if let Some(asked) = asked {
                    *rules = faults.list(&format!("contract.paths.{name}"), asked, LIST_MAX, path_pattern);
                }
            }
        }
        if self.max_diff.is_some() {
            let mut lines = 0;
            faults.number("contract.max_diff", self.max_diff, 1..=MAX_DIFF, &mut lines);
            contract.max_diff = Some(lines);
        }
        if let Some(trailers) = &self.trailers {
            contract.trailers = faults.list("contract.trailers", trailers, TRAILERS_MAX, trailer);
        }
    }
}

/// Checks a pattern of paths within a repository.
fn path_pattern(text: &str) -> Result<String, String> {
    let text = one_line(text, PATH_MAX_CHARS)?;
    let is_inside = !text.starts_with('/') && !text.contains('\\') && text.split('/').all(|part| part != "..");
    is_inside.then_some(text).ok_or_else(|| {
        "must be a path within the repository, such as `src/**`, without `..`, `\\` or a leading `/`".to_owned()
    })
}

/// Checks a trailer of commits: `Key: value`, with the placeholders `{tool}`, `{version}` and `{task}`.
fn trailer(text: &str) -> Result<String, String> {
    let text = one_line(text, TRAILER_MAX_CHARS)?;
    let key = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let Some((_, value)) = text.split_once(": ").filter(|(name, value)| key(name) && !value.trim().is_empty()) else {
        return Err("must be a trailer, such as `Assisted-by: {tool} {version}`".to_owned());
    };
    let known = ["{tool}", "{version}", "{task}"].iter().fold(value.to_owned(), |rest, name| rest.replace(name, ""));
    if known.contains(['{', '}']) {
        return Err("may have the placeholders `{tool}`, `{version}` and `{task}`, and no other braces".to_owned());
    }
    Ok(text)
}

fn one_line(text: &str, most: usize) -> Result<String, String> {
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || is_hidden(c));
    fits.then(|| text.to_owned()).ok_or_else(|| format!("must be one line of 1 to {most} visible characters"))
}

fn login(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let name = text.strip_suffix("[bot]").unwrap_or(text);
    let fits = (1..=100).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !name.starts_with('-');
    fits.then(|| text.to_lowercase()).ok_or_else(|| "is not a GitHub login such as `octocat`".to_owned())
}

fn login_or_team(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('@').unwrap_or(text);
    let Some((organisation, team)) = bare.split_once('/') else { return login(bare) };
    let slug = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match login(organisation) {
        Ok(organisation) if (1..=100).contains(&team.len()) && team.chars().all(slug) => {
            Ok(format!("{organisation}/{}", team.to_lowercase()))
        }
        _ => Err("is neither a login such as `octocat` nor a team such as `org/core`".to_owned()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller checked that it is from 0 to 1")]
fn score(share: f64) -> Score {
    Score((share * 1000.0).round() as i64)
}
