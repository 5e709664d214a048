//! `GET`, `PATCH` and `DELETE /v1/workers/me`, `GET /v1/workers/me/reputation` and `POST /v1/workers/me/token`.

use super::check::Checks;
use super::extra::{self, CapabilitiesBody};
use super::read::{Object, Request, Whole};
use owp_pool::pull::AGENTS_MOST;
use owp_pool::reputation::{Reputation, Score, Tally};
use owp_pool::worker::Capabilities;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const LOGIN_MAX_CHARS: usize = 100;

/// A worker as it sees itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worker")]
pub struct WorkerView {
    /// Its id.
    pub worker_id: String,
    /// What it calls itself.
    pub name: String,
    /// The GitHub login of the person behind it; null until it is linked.
    pub github_login: Option<String>,
    /// Lower-case, sorted.
    pub skills: Vec<String>,
    /// Points it can hold at once.
    pub capacity_points: i64,
    /// Leases it can hold at once.
    pub max_concurrent_tasks: i64,
    /// `idle`, `working` or `paused`.
    pub status: &'static str,
    /// True while it is paused whatever its heartbeats say.
    pub paused: bool,
    /// What it noted last.
    pub note: Option<String>,
    /// What it said it can do.
    pub capabilities: CapabilitiesView,
    /// What its live leases take.
    pub load: LoadView,
    /// Whether the person behind it asked for a score: see `GET /v1/workers/me/reputation`.
    pub reputation: bool,
    /// Logins of accounts whose pull requests are that person's work.
    pub agents: Vec<String>,
    /// When it registered (RFC 3339).
    pub created_at: String,
    /// When it was last heard of (RFC 3339).
    pub last_seen_at: String,
    /// Its own fields, their names beginning with `x_`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a worker said it can do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CapabilitiesView {
    /// Acknowledges offers; without this a lease is active at once.
    pub ack: bool,
    /// Can run the repository's tests.
    pub can_run_tests: bool,
    /// Can open pull requests itself.
    pub can_open_prs: bool,
    /// Tools it can drive.
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

/// What live leases take.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LoadView {
    /// Points.
    pub points: i64,
    /// How many leases.
    pub leases: i64,
}

/// What a worker wants to say differently. What is left out or null stays; an `x_` field that is null goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "WorkerChange")]
pub struct ChangeBody {
    /// What it calls itself.
    #[serde(default)]
    #[schemars(length(min = 1, max = 120))]
    name: Option<String>,
    /// Trimmed and caseless; 64 at most. Replaces all of them.
    #[serde(default)]
    #[schemars(length(max = 64))]
    skills: Option<Vec<String>>,
    /// Points it can hold at once. Less than it holds is fine: it keeps that and is given nothing new.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    capacity_points: Option<Whole>,
    /// Leases it can hold at once.
    #[serde(default)]
    #[schemars(range(min = 1, max = 20))]
    max_concurrent_tasks: Option<Whole>,
    /// What it can do. Replaces what it said before.
    #[serde(default)]
    capabilities: Option<Object<CapabilitiesBody>>,
    /// True pauses the worker until this is false again, whatever its heartbeats say. False ends every pause, also one of a
    /// heartbeat.
    #[serde(default)]
    paused: Option<bool>,
    /// Whether a score is made of what comes of the person's work. It can open tiers, and nothing else.
    #[serde(default)]
    reputation: Option<bool>,
    /// Logins of GitHub accounts (`copilot-swe-agent[bot]`) whose pull requests count as the person's work; 5 at most.
    /// Replaces all of them. Only for a linked worker.
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
    if logins.len() > AGENTS_MOST {
        checks.fault("agents", format!("must hold at most {AGENTS_MOST} logins, not {}", logins.len()));
        return Vec::new();
    }
    let mut tidy = Vec::new();
    for (index, login) in logins.into_iter().enumerate() {
        let login = checks.name(&format!("agents[{index}]"), login, LOGIN_MAX_CHARS);
        tidy.push(login.trim().trim_start_matches('@').to_owned());
    }
    tidy
}

/// How the person behind a worker stands, where something came of their work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reputations")]
pub struct ReputationsView {
    /// False unless the person asked for a score; then there is none.
    pub scored: bool,
    /// After this long an outcome counts half.
    pub half_life_secs: i64,
    /// By name; 100 at most.
    pub repos: Vec<ReputationView>,
}

/// A score in one repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reputation")]
pub struct ReputationView {
    /// `owner/name`.
    pub repo: String,
    /// From 0 to 1, in thousandths; 0.5 of somebody nothing is known of.
    pub score: f64,
    /// What it is made of.
    pub outcomes: Vec<TallyView>,
    /// The same in words.
    pub reasons: String,
}

/// How often something happened, and what it counts after decay.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OutcomeTally")]
pub struct TallyView {
    /// `merged`, `closed_unmerged`, `expired` or `released`.
    pub kind: &'static str,
    /// How often.
    pub times: i64,
    /// What that counts after decay, in outcomes.
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

/// The answer to a rotation. The token is shown this once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rotated<'a> {
    /// The new bearer token. The old one works until this one is used for the first time.
    pub token: &'a str,
}

/// The answer to leaving, and to having a worker's access taken away.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Left {
    /// Always true.
    pub ok: bool,
    /// How many leases ended with it.
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
