//! `owp admin`: commands for the pool's operator, one file per concern. All of them use OWP with the admin token.
//!
//! Exit codes are those of `failure`.

mod ask;
mod audit;
mod close;
mod comments;
mod events;
mod import;
mod lists;
mod policy;
mod repos;
mod revoke;
mod state;
mod target;
mod task;
mod trust;
mod why;

pub(in crate::cli) use ask::explained;

use super::connect::ConnectionArgs;
use super::failure::{Failure, finish};
use clap::{Args, Subcommand};
use owp_client::Client;
use owp_config::Environment;
use std::process::ExitCode;

/// Manages a pool as its operator.
// Lists the global options last in `--help`.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 900)]
pub struct AdminArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AdminCommand {
    /// Creates a manual repository, or sets the review budget of an existing one.
    InitRepo(repos::InitArgs),
    /// Removes a manual repository and closes its waiting tasks.
    RemoveRepo(repos::RemoveArgs),
    /// Adds a task.
    AddTask(task::AddArgs),
    /// Adds the tasks of a YAML file; importing it again adds no task twice.
    ImportTasks(import::TasksArgs),
    /// Adds the open issues of a GitHub repository as tasks; importing them again adds none twice.
    ImportGithubIssues(import::IssuesArgs),
    /// Shows every repository: its review budget, its tasks, and why it hands out nothing.
    State,
    /// Lists tasks, including those of private repositories.
    Tasks(lists::TasksArgs),
    /// Lists the workers with access, and the number of tasks each holds.
    Workers,
    /// Shows the latest events, one per line.
    Events(events::EventsArgs),
    /// Shows a task's state, the worker that would get it, and the rules that exclude others.
    Why(why::WhyArgs),
    /// Revokes a lease, or a worker's access and all its leases.
    Revoke(revoke::RevokeArgs),
    /// Closes a task of a manual repository.
    Close(close::CloseArgs),
    /// Makes a closed or merged task of a manual repository ready again.
    Reopen(close::ReopenArgs),
    /// Sets a contributor's trust in a repository.
    Trust(trust::TrustArgs),
    /// Stops handing out work in a repository.
    Pause(repos::PauseArgs),
    /// Hands out work in a repository again.
    Resume(repos::ResumeArgs),
    /// Shows or sets the rules of a repository.
    Policy(policy::PolicyArgs),
    /// Exports or verifies the audit log.
    Audit(audit::AuditArgs),
    /// Lists or retries dead letters: comments that GitHub did not accept.
    Comments(comments::CommentsArgs),
}

impl AdminCommand {
    fn name(&self) -> &'static str {
        match self {
            Self::InitRepo(_) => "init-repo",
            Self::RemoveRepo(_) => "remove-repo",
            Self::Tasks(_) => "tasks",
            Self::Workers => "workers",
            Self::Policy(_) => "policy",
            Self::Audit(_) => "audit",
            Self::Comments(_) => "comments",
            Self::AddTask(_) => "add-task",
            Self::ImportTasks(_) => "import-tasks",
            Self::ImportGithubIssues(_) => "import-github-issues",
            Self::State => "state",
            Self::Events(_) => "events",
            Self::Why(_) => "why",
            Self::Revoke(_) => "revoke",
            Self::Close(_) => "close",
            Self::Reopen(_) => "reopen",
            Self::Trust(_) => "trust",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
        }
    }
}

/// The client for the pool, and the output format.
struct AdminContext {
    pool: Client,
    json: bool,
}

/// Runs the subcommand.
pub async fn run(args: AdminArgs, env: &Environment) -> ExitCode {
    let (name, json) = (args.command.name(), args.connection.json);
    let result = carry_out(args, env).await;
    finish(&format!("owp admin {name}"), result, json)
}

async fn carry_out(args: AdminArgs, env: &Environment) -> Result<(), Failure> {
    let AdminArgs { connection, command } = args;
    let context = || AdminContext::new(&connection, env);
    match command {
        AdminCommand::InitRepo(args) => repos::init(&context()?, args).await,
        AdminCommand::RemoveRepo(args) => repos::remove(&context()?, args).await,
        AdminCommand::Tasks(args) => lists::tasks(&context()?, args).await,
        AdminCommand::Workers => lists::workers(&context()?).await,
        AdminCommand::Policy(args) => policy::run(context, args).await,
        AdminCommand::Audit(args) => audit::run(&context()?, args).await,
        AdminCommand::Comments(args) => comments::run(&context()?, args).await,
        AdminCommand::AddTask(args) => task::add(&context()?, args).await,
        // Reports errors in the file before it asks for a token.
        AdminCommand::ImportTasks(args) => import::tasks(context, args).await,
        AdminCommand::ImportGithubIssues(args) => import::issues(&context()?, args, env).await,
        AdminCommand::State => state::show(&context()?).await,
        AdminCommand::Events(args) => events::show(&context()?, args).await,
        AdminCommand::Why(args) => why::run(&context()?, args).await,
        AdminCommand::Revoke(args) => revoke::revoke(&context()?, args).await,
        AdminCommand::Close(args) => close::close(&context()?, args).await,
        AdminCommand::Reopen(args) => close::reopen(&context()?, args).await,
        AdminCommand::Trust(args) => trust::set(&context()?, args).await,
        AdminCommand::Pause(args) => repos::pause(&context()?, args).await,
        AdminCommand::Resume(args) => repos::resume(&context()?, args).await,
    }
}

impl AdminContext {
    /// Connects to the pool as its operator.
    fn new(connection: &ConnectionArgs, env: &Environment) -> Result<Self, Failure> {
        Ok(Self { pool: connection.operator(env)?, json: connection.json })
    }
}
