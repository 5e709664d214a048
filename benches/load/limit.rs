//! The physical limit: the rows that lifecycles change, written by one loop to a database of the program's schema, without
//! HTTP, rules or queries. A batch is a few statements for the rows of all its lifecycles, and a commit with its fsync.

use crate::measure::as_float;
use crate::server::{Server, Setup};
use rusqlite::Connection;
use sqlx::{Connection as _, PgConnection};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lifecycles in one commit: about as many as 20 workers have under way.
const BATCH: usize = 10;

/// The states that a lifecycle moves a task to, with the number of events of each move.
const MOVES: [(&str, usize); 4] = [("leased", 1), ("in_progress", 1), ("pr_opened", 3), ("merged", 2)];
/// Tasks of which each is worked on once.
const TASKS: usize = 20_000;

/// Returns lifecycles a second on SQLite.
pub(crate) async fn lifecycles(binary: &Path, seconds: f64) -> f64 {
    let mut server = Server::start(binary, &Setup::default()).await;
    let file = server.stop_for_its_file();
    let database = Connection::open(file).expect("the database opens");
    for setting in ["journal_mode = WAL", "synchronous = FULL", "temp_store = MEMORY"] {
        database.execute_batch(&format!("PRAGMA {setting}")).expect("the setting is known");
    }
    database.execute_batch(&rows()).expect("the rows are written");
    let (began, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let (mut done, mut seq) = (0, 0);
    while began.elapsed() < limit && done + BATCH <= TASKS {
        database.execute_batch(&batch(done, &mut seq)).expect("it is committed");
        done += BATCH;
    }
    as_float(done) / began.elapsed().as_secs_f64()
}

/// Returns lifecycles a second on PostgreSQL.
pub(crate) async fn lifecycles_on_postgres(binary: &Path, url: &str, seconds: f64) -> f64 {
    // It makes the schema.
    drop(Server::start(binary, &Setup { database: Some(url), ..Setup::default() }).await);
    let mut database = PgConnection::connect(url).await.expect("the database opens");
    let mut run = async |text: String| sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut database).await;
    run(rows()).await.expect("the rows are written");
    let (began, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let (mut done, mut seq) = (0, 0);
    while began.elapsed() < limit && done + BATCH <= TASKS {
        run(batch(done, &mut seq)).await.expect("it is committed");
        done += BATCH;
    }
    as_float(done) / began.elapsed().as_secs_f64()
}

/// Returns the statements that write the rows of a batch of lifecycles, for all of them together.
fn batch(first: usize, seq: &mut usize) -> String {
    let numbers = first..first + BATCH;
    let hash = format!("{first:064x}");
    let task = |n: usize| format!("'t_{}'", 1_000_000_000 + n);
    let tasks = numbers.clone().map(task).collect::<Vec<_>>().join(", ");
    let mut text = format!("BEGIN; UPDATE workers SET last_seen = {first} WHERE id = 'w_1';");
    let mut add = |statement: String| write!(text, "{statement};").expect("a string grows");
    for (state, events) in MOVES {
        add(format!(
            "UPDATE tasks SET state = '{state}', epoch = 1, ready_since = 1, assignee = 'w_1', last_holder = 'c:w_1',
            last_lease = 'l_' || substr(id, 3) WHERE id IN ({tasks})"
        ));
        match state {
            "leased" => add(format!(
                "INSERT INTO leases (id, task_id, repo_id, worker_id, person, epoch, state, via, estimate, granted_at,
                expires_at, ttl, max_until) SELECT 'l_' || substr(id, 3), id, 'r_0', 'w_1', 'c:w_1', 1, 'active', 'rest',
                1, 1, 1, 1, 1 FROM tasks WHERE id IN ({tasks})"
            )),
            "pr_opened" => {
                add(format!("UPDATE leases SET state = 'merged', ended_at = 1 WHERE task_id IN ({tasks})"));
            }
            "merged" => add(format!(
                "INSERT INTO outcomes (repo_id, person, task_id, kind, at)
                SELECT 'r_0', 'c:w_1', id, 'merged', 1 FROM tasks WHERE id IN ({tasks})"
            )),
            _ => {}
        }
        let mut events_of = |n: usize| {
            *seq += 1;
            format!(
                "('r_0', {seq}, 'e_{seq:013}', 'task.in_progress', {}, 'w_1', 'l_{}', '{{\"status\":\"in_progress\"}}',
                '{hash}', '{hash}', '{hash}', 1, {seq})",
                task(n),
                1_000_000_000 + n
            )
        };
        let values: Vec<String> =
            numbers.clone().flat_map(|n| std::iter::repeat_n(n, events)).map(&mut events_of).collect();
        add(format!(
            "INSERT INTO events (chain, seq, id, kind, task_id, worker_id, lease_id, payload, salt, digest, hash, at, feed)
            VALUES {}",
            values.join(", ")
        ));
        add(format!("UPDATE chains SET seq = {seq}, hash = '{hash}' WHERE chain = 'r_0'"));
    }
    add("COMMIT".to_owned());
    text
}

/// Returns the statements that write what the lifecycles begin with.
fn rows() -> String {
    format!(
            "INSERT INTO repositories (id, name, name_key, managed, heard_until, heard_at, created_at, ceiling)
                VALUES ('r_0', 'acme/repo0', 'acme/repo0', 0, 0, 0, 1, 100);
            INSERT INTO workers (id, name, person, skills, capacity, max_concurrent, last_seen, created_at)
                VALUES ('w_1', 'worker', 'c:w_1', '[]', 5, 2, 1, 1);
            INSERT INTO chains (chain, seq, hash) VALUES ('r_0', 0, '');
            INSERT INTO tasks (id, repo_id, title, description, estimate, priority, tier, state, ready_since, created_at, skills,
                assignees) WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {TASKS} - 1)
                SELECT 't_' || (1000000000 + i), 'r_0', 'A task', 'Its text', 1, 0, 0, 'ready', i, 1, '[]', '[]' FROM n"
    )
}
