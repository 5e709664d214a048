//! Coding agents of the contributor: `owp worker do`, `run --agent`, `revise`, `agents` and `clean`. The work itself is in
//! the crate `owp-contributor`; here are its arguments, the terminal, and the calls of the pool around it.

pub(super) mod clean;
mod desk;
mod keeper;
pub(super) mod list;
pub(super) mod many;
pub(super) mod once;
pub(super) mod revise;
mod server;

use super::held::Held;
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use clap::{Args, ValueEnum};
use desk::TerminalDesk;
use keeper::Keeper;
use owp_base::clock::Clock;
use owp_client::Client;
use owp_config::{Environment, api_url};
use owp_contributor::agents::{self, Agent};
use owp_contributor::contract::Contract;
use owp_contributor::desk::{Desk, Event};
use owp_contributor::git::Credentials;
use owp_contributor::github::{GitHub, GitHubError, Site};
use owp_contributor::journal::{GIVEN_BACK, Journal, Leased};
use owp_contributor::session::PermissionMode;
use owp_contributor::work::{Context, LeaseState, Outcome, WorkError};
use owp_contributor::workspace::Workspaces;
use secrecy::SecretString;
use server::TaskServer;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// Folder of this program below the user's folders.
const FOLDER: &str = "owp";

/// Options of the commands that start an agent.
#[derive(Debug, Clone, Args)]
pub(super) struct WorkArgs {
    /// Pushes and opens the pull request without asking
    #[arg(long)]
    yes: bool,
    /// What the agent may do without asking: nothing (ask), change files (edits), or also run commands (all)
    #[arg(long, value_enum, value_name = "MODE", hide_possible_values = true, default_value_t = Permissions::Ask)]
    allow: Permissions,
    /// How often the agent may repair what the checks found
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = crate::cli::values::whole::<0, 20>)]
    rounds: i64,
    /// Longest time of one turn of the agent
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::cli::values::duration)]
    turn_limit: Duration,
    /// Longest time of one command of the repository's contract
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = crate::cli::values::duration)]
    check_limit: Duration,
    /// Organization to fork into, instead of your own account
    #[arg(long, value_name = "ORGANIZATION")]
    fork_to: Option<String>,
    /// Longest wait for one response of GitHub
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::cli::values::duration)]
    github_timeout: Duration,
    /// Interval at which GitHub is asked what became of the pull request
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = crate::cli::values::duration)]
    poll: Duration,
}

/// What an agent may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Permissions {
    /// Nothing: you are asked for everything
    Ask,
    /// Read and change files of the working copy
    Edits,
    /// Everything, commands too
    All,
}

impl From<Permissions> for PermissionMode {
    fn from(given: Permissions) -> Self {
        match given {
            Permissions::Ask => Self::Ask,
            Permissions::Edits => Self::Edits,
            Permissions::All => Self::All,
        }
    }
}

/// A worker with an agent, ready to work.
struct Bench {
    client: Client,
    cx: Context,
    desk: Arc<TerminalDesk>,
    poll: Duration,
}

impl Bench {
    /// Connects to the pool and to GitHub, and finds the agent.
    ///
    /// # Errors
    /// Without a worker or a GitHub token, or if the agent is unknown.
    async fn open(
        agent: &str,
        args: &WorkArgs,
        connection: &ConnectionArgs,
        env: &Environment,
    ) -> Result<Self, Failure> {
        let client = connection.worker(env)?;
        let agent = find_agent(agent, env)?;
        let site = Site::of_api(Some(&api_url(env))).ok_or_else(|| {
            Failure::usage_error("GITHUB_API_URL is no address of HTTP.")
                .next("Set it to GitHub's REST API, such as https://api.github.com, or unset it.")
        })?;
        let token = github_token(env, &site).await?;
        let github = GitHub::new(&site.api, token.clone(), args.github_timeout).map_err(github_failure)?;
        let me = github.me().await.map_err(github_failure)?;
        let desk = Arc::new(TerminalDesk::new(connection.json));
        let shown: Arc<dyn Desk> = Arc::<TerminalDesk>::clone(&desk);
        let cx = Context {
            pool: client.clone(),
            github,
            credentials: Credentials { site: site.web.clone(), token },
            site,
            me,
            workspaces: workspaces(env)?,
            agent,
            environment: Environment::of_children(),
            mode: args.allow.into(),
            push_without_asking: args.yes,
            rounds: u32::try_from(args.rounds).unwrap_or(0),
            turn_limit: args.turn_limit,
            check_limit: args.check_limit,
            fork_owner: args.fork_to.clone(),
            approvals: env.config_home()?.join(FOLDER).join("approved-commands.json"),
            desk: shown,
            reporter: None,
            lease: tokio::sync::watch::channel(LeaseState::default()).1,
        };
        Ok(Self { client, cx, desk, poll: args.poll })
    }

