//! `POST /v1/workers/register`, `POST /v1/workers/heartbeat`, `POST /v1/workers/me/link` and `POST /v1/workers/me/confirm`.

use super::check::Checks;
use super::extra::{self, CapabilitiesBody};
use super::read::{Object, Request, Whole};
use owp_pool::worker::{Capabilities, WorkerStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const HANDLE_MAX_CHARS: usize = 100;
const CODE_MAX_CHARS: usize = 100;

/// Request body for `POST /v1/workers/register`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Registration")]
pub struct RegisterBody {
    /// Name of the worker.
    #[schemars(length(min = 1, max = 120))]
    name: String,
    /// Login of the contributor who will prove that the worker is theirs.
    #[serde(default)]
    github_handle: Option<String>,
    /// Skills, at most 64. Case and surrounding space are ignored.
    #[serde(default)]
    #[schemars(length(max = 64))]
    skills: Option<Vec<String>>,
    /// Points the worker can hold at a time; default 5.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    capacity_points: Option<Whole>,
    /// Leases the worker can hold at a time; default 2.
    #[serde(default)]
    #[schemars(range(min = 1, max = 20))]
    max_concurrent_tasks: Option<Whole>,
    /// Capabilities of the worker; an omitted capability counts as absent.
    #[serde(default)]
    capabilities: Option<Object<CapabilitiesBody>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A validated registration.
#[derive(Debug, PartialEq, Eq)]
pub struct Register {
    /// The worker's display name, 1–120 characters.
    pub name: String,
    /// The login of the contributor who will confirm the link, without the `@`.
    pub github_handle: Option<String>,
    /// Normalised.
    pub skills: Vec<String>,
    /// 1–100, default 5.
    pub capacity_points: i64,
    /// 1–20, default 2.
    pub max_concurrent_tasks: i64,
    /// Default none.
    pub capabilities: Capabilities,
    /// The fields whose names start with `x_`.
    pub extra: Map<String, Value>,
}

impl Request for RegisterBody {
    type Checked = Register;

    fn check(self, checks: &mut Checks) -> Register {
        Register {
            name: checks.name("name", self.name, 120),
            github_handle: handle(checks, "github_handle", self.github_handle.as_deref()),
            skills: checks.skills("skills", self.skills),
            capacity_points: checks.number("capacity_points", self.capacity_points, 5, 1..=100),
            max_concurrent_tasks: checks.number("max_concurrent_tasks", self.max_concurrent_tasks, 2, 1..=20),
            capabilities: self.capabilities.unwrap_or_default().0.check(checks),
            extra: extra::own_fields(checks, self.rest),
        }
    }
}

/// Validates a login; a blank one counts as none. Logins of GitHub's managed users contain an underscore.
pub(super) fn handle(checks: &mut Checks, field: &str, handle: Option<&str>) -> Option<String> {
    let handle = handle?.trim();
    let login = handle.strip_prefix('@').unwrap_or(handle);
    if handle.is_empty() {
        return None;
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if login.is_empty() || login.len() > HANDLE_MAX_CHARS || !login.chars().all(fits) {
        checks.fault(field, "must be a GitHub login: letters, digits and hyphens");
    }
    Some(login.to_owned())
}

/// Response to a registration. The token is shown only once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Registered<'a> {
    /// Worker id.
    pub worker_id: &'a str,
    /// Bearer token.
    pub token: &'a str,
    /// Instructions for linking the worker to its contributor; present only if a handle was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link<'a>>,
}

/// Instructions for linking a worker to a GitHub account.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Link<'a> {
    /// Single-use code.
    pub code: &'a str,
    /// Command that the contributor comments on GitHub.
    pub command: String,
    /// Issue on which to comment, as `owner/name#12`. If absent, the contributor comments on an issue they take part
    /// in, in a repository of the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<&'a str>,
    /// Expiry time of the code (RFC 3339).
    pub expires_at: Option<String>,
}

/// Request body for `POST /v1/workers/me/link`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "LinkRequest")]
pub struct LinkBody {
    /// Login of the contributor who will prove that the worker is theirs.
    #[schemars(length(min = 1, max = 100))]
    github_handle: String,
}

impl Request for LinkBody {
    /// The login, without the `@`.
    type Checked = String;

    fn check(self, checks: &mut Checks) -> String {
        let login = handle(checks, "github_handle", Some(&self.github_handle));
        login.unwrap_or_else(|| {
            checks.fault("github_handle", "must not be blank");
            String::new()
        })
    }
}

/// Request body for `POST /v1/workers/me/confirm`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "LinkConfirmation")]
pub struct ConfirmBody {
    /// Code that the other worker shows.
    #[schemars(length(min = 1, max = 100))]
    code: String,
}

impl Request for ConfirmBody {
    /// The code, trimmed.
    type Checked = String;

    fn check(self, checks: &mut Checks) -> String {
        let code = self.code.trim();
        let plain = code.bytes().all(|b| b.is_ascii_alphanumeric());
        if code.is_empty() || code.len() > CODE_MAX_CHARS || !plain {
            checks.fault("code", "must be the letters and digits of a link code");
        }
        code.to_owned()
    }
}

/// Worker that was linked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LinkConfirmed")]
pub struct Confirmed {
    /// Worker id.
    pub worker_id: String,
    /// Name of the worker.
    pub name: String,
}

/// Status of a worker, as it reports it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "WorkerStatus")]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    /// The worker waits for tasks.
    Idle,
    /// The worker is busy.
    Working,
    /// The worker accepts no new tasks.
    Paused,
}

