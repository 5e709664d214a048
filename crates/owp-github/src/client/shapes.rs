//! What GitHub tells us, as the rest of the program sees it: only what is used.
//!
//! How it is spelled in JSON stands in `raw`.

use owp_pool::Timestamp;

/// A GitHub account. The id is who it is; the login is what it is called today.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserRef {
    /// GitHub's numeric user id.
    pub id: i64,
    /// Today's login.
    pub login: String,
    /// True for Apps and other machine accounts GitHub marks as such.
    pub is_bot: bool,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// GitHub's numeric repository id.
    pub id: i64,
    /// `owner/name` as of today.
    pub full_name: String,
    /// The branch pull requests usually aim at.
    pub default_branch: String,
    /// True when not everybody can see it.
    pub private: bool,
    /// True when it is read-only.
    pub archived: bool,
    /// True when GitHub has switched it off.
    pub disabled: bool,
    /// False when the issue tracker is switched off.
    pub has_issues: bool,
}

/// An issue; lists of issues contain pull requests too, which `is_pull` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueInfo {
    /// GitHub's numeric id, which changes when the issue is transferred.
    pub id: i64,
    /// The number in its repository.
    pub number: i64,
    /// Written by anybody.
    pub title: String,
    /// Written by anybody; empty when there is none.
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `reopened` …
    pub state_reason: Option<String>,
    /// Label names as they are spelled.
    pub labels: Vec<String>,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// Who is assigned.
    pub assignees: Vec<UserRef>,
    /// True for a pull request.
    pub is_pull: bool,
    /// When it last changed, to the second.
    pub updated_at: Timestamp,
    /// True when only collaborators may comment.
    pub locked: bool,
}

impl IssueInfo {
    /// True while the issue is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullInfo {
    /// GitHub's numeric id.
    pub id: i64,
    /// The number in its repository.
    pub number: i64,
    /// `open` or `closed`; a merged one is closed.
    pub state: String,
    /// True while it is a draft.
    pub draft: bool,
    /// True once it was merged.
    pub merged: bool,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// Written by its author.
    pub title: String,
    /// Written by its author; empty when there is none.
    pub body: String,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// The branch it comes from.
    pub head_ref: String,
    /// The commit it ends in.
    pub head_sha: String,
    /// Where its branch lives; `None` once that fork was deleted.
    pub head_repo_full_name: Option<String>,
    /// The branch it wants to change.
    pub base_ref: String,
    /// When it last changed, to the second.
    pub updated_at: Timestamp,
    /// Its page.
    pub html_url: String,
}

impl PullInfo {
    /// True while the pull request is open, draft or not.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// The last edit of an issue's body; a new title is no edit of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEdit {
    /// When; `None` when it was never edited.
    pub at: Option<Timestamp>,
    /// Who edited it; `None` for deleted accounts, and for Apps.
    pub editor: Option<UserRef>,
}

/// Something that happened to an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueEvent {
    /// GitHub's numeric id, rising with time.
    pub id: i64,
    /// `labeled`, `unlabeled`, `closed`, `reopened`, `assigned`, `renamed` …
    pub event: String,
    /// Who did it; `None` for deleted accounts.
    pub actor: Option<UserRef>,
    /// The label of a label event.
    pub label: Option<String>,
    /// The App that did it, when one did.
    pub via_app_id: Option<i64>,
    /// When, to the second.
    pub created_at: Timestamp,
}

/// An issue comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentInfo {
    /// GitHub's numeric id.
    pub id: i64,
    /// As GitHub keeps it.
    pub body: String,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// The App that wrote it, when one did; this alone proves that a comment is ours.
    pub via_app_id: Option<i64>,
    /// The issue it stands under, when its address says so.
    pub issue: Option<i64>,
    /// True in the thread of a pull request.
    pub on_pull: bool,
    /// When it was written, to the second.
    pub created_at: Timestamp,
    /// When it was last edited, to the second.
    pub updated_at: Timestamp,
}

/// What somebody may do in a repository, from nothing to everything, so that `>=` asks "at least".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Nothing, not even reading.
    None,
    /// Reading; what everybody has on a public repository.
    Read,
    /// Also handling issues: labels, assignees, closing.
    Triage,
    /// Also pushing and merging.
    Write,
    /// Also managing the repository's settings, some of them.
    Maintain,
    /// Everything.
    Admin,
}

/// The answer to "what may this person do here?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionInfo {
    /// The level.
    pub permission: Permission,
    /// Whom GitHub means by that login today; compare the id before trusting the level.
    pub user: Option<UserRef>,
}

impl Permission {
    /// Reads a role's name; `None` for the custom roles of an organisation.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "read" | "pull" => Some(Self::Read),
            "triage" => Some(Self::Triage),
            "write" | "push" => Some(Self::Write),
            "maintain" => Some(Self::Maintain),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}
