//! Idempotency keys: a call with a key has one effect, and the same response for a day (invariant 10).
//!
//! A key is reserved before its call runs, and settled with the response. Some calls would have a second effect when
//! repeated, or be refused as too late: adding tasks, claims, lease actions, status reports. They settle in the
//! transaction of the effect, through [`Keep`], so that neither exists without the other. All other calls set a value;
//! their response is stored right after the effect. If the process dies between the two, a retry after 15 s runs
//! the call again, which changes nothing more.
//!
//! A reservation ends by timeout or when its call is abandoned. A call still in progress then finds in [`Keep`] that it
//! has lost the key, and rolls back.

use crate::Workers;
use crate::error::EngineError;
use owp_plants::{Plant, is_planted};
use owp_pool::{Span, Timestamp};
use owp_store::{KeptAnswer, Reserved, Scope, Tx, transaction};

/// A reserved key; its owner runs the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    scope: String,
    until: Timestamp,
}

/// Result of reserving a key.
#[derive(Debug)]
pub enum Attempt {
    /// Run the call, then finish with its response.
    Run(Once),
    /// The call has this response already.
    Answered(KeptAnswer),
    /// The call is running; retry after this span.
    Busy(Span),
    /// The key belongs to another request body.
    OtherBody,
}

/// Renders the response from a call's result.
pub(crate) type Render<T> = Box<dyn Fn(&T) -> KeptAnswer + Send + Sync>;

/// Stores the response of a call in the transaction of its effect.
pub struct Keep<T: ?Sized> {
    /// The call's key.
    pub once: Once,
    /// Renders the response from the call's result.
    pub render: Render<T>,
}

/// Stores the response of a call with a key. Must come last in a call: a failure here rolls back the rest.
pub(crate) async fn settle<T: ?Sized + Sync>(keep: Option<Keep<T>>, tx: &mut Tx, done: &T) -> Result<(), EngineError> {
    let Some(Keep { once, render }) = keep else { return Ok(()) };
    let answer = render(done);
    if is_planted(Plant::AnswerIsKeptLater) {
        return Ok(());
    }
    if tx.answers().settle(&once.scope, once.until, &answer).await? { Ok(()) } else { Err(EngineError::KeyTaken) }
}

impl Workers<'_> {
    /// Reserves a key. `scope` is a digest of the caller, the route and the key; `body` is a digest of the request
    /// body.
    pub async fn begin_once(&self, scope: String, body: String) -> Result<Attempt, EngineError> {
        let asked = scope.clone();
        let (reserved, now) = self
            .write(Scope::global(), transaction!(|tx| Ok((tx.answers().reserve(&asked, &body).await?, tx.now()))))
            .await?;
        Ok(match reserved {
            Reserved::Run(until) => Attempt::Run(Once { scope, until }),
            Reserved::Answered(answer) => Attempt::Answered(answer),
            Reserved::Busy(until) => Attempt::Busy(until - now),
            Reserved::OtherBody => Attempt::OtherBody,
        })
    }

    /// Stores the response of a call, or releases its key if there is none to store. Returns the key's response if it
    /// is another: stored with the effect, or by a later owner of the key.
    pub async fn finish_once(&self, once: Once, answer: Option<KeptAnswer>) -> Result<Option<KeptAnswer>, EngineError> {
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let Some(answer) = answer else {
                    tx.answers().forget(&once.scope, once.until).await?;
                    return Ok(None);
                };
                if tx.answers().settle(&once.scope, once.until, &answer).await? {
                    return Ok(None);
                }
                Ok(tx.answers().get(&once.scope).await?)
            }),
        )
        .await
    }

    /// Returns the response stored under a key, for whatever request body.
    pub async fn kept_answer(&self, scope: String) -> Result<Option<KeptAnswer>, EngineError> {
        self.read(transaction!(|tx| Ok(tx.answers().get(&scope).await?))).await
    }

    /// Deletes responses after their retention time.
    pub(crate) async fn purge_answers(&self) -> Result<(), EngineError> {
        if !self.read(transaction!(|tx| Ok(tx.answers().has_old().await?))).await? {
            return Ok(());
        }
        self.write(Scope::global(), transaction!(|tx| Ok(tx.answers().purge().await.map(drop)?))).await
    }
}
