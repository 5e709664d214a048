//! What the database says, read by the simulator itself: its checks must not share the mistakes of the store.

use crate::database::{Database, runtime};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Declares the rows that the checks look at: the table and its columns.
macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident in $table:ident as $field:ident { $($column:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
            pub(crate) struct $row { $(pub(crate) $column: $type,)* }
        )*

        /// The rows of one moment, and the events since the moment before. Tables of [`LATE`] are as they were when all
        /// tables were read last.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Rows { $(pub(crate) $field: Arc<[$row]>,)* pub(crate) events: Vec<EventRow> }

        impl Rows {
            const TABLES: &'static [(&'static str, &'static [&'static str])] =
                &[$((stringify!($table), &[$(stringify!($column),)*]),)*];

            fn fill(&mut self, table: &str, json: &str) {
                match table {
                    $(stringify!($table) => self.$field = parse(table, json).into(),)*
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
    MergeRow in merges as merges { person: String, repo_id: String, tasks: i64, }
    TaskCountRow in task_counts as task_counts { repo_id: String, state: String, tasks: i64, }
    LeaseEndRow in lease_ends as lease_ends { repo_id: String, reason: String, leases: i64, }
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

fn parse<T: serde::de::DeserializeOwned>(table: &str, json: &str) -> Vec<T> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("the rows of {table} are not as expected: {error}"))
}

/// Tables that only the checks in the end look at.
const LATE: [&str; 2] = ["wanted_comments", "doubts"];
const EVENTS: (&str, &[&str]) = ("events", &["chain", "seq", "id", "kind", "task_id", "lease_id"]);

/// Returns statements with which a SQLite database counts the changes of each table, so that the reader reads again only
/// what has changed.
pub(crate) fn counters() -> String {
    let tables = Rows::TABLES.iter().chain([&EVENTS]).map(|(table, _)| table);
    let triggers = tables.map(|table| {
        let on = |act: &str| {
            let count = format!("UPDATE simulation_changes SET number = number + 1 WHERE name = '{table}'");
            format!("CREATE TRIGGER simulation_{table}_{act} AFTER {act} ON {table} BEGIN {count}; END;\n")
        };
        let row = format!("INSERT INTO simulation_changes VALUES ('{table}', 1);\n");
        row + &["INSERT", "UPDATE", "DELETE"].map(on).concat()
    });
    let made = "CREATE TABLE simulation_changes (name TEXT PRIMARY KEY, number BIGINT NOT NULL) WITHOUT ROWID;\n";
    made.to_owned() + &triggers.collect::<String>()
}

/// Reads the database.
pub(crate) struct Reader {
    connection: Connection,
    /// The rows of the last time.
    rows: Rows,
}

/// A connection of the simulator's own.
enum Connection {
    Sqlite {
        connection: rusqlite::Connection,
        /// The counter of the commits of others.
        version: i64,
        /// The number of changes of each table, when it was read last.
        read_at: BTreeMap<String, i64>,
        /// The last event read; events are never deleted here.
        last_event: i64,
    },
    Postgres {
        runtime: Runtime,
        connection: Box<AnyConnection>,
        /// The last event read of each chain.
        seen: BTreeMap<String, i64>,
    },
}

impl Reader {
    pub(crate) fn open(database: &Database) -> Self {
        let connection = if let Some(file) = database.url.strip_prefix("sqlite:") {
            let connection = rusqlite::Connection::open(file).expect("the database opens");
            connection.set_prepared_statement_cache_capacity(64);
            Connection::Sqlite { connection, version: 0, read_at: BTreeMap::new(), last_event: 0 }
        } else {
            sqlx::any::install_default_drivers();
            let runtime = runtime();
            let connection = runtime.block_on(AnyConnection::connect(&database.url)).expect("the database answers");
            Connection::Postgres { runtime, connection: Box::new(connection), seen: BTreeMap::new() }
        };
        Self { connection, rows: Rows::default() }
    }

