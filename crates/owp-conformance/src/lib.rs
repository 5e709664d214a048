//! Conformance tests for OWP servers: one check for every requirement of `docs/owp-spec.md`, made over HTTP in raw
//! JSON. The checks use no code of this server, so they judge every implementation alike.
//!
//! Checks run concurrently, each with its own repositories, workers and tasks. The server should have no other ready
//! tasks in manual repositories during a run, because the suite's workers could get them.

mod check_result;
mod checks;
pub mod cli;
mod http;
mod lab;
mod redact;
pub mod report;

pub use http::Exchange;

use check_result::{CheckError, CheckResult};
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use http::HttpClient;
use lab::Lab;
use owp_base::clock::{Clock, Entropy};
use owp_base::net::is_loopback;
use redact::Secrets;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

/// Maximum number of concurrent checks.
const MAX_CONCURRENT: usize = 12;
/// Time limit of a check, including waits for leases to end.
const CHECK_TIMEOUT: Duration = Duration::from_secs(180);
/// Time limit of a check's cleanup.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout of the first responses.
const SETUP_TIMEOUT: Duration = Duration::from_secs(20);

/// The profile a requirement belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OWP 0.1: every server.
    Core,
    /// Features that servers announce.
    Extended,
}

/// The check of one requirement.
pub struct Check {
    /// The requirement's name in the specification, such as `WORK-3`.
    pub id: &'static str,
    /// The profile it belongs to.
    pub profile: Profile,
    /// The feature that a server announces to claim support.
    pub feature: Option<&'static str>,
    /// A short form of the requirement.
    pub title: &'static str,
    /// True if the check must not run concurrently with others.
    alone: bool,
    run: for<'a> fn(&'a Lab) -> BoxFuture<'a, CheckResult>,
}

impl Check {
    /// Returns true if `name` is the check's name or a prefix of it. `WORK-1` does not match `WORK-10`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let number = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
        self.id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || !number(name))
    }
}

/// Returns every check, in the specification's order.
#[must_use]
pub fn all() -> Vec<&'static Check> {
    checks::ALL.iter().flat_map(|group| group.iter()).collect()
}

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's base URL, without a trailing slash.
    pub server: String,
    /// The admin token.
    pub admin_token: String,
    /// The server's lease duration, if it is a few seconds; without it the suite requests short leases.
    pub lease_ttl: Option<Duration>,
    /// Runs only checks of this profile.
    pub profile: Option<Profile>,
    /// Runs only checks that match one of these names ([`Check::is_named`]); all if empty.
    pub only: Vec<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The requirement is met.
    Pass,
    /// The server does not announce the feature, lacks a prerequisite, or is too slow to judge.
    Skip,
    /// The requirement is not met.
    Fail,
    /// The check could not be completed.
    Error,
}

/// The outcome of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The id of the requirement.
    pub id: &'static str,
    /// A short form of the requirement.
    pub title: &'static str,
    /// Its profile.
    pub profile: Profile,
    /// The result.
    pub status: Status,
    /// The reason, unless it passed.
    pub why: Option<String>,
    /// The duration in seconds.
    pub seconds: f64,
    /// The recorded exchanges, without secrets.
    pub transcript: Vec<Exchange>,
}

/// All outcomes, in the specification's order.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The server's base URL.
    pub server: String,
    /// The discovery document, if the server has one.
    pub announced: Option<Value>,
    /// Number of ready tasks before the run; the checks' workers could get these instead of the checks' tasks.
    pub ready_before: i64,
    /// Start of the run (Unix milliseconds).
    pub began_at_ms: i64,
    /// The duration in seconds.
    pub seconds: f64,
    /// The outcomes.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Returns the number of checks with this result.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }

    /// Returns true if no requested core requirement was skipped.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unchecked().is_empty()
    }

    /// Returns the requested core requirements that were skipped.
    #[must_use]
    pub fn unchecked(&self) -> Vec<&'static str> {
        let skipped = |outcome: &&Outcome| outcome.profile == Profile::Core && outcome.status == Status::Skip;
        self.outcomes.iter().filter(skipped).map(|outcome| outcome.id).collect()
    }

    /// Returns true if at least one check passed, and none failed or ended in an error.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.count(Status::Pass) > 0 && self.count(Status::Fail) + self.count(Status::Error) == 0
    }
}

/// The discovery document; `None` for a server of OWP 0.1.
#[derive(Debug, Clone, Default)]
struct Discovered(Option<Value>);

impl Discovered {
    fn has(&self, feature: &str) -> bool {
        let features = self.0.as_ref().and_then(|said| said.get("features")?.as_array());
        features.is_some_and(|features| features.iter().any(|known| known == feature))
    }

    /// Returns the concurrency: each check makes a few calls a second, all with one admin token.
    fn at_once(&self) -> usize {
        let calls = self.0.as_ref().and_then(|said| said["limits"]["calls_per_second"].as_u64()).unwrap_or(u64::MAX);
        usize::try_from(calls / 2).unwrap_or(MAX_CONCURRENT).clamp(1, MAX_CONCURRENT)
    }
}

/// Error that prevents a run.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No server responds.
    #[error("{0}")]
    Unreachable(String),
    /// The server rejects the admin token.
    #[error("the server rejects the admin token (status {0})")]
    NoAccess(u16),
    /// Another program responds.
    #[error("{0}; this is not an OWP server")]
    NotAPool(String),
    /// The server does not serve unlinked workers.
    #[error(
        "the server serves only linked or invited workers (`open_registration` is false), unlike those of the checks"
    )]
    Closed,
}

