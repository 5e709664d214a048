//! The workers behind tokens, kept in memory where no other process can change them. A commit that may have changed one
//! forgets it before its callers are answered, so that a revoked token is refused from the moment its revocation is
//! confirmed.

use super::Store;
use super::error::StoreError;
use super::transaction;
use owp_pool::WorkerId;
use owp_pool::worker::Worker;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Tokens that are kept; with one more, all are forgotten.
const MOST: usize = 50_000;

/// Statements that change what a token stands for. An inserted worker or token was never kept.
const CHANGING: [&str; 4] = ["UPDATE workers", "UPDATE worker_tokens", "INSERT INTO people", "UPDATE people"];
/// A sign of life, which changes one worker.
const SIGN_OF_LIFE: &str = "UPDATE workers SET last_seen";

/// What a transaction may have changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) anyone: bool,
    pub(super) workers: Vec<WorkerId>,
}

impl Changed {
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
pub(super) struct Holders(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    workers: HashMap<String, Worker>,
    /// Number of times that something was forgotten. What was read before the last time may be old.
    forgotten: u64,
}

impl Holders {
    fn get(&self, hash: &str) -> Result<Worker, u64> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.workers.get(hash).cloned().ok_or(kept.forgotten)
    }

    /// Keeps a worker that was read after `forgotten` was current.
    fn keep(&self, hash: &str, worker: &Worker, forgotten: u64) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.forgotten != forgotten {
            return;
        }
        if kept.workers.len() >= MOST {
            kept.workers.clear();
        }
        kept.workers.insert(hash.to_owned(), worker.clone());
    }

    /// Forgets what a transaction may have changed.
    pub(super) fn forget(&self, changed: &Changed) {
        if !changed.anyone && changed.workers.is_empty() {
            return;
        }
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.forgotten += 1;
        if changed.anyone {
            kept.workers.clear();
        } else {
            kept.workers.retain(|_, worker| !changed.workers.contains(&worker.id));
        }
    }
}

impl Store {
    /// Returns the worker of a token, by the token's hash, and whether the token waits for its first use.
    ///
    /// # Errors
    /// The database failed.
    pub async fn holder(&self, hash: &str) -> Result<Option<(Worker, bool)>, StoreError> {
        let holders = &self.0.settings.holders;
        let forgotten = match holders.get(hash) {
            Ok(worker) => return Ok(Some((worker, false))),
            Err(forgotten) => forgotten,
        };
        let of = hash.to_owned();
        let found = self
            .read(transaction!(|tx| {
                let Some(worker) = tx.workers().by_token(&of).await? else { return Ok::<_, StoreError>(None) };
                Ok(Some((worker, tx.tokens().is_fresh(&of).await?)))
            }))
            .await?;
        if let Some((worker, false)) = &found
            && self.is_alone()
        {
            holders.keep(hash, worker, forgotten);
        }
        Ok(found)
    }
}

#[cfg(test)]
pub(super) fn is_known_to_change(sql: &str) -> bool {
    is_changing(sql) || sql.starts_with(SIGN_OF_LIFE)
}
