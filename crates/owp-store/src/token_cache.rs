//! Cache of the workers of tokens, where no other process can change them. A commit that may have changed a worker
//! removes it before its callers get their responses, so a revoked token is refused as soon as its revocation is
//! confirmed.

use super::Store;
use super::error::StoreError;
use super::transaction;
use owp_pool::WorkerId;
use owp_pool::worker::Worker;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Limit on cached tokens; the cache is emptied when it is full.
const MOST: usize = 50_000;

/// Beginnings of statements that change the worker of a token. An inserted worker or token was never cached.
const CHANGING: [&str; 4] = ["UPDATE workers", "UPDATE worker_tokens", "INSERT INTO people", "UPDATE people"];
/// A heartbeat, which changes one worker.
const SIGN_OF_LIFE: &str = "UPDATE workers SET last_seen";

/// Workers that a transaction may have changed.
#[derive(Debug, Default)]
pub(super) struct ChangedWorkers {
    pub(super) anyone: bool,
    pub(super) workers: Vec<WorkerId>,
}

impl ChangedWorkers {
    /// Notes a statement that changed at least one row, or may have.
    pub(super) fn note(&mut self, sql: &str) {
        self.anyone |= is_changing(sql);
    }
}

fn is_changing(sql: &str) -> bool {
    CHANGING.iter().any(|begin| sql.starts_with(begin)) && !sql.starts_with(SIGN_OF_LIFE)
}

/// Workers by the hashes of their tokens.
#[derive(Default)]
pub(super) struct TokenCache(RwLock<Cached>);

#[derive(Default)]
struct Cached {
    workers: HashMap<String, Worker>,
    /// The hashes in `workers`, by worker.
    hashes: HashMap<WorkerId, Vec<String>>,
    /// Number of removals. A worker read before the last one may be outdated.
    removals: u64,
}

impl Cached {
    fn clear(&mut self) {
        self.workers.clear();
        self.hashes.clear();
    }
}

impl TokenCache {
    fn get(&self, hash: &str) -> Result<Worker, u64> {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.workers.get(hash).cloned().ok_or(cached.removals)
    }

    /// Adds a worker, unless something was removed since `removals` was read.
    fn add(&self, hash: &str, worker: &Worker, removals: u64) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.removals != removals {
            return;
        }
        if cached.workers.len() >= MOST {
            cached.clear();
        }
        if cached.workers.insert(hash.to_owned(), worker.clone()).is_none() {
            cached.hashes.entry(worker.id.clone()).or_default().push(hash.to_owned());
        }
    }

    /// Removes the workers that a transaction may have changed.
    pub(super) fn forget(&self, changed: &ChangedWorkers) {
        if !changed.anyone && changed.workers.is_empty() {
            return;
        }
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cached.removals += 1;
        if changed.anyone {
            return cached.clear();
        }
        for worker in &changed.workers {
            for hash in cached.hashes.remove(worker).unwrap_or_default() {
                cached.workers.remove(&hash);
            }
        }
    }
}

impl Store {
    /// Returns the worker of a token, by the token's hash, and whether the token waits for its first use.
    ///
    /// # Errors
    /// The database failed.
    pub async fn worker_of_token(&self, hash: &str) -> Result<Option<(Worker, bool)>, StoreError> {
        let tokens = &self.0.settings.tokens;
        let removals = match tokens.get(hash) {
            Ok(worker) => return Ok(Some((worker, false))),
            Err(removals) => removals,
        };
        let of = hash.to_owned();
        let found = self.read_one(transaction!(|tx| tx.workers().by_token(&of).await)).await?;
        if let Some((worker, false)) = &found
            && self.is_alone()
        {
            tokens.add(hash, worker, removals);
        }
        Ok(found)
    }
}

#[cfg(test)]
pub(super) fn is_known_to_change(sql: &str) -> bool {
    is_changing(sql) || sql.starts_with(SIGN_OF_LIFE)
}
