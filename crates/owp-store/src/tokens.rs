//! Bearer tokens: stored as hashes, replaced without a gap. A token made by a rotation is *fresh* until it is used for
//! the first time; that use revokes every other token of its worker. Until then the old one works, so a client whose
//! answer was lost is never locked out.

use super::error::StoreError;
use super::tx::{Tx, statements};
use owp_pool::WorkerId;
use sqlx::Row;

statements! {
    TOKEN_FRESH_DROP = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1 AND fresh = 1";
    TOKEN_FRESH_INSERT = "INSERT INTO worker_tokens (token_hash, worker_id, created_at, fresh) VALUES ($1, $2, $3, 1)";
    TOKEN_IS_FRESH = "SELECT fresh FROM worker_tokens WHERE token_hash = $1 AND revoked = 0";
    TOKEN_USED = "UPDATE worker_tokens SET fresh = 0 WHERE token_hash = $1 AND fresh = 1 AND revoked = 0";
    TOKENS_OTHER_REVOKE = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1 AND token_hash <> $2";
    TOKENS_REVOKE = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1";
}

impl Tx {
    /// Stores a rotated token's hash. One that was rotated before and never used is forgotten: a worker has two tokens
    /// at most.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn insert_fresh_token(&mut self, hash: &str, worker: &WorkerId) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(sqlx::query(TOKEN_FRESH_DROP).bind(worker.as_str())).await?;
        self.run(sqlx::query(TOKEN_FRESH_INSERT).bind(hash).bind(worker.as_str()).bind(now)).await.map(drop)
    }

    /// True while a rotated token waits for its first use.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn token_is_fresh(&mut self, hash: &str) -> Result<bool, StoreError> {
        let row = self.one(sqlx::query(TOKEN_IS_FRESH).bind(hash)).await?;
        Ok(row.map(|row| row.try_get::<i64, _>("fresh")).transpose()?.is_some_and(|fresh| fresh != 0))
    }

    /// Records a fresh token's first use, which ends the worker's other tokens. False when it was not fresh any more.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn use_fresh_token(&mut self, hash: &str, worker: &WorkerId) -> Result<bool, StoreError> {
        if self.run(sqlx::query(TOKEN_USED).bind(hash)).await? == 0 {
            return Ok(false);
        }
        self.run(sqlx::query(TOKENS_OTHER_REVOKE).bind(worker.as_str()).bind(hash)).await?;
        Ok(true)
    }

    pub(super) async fn revoke_tokens(&mut self, worker: &WorkerId) -> Result<(), StoreError> {
        self.run(sqlx::query(TOKENS_REVOKE).bind(worker.as_str())).await.map(drop)
    }
}
