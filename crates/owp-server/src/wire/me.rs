//! `GET`, `PATCH` and `DELETE /v1/workers/me`, `GET /v1/workers/me/reputation` and `POST /v1/workers/me/token`.

use super::check::Checks;
use super::extra::{self, CapabilitiesBody};
use super::read::{Object, Request, Whole};
use owp_pool::pull::MAX_AGENTS;
use owp_pool::reputation::{Reputation, Score, Tally};
use owp_pool::worker::Capabilities;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const LOGIN_MAX_CHARS: usize = 100;

/// A worker, as it sees itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worker")]
pub struct WorkerView {
    /// Worker id.
    pub worker_id: String,
    /// Name the worker chose.
    pub name: String,
    /// GitHub login of the contributor behind the worker; null until the worker is linked.
    pub github_login: Option<String>,
    /// Skills in lower case, sorted.
    pub skills: Vec<String>,
    /// Points the worker can hold at a time.
    pub capacity_points: i64,
    /// Leases the worker can hold at a time.
    pub max_concurrent_tasks: i64,
    /// `idle`, `working` or `paused`.
    pub status: &'static str,
    /// True while the worker is paused regardless of its heartbeats.
    pub paused: bool,
    /// Latest note of the worker.
    pub note: Option<String>,
    /// Capabilities the worker declared.
    pub capabilities: CapabilitiesView,
    /// Load of its live leases.
    pub load: LoadView,
    /// True if the contributor asked for a score; see `GET /v1/workers/me/reputation`.
    pub reputation: bool,
    /// Logins of accounts whose pull requests count as the contributor's work.
    pub agents: Vec<String>,
    /// Registration time (RFC 3339).
    pub created_at: String,
    /// Time the pool last heard from the worker (RFC 3339).
    pub last_seen_at: String,
    /// Its own fields, their names beginning with `x_`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Capabilities a worker declared.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CapabilitiesView {
    /// True if the worker acknowledges offers; without this a lease is active at once.
    pub ack: bool,
    /// True if the worker can run the repository's tests.
    pub can_run_tests: bool,
    /// True if the worker can open pull requests itself.
    pub can_open_prs: bool,
    /// Tools the worker can use.
    pub supports_tool: Vec<String>,
}

impl From<Capabilities> for CapabilitiesView {
    fn from(said: Capabilities) -> Self {
        Self {
            ack: said.ack,
            can_run_tests: said.can_run_tests,
            can_open_prs: said.can_open_prs,
            supports_tool: said.supports_tool,
        }
    }
}

/// Load of live leases.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoadView {
    /// Points in use.
    pub points: i64,
    /// Number of leases.
    pub leases: i64,
}

/// Request body for `PATCH /v1/workers/me`. Omitted and null fields stay unchanged; an `x_` field that is null is
/// removed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "WorkerChange")]
pub struct ChangeBody {
    /// Name of the worker.
    #[serde(default)]
    #[schemars(length(min = 1, max = 120))]
    name: Option<String>,
    /// Skills, at most 64; replaces all of them. Case and surrounding space are ignored.
    #[serde(default)]
    #[schemars(length(max = 64))]
    skills: Option<Vec<String>>,
    /// Points the worker can hold at a time. If it already holds more, it keeps that and gets nothing new.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    capacity_points: Option<Whole>,
    /// Leases the worker can hold at a time.
    #[serde(default)]
    #[schemars(range(min = 1, max = 20))]
    max_concurrent_tasks: Option<Whole>,
    /// Capabilities of the worker; replaces all those declared before.
    #[serde(default)]
    capabilities: Option<Object<CapabilitiesBody>>,
    /// True pauses the worker until this is false again, regardless of its heartbeats. False ends every pause,
    /// including one set by a heartbeat.
    #[serde(default)]
    paused: Option<bool>,
    /// True if the contributor wants a score of the outcomes of their work. The score can open tiers and has no other
    /// effect.
    #[serde(default)]
    reputation: Option<bool>,
    /// Logins of GitHub accounts (`copilot-swe-agent[bot]`) whose pull requests count as the contributor's work, at
    /// most 5; replaces all of them. Requires a linked worker.
    #[serde(default)]
    #[schemars(length(max = 5))]
    agents: Option<Vec<String>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A validated change.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// 1–120 characters.
    pub name: Option<String>,
    /// Normalised.
    pub skills: Option<Vec<String>>,
    /// 1–100.
    pub capacity_points: Option<i64>,
    /// 1–20.
    pub max_concurrent_tasks: Option<i64>,
    /// All capabilities.
    pub capabilities: Option<Capabilities>,
    /// Paused, regardless of the heartbeats.
    pub paused: Option<bool>,
    /// Opt-in to a reputation score.
    pub reputation: Option<bool>,
    /// Logins, without an `@`.
    pub agents: Option<Vec<String>>,
    /// The fields whose names start with `x_`.
    pub extra: Map<String, Value>,
}

