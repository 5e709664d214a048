//! `owp worker whoami`: the worker as the pool sees it.

use super::{answer, errors};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::{count, read, time, word};
use owp_client::Client;
use owp_config::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

/// The worker's own data.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Me {
    worker_id: String,
    name: String,
    github_login: Option<String>,
    pub skills: Vec<String>,
    capacity_points: i64,
    max_concurrent_tasks: i64,
    status: String,
    /// Older servers omit it.
    #[serde(default)]
    paused: bool,
    load: Load,
    created_at: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Load {
    points: i64,
    leases: i64,
}

impl Me {
    /// Asks the pool; also returns the raw response.
    pub(super) async fn fetch(client: &Client) -> Result<(Self, Value), Failure> {
        let shown = client.get("/v1/workers/me").await.map_err(errors::with_next_step)?;
        Ok((read(client, &shown)?, shown))
    }

    /// Returns the number of tasks it holds.
    pub(super) fn held(&self) -> i64 {
        self.load.leases
    }

    /// Returns its name and id for users.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", word(&self.name), word(&self.worker_id))
    }

    /// Returns a sentence about a stored pause, with a space before it; empty if there is none.
    pub(super) fn pause(&self) -> &'static str {
        if self.paused { " It is paused: `owp worker resume` ends the pause." } else { "" }
    }

    /// Returns its capacity for users.
    pub(super) fn takes(&self) -> String {
        let tasks = self.max_concurrent_tasks;
        format!("{} and {} at a time", count(self.capacity_points, "point"), count(tasks, "task"))
    }

    /// Formats all of its data for users.
    pub(super) fn words(&self, client: &Client) -> String {
        let skills = if self.skills.is_empty() { "none".to_owned() } else { word(&self.skills.join(", ")) };
        let github = match &self.github_login {
            Some(login) => word(login),
            None => "not linked; `owp worker link LOGIN` shows how".to_owned(),
        };
        let holds = format!("{}, {}", count(self.load.leases, "task"), count(self.load.points, "point"));
        let rows = [
            ("skills", skills),
            ("takes", self.takes()),
            ("holds", holds),
            ("GitHub", github),
            ("status", word(&self.status)),
            ("since", time(&self.created_at)),
        ];
        let rows = rows.map(|(name, value)| format!("\n  {name:<8}{value}"));
        format!("{} at {}{}", self.name(), client.base(), rows.concat())
    }
}

/// Shows the worker.
pub(super) async fn run(connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let client = connection.worker(env)?;
    let (me, mut shown) = Me::fetch(&client).await?;
    shown["server"] = json!(client.base());
    answer(connection, &shown, || me.words(&client));
    Ok(())
}
