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

/// Request body for `POST /v1/admin/repos`. Omitted settings return to their defaults.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RepositorySettings")]
pub struct RepoBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Review budget, default 3. With 0 the repository hands out nothing.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    max_open_prs: Option<Whole>,
    /// True if an area has one holder at a time; default true.
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

/// Request body for `POST /v1/admin/repos/remove`.
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

/// Response to the removal of a repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RepositoryRemoved")]
pub struct RepoRemoved {
    /// Always true.
    pub ok: bool,
    /// Number of waiting tasks that were closed.
    pub tasks_closed: usize,
}

/// A page of workers, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WorkerPage {
    /// Workers that have access.
    pub workers: Vec<WorkerRow>,
    /// Value of `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// A worker, as the operator sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListedWorker")]
pub struct WorkerRow {
    /// Worker id.
    pub worker_id: String,
    /// Name the worker chose. Untrusted text.
    pub name: String,
    /// GitHub login of the contributor behind the worker; null until the worker is linked.
    pub github_login: Option<String>,
    /// True for the worker that represents a contributor's `/owp` comments.
    pub by_comment: bool,
    /// Skills in lower case, sorted.
    pub skills: Vec<String>,
    /// Points the worker can hold at a time.
    pub capacity_points: i64,
    /// Leases the worker can hold at a time.
    pub max_concurrent_tasks: i64,
    /// `idle`, `working` or `paused`.
    pub status: &'static str,
    /// Load of its live leases.
    pub load: LoadView,
    /// Registration time (RFC 3339).
    pub created_at: String,
    /// Time the pool last heard from the worker (RFC 3339).
    pub last_seen_at: String,
}

/// Response to saving a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RepoSaved {
    /// Always true.
    pub ok: bool,
    /// Repository name.
    pub repo: String,
}

/// Request body for `POST /v1/admin/tasks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewTask")]
pub struct TaskBody {
    /// Name of a manual repository.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Title of the task.
    #[schemars(length(min = 1, max = 300))]
    title: String,
    /// Description of the task.
    #[serde(default)]
    description: Option<String>,
    /// Estimate in points; default 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    estimate_points: Option<Whole>,
    /// Priority, larger first; default 10.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    priority: Option<Whole>,
    /// Required skills, at most 64. Case and surrounding space are ignored.
    #[serde(default)]
    #[schemars(length(max = 64))]
    required_skills: Option<Vec<String>>,
    /// Area of the task. While area locks are on, an area has at most one holder.
    #[serde(default)]
    area: Option<String>,
    /// Risk tier, 0–3; default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3))]
    tier: Option<Whole>,
    /// Id of the task in another system, compared exactly. A repository has at most one task per id: if one exists, the
    /// response has its task id and nothing changes.
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

/// Response to adding a task.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskAdded {
    /// Always true.
    pub ok: bool,
    /// Task id.
    pub task_id: String,
    /// False if the task already existed and was not changed. Present only for requests with an `external_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// Warning about a requested setting that has no effect; absent if there is none.
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
