//! One schema and one set of statements for both engines.

use super::*;
use crate::{Dialect, Store, migrations::MIGRATIONS};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use std::path::Path;

on_both_engines! {
    async fn every_statement_of_the_room_prepares(bench) {
        let mut conn = bench.outside().await;
        let statements = Store::statements();
        assert!(statements.len() > 80, "the list is too short to be all of them: {}", statements.len());
        for (name, sql) in statements {
            let prepared = conn.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
            assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
        }
    }

    async fn what_one_engine_alone_is_told_prepares_there(bench) {
        let mut conn = bench.outside().await;
        let dialect = bench.dialect();
        for (name, sql) in crate::locks::STATEMENTS {
            let prepared = conn.prepare(sql.into_sql_str()).await;
            assert_eq!(prepared.is_ok(), dialect == Dialect::Postgres, "{name}: {:?}", prepared.err());
        }
        conn.prepare(dialect.forget_ended_codes().into_sql_str()).await.unwrap();
    }

    async fn a_statement_that_makes_no_sense_does_not_prepare(bench) {
        let mut conn = bench.outside().await;
        assert!(conn.prepare("SELECT no_such_column FROM tasks".into_sql_str()).await.is_err());
    }
}

/// PostgreSQL refuses a prepared `*` once a migration has added a column, so replicas that run meanwhile would fail.
#[test]
fn statements_name_their_columns() {
    let star = |sql: &str| {
        let selects = |word: &str| sql.contains(&format!("{word} *")) || sql.contains(&format!("{word}\n*"));
        selects("SELECT") || selects("DISTINCT") || selects("RETURNING") || sql.contains(".*") || sql.contains(", *")
    };
    assert!(star("SELECT * FROM tasks") && star("SELECT t.*, 1") && star("RETURNING *"));
    for (name, sql) in Store::statements() {
        assert!(!star(sql), "{name}: {sql}");
    }
}

/// The token cache knows a statement that changes a worker by the beginning of its text.
#[test]
fn whatever_changes_the_worker_of_a_token_is_known() {
    let changes = |sql: &str| {
        let of = |table: &str| ["UPDATE", "DELETE FROM", "INSERT INTO"].map(|does| format!("{does} {table} "));
        let first = sql.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        ["workers", "worker_tokens", "people"]
            .iter()
            .any(|table| of(table).iter().any(|does| first.starts_with(does.as_str())))
    };
    let mut known = 0;
    for (name, sql) in Store::statements() {
        let inserts = sql.starts_with("INSERT INTO workers") || sql.starts_with("INSERT INTO worker_tokens");
        if changes(sql) && !inserts {
            assert!(crate::token_cache::is_known_to_change(sql), "{name}: {sql}");
            assert!(!sql.contains("RETURNING"), "{name} has to be run as one that changes rows");
            known += 1;
        }
    }
    assert!(known > 10, "the test finds only {known} such statements");
}

#[test]
fn every_migration_in_the_folder_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut files: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    files.sort();
    let listed: Vec<String> = MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
    assert_eq!(files, listed);
}
