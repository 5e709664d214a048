//! Configuration at startup: flags, environment, `env.local` and `.env`.
//!
//! Flags take precedence over the environment, the environment over `env.local`, and that over `.env`. An empty
//! variable counts as unset. Secrets are [`SecretString`]s, so printing a configuration never shows them.

mod admin_token;
mod credentials;
mod environment;
mod github;
mod history;
mod limits;
mod public_url;

pub use admin_token::{admin_token, weakness};
pub use credentials::{Credentials, credentials_file};
pub use environment::Environment;
pub use github::{GitHubApp, OAuthClient};
pub use history::History;
pub use limits::{IpRange, RateLimit};
pub use public_url::{Obstacle, is_this_machine, web_origin};

use secrecy::{ExposeSecret, SecretString};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Every environment variable the program reads, with a description, in the order users meet them.
///
/// Tests compare this list with `env.local.example`, the README's table and the deployment files, so that a variable
/// is documented exactly when it exists.
pub const VARIABLES: &[(&str, &str)] = &[
    ("OWP_LISTEN", "Address and port to listen on. Default `127.0.0.1:8787`."),
    (
        "OWP_PUBLIC_URL",
        "Address at which GitHub and contributors reach the pool, such as `https://owp.example.org`; comments name it. Default: the address given to `/setup`.",
    ),
    (
        "OWP_DATABASE_URL",
        "Database: `sqlite:<file>` or `postgres://user:password@host/database`. Default `sqlite:owp.db`.",
    ),
    (
        "OWP_ADMIN_TOKEN",
        "Token for the admin calls (`X-Admin-Token`); make one with `openssl rand -hex 32`. Without it admin calls answer 401, and `owp serve` listens on loopback only.",
    ),
    ("OWP_ADMIN_TOKEN_FILE", "File that holds `OWP_ADMIN_TOKEN`."),
    ("GITHUB_APP_ID", "The GitHub App's numeric id, from its settings page."),
    ("GITHUB_APP_ID_FILE", "File that holds `GITHUB_APP_ID`."),
    ("GITHUB_APP_PRIVATE_KEY", "The GitHub App's private key (PEM)."),
    ("GITHUB_APP_PRIVATE_KEY_FILE", "File that holds `GITHUB_APP_PRIVATE_KEY`: the `.pem` downloaded from GitHub."),
    (
        "GITHUB_WEBHOOK_SECRET",
        "The GitHub App's webhook secret; while it is being replaced both, separated by a comma. Without it webhooks answer 503.",
    ),
    ("GITHUB_WEBHOOK_SECRET_FILE", "File that holds `GITHUB_WEBHOOK_SECRET`."),
    (
        "GITHUB_CLIENT_ID",
        "The GitHub App's client id, with which people sign in on the dashboard. `/setup` keeps it with the credentials.",
    ),
    ("GITHUB_CLIENT_ID_FILE", "File that holds `GITHUB_CLIENT_ID`."),
    ("GITHUB_CLIENT_SECRET", "The GitHub App's client secret, which belongs to `GITHUB_CLIENT_ID`."),
    ("GITHUB_CLIENT_SECRET_FILE", "File that holds `GITHUB_CLIENT_SECRET`."),
    (
        "OWP_CREDENTIALS_FILE",
        "File in which `/setup` keeps the App's credentials. Default `owp-github-app.json`. Only its owner may have access to it; the `GITHUB_…` variables override it.",
    ),
    (
        "GITHUB_API_URL",
        "GitHub's REST API. Default `https://api.github.com`; for GitHub Enterprise Server `https://<host>/api/v3`.",
    ),
    ("OWP_LOG", "Log format, `human` or `json`. Default `human`."),
    (
        "OWP_LOG_FILTER",
        "Log filter: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels of modules, such as `info,owp_engine=debug`. Default `info`; for `owp demo` `warn`.",
    ),
    (
        "OWP_OPEN_REGISTRATION",
        "Set to `1` to let anyone who can reach the pool take tasks from manual repositories, even without a linked GitHub account. Default: off, and on while only this machine can reach the pool: it listens on loopback, and has no public address, GitHub App or trusted proxies.",
    ),
    (
        "OWP_SIGN_IN_REQUIRED",
        "Set to `1` to show pages and lists only to people who are signed in, to linked workers and to the operator. Default: everybody who reaches the pool sees its public repositories.",
    ),
    (
        "OWP_RATE_LIMIT",
        "Requests per second and burst allowed for one token, such as `20/100` (the default), or `off`. An address is allowed ten times as many.",
    ),
    (
        "OWP_TRUSTED_PROXIES",
        "Addresses or ranges, separated by commas, of proxies whose `X-Forwarded-For` is trusted. Default none.",
    ),
    (
        "OWP_EVENTS_REPLAY",
        "Number of latest events that a client of `GET /v1/events` can catch up on. Default `100000`.",
    ),
    (
        "OWP_HISTORY_DAYS",
        "Number of days, at least 30, after which events, ended leases and finished tasks are removed. Default: everything is kept.",
    ),
    (
        "OWP_HISTORY_ARCHIVE",
        "Folder in which what `OWP_HISTORY_DAYS` removes is written first, as JSON lines. Default: it is not archived.",
    ),
    ("OWP_COMMENT_SPACING", "Minimum time between two comments of one installation, such as `1s` (the default)."),
    (
        "OWP_COMMENT_SETTLE",
        "Time to wait for a comment to appear after a request without a response, before it is written again. Default `30s`.",
    ),
    (
        "OWP_TAKEOVER_AFTER",
        "Time after which a comment, delivery or sync of a replica that fell silent is taken over by another. Default `2min`; longer than GitHub takes for one answer.",
    ),
    ("OWP_COUNT_EVERY", "Interval at which open pull requests are counted on GitHub. Default `5min`."),
    (
        "OWP_WATCH_EVERY",
        "Interval at which a repository is checked for changes, with one request that is free if nothing changed. Default `2min`.",
    ),
    (
        "OWP_REDELIVER_AT",
        "Schedule for asking GitHub to repeat failed webhook deliveries, besides at the start: five cron fields, in UTC. Default `17 * * * *`.",
    ),
    (
        "OWP_DOWNTIME_AFTER",
        "Outages longer than this are added to the deadlines of leases and reservations. Default `2min`.",
    ),
];

