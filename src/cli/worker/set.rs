//! `owp worker set`: changes what the worker says of itself.

use super::whoami::Me;
use super::{answer, told};
use crate::cli::connect::Asked;
use crate::cli::failure::Failure;
use crate::cli::print::read;
use crate::config::Environment;
use clap::Args;
use serde_json::{Map, Value, json};

/// What the worker says differently; what is left out stays.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(super) struct SetArgs {
    /// What it calls itself, for everybody to read
    #[arg(long)]
    name: Option<String>,
    /// All it can do, such as rust,sql; '' for nothing
    #[arg(long, value_delimiter = ',')]
    skills: Option<Vec<String>>,
    /// Points it can hold at once
    #[arg(long, value_name = "POINTS", value_parser = clap::value_parser!(u8).range(1..=100))]
    capacity: Option<u8>,
    /// Tasks it can hold at once
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u8).range(1..=20))]
    concurrent: Option<u8>,
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
}

/// Changes the worker, and shows it as it is now.
///
/// # Errors
/// When nobody is registered here, or the pool says no.
pub(super) async fn run(args: SetArgs, asked: &Asked, env: &Environment) -> Result<(), Failure> {
    let client = asked.worker(env)?;
    let mut shown = client.patch("/v1/workers/me", &args.body()).await.map_err(told::told)?;
    let me: Me = read(&client, &shown)?;
    shown["server"] = json!(client.base());
    answer(asked, &shown, || me.words(&client));
    Ok(())
}
