//! One schema and one set of statements for both engines.

use super::*;
use crate::{Dialect, Store};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use std::collections::BTreeMap;
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
        let own = [
            dialect.lock_repository(),
            dialect.lock_repositories(),
            dialect.lock_worker(),
            dialect.lock_person(),
            dialect.clock(),
        ];
        assert!(own.iter().all(|sql| sql.is_some() == (dialect == Dialect::Postgres)));
        for sql in own.into_iter().flatten() {
            conn.prepare(sql.into_sql_str()).await.unwrap();
        }
        conn.prepare(dialect.forget_ended_codes().into_sql_str()).await.unwrap();
    }

    async fn a_statement_that_makes_no_sense_does_not_prepare(bench) {
        let mut conn = bench.outside().await;
        assert!(conn.prepare("SELECT no_such_column FROM tasks".into_sql_str()).await.is_err());
    }
}

/// Returns the migrations of one engine by file name.
fn migrations(engine: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn both_engines_have_the_same_migrations_but_for_what_must_differ() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, sql) in &sqlite {
        // Text sorts by bytes, as on SQLite. Before version 18, PostgreSQL computes columns only on write.
        let derived = sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(") VIRTUAL", ") STORED");
        assert_eq!(derived, postgres[name], "{name}");
    }
}
