//! GitHub resources as the other crates see them, reduced to the fields in use.
//!
//! The JSON form is in `raw`.

use owp_pool::Timestamp;
use owp_pool::permission::Permission;

/// A GitHub account. The id is permanent; the login can change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserRef {
    /// GitHub's numeric user id.
    pub id: i64,
    /// The current login.
    pub login: String,
    /// True for Apps and other accounts that GitHub marks as machine accounts.
    pub is_bot: bool,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// GitHub's numeric repository id.
    pub id: i64,
    /// The current `owner/name`.
    pub full_name: String,
    /// The default branch.
    pub default_branch: String,
    /// True when the repository is not public.
    pub private: bool,
    /// True when it is read-only.
    pub archived: bool,
    /// True when GitHub has disabled it.
    pub disabled: bool,
    /// False when the issue tracker is disabled.
    pub has_issues: bool,
}

/// An issue. Lists of issues also contain pull requests; see `is_pull`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueInfo {
    /// GitHub's numeric id, which changes when the issue is transferred.
    pub id: i64,
    /// The number in its repository.
    pub number: i64,
    /// The title (untrusted).
    pub title: String,
    /// The body (untrusted); empty when there is none.
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `reopened` …
    pub state_reason: Option<String>,
    /// Label names in their original spelling.
    pub labels: Vec<String>,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// Assigned accounts.
    pub assignees: Vec<UserRef>,
    /// True for a pull request.
    pub is_pull: bool,
    /// Time of the last change, to the second.
    pub updated_at: Timestamp,
    /// True when only collaborators may comment.
    pub locked: bool,
}

impl IssueInfo {
    /// Returns true while the issue is open.
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
    /// `open` or `closed`; a merged pull request is closed.
    pub state: String,
    /// True while it is a draft.
    pub draft: bool,
    /// True once it was merged.
    pub merged: bool,
    /// Time of the merge.
    pub merged_at: Option<Timestamp>,
    /// The title (untrusted).
    pub title: String,
    /// The body (untrusted); empty when there is none.
    pub body: String,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// The source branch.
    pub head_ref: String,
    /// The head commit.
    pub head_sha: String,
    /// The repository of the source branch; `None` once that fork was deleted.
    pub head_repo_full_name: Option<String>,
    /// The target branch.
    pub base_ref: String,
    /// Time of the last change, to the second.
    pub updated_at: Timestamp,
    /// Its page.
    pub html_url: String,
}

impl PullInfo {
    /// Returns true while the pull request is open, draft or not.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// The last edit of an issue's body; a change of the title does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEdit {
    /// Time of the edit; `None` if the body was never edited.
    pub at: Option<Timestamp>,
    /// Author of the edit; `None` for deleted accounts and for Apps.
    pub editor: Option<UserRef>,
}

/// An event in an issue's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueEvent {
    /// GitHub's numeric id, rising with time.
    pub id: i64,
    /// `labeled`, `unlabeled`, `closed`, `reopened`, `assigned`, `renamed` …
    pub event: String,
    /// Account that caused it; `None` for deleted accounts.
    pub actor: Option<UserRef>,
    /// The label, for label events.
    pub label: Option<String>,
    /// Id of the App that caused it, if any.
    pub via_app_id: Option<i64>,
    /// Time of the event, to the second.
    pub created_at: Timestamp,
}

/// The acts that offer an issue or change its title, and the last edit of its body, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueHistory {
    /// Time of the issue's last change of any kind at that moment, to the second.
    pub updated_at: Timestamp,
    /// Labels set, reopenings and new titles, oldest first.
    pub events: Vec<IssueEvent>,
    /// The last edit of its body.
    pub last_edit: LastEdit,
}

/// An issue comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentInfo {
    /// GitHub's numeric id.
    pub id: i64,
    /// The body as stored by GitHub.
    pub body: String,
    /// `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// Id of the App that wrote it, if any; only this proves that a comment is ours.
    pub via_app_id: Option<i64>,
    /// Number of its issue, when the comment's URL contains it.
    pub issue: Option<i64>,
    /// True in the thread of a pull request.
    pub on_pull: bool,
    /// Creation time, to the second.
    pub created_at: Timestamp,
    /// Time of the last edit, to the second.
    pub updated_at: Timestamp,
}

/// Access level of a login in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionInfo {
    /// The level.
    pub permission: Permission,
    /// The current account behind the login; compare the id before trusting the level.
    pub user: Option<UserRef>,
}
