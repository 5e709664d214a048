//! The nouns of the box: users, repositories, issues, pull requests, comments, installations, tokens.
//!
//! Plain data; what may happen to it is told in the other files of this folder.

use std::collections::{BTreeMap, BTreeSet};

/// What a user may do in a repository, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look (what everybody may do in a public repository).
    Read,
    /// May label and close.
    Triage,
    /// May push and merge.
    Write,
    /// May manage without danger.
    Maintain,
    /// May do anything.
    Admin,
}

impl Role {
    /// GitHub's `role_name`.
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

    /// GitHub's older `permission`, which cannot say triage or maintain.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match self {
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }

    /// Reads a role name; `pull` and `push` are the older words for read and write.
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

/// What kind of account a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserKind {
    /// A person.
    User,
    /// An organization.
    Organization,
    /// An app's or an agent's account.
    Bot,
}

impl UserKind {
    /// GitHub's `type`.
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
    /// The number that never changes.
    pub id: u64,
    /// The name that may change.
    pub login: String,
    /// Person, organization or bot.
    pub kind: UserKind,
    /// When it was made (Unix ms).
    pub created_at: i64,
    /// A vanished user's issues and comments show `user: null`.
    pub vanished: bool,
}

/// A label of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// Its number.
    pub id: u64,
    /// Its name as first written.
    pub name: String,
    /// Six hex digits.
    pub color: String,
    /// What it means.
    pub description: Option<String>,
}

/// A repository and everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    /// The number that never changes.
    pub id: u64,
    /// The owner's user id.
    pub owner: u64,
    /// Its name without the owner.
    pub name: String,
    /// Only collaborators and installations may know of it.
    pub private: bool,
    /// Read-only.
    pub archived: bool,
    /// Gone; kept so that numbers stay taken.
    pub deleted: bool,
    /// Where it was forked from.
    pub fork_of: Option<u64>,
    /// The branch that closing keywords need.
    pub default_branch: String,
    /// The newest commit of each branch, by its name.
    pub branches: BTreeMap<String, String>,
    /// Issues and pull requests by number.
    pub issues: BTreeMap<u64, Issue>,
    /// The highest number given out.
    pub last_number: u64,
    /// Labels by lower-case name.
    pub labels: BTreeMap<String, Label>,
    /// Roles by user id; the owner is admin without being here.
    pub collaborators: BTreeMap<u64, Role>,
    /// Files of the default branch by path.
    pub files: BTreeMap<String, String>,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub updated_at: i64,
}

/// Where an issue went that is no longer here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Deleted: 410.
    Deleted,
    /// Transferred: 301 to the new place.
    Moved {
        /// The repository it is in now.
        repo: u64,
        /// Its number there.
        number: u64,
    },
}

/// An issue, or a pull request seen as one.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    /// The number that never changes and is unique everywhere.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// The author's user id.
    pub author: u64,
    /// Names of its labels, in the order they were set.
    pub labels: Vec<String>,
    /// User ids.
    pub assignees: Vec<u64>,
    /// Open or closed.
    pub open: bool,
    /// `completed`, `not_planned`, `duplicate`, `reopened`.
    pub state_reason: Option<String>,
    /// Only collaborators may comment.
    pub locked: bool,
    /// Shown above the list of issues.
    pub pinned: bool,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub updated_at: i64,
    /// Unix ms.
    pub closed_at: Option<i64>,
    /// Who closed it.
    pub closed_by: Option<u64>,
    /// Written with an installation token.
    pub via_app: bool,
    /// Ids of its comments, oldest first.
    pub comments: Vec<u64>,
    /// What happened to it, oldest first.
    pub events: Vec<IssueEvent>,
    /// What makes it a pull request.
    pub pull: Option<Pull>,
    /// When its body was last edited (Unix ms), and by whom; a new title does not count.
    pub last_edited: Option<(i64, u64)>,
    /// Set when it is no longer here.
    pub gone: Option<Gone>,
}

/// One entry of an issue's event list.
#[derive(Debug, Clone)]
pub(crate) struct IssueEvent {
    /// Its number.
    pub id: u64,
    /// `labeled`, `unlabeled`, `closed`, `reopened`, `renamed` …
    pub event: String,
    /// Who did it.
    pub actor: u64,
    /// Done with an installation token.
    pub via_app: bool,
    /// The label's name and colour, for label events.
    pub label: Option<(String, String)>,
    /// The other user, for assignments.
    pub assignee: Option<u64>,
    /// Old and new title, for `renamed`.
    pub rename: Option<(String, String)>,
    /// The merge commit, when a pull request closed it.
    pub commit: Option<String>,
    /// Unix ms.
    pub created_at: i64,
}

