//! `owp worker agents`: which coding agents are known, installed, and signed in as far as they tell.

use super::desk::TerminalDesk;
use super::{agents_file, all_agents, find_agent, work_failure};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json, table, word, words};
use clap::Args;
use owp_config::Environment;
use owp_contributor::agents::{Agent, find_program, version};
use owp_contributor::environment::ChildEnvironment;
use owp_contributor::session::{SignIn, handshake};
use serde_json::{Value, json};
use std::sync::Arc;

/// Arguments of `owp worker agents`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli::worker) struct AgentsArgs {
    /// Starts this agent and asks what it is, and whether its user is signed in
    #[arg(value_name = "NAME")]
    agent: Option<String>,
}

/// Lists the agents, or asks one.
pub(in crate::cli::worker) async fn run(
    args: AgentsArgs,
    connection: &ConnectionArgs,
    env: &Environment,
) -> Result<(), Failure> {
    match &args.agent {
        Some(name) => ask(name, connection, env).await,
        None => list(connection, env).await,
    }
}

async fn list(connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let all = Environment::of_children();
    let asked = all_agents(env)?.into_iter().map(|agent| {
        let environment = ChildEnvironment::new(&all, &agent.env);
        async move {
            let is_startable = find_program(agent.launch.program(), &environment).is_some();
            let version = version(&agent, &environment).await;
            (agent, is_startable, version)
        }
    });
    let agents = futures_util::future::join_all(asked).await;
    if connection.json {
        let agents: Vec<Value> = agents
            .iter()
            .map(|(agent, startable, version)| {
                json!({
                    "name": agent.id, "title": agent.name, "command": agent.launch.line(), "startable": startable,
                    "version": version, "source": agent.source,
                })
            })
            .collect();
        as_json(&json!({ "agents": agents }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = agents.iter().map(row).collect();
    table(&["NAME", "AGENT", "INSTALLED", "STARTED BY"], &rows);
    print_line("");
    print_line("`owp worker agents NAME` starts one and says whether you are signed in to it.");
    print_line(&format!("Add or change agents in {}.", agents_file(env)?.display()));
    Ok(())
}

fn row((agent, startable, version): &(Agent, bool, Option<String>)) -> Vec<String> {
    let installed = match (startable, version) {
        (false, _) => format!("no: `{}` is missing", word(agent.launch.program())),
        (true, Some(version)) => word(version),
        // The launcher fetches the package.
        (true, None) if agent.launch.program() == "npx" => "fetched by npx when started".to_owned(),
        (true, None) => "yes".to_owned(),
    };
    vec![word(&agent.id), word(&agent.name), installed, word(&agent.launch.line())]
}

async fn ask(name: &str, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let agent = find_agent(name, env)?;
    let environment = ChildEnvironment::new(&Environment::of_children(), &agent.env);
    let folder = tempfile::tempdir().map_err(|error| Failure::failed(format!("No temporary folder: {error}.")))?;
    let desk = Arc::new(TerminalDesk::new(connection.json));
    let told =
        handshake(&agent, folder.path(), &environment, desk).await.map_err(|error| work_failure(error.into()))?;
    let signed_in = match told.signed_in {
        SignIn::SessionOpened => "it opens a session; some agents ask for the account only at the first prompt",
        SignIn::Required => "no: it wants you to sign in",
        SignIn::Unknown => "unknown: it did not open a session",
    };
    if connection.json {
        let (title, version) = told.info.unzip();
        as_json(&json!({
            "name": agent.id, "title": title, "version": version, "sign_in": told.sign_in,
            "session_opened": told.signed_in == SignIn::SessionOpened, "sign_in_required": told.signed_in == SignIn::Required,
        }));
        return Ok(());
    }
    let (title, version) = told.info.unwrap_or_else(|| (agent.name.clone(), "an unknown version".to_owned()));
    print_line(&format!("{} {}", words(&title), word(&version)));
    print_line(&format!("  signed in   {signed_in}"));
    for way in told.sign_in {
        print_line(&format!("  offers      {}", words(&way)));
    }
    Ok(())
}
