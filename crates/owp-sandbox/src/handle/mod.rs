//! The handle on a running box: starting and stopping it, and setting the scene. The rest is in `steer.rs`.

mod steer;

use super::{
    Inner,
    error::{ApiError, StartError},
    faults::{Chaos, DeliveryFault, Fault, Faults},
    journal::RecordedRequest,
    keys::AppKey,
    limits::Limits,
    listen::{Line, Lines},
    routes, sender,
    verbs::Person,
    view::{CommentView, IssueView, PullView},
    webhook::{Delivery, Hook, Letter, Parcel},
    world::{
        Now, Settings, World,
        model::{Role, UserKind},
    },
};
use axum::{Router, ServiceExt, extract::Request};
use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;

/// What a box is started with. [`SandboxConfig::new`] has the defaults.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where deliveries go; may be set later.
    pub webhook_url: Option<String>,
    /// What deliveries are signed with; without one they are not signed.
    pub webhook_secret: Option<String>,
    /// The time, in Unix ms.
    pub now: Now,
    /// The same seed makes the same ids, tokens and accidents.
    pub seed: u64,
    /// The app's url name; it comments as `slug[bot]`.
    pub app_slug: String,
    /// What the app asks for.
    pub permissions: BTreeMap<String, String>,
    /// The events it hears.
    pub events: Vec<String>,
    /// The files that its `single_file` permission opens.
    pub single_files: Vec<String>,
    /// Requests an hour for each holder of a token.
    pub requests_per_hour: u64,
    /// Comments the app may write in an installation: a minute, an hour. None lifts the limit.
    pub content_limit: Option<(usize, usize)>,
}

impl SandboxConfig {
    /// A free port on this machine, GitHub's limits, and the permissions and events OWP Pool asks for.
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
            permissions: permissions.map(|(name, level)| (name.to_owned(), level.to_owned())).into(),
            events: ["issues", "issue_comment", "pull_request", "repository"].map(str::to_owned).into(),
            single_files: vec![".github/owp.yml".to_owned()],
            requests_per_hour: 5_000,
            content_limit: Some((80, 500)),
        }
    }

    /// The app's other variant: it may read checks and statuses, and hears of them.
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

/// How long [`Sandbox::stop`] waits for answers that are under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// A user and the token to act with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    /// The numeric id.
    pub id: u64,
    /// The login.
    pub login: String,
    /// For `Authorization: Bearer …`.
    pub token: String,
}

/// A handle on a box; clones are handles on the same box.
#[derive(Clone)]
pub struct Sandbox {
    pub(super) inner: Arc<Inner>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a box: it listens and delivers until [`Sandbox::stop`], or until the runtime ends.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the key cannot be made.
    pub async fn start(config: SandboxConfig) -> Result<Self, StartError> {
        let wanted = config.listen;
        let failed = |cause| StartError::Listen { address: wanted.to_string(), cause };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let sandbox = Self::quiet(SandboxConfig { listen: address, ..config })?;
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

    /// A box that neither listens nor delivers on its own: for simulations, with [`Sandbox::router`] and
    /// [`Sandbox::take_deliveries`]. Its deliveries are held from the start.
    ///
    /// # Errors
    /// When the key cannot be made.
    pub fn quiet(config: SandboxConfig) -> Result<Self, StartError> {
        let address = config.listen;
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
        };
        let world = World::new(settings, AppKey::generate()?);
        // Deliveries go where they are sent and nowhere else.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let inner = Arc::new(Inner { world: Mutex::new(world), client });
        inner.world().outbox.held = true;
        Ok(Self { inner, address, stop: CancellationToken::new(), tasks: Arc::default() })
    }

    /// Stops listening and delivering. What was not delivered stays undelivered.
    pub async fn stop(&self) {
        self.stop.cancel();
        let tasks = self.tasks.lock().map(|mut tasks| std::mem::take(&mut *tasks)).unwrap_or_default();
        for mut task in tasks {
            // Connections that idle are closed at once; one that is kept busy is not waited for.
            if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// The HTTP face without a listener. Paths under `/repositories/{id}` work only through a listener.
    pub fn router(&self) -> Router {
        routes::router(self.inner.clone())
    }

    /// Method and path of every call of GitHub's that the box offers.
    #[must_use]
    pub fn endpoints() -> Vec<(&'static str, &'static str)> {
        routes::endpoints()
    }

    /// The base of the REST face.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.inner.world().base.clone()
    }

    /// The app's number.
    #[must_use]
    pub fn app_id(&self) -> u64 {
        self.inner.world().app.id
    }

    /// The login the app comments with.
    #[must_use]
    pub fn bot_login(&self) -> String {
        let world = self.inner.world();
        world.login(world.app.bot).to_owned()
    }

    /// The app's private key, PKCS#1 PEM as GitHub hands it out.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.inner.world().key.private_pem.clone()
    }

    /// What deliveries are signed with; empty when they are not.
    #[must_use]
    pub fn webhook_secret(&self) -> String {
        self.inner.world().outbox.hook.secret.clone().unwrap_or_default()
    }

    /// Where deliveries go from now on.
    pub fn set_webhook_url(&self, url: &str) {
        self.inner.world().outbox.hook.url = Some(url.to_owned());
    }

    /// What deliveries are signed with from now on.
    pub fn set_webhook_secret(&self, secret: &str) {
        self.inner.world().outbox.hook.secret = Some(secret.to_owned());
    }

    /// A person, made when the login is new.
    pub fn add_user(&self, login: &str) -> UserRef {
        self.account(login, UserKind::User)
    }

    /// A bot account, such as another app's or an agent's.
    pub fn add_bot(&self, login: &str) -> UserRef {
        self.account(login, UserKind::Bot)
    }

    fn account(&self, login: &str, kind: UserKind) -> UserRef {
        let mut world = self.inner.world();
        let id = world.user_named(login, kind);
        UserRef { id, login: world.login(id).to_owned(), token: world.user_token(id) }
    }

    /// Makes a public repository; its id. An owner nobody knows becomes an organization.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn add_repo(&self, full_name: &str) -> Result<u64, ApiError> {
        self.inner.world().add_repo(full_name, false)
    }

    /// Gives a person a role, without anybody's leave.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn add_collaborator(&self, repo: &str, login: &str, role: Role) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let (repo, user) = (world.repo_of(repo)?, world.user_named(login, UserKind::User));
        world.set_role(repo, user, Some(role))
    }

    /// Takes a person's role away.
    ///
    /// # Errors
    /// When there is no such repository or person.
    pub fn remove_collaborator(&self, repo: &str, login: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let (repo, user) = (world.repo_of(repo)?, world.user_by_login(login)?);
        world.set_role(repo, user, None)
    }

    /// Gives a person a new login.
    ///
    /// # Errors
    /// When there is no such person, or the new login is taken.
    pub fn rename_user(&self, login: &str, new: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let user = world.user_by_login(login)?;
        world.rename_user(user, new)
    }

    /// Deletes an account; what it wrote shows `user: null`.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn vanish_user(&self, login: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let user = world.user_by_login(login)?;
        world.vanish(user)
    }

    /// Puts a file on the default branch, such as `.github/owp.yml`, without anybody's leave.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn set_file(&self, repo: &str, path: &str, text: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.repo_mut(repo)?.files.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    /// Takes a file off the default branch, without anybody's leave.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn remove_file(&self, repo: &str, path: &str) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.repo_mut(repo)?.files.remove(path);
        Ok(())
    }

    /// Acts as this person.
    #[must_use]
    pub fn as_user(&self, login: &str) -> Person {
        Person { sandbox: self.clone(), login: login.to_owned() }
    }
}
