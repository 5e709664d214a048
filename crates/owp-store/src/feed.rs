//! The feed: one order over the events of all chains, for cursors and streams.
//!
//! On SQLite, which has one writer, events get their numbers when they are written. On PostgreSQL they are written under
//! the locks of their own chains and have no position in the feed at first. A numbering step gives committed events
//! consecutive numbers while it holds the single row of `feed`, which nothing else locks. So no commit waits for it, and
//! numbers become visible in order. A reader of `feed > n` therefore never skips an event, whichever replica wrote it and
//! however late it was committed (invariant 13).

use super::columns::columns;
use super::dialect::Dialect;
use super::error::StoreError;
use super::events::{EventRow, event_row};
use super::lane::Scope;
use super::nouns::Feed;
use super::statement::{Row, query};
use super::transaction;
use super::tx::statements;
use super::{GLOBAL_CHAIN, Store};
use owp_plants::{Plant, is_planted};
use std::collections::HashMap;

/// Most events numbered in one step, so that the row is held only briefly.
pub const FEED_BATCH: usize = 500;

statements! {
    // One row; index events_waiting.
    FEED_WAITS = "SELECT id FROM events WHERE feed IS NULL LIMIT 1";
    FEED_HEAD = "SELECT head FROM feed WHERE id = 1";
    // Locks the row on both engines until the commit.
    FEED_LOCK = "UPDATE feed SET head = head WHERE id = 1 RETURNING head";
    FEED_MOVE = "UPDATE feed SET head = $1 WHERE id = 1";
    // The oldest unnumbered events, each with its predecessors in the chain, so that a clock that went back cannot
    // reorder a chain. Indexes events_waiting and events_waiting_chain.
    FEED_WAITING = "WITH early AS (SELECT chain, MAX(seq) AS last FROM
            (SELECT chain, seq FROM events WHERE feed IS NULL ORDER BY id LIMIT $1) AS oldest GROUP BY chain)
        SELECT e.chain, e.seq, e.id FROM early JOIN events e ON e.chain = early.chain AND e.seq <= early.last
        WHERE e.feed IS NULL ORDER BY e.chain, e.seq";
    FEED_NUMBER = "UPDATE events SET feed = seq + $4 WHERE chain = $1 AND seq BETWEEN $2 AND $3 AND feed IS NULL";
    // Index events_feed.
    FEED_PAGE = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name, r.name_key AS repo_key, r.private AS repo_private
        FROM events e LEFT JOIN repositories r ON r.id = e.chain WHERE e.feed > $1 ORDER BY e.feed LIMIT $2");
    FEED_REPOS = "SELECT id, name AS repo_name, name_key AS repo_key, private AS repo_private FROM repositories
        WHERE id IN (SELECT chain FROM events WHERE feed > $1)";
}

/// An event with its position in the feed.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// Its position, from 1 without gaps.
    pub feed: i64,
    /// Its chain: a repository id, or [`GLOBAL_CHAIN`].
    pub chain: String,
    /// The event.
    pub event: EventRow,
}

/// Name and visibility of a repository at the time of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoVisibility {
    /// `owner/name`.
    pub name: String,
    /// The name in lower case; another value if another repository took the name over.
    pub key: String,
    /// True if it is private.
    pub private: bool,
}

impl FeedRow {
    /// Returns true for an event without a repository.
    #[must_use]
    pub fn is_of_the_pool(&self) -> bool {
        self.chain == GLOBAL_CHAIN
    }
}

impl Store {
    /// Numbers waiting events, at most one batch, and returns how many. If none waits, it writes nothing; on SQLite none
    /// ever does. It sends no notification, because the events are not new.
    pub async fn number_feed(&self) -> Result<usize, StoreError> {
        if self.dialect() == Dialect::Sqlite || !self.read(transaction!(|tx| tx.feed().waits().await)).await? {
            return Ok(0);
        }
        self.write(Scope::global(), transaction!(|tx| tx.feed().number_next(FEED_BATCH).await)).await
    }
}

