//! Admission: decides whether a worker may take a task now.
//!
//! Admission is a conjunction of named rules. Each rule checks the same [`Case`] and passes or returns one refusal; all
//! refusals are returned, not only the first. The planner, the commit, `why` and every comment use this list and no
//! other (invariants 2, 4, 5 and 12).

use super::budget::Budget;
use super::claims::{newcomers_total, person_cap};
use super::policy::{Lane, Policy, Record};
use super::slots::NamingPull;
use super::task::{Task, TaskState};
use super::worker::{Load, Standing, Worker, WorkerStatus};
use super::{Person, Refusal, RepoId, Rule, Timestamp, WorkerId, cooldown};
use owp_plants::{Plant, is_planted};
use std::collections::{BTreeMap, BTreeSet};

/// Holder of a task or an area, with the deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// A login or a worker's name.
    pub name: String,
    /// Expiry of the lease, while it runs.
    pub until: Option<Timestamp>,
}

/// Reason a repository is not served, apart from its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inactivity {
    /// The reason, in words that follow "because" without containing it.
    pub why: String,
    /// Time at which it ends by itself, if it does.
    pub until: Option<Timestamp>,
}

/// A repository as admission sees it.
#[derive(Debug, Clone)]
pub struct RepoFacts {
    /// Its id.
    pub id: RepoId,
    /// `owner/name`.
    pub name: String,
    /// True when only contributors with a linked GitHub identity are served; always so in GitHub repositories.
    pub linked_only: bool,
    /// True when only contributors who may read it are served.
    pub private: bool,
    /// Reason it is not served at the moment, if any.
    pub stop: Option<Inactivity>,
    /// Its policy.
    pub policy: Policy,
    /// Its review budget.
    pub budget: Budget,
    /// Locked areas with their holders.
    pub areas: BTreeMap<String, Holder>,
    /// Holders of the live leases of contributors without a merged task here: one entry per lease, earliest expiry
    /// first. Empty where claims are not limited.
    pub newcomers: Vec<Holder>,
    /// GitHub user ids for the names on the policy's lists, by name in lower case.
    pub allowed: BTreeMap<String, BTreeSet<i64>>,
}

/// A task as admission sees it.
#[derive(Debug, Clone)]
pub struct TaskFacts {
    /// The task.
    pub task: Task,
    /// Its holder, if any.
    pub holder: Option<Holder>,
    /// Login of the contributor it is reserved for, when known.
    pub reserved_for: Option<String>,
    /// Open pull requests that name it, oldest first.
    pub answers: Vec<NamingPull>,
    /// Workers that declined it lately, with the time from which it is offered to them again.
    pub declined: Vec<(WorkerId, Timestamp)>,
    /// Contributors from whom a maintainer revoked it lately, with the time from which they may claim it again.
    pub barred: Vec<(Person, Timestamp)>,
}

/// One admission question: this worker, this task, now.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The task.
    pub task: &'a TaskFacts,
    /// Its repository.
    pub repo: &'a RepoFacts,
    /// The worker that asks.
    pub worker: &'a Worker,
    /// Its current load.
    pub load: Load,
    /// Its contributor's standing in the repository.
    pub standing: &'a Standing,
    /// Current time.
    pub now: Timestamp,
}

type Check = fn(&Case<'_>) -> Option<Refusal>;

const RULES: [(Rule, Check); 24] = [
    (Rule::TaskState, task_state),
    (Rule::Approval, approval),
    (Rule::Reservation, reservation),
    (Rule::Assigned, assigned),
    (Rule::OpenPull, open_pull),
    (Rule::RepoActive, repo_active),
    (Rule::CountKnown, count_known),
    (Rule::Budget, budget),
    (Rule::AreaLock, area_lock),
    (Rule::WorkerStatus, worker_status),
    (Rule::Linked, linked),
    (Rule::Human, human),
    (Rule::Visibility, visibility),
    (Rule::Banned, banned),
    (Rule::JoinFirst, join_first),
    (Rule::Skills, skills),
    (Rule::Tier, tier),
    (Rule::Lane, lane),
    (Rule::Capacity, capacity),
    (Rule::Concurrency, concurrency),
    (Rule::PersonCap, person_cap),
    (Rule::NewcomersTotal, newcomers_total),
    (Rule::Cooldown, cooldown::cooldown),
    (Rule::Declined, declined),
];

/// Returns true for a rule that a planted bug leaves out.
fn is_forgotten(rule: Rule) -> bool {
    let plant = match rule {
        Rule::Approval => Plant::ApprovalRuleForgotten,
        Rule::Reservation => Plant::ReservationRuleForgotten,
        Rule::Banned => Plant::BanRuleForgotten,
        Rule::Skills => Plant::SkillRuleForgotten,
        Rule::Tier => Plant::TierRuleForgotten,
        Rule::Capacity => Plant::CapacityRuleForgotten,
        Rule::Concurrency => Plant::ConcurrencyRuleForgotten,
        Rule::RepoActive => Plant::PauseRuleForgotten,
        _ => return false,
    };
    is_planted(plant)
}

/// Result of one rule for a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The refusal; `None` when the rule holds.
    pub refusal: Option<Refusal>,
}

