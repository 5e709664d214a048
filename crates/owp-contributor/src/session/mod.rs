//! A conversation with an agent: prompts go in, and its work shows in the worktree.

mod command;
mod files;
mod permission;
mod protocol;
mod terminals;
mod transcript;

use crate::agents::{Agent, Launch, node_is_too_old};
use crate::desk::Desk;
use crate::environment::ChildEnvironment;
use crate::process::{Running, spoken};
use agent_client_protocol::v1::schema::StopReason;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

pub use permission::PermissionMode;
pub use protocol::{Handshake, SignIn};

/// Time for an agent to end its turn after it was told to.
const CANCELLATION: Duration = Duration::from_secs(5);

/// An error of an agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its program is missing or cannot be started.
    #[error("{name} cannot be started: {cause}")]
    Start {
        /// The agent's name.
        name: String,
        /// The cause.
        cause: String,
    },
    /// It wants its user to sign in first.
    #[error("{name} is not signed in. {how}")]
    SignIn {
        /// The agent's name.
        name: String,
        /// What it offers.
        how: String,
    },
    /// It ended, or broke the protocol.
    #[error("{name} stopped: {cause}")]
    Stopped {
        /// The agent's name.
        name: String,
        /// The cause.
        cause: String,
    },
    /// It did not finish a turn in time.
    #[error("{name} did not finish within {}.", spoken(*limit))]
    Slow {
        /// The agent's name.
        name: String,
        /// The limit.
        limit: Duration,
    },
    /// It refused the task.
    #[error("{name} refuses to go on with this task.")]
    Refused {
        /// The agent's name.
        name: String,
    },
}

impl AgentError {
    /// Adds that the machine's Node.js is too old for the agent, if it is and the agent does not run.
    async fn explained(mut self, agent: &Agent, environment: &ChildEnvironment) -> Self {
        if let Self::Start { cause, .. } | Self::Stopped { cause, .. } = &mut self
            && let Some(why) = node_is_too_old(agent, environment).await
        {
            *cause = format!("{cause}; {why}");
        }
        self
    }
}

/// What a conversation needs.
#[derive(Clone)]
pub struct Setup {
    /// The agent.
    pub agent: Agent,
    /// The worktree.
    pub tree: PathBuf,
    /// A folder for the transcript and the prompts.
    pub folder: PathBuf,
    /// What it may see of the environment.
    pub environment: ChildEnvironment,
    /// What it may do.
    pub mode: PermissionMode,
    /// The longest turn.
    pub turn_limit: Duration,
    /// The contributor.
    pub desk: Arc<dyn Desk>,
    /// Program and arguments of an MCP server for the session, with which the agent can report.
    pub reporter: Option<(PathBuf, Vec<String>)>,
}

/// Starts an agent, asks what it says of itself, and tries to open a session in an empty folder.
///
/// # Errors
/// If it cannot be started or does not answer.
pub async fn handshake(
    agent: &Agent,
    folder: &Path,
    environment: &ChildEnvironment,
    desk: Arc<dyn Desk>,
) -> Result<Handshake, AgentError> {
    match protocol::handshake(agent, folder, environment, desk).await {
        Err(error) => Err(error.explained(agent, environment).await),
        told => told,
    }
}

/// A conversation. Dropping it ends the agent and all that it started.
pub struct Conversation {
    name: String,
    limit: Duration,
    requests: mpsc::Sender<Request>,
    /// Name and version of the tool, for the disclosure.
    tool: (String, Option<String>),
    _ends: tokio::task::JoinHandle<()>,
    _running: Option<Running>,
}

/// A request to the task that talks to the agent.
enum Request {
    Prompt(String, oneshot::Sender<Result<StopReason, AgentError>>),
    Cancel,
}

impl Conversation {
    /// Starts the agent.
    ///
    /// # Errors
    /// If it cannot be started, or wants its user to sign in.
    pub async fn start(setup: Setup) -> Result<Self, AgentError> {
        match setup.agent.launch.clone() {
            Launch::Protocol(_) => {
                let (agent, environment) = (setup.agent.clone(), setup.environment.clone());
                match protocol::start(setup).await {
                    Err(error) => Err(error.explained(&agent, &environment).await),
                    started => started,
                }
            }
            Launch::Prompt(words) => command::start(setup, words).await,
        }
    }

    /// Sends a prompt and waits until the agent ends its turn.
    ///
    /// # Errors
    /// If the agent stops, refuses, or takes too long; it is told to stop then.
    pub async fn prompt(&self, text: String) -> Result<(), AgentError> {
        let (answer, mut answered) = oneshot::channel();
        let stopped = || AgentError::Stopped { name: self.name.clone(), cause: "its program ended".to_owned() };
        self.requests.send(Request::Prompt(text, answer)).await.map_err(|_| stopped())?;
        let Ok(ended) = tokio::time::timeout(self.limit, &mut answered).await else {
            drop(self.requests.try_send(Request::Cancel));
            drop(tokio::time::timeout(CANCELLATION, answered).await);
            return Err(AgentError::Slow { name: self.name.clone(), limit: self.limit });
        };
        match ended.map_err(|_| stopped())?? {
            StopReason::Refusal => Err(AgentError::Refused { name: self.name.clone() }),
            StopReason::Cancelled => Err(stopped()),
            _ => Ok(()),
        }
    }

    /// Tells the agent to end its turn.
    pub fn cancel(&self) {
        drop(self.requests.try_send(Request::Cancel));
    }

    /// Returns the tool's name and version.
    #[must_use]
    pub fn tool(&self) -> (&str, Option<&str>) {
        (&self.tool.0, self.tool.1.as_deref())
    }
}
