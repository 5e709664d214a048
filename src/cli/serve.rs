//! `owp serve`: opens the database, starts the engine's loops and the HTTP server, and stops them in order.
//!
//! [`start`] is the whole server as a value, for tests and the demo; [`run`] is the subcommand around it.

use super::failure::print_error;
use super::logging::SETUP_TARGET;
use super::untrusted::visible;
use super::{loops, usage_error};
use clap::Args;
use owp_base::clock::{Clock, Entropy};
use owp_config::{ConfigError, Environment, History};
use owp_config::{Obstacle, ServeConfig, Spans, weakness};
use owp_engine::{
    Engine, EngineError, FeedSettings, GitHubSide, HistorySettings, Hub, PublicUrl, Settings, SetupSettings,
};
use owp_pool::Span;
use owp_pool::schedule::Schedule;
use owp_server::http::{self, ApiState, DemoControls, router};
use owp_store::{Store, StoreError, StoreOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Timeout for requests to finish during shutdown, and then for the loops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to wait for a database server at startup, and the polling interval.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);
const DATABASE_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Timeout for recording in the database that the process stopped.
const STOP_MARK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the database may take to close: SQLite writes what its log holds into the file.
const DATABASE_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `owp serve`. Variables configure everything else; `env.local.example` lists them.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [env: OWP_LISTEN] [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE [env: OWP_DATABASE_URL] [default: sqlite:owp.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Remove events, ended leases and finished tasks that are older; at least 30 [env: OWP_HISTORY_DAYS] [default: keep everything]
    #[arg(long, value_name = "DAYS")]
    pub history_days: Option<String>,
    /// Write what is removed to this folder first, as JSON lines [env: OWP_HISTORY_ARCHIVE]
    #[arg(long, value_name = "FOLDER")]
    pub history_archive: Option<PathBuf>,
}

/// The parts of a server.
pub struct ServeOptions {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The open database.
    pub store: Store,
    /// GitHub, when an App is configured.
    pub github: Option<GitHubSide>,
    /// The engine's settings.
    pub settings: Settings,
    /// The token for the admin calls.
    pub admin_token: Option<SecretString>,
    /// What the viewer of a demo can let happen.
    pub demo: Option<Arc<dyn DemoControls>>,
}

/// Error that prevents a server from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Binding to the address failed.
    #[error("cannot listen on {address}: {cause}; choose another address with --listen or OWP_LISTEN")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        cause: io::Error,
    },
    /// Recovery of work left by a dead process failed.
    #[error(transparent)]
    Recover(#[from] EngineError),
}

/// A running server. Dropping it stops it without waiting.
pub struct Running {
    address: SocketAddr,
    hub: Hub,
    engine: Engine,
    accepting: CancellationToken,
    stepping: CancellationToken,
    server: Option<JoinHandle<()>>,
    loops: Vec<JoinHandle<()>>,
}

/// Starts a server. It accepts requests when this returns.
///
/// # Errors
/// [`ServeError`]; nothing keeps running then.
pub async fn start(options: ServeOptions) -> Result<Running, ServeError> {
    let address = options.listen;
    let bound = listen(address).map_err(|cause| ServeError::Listen { address, cause })?;
    let address = bound.local_addr().map_err(|cause| ServeError::Listen { address, cause })?;
    let (engine, waiting) = Engine::new(options.store, options.github, options.settings);
    engine.recover().await?;
    let (accepting, stepping) = (CancellationToken::new(), CancellationToken::new());
    let loops = loops::start(&engine, waiting, &stepping);
    let hub = engine.feed().hub().clone();
    let faces = router(ApiState::new(engine.clone(), options.admin_token).with_demo(options.demo));
    let server = Some(tokio::spawn(http::serve(bound, faces, accepting.clone())));
    Ok(Running { address, hub, engine, accepting, stepping, server, loops })
}

