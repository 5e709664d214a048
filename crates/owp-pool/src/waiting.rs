//! Why nobody works on a ready or blocked task, for readers who are not a worker: the rules that refuse every worker,
//! and what the workers online lack.

use super::admission::{Case, RepoFacts, TaskFacts, refusals};
use super::worker::{Load, Standing, Worker, WorkerStatus};
use super::{Person, Refusal, Rule, Timestamp, WorkerId};
use std::collections::BTreeMap;

/// Rules that look at the task and its repository. Only a contributor for whom the task is kept is an exception.
const FOR_EVERYONE: [Rule; 9] = [
    Rule::TaskState,
    Rule::Approval,
    Rule::Reservation,
    Rule::Assigned,
    Rule::OpenPull,
    Rule::RepoActive,
    Rule::CountKnown,
    Rule::Budget,
    Rule::AreaLock,
];

/// Most workers online that are looked at for a task: those heard from last.
pub const WORKERS_LOOKED_AT: i64 = 40;

/// A worker that is online, as admission sees it.
#[derive(Debug, Clone)]
pub struct OnlineWorker {
    /// The worker.
    pub worker: Worker,
    /// Its current load.
    pub load: Load,
    /// Its contributor's standing in the task's repository.
    pub standing: Standing,
}

/// Why nobody works on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The rules that refuse every worker; empty if the task waits for a worker alone.
    pub refusals: Vec<Refusal>,
    /// Number of workers online that were looked at.
    pub online: usize,
    /// Number of those that may take the task.
    pub able: usize,
    /// Number of the others, by the first rule that refuses them.
    pub unable: BTreeMap<Rule, usize>,
}

impl Waiting {
    /// Finds out why a ready or blocked task waits.
    #[must_use]
    pub fn find(task: &TaskFacts, repo: &RepoFacts, online: &[OnlineWorker], now: Timestamp) -> Self {
        let (stranger, standing) = (stranger(now), Standing { reads: true, ..Standing::default() });
        let case = Case { task, repo, worker: &stranger, load: Load::default(), standing: &standing, now };
        let mut for_everyone = refusals(&case);
        for_everyone.retain(|refusal| FOR_EVERYONE.contains(&refusal.rule));
        let (mut able, mut unable) = (0, BTreeMap::new());
        for OnlineWorker { worker, load, standing } in online {
            match refusals(&Case { worker, load: *load, standing, ..case }).first() {
                Some(refusal) => *unable.entry(refusal.rule).or_default() += 1,
                None => able += 1,
            }
        }
        Self { refusals: for_everyone, online: online.len(), able, unable }
    }

    /// Describes in one sentence who of the workers online may take the task; `None` while a rule refuses everyone.
    #[must_use]
    pub fn prospects(&self) -> Option<String> {
        if !self.refusals.is_empty() {
            return None;
        }
        let is_part = i64::try_from(self.online).is_ok_and(|online| online >= WORKERS_LOOKED_AT);
        let whom = if is_part { "workers online that were looked at" } else { "workers online" };
        Some(match (self.online, self.able) {
            (0, _) => "No worker is online.".to_owned(),
            (1, 1) => "The worker that is online can take it, and gets it when it asks for work.".to_owned(),
            (online, 1) => format!("1 of {online} {whom} can take it, and gets it when it asks for work."),
            (online, able) if able > 0 => {
                format!("{able} of {online} {whom} can take it; the first that asks for work gets it.")
            }
            (1, _) => {
                let reason = self.unable.keys().next().map_or("", |rule| lack(*rule));
                format!("The worker that is online cannot take it: it is {reason}.")
            }
            (online, _) => {
                let reasons: Vec<String> = self.unable.iter().map(|(rule, n)| format!("{n} {}", lack(*rule))).collect();
                format!("None of the {online} {whom} can take it: {}.", reasons.join(", "))
            }
        })
    }

    /// Returns every reason as sentences, each with what was measured.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let refusals = self.refusals.iter().map(Refusal::sentences);
        refusals.chain(self.prospects()).collect()
    }
}

/// A linked contributor whom nobody knows, without work.
fn stranger(now: Timestamp) -> Worker {
    Worker {
        id: WorkerId::new(""),
        name: String::new(),
        // GitHub's ids are positive.
        person: Person::GitHub(0),
        login: None,
        by_comment: false,
        is_bot: false,
        skills: Vec::new(),
        capacity: i64::MAX,
        max_concurrent: i64::MAX,
        status: WorkerStatus::Idle,
        ack: false,
        revoked: false,
        joined: true,
        last_seen: now,
    }
}

