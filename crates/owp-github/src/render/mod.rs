//! What the App writes: one plain function per comment, from values to Markdown.
//!
//! Pure, and the only place that makes comment bodies. Text that came from anybody else passes through `safe` first:
//! it can mention nobody, link nowhere, break out of nothing and start no command. A body leaves through [`with_key`],
//! which hides the comment's key in it and keeps it below GitHub's limit. Plans of words live here; when a comment is
//! written, and which, is the engine's affair.

mod folded;
mod key;
mod lease;
mod notes;
mod own_tool;
mod policy;
mod pull;
mod reply;
mod safe;
mod status;
mod unlabelled;

/// Texts that try to do more than be read; the command line's tests use them too.
#[cfg(test)]
mod hostile;

pub use folded::{Said, folded};
pub use key::{MAX_COMMENT, duplicate_pointer, find_key, with_key};
pub use lease::{Contract, LeaseComment, LeaseEnd, LeaseState, Via, lease_comment};
pub use notes::{Note, Takes, author_comment, author_settled, lookalike_comment, notes_comment};
pub use own_tool::with_own_tool;
pub use policy::policy_trouble;
pub use pull::{ExpiryWarning, PullEnd, PullLinked, expiry_warning, pull_linked, pull_over, warning_settled};
pub use reply::{HelpRow, Outcome, refusal_reply, refusal_settled, reply};
pub use safe::{code, mention, safe_inline, safe_text};
pub use status::{BudgetLine, TaskStatus};
pub use unlabelled::unlabelled;
