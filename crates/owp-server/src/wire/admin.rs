//! The operator's calls: `POST /v1/admin/repos`, `POST /v1/admin/tasks`, `GET /v1/admin/state`.

use super::check::Checks;
use super::extra;
use super::me::LoadView;
use super::read::{Request, Whole};
use owp_pool::task::{TaskSpec, TaskState};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

const EXTERNAL_ID_MAX_CHARS: usize = 200;

/// A repository as it is sent. What is left out returns to its default.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RepositorySettings")]
pub struct RepoBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// The review budget; 3 when not given, 0 stops the repository.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    max_open_prs: Option<Whole>,
    /// Whether an area has one holder at a time; true when not given.
    #[serde(default)]
    area_locks_enabled: Option<bool>,
}

/// A validated repository.
#[derive(Debug, PartialEq, Eq)]
pub struct Repo {
    /// The name, 1–200 characters.
    pub repo: String,
    /// 0–100, default 3; 0 stops handing out work.
    pub max_open_prs: i64,
    /// Default true.
    pub area_locks_enabled: bool,
}

impl Request for RepoBody {
    type Checked = Repo;

    fn check(self, checks: &mut Checks) -> Repo {
        Repo {
            repo: checks.repo(&self.repo),
            max_open_prs: checks.number("max_open_prs", self.max_open_prs, 3, 0..=100),
            area_locks_enabled: self.area_locks_enabled.unwrap_or(true),
        }
    }
}

/// A repository that shall be removed, as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RemoveRepository")]
pub struct RemoveBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
}

impl Request for RemoveBody {
    type Checked = String;

    fn check(self, checks: &mut Checks) -> String {
        checks.repo(&self.repo)
    }
}

/// The answer to a removal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RepositoryRemoved")]
pub struct RepoRemoved {
    /// Always true.
    pub ok: bool,
    /// How many tasks waited there and are closed now.
    pub tasks_closed: usize,
}

/// A page of workers, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WorkerPage {
    /// The workers that have access.
    pub workers: Vec<WorkerRow>,
    /// What to ask for next as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
}

/// A worker as the operator sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListedWorker")]
pub struct WorkerRow {
    /// Its id.
    pub worker_id: String,
    /// What it calls itself. Untrusted text.
    pub name: String,
    /// The GitHub login of the person behind it; null until it is linked.
    pub github_login: Option<String>,
    /// True for the worker that stands for a person's comments.
    pub by_comment: bool,
    /// Lower-case, sorted.
    pub skills: Vec<String>,
    /// Points it can hold at once.
    pub capacity_points: i64,
    /// Leases it can hold at once.
    pub max_concurrent_tasks: i64,
    /// `idle`, `working` or `paused`.
    pub status: &'static str,
    /// What its live leases take.
    pub load: LoadView,
    /// When it registered (RFC 3339).
    pub created_at: String,
    /// When it was last heard of (RFC 3339).
    pub last_seen_at: String,
}

/// The answer to a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RepoSaved {
    /// Always true.
    pub ok: bool,
    /// Its name.
    pub repo: String,
}

/// A task as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewTask")]
pub struct TaskBody {
    /// A manual repository.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// What it is called.
    #[schemars(length(min = 1, max = 300))]
    title: String,
    /// What it says.
    #[serde(default)]
    description: Option<String>,
    /// Points; 1 when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    estimate_points: Option<Whole>,
    /// Larger first; 10 when not given.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    priority: Option<Whole>,
    /// Trimmed and caseless; 64 at most.
    #[serde(default)]
    #[schemars(length(max = 64))]
    required_skills: Option<Vec<String>>,
    /// At most one holder per area while area locks are on.
    #[serde(default)]
    area: Option<String>,
    /// The risk, 0–3; 0 when not given.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3))]
    tier: Option<Whole>,
    /// The id it has elsewhere. A repository has at most one task of each: where there is one, its id is answered and nothing
    /// is changed. Compared as it is written.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    external_id: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A validated task.
#[derive(Debug, PartialEq, Eq)]
pub struct NewTask {
    /// The repository it belongs to.
    pub repo: String,
    /// 1–300 characters.
    pub title: String,
    /// Empty when not given.
    pub description: String,
    /// Requirements of the task.
    pub spec: TaskSpec,
    /// The id in another system, 1–200 characters.
    pub external_id: Option<String>,
    /// The fields whose names start with `x_`.
    pub extra: Map<String, Value>,
}

impl Request for TaskBody {
    type Checked = NewTask;

