//! What the database says, read by the simulator itself: its checks must not share the mistakes of the store.

use crate::database::{Database, runtime};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// Declares the rows that the checks look at: the table and its columns.
macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident in $table:ident as $field:ident { $($column:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
            pub(crate) struct $row { $(pub(crate) $column: $type,)* }
        )*

        /// The rows of one moment.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Rows { $(pub(crate) $field: Vec<$row>,)* pub(crate) events: Vec<EventRow> }

        impl Rows {
            const TABLES: &'static [(&'static str, &'static [&'static str])] =
                &[$((stringify!($table), &[$(stringify!($column),)*]),)*];

            fn fill(&mut self, table: &str, json: &str) {
                match table {
                    $(stringify!($table) => self.$field = parse(table, json),)*
                    _ => self.events = parse(table, json),
                }
            }
        }
    };
}

rows! {
    RepoRow in repositories as repos {
        id: String, github_id: Option<i64>, name: String, managed: i64, private: i64, inactive: Option<String>,
        inactive_since: Option<i64>,
        ceiling: Option<i64>, command_budget: Option<i64>, paused_until: Option<i64>, pause_reason: Option<String>,
        policy_file: Option<String>, policy_error: Option<String>, counted_at: Option<i64>,
        count_failed_at: Option<i64>, unlabelled_until: Option<i64>,
    }
    TaskRow in tasks as tasks {
        id: String, repo_id: String, issue: Option<i64>, title: String, description: String, estimate: i64,
        skills: String, area: Option<String>, tier: i64, state: String, epoch: i64, hold: Option<String>,
        withheld: Option<String>, reserved_person: Option<String>, reserved_until: Option<i64>,
        assignee: Option<String>, last_holder: Option<String>, last_lease: Option<String>, pull: Option<i64>,
    }
    LeaseRow in leases as leases {
        id: String, task_id: String, repo_id: String, worker_id: String, person: String, epoch: i64, state: String,
        via: String, estimate: i64, area: Option<String>, keeps_area: i64, granted_at: i64, ack_by: Option<i64>,
        expires_at: i64, max_until: i64, ended_at: Option<i64>,
    }
    AreaRow in area_holds as areas { repo_id: String, area: String, task_id: String, }
    PullRow in pulls as pulls {
        repo_id: String, number: i64, author_id: Option<i64>, state: String, draft: i64, ignored: i64,
    }
    LinkRow in pull_links as links { repo_id: String, number: i64, task_id: String, }
    WorkerRow in workers as workers {
        id: String, person: String, by_comment: i64, skills: String, capacity: i64, max_concurrent: i64,
        status: String, paused: i64, revoked: i64,
    }
    TrustRow in trust as trust { repo_id: String, person: String, level: i64, }
    WantedRow in wanted_comments as wanted {
        repo_id: String, issue: i64, key: String, body: String, state: String, comment_id: Option<i64>,
        error: Option<String>, version: i64, sent_version: i64, rewritten: i64,
    }
    DeliveryRow in deliveries as deliveries {
        id: String, state: String, order_key: String, error: Option<String>, comment_id: Option<i64>,
    }
    CommandRow in commands_done as commands { comment_id: i64, line: i64, }
    DoubtRow in doubts as doubts { repo_id: String, kind: String, number: i64, }
}

/// An audit event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct EventRow {
    pub(crate) chain: String,
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) task_id: Option<String>,
    pub(crate) lease_id: Option<String>,
}

impl LeaseRow {
    pub(crate) fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Returns the time at which it runs out, unless its worker acts.
    pub(crate) fn due_at(&self) -> i64 {
        self.expires_at.min(self.ack_by.unwrap_or(i64::MAX))
    }
}

impl RepoRow {
    /// Returns GitHub's id of the repository.
    pub(crate) fn github(&self) -> Option<u64> {
        self.github_id.and_then(|id| u64::try_from(id).ok())
    }

    /// Returns the last valid policy file; null if there is none.
    pub(crate) fn policy(&self) -> Value {
        let file = self.policy_file.as_deref().and_then(|text| serde_json::from_str(text).ok());
        file.unwrap_or_default()
    }
}

impl Rows {
    pub(crate) fn task(&self, id: &str) -> Option<&TaskRow> {
        self.tasks.iter().find(|task| task.id == id)
    }

    pub(crate) fn repo(&self, id: &str) -> Option<&RepoRow> {
        self.repos.iter().find(|repo| repo.id == id)
    }

