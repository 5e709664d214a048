//! The handle of a running sandbox: startup, shutdown and setup. The rest is in `steer.rs`.

mod steer;

use super::{
    Inner,
    error::{ApiError, StartError},
    faults::{Chaos, DeliveryFault, Fault, Faults},
    git::Git,
    journal::RecordedRequest,
    keys::AppKey,
    limits::Limits,
    listen::{Line, Lines},
    routes, sender,
    verbs::Person,
    view::{CommentView, IssueView, PullView},
    webhook::{Delivery, Hook, WebhookEvent, WebhookRequest},
    world::{
        Now, Settings, World,
        model::{Role, UserKind},
    },
};
use axum::{
    Router, ServiceExt,
    body::{Body, Bytes},
    extract::Request,
    http,
};
use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::util::{MapRequest, ServiceExt as _};

/// Settings of a sandbox. [`SandboxConfig::new`] has the defaults.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Listen address; port 0 picks a free port.
    pub listen: SocketAddr,
    /// Webhook URL; may be set later.
    pub webhook_url: Option<String>,
    /// Webhook secret; without one deliveries are not signed.
    pub webhook_secret: Option<String>,
    /// Clock, in Unix ms.
    pub now: Now,
    /// Random seed; the same seed gives the same ids, tokens and random faults.
    pub seed: u64,
    /// The app's name in URLs; it comments as `slug[bot]`.
    pub app_slug: String,
    /// The app's private key in PKCS#1 PEM; `None` generates one.
    pub private_key: Option<String>,
    /// Permissions the app requests.
    pub permissions: BTreeMap<String, String>,
    /// Events the app subscribes to.
    pub events: Vec<String>,
    /// Files readable with the `single_file` permission.
    pub single_files: Vec<String>,
    /// Hourly request quota per token holder.
    pub requests_per_hour: u64,
    /// Content creation limits per installation: per minute, per hour. `None` disables them.
    pub content_limit: Option<(usize, usize)>,
    /// Empty folder for real git repositories, which can be cloned and pushed to at the API's address. Without one,
    /// branches have names and commits without content.
    pub git: Option<PathBuf>,
}

impl SandboxConfig {
    /// Defaults: a free port on this machine, GitHub's limits, and OWP Pool's permissions and events.
    #[must_use]
    pub fn new(now: Now) -> Self {
        let permissions =
            [("issues", "write"), ("pull_requests", "read"), ("metadata", "read"), ("single_file", "read")];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            webhook_url: None,
            webhook_secret: Some("sandbox-webhook-secret".to_owned()),
            now,
            seed: 1,
            app_slug: "owp-pool".to_owned(),
            private_key: None,
            permissions: permissions.map(|(name, level)| (name.to_owned(), level.to_owned())).into(),
            events: ["issues", "issue_comment", "pull_request", "repository"].map(str::to_owned).into(),
            single_files: vec![".github/owp.yml".to_owned()],
            requests_per_hour: 5_000,
            content_limit: Some((80, 500)),
            git: None,
        }
    }

    /// Adds the permissions and events for checks and statuses.
    #[must_use]
    pub fn with_checks(mut self) -> Self {
        self.permissions.extend(["checks", "statuses"].map(|name| (name.to_owned(), "read".to_owned())));
        self.events.extend(["check_run", "check_suite", "status"].map(str::to_owned));
        self
    }
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig").field("listen", &self.listen).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// Time that [`Sandbox::stop`] waits for open responses.
const PATIENCE: Duration = Duration::from_secs(2);

/// A user and an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    /// The numeric id.
    pub id: u64,
    /// The login.
    pub login: String,
    /// The token for `Authorization: Bearer …`.
    pub token: String,
}

