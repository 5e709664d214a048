//! Generated instances for the planner: seeded, so that a number seen once can be seen again. Shared with the bench.

use owp_pool::admission::{Holder, RepoFacts, TaskFacts};
use owp_pool::budget::{Budget, CountState};
use owp_pool::planner::{Snapshot, WorkerFacts};
use owp_pool::policy::{BudgetSource, Policy};
use owp_pool::task::{Task, TaskSpec};
use owp_pool::worker::{Load, Standing, Worker, WorkerStatus};
use owp_pool::{Person, RepoId, Span, TaskId, Timestamp, WorkerId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// The moment all instances are planned at.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SKILLS: [&str; 8] = ["rust", "sql", "go", "docs", "css", "python", "ops", "zig"];

/// An instance of `workers` workers and `tasks` tasks. `slots` free slots for each ten workers, over all repositories.
pub(crate) fn instance(seed: u64, workers: usize, tasks: usize, slots: usize) -> Snapshot {
    let mut dice = StdRng::seed_from_u64(seed);
    let repos = (2 + workers / 8).min(12);
    let each = (workers * slots).div_ceil(10 * repos).max(1) as i64;
    let repos: BTreeMap<RepoId, RepoFacts> = (0..repos)
        .map(|n| {
            let facts = repo(&mut dice, n, each);
            (facts.id.clone(), facts)
        })
        .collect();
    let ids: Vec<RepoId> = repos.keys().cloned().collect();
    let tasks = (0..tasks).map(|n| task(&mut dice, n, &ids, workers)).collect();
    let people: Vec<_> = (0..workers).map(|n| standings(&mut dice, n, &ids)).collect();
    let workers = (0..workers)
        .map(|n| {
            // Now and then two clients of one person.
            let person = if n > 0 && dice.random_bool(0.2) { n - 1 } else { n };
            worker_facts(&mut dice, n, person, people[person].clone())
        })
        .collect();
    Snapshot { repos, tasks, workers }
}

fn repo(dice: &mut StdRng, n: usize, slots: i64) -> RepoFacts {
    let managed = dice.random_bool(0.6);
    let limit = dice.random_range(1..=2 * slots);
    let open_pulls = dice.random_range(0..=limit / 3);
    let policy = if managed { Policy::managed() } else { Policy::manual(limit, dice.random_bool(0.8)) };
    let count = if managed { CountState::Known(NOW) } else { CountState::NotNeeded };
    RepoFacts {
        id: RepoId::new(format!("r_{n}")),
        name: format!("acme/rocket{n}"),
        linked_only: managed,
        private: false,
        stop: None,
        policy,
        budget: Budget {
            limit,
            source: BudgetSource::Policy,
            open_pulls,
            leases: 0,
            uncounted: 0,
            count,
            occupants: vec![],
        },
        areas: BTreeMap::new(),
        newcomers: vec![Holder { name: "new".into(), until: None }; usize::from(dice.random_bool(0.2))],
        allowed: BTreeMap::new(),
    }
}

fn task(dice: &mut StdRng, n: usize, repos: &[RepoId], workers: usize) -> TaskFacts {
    let mut skills: Vec<String> = Vec::new();
    for _ in 0..[0, 1, 1, 2][dice.random_range(0..4)] {
        skills.push(skill(dice));
    }
    skills.sort_unstable();
    skills.dedup();
    let spec = TaskSpec {
        estimate: [1, 1, 2, 2, 3, 3, 5, 8][dice.random_range(0..8)],
        priority: [10, 20, 50, 50, 80, 100, dice.random_range(0..=100)][dice.random_range(0..7)],
        skills,
        area: dice.random_bool(0.4).then(|| format!("area{}", dice.random_range(0..4))),
        tier: [0, 0, 0, 1, 2][dice.random_range(0..5)],
    };
    let declined = dice
        .random_bool(0.05)
        .then(|| (WorkerId::new(format!("w_{:03}", dice.random_range(0..workers))), NOW + Span::minutes(20)));
    let repo = repos[dice.random_range(0..repos.len())].clone();
    let task = Task {
        issue: Some(n as i64 + 1),
        title: "Teach the parser dates".into(),
        ready_since: NOW - Span::minutes(dice.random_range(0..200 * 60)),
        ..Task::new(TaskId::new(format!("t_{n:05}")), repo, spec, NOW)
    };
    let declined = declined.into_iter().collect();
    TaskFacts { task, holder: None, reserved_for: None, answers: vec![], declined, barred: vec![] }
}

/// Some skills are far more common than others.
fn skill(dice: &mut StdRng) -> String {
    let at = dice.random_range(0..SKILLS.len()).min(dice.random_range(0..SKILLS.len()));
    SKILLS[at].to_owned()
}

fn standings(dice: &mut StdRng, person: usize, repos: &[RepoId]) -> (usize, BTreeMap<RepoId, Standing>) {
    let mut standings: BTreeMap<RepoId, Standing> = BTreeMap::new();
    for repo in repos {
        if !dice.random_bool(0.8) {
            standings.insert(repo.clone(), Standing::default());
            continue;
        }
        let merged = dice.random_range(0..4) * 2;
        let trust = [-1, 0, 1, 1, 2, 2, 3][dice.random_range(0..7)];
        let live = i64::from(dice.random_bool(0.1));
        standings.insert(repo.clone(), Standing { trust, merged, live, ..Standing::default() });
    }
    let everywhere = standings.values().map(|standing| standing.live).sum();
    standings.values_mut().for_each(|standing| standing.live_everywhere = everywhere);
    (person, standings)
}

fn worker_facts(
    dice: &mut StdRng,
    n: usize,
    person: usize,
    (_, standings): (usize, BTreeMap<RepoId, Standing>),
) -> WorkerFacts {
    let mut skills: Vec<String> = (0..dice.random_range(1..=5)).map(|_| skill(dice)).collect();
    skills.sort_unstable();
    skills.dedup();
    let leases = dice.random_range(0..2);
    let worker = Worker {
        id: WorkerId::new(format!("w_{n:03}")),
        name: format!("client {n}"),
        person: Person::GitHub(person as i64 + 1),
        login: Some(format!("user{person}")),
        by_comment: false,
        is_bot: false,
        skills,
        capacity: dice.random_range(3..=13),
        max_concurrent: dice.random_range(1..=4),
        status: WorkerStatus::Idle,
        ack: false,
        revoked: false,
        joined: true,
        last_seen: NOW,
    };
    WorkerFacts { worker, load: Load { points: leases * 2, leases }, standings }
}
