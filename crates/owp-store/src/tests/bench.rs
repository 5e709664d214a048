//! A fresh database per test on either engine, and helpers to set tests up.

use crate::{Dialect, GitHubRepo, NewWorker, PullRow, Scope, Store, StoreError, StoreOptions, Tx};
use futures_util::future::BoxFuture;
use owp_base::clock::{Clock, Entropy};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{Lease, Via};
use owp_pool::moves::{Grant, Move, Moved, apply};
use owp_pool::policy::AreaUntil;
use owp_pool::pull::PullFacts;
use owp_pool::task::{Task, TaskSpec};
use owp_pool::{LeaseId, Person, RepoId, Span, TaskId, Timestamp, WorkerId};
use owp_testing::postgres::PostgresDatabase;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Start time of every test.
pub(super) const START: Timestamp = Timestamp(1_700_000_000_000);

/// Runs each body once per engine, as `name::sqlite` and `name::postgres`.
macro_rules! on_both_engines {
    ($($(#[$doc:meta])* async fn $name:ident($bench:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn body($bench: &Bench) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let bench = begin(crate::Dialect::Sqlite).await;
                body(&bench).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let bench = begin(crate::Dialect::Postgres).await;
                body(&bench).await;
            }
        }
    )*};
}
pub(super) use on_both_engines;

/// A database of its own and a store on it, with a clock that stands still.
pub(super) struct Bench {
    pub store: Store,
    pub clock: Clock,
    pub url: String,
    dir: Option<tempfile::TempDir>,
    postgres: Option<PostgresDatabase>,
}

/// Creates a fresh database on `dialect` and opens it.
pub(super) async fn begin(dialect: Dialect) -> Bench {
    sqlx::any::install_default_drivers();
    let clock = Clock::manual(START.0);
    let (url, dir, postgres) = match dialect {
        Dialect::Sqlite => {
            let dir = tempfile::tempdir().unwrap();
            (format!("sqlite://{}/pool.db", dir.path().display()), Some(dir), None)
        }
        Dialect::Postgres => {
            let migrate = async |url: String| drop(open(&url, &Clock::manual(START.0)).await.unwrap());
            let database = PostgresDatabase::migrated(migrate).await;
            (database.url.clone(), None, Some(database))
        }
    };
    let store = open(&url, &clock).await.unwrap();
    Bench { store, clock, url, dir, postgres }
}

/// Opens a store like a process would.
pub(super) async fn open(url: &str, clock: &Clock) -> Result<Store, StoreError> {
    Store::open(StoreOptions { url: url.to_owned(), clock: clock.clone(), entropy: Entropy::system() }).await
}

