//! Claim quotas: limits on the tasks one contributor may hold, and the admission rules that enforce them.

use super::admission::{Case, RepoFacts};
use super::policy::Policy;
use super::worker::Standing;
use super::{Refusal, Rule};
use std::collections::BTreeSet;

/// Returns how many tasks of a repository a contributor may hold, with (`seasoned`) or without a merged task there;
/// `i64::MAX` where claims are not limited.
#[must_use]
pub fn quota(policy: &Policy, seasoned: bool) -> i64 {
    policy.claims.map_or(i64::MAX, |claims| if seasoned { claims.per_person } else { claims.newcomer })
}

/// Returns the policy's claim quota over all repositories, and how much of it the contributor has left; `None` without
/// a limit.
#[must_use]
pub fn claims_left(policy: &Policy, standing: &Standing) -> Option<(i64, i64)> {
    let claims = policy.claims?;
    Some((claims.per_person, claims.per_person.saturating_sub(standing.live_everywhere)))
}

/// Returns the claims a newcomer has left in the repository; `None` without a limit and for everybody else.
#[must_use]
pub fn claims_left_here(policy: &Policy, standing: &Standing) -> Option<i64> {
    let claims = policy.claims.filter(|_| standing.is_newcomer())?;
    Some(claims.newcomer.saturating_sub(standing.live))
}

pub(super) fn person_cap(case: &Case<'_>) -> Option<Refusal> {
    let (claims, standing) = (case.repo.policy.claims?, case.standing);
    if standing.is_newcomer() && standing.live >= claims.newcomer {
        let most = match claims.newcomer {
            0 => "no task yet".to_owned(),
            1 => "one task at a time".to_owned(),
            many => format!("{many} tasks at a time"),
        };
        let message = format!(
            "Until your first pull request is merged here you can hold {most}. Tasks under review and blocked tasks do not count."
        );
        return Some(Refusal::new(Rule::PersonCap, message).with_limit(standing.live, claims.newcomer));
    }
    (standing.live_everywhere >= claims.per_person).then(|| {
        let message = "You hold as many tasks as one contributor may hold, here and elsewhere. Tasks under review and blocked tasks do not count.";
        Refusal::new(Rule::PersonCap, message).with_limit(standing.live_everywhere, claims.per_person)
    })
}

/// Returns the claims left to all newcomers of the repository together; `None` without a limit.
#[must_use]
pub fn newcomers_left(repo: &RepoFacts) -> Option<i64> {
    let held = i64::try_from(repo.newcomers.len()).unwrap_or(i64::MAX);
    repo.policy.claims.map(|claims| claims.newcomers_total.saturating_sub(held))
}

pub(super) fn newcomers_total(case: &Case<'_>) -> Option<Refusal> {
    let claims = case.repo.policy.claims?;
    let holders = &case.repo.newcomers;
    if !case.standing.is_newcomer() || newcomers_left(case.repo)? > 0 {
        return None;
    }
    let names: BTreeSet<&str> = holders.iter().map(|holder| holder.name.as_str()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(" and ");
    Some(
        Refusal::new(
            Rule::NewcomersTotal,
            "Contributors without a merged pull request here share a limit, and it is reached. Tasks under review and blocked tasks do not count.",
        )
        .with_limit(holders.len(), claims.newcomers_total)
        .with_holder(Some(names).filter(|names| !names.is_empty()))
        .with_retry(holders.iter().filter_map(|holder| holder.until).min()),
    )
}