impl Request for ChangeBody {
    type Checked = Change;

    fn check(self, checks: &mut Checks) -> Change {
        let capacity = self.capacity_points;
        let concurrent = self.max_concurrent_tasks;
        Change {
            name: self.name.map(|name| checks.name("name", name, 120)),
            skills: self.skills.map(|skills| checks.skills("skills", Some(skills))),
            capacity_points: capacity.map(|n| checks.number("capacity_points", Some(n), 5, 1..=100)),
            max_concurrent_tasks: concurrent.map(|n| checks.number("max_concurrent_tasks", Some(n), 2, 1..=20)),
            capabilities: self.capabilities.map(|Object(said)| said.check(checks)),
            paused: self.paused,
            reputation: self.reputation,
            agents: self.agents.map(|logins| agents(checks, logins)),
            extra: extra::own_fields(checks, self.rest),
        }
    }
}

fn agents(checks: &mut Checks, logins: Vec<String>) -> Vec<String> {
    if logins.len() > MAX_AGENTS {
        checks.fault("agents", format!("must hold at most {MAX_AGENTS} logins, not {}", logins.len()));
        return Vec::new();
    }
    let mut tidy = Vec::new();
    for (index, login) in logins.into_iter().enumerate() {
        let login = checks.name(&format!("agents[{index}]"), login, LOGIN_MAX_CHARS);
        tidy.push(login.trim().trim_start_matches('@').to_owned());
    }
    tidy
}

/// Reputation of the contributor behind a worker, in every repository with an outcome of their work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reputations")]
pub struct ReputationsView {
    /// True if the contributor asked for a score; otherwise there is none.
    pub scored: bool,
    /// Time after which an outcome counts half, in seconds.
    pub half_life_secs: i64,
    /// Repositories by name, at most 100.
    pub repos: Vec<ReputationView>,
}

/// Score in one repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reputation")]
pub struct ReputationView {
    /// `owner/name`.
    pub repo: String,
    /// Score from 0 to 1, in thousandths; 0.5 if nothing is known of the contributor.
    pub score: f64,
    /// Outcomes that make up the score.
    pub outcomes: Vec<TallyView>,
    /// The outcomes in words.
    pub reasons: String,
}

/// Number of outcomes of one kind, and their weight after decay.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OutcomeTally")]
pub struct TallyView {
    /// `merged`, `closed_unmerged`, `expired` or `released`.
    pub kind: &'static str,
    /// Number of outcomes.
    pub times: i64,
    /// Weight of these outcomes after decay, in outcomes.
    pub counts: f64,
}

impl ReputationView {
    /// Builds the response from a reputation.
    #[must_use]
    pub fn new(repo: String, reputation: &Reputation) -> Self {
        let tally = |tally: &Tally| TallyView {
            kind: tally.kind.name(),
            times: tally.times,
            counts: Score(tally.counts).share(),
        };
        Self {
            repo,
            score: reputation.score.share(),
            outcomes: reputation.tallies.iter().map(tally).collect(),
            reasons: reputation.reasons(),
        }
    }
}

/// Response to a token rotation. The token is shown only once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rotated<'a> {
    /// New bearer token. The old one works until this one is used for the first time.
    pub token: &'a str,
}

/// Response when a worker left, or when its access was revoked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Left {
    /// Always true.
    pub ok: bool,
    /// Number of leases that ended.
    pub leases_ended: usize,
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn what_is_left_out_or_null_stays() {
        let nothing = Change {
            name: None,
            skills: None,
            capacity_points: None,
            max_concurrent_tasks: None,
            capabilities: None,
            paused: None,
            reputation: None,
            agents: None,
            extra: Map::new(),
        };
        assert_eq!(read::<ChangeBody>(b"{}").unwrap(), nothing);
        assert_eq!(read::<ChangeBody>(br#"{"name":null,"skills":null,"capabilities":null}"#).unwrap(), nothing);
        let change = read::<ChangeBody>(br#"{"skills":[],"x_a":null}"#).unwrap();
        assert_eq!((change.skills, change.extra.get("x_a")), (Some(vec![]), Some(&Value::Null)));
        let agents = read::<ChangeBody>(br#"{"agents":["@swe[bot]"," cy "]}"#).unwrap().agents.unwrap();
        assert_eq!(agents, ["swe[bot]", "cy"]);
        let faults = |json: &[u8]| read::<ChangeBody>(json).unwrap_err().errors.remove(0).field;
        assert_eq!(faults(br#"{"agents":["a","b","c","d","e","f"]}"#), "agents");
        assert_eq!(faults(br#"{"agents":["a"," "]}"#), "agents[1]");
        assert_eq!(read::<ChangeBody>(br#"{"capacity_points":0}"#).unwrap_err().errors[0].field, "capacity_points");
    }
}