/// Checks every rule, in a fixed order.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let refusal = |rule: Rule, check: Check| if is_forgotten(rule) { None } else { check(case) };
    RULES.iter().map(|(rule, check)| Finding { rule: *rule, refusal: refusal(*rule, *check) }).collect()
}

/// Returns every refusal, in a fixed order; empty when the case is admitted.
#[must_use]
pub fn refusals(case: &Case<'_>) -> Vec<Refusal> {
    RULES.iter().filter(|(rule, _)| !is_forgotten(*rule)).filter_map(|(_, check)| check(case)).collect()
}

/// Returns true when every rule holds.
#[must_use]
pub fn admits(case: &Case<'_>) -> bool {
    RULES.iter().all(|(rule, check)| is_forgotten(*rule) || check(case).is_none())
}

fn task_state(case: &Case<'_>) -> Option<Refusal> {
    let task = &case.task.task;
    let holder = case.task.holder.as_ref();
    let refuse = |message: String| {
        Some(Refusal::new(Rule::TaskState, message).with_limit(task.state.name(), TaskState::Ready.name()))
    };
    let message = match task.state {
        TaskState::Ready => {
            let withheld = task.withheld.as_ref()?;
            let retry = withheld.until.filter(|until| *until > case.now);
            return Some(Refusal::new(Rule::TaskState, withheld.why.clone()).with_retry(retry));
        }
        TaskState::Blocked if task.reserved_at(case.now).is_some_and(|r| r.person == case.worker.person) => {
            return None;
        }
        TaskState::Blocked => "The task is blocked; a maintainer can comment `/owp unblock`.",
        TaskState::Leased | TaskState::InProgress if task.last_holder.as_ref() == Some(&case.worker.person) => {
            let until = holder.and_then(|h| h.until).map(|at| format!(", until {}", at.human())).unwrap_or_default();
            return refuse(format!("You hold this task already{until}."));
        }
        TaskState::Leased | TaskState::InProgress => "The task is taken; it is free again when the lease ends.",
        TaskState::PrOpened => "A pull request already answers the task.",
        TaskState::Merged => "The task is done.",
        TaskState::Closed => {
            "The task is closed: its issue is closed or left the pool. Reopen the issue and set the pool's label to make it a task again."
        }
    };
    refuse(message.to_owned())
        .map(|refusal| refusal.with_holder(holder.map(|h| h.name.clone())).with_retry(holder.and_then(|h| h.until)))
}

fn approval(case: &Case<'_>) -> Option<Refusal> {
    let why = case.task.task.hold.as_deref()?;
    Some(Refusal::new(
        Rule::Approval,
        format!(
            "The task waits for a maintainer: {why}. A maintainer can approve it with `/owp approve`, or by setting the label again."
        ),
    ))
}

fn reservation(case: &Case<'_>) -> Option<Refusal> {
    let reserved = case.task.task.reserved_at(case.now)?;
    if reserved.person == case.worker.person {
        return None;
    }
    let whom = case.task.reserved_for.as_deref().unwrap_or("another contributor");
    Some(
        Refusal::new(Rule::Reservation, format!("The task is reserved for {whom} until {}.", reserved.until.human()))
            .with_holder(case.task.reserved_for.clone())
            .with_retry(Some(reserved.until)),
    )
}

