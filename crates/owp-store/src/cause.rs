//! The cause of a change: the webhook delivery or request whose processing leads to it. It is kept with the comments that
//! are wanted because of it, so that the log shows the way from a delivery to a comment.

use std::sync::Arc;

tokio::task_local! {
    static CAUSE: Arc<str>;
}

/// Runs `work`; whatever it writes is written because of `cause`.
pub async fn because<F: Future>(cause: &str, work: F) -> F::Output {
    CAUSE.scope(Arc::from(cause), work).await
}

/// Returns the cause of what this task does, if it is known.
pub(super) fn current() -> Option<Arc<str>> {
    CAUSE.try_with(Arc::clone).ok()
}
