//! Cooldowns before the next claim: after a maintainer revoked the task, after a lapse, and after several releases in a
//! row.

use super::admission::Case;
use super::worker::{CHURN_COOLDOWN, CHURN_LIMIT};
use super::{Refusal, Rule};

/// Refuses a claim during any cooldown.
pub(super) fn cooldown(case: &Case<'_>) -> Option<Refusal> {
    barred(case).or_else(|| lapsed(case)).or_else(|| churning(case))
}

/// Refuses a task to a contributor from whom a maintainer revoked it lately.
fn barred(case: &Case<'_>) -> Option<Refusal> {
    let (facts, person) = (case.task, &case.worker.person);
    let (_, until) = facts.barred.iter().find(|(barred, until)| barred == person && *until > case.now)?;
    // A task reserved for the contributor stays open to them.
    if facts.task.reserved_at(case.now).is_some_and(|reserved| reserved.person == *person) {
        return None;
    }
    let message = format!(
        "A maintainer took this task from you. You may claim it again after {}, or when a maintainer assigns it to you.",
        until.human()
    );
    Some(Refusal::new(Rule::Cooldown, message).with_retry(Some(*until)))
}

/// Refuses every task to a contributor who let a lease lapse here lately.
fn lapsed(case: &Case<'_>) -> Option<Refusal> {
    let claims = case.repo.policy.claims?;
    let over = case.standing.last_lapse? + claims.cooldown;
    (over > case.now).then(|| {
        Refusal::new(
            Rule::Cooldown,
            format!(
                "Your time for a task here ran out without a pull request; you may claim again after {}.",
                over.human()
            ),
        )
        .with_retry(Some(over))
    })
}

/// Refuses every task to a contributor who released several within an hour.
fn churning(case: &Case<'_>) -> Option<Refusal> {
    let pause = case.repo.policy.claims?.cooldown.min(CHURN_COOLDOWN);
    let over = case.standing.churned_at()? + pause;
    (over > case.now).then(|| {
        let message = format!(
            "You gave back {CHURN_LIMIT} tasks here within an hour; you may claim again after {}.",
            over.human()
        );
        Refusal::new(Rule::Cooldown, message).with_retry(Some(over))
    })
}
