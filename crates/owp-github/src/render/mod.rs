//! Comment texts of the App: one plain function per comment, from values to Markdown.
//!
//! Pure, and the only module that builds comment bodies. External text passes through `safe` first: it cannot mention
//! anybody, add a link, break the layout or start a command. Every body passes through [`with_key`], which adds the
//! comment's hidden key and keeps the body below GitHub's limit. This module decides only the wording; the engine
//! decides which comment is written, and when.

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

/// A corpus of hostile texts; the command line's tests use it too.
#[cfg(test)]
mod hostile;

pub use folded::{CommentPart, folded};
pub use key::{MAX_COMMENT, duplicate_pointer, find_key, with_key};
pub use lease::{Contract, LeaseComment, LeaseEnd, LeaseState, Via, lease_comment};
pub use notes::{Note, Takes, author_comment, author_settled, lookalike_comment, notes_comment};
pub use own_tool::with_own_tool;
pub use policy::policy_trouble;
pub use pull::{ExpiryWarning, PullEnd, PullLinked, expiry_warning, pull_linked, pull_over, warning_settled};
pub use reply::{HelpRow, Outcome, refusal_reply, refusal_settled, reply, task_page_line, told};
pub use safe::{code, mention, safe_inline, safe_text};
pub use status::{BudgetLine, TaskStatus};
pub use unlabelled::unlabelled;