/// A handle of a sandbox; clones share the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    pub(super) inner: Arc<Inner>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// The REST API for calls in the same process.
    api: OnceLock<Router>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox. It serves and delivers until [`Sandbox::stop`] is called or the runtime ends.
    ///
    /// # Errors
    /// Fails when the address cannot be listened on, the key cannot be read or generated, or git cannot be served.
    pub async fn start(config: SandboxConfig) -> Result<Self, StartError> {
        let wanted = config.listen;
        let failed = |cause| StartError::Listen { address: wanted.to_string(), cause };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let sandbox = Self::quiet(SandboxConfig { listen: address, ..config })?;
        // Deliveries do not follow redirects.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let _is_new = sandbox.inner.client.set(client);
        sandbox.inner.world().outbox.held = false;
        let inner = sandbox.inner.clone();
        let app = MapRequest::new(sandbox.router(), move |request: Request| routes::rewrite(&inner, request));
        let stop = sandbox.stop.clone();
        let server = tokio::spawn(async move {
            let service = ServiceExt::<Request>::into_make_service_with_connect_info::<Line>(app);
            let serving = axum::serve(Lines(listener), service).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "the sandbox stopped listening");
            }
        });
        let deliveries = tokio::spawn(sender::run(sandbox.inner.clone(), sandbox.stop.clone()));
        if let Ok(mut tasks) = sandbox.tasks.lock() {
            tasks.extend([server, deliveries]);
        }
        Ok(sandbox)
    }

    /// Creates a sandbox that neither listens nor delivers by itself, for simulations with [`Sandbox::router`] and
    /// [`Sandbox::take_deliveries`]. Its deliveries are held from the start.
    ///
    /// # Errors
    /// Fails when the key cannot be read or generated, or git cannot be served.
    pub fn quiet(config: SandboxConfig) -> Result<Self, StartError> {
        let address = config.listen;
        let key = config.private_key.map_or_else(AppKey::generate, |pem| AppKey::from_pem(&pem))?;
        let settings = Settings {
            now: config.now,
            seed: config.seed,
            base: format!("http://{address}"),
            slug: config.app_slug,
            permissions: config.permissions,
            events: config.events,
            single_files: config.single_files,
            hook: Hook { url: config.webhook_url, secret: config.webhook_secret, form: false },
            limits: Limits::new(config.requests_per_hour, config.content_limit),
            git: config.git.as_deref().map(Git::create).transpose()?,
        };
        let world = World::new(settings, key);
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            client: OnceLock::new(),
            pushes: tokio::sync::Mutex::default(),
        });
        inner.world().outbox.held = true;
        Ok(Self { inner, address, stop: CancellationToken::new(), tasks: Arc::default(), api: OnceLock::new() })
    }

    /// Stops listening and delivering. Pending deliveries are not sent.
    pub async fn stop(&self) {
        self.stop.cancel();
        let tasks = self.tasks.lock().map(|mut tasks| std::mem::take(&mut *tasks)).unwrap_or_default();
        for mut task in tasks {
            // Idle connections close at once; a busy one is aborted after the timeout.
            if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Returns the REST API without a listener. Paths under `/repositories/{id}` work only through a listener.
    pub fn router(&self) -> Router {
        routes::router(self.inner.clone())
    }

    /// Answers a request as the listener would, without a listener.
    pub async fn respond(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let api = self.api.get_or_init(|| self.router()).clone();
        let request = routes::rewrite(&self.inner, request.map(Body::from));
        let Ok(response) = api.oneshot(request).await;
        let (head, body) = response.into_parts();
        http::Response::from_parts(head, axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default())
    }

    /// Returns method and path of every GitHub call that the sandbox offers.
    #[must_use]
    pub fn endpoints() -> Vec<(&'static str, &'static str)> {
        routes::endpoints()
    }

    /// Returns the base URL of the REST API.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.inner.world().base.clone()
    }

    /// Returns true if the repositories can be cloned and pushed to.
    #[must_use]
    pub fn serves_git(&self) -> bool {
        self.inner.world().git.is_some()
    }

    /// Returns the app's id.
    #[must_use]
    pub fn app_id(&self) -> u64 {
        self.inner.world().app.id
    }

    /// Returns the login of the app's comments.
    #[must_use]
    pub fn bot_login(&self) -> String {
        let world = self.inner.world();
        world.login(world.app.bot).to_owned()
    }

    /// Returns the app's private key in PKCS#1 PEM, GitHub's format.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.inner.world().key.private_pem.clone()
    }

    /// Returns id and secret of the app's OAuth client.
    #[must_use]
    pub fn oauth_client(&self) -> (String, String) {
        let world = self.inner.world();
        (world.app.client_id(), world.app.client_secret.clone())
    }

    /// Sets the addresses to which a sign-in may lead back.
    pub fn set_callback_urls(&self, urls: &[String]) {
        self.inner.world().app.callbacks = urls.to_vec();
    }

    /// Returns the webhook secret; empty when deliveries are not signed.
    #[must_use]
    pub fn webhook_secret(&self) -> String {
        self.inner.world().outbox.hook.secret.clone().unwrap_or_default()
    }

    /// Changes the webhook URL.
    pub fn set_webhook_url(&self, url: &str) {
        self.inner.world().outbox.hook.url = Some(url.to_owned());
    }

    /// Changes the webhook secret.
    pub fn set_webhook_secret(&self, secret: &str) {
        self.inner.world().outbox.hook.secret = Some(secret.to_owned());
    }

    /// Returns the user with this login, created if new.
    pub fn add_user(&self, login: &str) -> UserRef {
        self.account(login, UserKind::User)
    }

    /// Returns the bot account with this login, for another app or an agent; created if new.
    pub fn add_bot(&self, login: &str) -> UserRef {
        self.account(login, UserKind::Bot)
    }

    fn account(&self, login: &str, kind: UserKind) -> UserRef {
        let mut world = self.inner.world();
        let id = world.user_named(login, kind);
        UserRef { id, login: world.login(id).to_owned(), token: world.user_token(id) }
    }

    /// Creates a public repository and returns its id. An unknown owner becomes an organization.
    ///
    /// # Errors
    /// Fails when the name is taken.
    pub fn add_repo(&self, full_name: &str) -> Result<u64, ApiError> {
        self.inner.world().add_repo(full_name, false)
    }

    /// Gives a user a role, without a permission check.
    ///
    /// # Errors
    /// Fails when the repository does not exist.
    pub fn add_collaborator(&self, repo: &str, login: &str, role: Role) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let (repo, user) = (world.repo_of(repo)?, world.user_named(login, UserKind::User));
        world.set_role(repo, user, Some(role))
    }

    /// Removes a user's role.
    ///
    /// # Errors
    /// Fails when the repository or the user does not exist.
    pub fn remove_collaborator(&self, repo: &str, login: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let (repo, user) = (world.repo_of(repo)?, world.user_by_login(login)?);
        world.set_role(repo, user, None)
    }

    /// Changes a user's login.
    ///
    /// # Errors
    /// Fails when the user does not exist, or the new login is taken.
    pub fn rename_user(&self, login: &str, new: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let user = world.user_by_login(login)?;
        world.rename_user(user, new)
    }

    /// Deletes an account; its issues and comments show `user: null`.
    ///
    /// # Errors
    /// Fails when the user does not exist.
    pub fn vanish_user(&self, login: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let user = world.user_by_login(login)?;
        world.vanish(user)
    }

    /// Writes a file to the default branch, such as `.github/owp.yml`, without a permission check.
    ///
    /// # Errors
    /// Fails when the repository does not exist.
    pub fn set_file(&self, repo: &str, path: &str, text: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.change_file(repo, path, Some(text))
    }

    /// Removes a file from the default branch, without a permission check.
    ///
    /// # Errors
    /// Fails when the repository does not exist.
    pub fn remove_file(&self, repo: &str, path: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.change_file(repo, path, None)
    }

    /// Returns the verbs of this user.
    #[must_use]
    pub fn as_user(&self, login: &str) -> Person {
        Person { sandbox: self.clone(), login: login.to_owned() }
    }
}