fn assigned(case: &Case<'_>) -> Option<Refusal> {
    let people = &case.task.task.assigned_to;
    if people.is_empty() || people.iter().any(|one| Person::GitHub(one.id) == case.worker.person) {
        return None;
    }
    let names: Vec<&str> = people.iter().map(|one| one.login.as_str()).collect();
    let names = names.join(" and ");
    Some(
        Refusal::new(
            Rule::Assigned,
            format!("The issue is assigned to {names} on GitHub; the task is free when nobody is assigned."),
        )
        .with_holder(Some(names)),
    )
}

fn open_pull(case: &Case<'_>) -> Option<Refusal> {
    // In any other state the state rule refuses already.
    if case.task.task.state != TaskState::Ready {
        return None;
    }
    // The pull request's author may claim the task, and so may those who declared the author as their agent.
    let NamingPull { number, login, .. } =
        case.task.answers.iter().find(|answer| answer.keeps && !answer.people.contains(&case.worker.person))?;
    Some(Refusal::new(
        Rule::OpenPull,
        format!(
            "Pull request #{number} by {login} is open and names the issue; the task is free again when it is closed."
        ),
    ))
}

/// Returns the refusals that apply to every worker and task of a repository; empty when grants are possible.
#[must_use]
pub fn repo_refusals(name: &str, stop: Option<&Inactivity>, budget: &Budget) -> Vec<Refusal> {
    let stopped = stop.map(|stop| inactive(name, stop));
    [stopped, budget.count_refusal(), budget.full_refusal()].into_iter().flatten().collect()
}

fn inactive(name: &str, Inactivity { why, until }: &Inactivity) -> Refusal {
    let words = format!("{name} hands out nothing at the moment: {why}.");
    Refusal::new(Rule::RepoActive, words).with_retry(*until)
}

fn repo_active(case: &Case<'_>) -> Option<Refusal> {
    case.repo.stop.as_ref().map(|stop| inactive(&case.repo.name, stop))
}

fn count_known(case: &Case<'_>) -> Option<Refusal> {
    case.repo.budget.count_refusal()
}

fn budget(case: &Case<'_>) -> Option<Refusal> {
    // A counting pull request of the contributor for this task already has the slot, so the lease takes none.
    let own = |answer: &NamingPull| answer.counts && answer.people.contains(&case.worker.person);
    if case.repo.budget.limit > 0 && case.task.answers.iter().any(own) {
        return None;
    }
    case.repo.budget.full_refusal()
}

fn area_lock(case: &Case<'_>) -> Option<Refusal> {
    if !case.repo.policy.area_locks {
        return None;
    }
    let area = case.task.task.spec.area.as_deref()?;
    let holder = case.repo.areas.get(area)?;
    Some(
        Refusal::new(Rule::AreaLock, format!("The area `{area}` is locked: it has one holder at a time."))
            .with_limit(1, 1)
            .with_holder(Some(holder.name.clone()))
            .with_retry(holder.until),
    )
}

fn worker_status(case: &Case<'_>) -> Option<Refusal> {
    if case.worker.revoked {
        return Some(Refusal::new(Rule::WorkerStatus, "The worker's access was revoked; register a new worker."));
    }
    (case.worker.status == WorkerStatus::Paused).then(|| {
        Refusal::new(
            Rule::WorkerStatus,
            "The worker is paused. Run `owp worker resume`, or set `paused` to false with `PATCH /v1/workers/me`.",
        )
        .with_limit("paused", "idle or working")
    })
}

fn linked(case: &Case<'_>) -> Option<Refusal> {
    (case.repo.linked_only && !case.worker.person.is_linked()).then(|| {
        Refusal::new(
            Rule::Linked,
            "The worker is not linked to a GitHub account. Run `owp worker link` for a code, then comment `/owp link CODE` on an issue you take part in.",
        )
    })
}

fn human(case: &Case<'_>) -> Option<Refusal> {
    case.worker.is_bot.then(|| Refusal::new(Rule::Human, "Only people can claim tasks; this account is a bot."))
}

fn visibility(case: &Case<'_>) -> Option<Refusal> {
    (case.repo.private && !case.standing.reads).then(|| {
        Refusal::new(
            Rule::Visibility,
            "The repository is private, and GitHub has not confirmed recently that you may read it. The pool asks again within ten minutes.",
        )
    })
}

