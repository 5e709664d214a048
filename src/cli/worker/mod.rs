//! `owp worker`: commands for contributors, one file per concern; this file dispatches them.
//!
//! No command prints a token, and no untrusted text reaches a terminal unescaped.

mod account;
mod agent;
mod browse;
mod confirm;
mod errors;
mod held;
mod hints;
mod holding;
mod leases;
mod link;
mod list;
mod register;
mod report;
mod run;
mod set;
mod signals;
mod simulate;
mod table;
mod whoami;

use super::connect::ConnectionArgs;
use super::failure::{Failure, finish, finish_in_one_line, print_line};
use super::print::as_json;
use clap::{Args, Subcommand};
use owp_config::Environment;
use serde_json::Value;
use std::process::ExitCode;

/// Help text: the precedence of settings.
const MORE: &str = "\
Pool:       --server, else OWP_SERVER, else the one registered with last, else the one on this machine.
Worker:     OWP_WORKER_TOKEN or the file OWP_WORKER_TOKEN_FILE, else the worker stored here for that pool.
            A token of the environment goes to --server, OWP_SERVER or the pool on this machine only.
Exit codes: 0 done, 1 failed or refused, 2 usage error, 4 no access.";

/// Arguments of `owp worker`.
#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true, after_help = MORE)]
pub struct WorkerArgs {
    #[command(flatten, next_help_heading = "Options of every command")]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: WorkerCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum WorkerCommand {
    /// Registers a worker with a pool and keeps its token here.
    Register(register::RegisterArgs),
    /// Asks for work until Ctrl-C, and shows the worker's tasks.
    Run(run::RunArgs),
    /// Works on a task with a coding agent: from the lease to the pull request.
    Do(agent::once::DoArgs),
    /// Hands what reviewers ask for to the agent, and pushes its changes.
    Revise(agent::revise::ReviseArgs),
    /// Lists the coding agents, or asks one whether you are signed in.
    Agents(agent::list::AgentsArgs),
    /// Removes working copies of tasks that are merged, closed or given back.
    Clean(agent::clean::CleanArgs),
    /// Simulates work on tasks, to try a pool out.
    Simulate(simulate::SimulateArgs),
    /// Asks for work once, and lists the worker's tasks.
    #[command(alias = "work")]
    List(list::ListArgs),
    /// Lists the tasks of the pool.
    Tasks(browse::TasksArgs),
    /// Shows a task: its description, issue, deadline, branch and commands.
    Show(browse::OneArgs),
    /// Explains why you cannot have a task now.
    Why(browse::OneArgs),
    /// Reports the progress of a task.
    #[command(alias = "status")]
    Report(report::ReportArgs),
    /// Accepts an offer.
    Ack(leases::AckArgs),
    /// Declines an offer or a task; it is not offered again for a while.
    Nack(leases::GiveBackArgs),
    /// Gives a task back.
    Release(leases::GiveBackArgs),
    /// Claims a task.
    Claim(leases::ClaimArgs),
    /// Shows the worker as the pool sees it.
    Whoami,
    /// Changes the worker's name, skills and limits.
    Set(set::SetArgs),
    /// Links the worker to a GitHub account: prints the comment to write.
    Link(link::LinkArgs),
    /// Pauses the worker: it gets no new tasks and keeps those it holds.
    Pause,
    /// Ends a pause.
    Resume,
    /// Replaces the worker's token.
    Token(account::TokenArgs),
    /// Leaves the pool: releases the worker's tasks and removes its registration here.
    Leave(account::LeaveArgs),
    /// Links the worker of another of your machines by its code; run this where a worker is linked already.
    Confirm(confirm::ConfirmArgs),
}

impl WorkerCommand {
    fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "owp worker register",
            Self::Run(_) => "owp worker run",
            Self::Do(_) => "owp worker do",
            Self::Revise(_) => "owp worker revise",
            Self::Agents(_) => "owp worker agents",
            Self::Clean(_) => "owp worker clean",
            Self::Simulate(_) => "owp worker simulate",
            Self::List(_) => "owp worker list",
            Self::Tasks(_) => "owp worker tasks",
            Self::Show(_) => "owp worker show",
            Self::Why(_) => "owp worker why",
            Self::Report(_) => "owp worker report",
            Self::Ack(_) => "owp worker ack",
            Self::Nack(_) => "owp worker nack",
            Self::Release(_) => "owp worker release",
            Self::Claim(_) => "owp worker claim",
            Self::Whoami => "owp worker whoami",
            Self::Set(_) => "owp worker set",
            Self::Link(_) => "owp worker link",
            Self::Pause => "owp worker pause",
            Self::Resume => "owp worker resume",
            Self::Token(_) => "owp worker token",
            Self::Leave(_) => "owp worker leave",
            Self::Confirm(_) => "owp worker confirm",
        }
    }

    /// Returns true if the command runs on and prints one line of JSON per event.
    fn goes_on(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Simulate(_) | Self::Do(_) | Self::Revise(_))
    }
}

/// Runs the subcommand. Exits with 0 on success, 1 if failed or refused, 2 for a usage error, 4 without access.
pub async fn run(args: WorkerArgs, env: &Environment) -> ExitCode {
    let WorkerArgs { connection, command } = args;
    let (name, goes_on, json) = (command.name(), command.goes_on(), connection.json);
    let result = carry_out(command, &connection, env).await;
    if goes_on { finish_in_one_line(name, result, json) } else { finish(name, result, json) }
}

async fn carry_out(command: WorkerCommand, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    match command {
        WorkerCommand::Register(args) => register::run(args, connection, env).await,
        WorkerCommand::Run(args) => run::run(args, connection, env).await,
        WorkerCommand::Do(args) => agent::once::run(args, connection, env).await,
        WorkerCommand::Revise(args) => agent::revise::run(args, connection, env).await,
        WorkerCommand::Agents(args) => agent::list::run(args, connection, env).await,
        WorkerCommand::Clean(args) => agent::clean::run(args, connection, env).await,
        WorkerCommand::Simulate(args) => simulate::run(args, connection, env).await,
        WorkerCommand::List(args) => list::run(args, connection, env).await,
        WorkerCommand::Tasks(args) => browse::tasks(args, connection, env).await,
        WorkerCommand::Show(args) => browse::show(args, connection, env).await,
        WorkerCommand::Why(args) => browse::why(args, connection, env).await,
        WorkerCommand::Report(args) => report::run(args, connection, env).await,
        WorkerCommand::Ack(args) => leases::ack(args, connection, env).await,
        WorkerCommand::Nack(args) => leases::nack(args, connection, env).await,
        WorkerCommand::Release(args) => leases::release(args, connection, env).await,
        WorkerCommand::Claim(args) => leases::claim(args, connection, env).await,
        WorkerCommand::Whoami => whoami::run(connection, env).await,
        WorkerCommand::Set(args) => set::run(args, connection, env).await,
        WorkerCommand::Link(args) => link::run(args, connection, env).await,
        WorkerCommand::Pause => account::pause(connection, env).await,
        WorkerCommand::Resume => account::resume(connection, env).await,
        WorkerCommand::Token(args) => account::token(args, connection, env).await,
        WorkerCommand::Leave(args) => account::leave(args, connection, env).await,
        WorkerCommand::Confirm(args) => confirm::run(args, connection, env).await,
    }
}

/// Prints a response as JSON or as text.
fn answer(connection: &ConnectionArgs, answer: &Value, words: impl FnOnce() -> String) {
    if connection.json {
        as_json(answer);
    } else {
        print_line(&words());
    }
}