/// Variables of `owp worker` and `owp admin`. They are read only from the process environment: a file in a stranger's
/// repository must not decide where a token is sent.
pub const CLIENT_VARIABLES: &[(&str, &str)] = &[
    (
        "OWP_SERVER",
        "Address of the pool for client commands (`worker`, `admin`, `policy simulate`, `healthcheck`, `conformance`), such as `https://pool.example.org`. Default: for `worker`, the one registered with last; else the one on this machine.",
    ),
    (
        "OWP_WORKER_TOKEN",
        "A worker's token, instead of the stored one; it goes to `--server`, `OWP_SERVER` or the pool on this machine only.",
    ),
    ("OWP_WORKER_TOKEN_FILE", "File that holds `OWP_WORKER_TOKEN`."),
    (
        "GITHUB_TOKEN",
        "Your GitHub token: for `owp worker do` to push and open pull requests (else `gh auth token` is asked), and for `owp admin import-github-issues` to read private issues.",
    ),
    ("GITHUB_TOKEN_FILE", "File that holds `GITHUB_TOKEN`."),
];

const LISTEN: &str = "127.0.0.1:8787";
const DATABASE_URL: &str = "sqlite:owp.db";
/// Default number of events a disconnected client can catch up on.
pub const EVENTS_REPLAY: i64 = 100_000;
const EVENTS_REPLAY_MAX: i64 = 1_000_000_000;

/// A configuration error. Its text never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// Creates an error from a clause that states the wrong value and the correct form.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Configuration of `owp serve`.
#[derive(Debug)]
pub struct ServeConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Database URL; may contain a password.
    pub database_url: SecretString,
    /// The pool's public address, without a trailing slash.
    pub public_url: Option<String>,
    /// Token for the admin calls.
    pub admin_token: Option<SecretString>,
    /// The GitHub App, when one is configured.
    pub github: Option<GitHubApp>,
    /// Base URL of the GitHub REST API; set even without an App.
    pub api_url: String,
    /// File in which setup stores the App's credentials.
    pub credentials_file: std::path::PathBuf,
    /// True when other machines can reach the pool, directly or through a proxy or tunnel.
    pub exposed: bool,
    /// True if manual repositories serve workers that are neither linked nor invited.
    pub open_registration: bool,
    /// True if only people who are signed in, workers and the operator see pages and lists.
    pub sign_in_required: bool,
    /// Rate limit of one token; `None` disables it.
    pub rate_limit: Option<RateLimit>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpRange>,
    /// Number of latest events a disconnected client can catch up on.
    pub events_replay: i64,
    /// How long history is kept; `None` keeps everything.
    pub history: Option<History>,
    /// Cron schedule for asking GitHub to redeliver failed deliveries; `None` means the default.
    pub redeliver_at: Option<String>,
    /// Durations that override the defaults.
    pub spans: Spans,
}

