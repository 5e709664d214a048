//! Task lists for contributors and operators.

use super::failure::Failure;
use super::print::{field, read, title, word};
use super::values::whole;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use owp_client::{Client, ClientError, segment};
use owp_pool::task::TaskState;
use serde_json::Value;

/// Page size of lists.
const PAGE: usize = 100;

/// Filters of a list of tasks.
#[derive(Debug, Clone, Args)]
pub(super) struct Filters {
    /// Only tasks of this repository
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
    /// Only tasks that need this skill
    #[arg(long, value_name = "SKILL")]
    skill: Option<String>,
    /// Only tasks of this area
    #[arg(long, value_name = "AREA")]
    area: Option<String>,
    /// Maximum number of tasks, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole::<1, 10_000>)]
    limit: i64,
}

/// Parses a task's state.
pub(super) fn state() -> impl TypedValueParser<Value = TaskState> {
    let help = |state| match state {
        TaskState::Ready => "Waits for a worker",
        TaskState::Leased => "Leased, and not begun",
        TaskState::InProgress => "Work has begun",
        TaskState::PrOpened => "A pull request is open",
        TaskState::Blocked => "Work cannot continue",
        TaskState::Merged => "Done",
        TaskState::Closed => "Withdrawn",
    };
    let values = TaskState::ALL.map(|state| PossibleValue::new(state.name()).help(help(state)));
    PossibleValuesParser::new(values).try_map(|name| TaskState::from_name(&name).ok_or("no state of a task"))
}

/// Returns the newest matching tasks, up to the requested number; without a state, only unfinished ones. `told`
/// explains the pool's errors.
pub(super) async fn matching(
    client: &Client,
    filters: &Filters,
    state: Option<TaskState>,
    told: impl Fn(ClientError) -> Failure,
) -> Result<Vec<Value>, Failure> {
    let mut path = format!("/v1/tasks?limit={PAGE}");
    let state = state.map(|state| state.name().to_owned());
    let given = [("repo", &filters.repo), ("skill", &filters.skill), ("area", &filters.area), ("state", &state)];
    for (name, value) in given {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let most = usize::try_from(filters.limit).unwrap_or(usize::MAX);
    let (mut tasks, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor.as_deref().map_or_else(String::new, |cursor| format!("&cursor={}", segment(cursor)));
        let mut page = client.get(&format!("{path}{more}")).await.map_err(&told)?;
        let items = page.get_mut("tasks").map(Value::take).unwrap_or_default();
        let items: Vec<Value> = read(client, &items)?;
        tasks.extend(items.into_iter().filter(|task| fits(task, filters, state.as_deref())));
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) if tasks.len() < most && cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
            _ => break,
        }
    }
    tasks.truncate(most);
    Ok(tasks)
}

/// Returns true if a task passes the filters that an older pool ignores.
fn fits(task: &Value, filters: &Filters, state: Option<&str>) -> bool {
    let is_over = matches!(field(task, "state"), "merged" | "closed");
    let in_area = filters.area.as_ref().is_none_or(|area| field(task, "area").eq_ignore_ascii_case(area.trim()));
    in_area && (state.is_some() || !is_over)
}

/// Returns a task's name for users: its issue or its external id.
pub(super) fn issue(task: &Value) -> String {
    match (task["issue"].as_i64(), task["external_id"].as_str()) {
        (Some(issue), _) => format!("{}#{issue}", word(field(task, "repo"))),
        (None, Some(id)) => format!("{} {}", word(field(task, "repo")), word(id)),
        (None, None) => word(field(task, "repo")),
    }
}

/// Returns a short form of a task's requirements: `rust, sql; area parser; tier 1`.
pub(super) fn needs(task: &Value) -> String {
    let skills: Vec<String> = skills(task).iter().map(|skill| word(skill)).collect();
    let mut needs = Vec::new();
    if !skills.is_empty() {
        needs.push(skills.join(", "));
    }
    if let Some(area) = task["area"].as_str() {
        needs.push(format!("area {}", word(area)));
    }
    match task["tier"].as_i64() {
        Some(tier) if tier > 0 => needs.push(format!("tier {tier}")),
        _ => {}
    }
    if needs.is_empty() { "-".to_owned() } else { needs.join("; ") }
}

/// Returns the skills a task requires.
pub(super) fn skills(task: &Value) -> Vec<String> {
    let skills = task["required_skills"].as_array().into_iter().flatten();
    skills.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns a table row: id, issue, points, state, requirements, then the caller's columns, then the title.
pub(super) fn row(task: &Value, more: Vec<String>) -> Vec<String> {
    let points = task["estimate_points"].as_i64().map_or_else(|| "-".to_owned(), |points| points.to_string());
    let mut row = vec![word(field(task, "task_id")), issue(task), points, word(field(task, "state")), needs(task)];
    row.extend(more);
    row.push(title(field(task, "title")));
    row
}
