//! Operator calls for bulk tasks, pause and resume, revoke, trust, audit export.

use super::admin::{NewTask, TaskBody};
use super::check::Checks;
use super::read::{Request, Whole};
use owp_pool::text::tidy_line;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const REASON_MAX_CHARS: usize = 500;
/// Maximum number of tasks in one call.
pub const BULK_MAX: usize = 500;
/// The longest limited pause: ten years.
const PAUSE_MAX_SECS: i64 = 315_360_000;

/// Request body for `POST /v1/admin/tasks/bulk`: many tasks for one manual repository. All are added or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewTasks")]
pub struct BulkBody {
    /// Repository the tasks belong to; a task can repeat it.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Tasks, each like the body of `POST /v1/admin/tasks`, without `repo`.
    #[schemars(with = "Vec<Map<String, Value>>", length(min = 1, max = 500))]
    tasks: Vec<Value>,
}

/// A validated list of tasks.
#[derive(Debug)]
pub struct Bulk {
    /// The repository they belong to.
    pub repo: String,
    /// The tasks, in the order they were sent.
    pub tasks: Vec<NewTask>,
}

impl Request for BulkBody {
    type Checked = Bulk;

    fn check(self, checks: &mut Checks) -> Bulk {
        let repo = checks.repo(&self.repo);
        if self.tasks.is_empty() || self.tasks.len() > BULK_MAX {
            checks.fault("tasks", format!("must hold 1 to {BULK_MAX} tasks, not {}", self.tasks.len()));
            return Bulk { repo, tasks: Vec::new() };
        }
        let items = self.tasks.into_iter().enumerate();
        let mut named = BTreeSet::new();
        let mut tasks = Vec::new();
        for (index, item) in items {
            let Some(task) = one_of_many(checks, &repo, index, item) else { continue };
            // A blank id is already reported.
            let id = task.external_id.clone().filter(|id| !id.trim().is_empty());
            if id.is_some_and(|id| !named.insert(id)) {
                checks.fault(format!("tasks[{index}].external_id"), "must not be another task's in the same call");
            }
            tasks.push(task);
        }
        Bulk { repo, tasks }
    }
}

/// Parses one task of a list; its errors name its position.
fn one_of_many(checks: &mut Checks, repo: &str, index: usize, item: Value) -> Option<NewTask> {
    let place = format!("tasks[{index}]");
    let Value::Object(mut fields) = item else {
        checks.fault(place, "must be an object");
        return None;
    };
    fields.entry("repo").or_insert_with(|| Value::from(repo));
    let body: TaskBody = match serde_json::from_value(Value::Object(fields)) {
        Ok(body) => body,
        Err(error) => {
            checks.fault(place, format!("cannot be read: {}", tidy_line(&error.to_string(), 200)));
            return None;
        }
    };
    let mut own = Checks::default();
    let task = body.check(&mut own);
    if task.repo.to_lowercase() != repo.to_lowercase() {
        own.fault("repo", format!("must be {repo}: one call adds to one repository"));
    }
    for error in own.into_errors() {
        checks.fault(format!("{place}.{}", error.field), error.message);
    }
    Some(task)
}

/// Response to adding many tasks.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TasksAdded {
    /// Always true.
    pub ok: bool,
    /// Task ids, in the order of the request.
    pub task_ids: Vec<String>,
    /// One value per task: false if it already existed under its `external_id` and was not changed.
    pub created: Vec<bool>,
    /// Warnings about requested settings that have no effect, each once; absent if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub warnings: BTreeSet<String>,
}

/// Request body for `POST /v1/admin/pause`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Pause")]
pub struct PauseBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Duration in seconds; if omitted, the pause lasts until `POST /v1/admin/resume`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 315_360_000))]
    secs: Option<Whole>,
    /// Reason, shown in refusals.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: Option<String>,
}

