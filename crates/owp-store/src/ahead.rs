//! Rows that are read together before they are asked for, for PostgreSQL, where a statement costs a round trip.
//!
//! A use case knows some of the rows it will need. [`Tx::read_ahead`] reads them in one statement; the calls that ask for
//! them then find them without one. They are forgotten at the transaction's first change, so nobody sees old rows. A call
//! that asks for something else runs its own statement, so nothing depends on what was read ahead.

use super::dialect::Dialect;
use super::error::StoreError;
use super::leases::{DECLINES, LEASE_BY_ID, LEASE_LIVE_OF_TASK, LEASES_LIVE_OF_WORKER};
use super::repos::{AREAS_HELD, REPO_BY_ID};
use super::resources::TASK_OWN_FIELDS;
use super::slots::{SLOTS_LEASES, SLOTS_REVIEWS};
use super::standing::{BARS_OF, releases_in, standing};
use super::statement::{Missing, Row, Sql, Value, query};
use super::tasks::TASK_BY_ID;
use super::tx::Tx;
use super::workers::{LOAD, WORKER_BY_ID};
use owp_pool::{LeaseId, Person, RepoId, Span, TaskId, Timestamp, WorkerId};
use std::sync::Arc;

/// Rows to read ahead.
#[derive(Debug, Clone, Copy)]
pub enum Ahead<'a> {
    /// A repository.
    Repo(&'a RepoId),
    /// A task.
    Task(&'a TaskId),
    /// A lease.
    Lease(&'a LeaseId),
    /// The live lease of a task.
    LiveLease(&'a TaskId),
    /// The live leases of a worker.
    LiveLeases(&'a WorkerId),
    /// A worker.
    Worker(&'a WorkerId),
    /// A worker's load.
    Load(&'a WorkerId),
    /// The live leases, held areas and open reviews of a manual repository.
    OpenWork(&'a RepoId),
    /// A contributor's standing in a repository.
    Standing(&'a RepoId, &'a Person),
    /// Those who may not have a task at the moment: who declined it in this span, and who is barred.
    Kept(&'a TaskId, Span),
    /// A task's own fields.
    OwnFields(&'a TaskId),
}

impl Ahead<'_> {
    fn statements(self, now: Timestamp) -> Vec<Sql> {
        let of = |sql, id: &str| query(sql).bind(id);
        match self {
            Self::Repo(id) => vec![of(REPO_BY_ID, id.as_str())],
            Self::Task(id) => vec![of(TASK_BY_ID, id.as_str())],
            Self::Lease(id) => vec![of(LEASE_BY_ID, id.as_str())],
            Self::LiveLease(id) => vec![of(LEASE_LIVE_OF_TASK, id.as_str())],
            Self::LiveLeases(id) => vec![of(LEASES_LIVE_OF_WORKER, id.as_str())],
            Self::Worker(id) => vec![of(WORKER_BY_ID, id.as_str())],
            Self::Load(id) => vec![of(LOAD, id.as_str())],
            Self::OpenWork(id) => [SLOTS_LEASES, AREAS_HELD, SLOTS_REVIEWS].map(|sql| of(sql, id.as_str())).into(),
            Self::Standing(repo, person) => vec![standing(repo, person, now), releases_in(repo, person, now)],
            Self::Kept(task, declined_for) => {
                let declines = of(DECLINES, task.as_str()).bind((now - declined_for).0);
                vec![declines, of(BARS_OF, task.as_str()).bind(now.0)]
            }
            Self::OwnFields(id) => vec![of(TASK_OWN_FIELDS, id.as_str())],
        }
    }
}

/// Rows that were read ahead, by their statements.
#[derive(Debug, Default)]
pub(super) struct ReadAhead(Vec<(Sql, Vec<Row>)>);

impl ReadAhead {
    pub(super) fn find(&self, sql: &Sql) -> Option<Vec<Row>> {
        self.0.iter().find(|(known, _)| known == sql).map(|(_, rows)| rows.clone())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Tx {
    /// Reads rows that the next calls will ask for, on PostgreSQL in one statement. On SQLite a statement costs no round
    /// trip, and nothing is read.
    pub async fn read_ahead(&mut self, rows: &[Ahead<'_>]) -> Result<(), StoreError> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let now = self.now();
        let statements: Vec<Sql> = rows.iter().flat_map(|rows| rows.statements(now)).collect();
        let results = self.all_together(&statements).await?;
        self.ahead.0.extend(statements.into_iter().zip(results));
        Ok(())
    }
}

/// Reads the rows of one statement from JSON; NULL means none.
pub(super) fn rows(json: Option<String>) -> Result<Vec<Row>, StoreError> {
    type Object = serde_json::Map<String, serde_json::Value>;
    let Some(json) = json else { return Ok(Vec::new()) };
    let objects: Vec<Object> = super::tx::json("rows", &json)?;
    let names: Arc<[String]> = objects.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
    let value = |value: serde_json::Value| match value {
        serde_json::Value::Null => Ok(Value::Null(Missing::Text)),
        serde_json::Value::String(text) => Ok(Value::Text(text)),
        serde_json::Value::Number(number) if number.is_i64() => Ok(Value::Integer(number.as_i64().unwrap_or_default())),
        other => Err(StoreError::Corrupt(format!("a column holds {other}"))),
    };
    objects
        .into_iter()
        .map(|object| {
            let values = object.into_iter().map(|(_, found)| value(found)).collect::<Result<_, _>>()?;
            Ok(Row::new(Arc::clone(&names), values))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_json_are_read_like_others() {
        let found = rows(Some(r#"[{"b":"x","a":-1},{"b":null,"a":9007199254740993}]"#.to_owned())).unwrap();
        assert_eq!(found[0].try_get::<String, _>("b").unwrap(), "x");
        assert_eq!(found[1].try_get::<Option<String>, _>("b").unwrap(), None);
        assert_eq!(found[1].try_get::<i64, _>("a").unwrap(), 9_007_199_254_740_993);
        assert!(rows(None).unwrap().is_empty());
    }
}