    /// Returns true if anything may have been committed since the last time.
    pub(crate) fn has_changed(&mut self) -> bool {
        let Connection::Sqlite { connection, version, .. } = &mut self.connection else { return true };
        let now = connection.pragma_query_value(None, "data_version", |row| row.get(0)).expect("the database answers");
        std::mem::replace(version, now) != now
    }

    /// Reads the tables, and the events since the last time; all tables if it is to be complete.
    pub(crate) fn read(&mut self, complete: bool) -> Rows {
        let chosen = Rows::TABLES.iter().filter(|(table, _)| complete || !LATE.contains(table));
        let found = match &mut self.connection {
            Connection::Sqlite { connection, read_at, last_event, .. } => {
                read_sqlite(connection, chosen, read_at, last_event).expect("the database answers")
            }
            Connection::Postgres { runtime, connection, seen } => {
                let known = "CAST(CAST($1 AS json) ->> chain AS bigint)";
                let events = collect_json_agg(EVENTS, &format!("WHERE seq > COALESCE({known}, 0)"));
                let all: Vec<_> = chosen.map(|table| collect_json_agg(*table, "")).chain([events]).collect();
                let query =
                    sqlx::query(AssertSqlSafe(all.join(" UNION ALL "))).bind(serde_json::json!(seen).to_string());
                let found = runtime.block_on(query.fetch_all(&mut **connection)).expect("the database answers");
                found.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        };
        self.rows.events.clear();
        for (table, json) in found {
            self.rows.fill(&table, &json);
        }
        self.rows.events.sort_by(|a, b| (&a.chain, a.seq).cmp(&(&b.chain, b.seq)));
        if let Connection::Postgres { seen, .. } = &mut self.connection {
            for event in &self.rows.events {
                let last = seen.entry(event.chain.clone()).or_default();
                *last = (*last).max(event.seq);
            }
        }
        self.rows.clone()
    }
}

/// Returns the name and the rows of each table that has changed, and the events since the last time.
fn read_sqlite<'t>(
    connection: &rusqlite::Connection,
    tables: impl Iterator<Item = &'t (&'static str, &'static [&'static str])>,
    read_at: &mut BTreeMap<String, i64>,
    last_event: &mut i64,
) -> rusqlite::Result<Vec<(String, String)>> {
    // Nothing is committed meanwhile: no process has a turn.
    let mut counters = connection.prepare_cached("SELECT name, number FROM simulation_changes")?;
    let counters = counters.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let changed: BTreeMap<String, i64> = counters.collect::<rusqlite::Result<_>>()?;
    let mut found = Vec::new();
    for table in tables.chain([&EVENTS]) {
        let number = changed.get(table.0).copied();
        if number.is_some() && number == read_at.get(table.0).copied() {
            continue;
        }
        let mut rows = connection.prepare_cached(&collect_json_group_array(*table))?;
        let after = if *table == EVENTS { *last_event } else { 0 };
        let (json, last): (String, Option<i64>) = rows.query_row([after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if *table == EVENTS {
            *last_event = last.unwrap_or(*last_event);
        }
        read_at.insert(table.0.to_owned(), number.unwrap_or_default());
        found.push((table.0.to_owned(), json));
    }
    Ok(found)
}

/// Returns a query for the rows of a table as one JSON list, and for the number of the last.
fn collect_json_group_array((table, columns): (&str, &[&str])) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {column}")).collect();
    let list = format!("json_group_array(json_object({}))", pairs.join(", "));
    format!("SELECT {list}, MAX(rowid) FROM {table} WHERE rowid > $1")
}

/// Returns a query for the name of a table, and for rows of it as one JSON list.
fn collect_json_agg((table, columns): (&str, &[&str]), filter: &str) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {column}")).collect();
    let list = format!("CAST(COALESCE(json_agg(json_build_object({})), '[]') AS TEXT)", pairs.join(", "));
    format!("SELECT '{table}' AS name, {list} AS found FROM {table} {filter}")
}