fn join_first(case: &Case<'_>) -> Option<Refusal> {
    let asks = case.repo.policy.claims.is_some_and(|claims| claims.join_first);
    (asks && !case.worker.joined).then(|| {
        Refusal::new(
            Rule::JoinFirst,
            "This repository asks contributors to introduce themselves first: comment `/owp join skills:a,b` with the skills you have.",
        )
    })
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
                "This task needs the skill{} {}. If you have {}, add {}: comment `/owp join skills:{}`, or run `owp worker set --add-skill {}`.",
                if missing.len() == 1 { "" } else { "s" },
                missing.iter().map(|skill| format!("`{skill}`")).collect::<Vec<_>>().join(", "),
                if missing.len() == 1 { "it" } else { "them" },
                if missing.len() == 1 { "it" } else { "them" },
                case.worker.skills.iter().map(String::as_str).chain(missing.iter().copied()).collect::<Vec<_>>().join(","),
                missing.join(",")
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
    let by_name = || {
        let Person::GitHub(id) = &case.worker.person else { return false };
        rule.allow.iter().any(|name| case.repo.allowed.get(name).is_some_and(|ids| ids.contains(id)))
    };
    if standing.trust >= rule.trust || rule.record.as_ref().is_some_and(by_record) || by_name() {
        return None;
    }
    let mut message = format!(
        "The task is of risk tier {tier}; a maintainer can comment `/owp trust @{} {}`",
        case.worker.display_name(),
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
    if !rule.allow.is_empty() {
        message.push_str(", or it opens to those the policy names");
        limit.push_str(&format!(", or one of {}", rule.allow.join(", ")));
    }
    Some(Refusal::new(Rule::Tier, format!("{message}.")).with_limit(value, limit))
}

fn lane(case: &Case<'_>) -> Option<Refusal> {
    let standing = case.standing;
    let is_for = |lane: &&Lane| {
        lane.trust.is_none_or(|trust| standing.trust <= trust) && (!lane.newcomers || standing.is_newcomer())
    };
    let lanes: Vec<&Lane> = case.repo.policy.lanes.iter().filter(is_for).collect();
    let spec = &case.task.task.spec;
    if lanes.is_empty() || lanes.iter().any(|lane| lane.allows(spec)) {
        return None;
    }
    let allowed: Vec<String> = lanes.iter().map(|lane| lane.words()).collect();
    let area = spec.area.as_deref().map_or_else(|| "no area".to_owned(), |area| format!("area {area}"));
    // More trust helps only where a lane is for people who have less.
    let message = if lanes.iter().any(|lane| lane.trust.is_some()) {
        format!(
            "With trust {} you may take only some tasks here; a maintainer can comment `/owp trust`.",
            standing.trust
        )
    } else {
        "Until your first pull request is merged here you may take only some tasks.".to_owned()
    };
    Some(
        Refusal::new(Rule::Lane, message)
            .with_limit(format!("{area}, tier {}, estimate {}", spec.tier, spec.estimate), allowed.join("; or ")),
    )
}

fn capacity(case: &Case<'_>) -> Option<Refusal> {
    let wanted = case.load.points + case.task.task.spec.estimate;
    (wanted > case.worker.capacity).then(|| {
        Refusal::new(
            Rule::Capacity,
            format!(
                "The task's {} points do not fit: {} of the {} points you take on at once are in use. Change the number with `/owp join capacity:N`, or with `owp worker set --capacity N`.",
                case.task.task.spec.estimate, case.load.points, case.worker.capacity
            ),
        )
        .with_limit(wanted, case.worker.capacity)
    })
}

fn concurrency(case: &Case<'_>) -> Option<Refusal> {
    (case.load.leases >= case.worker.max_concurrent).then(|| {
        Refusal::new(Rule::Concurrency, "You hold as many tasks as you take on at once. Change the number with `/owp join concurrent:N`, or with `owp worker set --concurrent N`.")
            .with_limit(case.load.leases, case.worker.max_concurrent)
    })
}

fn declined(case: &Case<'_>) -> Option<Refusal> {
    let (_, until) =
        case.task.declined.iter().find(|(worker, until)| *worker == case.worker.id && *until > case.now)?;
    Some(
        Refusal::new(
            Rule::Declined,
            "Your worker declined this task, gave it back or lost it less than an hour ago, so others are asked first.",
        )
        .with_retry(Some(*until)),
    )
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