impl Feed<'_> {
    async fn waits(&mut self) -> Result<bool, StoreError> {
        Ok(self.one(query(FEED_WAITS)).await?.is_some())
    }

    async fn number_next(&mut self, limit: usize) -> Result<usize, StoreError> {
        let head = self.one(query(FEED_LOCK)).await?;
        let head: i64 = head.ok_or_else(|| StoreError::Corrupt("the feed has no row".to_owned()))?.try_get("head")?;
        // Read only after the row is locked: events that another replica has just numbered no longer wait.
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.all(query(FEED_WAITING).bind(limit)).await?;
        let waiting = rows.iter().map(waiting).collect::<Result<Vec<_>, _>>()?;
        let mut next = head + 1;
        for run in runs(merged(waiting)) {
            let number = query(FEED_NUMBER).bind(run.chain.as_str()).bind(run.first).bind(run.last);
            let numbered = self.run(number.bind(next - run.first)).await?;
            if u64::try_from(run.len()) != Ok(numbered) {
                return Err(StoreError::Corrupt(format!(
                    "events of chain {} were numbered by another replica",
                    run.chain
                )));
            }
            next += run.len();
        }
        if is_planted(Plant::FeedHeadStaysBehind) && next - 1 > head + 2 {
            self.run(query(FEED_MOVE).bind(next - 2)).await?;
        } else {
            self.run(query(FEED_MOVE).bind(next - 1)).await?;
        }
        Ok(usize::try_from(next - 1 - head).unwrap_or(0))
    }

    /// Returns the last number given; 0 before the first.
    pub async fn head(&mut self) -> Result<i64, StoreError> {
        self.number(query(FEED_HEAD)).await
    }

    /// Returns the events after number `after` in feed order, with the current state of their repositories.
    pub async fn page(&mut self, after: i64, limit: i64) -> Result<Vec<(FeedRow, Option<RepoVisibility>)>, StoreError> {
        let rows = self.all(query(FEED_PAGE).bind(after).bind(limit)).await?;
        rows.iter()
            .map(|row| {
                let event = event_row(row)?;
                let face = event.repo.is_some().then(|| repo_visibility(row)).transpose()?;
                Ok((FeedRow { feed: row.try_get("feed")?, chain: row.try_get("chain")?, event }, face))
            })
            .collect()
    }

    /// Returns the current state of the repositories of the events after number `after`, by id.
    pub async fn repos_at(&mut self, after: i64) -> Result<HashMap<String, RepoVisibility>, StoreError> {
        let rows = self.all(query(FEED_REPOS).bind(after)).await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, repo_visibility(row)?))).collect()
    }
}

fn repo_visibility(row: &Row) -> Result<RepoVisibility, StoreError> {
    Ok(RepoVisibility {
        name: row.try_get("repo_name")?,
        key: row.try_get("repo_key")?,
        private: row.try_get::<i64, _>("repo_private")? != 0,
    })
}

/// An event without a number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    chain: String,
    seq: i64,
    id: String,
}

fn waiting(row: &Row) -> Result<Waiting, StoreError> {
    Ok(Waiting { chain: row.try_get("chain")?, seq: row.try_get("seq")?, id: row.try_get("id")? })
}

/// Merges chains by the ids of their events, which sort by time. Each chain keeps its own order even if a later event
/// has a smaller id: an event sorts by the largest id up to it.
fn merged(by_chain: Vec<Waiting>) -> Vec<Waiting> {
    let (mut keyed, mut chain, mut largest) = (Vec::with_capacity(by_chain.len()), String::new(), String::new());
    for event in by_chain {
        if event.chain != chain {
            (chain, largest) = (event.chain.clone(), String::new());
        }
        if event.id > largest {
            largest.clone_from(&event.id);
        }
        keyed.push((largest.clone(), event));
    }
    keyed.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.seq.cmp(&y.seq)));
    keyed.into_iter().map(|(_, event)| event).collect()
}

/// Events that are consecutive both in one chain and in the feed, so that one statement numbers them.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    chain: String,
    first: i64,
    last: i64,
}

impl Run {
    fn len(&self) -> i64 {
        self.last - self.first + 1
    }
}

fn runs(events: Vec<Waiting>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for event in events {
        match runs.last_mut() {
            Some(run) if run.chain == event.chain && run.last + 1 == event.seq => run.last = event.seq,
            _ => runs.push(Run { chain: event.chain, first: event.seq, last: event.seq }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(chain: &str, seq: i64, id: &str) -> Waiting {
        Waiting { chain: chain.to_owned(), seq, id: id.to_owned() }
    }

    fn order(events: Vec<Waiting>) -> Vec<(String, i64)> {
        merged(events).into_iter().map(|event| (event.chain, event.seq)).collect()
    }

    #[test]
    fn chains_are_merged_by_time() {
        let order = order(vec![event("a", 7, "e_1"), event("a", 8, "e_4"), event("b", 1, "e_2"), event("b", 2, "e_3")]);
        assert_eq!(order, [("a".into(), 7), ("b".into(), 1), ("b".into(), 2), ("a".into(), 8)]);
    }

    #[test]
    fn a_clock_that_went_back_does_not_turn_a_chain_around() {
        let order = order(vec![event("a", 1, "e_5"), event("a", 2, "e_1"), event("a", 3, "e_6"), event("b", 1, "e_3")]);
        assert_eq!(order, [("b".into(), 1), ("a".into(), 1), ("a".into(), 2), ("a".into(), 3)]);
    }

    #[test]
    fn what_follows_each_other_in_its_chain_is_numbered_at_once() {
        let runs =
            runs(vec![event("a", 1, ""), event("a", 2, ""), event("b", 3, ""), event("a", 3, ""), event("a", 5, "")]);
        let spans: Vec<_> = runs.iter().map(|run| (run.chain.as_str(), run.first, run.last)).collect();
        assert_eq!(spans, [("a", 1, 2), ("b", 3, 3), ("a", 3, 3), ("a", 5, 5)]);
    }
}