async fn execute(conn: &mut AnyConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

impl Bench {
    pub(super) fn dialect(&self) -> Dialect {
        self.store.dialect()
    }

    /// Opens a second replica on PostgreSQL. SQLite has one process, so there it is the same store.
    pub(super) async fn replica(&self) -> Store {
        match self.dialect() {
            Dialect::Sqlite => self.store.clone(),
            Dialect::Postgres => open(&self.url, &self.clock).await.unwrap(),
        }
    }

    /// Returns the database file on SQLite.
    pub(super) fn file(&self) -> Option<std::path::PathBuf> {
        self.dir.as_ref().map(|dir| dir.path().join("pool.db"))
    }

    /// Returns the database name on PostgreSQL.
    pub(super) fn database(&self) -> Option<&str> {
        self.postgres.as_ref().map(|database| database.name.as_str())
    }

    /// Opens a connection outside the store, like another program would.
    pub(super) async fn outside(&self) -> AnyConnection {
        AnyConnection::connect(&self.url).await.unwrap()
    }

    /// Runs a statement outside the store.
    pub(super) async fn meddle(&self, sql: &str) {
        let mut conn = self.outside().await;
        execute(&mut conn, sql.to_owned()).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Reads rows outside the store.
    pub(super) async fn look(&self, sql: &str) -> Vec<AnyRow> {
        let mut conn = self.outside().await;
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        rows
    }

    /// Reads one number outside the store.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        use sqlx::Row;
        self.look(sql).await[0].try_get(0).unwrap()
    }

    pub(super) async fn write<T, F>(&self, scope: Scope, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        self.store.write(scope, work).await
    }

    /// Makes a change about no repository, which must succeed.
    pub(super) async fn change<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        self.store.write(Scope::global(), work).await.unwrap()
    }

    pub(super) async fn read<T, F>(&self, work: F) -> T
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>>,
    {
        self.store.read(work).await.unwrap()
    }

    /// Creates a manual repository.
    pub(super) async fn repo(&self, name: &str) -> RepoId {
        let name = name.to_owned();
        self.change(move |tx| Box::pin(async move { tx.repos().insert(&name).await })).await
    }

    /// Creates a repository with the App installed, in installation 9.
    pub(super) async fn managed_repo(&self, github_id: i64, name: &str) -> RepoId {
        self.change(|tx| Box::pin(async move { tx.installations().record(9, "acme", false).await })).await;
        self.sighting(github_id, name).await
    }

    /// Records that GitHub shows a repository under a name.
    pub(super) async fn sighting(&self, github_id: i64, name: &str) -> RepoId {
        let seen = GitHubRepo { github_id, installation_id: 9, name: name.to_owned(), private: false, archived: false };
        self.change(move |tx| Box::pin(async move { tx.repos().record_github(&seen, false).await })).await
    }

    /// Registers a worker of the GitHub user `github_id`.
    pub(super) async fn client_of(&self, github_id: i64, capacity: i64, max_concurrent: i64) -> WorkerId {
        let new = NewWorker {
            name: format!("client of {github_id}"),
            person: Some(Person::GitHub(github_id)),
            by_comment: false,
            skills: vec!["rust".into()],
            capacity,
            max_concurrent,
        };
        self.change(move |tx| Box::pin(async move { tx.workers().insert(&new).await })).await
    }

    /// Creates a ready task for an issue.
    pub(super) async fn task(&self, repo: &RepoId, issue: i64, spec: TaskSpec) -> TaskId {
        let id = TaskId::from_uuid_bytes(&Entropy::system().bytes());
        let task = ready_task(&id, repo, issue, spec);
        let event = Event::new(EventKind::TaskCreated, serde_json::json!({ "issue": issue })).about_task(&id);
        self.write(Scope::repo(repo), move |tx| {
            Box::pin(async move {
                tx.tasks().insert(&task).await?;
                tx.events().append(&[event])
            })
        })
        .await
        .unwrap();
        id
    }

    /// Stores a move of the state machine and returns its result.
    pub(super) async fn step(&self, task: &TaskId, step: Move) -> Result<Moved, StoreError> {
        let (id, now) = (task.clone(), task.clone());
        let repo = self.read(move |tx| Box::pin(async move { tx.tasks().get(&now).await })).await.unwrap().repo;
        self.write(Scope::repo(&repo), move |tx| Box::pin(async move { step_in(tx, &id, step).await })).await
    }

    /// Grants a task to a worker for an hour.
    pub(super) async fn grant(&self, task: &TaskId, worker: &WorkerId, person: i64) -> Lease {
        let moved = self.step(task, Move::Grant(self.grant_of(worker, person))).await.unwrap();
        moved.lease.unwrap()
    }

    /// Builds a grant without making it.
    pub(super) fn grant_of(&self, worker: &WorkerId, person: i64) -> Grant {
        grant_to(worker, person)
    }

    /// Stores an open pull request that names tasks.
    pub(super) async fn pull(&self, repo: &RepoId, number: i64, author: i64, draft: bool, tasks: &[&TaskId]) {
        let pull = pull_row(number, author, draft);
        let (at, tasks) = (repo.clone(), tasks.iter().map(|t| (*t).clone()).collect::<Vec<_>>());
        self.write(Scope::repo(repo), move |tx| {
            Box::pin(async move {
                tx.pulls().save(&at, &pull).await?;
                for task in &tasks {
                    tx.pulls().link(&at, number, task, false).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    }

    pub(super) fn advance(&self, span: Span) {
        self.clock.advance_ms(span.0);
    }
}

/// Loads a task, applies a move and saves the result, all in one job.
pub(super) async fn step_in(tx: &mut Tx, id: &TaskId, step: Move) -> Result<Moved, StoreError> {
    let task = tx.tasks().get(id).await?.unwrap();
    let lease = tx.leases().live(id).await?;
    let moved = apply(task, lease, step, tx.now()).unwrap();
    tx.tasks().save_moved(&moved).await?;
    Ok(moved)
}

/// Builds a grant that locks the task's area.
pub(super) fn grant_to(worker: &WorkerId, person: i64) -> Grant {
    Grant {
        lease: LeaseId::from_uuid_bytes(&Entropy::system().bytes()),
        worker: worker.clone(),
        person: Person::GitHub(person),
        via: Via::Rest,
        ttl: Span::hours(1),
        max_lifetime: Span::days(1),
        ack_within: None,
        area_until: Some(AreaUntil::PrOpened),
    }
}

pub(super) fn ready_task(id: &TaskId, repo: &RepoId, issue: i64, spec: TaskSpec) -> Task {
    Task {
        issue: Some(issue),
        title: format!("Issue {issue}"),
        description: "It says why — in UTF-8: ✓".into(),
        ..Task::new(id.clone(), repo.clone(), spec, START)
    }
}

pub(super) fn pull_row(number: i64, author: i64, draft: bool) -> PullRow {
    PullRow {
        facts: PullFacts { number, author: Some(author), open: true, draft, ..PullFacts::default() },
        author_login: Some(format!("user{author}")),
        head_ref: "owp/fix".into(),
        head_sha: "0123abcd".into(),
        head_repo: Some(format!("user{author}/rocket")),
        base_ref: "main".into(),
        issues: vec![7],
        updated_at: START,
        ..PullRow::default()
    }
}

/// Builds a task spec with an area.
pub(super) fn in_area(area: &str) -> TaskSpec {
    TaskSpec { area: Some(area.to_owned()), ..TaskSpec::default() }
}