/// A validated pause.
#[derive(Debug, PartialEq, Eq)]
pub struct Pause {
    /// The repository.
    pub repo: String,
    /// The duration in seconds; `None` until resumed.
    pub secs: Option<i64>,
    /// The reason, one line.
    pub reason: Option<String>,
}

impl Request for PauseBody {
    type Checked = Pause;

    fn check(self, checks: &mut Checks) -> Pause {
        let secs = self.secs;
        Pause {
            repo: checks.repo(&self.repo),
            secs: secs.map(|n| checks.number("secs", Some(n), 1, 1..=PAUSE_MAX_SECS)),
            reason: reason(checks, self.reason),
        }
    }
}

/// Response to a pause.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Paused {
    /// Always true.
    pub ok: bool,
    /// End of the pause (RFC 3339); null if it lasts until the repository is resumed.
    pub paused_until: Option<String>,
}

/// Request body for `POST /v1/admin/resume`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Resume")]
pub struct ResumeBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
}

impl Request for ResumeBody {
    type Checked = String;

    fn check(self, checks: &mut Checks) -> String {
        checks.repo(&self.repo)
    }
}

/// Request body that gives the reason for a revocation or a closed task; `{}` gives none.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Revocation")]
pub struct RevokeBody {
    /// Reason, shown to those affected and to everyone who can see the task.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: Option<String>,
}

impl Request for RevokeBody {
    type Checked = Option<String>;

    fn check(self, checks: &mut Checks) -> Option<String> {
        reason(checks, self.reason)
    }
}

/// Request body for `POST /v1/admin/trust`. It names a contributor by `login` or by `github_id`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Trust")]
pub struct TrustBody {
    /// `owner/name`.
    #[schemars(length(min = 1, max = 200))]
    repo: String,
    /// Login of the contributor; it stands for the account that has it now.
    #[serde(default)]
    login: Option<String>,
    /// GitHub user id of the contributor; safer than the login, which can pass to another account.
    #[serde(default)]
    github_id: Option<Whole>,
    /// Trust level, 0–3; -1 is a ban.
    #[schemars(range(min = -1, max = 3))]
    level: Whole,
}

/// A validated trust change.
#[derive(Debug, PartialEq, Eq)]
pub struct Trust {
    /// The repository.
    pub repo: String,
    /// The login, without the `@`.
    pub login: Option<String>,
    /// The GitHub user id.
    pub github_id: Option<i64>,
    /// The trust level, -1 to 3.
    pub level: i64,
}

impl Request for TrustBody {
    type Checked = Trust;

    fn check(self, checks: &mut Checks) -> Trust {
        let login = super::workers::handle(checks, "login", self.login.as_deref());
        let github_id = self.github_id.map(|n| checks.number("github_id", Some(n), 1, 1..=i64::MAX));
        if login.is_some() == github_id.is_some() {
            checks.fault("login", "or `github_id` must be given, one of the two");
        }
        Trust {
            repo: checks.repo(&self.repo),
            login,
            github_id,
            level: checks.number("level", Some(self.level), 0, -1..=3),
        }
    }
}

/// Response to a change of trust.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrustSet {
    /// Always true.
    pub ok: bool,
    /// Repository name.
    pub repo: String,
    /// GitHub user id.
    pub github_id: i64,
    /// Login, if it is known.
    pub login: Option<String>,
    /// Trust level, -1 to 3.
    pub level: i64,
}

/// One line of an audit export: an event, with the proof of its position in the chain.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditLine<'a> {
    /// Position in the chain: without gaps, from 1 unless events were removed as history.
    pub seq: i64,
    /// Event id.
    pub id: &'a str,
    /// Kind of the event.
    pub kind: &'a str,
    /// Time of the event (RFC 3339).
    pub at: String,
    /// Time of the event in Unix milliseconds, as the hash covers it.
    pub at_ms: i64,
    /// Task the event is about.
    pub task_id: Option<&'a str>,
    /// Worker the event is about.
    pub worker_id: Option<&'a str>,
    /// Lease the event is about.
    pub lease_id: Option<&'a str>,
    /// Details of the event.
    pub payload: &'a Value,
    /// Salt of the digest.
    pub salt: &'a str,
    /// SHA-256 of salt and payload.
    pub digest: &'a str,
    /// SHA-256 over the previous hash, the chain, and this event.
    pub hash: &'a str,
}

