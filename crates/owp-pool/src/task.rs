//! The task and its states. How states change is told in one place: [`super::moves`].

use super::{Epoch, LeaseId, Person, RepoId, TaskId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Waiting for somebody.
    Ready,
    /// Somebody holds it and has not reported work yet.
    Leased,
    /// Somebody holds it and works.
    InProgress,
    /// A pull request answers it; nobody's clock runs.
    PrOpened,
    /// Something stands in the way.
    Blocked,
    /// Done.
    Merged,
    /// Withdrawn: label removed, or issue closed without a merged pull request.
    Closed,
}

impl TaskState {
    /// Every state, in the order tables show them.
    pub const ALL: [Self; 7] =
        [Self::Ready, Self::Leased, Self::InProgress, Self::PrOpened, Self::Blocked, Self::Merged, Self::Closed];

    /// The protocol's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::InProgress => "in_progress",
            Self::PrOpened => "pr_opened",
            Self::Blocked => "blocked",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }

    /// Reads [`TaskState::name`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True while a live lease must exist (invariant 6).
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Leased | Self::InProgress)
    }

    /// True when nothing but a reopening moves it.
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

/// What a task asks of whoever takes it; comes from labels or from the admin call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Points, 1–100.
    pub estimate: i64,
    /// 0–1000, larger first.
    pub priority: i64,
    /// Lower-case, sorted, without repeats.
    pub skills: Vec<String>,
    /// Lower-case; at most one holder per repository and area while area locks are on.
    pub area: Option<String>,
    /// Risk tier, 0–3.
    pub tier: i64,
}

impl Default for TaskSpec {
    fn default() -> Self {
        Self { estimate: 1, priority: 50, skills: Vec::new(), area: None, tier: 0 }
    }
}

/// First refusal: until `until` only `person` may be granted the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Who may have it.
    pub person: Person,
    /// Until when.
    pub until: Timestamp,
}

/// Somebody an issue is assigned to on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignee {
    /// Their GitHub user id.
    pub id: i64,
    /// Their login as last seen.
    pub login: String,
}

/// What an issue says. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The title.
    pub title: String,
    /// The text.
    pub description: String,
}

impl Wording {
    /// The longest text that is kept, in characters; GitHub's own limit.
    pub const TEXT_MAX: usize = 65_536;

    /// What an issue says, as it is kept.
    #[must_use]
    pub fn of_issue(title: &str, body: &str) -> Self {
        // PostgreSQL's TEXT refuses NUL.
        let clip = |text: &str| text.chars().filter(|c| *c != '\0').take(Self::TEXT_MAX).collect();
        Self { title: clip(title), description: clip(body) }
    }
}

/// A reason to hand a task to nobody for the moment, although no maintainer has to approve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The reason, a sentence.
    pub why: String,
    /// The time from which asking again may help, when it is known.
    pub until: Option<Timestamp>,
}

/// One unit of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Where it belongs.
    pub repo: RepoId,
    /// The GitHub issue it stands for; `None` in manual repositories.
    pub issue: Option<i64>,
    /// Its id elsewhere, as whoever added it by hand wrote it: a repository has one task of each.
    pub external_id: Option<String>,
    /// What it is called. Untrusted text.
    pub title: String,
    /// What it says. Untrusted text.
    pub description: String,
    /// What it asks for.
    pub spec: TaskSpec,
    /// Where it stands.
    pub state: TaskState,
    /// Raised by every grant.
    pub epoch: Epoch,
    /// Since when it has been waiting; ageing counts from here.
    pub ready_since: Timestamp,
    /// Why a maintainer must approve it first, when that is so.
    pub hold: Option<String>,
    /// Why it is handed to nobody for the moment, when GitHub does not show its issue as offered.
    pub withheld: Option<Withheld>,
    /// What the issue says by now, when that is not what was approved: it counts once a maintainer approves it.
    pub later: Option<Wording>,
    /// The people the issue is assigned to on GitHub.
    pub assigned_to: Vec<Assignee>,
    /// Who has first refusal, when somebody does.
    pub reservation: Option<Reservation>,
    /// Whose it is; stays after a delivery or a block, goes when the task waits for anybody again.
    pub assignee: Option<WorkerId>,
    /// The person who held it last; a pull request of theirs still answers it.
    pub last_holder: Option<Person>,
    /// The last lease on it.
    pub last_lease: Option<LeaseId>,
    /// *The* pull request, once one passed the gates.
    pub pull: Option<i64>,
    /// Why it is blocked.
    pub blocked_reason: Option<String>,
    /// When it came to be.
    pub created_at: Timestamp,
}

impl Task {
    /// A task that nobody has touched: ready since it came to be, without issue, title and text.
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

    /// Why nobody is given it although it is ready: it waits for approval, or GitHub does not show it as offered.
    #[must_use]
    pub fn held_because(&self) -> Option<&str> {
        self.hold.as_deref().or_else(|| self.withheld.as_ref().map(|withheld| withheld.why.as_str()))
    }

    /// Replaces what was approved.
    pub fn set_wording(&mut self, text: Wording) {
        (self.title, self.description) = (text.title, text.description);
    }

    /// What was approved.
    #[must_use]
    pub fn wording(&self) -> Wording {
        Wording { title: self.title.clone(), description: self.description.clone() }
    }

    /// Takes over what the issue says by now, as a maintainer saw it.
    pub fn take_over_later(&mut self) {
        if let Some(Wording { title, description }) = self.later.take() {
            (self.title, self.description) = (title, description);
        }
    }

    /// The reservation that still stands at `now`.
    #[must_use]
    pub fn reserved_at(&self, now: Timestamp) -> Option<&Reservation> {
        self.reservation.as_ref().filter(|r| r.until > now)
    }
}