impl Running {
    /// Returns the address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL: `http://` and the address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting, ends event streams and answers parked pulls; their clients reconnect elsewhere. Then lets
    /// requests finish, and then every loop's current step. Whatever exceeds its timeout is aborted, which loses
    /// nothing that was acknowledged.
    pub async fn stop(mut self) {
        self.accepting.cancel();
        self.hub.close();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut server).await.is_err()
        {
            tracing::warn!("requests did not finish within {} s and were aborted", SHUTDOWN_TIMEOUT.as_secs());
            server.abort();
        }
        // Stopped after the requests, because a pull needs a loop to answer it.
        self.stepping.cancel();
        let finished = futures_util::future::join_all(self.loops.iter_mut());
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, finished).await.is_err() {
            tracing::warn!("loops did not finish their step within {} s and were aborted", SHUTDOWN_TIMEOUT.as_secs());
            self.loops.iter().for_each(JoinHandle::abort);
        }
        // Only informs readers of the database, so an unresponsive one does not delay the shutdown further.
        let marked = tokio::time::timeout(STOP_MARK_TIMEOUT, self.engine.reconciler().mark_stopped()).await;
        if !matches!(marked, Ok(Ok(()))) {
            tracing::warn!("could not record in the database that this process stopped");
        }
        if tokio::time::timeout(DATABASE_CLOSE_TIMEOUT, self.engine.store().close()).await.is_err() {
            tracing::warn!("the database was not closed within {} s", DATABASE_CLOSE_TIMEOUT.as_secs());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.accepting.cancel();
        self.hub.close();
        self.stepping.cancel();
    }
}

/// Runs the subcommand: serves until SIGINT or SIGTERM.
pub async fn run(args: ServeArgs, env: &Environment) -> ExitCode {
    let history = History::load(env, args.history_days.as_deref(), args.history_archive);
    let config = ServeConfig::load(env, args.listen.as_deref(), args.database.as_deref());
    let config = match config.and_then(|config| Ok(ServeConfig { history: history?, ..config })) {
        Ok(config) => config,
        Err(error) => return usage_error(&error),
    };
    let github = match config.github.as_ref().map(|app| GitHubSide::of(app, Clock::System)).transpose() {
        Ok(github) => github,
        Err(error) => return usage_error(&ConfigError::new(error.to_string())),
    };
    let redeliver_at = match config.redeliver_at.as_deref().map(redelivery_times) {
        None => Settings::default().redeliver_at,
        Some(Ok(times)) => times,
        Some(Err(error)) => return usage_error(&error),
    };
    match serve(config, github, redeliver_at).await {
        Ok(code) => code,
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Url(_))) => {
            usage_error(&ConfigError::new(error.to_string()))
        }
        Err(error) => {
            print_error(&format!("owp serve: {}", visible(&error.to_string())));
            ExitCode::FAILURE
        }
    }
}

/// Connections that may wait to be accepted, as many as the system allows: after a restart all workers come back at once.
const BACKLOG: u32 = 8_192;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Otherwise a restarted server would have to wait for its own old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Files for all connections, and some for the database and others. Systems allow a process 1,024 until it asks.
const OPEN_FILES: u64 = 10_000;

fn raise_limit_on_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_none_or(|now| now >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        tracing::warn!(%error, wanted, "failed to raise the limit on open files; fewer connections fit");
    }
}