/// Durations an operator may set; an unset one keeps its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans {
    /// `OWP_COMMENT_SPACING`
    pub comment_spacing: Option<Duration>,
    /// `OWP_COMMENT_SETTLE`
    pub comment_settle: Option<Duration>,
    /// `OWP_TAKEOVER_AFTER`
    pub takeover_after: Option<Duration>,
    /// `OWP_COUNT_EVERY`
    pub count_every: Option<Duration>,
    /// `OWP_WATCH_EVERY`
    pub watch_every: Option<Duration>,
    /// `OWP_DOWNTIME_AFTER`
    pub downtime_after: Option<Duration>,
}

impl ServeConfig {
    /// Merges flags and environment.
    ///
    /// # Errors
    /// If a value is invalid, a GitHub App is only partly configured, or the admin token of an exposed pool is weak.
    pub fn load(env: &Environment, listen: Option<&str>, database: Option<&str>) -> Result<Self, ConfigError> {
        let listen = listen_address(env, listen)?;
        let github = GitHubApp::load(env)?;
        let public_url = public_url(env)?.or_else(|| github.as_ref().and_then(|app| app.public_url.clone()));
        let trusted_proxies = IpRange::parse_list(&env.get("OWP_TRUSTED_PROXIES").unwrap_or_default())?;
        let exposure = exposure(listen, public_url.as_deref(), github.as_ref(), &trusted_proxies);
        let admin_token = admin_token_for(env, listen, exposure)?;
        let exposed = exposure.is_some();
        let database_url = database.map(str::to_owned).or_else(|| env.get("OWP_DATABASE_URL"));
        Ok(Self {
            listen,
            database_url: database_url.unwrap_or_else(|| DATABASE_URL.to_owned()).into(),
            public_url,
            admin_token,
            github,
            api_url: github::api_url(env),
            credentials_file: credentials_file(env),
            exposed,
            open_registration: switch(env, "OWP_OPEN_REGISTRATION")?.unwrap_or(!exposed),
            sign_in_required: switch(env, "OWP_SIGN_IN_REQUIRED")?.unwrap_or(false),
            rate_limit: env.get("OWP_RATE_LIMIT").map_or(Ok(Some(RateLimit::USUAL)), |text| RateLimit::parse(&text))?,
            trusted_proxies,
            events_replay: events_replay(env)?,
            history: None,
            redeliver_at: env.get("OWP_REDELIVER_AT"),
            spans: Spans {
                comment_spacing: span(env, "OWP_COMMENT_SPACING")?,
                comment_settle: span(env, "OWP_COMMENT_SETTLE")?,
                takeover_after: span(env, "OWP_TAKEOVER_AFTER")?,
                count_every: span(env, "OWP_COUNT_EVERY")?,
                watch_every: span(env, "OWP_WATCH_EVERY")?,
                downtime_after: downtime_after(env)?,
            },
        })
    }
}

/// Returns the address to listen on: the flag, the variable, or the default.
///
/// # Errors
/// If the value is not an address with a port.
pub fn listen_address(env: &Environment, flag: Option<&str>) -> Result<SocketAddr, ConfigError> {
    let told = flag.map(|text| ("--listen", text.to_owned()));
    let told = told.or_else(|| env.get("OWP_LISTEN").map(|text| ("OWP_LISTEN", text)));
    let (name, text) = told.unwrap_or(("the default", LISTEN.to_owned()));
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.clone(),
    };
    numeric.parse().map_err(|_| {
        ConfigError::new(format!("{name}: `{text}` is not an address and a port, such as 127.0.0.1:8787 or [::1]:8787"))
    })
}

/// Returns the base URL of the GitHub REST API, configured with or without an App.
#[must_use]
pub fn api_url(env: &Environment) -> String {
    github::api_url(env)
}

/// Returns the address at which this machine reaches a server that listens on `listen`.
#[must_use]
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut reachable = listen;
    if listen.ip().is_unspecified() {
        reachable.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    reachable
}

fn public_url(env: &Environment) -> Result<Option<String>, ConfigError> {
    let Some(text) = env.get("OWP_PUBLIC_URL") else { return Ok(None) };
    web_origin(&text).map(Some).ok_or_else(|| {
        ConfigError::new(format!(
            "OWP_PUBLIC_URL: `{text}` is not the pool's address; write https:// and a host, such as \
             https://owp.example.org, without a path"
        ))
    })
}

/// Returns, as a clause, why other machines can reach the pool; `None` if only this machine can. A proxy or a tunnel on
/// the same machine can expose a pool that listens on loopback.
fn exposure(
    listen: SocketAddr,
    public_url: Option<&str>,
    app: Option<&GitHubApp>,
    proxies: &[IpRange],
) -> Option<&'static str> {
    let is_here = |address: &str| url::Url::parse(address).is_ok_and(|url| is_this_machine(&url));
    if !listen.ip().is_loopback() {
        Some("it listens to them")
    } else if public_url.is_some_and(|url| !is_here(url)) {
        Some("it has a public address")
    } else if !proxies.is_empty() {
        Some("OWP_TRUSTED_PROXIES names a proxy in front of it")
    } else if app.is_some_and(|app| !is_here(&app.api_url)) {
        // A sandbox on this machine delivers locally.
        Some("GitHub delivers webhooks to it")
    } else {
        None
    }
}