    pub(crate) fn worker(&self, id: &str) -> Option<&WorkerRow> {
        self.workers.iter().find(|worker| worker.id == id)
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &LeaseRow> {
        self.leases.iter().filter(|lease| lease.is_live())
    }
}

fn parse<T: serde::de::DeserializeOwned>(table: &str, json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("the rows of {table} are not as expected: {error}"))
}

/// Tables that only the checks in the end look at.
const LATE: [&str; 2] = ["wanted_comments", "doubts"];

/// A connection of the simulator's own.
enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Runtime, Box<AnyConnection>),
}

impl Connection {
    fn open(database: &Database) -> Self {
        if let Some(file) = database.url.strip_prefix("sqlite:") {
            return Self::Sqlite(rusqlite::Connection::open(file).expect("the database opens"));
        }
        sqlx::any::install_default_drivers();
        let runtime = runtime();
        let connection = runtime.block_on(AnyConnection::connect(&database.url)).expect("the database answers");
        Self::Postgres(runtime, Box::new(connection))
    }

    /// Returns a counter of the changes that others committed, where there is one.
    fn version(&self) -> Option<i64> {
        let Self::Sqlite(connection) = self else { return None };
        Some(connection.pragma_query_value(None, "data_version", |row| row.get(0)).expect("the database answers"))
    }

    /// Returns the two columns of each row.
    fn pairs(&mut self, sql: &str, value: String) -> Vec<(String, String)> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql).expect("the statement is known");
                let found = statement.query_map([value], |row| Ok((row.get(0)?, row.get(1)?)));
                found.and_then(Iterator::collect).expect("the database answers")
            }
            Self::Postgres(runtime, connection) => {
                let query = sqlx::query(AssertSqlSafe(sql)).bind(value);
                let found = runtime.block_on(query.fetch_all(&mut **connection)).expect("the database answers");
                found.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        }
    }
}

/// Reads the database.
pub(crate) struct Reader {
    connection: Connection,
    /// The query of what the checks after every commit read, and that of everything.
    some: String,
    all: String,
    /// The last event seen of each chain.
    seen: BTreeMap<String, i64>,
    version: i64,
}

impl Reader {
    pub(crate) fn open(database: &Database) -> Self {
        let connection = Connection::open(database);
        let is_sqlite = database.is_sqlite;
        let query = |complete: bool| {
            let chosen = Rows::TABLES.iter().filter(|(table, _)| complete || !LATE.contains(table));
            let mut all: Vec<String> = chosen.map(|(table, columns)| collect(is_sqlite, table, columns, "")).collect();
            let known = if is_sqlite {
                "(SELECT value FROM json_each($1) WHERE key = chain)"
            } else {
                "CAST(CAST($1 AS json) ->> chain AS bigint)"
            };
            let columns = ["chain", "seq", "id", "kind", "task_id", "lease_id"];
            all.push(collect(is_sqlite, "events", &columns, &format!("WHERE seq > COALESCE({known}, 0)")));
            all.join(" UNION ALL ")
        };
        let (some, all) = (query(false), query(true));
        Self { connection, some, all, seen: BTreeMap::new(), version: 0 }
    }

    /// Returns true if anything may have been committed since the last time.
    pub(crate) fn has_changed(&mut self) -> bool {
        let version = self.connection.version();
        version.is_none_or(|version| std::mem::replace(&mut self.version, version) != version)
    }

    /// Reads the tables, and the events since the last time; all tables if it is to be complete.
    pub(crate) fn read(&mut self, complete: bool) -> Rows {
        let sql = if complete { &self.all } else { &self.some };
        let seen = serde_json::json!(self.seen).to_string();
        let mut rows = Rows::default();
        for (table, json) in self.connection.pairs(sql, seen) {
            rows.fill(&table, &json);
        }
        rows.events.sort_by(|a, b| (&a.chain, a.seq).cmp(&(&b.chain, b.seq)));
        for event in &rows.events {
            let last = self.seen.entry(event.chain.clone()).or_default();
            *last = (*last).max(event.seq);
        }
        rows
    }
}

/// Returns a query for rows of a table as one JSON list.
fn collect(is_sqlite: bool, table: &str, columns: &[&str], filter: &str) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {column}")).collect();
    let pairs = pairs.join(", ");
    let list = if is_sqlite {
        format!("json_group_array(json_object({pairs}))")
    } else {
        format!("CAST(COALESCE(json_agg(json_build_object({pairs})), '[]') AS TEXT)")
    };
    format!("SELECT '{table}' AS name, {list} AS found FROM {table} {filter}")
}
