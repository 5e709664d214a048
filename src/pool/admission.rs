//! Admission: may this worker take this task now?
//!
//! A conjunction of named rules. Each looks at the same [`Case`] and either is satisfied or gives one refusal; all
//! refusals are given, not only the first. The planner, the commit, `why` and every comment use this list and no
//! other (invariants 2, 4, 5 and 12).

use super::budget::Budget;
use super::policy::{Policy, Record};
use super::task::{Task, TaskState};
use super::worker::{Load, Standing, Worker, WorkerStatus};
use super::{Refusal, RepoId, Rule, Timestamp, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

/// Who holds something, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// A login or a worker's name.
    pub name: String,
    /// When the lease runs out, while a clock runs.
    pub until: Option<Timestamp>,
}

/// A repository as admission sees it.
#[derive(Debug, Clone)]
pub struct RepoFacts {
    /// Its id.
    pub id: RepoId,
    /// `owner/name`.
    pub name: String,
    /// True when only people with a proven GitHub identity are served: always where the App is installed.
    pub linked_only: bool,
    /// Why it is not served at the moment, when it is not.
    pub inactive: Option<String>,
    /// When that ends by itself, when it does.
    pub inactive_until: Option<Timestamp>,
    /// Its rules.
    pub policy: Policy,
    /// Its slots.
    pub budget: Budget,
    /// Which areas are held, by whom.
    pub areas: BTreeMap<String, Holder>,
    /// Who holds the live leases of people without a merged task here: one entry for each lease, the first to run out
    /// first. Empty where claims are not limited.
    pub newcomers: Vec<Holder>,
}

/// A task as admission sees it.
#[derive(Debug, Clone)]
pub struct TaskFacts {
    /// The task.
    pub task: Task,
    /// Who holds it, when somebody does.
    pub holder: Option<Holder>,
    /// The login of the person it is reserved for, when that is known.
    pub reserved_for: Option<String>,
    /// An open pull request that names it.
    pub open_pull: Option<i64>,
    /// Who declined it lately, and until when it is not offered to them again.
    pub declined: Vec<(WorkerId, Timestamp)>,
}

/// One question: this worker, this task, now.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The task.
    pub task: &'a TaskFacts,
    /// Its repository.
    pub repo: &'a RepoFacts,
    /// Who asks.
    pub worker: &'a Worker,
    /// What they hold already.
    pub load: Load,
    /// How their person stands in the repository.
    pub standing: &'a Standing,
    /// When.
    pub now: Timestamp,
}

type Check = fn(&Case<'_>) -> Option<Refusal>;

const RULES: [(Rule, Check); 20] = [
    (Rule::TaskState, task_state),
    (Rule::Approval, approval),
    (Rule::Reservation, reservation),
    (Rule::OpenPull, open_pull),
    (Rule::RepoActive, repo_active),
    (Rule::CountKnown, count_known),
    (Rule::Budget, budget),
    (Rule::AreaLock, area_lock),
    (Rule::WorkerStatus, worker_status),
    (Rule::Linked, linked),
    (Rule::Human, human),
    (Rule::Banned, banned),
    (Rule::Skills, skills),
    (Rule::Tier, tier),
    (Rule::Capacity, capacity),
    (Rule::Concurrency, concurrency),
    (Rule::PersonCap, person_cap),
    (Rule::NewcomersTotal, newcomers_total),
    (Rule::Cooldown, cooldown),
    (Rule::Declined, declined),
];

/// What one rule says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Why not; `None` when it holds.
    pub refusal: Option<Refusal>,
}

/// What every rule says, in a fixed order.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    RULES.iter().map(|(rule, check)| Finding { rule: *rule, refusal: check(case) }).collect()
}

/// Every reason why not, in a fixed order; empty means yes.
#[must_use]
pub fn refusals(case: &Case<'_>) -> Vec<Refusal> {
    RULES.iter().filter_map(|(_, check)| check(case)).collect()
}

/// True when no rule objects.
#[must_use]
pub fn admits(case: &Case<'_>) -> bool {
    RULES.iter().all(|(_, check)| check(case).is_none())
}

fn task_state(case: &Case<'_>) -> Option<Refusal> {
    let task = &case.task.task;
    let message = match task.state {
        TaskState::Ready => return None,
        TaskState::Blocked if task.reserved_at(case.now).is_some_and(|r| r.person == case.worker.person) => {
            return None;
        }
        TaskState::Blocked => "The task is blocked; a maintainer can say `/owp unblock`.",
        TaskState::Leased | TaskState::InProgress if task.last_holder.as_ref() == Some(&case.worker.person) => {
            "You hold this task already."
        }
        TaskState::Leased | TaskState::InProgress => "The task is taken; it is free again if the lease ends.",
        TaskState::PrOpened => "A pull request already answers the task.",
        TaskState::Merged => "The task is done.",
        TaskState::Closed => "The task is closed.",
    };
    let holder = case.task.holder.as_ref();
    Some(
        Refusal::new(Rule::TaskState, message)
            .with_limit(task.state.name(), TaskState::Ready.name())
            .with_holder(holder.map(|h| h.name.clone()))
            .with_retry(holder.and_then(|h| h.until)),
    )
}

