//! The task and its states. [`super::moves`] defines the transitions.

use super::{Epoch, LeaseId, Person, RepoId, TaskId, Timestamp, WorkerId};
use crate::named::named_enum;
use serde::{Deserialize, Serialize};
use std::fmt;

named_enum! {
    /// State of a task.
    pub enum TaskState {
        /// Waiting for a contributor.
        Ready = "ready",
        /// Held; no work reported yet.
        Leased = "leased",
        /// Held, with work under way.
        InProgress = "in_progress",
        /// A pull request answers the task; no deadline runs.
        PrOpened = "pr_opened",
        /// Work cannot go on, for a reason the holder or a maintainer gave.
        Blocked = "blocked",
        /// Done.
        Merged = "merged",
        /// Withdrawn: label removed, or issue closed without a merged pull request.
        Closed = "closed",
    }
}

impl TaskState {
    /// Returns true while a live lease must exist (invariant 6).
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Leased | Self::InProgress)
    }

    /// Returns true for the end states, merged and closed.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Merged | Self::Closed)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Requirements of a task, from labels or from the admin call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Points, 1–100.
    pub estimate: i64,
    /// Priority, 0–1000; larger goes first.
    pub priority: i64,
    /// Required skills: lower-case, sorted, without duplicates.
    pub skills: Vec<String>,
    /// Area, lower-case; at most one holder per repository and area while area locks are on.
    pub area: Option<String>,
    /// Risk tier, 0–3.
    pub tier: i64,
}

impl Default for TaskSpec {
    fn default() -> Self {
        Self { estimate: 1, priority: 50, skills: Vec::new(), area: None, tier: 0 }
    }
}

/// A reservation: until `until`, only `person` may be granted the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The contributor it is for.
    pub person: Person,
    /// Its end.
    pub until: Timestamp,
}

/// A GitHub user an issue is assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignee {
    /// GitHub user id.
    pub id: i64,
    /// Login as last seen.
    pub login: String,
}

/// Title and text of an issue. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueText {
    /// The title.
    pub title: String,
    /// The text.
    pub description: String,
}

impl IssueText {
    /// Maximum length of stored text, in characters; GitHub's own limit.
    pub const TEXT_MAX: usize = 65_536;

    /// Builds the wording to store from an issue's title and body.
    #[must_use]
    pub fn of_issue(title: &str, body: &str) -> Self {
        // PostgreSQL's TEXT rejects NUL.
        let clip = |text: &str| text.chars().filter(|c| *c != '\0').take(Self::TEXT_MAX).collect();
        Self { title: clip(title), description: clip(body) }
    }
}

/// A temporary reason to grant a task to nobody, other than a missing approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The reason, as a sentence.
    pub why: String,
    /// Earliest time at which a retry may help, when known.
    pub until: Option<Timestamp>,
}

/// A unit of work, made from an issue or by an admin call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Task id.
    pub id: TaskId,
    /// Its repository.
    pub repo: RepoId,
    /// The issue number on GitHub; `None` in manual repositories.
    pub issue: Option<i64>,
    /// The caller's own id for a task added by hand; unique in the repository.
    pub external_id: Option<String>,
    /// Title. Untrusted text.
    pub title: String,
    /// Description. Untrusted text.
    pub description: String,
    /// Requirements.
    pub spec: TaskSpec,
    /// State.
    pub state: TaskState,
    /// Time since which it is in that state.
    pub state_since: Timestamp,
    /// Number of grants; every grant raises it.
    pub epoch: Epoch,
    /// Start of the current wait; ageing counts from here.
    pub ready_since: Timestamp,
    /// Reason a maintainer must approve the task first, if any.
    pub hold: Option<String>,
    /// Reason not to grant the task while GitHub does not show its issue as offered, if any.
    pub withheld: Option<Withheld>,
    /// Current text of the issue when it differs from the approved text; it applies once a maintainer approves it.
    pub later: Option<IssueText>,
    /// GitHub users the issue is assigned to.
    pub assigned_to: Vec<Assignee>,
    /// Reservation, if any.
    pub reservation: Option<Reservation>,
    /// Worker the task belongs to. Kept after a delivery or a block, cleared when the task becomes ready.
    pub assignee: Option<WorkerId>,
    /// Contributor who held the task last; a pull request of theirs still answers it.
    pub last_holder: Option<Person>,
    /// Last lease on the task.
    pub last_lease: Option<LeaseId>,
    /// *The* pull request, once one passed the gates.
    pub pull: Option<i64>,
    /// Reason the task is blocked.
    pub blocked_reason: Option<String>,
    /// Creation time.
    pub created_at: Timestamp,
}

impl Task {
    /// Creates a task without issue, title and text that is ready from `at`.
    #[must_use]
    pub fn new(id: TaskId, repo: RepoId, spec: TaskSpec, at: Timestamp) -> Self {
        Self {
            id,
            repo,
            issue: None,
            external_id: None,
            title: String::new(),
            description: String::new(),
            spec,
            state: TaskState::Ready,
            state_since: at,
            epoch: Epoch::default(),
            ready_since: at,
            hold: None,
            withheld: None,
            later: None,
            assigned_to: Vec::new(),
            reservation: None,
            assignee: None,
            last_holder: None,
            last_lease: None,
            pull: None,
            blocked_reason: None,
            created_at: at,
        }
    }

    /// Returns true when the task is ready and neither held nor withheld, so that it can be granted.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.state == TaskState::Ready && self.hold.is_none() && self.withheld.is_none()
    }

    /// Returns the reason a ready task is not granted: it waits for approval, or GitHub does not show it as offered.
    #[must_use]
    pub fn held_because(&self) -> Option<&str> {
        self.hold.as_deref().or_else(|| self.withheld.as_ref().map(|withheld| withheld.why.as_str()))
    }

    /// Replaces the approved text.
    pub fn set_text(&mut self, text: IssueText) {
        (self.title, self.description) = (text.title, text.description);
    }

    /// Returns the approved text.
    #[must_use]
    pub fn issue_text(&self) -> IssueText {
        IssueText { title: self.title.clone(), description: self.description.clone() }
    }

    /// Makes the issue's current text the approved text, as a maintainer saw it.
    pub fn adopt_current_text(&mut self) {
        if let Some(IssueText { title, description }) = self.later.take() {
            (self.title, self.description) = (title, description);
        }
    }

    /// Returns the reservation in force at `now`.
    #[must_use]
    pub fn reserved_at(&self, now: Timestamp) -> Option<&Reservation> {
        self.reservation.as_ref().filter(|r| r.until > now)
    }
}
