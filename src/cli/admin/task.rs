//! `owp admin add-task`.

use super::AdminContext;
use crate::cli::failure::{Failure, print_error, print_line};
use crate::cli::print::{as_json, field, word};
use crate::cli::rephrase::tier_warning;
use crate::cli::values::whole;
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Clone, Args)]
pub(super) struct AddArgs {
    /// The manual repository, created by `init-repo`
    repo: String,
    /// Title of the task
    title: String,
    /// Description of the task
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Estimate in points, 1 to 100
    #[arg(long, value_name = "POINTS", default_value_t = 1, value_parser = whole::<1, 100>)]
    estimate: i64,
    /// Priority, 0 to 1000; larger goes first
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = whole::<0, 1000>)]
    priority: i64,
    /// Skills that a worker needs, separated by commas
    #[arg(long, value_name = "SKILLS", value_delimiter = ',')]
    skills: Vec<String>,
    /// Area of the code; an area has one holder at a time
    #[arg(long, value_name = "AREA")]
    area: Option<String>,
    /// Risk, 0 to 3
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<0, 3>)]
    tier: i64,
    /// Id of the task in another system; a task with this id is not added twice
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

/// Adds a task.
pub(super) async fn add(context: &AdminContext, args: AddArgs) -> Result<(), Failure> {
    let mut body = json!({
        "repo": args.repo, "title": args.title, "description": args.description, "estimate_points": args.estimate,
        "priority": args.priority, "required_skills": args.skills, "area": args.area, "tier": args.tier,
    });
    if let Some(id) = &args.external_id {
        body["external_id"] = id.as_str().into();
    }
    let added = context.post_once("/v1/admin/tasks", &body).await?;
    if context.json {
        as_json(&added);
        return Ok(());
    }
    let (id, repo) = (word(field(&added, "task_id")), word(&args.repo));
    match added.get("created").and_then(Value::as_bool) {
        Some(false) => print_line(&format!("{id} is in {repo} already; nothing was changed")),
        _ => print_line(&format!("{id} was added to {repo}")),
    }
    if let Some(why) = added["warning"].as_str() {
        print_error(&tier_warning(&args.repo, why));
    }
    Ok(())
}
