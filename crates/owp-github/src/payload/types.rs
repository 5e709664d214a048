//! What a delivery says, in our words. How it is read from GitHub's JSON stands one file up.

use owp_pool::Timestamp;

/// A delivery that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The event's name, from the `X-GitHub-Event` header.
    pub event: String,
    /// What happened, where the event says: `opened`, `labeled`.
    pub action: Option<String>,
    /// The installation it was sent to.
    pub installation_id: Option<i64>,
    /// The repository it happened in.
    pub repository: Option<RepoRef>,
    /// Who did it.
    pub sender: Option<UserRef>,
    /// What it hints at.
    pub kind: Kind,
}

/// A repository as a payload names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoRef {
    /// GitHub's numeric id; names change, this does not.
    pub id: i64,
    /// `owner/name`.
    pub full_name: String,
    /// Not readable by everybody.
    pub private: bool,
    /// Read-only; false where the payload does not say.
    pub archived: bool,
    /// Where pull requests usually go; lists of an installation's repositories leave it out.
    pub default_branch: Option<String>,
}

/// An account as a payload names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    /// GitHub's numeric id; logins change, this does not.
    pub id: i64,
    /// The login at the time; for people to read.
    pub login: String,
    /// A bot or an app, not a person.
    pub is_bot: bool,
}

/// An edit of an issue's title or text: all of both, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The title after it.
    pub title: String,
    /// The text after it.
    pub body: String,
    /// The title before it.
    pub old_title: String,
    /// The text before it.
    pub old_body: String,
    /// When the issue had last changed, as the delivery has it.
    pub at: Option<Timestamp>,
}

/// What an issue said at the moment its delivery tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// The labels it carried.
    pub labels: Vec<String>,
    /// When it had last changed.
    pub at: Option<Timestamp>,
}

/// What a delivery hints at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Something about an issue (event `issues`).
    Issue {
        /// Its number.
        number: i64,
        /// The label that was set or removed.
        label: Option<String>,
        /// What an edit changed of its title or text.
        edit: Option<Box<Edit>>,
        /// What it said when it was opened, labelled or reopened.
        said: Option<Box<Said>>,
    },
    /// A comment on an issue or pull request.
    IssueComment {
        /// The number it stands under.
        issue_number: i64,
        /// That number is a pull request's.
        on_pull: bool,
        /// The comment as it is now, or last was.
        comment: CommentRef,
        /// What happened to it.
        action: CommentAction,
        /// The text before an edit changed it; `None` when the edit left the text alone.
        old_body: Option<String>,
    },
    /// Something about a pull request.
    PullRequest {
        /// Its number.
        number: i64,
        /// Its state when the delivery was signed.
        said: PullSaid,
    },
    /// Somebody said something about a commit: a check, a suite of checks or a status.
    Commit {
        /// The commit.
        sha: String,
        /// The check or status it is about; `None` for a whole suite.
        name: Option<String>,
    },
    /// The App was installed, removed, suspended or granted something.
    Installation {
        /// Which of these.
        action: InstallationAction,
        /// The repositories it then may see; empty where the payload does not list them.
        repositories: Vec<RepoRef>,
    },
    /// The App may see other repositories than before.
    InstallationRepositories {
        /// Now visible.
        added: Vec<RepoRef>,
        /// No longer visible.
        removed: Vec<RepoRef>,
    },
    /// The repository itself changed.
    Repository {
        /// How.
        action: RepositoryAction,
    },
    /// GitHub says hello to a new webhook.
    Ping,
    /// An event we have no use for.
    Other,
}

/// The state of a pull request as a payload carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PullSaid {
    /// It is closed, merged or not; false where the payload does not say.
    pub closed: bool,
    /// It is merged.
    pub merged: bool,
    /// When it had last changed.
    pub updated_at: Option<Timestamp>,
}

/// A comment as a payload carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentRef {
    /// GitHub's numeric id.
    pub id: i64,
    /// Its text; untrusted.
    pub body: String,
    /// Who wrote it, unless the account is gone.
    pub author: Option<UserRef>,
    /// The App it was written through (0 when the payload names an App without its id).
    pub via_app_id: Option<i64>,
    /// When it was written.
    pub created_at: Option<Timestamp>,
    /// When it was written or last edited.
    pub updated_at: Option<Timestamp>,
}

/// What happened to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentAction {
    /// It was written.
    Created,
    /// Something about it was changed.
    Edited,
    /// It was removed.
    Deleted,
    /// Something GitHub has invented since.
    Other,
}

/// What happened to an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallationAction {
    /// The App was installed.
    Created,
    /// The App was removed.
    Deleted,
    /// The App is kept from acting for now.
    Suspend,
    /// The App may act again.
    Unsuspend,
    /// New permissions of the App were accepted.
    NewPermissionsAccepted,
    /// Something GitHub has invented since.
    Other,
}

/// What happened to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryAction {
    /// It was made.
    Created,
    /// It is gone.
    Deleted,
    /// It became read-only.
    Archived,
    /// It may be written again.
    Unarchived,
    /// Its name changed.
    Renamed,
    /// Its owner changed.
    Transferred,
    /// Everybody may read it now.
    Publicized,
    /// Not everybody may read it any more.
    Privatized,
    /// Its settings, such as the default branch, changed.
    Edited,
    /// Something GitHub has invented since.
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
