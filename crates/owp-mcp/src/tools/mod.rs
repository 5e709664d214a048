//! The ten tools: their names, arguments, results and hints. One file for each group; this file lists and dispatches them.

mod browse;
mod lease;
mod progress;

use crate::output::Output;
use crate::pool::Pool;
use crate::problem::Failure;
use crate::schema;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Tools of a server that is confined to one task.
const OF_ONE_TASK: [&str; 3] = ["show_task", "report_progress", "why"];

/// A pool, and the task that the tools are confined to.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub pool: &'a dyn Pool,
    pub only: Option<&'a str>,
}

impl Context<'_> {
    /// Returns the id of the task that was named, if the tools can act on it.
    async fn task(&self, named: &str) -> Result<String, Failure> {
        let id = crate::reading::task_id(self.pool, named).await?;
        match self.only {
            Some(only) if only != id => {
                Err(Failure::call(format!("This connection is for the task {only} alone.\nNext: name that task.")))
            }
            _ => Ok(id),
        }
    }
}

/// Arguments of a tool about one task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneTask {
    /// The task: its id (t_…), owner/name#12, or the address of its issue.
    task: String,
}

/// Arguments of a tool that ends a lease.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GiveBack {
    /// The task: its id (t_…), owner/name#12, or the address of its issue.
    task: String,
    /// Reason, for maintainers and the next contributor; at most 500 characters.
    #[serde(default)]
    #[schemars(with = "String", length(max = 500))]
    reason: Option<String>,
}

/// The effect of a tool, for clients that ask before some calls.
enum Effect {
    /// Changes nothing.
    None,
    /// Changes something; a repetition changes nothing more.
    Once,
    /// Changes something each time.
    EachTime,
    /// Takes something away, which others may then get.
    GivesUp,
}

/// Returns the tools, in the order in which a contributor meets them.
pub(crate) fn all(only_one_task: bool) -> Vec<Tool> {
    let tools = [browse::definitions(), lease::definitions(), progress::definitions()].concat();
    tools.into_iter().filter(|tool| !only_one_task || OF_ONE_TASK.contains(&tool.name.as_ref())).collect()
}

/// Calls a tool that is listed.
pub(crate) async fn call(context: Context<'_>, name: &str, arguments: JsonObject) -> Result<Output, Failure> {
    match name {
        "list_tasks" => browse::list(context, read(arguments)?).await,
        "show_task" => browse::show(context, read(arguments)?).await,
        "why" => browse::why(context, read(arguments)?).await,
        "claim_task" => lease::claim(context, read(arguments)?).await,
        "accept_task" => lease::accept(context, read(arguments)?).await,
        "decline_task" => lease::decline(context, read(arguments)?).await,
        "release_task" => lease::release(context, read(arguments)?).await,
        "heartbeat" => progress::heartbeat(context, read(arguments)?).await,
        "report_progress" => progress::report(context, read(arguments)?).await,
        "submit_pull_request" => progress::submit(context, read(arguments)?).await,
        _ => Err(Failure::call(format!("There is no tool `{name}`."))),
    }
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        Failure::call(format!("The arguments are invalid: {error}.\nNext: correct them and call the tool again."))
    })
}

/// Defines a tool with arguments `A` and result `R`.
fn tool<A: JsonSchema, R: JsonSchema>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: &Effect,
) -> Tool {
    let hints = ToolAnnotations::with_title(title)
        .read_only(matches!(effect, Effect::None))
        .idempotent(!matches!(effect, Effect::EachTime))
        .destructive(matches!(effect, Effect::GivesUp))
        .open_world(true);
    Tool::new(name, description, schema::of_arguments::<A>())
        .with_title(title)
        .with_raw_output_schema(schema::of_result::<R>())
        .with_annotations(hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_ten_tools_with_schemas_and_hints() {
        let tools = all(false);
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(
            names,
            [
                "list_tasks",
                "show_task",
                "why",
                "claim_task",
                "accept_task",
                "decline_task",
                "release_task",
                "heartbeat",
                "report_progress",
                "submit_pull_request"
            ]
        );
        for tool in &tools {
            let text = serde_json::to_string(tool).unwrap();
            assert!(!text.contains("$ref") && !text.contains("\"format\""), "{text}");
            assert_eq!(tool.input_schema["type"], "object");
            assert_eq!(tool.output_schema.as_ref().unwrap()["type"], "object");
            let hints = tool.annotations.as_ref().unwrap();
            assert!(hints.read_only_hint.is_some() && hints.destructive_hint.is_some(), "{}", tool.name);
        }
        let confined = all(true);
        let names: Vec<&str> = confined.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["show_task", "why", "report_progress"]);
    }
}
