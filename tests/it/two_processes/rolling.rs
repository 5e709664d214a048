//! Replicas behind a balancer are replaced one after the other, under load: no call is lost, and nothing is granted or said
//! twice.

use super::stage::Stage;
use super::under_load::survive;
use crate::support::database::{Db, TestDatabase};
use owp_testing::rounds;
use sqlx::{AnyConnection, Connection};
use std::sync::Arc;

const REPLICAS: usize = 3;
/// Number of restarts; the variable is for longer runs.
const RESTARTS: &str = "OWP_TEST_RESTARTS";
const DEFAULT_RESTARTS: usize = 9;
/// What the migrations of a later version may do while this one runs: each adds, and touches one table.
const LATER: [&str; 8] = [
    "ALTER TABLE repositories ADD COLUMN later TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE workers ADD COLUMN later TEXT",
    "ALTER TABLE tasks ADD COLUMN later TEXT",
    "ALTER TABLE leases ADD COLUMN later INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE wanted_comments ADD COLUMN later TEXT",
    "ALTER TABLE deliveries ADD COLUMN later TEXT",
    "CREATE INDEX leases_later ON leases (later, id)",
    "CREATE TABLE later (id TEXT PRIMARY KEY, task_id TEXT NOT NULL REFERENCES tasks (id))",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_restarted_one_by_one_lose_no_call() {
    let database = TestDatabase::empty(Db::Postgres).await;
    let stage = Arc::new(Stage::start_on(Some(&database.url), REPLICAS).await);
    let restart = async |round: usize| stage.restart_one(round % REPLICAS).await;
    let lost = Box::pin(survive(&stage, rounds(RESTARTS, DEFAULT_RESTARTS), restart)).await;
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_go_on_while_the_first_of_a_later_version_migrates_the_database() {
    let database = TestDatabase::empty(Db::Postgres).await;
    let stage = Arc::new(Stage::start_on(Some(&database.url), REPLICAS).await);
    let replace = async |round: usize| {
        if round == 0 {
            let mut first = AnyConnection::connect(&database.url).await.unwrap();
            for migration in LATER {
                sqlx::raw_sql(migration).execute(&mut first).await.unwrap();
            }
            first.close().await.unwrap();
        } else {
            stage.restart_one(round % REPLICAS).await;
        }
    };
    let lost = Box::pin(survive(&stage, 2 + REPLICAS, replace)).await;
    assert!(lost.is_empty(), "{lost:#?}");
}