fn approval(case: &Case<'_>) -> Option<Refusal> {
    let why = case.task.task.hold.as_deref()?;
    Some(Refusal::new(
        Rule::Approval,
        format!("The task waits for a maintainer: {why}. They set the label again or say `/owp approve`."),
    ))
}

fn reservation(case: &Case<'_>) -> Option<Refusal> {
    let reserved = case.task.task.reserved_at(case.now)?;
    if reserved.person == case.worker.person {
        return None;
    }
    Some(
        Refusal::new(Rule::Reservation, "Somebody else has first refusal on the task.")
            .with_holder(case.task.reserved_for.clone())
            .with_retry(Some(reserved.until)),
    )
}

fn open_pull(case: &Case<'_>) -> Option<Refusal> {
    // In any other state the state rule says it already.
    if case.task.task.state != TaskState::Ready {
        return None;
    }
    let number = case.task.open_pull?;
    Some(Refusal::new(
        Rule::OpenPull,
        format!("Pull request #{number} is open and names the issue; the task is free again when it is closed."),
    ))
}

/// Why nothing is handed out in a repository at the moment, whoever asks for whatever; empty when something may be.
#[must_use]
pub fn repo_refusals(repo: &RepoFacts) -> Vec<Refusal> {
    [inactive(repo), repo.budget.count_refusal(), repo.budget.full_refusal()].into_iter().flatten().collect()
}

fn inactive(repo: &RepoFacts) -> Option<Refusal> {
    let why = repo.inactive.as_deref()?;
    let words = format!("{} is not served at the moment: {why}.", repo.name);
    Some(Refusal::new(Rule::RepoActive, words).with_retry(repo.inactive_until))
}

fn repo_active(case: &Case<'_>) -> Option<Refusal> {
    inactive(case.repo)
}

fn count_known(case: &Case<'_>) -> Option<Refusal> {
    case.repo.budget.count_refusal()
}

fn budget(case: &Case<'_>) -> Option<Refusal> {
    case.repo.budget.full_refusal()
}

fn area_lock(case: &Case<'_>) -> Option<Refusal> {
    if !case.repo.policy.area_locks {
        return None;
    }
    let area = case.task.task.spec.area.as_deref()?;
    let holder = case.repo.areas.get(area)?;
    Some(
        Refusal::new(Rule::AreaLock, format!("The area `{area}` is taken, and it has one holder at a time."))
            .with_limit(1, 1)
            .with_holder(Some(holder.name.clone()))
            .with_retry(holder.until),
    )
}

fn worker_status(case: &Case<'_>) -> Option<Refusal> {
    if case.worker.revoked {
        return Some(Refusal::new(Rule::WorkerStatus, "The worker's access was taken away; register a new one."));
    }
    (case.worker.status == WorkerStatus::Paused).then(|| {
        Refusal::new(Rule::WorkerStatus, "The worker is paused; a heartbeat with status `idle` ends that.")
            .with_limit("paused", "idle or working")
    })
}

fn linked(case: &Case<'_>) -> Option<Refusal> {
    (case.repo.linked_only && !case.worker.person.is_linked()).then(|| {
        Refusal::new(
            Rule::Linked,
            "The worker is not linked to a GitHub identity; register with `github_handle` and comment `/owp link CODE` on any pool issue.",
        )
    })
}

fn human(case: &Case<'_>) -> Option<Refusal> {
    case.worker.is_bot.then(|| Refusal::new(Rule::Human, "Only people can claim tasks; this account is a bot."))
}

fn banned(case: &Case<'_>) -> Option<Refusal> {
    case.standing
        .is_banned()
        .then(|| Refusal::new(Rule::Banned, "A maintainer of this repository has banned this account from its pool."))
}

fn skills(case: &Case<'_>) -> Option<Refusal> {
    let missing: Vec<_> = case
        .task
        .task
        .spec
        .skills
        .iter()
        .filter(|skill| !case.worker.skills.contains(skill))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let has = if case.worker.skills.is_empty() { "none".to_owned() } else { case.worker.skills.join(", ") };
    Some(
        Refusal::new(
            Rule::Skills,
            format!(
                "The task asks for {}; say `/owp join skills:{}` if you have {}.",
                missing.join(", "),
                missing.join(","),
                if missing.len() == 1 { "it" } else { "them" }
            ),
        )
        .with_limit(has, case.task.task.spec.skills.join(", ")),
    )
}