/// What a pull request has beyond an issue.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    /// The pull request's own id; its issue has another.
    pub id: u64,
    /// Not ready for review.
    pub draft: bool,
    /// The repository the commits are in; none once the fork is deleted.
    pub head_repo: Option<u64>,
    /// Who owned the head when it was opened.
    pub head_owner: u64,
    /// The branch the commits are on.
    pub head_ref: String,
    /// The newest commit.
    pub head_sha: String,
    /// The branch it wants to go into.
    pub base_ref: String,
    /// That branch's commit when it was opened.
    pub base_sha: String,
    /// Unix ms.
    pub merged_at: Option<i64>,
    /// Who merged it.
    pub merged_by: Option<u64>,
    /// The merge commit.
    pub merge_sha: Option<String>,
    /// Its commits, oldest first; the last one is the head.
    pub commits: Vec<Commit>,
}

/// A commit of a pull request.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// Its name.
    pub sha: String,
    /// Who wrote it.
    pub author: u64,
    /// Carries a signature that GitHub could verify.
    pub signed: bool,
    /// Unix ms.
    pub at: i64,
}

/// What other apps say of one commit in one repository.
#[derive(Debug, Clone)]
pub(crate) struct Verdicts {
    /// The check suite all runs are in.
    pub suite: u64,
    /// The pull request the commit was the head of.
    pub pull: u64,
    /// Every run there was, oldest first; of one name the last counts.
    pub runs: Vec<CheckRun>,
    /// Every status there was, oldest first; of one context the last counts.
    pub statuses: Vec<CommitStatus>,
    /// Unix ms.
    pub created_at: i64,
}

/// One run of a check.
#[derive(Debug, Clone)]
pub(crate) struct CheckRun {
    /// Its number.
    pub id: u64,
    /// What a policy calls it.
    pub name: String,
    /// `queued`, `in_progress`, `completed`.
    pub status: String,
    /// `success`, `failure`, `neutral`, `cancelled`, `skipped`, `timed_out`, `action_required`; once completed.
    pub conclusion: Option<String>,
    /// Unix ms.
    pub started_at: i64,
    /// Unix ms.
    pub completed_at: Option<i64>,
}

/// One commit status, the older kind of check.
#[derive(Debug, Clone)]
pub(crate) struct CommitStatus {
    /// Its number.
    pub id: u64,
    /// What a policy calls it.
    pub context: String,
    /// `error`, `failure`, `pending`, `success`.
    pub state: String,
    /// Who set it.
    pub creator: u64,
    /// Unix ms.
    pub created_at: i64,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    /// Its number.
    pub id: u64,
    /// The repository's id.
    pub repo: u64,
    /// The issue's number.
    pub issue: u64,
    /// The author's user id.
    pub author: u64,
    /// Markdown.
    pub body: String,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub updated_at: i64,
    /// Written with an installation token.
    pub via_app: bool,
}

/// The app installed on an account.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// Its number.
    pub id: u64,
    /// The account's user id.
    pub account: u64,
    /// Repositories it covers (`selected`).
    pub repos: BTreeSet<u64>,
    /// What it was granted.
    pub permissions: BTreeMap<String, String>,
    /// When and by whom it was suspended.
    pub suspended: Option<(i64, u64)>,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub updated_at: i64,
    /// Uninstalled.
    pub deleted: bool,
}

/// Who holds a token.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// A person.
    User(u64),
    /// The app, in one installation.
    Installation {
        /// The installation.
        id: u64,
        /// The repositories it was narrowed to, if it was.
        repos: Option<BTreeSet<u64>>,
        /// What it may do.
        permissions: BTreeMap<String, String>,
    },
}

/// A token's holder and end.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Who holds it.
    pub holder: Holder,
    /// Unix ms; people's tokens do not end.
    pub expires_at: Option<i64>,
}

/// The app itself.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Its number, the `iss` of its tokens.
    pub id: u64,
    /// Its url name; its account is `slug[bot]`.
    pub slug: String,
    /// What people read.
    pub name: String,
    /// Who registered it.
    pub owner: u64,
    /// The account that writes for it.
    pub bot: u64,
    /// What it asks for.
    pub permissions: BTreeMap<String, String>,
    /// Which events it hears, beyond those no app can refuse.
    pub events: Vec<String>,
    /// Files that `single_file` opens.
    pub single_files: Vec<String>,
    /// The webhook's number.
    pub hook: u64,
    /// Unix ms.
    pub created_at: i64,
}

impl App {
    /// The newer name of the app, also good as `iss`.
    #[must_use]
    pub(crate) fn client_id(&self) -> String {
        format!("Iv1.{:016x}", self.id)
    }
}
