//! `owp worker set`: changes the worker's settings.

use super::whoami::Me;
use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::read;
use crate::cli::values::whole;
use clap::Args;
use owp_config::Environment;
use serde_json::{Map, Value, json};

/// Arguments of `owp worker set`; the rest stays as it is.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(super) struct SetArgs {
    /// Public name of the worker
    #[arg(long)]
    name: Option<String>,
    /// Skills of the worker, such as rust,sql, replacing all earlier ones; '' for none
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["add_skill", "remove_skill"])]
    skills: Option<Vec<String>>,
    /// Adds a skill; several are separated by commas
    #[arg(long, value_name = "SKILL", value_delimiter = ',')]
    add_skill: Vec<String>,
    /// Removes a skill
    #[arg(long, value_name = "SKILL", value_delimiter = ',')]
    remove_skill: Vec<String>,
    /// Points it can hold at once
    #[arg(long, value_name = "POINTS", value_parser = whole::<1, 100>)]
    capacity: Option<i64>,
    /// Tasks it can hold at once
    #[arg(long, value_name = "TASKS", value_parser = whole::<1, 20>)]
    concurrent: Option<i64>,
}

impl SetArgs {
    fn body(&self) -> Value {
        let given = |skill: &&String| !skill.trim().is_empty();
        let skills = self.skills.as_ref().map(|skills| json!(skills.iter().filter(given).collect::<Vec<_>>()));
        let changes = [
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("skills", skills),
            ("capacity_points", self.capacity.map(|points| json!(points))),
            ("max_concurrent_tasks", self.concurrent.map(|tasks| json!(tasks))),
        ];
        let changes = changes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Object(changes.collect::<Map<_, _>>())
    }

    /// Returns the skills after additions and removals.
    fn skills_after(&self, mut skills: Vec<String>) -> Vec<String> {
        let plain = |skill: &String| skill.trim().to_lowercase();
        skills.extend(self.add_skill.iter().map(plain));
        let gone: Vec<String> = self.remove_skill.iter().map(plain).collect();
        skills.retain(|skill| !skill.is_empty() && !gone.contains(skill));
        skills.sort();
        skills.dedup();
        skills
    }
}

/// Changes the worker and prints the result.
pub(super) async fn run(args: SetArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let mut body = args.body();
    if !args.add_skill.is_empty() || !args.remove_skill.is_empty() {
        let (me, _) = Me::fetch(&client).await?;
        body["skills"] = json!(args.skills_after(me.skills));
    }
    let mut shown = client.patch("/v1/workers/me", &body).await.map_err(errors::with_next_step)?;
    let me: Me = read(&client, &shown)?;
    shown["server"] = json!(client.base());
    answer(connection, &shown, || me.words(&client));
    Ok(())
}