fn tier(case: &Case<'_>) -> Option<Refusal> {
    let tier = case.task.task.spec.tier;
    let rule = case.repo.policy.tier(tier)?;
    let standing = case.standing;
    let by_record = |record: &Record| {
        let score = standing.reputation.as_ref().map(|reputation| reputation.score);
        standing.merged >= record.merged && score >= Some(record.reputation)
    };
    if standing.trust >= rule.trust || rule.record.as_ref().is_some_and(by_record) {
        return None;
    }
    let mut message = format!(
        "The task is of risk tier {tier}; a maintainer can say `/owp trust @{} {}`",
        case.worker.shown_as(),
        rule.trust
    );
    let (mut value, mut limit) = (format!("trust {}", standing.trust), format!("trust {}", rule.trust));
    if let Some(Record { merged, reputation }) = rule.record {
        match &standing.reputation {
            Some(own) => {
                message.push_str(&format!(", or it opens with your record here: {}", own.reasons()));
                value.push_str(&format!(", {} merged, reputation {}", standing.merged, own.score));
            }
            None => {
                message.push_str(
                    ", or your record here can open it once you ask for a score with `/owp join reputation:on`",
                );
                value.push_str(&format!(", {} merged, no score", standing.merged));
            }
        }
        limit.push_str(&format!(", or {merged} merged and reputation {reputation}"));
    }
    Some(Refusal::new(Rule::Tier, format!("{message}.")).with_limit(value, limit))
}

fn capacity(case: &Case<'_>) -> Option<Refusal> {
    let wanted = case.load.points + case.task.task.spec.estimate;
    (wanted > case.worker.capacity).then(|| {
        Refusal::new(
            Rule::Capacity,
            format!(
                "The task's {} points do not fit: {} of the {} points you take on at once are in use. `/owp join capacity:N`, or the client, sets how many those are.",
                case.task.task.spec.estimate, case.load.points, case.worker.capacity
            ),
        )
        .with_limit(wanted, case.worker.capacity)
    })
}

fn concurrency(case: &Case<'_>) -> Option<Refusal> {
    (case.load.leases >= case.worker.max_concurrent).then(|| {
        Refusal::new(Rule::Concurrency, "You hold as many tasks as you said you take on at once. `/owp join concurrent:N`, or the client, sets how many those are.")
            .with_limit(case.load.leases, case.worker.max_concurrent)
    })
}

/// How many more claims the person may hold in the repository; `None` where that is not limited.
#[must_use]
pub fn claims_left(policy: &Policy, standing: &Standing) -> Option<i64> {
    claim_limit(policy, standing).map(|limit| limit.saturating_sub(standing.live))
}

fn claim_limit(policy: &Policy, standing: &Standing) -> Option<i64> {
    let claims = policy.claims?;
    Some(if standing.is_newcomer() { claims.newcomer.min(claims.per_person) } else { claims.per_person })
}

fn person_cap(case: &Case<'_>) -> Option<Refusal> {
    let limit = claim_limit(&case.repo.policy, case.standing)?;
    let newcomer = case.standing.is_newcomer();
    if case.standing.live < limit {
        return None;
    }
    let message = if newcomer {
        "Until your first pull request is merged here you can hold one task at a time. Tasks under review do not count."
    } else {
        "That is as many claims as one person may hold here. Tasks under review and blocked ones do not count."
    };
    Some(Refusal::new(Rule::PersonCap, message).with_limit(case.standing.live, limit))
}

/// How many more claims newcomers may hold in the repository, all of them together; `None` where that is not limited.
#[must_use]
pub fn newcomers_left(repo: &RepoFacts) -> Option<i64> {
    let held = i64::try_from(repo.newcomers.len()).unwrap_or(i64::MAX);
    repo.policy.claims.map(|claims| claims.newcomers_total.saturating_sub(held))
}

fn newcomers_total(case: &Case<'_>) -> Option<Refusal> {
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
            "People whose first pull request is not merged here yet share these claims. Tasks under review do not count.",
        )
        .with_limit(holders.len(), claims.newcomers_total)
        .with_holder(Some(names).filter(|names| !names.is_empty()))
        .with_retry(holders.iter().filter_map(|holder| holder.until).min()),
    )
}

fn cooldown(case: &Case<'_>) -> Option<Refusal> {
    let claims = case.repo.policy.claims?;
    let over = case.standing.last_lapse? + claims.cooldown;
    (over > case.now).then(|| {
        Refusal::new(Rule::Cooldown, format!("A lease of yours lapsed here; the next claim waits {}.", claims.cooldown))
            .with_retry(Some(over))
    })
}

fn declined(case: &Case<'_>) -> Option<Refusal> {
    let (_, until) =
        case.task.declined.iter().find(|(worker, until)| *worker == case.worker.id && *until > case.now)?;
    Some(
        Refusal::new(
            Rule::Declined,
            "Your worker declined this task, gave it back or lost it a short while ago; others are asked first.",
        )
        .with_retry(Some(*until)),
    )
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