/// Runs the checks. `tell` receives every outcome in the specification's order, once the preceding ones are known.
///
/// # Errors
/// [`SetupError`] if nothing can be checked.
pub async fn run(options: &Options, clock: &Clock, tell: impl Fn(&Outcome)) -> Result<Report, SetupError> {
    let (began, began_at_ms) = (clock.steady(), clock.now_ms());
    let http = client(&options.server).map_err(|error| SetupError::Unreachable(error.to_string()))?;
    let (discovered, ready_before) = begin(options, &http).await?;
    let entropy = Entropy::system();
    let one = |(at, check): (usize, &'static Check)| {
        let (http, discovered, entropy) = (http.clone(), discovered.clone(), entropy.clone());
        async move { (at, judge(check, options, http, discovered, &entropy, clock).await) }
    };
    let checks = all().into_iter().filter(|check| options.wants(check)).enumerate();
    let (alone, together): (Vec<_>, Vec<_>) = checks.partition(|(_, check)| check.alone);
    let together = stream::iter(together).map(one).buffer_unordered(discovered.at_once());
    let outcomes = stream::iter(alone).then(one).chain(together);
    let mut outcomes = pin!(outcomes);
    let (mut waiting, mut known) = (BTreeMap::new(), Vec::new());
    while let Some((at, outcome)) = outcomes.next().await {
        waiting.insert(at, outcome);
        while let Some(outcome) = waiting.remove(&known.len()) {
            tell(&outcome);
            known.push(outcome);
        }
    }
    Ok(Report {
        server: options.server.clone(),
        announced: discovered.0.clone(),
        ready_before,
        began_at_ms,
        seconds: (clock.steady() - began).as_secs_f64(),
        outcomes: known,
    })
}

impl Options {
    fn wants(&self, check: &Check) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|name| check.is_named(name));
        named && self.profile.is_none_or(|profile| check.profile == profile)
    }
}

/// Builds the HTTP client. It does not follow redirects and uses no proxy for this machine: only the server may receive
/// the admin token.
fn client(server: &str) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let here = reqwest::Url::parse(server).is_ok_and(|url| is_loopback(&url));
    if here { builder.no_proxy().build() } else { builder.build() }
}

/// Contacts the server, tests the admin token, and returns the discovery document and the number of ready tasks.
async fn begin(options: &Options, http: &reqwest::Client) -> Result<(Discovered, i64), SetupError> {
    let caller = caller(options, http.clone());
    let state = answered(caller.get("/v1/admin/state").header("X-Admin-Token", &options.admin_token)).await?;
    if matches!(state.status, 401 | 403) {
        return Err(SetupError::NoAccess(state.status));
    }
    if !state.is_object() {
        let health = answered(caller.get("/healthz")).await?;
        if !health.is_object() {
            return Err(SetupError::NotAPool(health.summary_line()));
        }
    }
    // The discovery checks report any status except 200 and 404; 404 is normal for OWP 0.1.
    let said = Some(answered(caller.get("/.well-known/owp")).await?).filter(|said| said.status == 200);
    let said: Option<Value> = said.and_then(|answer| serde_json::from_str(&caller.secrets.hide(&answer.text)).ok());
    if said.as_ref().is_some_and(|said| said["open_registration"] == false) {
        return Err(SetupError::Closed);
    }
    let ready = serde_json::from_str::<Value>(&state.text).ok().and_then(|state| state["tasks_ready"].as_i64());
    Ok((Discovered(said), ready.unwrap_or(0)))
}

/// Sends a call that every server answers at once.
async fn answered(request: http::Request) -> Result<http::Response, SetupError> {
    request.send_within(SETUP_TIMEOUT).await.map_err(|error| {
        let (CheckError::Fail(why) | CheckError::Error(why) | CheckError::Skip(why)) = error;
        SetupError::Unreachable(why)
    })
}

fn caller(options: &Options, http: reqwest::Client) -> HttpClient {
    let secrets = Secrets::default();
    secrets.learn_always(&options.admin_token);
    HttpClient { base: options.server.clone(), http, secrets, transcript: http::Transcript::default() }
}

async fn judge(
    check: &'static Check,
    options: &Options,
    http: reqwest::Client,
    discovered: Discovered,
    entropy: &Entropy,
    clock: &Clock,
) -> Outcome {
    let began = clock.steady();
    let caller = caller(options, http);
    let announced = check.feature.is_none_or(|feature| discovered.has(feature));
    let lab = Lab::new(caller.clone(), options.clone(), discovered, HEXLOWER.encode(&entropy.bytes::<6>()));
    let verdict = match check.feature.filter(|_| !announced) {
        Some(feature) => Err(CheckError::Skip(format!("the server does not announce `{feature}`"))),
        None => tokio::time::timeout(CHECK_TIMEOUT, (check.run)(&lab)).await.unwrap_or_else(|_| {
            Err(CheckError::Error(format!("the check did not end within {} s", CHECK_TIMEOUT.as_secs())))
        }),
    };
    let shown = caller.exchanges();
    // Resources that are not cleaned up in time remain.
    let _late = tokio::time::timeout(CLEANUP_TIMEOUT, lab.clean_up()).await;
    let (status, why) = match verdict {
        Ok(()) => (Status::Pass, None),
        Err(CheckError::Skip(why)) => (Status::Skip, Some(why)),
        Err(CheckError::Fail(why)) => (Status::Fail, Some(why)),
        Err(CheckError::Error(why)) => (Status::Error, Some(why)),
    };
    Outcome {
        id: check.id,
        title: check.title,
        profile: check.profile,
        status,
        why: why.map(|why| http::cut(&caller.secrets.hide(&why))),
        seconds: (clock.steady() - began).as_secs_f64(),
        transcript: shown,
    }
}
