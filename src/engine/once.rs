//! Idempotency keys: a call that carries one has one effect, and the same answer for a day (invariant 10).
//!
//! A key is reserved before its call runs and settled with the answer. Calls whose repetition would have a second
//! effect (adding tasks) settle in the transaction of the effect, through [`Keep`], so that neither exists without the
//! other. All other calls set something to a value or refuse a repetition themselves; for them the answer is kept right
//! after the effect, and should the process die between the two, a repetition after a minute runs the call again, which
//! then changes nothing more.

use super::Engine;
use super::error::EngineError;
use crate::pool::{Span, TaskId};
use crate::store::{KeptAnswer, Reserved, Scope, Tx};

/// A reserved key: whoever has it runs the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once(String);

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
/// Makes the answer of the tasks that came to be.
pub type Render = Box<dyn Fn(&[TaskId]) -> KeptAnswer + Send + Sync>;

/// Keeps the answer of a call that makes tasks, in the transaction that makes them.
pub struct Keep {
    /// The call's key.
    pub once: Once,
    /// What the call answers for these tasks.
    pub render: Render,
}

impl Keep {
    pub(super) async fn settle(&self, tx: &mut Tx, ids: &[TaskId]) -> Result<(), EngineError> {
        Ok(tx.settle_answer(&self.once.0, &(self.render)(ids)).await?)
    }
}

impl Engine {
    /// Asks for a key. `scope` and `body` are digests: of who asks, for what and under which key; and of the body.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn begin_once(&self, scope: String, body: String) -> Result<Attempt, EngineError> {
        let once = Once(scope.clone());
        let (reserved, now) = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move { Ok::<_, EngineError>((tx.reserve_answer(&scope, &body).await?, tx.now())) })
            })
            .await?;
        Ok(match reserved {
            Reserved::Run => Attempt::Run(once),
            Reserved::Answered(answer) => Attempt::Answered(answer),
            Reserved::Busy(until) => Attempt::Busy(until - now),
            Reserved::OtherBody => Attempt::OtherBody,
        })
    }

    /// Keeps the answer of a call, or gives its key back when there is nothing worth keeping.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn finish_once(&self, once: Once, answer: Option<KeptAnswer>) -> Result<(), EngineError> {
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    match answer {
                        Some(answer) => tx.settle_answer(&once.0, &answer).await?,
                        None => tx.forget_answer(&once.0).await?,
                    }
                    Ok(())
                })
            })
            .await
    }
}
