//! Fixtures for the tests of this crate: a ready task, a free repository and an available worker.

use super::admission::{RepoFacts, TaskFacts};
use super::budget::{Budget, CountState};
use super::policy::{BudgetSource, Policy};
use super::slots::NamingPull;
use super::task::{Task, TaskSpec};
use super::worker::{Worker, WorkerStatus};
use super::{Person, RepoId, TaskId, Timestamp, WorkerId};
use std::collections::BTreeMap;

/// Current time in every test of the crate.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Builds a ready task without requirements.
pub(crate) fn task(id: &str) -> TaskFacts {
    let task = Task {
        issue: Some(7),
        title: "Teach the parser dates".into(),
        ..Task::new(TaskId::new(id), RepoId::new("r_1"), TaskSpec::default(), NOW)
    };
    TaskFacts { task, holder: None, reserved_for: None, answers: vec![], declined: vec![], barred: vec![] }
}

/// Builds a pull request that keeps its task from everybody but `author`.
pub(crate) fn answer(number: i64, author: i64) -> NamingPull {
    let (login, people) = (format!("user{author}"), [Person::GitHub(author)].into());
    NamingPull { number, login, people, counts: true, keeps: true }
}

/// Builds a GitHub repository with every slot free.
pub(crate) fn repo() -> RepoFacts {
    RepoFacts {
        id: RepoId::new("r_1"),
        name: "acme/rocket".into(),
        linked_only: true,
        private: false,
        stop: None,
        policy: Policy::managed(),
        budget: Budget {
            limit: 5,
            source: BudgetSource::Policy,
            open_pulls: 0,
            leases: 0,
            uncounted: 0,
            count: CountState::Known(NOW),
            occupants: Vec::new(),
        },
        areas: BTreeMap::new(),
        newcomers: Vec::new(),
        allowed: BTreeMap::new(),
    }
}

/// Builds a linked worker with a capacity of five points and two leases.
pub(crate) fn worker(id: &str, github_id: i64) -> Worker {
    Worker {
        id: WorkerId::new(id),
        name: format!("client of {github_id}"),
        person: Person::GitHub(github_id),
        login: Some(format!("user{github_id}")),
        by_comment: false,
        is_bot: false,
        skills: vec!["rust".into()],
        capacity: 5,
        max_concurrent: 2,
        status: WorkerStatus::Idle,
        ack: false,
        revoked: false,
        joined: true,
        last_seen: NOW,
    }
}
