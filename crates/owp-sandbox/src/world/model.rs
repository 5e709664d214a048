//! Data types of the sandbox: users, repositories, issues, pull requests, comments, installations, tokens.
//!
//! Plain data; the rules are in the other files of this folder.

use super::reviews::Review;
use crate::git::{bare::LoggedCommit, diff::ChangedFile};
use std::collections::{BTreeMap, BTreeSet};

/// A user's role in a repository, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads (everybody has this in a public repository).
    Read,
    /// Also labels and closes.
    Triage,
    /// Also pushes and merges.
    Write,
    /// Also manages the repository without destructive actions.
    Maintain,
    /// Full access.
    Admin,
}

impl Role {
    /// Returns GitHub's `role_name`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// Returns GitHub's older `permission`, which lacks triage and maintain.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match self {
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }

    /// Parses a role name; `pull` and `push` are older names of read and write.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "read" | "pull" => Some(Self::Read),
            "triage" => Some(Self::Triage),
            "write" | "push" => Some(Self::Write),
            "maintain" => Some(Self::Maintain),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Kind of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserKind {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// The account of an app or agent.
    Bot,
}

impl UserKind {
    /// Returns GitHub's `type`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
            Self::Bot => "Bot",
        }
    }
}

/// An account.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The permanent id.
    pub id: u64,
    /// The login, which may change.
    pub login: String,
    /// User, organization or bot.
    pub kind: UserKind,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// True for a deleted account; its issues and comments show `user: null`.
    pub vanished: bool,
}

/// A label of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// Its id.
    pub id: u64,
    /// Its name in the original spelling.
    pub name: String,
    /// Six hex digits.
    pub color: String,
    /// Its meaning.
    pub description: Option<String>,
}

/// A repository with its content.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    /// The permanent id.
    pub id: u64,
    /// The owner's user id.
    pub owner: u64,
    /// Its name without the owner.
    pub name: String,
    /// True if visible only to collaborators and installations.
    pub private: bool,
    /// True if it is read-only.
    pub archived: bool,
    /// True if it was deleted; kept so that its numbers stay in use.
    pub deleted: bool,
    /// Id of the forked repository.
    pub fork_of: Option<u64>,
    /// The default branch; closing keywords work only there.
    pub default_branch: String,
    /// The newest commit of each branch, by branch name.
    pub branches: BTreeMap<String, String>,
    /// Issues and pull requests by number.
    pub issues: BTreeMap<u64, Issue>,
    /// The highest number in use.
    pub last_number: u64,
    /// Labels by lower-case name.
    pub labels: BTreeMap<String, Label>,
    /// Roles by user id; the owner is admin without an entry.
    pub collaborators: BTreeMap<u64, Role>,
    /// Files of the default branch by path; unused in a sandbox that serves git.
    pub files: BTreeMap<String, String>,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// Time of the last change (Unix ms).
    pub updated_at: i64,
}

/// Reason for an issue's absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Deleted: 410.
    Deleted,
    /// Transferred: 301 to the new place.
    Moved {
        /// Id of the new repository.
        repo: u64,
        /// Its number there.
        number: u64,
    },
}

/// An issue, or the issue part of a pull request.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    /// The permanent, globally unique id.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// The title, one line.
    pub title: String,
    /// The body in Markdown.
    pub body: Option<String>,
    /// The author's user id.
    pub author: u64,
    /// Names of its labels, in the order of their addition.
    pub labels: Vec<String>,
    /// User ids of the assignees.
    pub assignees: Vec<u64>,
    /// True while it is open.
    pub open: bool,
    /// `completed`, `not_planned`, `duplicate`, `reopened`.
    pub state_reason: Option<String>,
    /// True if only collaborators may comment.
    pub locked: bool,
    /// True if it is shown above the list of issues.
    pub pinned: bool,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// Time of the last change (Unix ms).
    pub updated_at: i64,
    /// Closing time (Unix ms).
    pub closed_at: Option<i64>,
    /// User id of the closer.
    pub closed_by: Option<u64>,
    /// True if written with an installation token.
    pub via_app: bool,
    /// Ids of its comments, oldest first.
    pub comments: Vec<u64>,
    /// Its events, oldest first.
    pub events: Vec<IssueEvent>,
    /// The pull request part, if it is one.
    pub pull: Option<Pull>,
    /// Time (Unix ms) and author of the last edit of the body; a new title does not count.
    pub last_edited: Option<(i64, u64)>,
    /// Set once it was deleted or transferred.
    pub gone: Option<Removal>,
}

/// One entry of an issue's event list.
#[derive(Debug, Clone)]
pub(crate) struct IssueEvent {
    /// Its id.
    pub id: u64,
    /// `labeled`, `unlabeled`, `closed`, `reopened`, `renamed` …
    pub event: String,
    /// User id of the actor.
    pub actor: u64,
    /// True if done with an installation token.
    pub via_app: bool,
    /// The label's name and colour, for label events.
    pub label: Option<(String, String)>,
    /// The assignee, for assignments.
    pub assignee: Option<u64>,
    /// Old and new title, for `renamed`.
    pub rename: Option<(String, String)>,
    /// The merge commit, when a pull request closed it.
    pub commit: Option<String>,
    /// Time of the event (Unix ms).
    pub created_at: i64,
}