/// The last line of an audit export.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditVerdict {
    /// True if every event matches the one before it, and the last one matches the seal.
    pub verified: bool,
    /// Number of exported events.
    pub events: i64,
    /// Position of the first event that does not match.
    pub broken_at: Option<i64>,
    /// Number of events that were removed as history: the export begins after them.
    pub removed: i64,
}

fn reason(checks: &mut Checks, reason: Option<String>) -> Option<String> {
    let reason = checks.optional_text("reason", reason, REASON_MAX_CHARS)?;
    Some(tidy_line(&reason, REASON_MAX_CHARS)).filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use serde_json::json;

    fn faults<R: Request>(body: &Value) -> Vec<String>
    where
        R::Checked: std::fmt::Debug,
    {
        let problem = read::<R>(body.to_string().as_bytes()).unwrap_err();
        problem.errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn what_is_wrong_with_one_of_many_tasks_is_told_with_its_place() {
        let body = json!({ "repo": "a/b", "tasks": [
            { "title": "fine", "x_ticket": 7 }, { "title": "" }, 5, { "title": "t", "tier": 4, "priority": 5_000 },
            { "title": "t", "repo": "other/repo" }, { "title": 5 }, { "title": "t", "repo": "A/B" },
        ] });
        assert_eq!(
            faults::<BulkBody>(&body),
            ["tasks[1].title", "tasks[2]", "tasks[3].priority", "tasks[3].tier", "tasks[4].repo", "tasks[5]"]
        );
        assert_eq!(faults::<BulkBody>(&json!({ "repo": "a/b", "tasks": [] })), ["tasks"]);
        let many = vec![json!({ "title": "t" }); 501];
        assert_eq!(faults::<BulkBody>(&json!({ "repo": "a/b", "tasks": many })), ["tasks"]);
    }

    #[test]
    fn ids_of_elsewhere_stand_once_and_blank_ones_are_told_to_be_blank() {
        let tasks = ["", " ", "a", "", "a"].map(|id| json!({ "title": "t", "external_id": id }));
        let body = json!({ "repo": "a/b", "tasks": tasks }).to_string();
        let problem = read::<BulkBody>(body.as_bytes()).unwrap_err();
        let told: Vec<_> = problem.errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
        let blank = |index: usize| format!("tasks[{index}].external_id must not be blank");
        let twice = "tasks[4].external_id must not be another task's in the same call".to_owned();
        assert_eq!(told, [blank(0), blank(1), blank(3), twice]);
    }

    #[test]
    fn trust_is_given_to_a_login_or_an_id() {
        let trust = read::<TrustBody>(br#"{"repo":"a/b","login":"@octocat","level":2}"#).unwrap();
        assert_eq!((trust.login.as_deref(), trust.level), (Some("octocat"), 2));
        assert_eq!(faults::<TrustBody>(&json!({ "repo": "a/b", "level": 2 })), ["login"]);
        assert_eq!(faults::<TrustBody>(&json!({ "repo": "a/b", "login": "x", "github_id": 1, "level": 2 })), ["login"]);
        assert_eq!(faults::<TrustBody>(&json!({ "repo": "a/b", "github_id": 1, "level": 4 })), ["level"]);
    }

    #[test]
    fn a_pause_has_an_end_or_none() {
        let pause = read::<PauseBody>(br#"{"repo":"a/b","reason":" a\nb "}"#).unwrap();
        assert_eq!((pause.secs, pause.reason.as_deref()), (None, Some("a b")));
        assert_eq!(faults::<PauseBody>(&json!({ "repo": "a/b", "secs": 0 })), ["secs"]);
        assert_eq!(read::<RevokeBody>(b"{}").unwrap(), None);
    }
}