    /// Prepares the work on a task. Without a server for its agent, the agent works without reporting.
    fn prepare(&self, task: &str) -> Prepared {
        let mut cx = self.cx.clone();
        let server = TaskServer::start(&self.client, task);
        match &server {
            Ok(server) => cx.reporter = Some(server.command()),
            Err(error) => self.desk.show(&Event::Note(format!("The agent gets no tools of the pool: {error}."))),
        }
        Prepared { cx, _server: server.ok() }
    }

    /// Returns the journal of a task: the one that was begun, with the lease and the contract of now, or a new one.
    fn journal(&self, held: &Held) -> Result<Journal, Failure> {
        let leased = leased(&self.client, held)?;
        Ok(match read_journal(&self.cx.workspaces, &held.task_id)? {
            // Another pool's task, or a task that was given up, is begun anew.
            Some(mut begun) if begun.is_open_at(&leased.pool) => {
                begun.renew(leased);
                begun.agent.clone_from(&self.cx.agent.id);
                begun
            }
            _ => Journal::begin(leased, &self.cx.agent.id),
        })
    }
}

/// What the work on one task needs; the server for its agent ends with it.
struct Prepared {
    cx: Context,
    _server: Option<TaskServer>,
}

impl Prepared {
    /// Keeps the lease alive, which has so much time left, and stops the work when it ends.
    fn while_leased(mut self, keeper: &Keeper, leased: &Leased, left: Option<Duration>) -> Self {
        self.cx.lease = keeper.watch(leased, left);
        self
    }
}

/// Collects what the work needs to know of a lease.
fn leased(client: &Client, held: &Held) -> Result<Leased, Failure> {
    let raw = &held.raw;
    let contract: Contract = serde_json::from_value(raw["contract"].clone()).map_err(|_| {
        Failure::failed(format!("{} has no GitHub issue, so there is nothing to open a pull request for.", held.name()))
            .next("Do the work by hand, and report it with `owp worker report`.")
    })?;
    let issue = contract.closes.rsplit_once('#').and_then(|(_, number)| number.parse().ok());
    Ok(Leased {
        pool: client.base().to_owned(),
        task: held.task_id.clone(),
        lease: held.lease_id.clone().unwrap_or_default(),
        since: Some(Clock::System.now_ms()),
        repo: held.repo.clone(),
        issue,
        title: held.title.clone(),
        description: raw["description"].as_str().unwrap_or_default().to_owned(),
        contract,
    })
}

/// Returns the folder of working copies.
fn workspaces(env: &Environment) -> Result<Workspaces, Failure> {
    Ok(Workspaces::new(env.data_home()?.join(FOLDER)))
}

/// Reads the journal of a task, if it was begun here.
fn read_journal(workspaces: &Workspaces, task: &str) -> Result<Option<Journal>, Failure> {
    let folder = workspaces.folder_of(task).map_err(|error| work_failure(error.into()))?;
    Journal::read(&folder).map_err(|error| work_failure(error.into()))
}

