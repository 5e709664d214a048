//! Does a server speak OWP? One check for every requirement of `docs/owp-spec.md`, made over HTTP in raw JSON, as a
//! client would that never saw this program. Nothing of it is used here: the same checks judge any server.
//!
//! Checks run side by side, each with repositories, workers and tasks of its own. The server should have no other ready
//! tasks of manual repositories meanwhile, which the suite's workers could be given.

mod checks;
mod http;
mod lab;
mod redact;
pub mod report;
mod stop;

pub use http::Exchange;

use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use http::Caller;
use lab::Lab;
use owp_base::clock::{Clock, Entropy};
use owp_base::net::is_loopback;
use redact::Secrets;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use stop::{Stop, Verdict};

/// How many checks run side by side.
const AT_ONCE: usize = 12;
/// No check needs longer, waiting for leases to end included.
const CHECK_MOST: Duration = Duration::from_secs(180);
/// How long a check may take to leave as little as can be.
const TIDY_MOST: Duration = Duration::from_secs(20);
/// How long the first answers may take.
const BEGIN_MOST: Duration = Duration::from_secs(20);

/// What a requirement is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OWP 0.1: every server.
    Core,
    /// What servers announce as features.
    Extended,
}

/// The check of one requirement.
pub struct Check {
    /// The requirement's name in the specification, such as `WORK-3`.
    pub id: &'static str,
    /// The profile it belongs to.
    pub profile: Profile,
    /// The feature a server announces when it means to meet it.
    pub feature: Option<&'static str>,
    /// The requirement in a few words.
    pub title: &'static str,
    /// True when other checks would disturb it.
    alone: bool,
    run: for<'a> fn(&'a Lab) -> BoxFuture<'a, Verdict>,
}

impl Check {
    /// Whether this is a check's name or its beginning. `WORK-1` is no beginning of `WORK-10`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let number = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
        self.id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || !number(name))
    }
}

/// Every check, in the specification's order.
#[must_use]
pub fn all() -> Vec<&'static Check> {
    checks::ALL.iter().flat_map(|group| group.iter()).collect()
}

/// What to check, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server is, without a slash at the end.
    pub server: String,
    /// What opens its admin calls.
    pub admin_token: String,
    /// How long leases last there, when that is seconds; without it the server is asked to make them short.
    pub lease_ttl: Option<Duration>,
    /// Only checks of this profile.
    pub profile: Option<Profile>,
    /// Only checks that one of these names ([`Check::is_named`]); all when empty.
    pub only: Vec<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The requirement is met.
    Pass,
    /// The server does not announce the feature, lacks what the check needs, or is too slow to tell.
    Skip,
    /// The requirement is not met.
    Fail,
    /// The check did not come so far.
    Error,
}

/// One check's outcome.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The requirement.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Its profile.
    pub profile: Profile,
    /// How it ended.
    pub status: Status,
    /// Why, unless it passed.
    pub why: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// What was said, without secrets.
    pub transcript: Vec<Exchange>,
}

/// All outcomes, in the specification's order.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where the server is.
    pub server: String,
    /// What it says of itself, when it does.
    pub announced: Option<Value>,
    /// How many tasks were ready there before: what the checks' workers could be given instead of the checks' tasks.
    pub ready_before: i64,
    /// When the run began (Unix milliseconds).
    pub began_at_ms: i64,
    /// How long it took.
    pub seconds: f64,
    /// The outcomes.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }

    /// True when every requirement of the core was checked that was asked for.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unchecked().is_empty()
    }

    /// The requirements of the core that were asked for and not checked.
    #[must_use]
    pub fn unchecked(&self) -> Vec<&'static str> {
        let skipped = |outcome: &&Outcome| outcome.profile == Profile::Core && outcome.status == Status::Skip;
        self.outcomes.iter().filter(skipped).map(|outcome| outcome.id).collect()
    }

    /// True when something was checked, no requirement was found broken, and every check came to its end.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.count(Status::Pass) > 0 && self.count(Status::Fail) + self.count(Status::Error) == 0
    }
}

/// What a server says of itself; nothing for one that speaks 0.1 alone.
#[derive(Debug, Clone, Default)]
struct Discovered(Option<Value>);

impl Discovered {
    fn has(&self, feature: &str) -> bool {
        let features = self.0.as_ref().and_then(|said| said.get("features")?.as_array());
        features.is_some_and(|features| features.iter().any(|known| known == feature))
    }

