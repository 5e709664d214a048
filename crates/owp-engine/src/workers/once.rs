//! Idempotency keys: a call that carries one has one effect, and the same answer for a day (invariant 10).
//!
//! A key is reserved before its call runs and settled with the answer. Calls whose repetition would have a second
//! effect, or be told that it is too late (adding tasks, claims, what is done with a lease, status reports), settle in
//! the transaction of the effect, through [`Keep`], so that neither exists without the other. All other calls set
//! something to a value; for them the answer is kept right after the effect, and should the process die between the two,
//! a repetition after a minute runs the call again, which then changes nothing more.
//!
//! A reservation ends when its time is up or its call was given up. A call that is still under way then finds in
//! [`Keep`] that the key is not its own any more, and undoes what it did.

use crate::Engine;
use crate::error::EngineError;
use owp_pool::{Span, Timestamp};
use owp_store::{KeptAnswer, Reserved, Scope, Tx};

/// A reserved key: whoever has it runs the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    scope: String,
    until: Timestamp,
}

/// What asking for a key came to.
#[derive(Debug)]
pub enum Attempt {
    /// Run the call, then say how it was answered.
    Run(Once),
    /// It was answered before; this is the answer.
    Answered(KeptAnswer),
    /// It runs at this moment; try again after this span.
    Busy(Span),
    /// The key stands for another body.
    OtherBody,
}

/// Makes the answer of what a call did.
pub(crate) type Render<T> = Box<dyn Fn(&T) -> KeptAnswer + Send + Sync>;

/// Keeps the answer of a call in the transaction of its effect.
pub struct Keep<T: ?Sized> {
    /// The call's key.
    pub once: Once,
    /// What the call answers when it did this.
    pub render: Render<T>,
}

/// Keeps the answer of a call that carries a key. The last thing a call does: what fails here undoes the rest.
pub(crate) async fn settle<T: ?Sized + Sync>(keep: Option<Keep<T>>, tx: &mut Tx, done: &T) -> Result<(), EngineError> {
    let Some(Keep { once, render }) = keep else { return Ok(()) };
    let answer = render(done);
    if tx.settle_answer(&once.scope, once.until, &answer).await? { Ok(()) } else { Err(EngineError::KeyTaken) }
}

impl Engine {
    /// Asks for a key. `scope` and `body` are digests: of who asks, for what and under which key; and of the body.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn begin_once(&self, scope: String, body: String) -> Result<Attempt, EngineError> {
        let asked = scope.clone();
        let (reserved, now) = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move { Ok::<_, EngineError>((tx.reserve_answer(&asked, &body).await?, tx.now())) })
            })
            .await?;
        Ok(match reserved {
            Reserved::Run(until) => Attempt::Run(Once { scope, until }),
            Reserved::Answered(answer) => Attempt::Answered(answer),
            Reserved::Busy(until) => Attempt::Busy(until - now),
            Reserved::OtherBody => Attempt::OtherBody,
        })
    }

    /// Keeps the answer of a call, or gives its key back when there is nothing worth keeping. Gives the answer the key
    /// stands for where that is another: what was kept with the effect, or by whoever took the key over.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn finish_once(&self, once: Once, answer: Option<KeptAnswer>) -> Result<Option<KeptAnswer>, EngineError> {
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let Some(answer) = answer else {
                        tx.forget_answer(&once.scope, once.until).await?;
                        return Ok(None);
                    };
                    if tx.settle_answer(&once.scope, once.until, &answer).await? {
                        return Ok(None);
                    }
                    Ok::<_, EngineError>(tx.kept_answer(&once.scope).await?)
                })
            })
            .await
    }

    /// The answer that is kept under a key, whatever body it was for.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn kept_answer(&self, scope: String) -> Result<Option<KeptAnswer>, EngineError> {
        self.read(move |tx| Box::pin(async move { Ok(tx.kept_answer(&scope).await?) })).await
    }

    /// Forgets answers that were kept long enough.
    pub(crate) async fn purge_answers(&self) -> Result<(), EngineError> {
        if !self.read(|tx| Box::pin(async move { Ok(tx.has_old_answers().await?) })).await? {
            return Ok(());
        }
        self.store().write(Scope::global(), |tx| Box::pin(async move { Ok(tx.purge_answers().await.map(drop)?) })).await
    }
}
