//! The command line: one file per subcommand; `serve` builds the server.
//!
//! Exit codes: 0 success, 1 failed, 2 usage error (a flag, a variable), 4 no access (see `owp_terminal`). Machine-readable
//! output goes to stdout, everything else to stderr.

pub mod admin;
pub mod completions;
mod confirm;
mod connect;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod doctor;
mod examples;
mod file;
pub mod healthcheck;
mod logging;
mod loops;
pub mod man;
pub mod mcp;
mod named;
pub mod policy;
mod print;
mod profile;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod serve;
mod tasks;
pub mod worker;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use owp_config::{ConfigError, Environment, LogConfig};
use owp_conformance::cli::ConformanceArgs;
use owp_terminal::{colour, failure, rephrase, untrusted, values};
use std::process::ExitCode;

const USAGE_ERROR: u8 = 2;

/// Hands labelled GitHub issues to contributors, never faster than maintainers can review.
#[derive(Debug, Parser)]
#[command(name = "owp", version, arg_required_else_help = true)]
struct Cli {
    /// Prints no colours; NO_COLOR does the same
    #[arg(long, global = true, display_order = 950)]
    no_color: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the pool: REST, webhooks, dashboard.
    Serve(serve::ServeArgs),
    /// Runs a sandbox GitHub in memory: Apps, issues, pull requests and signed webhooks over HTTP.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
    /// Runs a self-contained demo: a sandbox GitHub, the pool, simulated contributors and a maintainer.
    #[cfg(feature = "sandbox")]
    Demo(demo::DemoArgs),
    /// Checks or simulates a policy file, or prints its JSON Schema.
    Policy(policy::PolicyArgs),
    /// Manages a pool as its operator: repositories, tasks, imports, events, access.
    Admin(admin::AdminArgs),
    /// Checks everything a pool needs and suggests a fix for each problem.
    Doctor(doctor::DoctorArgs),
    Conformance(ConformanceArgs),
    #[cfg(feature = "simulation")]
    #[command(hide = true)]
    Simulate(owp_simulation::cli::SimulateArgs),
    /// Checks that a running pool is ready; exits with 0 if it is.
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Takes tasks from a pool, reports their progress and gives them back: for contributors.
    Worker(worker::WorkerArgs),
    /// Offers a worker's calls to AI tools, over MCP on stdin and stdout: for contributors.
    Mcp(mcp::McpArgs),
    /// Generates shell completions.
    Completions(completions::CompletionsArgs),
    /// Generates manual pages.
    Man(man::ManArgs),
}

/// Runs the program: reads flags and environment, then runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    let cli = read_command_line();
    match prepare(&cli.command) {
        Ok((env, runtime)) => {
            let code = runtime.block_on(run(cli.command, env));
            // Remaining tasks are abandoned: a hanging DNS lookup must not keep the process alive.
            runtime.shutdown_background();
            code
        }
        Err(error) => usage_error(&error),
    }
}

/// Parses the command line; exits after a usage error or a request for help.
fn read_command_line() -> Cli {
    let plain = colour::is_off();
    if plain {
        console::set_colors_enabled(false);
        console::set_colors_enabled_stderr(false);
    }
    let program = program().color(if plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto });
    Cli::from_arg_matches(&program.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Returns the command line parser with all help texts.
fn program() -> clap::Command {
    examples::with_examples(Cli::command())
}

fn prepare(command: &Command) -> Result<(Environment, tokio::runtime::Runtime), ConfigError> {
    let env = match command {
        // These run in other people's repositories, whose `.env` is not for this program and may be unreadable.
        Command::Worker(_) | Command::Mcp(_) | Command::Completions(_) | Command::Man(_) => Environment::of_process()?,
        _ => Environment::load()?,
    };
    let filter = match command {
        // The demo narrates what happens.
        #[cfg(feature = "sandbox")]
        Command::Demo(_) => "warn",
        // The trace tells what happens; the log of thousands of histories would bury it.
        #[cfg(feature = "simulation")]
        Command::Simulate(_) => "off",
        _ => "info",
    };
    logging::start(&LogConfig::load(&env, filter)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| ConfigError::new(format!("cannot start threads: {error}")))?;
    Ok((env, runtime))
}

async fn run(command: Command, env: Environment) -> ExitCode {
    match command {
        Command::Serve(args) => serve::run(args, &env).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args).await,
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::run(args).await,
        Command::Policy(args) => policy::run(args, &env).await,
        Command::Admin(args) => admin::run(args, &env).await,
        Command::Doctor(args) => doctor::run(args, &env).await,
        Command::Conformance(args) => owp_conformance::cli::run("owp conformance", &args, &env).await,
        #[cfg(feature = "simulation")]
        Command::Simulate(args) => tokio::task::block_in_place(|| owp_simulation::cli::run(&args)),
        Command::Healthcheck(args) => healthcheck::run(args, &env).await,
        Command::Worker(args) => worker::run(args, &env).await,
        Command::Mcp(args) => mcp::run(args, &env).await,
        Command::Completions(args) => completions::run(&args, program()),
        Command::Man(args) => man::run(&args, program()),
    }
}

/// Reports a configuration error.
fn usage_error(error: &ConfigError) -> ExitCode {
    failure::print_error(&format!("owp: {}", untrusted::visible(&error.to_string())));
    ExitCode::from(USAGE_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_every_flag_is_explained() {
        let mut command = program();
        command.build();
        command.clone().debug_assert();
        for subcommand in command.get_subcommands() {
            assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
            for arg in subcommand.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {}", subcommand.get_name(), arg.get_id());
            }
        }
    }
}