/// Reads the admin token. A pool that other machines can reach requires a strong one.
fn admin_token_for(
    env: &Environment,
    listen: SocketAddr,
    exposure: Option<&str>,
) -> Result<Option<SecretString>, ConfigError> {
    let token = admin_token(env)?;
    match (token.as_ref().map(weakness), exposure) {
        (None, _) if !listen.ip().is_loopback() => Err(ConfigError::new(format!(
            "refusing to listen on {listen}, which other machines can reach, without an admin token: \
             set OWP_ADMIN_TOKEN or OWP_ADMIN_TOKEN_FILE (make one with `openssl rand -hex 32`), or listen on {LISTEN}"
        ))),
        (Some(Some(why)), Some(exposure)) => Err(ConfigError::new(format!(
            "refusing to start with this OWP_ADMIN_TOKEN: {why}, and other machines can reach the pool ({exposure}). \
             Make a token with `openssl rand -hex 32`"
        ))),
        _ => Ok(token),
    }
}

/// Reads the worker's token from the environment, if set.
///
/// # Errors
/// If the token cannot be read or is not a valid header value.
pub fn worker_token(env: &Environment) -> Result<Option<SecretString>, ConfigError> {
    for_a_header(env, "OWP_WORKER_TOKEN")
}

fn for_a_header(env: &Environment, name: &str) -> Result<Option<SecretString>, ConfigError> {
    let Some(token) = env.secret(name)? else { return Ok(None) };
    if token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(token));
    }
    Err(ConfigError::new(format!(
        "{name} must hold letters, digits and punctuation only, without spaces, to fit into a header"
    )))
}

fn switch(env: &Environment, name: &str) -> Result<Option<bool>, ConfigError> {
    match env.get(name).as_deref() {
        None => Ok(None),
        Some("0" | "false") => Ok(Some(false)),
        Some("1" | "true") => Ok(Some(true)),
        Some(other) => Err(ConfigError::new(format!("{name}: `{other}` is neither 1 nor 0"))),
    }
}

fn events_replay(env: &Environment) -> Result<i64, ConfigError> {
    let Some(text) = env.get("OWP_EVENTS_REPLAY") else { return Ok(EVENTS_REPLAY) };
    let number = text.parse().ok().filter(|number| (1..=EVENTS_REPLAY_MAX).contains(number));
    number.ok_or_else(|| {
        ConfigError::new(format!("OWP_EVENTS_REPLAY: `{text}` is not a whole number from 1 to {EVENTS_REPLAY_MAX}"))
    })
}

fn span(env: &Environment, name: &str) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = env.get(name) else { return Ok(None) };
    let parsed = humantime::parse_duration(&text);
    parsed
        .map(Some)
        .map_err(|why| ConfigError::new(format!("{name}: `{text}` is not a duration such as 30s or 5min ({why})")))
}

/// Every process records the time once a second: a shorter outage cannot be distinguished from normal operation.
const DOWNTIME_LEAST: Duration = Duration::from_secs(2);

fn downtime_after(env: &Environment) -> Result<Option<Duration>, ConfigError> {
    match span(env, "OWP_DOWNTIME_AFTER")? {
        Some(least) if least < DOWNTIME_LEAST => {
            Err(ConfigError::new("OWP_DOWNTIME_AFTER must be at least 2s: a process records the time once a second"))
        }
        told => Ok(told),
    }
}

/// Log format and filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// One JSON object per line instead of plain text.
    pub json: bool,
    /// A tracing filter.
    pub filter: String,
}

impl LogConfig {
    /// Reads `OWP_LOG` and `OWP_LOG_FILTER`; without the latter, `filter` applies.
    ///
    /// # Errors
    /// If `OWP_LOG` is neither `human` nor `json`.
    pub fn load(env: &Environment, filter: &str) -> Result<Self, ConfigError> {
        let json = match env.get("OWP_LOG").as_deref() {
            None | Some("human") => false,
            Some("json") => true,
            Some(other) => return Err(ConfigError::new(format!("OWP_LOG: `{other}` is neither `human` nor `json`"))),
        };
        Ok(Self { json, filter: env.get("OWP_LOG_FILTER").unwrap_or_else(|| filter.to_owned()) })
    }
}

#[cfg(test)]
mod tests;