/// Describes workers that a rule refuses, after their number.
fn lack(rule: Rule) -> &'static str {
    match rule {
        Rule::WorkerStatus => "paused",
        Rule::Linked => "without a linked GitHub account",
        Rule::Human => "of a bot",
        Rule::Visibility => "without read access to the private repository",
        Rule::Banned => "banned from the repository",
        Rule::JoinFirst => "without an introduction (`/owp join`)",
        Rule::Skills => "without the required skills",
        Rule::Tier => "not trusted enough for its risk tier",
        Rule::Lane => "confined to another lane",
        Rule::Capacity => "without enough free capacity",
        Rule::Concurrency => "at the limit of leases",
        Rule::PersonCap | Rule::NewcomersTotal => "at the claim quota",
        Rule::Cooldown => "in a cooldown",
        Rule::Declined => "set back after declining it",
        Rule::TaskState
        | Rule::Approval
        | Rule::Reservation
        | Rule::Assigned
        | Rule::OpenPull
        | Rule::RepoActive
        | Rule::CountKnown
        | Rule::Budget
        | Rule::AreaLock => "refused by a rule for everyone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Holder, Inactivity};
    use crate::fixtures::{NOW, repo, task, worker};
    use crate::task::{Reservation, TaskState};
    use crate::time::Span;

    fn online(id: i64) -> OnlineWorker {
        let standing = Standing { reads: true, ..Standing::default() };
        OnlineWorker { worker: worker(&format!("w_{id}"), id), load: Load::default(), standing }
    }

    fn said(waiting: &Waiting) -> String {
        waiting.sentences().join(" ")
    }

    #[test]
    fn a_task_that_anybody_may_take_waits_for_a_worker() {
        let of = |workers: &[OnlineWorker]| said(&Waiting::find(&task("t_1"), &repo(), workers, NOW));
        assert_eq!(of(&[]), "No worker is online.");
        assert_eq!(of(&[online(1)]), "The worker that is online can take it, and gets it when it asks for work.");
        let mut busy = online(2);
        busy.load = Load { points: 5, leases: 2 };
        assert_eq!(
            of(&[online(1), busy.clone()]),
            "1 of 2 workers online can take it, and gets it when it asks for work."
        );
        assert_eq!(
            of(&[online(1), online(3), busy]),
            "2 of 3 workers online can take it; the first that asks for work gets it."
        );
    }

    #[test]
    fn what_all_workers_lack_is_counted_by_rule() {
        let mut facts = task("t_1");
        facts.task.spec.skills = vec!["haskell".into()];
        let mut paused = online(2);
        paused.worker.status = WorkerStatus::Paused;
        let waiting = Waiting::find(&facts, &repo(), &[online(1), paused, online(3)], NOW);
        assert_eq!(
            said(&waiting),
            "None of the 3 workers online can take it: 1 paused, 2 without the required skills."
        );
        let one = Waiting::find(&facts, &repo(), &[online(1)], NOW);
        assert_eq!(said(&one), "The worker that is online cannot take it: it is without the required skills.");
    }

    #[test]
    fn a_rule_that_refuses_everyone_is_the_reason_in_the_words_of_every_refusal() {
        let mut full = repo();
        full.budget.limit = 0;
        let waiting = Waiting::find(&task("t_1"), &full, &[online(1)], NOW);
        assert_eq!(waiting.refusals, [full.budget.full_refusal().unwrap()]);
        assert_eq!(waiting.prospects(), None, "no worker could change that");

        let mut locked = repo();
        locked.policy.area_locks = true;
        let holder = Holder { name: "ada".into(), until: Some(NOW + Span::hours(2)) };
        locked.areas.insert("parser".into(), holder);
        locked.stop = Some(Inactivity { why: "it is paused until somebody resumes it (holidays)".into(), until: None });
        let mut facts = task("t_1");
        facts.task.spec.area = Some("parser".into());
        facts.task.spec.tier = 3;
        let waiting = Waiting::find(&facts, &locked, &[], NOW);
        let rules: Vec<Rule> = waiting.refusals.iter().map(|refusal| refusal.rule).collect();
        assert_eq!(rules, [Rule::RepoActive, Rule::AreaLock], "a stranger's trust is no reason");
        assert!(said(&waiting).contains("The area `parser` is locked: it has one holder at a time. Held by ada."));
    }

    #[test]
    fn a_reserved_task_waits_even_if_its_contributor_is_online() {
        let mut facts = task("t_1");
        facts.task.state = TaskState::Blocked;
        facts.task.reservation = Some(Reservation { person: Person::GitHub(1), until: NOW + Span::hours(1) });
        facts.reserved_for = Some("user1".into());
        let waiting = Waiting::find(&facts, &repo(), &[online(1), online(2)], NOW);
        let rules: Vec<Rule> = waiting.refusals.iter().map(|refusal| refusal.rule).collect();
        assert_eq!(rules, [Rule::TaskState, Rule::Reservation]);
        assert_eq!((waiting.able, waiting.online), (1, 2));
    }
}
