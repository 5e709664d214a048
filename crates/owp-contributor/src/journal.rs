//! The journal of a task: which steps are done, so that an interrupted run goes on where it was. It is written after
//! each step, whole and durably.

use crate::checks::CheckResult;
use crate::contract::Contract;
use crate::github::{FailedRun, Remark};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

const FILE: &str = "journal.json";
/// Version of the format.
const VERSION: u32 = 1;

/// Outcome of a task that was given back.
pub const GIVEN_BACK: &str = "given back";

/// The last step that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The lease is held.
    Leased,
    /// The worktree is there.
    Prepared,
    /// The agent's work passed the checks.
    Worked,
    /// The work is a commit on the branch.
    Committed,
    /// The contributor agreed to push.
    Approved,
    /// The commit is on GitHub.
    Pushed,
    /// The pull request is open.
    Opened,
    /// The pool knows of it.
    Reported,
    /// The pull request was merged or closed, or the task was given up.
    Ended,
}

/// The state of the work on one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    /// The task and its lease.
    #[serde(flatten)]
    pub leased: Leased,
    /// Name of the agent's entry.
    pub agent: String,
    /// The last step that is done.
    pub step: Step,
    /// The repository on GitHub, as it is called now.
    pub upstream: Option<Upstream>,
    /// Commit that the work begins with.
    pub base: Option<String>,
    /// Commit that the next commit builds on: the base, or the last one pushed.
    pub parent: Option<String>,
    /// True once the agent ended a turn of this round: the worktree may be examined without starting it again.
    pub turn_ended: bool,
    /// Tree of the work.
    pub tree: Option<String>,
    /// Tool and version that did the work.
    pub tool: Option<(String, Option<String>)>,
    /// Results of the contract's commands.
    pub checks: Vec<CheckResult>,
    /// The newest commit.
    pub commit: Option<String>,
    /// Repository to push to.
    pub target: Option<Target>,
    /// The newest commit on GitHub.
    pub pushed: Option<String>,
    /// The pull request.
    pub pull: Option<PullLink>,
    /// True once the pool knows of the pull request.
    pub reported: bool,
    /// The round of review that is being worked on.
    pub review: Option<Review>,
    /// Remarks of reviewers that were worked on.
    pub handled: Vec<i64>,
    /// Commits whose failed checks were worked on.
    pub handled_checks: Vec<String>,
    /// Why the last run stopped before the pull request, if it did.
    #[serde(default)]
    pub stopped: Option<String>,
    /// How the work ended, in words.
    pub outcome: Option<String>,
}

/// A repository on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// `owner/name`.
    pub name: String,
    /// Address for git.
    pub url: String,
    /// Default branch.
    pub default_branch: String,
    /// True if the contributor may push to it.
    pub may_push: bool,
}

/// A repository to push to: the upstream one or a fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `owner/name`.
    pub name: String,
    /// Address for git.
    pub url: String,
}

impl Target {
    /// Returns the owner.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.name.split_once('/').map_or("", |(owner, _)| owner)
    }
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullLink {
    /// Number.
    pub number: i64,
    /// Address for people.
    pub url: String,
}

/// A round of review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Remarks of reviewers.
    pub remarks: Vec<Remark>,
    /// Checks that failed.
    pub failed: Vec<FailedRun>,
}

/// A task with its lease, as the pool told of it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// Address of the pool.
    pub pool: String,
    /// Task id.
    pub task: String,
    /// Lease id.
    pub lease: String,
    /// Begin of the work under this lease, in milliseconds since 1970 by this machine's clock.
    #[serde(default)]
    pub since: Option<i64>,
    /// `owner/name`.
    pub repo: String,
    /// Issue number.
    pub issue: Option<i64>,
    /// Untrusted title.
    pub title: String,
    /// Untrusted description.
    pub description: String,
    /// The contract.
    pub contract: Contract,
}

impl Journal {
    /// Begins a journal.
    #[must_use]
    pub fn begin(leased: Leased, agent: &str) -> Self {
        Self {
            version: VERSION,
            leased,
            agent: agent.to_owned(),
            step: Step::Leased,
            upstream: None,
            base: None,
            parent: None,
            turn_ended: false,
            tree: None,
            tool: None,
            checks: Vec::new(),
            commit: None,
            target: None,
            pushed: None,
            pull: None,
            reported: false,
            review: None,
            handled: Vec::new(),
            handled_checks: Vec::new(),
            stopped: None,
            outcome: None,
        }
    }

    /// Goes on with a lease and a contract as they are now. Work that was checked by another contract is checked anew.
    pub fn renew(&mut self, now: Leased) {
        if self.leased.contract != now.contract && (Step::Worked..Step::Pushed).contains(&self.step) {
            self.step = Step::Prepared;
        }
        if self.leased.lease != now.lease {
            (self.leased.lease, self.leased.since) = (now.lease, now.since);
        }
        self.leased.contract = now.contract;
    }

    /// Reads the journal of a folder; `None` if there is none or another version wrote it.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let journal: Self = serde_json::from_slice(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))?;
        Ok(Some(journal).filter(|journal| journal.version == VERSION))
    }

    /// Writes the journal: a reader sees the old or the new state, also after a crash.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE)).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    /// Writes that a step is done.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn done(&mut self, step: Step, folder: &Path) -> io::Result<()> {
        self.step = step;
        self.write(folder)
    }

    /// Returns true if this is unfinished work on a task of a pool.
    #[must_use]
    pub fn is_open_at(&self, pool: &str) -> bool {
        self.leased.pool == pool && self.outcome.is_none()
    }
}