    /// How many checks may run side by side: each makes a few calls a second, and all as one operator.
    fn at_once(&self) -> usize {
        let calls = self.0.as_ref().and_then(|said| said["limits"]["calls_per_second"].as_u64()).unwrap_or(u64::MAX);
        usize::try_from(calls / 2).unwrap_or(AT_ONCE).clamp(1, AT_ONCE)
    }
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// No server there.
    #[error("{0}")]
    Unreachable(String),
    /// The admin token is not the server's.
    #[error("the server does not take the admin token (status {0})")]
    NoAccess(u16),
    /// Another program answers there.
    #[error("{0}; something else than an OWP server answers there")]
    SomethingElse(String),
    /// It does not serve workers nobody knows.
    #[error(
        "the server says `open_registration` is false: it gives workers nobody knows no work, and the checks' are such"
    )]
    Closed,
}

/// Runs the checks. `tell` hears of every outcome, in the specification's order, as soon as those before it are known.
///
/// # Errors
/// [`CannotBegin`] when nothing can be checked at all.
pub async fn run(options: &Options, clock: &Clock, tell: impl Fn(&Outcome)) -> Result<Report, CannotBegin> {
    let (began, began_at_ms) = (clock.steady(), clock.now_ms());
    let http = client(&options.server).map_err(|error| CannotBegin::Unreachable(error.to_string()))?;
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

/// Redirects are not followed, and what is on this machine is not looked for through a proxy: the admin token is for the
/// server alone.
fn client(server: &str) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let here = reqwest::Url::parse(server).is_ok_and(|url| is_loopback(&url));
    if here { builder.no_proxy().build() } else { builder.build() }
}

/// Whether there is a server to check, whether it lets us, what it says of itself, and how many tasks are ready there.
async fn begin(options: &Options, http: &reqwest::Client) -> Result<(Discovered, i64), CannotBegin> {
    let caller = caller(options, http.clone());
    let state = answered(caller.get("/v1/admin/state").header("X-Admin-Token", &options.admin_token)).await?;
    if matches!(state.status, 401 | 403) {
        return Err(CannotBegin::NoAccess(state.status));
    }
    if !state.is_object() {
        let health = answered(caller.get("/healthz")).await?;
        if !health.is_object() {
            return Err(CannotBegin::SomethingElse(health.in_short()));
        }
    }
    // Anything but 200 and 404 is found by the checks of discovery; 404 is how a server of 0.1 answers.
    let said = Some(answered(caller.get("/.well-known/owp")).await?).filter(|said| said.status == 200);
    let said: Option<Value> = said.and_then(|answer| serde_json::from_str(&caller.secrets.hide(&answer.text)).ok());
    if said.as_ref().is_some_and(|said| said["open_registration"] == false) {
        return Err(CannotBegin::Closed);
    }
    let ready = serde_json::from_str::<Value>(&state.text).ok().and_then(|state| state["tasks_ready"].as_i64());
    Ok((Discovered(said), ready.unwrap_or(0)))
}

/// The answer to a call that every server answers at once.
async fn answered(call: http::Call) -> Result<http::Answer, CannotBegin> {
    call.send_within(BEGIN_MOST).await.map_err(|stop| {
        let (Stop::Fail(why) | Stop::Error(why) | Stop::Skip(why)) = stop;
        CannotBegin::Unreachable(why)
    })
}

fn caller(options: &Options, http: reqwest::Client) -> Caller {
    let secrets = Secrets::default();
    secrets.learn_always(&options.admin_token);
    Caller { base: options.server.clone(), http, secrets, transcript: http::Transcript::default() }
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
        Some(feature) => Err(Stop::Skip(format!("the server does not announce `{feature}`"))),
        None => tokio::time::timeout(CHECK_MOST, (check.run)(&lab))
            .await
            .unwrap_or_else(|_| Err(Stop::Error(format!("no end within {} s", CHECK_MOST.as_secs())))),
    };
    let shown = caller.exchanges();
    // What cannot be tidied up in time stays.
    let _late = tokio::time::timeout(TIDY_MOST, lab.tidy()).await;
    let (status, why) = match verdict {
        Ok(()) => (Status::Pass, None),
        Err(Stop::Skip(why)) => (Status::Skip, Some(why)),
        Err(Stop::Fail(why)) => (Status::Fail, Some(why)),
        Err(Stop::Error(why)) => (Status::Error, Some(why)),
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
