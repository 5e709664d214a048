//! The content of a delivery in the pool's terms. The parent module parses it from GitHub's JSON. It is stored in this
//! form: a delivery of GitHub's is ten times as large, and holds what the pool has no use for.

use owp_pool::Timestamp;
use serde::{Deserialize, Serialize};

/// A parsed delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The event name from the `X-GitHub-Event` header.
    pub event: String,
    /// The event's action, if any, such as `opened` or `labeled`.
    pub action: Option<String>,
    /// The installation the delivery belongs to.
    pub installation_id: Option<i64>,
    /// The repository of the event.
    pub repository: Option<RepoRef>,
    /// The account that caused the event.
    pub sender: Option<UserRef>,
    /// The content by event.
    pub kind: Kind,
}

impl Incoming {
    /// Returns the JSON in which the inbox keeps it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads it from the JSON of [`Incoming::to_json`].
    ///
    /// # Errors
    /// Fails when it is not such JSON, such as that of another version of the pool.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

/// A repository in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRef {
    /// GitHub's numeric id; permanent, unlike the name.
    pub id: i64,
    /// `owner/name`.
    pub full_name: String,
    /// True when the repository is not public.
    pub private: bool,
    /// True when it is read-only; false when the payload omits the field.
    pub archived: bool,
    /// The default branch; an installation's repository lists omit it.
    pub default_branch: Option<String>,
}

/// An account in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRef {
    /// GitHub's numeric id; permanent, unlike the login.
    pub id: i64,
    /// The login at the time, for display.
    pub login: String,
    /// True for a bot or an App.
    pub is_bot: bool,
}

/// An edit of an issue's title or body, with both texts before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The title after the edit.
    pub title: String,
    /// The body after the edit.
    pub body: String,
    /// The title before the edit.
    pub old_title: String,
    /// The body before the edit.
    pub old_body: String,
    /// Time of the issue's last change, according to the delivery.
    pub at: Option<Timestamp>,
}

/// An issue's text and labels at the time of its delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueSnapshot {
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Time of the issue's last change.
    pub at: Option<Timestamp>,
}

/// The content of a delivery, by event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An issue event (event `issues`).
    Issue {
        /// Issue number.
        number: i64,
        /// The label that was added or removed.
        label: Option<String>,
        /// The edit of the title or body.
        edit: Option<Box<Edit>>,
        /// Text and labels, when the issue was opened, labelled or reopened.
        said: Option<Box<IssueSnapshot>>,
    },
    /// A comment on an issue or pull request.
    IssueComment {
        /// Number of the issue or pull request.
        issue_number: i64,
        /// True when the number belongs to a pull request.
        on_pull: bool,
        /// The comment's current or last version.
        comment: CommentRef,
        /// The action on the comment.
        action: CommentAction,
        /// The text before an edit; `None` when the edit left the text unchanged.
        old_body: Option<String>,
    },
    /// A pull request event.
    PullRequest {
        /// Pull request number.
        number: i64,
        /// Its state at the time of the delivery.
        said: PullSnapshot,
    },
    /// A report about a commit: a check, a check suite or a status.
    Commit {
        /// The commit hash.
        sha: String,
        /// Name of the check or status; `None` for a whole suite.
        name: Option<String>,
    },
    /// The App was installed, removed or suspended, or its permissions changed.
    Installation {
        /// The action on the installation.
        action: InstallationAction,
        /// The repositories visible to the App; empty where the payload does not list them.
        repositories: Vec<RepoRef>,
    },
    /// The set of repositories visible to the App changed.
    InstallationRepositories {
        /// Repositories added.
        added: Vec<RepoRef>,
        /// Repositories removed.
        removed: Vec<RepoRef>,
    },
    /// The repository itself changed.
    Repository {
        /// The action on the repository.
        action: RepositoryAction,
    },
    /// GitHub's test event for a new webhook.
    Ping,
    /// An unsupported event.
    Other,
}

/// A pull request's state in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PullSnapshot {
    /// True when it is closed, merged or not; false when the payload omits the state.
    pub closed: bool,
    /// True when it is merged.
    pub merged: bool,
    /// Time of the last change.
    pub updated_at: Option<Timestamp>,
}

/// A comment in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentRef {
    /// GitHub's numeric id.
    pub id: i64,
    /// The body (untrusted).
    pub body: String,
    /// The author; `None` for deleted accounts.
    pub author: Option<UserRef>,
    /// Id of the App that posted it (0 when the payload names an App without its id).
    pub via_app_id: Option<i64>,
    /// Creation time.
    pub created_at: Option<Timestamp>,
    /// Time of the last edit, or of the creation.
    pub updated_at: Option<Timestamp>,
}

/// An action on a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommentAction {
    /// The comment was created.
    Created,
    /// The comment was changed.
    Edited,
    /// The comment was deleted.
    Deleted,
    /// An unknown action.
    Other,
}

/// An action on an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstallationAction {
    /// The App was installed.
    Created,
    /// The App was removed.
    Deleted,
    /// The App was suspended.
    Suspend,
    /// The suspension was lifted.
    Unsuspend,
    /// New permissions of the App were accepted.
    NewPermissionsAccepted,
    /// An unknown action.
    Other,
}

/// An action on a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryAction {
    /// The repository was created.
    Created,
    /// The repository was deleted.
    Deleted,
    /// The repository became read-only.
    Archived,
    /// The repository became writable again.
    Unarchived,
    /// The name changed.
    Renamed,
    /// The owner changed.
    Transferred,
    /// The repository became public.
    Publicized,
    /// The repository became private.
    Privatized,
    /// Settings changed, such as the default branch.
    Edited,
    /// An unknown action.
    Other,
}

impl CommentAction {
    pub(super) fn named(action: &str) -> Self {
        match action {
            "created" => Self::Created,
            "edited" => Self::Edited,
            "deleted" => Self::Deleted,
            _ => Self::Other,
        }
    }
}

impl InstallationAction {
    pub(super) fn named(action: &str) -> Self {
        match action {
            "created" => Self::Created,
            "deleted" => Self::Deleted,
            "suspend" => Self::Suspend,
            "unsuspend" => Self::Unsuspend,
            "new_permissions_accepted" => Self::NewPermissionsAccepted,
            _ => Self::Other,
        }
    }
}

impl RepositoryAction {
    pub(super) fn named(action: &str) -> Self {
        match action {
            "created" => Self::Created,
            "deleted" => Self::Deleted,
            "archived" => Self::Archived,
            "unarchived" => Self::Unarchived,
            "renamed" => Self::Renamed,
            "transferred" => Self::Transferred,
            "publicized" => Self::Publicized,
            "privatized" => Self::Privatized,
            "edited" => Self::Edited,
            _ => Self::Other,
        }
    }
}