    fn check(self, checks: &mut Checks) -> NewTask {
        NewTask {
            repo: checks.repo(&self.repo),
            title: checks.name("title", self.title, 300),
            // Limited only by the body's size: OWP 0.1 names no limit.
            description: checks.optional_text("description", self.description, usize::MAX / 4).unwrap_or_default(),
            spec: TaskSpec {
                estimate: checks.number("estimate_points", self.estimate_points, 1, 1..=100),
                priority: checks.number("priority", self.priority, 10, 0..=1000),
                skills: checks.skills("required_skills", self.required_skills),
                area: checks.area("area", self.area.as_deref()),
                tier: checks.number("tier", self.tier, 0, 0..=3),
            },
            external_id: self.external_id.map(|id| checks.name("external_id", id, EXTERNAL_ID_MAX_CHARS)),
            extra: extra::own_fields(checks, self.rest),
        }
    }
}

/// The answer to a task.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskAdded {
    /// Always true.
    pub ok: bool,
    /// Its id.
    pub task_id: String,
    /// False when it was there already, and nothing was changed; told only where an `external_id` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// A warning about something that was asked for and has no effect; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Counts for the operator.
#[derive(Debug)]
pub struct State {
    /// Workers heard of within 90 s.
    pub workers_online: i64,
    /// Number of tasks per state; a missing state has none.
    pub tasks: Vec<(TaskState, i64)>,
}

impl Serialize for State {
    /// Writes a flat object: `workers_online` and one `tasks_…` per state, zeros included.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + TaskState::ALL.len()))?;
        map.serialize_entry("workers_online", &self.workers_online)?;
        for state in TaskState::ALL {
            let count: i64 = self.tasks.iter().filter(|(s, _)| *s == state).map(|(_, n)| n).sum();
            map.serialize_entry(&format!("tasks_{state}"), &count)?;
        }
        map.end()
    }
}

impl JsonSchema for State {
    fn schema_name() -> Cow<'static, str> {
        "State".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = TaskState::ALL.into_iter().map(|state| format!("tasks_{state}"));
        let names: Vec<String> = std::iter::once("workers_online".to_owned()).chain(names).collect();
        let count = || json_schema!({ "type": "integer", "minimum": 0 }).to_value();
        let properties: Map<String, Value> = names.iter().map(|name| (name.clone(), count())).collect();
        json_schema!({ "type": "object", "properties": properties, "required": names })
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn omitted_fields_are_defaults() {
        let repo = Repo { repo: "acme/rocket".into(), max_open_prs: 3, area_locks_enabled: true };
        assert_eq!(read::<RepoBody>(br#"{"repo":"acme/rocket"}"#).unwrap(), repo);
        let task =
            read::<TaskBody>(br#"{"repo":"acme/rocket","title":"Fix it","area":"","description":null}"#).unwrap();
        let spec = TaskSpec { estimate: 1, priority: 10, skills: vec![], area: None, tier: 0 };
        assert_eq!(
            task,
            NewTask {
                repo: "acme/rocket".into(),
                title: "Fix it".into(),
                description: String::new(),
                spec,
                external_id: None,
                extra: Map::new()
            }
        );
    }

    #[test]
    fn bounds_are_those_of_the_protocol() {
        for (body, field) in [
            (r#"{"repo":"r","title":""}"#, "title"),
            (r#"{"repo":"","title":"t"}"#, "repo"),
            (r#"{"repo":"r","title":"t","estimate_points":0}"#, "estimate_points"),
            (r#"{"repo":"r","title":"t","priority":1001}"#, "priority"),
            (r#"{"repo":"r","title":"t","tier":4}"#, "tier"),
            (r#"{"repo":"r","title":"t","description":"a\u0000"}"#, "description"),
        ] {
            assert_eq!(read::<TaskBody>(body.as_bytes()).unwrap_err().errors[0].field, field, "{body}");
        }
        assert_eq!(read::<RepoBody>(br#"{"repo":"r","max_open_prs":-1}"#).unwrap_err().errors[0].field, "max_open_prs");
        assert_eq!(read::<RepoBody>(br#"{"repo":"r","max_open_prs":0}"#).unwrap().max_open_prs, 0);
    }

    #[test]
    fn the_state_has_one_count_per_state() {
        let state = State { workers_online: 2, tasks: vec![(TaskState::Ready, 4)] };
        insta::assert_snapshot!(serde_json::to_string(&state).unwrap(), @r#"{"workers_online":2,"tasks_ready":4,"tasks_leased":0,"tasks_in_progress":0,"tasks_pr_opened":0,"tasks_blocked":0,"tasks_merged":0,"tasks_closed":0}"#);
    }
}