/// Notes in the journal of a task, if there is one, that it was given back, so that its working copy is no longer needed.
pub(super) fn given_back(env: &Environment, task: &str) {
    let Some(folder) = workspaces(env).ok().and_then(|all| all.folder_of(task).ok()) else { return };
    if let Ok(Some(mut journal)) = Journal::read(&folder) {
        journal.outcome = Some(GIVEN_BACK.to_owned());
        // Without the note `owp worker clean` keeps the working copy.
        drop(journal.write(&folder));
    }
}

/// Reads the lists of agents.
fn all_agents(env: &Environment) -> Result<Vec<Agent>, Failure> {
    let file = agents_file(env)?;
    agents::read(&file)
        .map_err(|error| Failure::usage_error(format!("{error}.")).next("Fix the file, or move it away."))
}

fn agents_file(env: &Environment) -> Result<PathBuf, Failure> {
    Ok(env.config_home()?.join(FOLDER).join("agents.toml"))
}

fn find_agent(name: &str, env: &Environment) -> Result<Agent, Failure> {
    agents::find(all_agents(env)?, name).map_err(|error| {
        Failure::usage_error(error.to_string()).next("`owp worker agents` shows which of them are installed.")
    })
}

/// Finds the contributor's GitHub token: the environment's, else that of GitHub's own command line.
async fn github_token(env: &Environment, site: &Site) -> Result<SecretString, Failure> {
    if let Some(token) = env.secret("GITHUB_TOKEN")? {
        return Ok(token);
    }
    let mut command = Command::new("gh");
    command.args(["auth", "token", "--hostname", &site.host]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().await.ok().filter(|output| output.status.success());
    let token = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    token.filter(|token| !token.is_empty()).map(SecretString::from).ok_or_else(|| {
        Failure::no_access(format!("There is no GitHub token for {} to push and open pull requests with.", site.host))
            .next("Run `gh auth login`, or set GITHUB_TOKEN to a token that may write to your forks and open pull requests.")
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn github_failure(error: GitHubError) -> Failure {
    match error {
        GitHubError::Token(_) => Failure::no_access(error.to_string())
            .next("Run `gh auth login` again, or set GITHUB_TOKEN to a valid token."),
        GitHubError::Forbidden { .. } => Failure::no_access(error.to_string())
            .next("Give the token the rights to fork, push and open pull requests (classic: `public_repo`; fine-grained: contents and pull requests, write)."),
        GitHubError::NotFound { .. } => Failure::failed(error.to_string()).next("Check that the token may see the repository."),
        GitHubError::Unavailable(_) => Failure::failed(error.to_string()).next("Try again later; the work so far is kept."),
        GitHubError::Rejected { .. } => Failure::failed(error.to_string()),
    }
}

fn work_failure(error: WorkError) -> Failure {
    match error {
        WorkError::GitHub(error) => github_failure(error),
        WorkError::Pool(error) => super::errors::with_next_step(error),
        WorkError::Agent(error) => Failure::failed(error.to_string())
            .next("`owp worker agents` shows which agents are installed and signed in."),
        error => Failure::failed(crate::cli::untrusted::visible_line(&error.to_string())),
    }
}

/// Turns an outcome without a pull request into a failure.
fn outcome_failure(outcome: &Outcome, journal: &Journal) -> Option<Failure> {
    let task = &journal.leased.task;
    match outcome {
        Outcome::Delivered { .. } => None,
        Outcome::Stopped { why } => Some(Failure::failed(why).next(format!(
            "`owp worker do {task} --agent {}` goes on; `owp worker release {task}` gives the task back.",
            journal.agent
        ))),
        Outcome::LeaseLost { why } => Some(
            Failure::failed(format!("The lease is lost, so nothing is pushed: {why}"))
                .next(format!("The work stays on its branch. `owp worker claim {task}` asks for the task again.")),
        ),
        Outcome::AiRefused => Some(
            Failure::failed(format!(
                "{} refuses AI tools, so no agent was started, and the task was given back.",
                journal.leased.repo
            ))
            .next("Do the task by hand (`owp worker claim`), or take tasks of other repositories."),
        ),
    }
}
