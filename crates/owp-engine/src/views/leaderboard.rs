//! The leaderboard: merged work in public repositories, fading with time, of contributors who asked to be on it.

use crate::error::EngineError;
use crate::{Views, Workers};
use owp_pool::reputation::{Score, faded};
use owp_pool::{Person, Timestamp};
use owp_store::{Scope, transaction};
use std::collections::BTreeMap;

/// Contributors whose work is weighed, and those shown.
const WEIGHED: i64 = 100;
const SHOWN: usize = 50;

/// The leaderboard.
#[derive(Debug, Clone)]
pub struct Leaderboard {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// The contributors, the highest score first.
    pub leaders: Vec<LeaderView>,
}

/// A contributor on the leaderboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderView {
    /// GitHub login.
    pub login: String,
    /// Merged tasks after decay.
    pub score: Score,
    /// Merged tasks by repository.
    pub merged: BTreeMap<String, usize>,
    /// Time of the last merge.
    pub last: Timestamp,
}

impl Views<'_> {
    /// Returns the leaderboard.
    pub async fn leaderboard(&self) -> Result<Leaderboard, EngineError> {
        self.read(transaction!(|tx| {
            let (now, mut leaders) = (tx.now(), Vec::new());
            for leader in tx.standings().leaders(WEIGHED).await? {
                let merges = tx.standings().public_merges(&leader.person).await?;
                let times: Vec<Timestamp> = merges.iter().map(|(_, at)| *at).collect();
                let Some(last) = times.first().copied() else { continue };
                let mut merged = BTreeMap::new();
                for (repo, _) in merges {
                    *merged.entry(repo).or_default() += 1;
                }
                leaders.push(LeaderView { login: leader.login, score: faded(&times, now), merged, last });
            }
            leaders.sort_by(|a: &LeaderView, b| b.score.cmp(&a.score).then_with(|| a.login.cmp(&b.login)));
            leaders.truncate(SHOWN);
            Ok(Leaderboard { now, leaders })
        }))
        .await
    }

    /// Returns true if a GitHub user asked to be on the leaderboard.
    pub async fn is_on_leaderboard(&self, github_id: i64) -> Result<bool, EngineError> {
        let person = Person::GitHub(github_id);
        self.read(transaction!(|tx| Ok(tx.standings().is_on_leaderboard(&person).await?))).await
    }
}

impl Workers<'_> {
    /// Puts a GitHub user on the leaderboard, or takes them off it.
    pub async fn set_on_leaderboard(&self, github_id: i64, on: bool) -> Result<(), EngineError> {
        let person = Person::GitHub(github_id);
        self.write(Scope::global(), transaction!(|tx| Ok(tx.standings().set_on_leaderboard(&person, on).await?))).await
    }
}
