//! Responses stored for requests with an idempotency key (invariant 10). A key is reserved before its request runs and
//! settled with the response. A reservation whose owner died is taken over after it expires.

use super::error::StoreError;
use super::nouns::Answers;
use super::statement::{Row, query};
use super::tx::statements;
use owp_pool::{Span, Timestamp};

statements! {
    ANSWER_FIND = "SELECT body, busy_until, status, media_type, answer, created_at FROM idempotency WHERE scope = $1";
    ANSWER_RESERVE = "INSERT INTO idempotency (scope, body, busy_until, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (scope) DO NOTHING";
    ANSWER_TAKE_OVER = "UPDATE idempotency SET busy_until = $3 WHERE scope = $1 AND status IS NULL AND busy_until = $2";
    ANSWER_RENEW = "UPDATE idempotency SET body = $3, busy_until = $4, created_at = $5, status = NULL,
        media_type = NULL, answer = NULL WHERE scope = $1 AND created_at = $2";
    ANSWER_SETTLE = "UPDATE idempotency SET status = $3, media_type = $4, answer = $5
        WHERE scope = $1 AND busy_until = $2 AND status IS NULL";
    ANSWER_FORGET = "DELETE FROM idempotency WHERE scope = $1 AND busy_until = $2 AND status IS NULL";
    ANSWERS_ABANDONED = "DELETE FROM idempotency WHERE status IS NULL";
    ANSWERS_OLD = "SELECT scope FROM idempotency WHERE created_at < $1 LIMIT 1";
    ANSWERS_PURGE = "DELETE FROM idempotency WHERE created_at < $1";
}

/// Retention of stored responses.
const KEPT_FOR: Span = Span::hours(24);
/// Time for a request to respond before another may run it again. Short, because a worker whose call met the death of a
/// replica waits that long; an effect that comes later than its key was taken over is rolled back.
const BUSY_FOR: Span = Span::secs(15);

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: i64,
    /// The media type.
    pub media_type: String,
    /// The body.
    pub text: String,
}

/// Outcome of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The key is ours until this time: run the request and settle the key. The time identifies the reservation.
    Run(Timestamp),
    /// The request was answered before.
    Answered(KeptAnswer),
    /// Another request with this key is running and has until this time.
    Busy(Timestamp),
    /// The key was used with another body.
    OtherBody,
}

impl Answers<'_> {
    /// Releases every key whose request was never answered. Only for the sole process of a database, at startup.
    /// Effects commit with their responses, so none of these requests left an effect that must not be repeated.
    pub async fn release(&mut self) -> Result<(), StoreError> {
        self.run(query(ANSWERS_ABANDONED)).await.map(drop)
    }

    /// Reserves a key for a request body. Both are digests.
    pub async fn reserve(&mut self, scope: &str, body: &str) -> Result<Reserved, StoreError> {
        let now = self.now();
        let until = now + BUSY_FOR;
        let insert = query(ANSWER_RESERVE).bind(scope).bind(body).bind(until.0).bind(now.0);
        if self.run(insert).await? == 1 {
            return Ok(Reserved::Run(until));
        }
        let Some(row) = self.one(query(ANSWER_FIND).bind(scope)).await? else {
            // The row was deleted between the two statements, which can happen only on PostgreSQL.
            return Ok(Reserved::Busy(now + Span::secs(1)));
        };
        let at = |column: &str| row.try_get::<i64, _>(column).map(Timestamp);
        let (known, created_at, busy_until) = (row.try_get::<String, _>("body")?, at("created_at")?, at("busy_until")?);
        if created_at + KEPT_FOR <= now {
            let renew = query(ANSWER_RENEW).bind(scope).bind(created_at.0).bind(body).bind(until.0).bind(now.0);
            return Ok(if self.run(renew).await? == 1 { Reserved::Run(until) } else { Reserved::Busy(until) });
        }
        if known != body {
            return Ok(Reserved::OtherBody);
        }
        if let Some(answer) = kept(&row)? {
            return Ok(Reserved::Answered(answer));
        }
        if busy_until > now {
            return Ok(Reserved::Busy(busy_until));
        }
        let take_over = query(ANSWER_TAKE_OVER).bind(scope).bind(busy_until.0).bind(until.0);
        Ok(if self.run(take_over).await? == 1 { Reserved::Run(until) } else { Reserved::Busy(until) })
    }

    /// Stores the response of a key that was reserved until `until`. Returns false if that reservation was taken over
    /// after it expired, or was released. If a repeated request would have another effect, this belongs in the
    /// transaction of the effect.
    pub async fn settle(&mut self, scope: &str, until: Timestamp, answer: &KeptAnswer) -> Result<bool, StoreError> {
        let settle = query(ANSWER_SETTLE).bind(scope).bind(until.0).bind(answer.status);
        Ok(self.run(settle.bind(answer.media_type.as_str()).bind(answer.text.as_str())).await? == 1)
    }

    /// Returns the response stored under a key.
    pub async fn get(&mut self, scope: &str) -> Result<Option<KeptAnswer>, StoreError> {
        let row = self.one(query(ANSWER_FIND).bind(scope)).await?;
        row.map_or(Ok(None), |row| kept(&row))
    }

    /// Releases a reserved key whose request had no effect, so that its response need not be repeated. A reservation
    /// that was taken over stays.
    pub async fn forget(&mut self, scope: &str, until: Timestamp) -> Result<(), StoreError> {
        self.run(query(ANSWER_FORGET).bind(scope).bind(until.0)).await.map(drop)
    }

    /// Returns true if any response is past its retention; index `idempotency_age`.
    pub async fn has_old(&mut self) -> Result<bool, StoreError> {
        let before = self.now() - KEPT_FOR;
        Ok(self.one(query(ANSWERS_OLD).bind(before.0)).await?.is_some())
    }

    /// Deletes responses past their retention.
    pub async fn purge(&mut self) -> Result<u64, StoreError> {
        let before = self.now() - KEPT_FOR;
        self.run(query(ANSWERS_PURGE).bind(before.0)).await
    }
}

fn kept(row: &Row) -> Result<Option<KeptAnswer>, StoreError> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
    let Some(status) = row.try_get::<Option<i64>, _>("status")? else { return Ok(None) };
    Ok(Some(KeptAnswer { status, media_type: text("media_type")?, text: text("answer")? }))
}
