//! Approval of issue texts: decides which text of an issue is trusted, and whether an act may offer the issue.
//!
//! A task's text is often read by a contributor's tool, so it must be text that a maintainer could have seen. The
//! signed payload of the label event holds the text at that moment. If its delivery was lost, the time of the last edit
//! decides. If that is unknown too, the task is held.
//!
//! A decision takes [`IssueFacts`]. Most decisions need few of them, and every lookup costs hourly quota. So a decision
//! that lacks a fact names it as [`Lacks`]; the caller looks it up, adds it and decides again. [`text`] judges the
//! current text, [`opt_in`] the act that offered the issue; [`record`] applies both to a task.

pub mod opt_in;
pub mod record;
pub mod text;

use super::Timestamp;
use super::labels::LabelRules;
use super::permission::Permission;
use super::task::IssueText;
use std::collections::BTreeMap;

/// Hold reason of a task whose text was changed after approval by a user without write access.
pub const HOLD_EDITED: &str = "its text was edited after approval, by somebody without write access";

/// Hold reason of a task when GitHub does not tell whether its text is the approved one.
pub const HOLD_EDITOR_UNKNOWN: &str =
    "GitHub does not tell whether its text was edited after the label was set, and its author has no write access";

/// Hold reason when the issue's events do not name the labeller.
pub const LABELLER_UNKNOWN: &str = "it is not known who set the label";

/// A GitHub account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// GitHub's numeric user id.
    pub id: i64,
    /// The login under which the account was seen.
    pub login: String,
    /// True for a bot or an App.
    pub is_bot: bool,
}

/// An issue's text in a signed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// The text.
    pub text: IssueText,
    /// The labels in the same payload.
    pub labels: Vec<String>,
    /// Time of the issue's last change in the same payload.
    pub at: Option<Timestamp>,
}

/// An edit that a signed payload reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    /// The account that edited the text.
    pub by: Account,
    /// The text before the edit.
    pub before: IssueText,
    /// The text after the edit.
    pub after: IssueText,
    /// Time of the issue's last change in the same payload.
    pub at: Option<Timestamp>,
}

/// An act in an issue's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// GitHub's id of the event; ids rise with time.
    pub id: i64,
    /// Kind of the act.
    pub kind: ActKind,
    /// The account that acted; `None` for deleted accounts.
    pub actor: Option<Account>,
    /// Time of the act, to the second.
    pub at: Timestamp,
}

/// Kinds of acts that matter for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActKind {
    /// This label was set.
    Labelled(String),
    /// The issue was reopened.
    Reopened,
    /// The title was changed.
    Renamed,
}

/// The last edit of an issue's body, according to GitHub; a change of the title does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastEdit {
    /// GitHub does not tell.
    Untold,
    /// The body was never edited.
    Never,
    /// The body was edited.
    At {
        /// Time of the edit, to the second.
        at: Timestamp,
        /// The account; `None` for deleted accounts and for Apps.
        editor: Option<Account>,
    },
}

/// Facts about an issue on GitHub, as far as they were looked up.
#[derive(Debug, Clone)]
pub struct IssueFacts {
    /// The current text.
    pub text: IssueText,
    /// The author; `None` for deleted accounts.
    pub author: Option<Account>,
    /// Time of the last change of any kind.
    pub updated_at: Timestamp,
    /// The text when the issue was offered, from a delivery.
    pub signed: Option<SignedText>,
    /// An edit of the text, from a delivery.
    pub edit: Option<TextEdit>,
    /// The issue's history, once looked up.
    pub acts: Option<Vec<Act>>,
    /// The last edit of its body, once looked up.
    pub last_edit: Option<LastEdit>,
    /// Permissions looked up so far.
    pub permissions: BTreeMap<Account, Permission>,
}

/// A fact that a decision lacks: it cannot be made before somebody asks GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacks {
    /// The permission of this account in the repository.
    Permission(Account),
    /// The issue's history.
    Acts,
    /// The last edit of the issue's body.
    LastEdit,
}

impl IssueFacts {
    fn permission(&self, account: &Account) -> Result<Permission, Lacks> {
        self.permissions.get(account).copied().ok_or_else(|| Lacks::Permission(account.clone()))
    }

    fn may_write(&self, account: &Account) -> Result<bool, Lacks> {
        Ok(self.permission(account)? >= Permission::Write)
    }

    /// Returns true when only people with write access can edit the issue, because its author is one.
    fn author_may_write(&self) -> Result<bool, Lacks> {
        self.author.as_ref().map_or(Ok(false), |author| self.may_write(author))
    }

    fn acts(&self) -> Result<&[Act], Lacks> {
        self.acts.as_deref().ok_or(Lacks::Acts)
    }

    fn last_edit(&self) -> Result<&LastEdit, Lacks> {
        self.last_edit.as_ref().ok_or(Lacks::LastEdit)
    }

    /// Returns the signed text of the issue as it was at the act done at `at`, if a payload shows that.
    fn signed_at(&self, at: Timestamp, labels: &LabelRules) -> Option<&IssueText> {
        self.signed.as_ref().filter(|signed| signed.belongs(at, labels)).map(|signed| &signed.text)
    }
}

#[cfg(test)]
mod tests;
