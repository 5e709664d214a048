//! Bearer tokens, stored as hashes and rotated without a gap. A rotated token is *fresh* until its first use, which
//! revokes every other token of its worker. Until then the old token works, so a worker that did not receive the
//! response is not locked out.

use super::error::StoreError;
use super::nouns::Tokens;
use super::statement::query;
use super::tx::statements;
use owp_pool::WorkerId;

statements! {
    TOKEN_FRESH_DROP = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1 AND fresh = 1";
    TOKEN_FRESH_INSERT = "INSERT INTO worker_tokens (token_hash, worker_id, created_at, fresh) VALUES ($1, $2, $3, 1)";
    TOKEN_USED = "UPDATE worker_tokens SET fresh = 0 WHERE token_hash = $1 AND fresh = 1 AND revoked = 0";
    TOKENS_OTHER_REVOKE = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1 AND token_hash <> $2";
    TOKENS_REVOKE = "UPDATE worker_tokens SET revoked = 1 WHERE worker_id = $1";
}

impl Tokens<'_> {
    /// Stores the hash of a rotated token. An earlier token that is still fresh is revoked, so a worker has at most two
    /// tokens.
    pub async fn insert_fresh(&mut self, hash: &str, worker: &WorkerId) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(TOKEN_FRESH_DROP).bind(worker.as_str())).await?;
        self.run(query(TOKEN_FRESH_INSERT).bind(hash).bind(worker.as_str()).bind(now)).await.map(drop)
    }

    /// Records a fresh token's first use, which revokes the worker's other tokens. Returns false if it is not fresh.
    pub async fn use_fresh(&mut self, hash: &str, worker: &WorkerId) -> Result<bool, StoreError> {
        if self.run(query(TOKEN_USED).bind(hash)).await? == 0 {
            return Ok(false);
        }
        self.run(query(TOKENS_OTHER_REVOKE).bind(worker.as_str()).bind(hash)).await?;
        Ok(true)
    }

    pub(super) async fn revoke(&mut self, worker: &WorkerId) -> Result<(), StoreError> {
        self.run(query(TOKENS_REVOKE).bind(worker.as_str())).await.map(drop)
    }
}