/// The fields of a pull request beyond its issue.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    /// The pull request's own id; its issue has another.
    pub id: u64,
    /// True while it is a draft.
    pub draft: bool,
    /// Id of the source repository; `None` once the fork is deleted.
    pub head_repo: Option<u64>,
    /// Owner of the source repository at the time of opening.
    pub head_owner: u64,
    /// The source branch.
    pub head_ref: String,
    /// The newest commit.
    pub head_sha: String,
    /// The target branch.
    pub base_ref: String,
    /// That branch's commit at the time of opening.
    pub base_sha: String,
    /// Time of the merge (Unix ms).
    pub merged_at: Option<i64>,
    /// User id of the merger.
    pub merged_by: Option<u64>,
    /// The merge commit.
    pub merge_sha: Option<String>,
    /// Its commits, oldest first; the last one is the head.
    pub commits: Vec<Commit>,
    /// Comparison with the target branch, in a sandbox that serves git.
    pub comparison: Option<Comparison>,
    /// Its reviews, oldest first.
    pub reviews: Vec<Review>,
}

/// Comparison of a pull request with its target branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// True if a merge has no conflicts.
    pub mergeable: bool,
    /// The changed files.
    pub files: Vec<ChangedFile>,
}

/// A commit of a pull request.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// Its hash.
    pub sha: String,
    /// User id of the author.
    pub author: u64,
    /// True if it has a verified signature.
    pub signed: bool,
    /// Time of the commit (Unix ms).
    pub at: i64,
    /// The commit as git shows it, in a sandbox that serves git.
    pub logged: Option<LoggedCommit>,
}

/// Checks and statuses by other apps for one commit in one repository.
#[derive(Debug, Clone)]
pub(crate) struct Verdicts {
    /// Id of the check suite of all runs.
    pub suite: u64,
    /// Number of the pull request whose head the commit was.
    pub pull: u64,
    /// All runs, oldest first; the last one of a name is current.
    pub runs: Vec<CheckRun>,
    /// All statuses, oldest first; the last one of a context is current.
    pub statuses: Vec<CommitStatus>,
    /// Creation time (Unix ms).
    pub created_at: i64,
}

/// One run of a check.
#[derive(Debug, Clone)]
pub(crate) struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Its name in policies.
    pub name: String,
    /// `queued`, `in_progress`, `completed`.
    pub status: String,
    /// `success`, `failure`, `neutral`, `cancelled`, `skipped`, `timed_out`, `action_required`; once completed.
    pub conclusion: Option<String>,
    /// Start time (Unix ms).
    pub started_at: i64,
    /// Completion time (Unix ms).
    pub completed_at: Option<i64>,
}

/// One commit status, the older kind of check.
#[derive(Debug, Clone)]
pub(crate) struct CommitStatus {
    /// Its id.
    pub id: u64,
    /// Its name in policies.
    pub context: String,
    /// `error`, `failure`, `pending`, `success`.
    pub state: String,
    /// User id of the creator.
    pub creator: u64,
    /// Creation time (Unix ms).
    pub created_at: i64,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    /// Its id.
    pub id: u64,
    /// The repository's id.
    pub repo: u64,
    /// The issue's number.
    pub issue: u64,
    /// The author's user id.
    pub author: u64,
    /// The body in Markdown.
    pub body: String,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// Time of the last edit (Unix ms).
    pub updated_at: i64,
    /// True if written with an installation token.
    pub via_app: bool,
}

/// An installation of the app on an account.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// Its id.
    pub id: u64,
    /// The account's user id.
    pub account: u64,
    /// Repositories it covers (`selected`).
    pub repos: BTreeSet<u64>,
    /// Granted permissions.
    pub permissions: BTreeMap<String, String>,
    /// Time of the suspension (Unix ms) and user id of its author.
    pub suspended: Option<(i64, u64)>,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// Time of the last change (Unix ms).
    pub updated_at: i64,
    /// True once uninstalled.
    pub deleted: bool,
}

/// The holder of a token.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// A user.
    User(u64),
    /// The app, in one installation.
    Installation {
        /// Id of the installation.
        id: u64,
        /// The repositories the token is restricted to, if any.
        repos: Option<BTreeSet<u64>>,
        /// Permissions of the token.
        permissions: BTreeMap<String, String>,
    },
}

/// A token's holder and expiry.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// The holder.
    pub holder: Holder,
    /// Expiry time (Unix ms); user tokens do not expire.
    pub expires_at: Option<i64>,
}

/// The app itself.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Its id, the `iss` of its JWTs.
    pub id: u64,
    /// Its name in URLs; its account is `slug[bot]`.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// User id of the owner.
    pub owner: u64,
    /// User id of the app's bot account.
    pub bot: u64,
    /// Requested permissions.
    pub permissions: BTreeMap<String, String>,
    /// Subscribed events, beyond those that every app receives.
    pub events: Vec<String>,
    /// Files readable with `single_file`.
    pub single_files: Vec<String>,
    /// Id of the webhook.
    pub hook: u64,
    /// Secret of its OAuth client.
    pub client_secret: String,
    /// Addresses to which a sign-in may lead back.
    pub callbacks: Vec<String>,
    /// Creation time (Unix ms).
    pub created_at: i64,
}

impl App {
    /// Returns the client id, which is also accepted as `iss`.
    #[must_use]
    pub(crate) fn client_id(&self) -> String {
        format!("Iv1.{:016x}", self.id)
    }
}
