//! A ready task, a free repository and a willing worker, for the tests of this room.

use super::admission::{RepoFacts, TaskFacts};
use super::budget::{Budget, CountState};
use super::policy::{BudgetSource, Policy};
use super::task::{Task, TaskSpec, TaskState};
use super::worker::{Worker, WorkerStatus};
use super::{Epoch, Person, RepoId, TaskId, Timestamp, WorkerId};
use std::collections::BTreeMap;

/// A moment every test of the room agrees on.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A ready task that asks for nothing.
pub fn task(id: &str) -> TaskFacts {
    let task = Task {
        id: TaskId::new(id),
        repo: RepoId::new("r_1"),
        issue: Some(7),
        title: "Teach the parser dates".into(),
        description: String::new(),
        spec: TaskSpec::default(),
        state: TaskState::Ready,
        epoch: Epoch(0),
        ready_since: NOW,
        hold: None,
        reservation: None,
        assignee: None,
        last_holder: None,
        last_lease: None,
        pull: None,
        blocked_reason: None,
        created_at: NOW,
    };
    TaskFacts { task, holder: None, reserved_for: None, open_pull: None, declined: vec![] }
}

/// A managed repository with every slot free.
pub fn repo() -> RepoFacts {
    RepoFacts {
        id: RepoId::new("r_1"),
        name: "acme/rocket".into(),
        linked_only: true,
        inactive: None,
        inactive_until: None,
        policy: Policy::managed(),
        budget: Budget {
            limit: 5,
            source: BudgetSource::Policy,
            open_pulls: 0,
            leases: 0,
            uncounted: 0,
            count: CountState::Known(NOW),
        },
        areas: BTreeMap::new(),
        newcomers: Vec::new(),
    }
}

/// A linked worker with room for five points and two leases.
pub fn worker(id: &str, github_id: i64) -> Worker {
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
        last_seen: NOW,
    }
}