async fn serve(
    config: ServeConfig,
    github: Option<GitHubSide>,
    redeliver_at: Schedule,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // First of all, so that a signal during startup stops the process too.
    let mut told_to_stop = Signals::listen()?;
    raise_limit_on_open_files();
    let url = config.database_url.expose_secret().to_owned();
    let store = tokio::select! {
        opened = open_with_retries(&url) => opened?,
        () = told_to_stop.next() => return Ok(ExitCode::SUCCESS),
    };
    let setup = github.is_none().then(|| SetupSettings {
        api_url: config.api_url.clone(),
        credentials_file: config.credentials_file.clone(),
        token: setup_token(&Entropy::system()),
    });
    tell_setup(&config, &store);
    let running = start(ServeOptions {
        listen: config.listen,
        store,
        github,
        settings: Settings {
            rate_limit: config.rate_limit,
            sign_in_required: config.sign_in_required,
            trusted_proxies: config.trusted_proxies,
            feed: FeedSettings { replay: config.events_replay, ..FeedSettings::default() },
            redeliver_at,
            history: config
                .history
                .map(|history| HistorySettings { keep: Span::days(history.days), archive: history.archive }),
            setup: setup.clone(),
            public_url: PublicUrl::of(&config.api_url, config.public_url.as_deref()),
            ..settings(config.open_registration, config.spans)
        },
        admin_token: config.admin_token,
        demo: None,
    })
    .await?;
    tracing::info!("listening on {}", running.url());
    if let Some(setup) = setup {
        // The only secret that is logged on purpose: it opens one form, once, while there is nothing to steal.
        tracing::info!(
            target: SETUP_TARGET,
            "to register a GitHub App, open {}/setup (or /setup at the pool's public address) and enter the setup token {}",
            running.url(),
            setup.token.expose_secret()
        );
    }
    told_to_stop.next().await;
    tracing::info!("stopping; waiting for requests and steps in progress");
    tokio::select! {
        () = running.stop() => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        () = told_to_stop.next() => {
            tracing::warn!("second signal: stopped at once");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Opens the database. Retries while its server is unreachable, because a container beside this one may be starting.
async fn open_with_retries(url: &str) -> Result<Store, StoreError> {
    let until = Instant::now() + DATABASE_TIMEOUT;
    let mut told = false;
    loop {
        let options = StoreOptions { url: url.to_owned(), clock: Clock::System, entropy: Entropy::system() };
        match Store::open(options).await {
            Err(error @ StoreError::Unreachable { passing: true, .. }) if Instant::now() < until => {
                if !told {
                    let secs = DATABASE_TIMEOUT.as_secs();
                    tracing::warn!("{error}; trying again for up to {secs} s");
                    told = true;
                }
                tokio::time::sleep(DATABASE_POLL_INTERVAL).await;
            }
            opened => return opened,
        }
    }
}

/// Creates a token of 160 bits, in letters that are easy to copy by hand.
fn setup_token(entropy: &Entropy) -> SecretString {
    data_encoding::BASE32_NOPAD.encode(&entropy.bytes::<20>()).to_lowercase().into()
}

fn tell_setup(config: &ServeConfig, store: &Store) {
    tracing::info!("owp {} on {:?}", env!("CARGO_PKG_VERSION"), store.dialect());
    match &config.github {
        Some(app) => match &app.file {
            Some(file) => tracing::info!("GitHub App {} at {}, from {}", app.app_id, app.api_url, file.display()),
            None => tracing::info!("GitHub App {} at {}", app.app_id, app.api_url),
        },
        None => {
            tracing::info!("no GitHub App is configured: webhooks answer 503, and only manual repositories are served");
        }
    }
    match config.admin_token.as_ref().map(weakness) {
        None => tracing::info!("no OWP_ADMIN_TOKEN is set: admin calls answer 401"),
        Some(Some(why)) => tracing::warn!(
            "OWP_ADMIN_TOKEN is weak: {why}. It is accepted because only this machine can reach the pool; make a better \
             one with `openssl rand -hex 32`"
        ),
        Some(None) => {}
    }
    if let (Some(url), Some(app)) = (&config.public_url, &config.github)
        && let Some(obstacle) = Obstacle::between(&app.api_url, url)
    {
        tracing::warn!("the public address is {url}: {}", obstacle.advice());
    }
}

fn redelivery_times(text: &str) -> Result<Schedule, ConfigError> {
    Schedule::parse(text).map_err(|why| ConfigError::new(format!("OWP_REDELIVER_AT: `{text}` {why}")))
}

fn settings(open_registration: bool, spans: Spans) -> Settings {
    let usual = Settings::default();
    let or = |told: Option<Duration>, usual: Span| {
        told.map_or(usual, |span| Span(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    };
    Settings {
        comment_spacing: or(spans.comment_spacing, usual.comment_spacing),
        comment_settle: or(spans.comment_settle, usual.comment_settle),
        takeover_after: or(spans.takeover_after, usual.takeover_after),
        count_every: or(spans.count_every, usual.count_every),
        watch_every: or(spans.watch_every, usual.watch_every),
        downtime_after: or(spans.downtime_after, usual.downtime_after),
        open_registration,
        ..usual
    }
}

/// SIGINT and SIGTERM; Ctrl-C on other systems.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