/// Request body for `POST /v1/workers/heartbeat`. All fields are optional; `{}` is valid.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Heartbeat")]
pub struct HeartbeatBody {
    /// Status of the worker; default `idle`.
    #[serde(default)]
    status: Option<StatusWord>,
    /// Note in free text.
    #[serde(default)]
    #[schemars(length(max = 500))]
    note: Option<String>,
}

/// A validated heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Default idle.
    pub status: WorkerStatus,
    /// At most 500 characters.
    pub note: Option<String>,
}

impl Request for HeartbeatBody {
    type Checked = Heartbeat;

    fn check(self, checks: &mut Checks) -> Heartbeat {
        let status = match self.status.unwrap_or(StatusWord::Idle) {
            StatusWord::Idle => WorkerStatus::Idle,
            StatusWord::Working => WorkerStatus::Working,
            StatusWord::Paused => WorkerStatus::Paused,
        };
        Heartbeat { status, note: checks.optional_text("note", self.note, 500) }
    }
}

/// Response to a heartbeat.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Beat {
    /// Always true.
    pub ok: bool,
    /// Server time (RFC 3339).
    pub server_time: String,
    /// Leases that ended since the last heartbeat; stop working on their tasks. Added in v1.
    pub ended: Vec<Ended>,
}

/// A lease that ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// Lease id.
    pub lease_id: String,
    /// Task of the lease.
    pub task_id: String,
    /// Reason: `delivered`, `released`, `nacked`, `ack_timeout`, `expired`, `revoked`, `blocked`, `merged`, `closed`.
    pub reason: &'static str,
    /// Time the lease ended (RFC 3339).
    pub ended_at: String,
}

#[cfg(test)]
mod tests {
    use super::super::{Problem, read};
    use super::*;

    fn register(body: &str) -> Result<Register, Box<Problem>> {
        read::<RegisterBody>(body.as_bytes())
    }

    #[test]
    fn a_name_is_enough_to_register() {
        let all_defaults = Register {
            name: "ada's laptop".into(),
            github_handle: None,
            skills: vec![],
            capacity_points: 5,
            max_concurrent_tasks: 2,
            capabilities: Capabilities::default(),
            extra: Map::new(),
        };
        let nulls = r#"{"name":"ada's laptop","github_handle":null,"skills":null,"capacity_points":null,
            "max_concurrent_tasks":null,"capabilities":null,"colour":"blue"}"#;
        assert_eq!(register(r#"{"name":"ada's laptop"}"#).unwrap(), all_defaults);
        assert_eq!(register(nulls).unwrap(), all_defaults);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let problem = register(
            r#"{"name":"","github_handle":"not a login","capacity_points":101,"max_concurrent_tasks":0,"skills":["a,b"]}"#,
        )
        .unwrap_err();
        let fields: Vec<_> = problem.errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["name", "github_handle", "skills[0]", "capacity_points", "max_concurrent_tasks"]);
        assert!(register("{}").unwrap_err().detail.contains("missing field `name`"));
        assert!(register(r#"{"name":null}"#).is_err());
    }

    #[test]
    fn a_handle_may_come_with_an_at_sign_and_a_blank_one_is_none() {
        assert_eq!(
            register(r#"{"name":"w","github_handle":" @octo-cat "}"#).unwrap().github_handle.unwrap(),
            "octo-cat"
        );
        assert_eq!(register(r#"{"name":"w","github_handle":" "}"#).unwrap().github_handle, None);
    }

    #[test]
    fn an_empty_heartbeat_is_idle() {
        let beat = read::<HeartbeatBody>(b"{}").unwrap();
        assert_eq!(beat, Heartbeat { status: WorkerStatus::Idle, note: None });
        let unknown = read::<HeartbeatBody>(br#"{"status":"asleep"}"#).unwrap_err();
        assert!(unknown.detail.contains("unknown variant `asleep`, expected one of `idle`, `working`, `paused`"));
        assert!(read::<HeartbeatBody>(format!("{{\"note\":\"{}\"}}", "n".repeat(501)).as_bytes()).is_err());
    }
}
