//! Scheduling time with a long backlog: the same queries with 1,000 and with 100,000 ready tasks, on a SQLite file.
//! `cargo bench --bench candidates`.

use owp_base::clock::{Clock, Entropy};
use owp_engine::{Engine, Settings};
use owp_pool::task::{Task, TaskSpec};
use owp_pool::{RepoId, TaskId, Timestamp, WorkerId};
use owp_store::{Bounds, NewWorker, Scope, Store, StoreError, StoreOptions, transaction};
use std::time::{Duration, Instant};

/// Backlog sizes to compare.
const BACKLOGS: [i64; 2] = [1_000, 100_000];
/// Number of task classes: eight estimates times three skills.
const CLASSES: i64 = 24;
/// Tasks per class that the planner reads for a worker that can hold two more leases when three slots are free.
const PER_CLASS: i64 = 2;
const RUNS: usize = 101;
const BATCH: i64 = 5_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Medians for one backlog size.
struct Row {
    found: usize,
    candidates: Duration,
    pull: Duration,
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("ready tasks  candidates  median read  median pull that gets nothing");
    let mut rows = Vec::new();
    for backlog in BACKLOGS {
        let row = runtime.block_on(measure(backlog))?;
        println!("{backlog:>11}  {:>10}  {:>11.2?}  {:>11.2?}", row.found, row.candidates, row.pull);
        rows.push(row);
    }
    let ratio = |of: fn(&Row) -> Duration| of(&rows[1]).as_secs_f64() / of(&rows[0]).as_secs_f64();
    println!("100 times the backlog: read × {:.2}, pull × {:.2}", ratio(|row| row.candidates), ratio(|row| row.pull));
    Ok(())
}

async fn measure(backlog: i64) -> Outcome<Row> {
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite://{}/pool.db", dir.path().display());
    let store = Store::open(StoreOptions { url, clock: Clock::System, entropy: Entropy::system() }).await?;
    let repo = store.write(Scope::global(), transaction!(|tx| tx.repos().insert("acme/rocket").await)).await?;
    for first in (0..backlog).step_by(BATCH as usize) {
        add_tasks(&store, &repo, first..backlog.min(first + BATCH)).await?;
    }
    let worker = add_worker(&store).await?;
    let (engine, mut waiting) = Engine::new(store.clone(), None, Settings::default());
    let planner = tokio::spawn({
        let engine = engine.clone();
        async move { while engine.scheduler().step_schedule(&mut waiting).await {} }
    });
    let (mut reads, mut pulls, mut found) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let start = Instant::now();
        found = candidates(&store, &repo).await?;
        reads.push(start.elapsed());
        let start = Instant::now();
        let pulled = engine.workers().pull_work(&worker).await?;
        pulls.push(start.elapsed());
        assert!(!pulled.granted, "no worker has the skills");
    }
    planner.abort();
    Ok(Row { found, candidates: median(reads), pull: median(pulls) })
}

async fn candidates(store: &Store, repo: &RepoId) -> Result<usize, StoreError> {
    let id = repo.clone();
    let now = Timestamp(1_700_000_000_000);
    let bounds = Bounds { per_class: PER_CLASS, classes: 500, declined_since: now };
    store.read(transaction!(|tx| Ok(tx.tasks().candidates(&id, bounds).await?.map_or(0, |tasks| tasks.len())))).await
}

async fn add_worker(store: &Store) -> Result<WorkerId, StoreError> {
    let worker = NewWorker {
        name: "a worker without skills".to_owned(),
        person: None,
        by_comment: false,
        skills: Vec::new(),
        capacity: 5,
        max_concurrent: 2,
    };
    store.write(Scope::global(), transaction!(|tx| tx.workers().insert(&worker).await)).await
}

async fn add_tasks(store: &Store, repo: &RepoId, numbers: std::ops::Range<i64>) -> Result<(), StoreError> {
    let tasks: Vec<Task> = numbers.map(|n| task(repo, n)).collect();
    store
        .write(
            Scope::repo(repo),
            transaction!(|tx| {
                for task in &tasks {
                    tx.tasks().insert(task).await?;
                }
                Ok(())
            }),
        )
        .await
}

fn task(repo: &RepoId, n: i64) -> Task {
    let class = n % CLASSES;
    let skill = ["go", "rust", "sql"][(class % 3) as usize];
    let spec = TaskSpec {
        estimate: 1 + class / 3,
        priority: n * 31 % 100,
        skills: vec![skill.to_owned()],
        area: None,
        tier: 0,
    };
    Task {
        issue: Some(n),
        title: "One of many".to_owned(),
        description: "What is to be done, in a few words.".to_owned(),
        ready_since: Timestamp(1_700_000_000_000 + n * 7_919),
        ..Task::new(TaskId::new(format!("t_{n:06}")), repo.clone(), spec, Timestamp(1_700_000_000_000))
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
