//! The work on one task, step by step: prepare, let the agent work, check, commit, ask, push, open the pull request,
//! report.
//!
//! Every step may be repeated: it looks for its effect before it acts, and the [`Journal`] says where to go on. Nothing is
//! pushed once the lease is lost; the work stays on its branch.

mod agent;
mod deliver;
mod follow;
mod lease;
mod pool;
mod prepare;

use crate::agents::Agent;
use crate::desk::{Desk, Event};
use crate::environment::ChildEnvironment;
use crate::git::{Credentials, GitError};
use crate::github::{GitHub, GitHubError, Site, User};
use crate::journal::{GIVEN_BACK, Journal, Step};
use crate::session::{AgentError, PermissionMode};
use crate::workspace::{Workspace, WorkspaceError, Workspaces};
use owp_client::{Client, ClientError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use follow::News;
pub use lease::{LeaseState, LeaseTime};

/// What the work needs, for all tasks of a run.
#[derive(Clone)]
pub struct Context {
    /// The pool.
    pub pool: Client,
    /// GitHub with the contributor's token.
    pub github: GitHub,
    /// GitHub's addresses.
    pub site: Site,
    /// Credentials for git.
    pub credentials: Credentials,
    /// The contributor's GitHub account.
    pub me: User,
    /// The folders for work.
    pub workspaces: Workspaces,
    /// The agent.
    pub agent: Agent,
    /// The contributor's environment.
    pub environment: Vec<(String, String)>,
    /// What the agent may do.
    pub mode: PermissionMode,
    /// True if the push needs no question.
    pub push_without_asking: bool,
    /// How often the agent may repair what the checks found.
    pub rounds: u32,
    /// The longest turn of the agent.
    pub turn_limit: Duration,
    /// The longest run of a command of the contract.
    pub check_limit: Duration,
    /// Organisation to fork into, instead of the contributor's account.
    pub fork_owner: Option<String>,
    /// File with the approved commands.
    pub approvals: PathBuf,
    /// The contributor.
    pub desk: Arc<dyn Desk>,
    /// Program and arguments of the MCP server for a session of a task.
    pub reporter: Option<(PathBuf, Vec<String>)>,
    /// The lease, kept up to date by its heartbeats.
    pub lease: watch::Receiver<LeaseState>,
}

/// How the work ended for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The pull request is open and reported.
    Delivered {
        /// Its address.
        pull: String,
    },
    /// The work stopped before the pull request; it can go on with the same lease.
    Stopped {
        /// Why, and what to do.
        why: String,
    },
    /// The lease is lost; the work stays on its branch.
    LeaseLost {
        /// Why.
        why: String,
    },
    /// The repository refuses AI tools; no agent was started.
    AiRefused,
}

/// An error that ends the work on a task.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Git or a folder.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The pool.
    #[error(transparent)]
    Pool(#[from] ClientError),
    /// A file of this program.
    #[error("The task's folder cannot be used: {0}")]
    File(#[from] std::io::Error),
}

impl From<GitError> for WorkError {
    fn from(error: GitError) -> Self {
        Self::Workspace(error.into())
    }
}

/// A reason to stop, which is not an error.
type Stop = Outcome;

/// The work on one task.
pub struct Work<'a> {
    cx: &'a Context,
    journal: Journal,
    workspace: Workspace,
    environment: ChildEnvironment,
    /// True until the worktree was compared with the commit: somebody may have gone on with it since.
    may_differ: bool,
}

impl<'a> Work<'a> {
    /// Takes up the work where the journal says. The journal is written before anything is done.
    ///
    /// # Errors
    /// If the task's folder cannot be used.
    pub fn take_up(cx: &'a Context, mut journal: Journal) -> Result<Self, WorkError> {
        let workspace = prepare::workspace(cx, &journal)?;
        journal.stopped = None;
        journal.write(&workspace.folder)?;
        let environment = ChildEnvironment::new(&cx.environment, &cx.agent.env);
        let may_differ = journal.step == Step::Committed;
        Ok(Self { cx, journal, workspace, environment, may_differ })
    }

    /// Returns the journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Does the steps that are left, up to the report of the pull request. The journal says why it stopped before.
    ///
    /// # Errors
    /// If git, GitHub, the agent or the pool fails. What is done stays done.
    pub async fn deliver(&mut self) -> Result<Outcome, WorkError> {
        let ended = self.do_steps().await;
        let why = match &ended {
            Ok(Outcome::Delivered { .. }) => return ended,
            Ok(Outcome::Stopped { why } | Outcome::LeaseLost { why }) => why.clone(),
            Ok(Outcome::AiRefused) => "The repository refuses AI tools.".to_owned(),
            Err(error) => error.to_string(),
        };
        self.journal.stopped = Some(why);
        let written = self.journal.write(&self.workspace.folder);
        // The reason matters more than a journal that does not say it.
        if matches!(ended, Ok(Outcome::Stopped { .. })) {
            written?;
        }
        ended
    }

    async fn do_steps(&mut self) -> Result<Outcome, WorkError> {
        loop {
            let stop = match self.journal.step {
                Step::Leased => self.prepare().await?,
                Step::Prepared => self.let_agent_work().await?,
                Step::Worked => self.commit().await?,
                Step::Committed => self.approve().await?,
                Step::Approved => self.push().await?,
                Step::Pushed => self.open().await?,
                Step::Opened => self.report().await?,
                Step::Reported | Step::Ended => {
                    let pull = self.journal.pull.as_ref().map(|pull| pull.url.clone()).unwrap_or_default();
                    return Ok(Outcome::Delivered { pull });
                }
            };
            if let Some(outcome) = stop {
                return Ok(outcome);
            }
        }
    }

    /// Writes that the task was given back; the working copy is no longer needed.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub fn give_up(&mut self) -> Result<(), WorkError> {
        self.journal.outcome = Some(GIVEN_BACK.to_owned());
        Ok(self.journal.write(&self.workspace.folder)?)
    }

    fn done(&mut self, step: Step) -> Result<(), WorkError> {
        Ok(self.journal.done(step, &self.workspace.folder)?)
    }

    fn show(&self, what: impl Into<String>) {
        self.cx.desk.show(&Event::Step(what.into()));
    }

    /// Returns the reason if the lease is lost.
    fn lost(&self) -> Option<Stop> {
        let why = self.cx.lease.borrow().lost.clone()?;
        Some(Outcome::LeaseLost { why })
    }

    /// Runs something until it is done or the lease is lost.
    async fn unless_lost<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut lease = self.cx.lease.clone();
        let lost = async {
            match lease.wait_for(|lease| lease.lost.is_some()).await {
                Ok(lease) => lease.lost.clone().unwrap_or_default(),
                // Nobody watches the lease: a delivered task has none.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            done = work => Ok(done),
            why = lost => Err(Outcome::LeaseLost { why }),
        }
    }
}

fn stopped(why: impl Into<String>) -> Stop {
    Outcome::Stopped { why: why.into() }
}
