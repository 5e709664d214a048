//! A stage for stories: a sandbox GitHub, an engine over a database, a clock that stands still until it is moved,
//! and `settle`, which runs every step until nothing is left to do.

use crate::support::database::{Db, TestDatabase};
use crate::support::github::sandbox;
use owp_base::clock::{Clock, Entropy};
use owp_engine::{Engine, GitHubSide, Report, ReportedStatus, Settings};
use owp_github::client::{GitHub, GitHubConfig};
use owp_pool::task::Task;
use owp_pool::worker::Worker;
use owp_pool::{Span, WorkerId};
use owp_sandbox::{PrSpec, Role, Sandbox, SandboxConfig, WebhookRequest};
use owp_store::{Store, StoreOptions};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const REPO: &str = "acme/rocket";
/// Stories move the clock by days at once while the engine runs, which it could not tell from having been away. Those
/// about time in which nothing ran say otherwise.
const NEVER_AWAY: Span = Span::days(10_000);
/// Longest step of the clock between two looks at whether something is due.
const LONGEST_WAIT: Span = Span::secs(16);
/// Saturday, 21 November 2026, 03:09 UTC.
const START: i64 = 1_795_230_540_000;

/// The next step of the clock while nothing is due: a second at first, then ever longer ones, because looking in vain is
/// most of what a long wait would cost.
pub(crate) struct Wait(Span);

impl Wait {
    pub(crate) const SHORT: Self = Self(Span::secs(1));

    pub(crate) fn pass(&mut self, w: &World) {
        w.advance(self.0);
        self.0 = Span((self.0.0 * 2).min(LONGEST_WAIT.0));
    }
}

pub(crate) struct World {
    pub github: Sandbox,
    pub engine: Engine,
    pub clock: Clock,
    settings: Settings,
    database: TestDatabase,
    _planner: Planner,
}

/// A world in which nobody runs the pool.
pub(crate) struct Stopped {
    pub github: Sandbox,
    pub clock: Clock,
    settings: Settings,
    database: TestDatabase,
}

impl Stopped {
    /// A process starts on the database there is. It has not done anything yet.
    pub(crate) async fn start(self) -> World {
        let Self { github, clock, settings, database } = self;
        // The lanes hold the database until they notice that nobody can ask any more.
        let (engine, planner) = loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if let Some(started) = try_start_engine(&github, &database.url, &clock, &settings).await {
                break started;
            }
        };
        World { github, engine, clock, settings, database, _planner: planner }
    }
}

/// The loop that plans pulls; ends with the world.
struct Planner(tokio::task::JoinHandle<()>);

impl Drop for Planner {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// A repository `acme/rocket` with the App installed, the maintainer `mona`, the triager `tri`, and the people
    /// `ada`, `bo`, `cy` and `eve`, of whom the pool knows nothing. Counted and ready.
    pub(crate) async fn new(db: Db) -> Self {
        Self::with(db, Settings { downtime_after: NEVER_AWAY, ..Settings::default() }).await
    }

    /// As [`World::new`], with an engine that is set so.
    pub(crate) async fn with(db: Db, settings: Settings) -> Self {
        let world = Self::not_started(db, settings, |config| config).await;
        world.engine.intake().step_installations().await.unwrap();
        world.settle().await;
        world
    }

    /// As [`World::new`], with so many requests an hour.
    pub(crate) async fn with_quota(db: Db, requests_per_hour: u64) -> Self {
        let settings = Settings { downtime_after: NEVER_AWAY, ..Settings::default() };
        let world = Self::not_started(db, settings, |config| SandboxConfig { requests_per_hour, ..config }).await;
        world.engine.intake().step_installations().await.unwrap();
        world.settle().await;
        world
    }

    /// As [`World::new`], with an App that may read checks and statuses, and hears of them.
    pub(crate) async fn with_checks(db: Db) -> Self {
        let settings = Settings { downtime_after: NEVER_AWAY, ..Settings::default() };
        let world = Self::not_started(db, settings, SandboxConfig::with_checks).await;
        world.engine.intake().step_installations().await.unwrap();
        world.settle().await;
        world
    }

    /// As [`World::new`], with repositories that can be cloned and pushed to; they are kept in this new folder.
    pub(crate) async fn with_git(db: Db, folder: std::path::PathBuf) -> Self {
        let settings = Settings { downtime_after: NEVER_AWAY, ..Settings::default() };
        let world = Self::not_started(db, settings, |config| SandboxConfig { git: Some(folder), ..config }).await;
        world.engine.intake().step_installations().await.unwrap();
        world.settle().await;
        world
    }

    /// As [`World::new`], before the engine looked at GitHub for the first time.
    pub(crate) async fn before_start(db: Db) -> Self {
        Self::not_started(db, Settings { downtime_after: NEVER_AWAY, ..Settings::default() }, |config| config).await
    }

    async fn not_started(db: Db, settings: Settings, change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        let clock = Clock::manual(START);
        let shared = clock.clone();
        let mut config = change(sandbox(move || shared.now_ms()));
        config.content_limit = None;
        let github = Sandbox::start(config).await.unwrap();
        github.hold_deliveries();
        github.add_repo(REPO).unwrap();
        for login in ["mona", "tri", "ada", "bo", "cy", "eve"] {
            github.add_user(login);
        }
        github.add_collaborator(REPO, "mona", Role::Admin).unwrap();
        github.add_collaborator(REPO, "tri", Role::Triage).unwrap();
        github.install(&[REPO]).unwrap();
        github.take_deliveries();
        let database = TestDatabase::make(db).await;
        let (engine, planner) = start_engine(&github, &database.url, &clock, &settings).await;
        Self { github, engine, clock, settings, database, _planner: planner }
    }

    /// The process dies and comes back: everything in memory is gone, the database stays.
    pub(crate) async fn restart(self) -> Self {
        self.away(Span::default()).await
    }

    /// The process dies, comes back after a while, and has not done anything yet.
    pub(crate) async fn away(self, span: Span) -> Self {
        let stopped = self.stop();
        stopped.clock.advance_ms(span.0);
        stopped.start().await
    }

    /// The process dies; GitHub and its people go on.
    pub(crate) fn stop(self) -> Stopped {
        let Self { github, engine, clock, settings, database, _planner: planner } = self;
        drop(planner);
        drop(engine);
        Stopped { github, clock, settings, database }
    }

    pub(crate) fn store(&self) -> &Store {
        self.engine.store()
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    pub(crate) fn advance(&self, span: Span) {
        self.clock.advance_ms(span.0);
    }

    /// Time passes while the process runs: its timers get their turn often enough to know that it does.
    pub(crate) async fn run_for(&self, span: Span) {
        let step = Span((self.settings.downtime_after.0 * 3 / 4).min(span.0));
        let until = self.clock.now_ms() + span.0;
        while self.clock.now_ms() < until {
            self.advance(Span(step.0.min(until - self.clock.now_ms())));
            while self.engine.scheduler().step_expiry().await.unwrap() {}
        }
        self.settle().await;
    }

    /// Brings what GitHub has queued to the door. Panics when a delivery is turned away.
    pub(crate) async fn receive(&self) -> usize {
        let webhooks = self.github.take_deliveries();
        for webhook in &webhooks {
            self.accept(webhook).await;
        }
        webhooks.len()
    }

    /// Brings one delivery to the door. Panics when it is turned away.
    pub(crate) async fn accept(&self, webhook: &WebhookRequest) {
        let header = |name: &str| {
            webhook.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        self.engine
            .intake()
            .accept_delivery(
                header("X-GitHub-Delivery").unwrap(),
                header("X-GitHub-Event").unwrap(),
                header("Content-Type"),
                header("X-Hub-Signature-256"),
                &webhook.body,
            )
            .await
            .unwrap();
    }

    /// Runs every step until nothing is left to do, moving the clock only as far as writes must be spaced.
    pub(crate) async fn settle(&self) {
        let mut wait = Wait::SHORT;
        for _ in 0..2_000 {
            let mut busy = self.receive().await > 0;
            busy |= self.engine.intake().step_inbox().await.unwrap();
            busy |= self.engine.reconciler().step_watch().await.unwrap();
            busy |= self.engine.reconciler().step_sync().await.unwrap();
            busy |= self.engine.intake().step_missed().await.unwrap();
            busy |= self.engine.scheduler().step_expiry().await.unwrap();
            busy |= self.engine.comments().step_sender().await.unwrap();
            busy |= self.engine.feed().step_feed().await.unwrap();
            if busy {
                wait = Wait::SHORT;
            } else if self.open_comments().await + self.wanted_redeliveries().await == 0 {
                return;
            } else {
                wait.pass(self);
            }
        }
        let open = self.open_comments().await;
        panic!("the world does not come to rest: {open} comments wait");
    }

    async fn open_comments(&self) -> i64 {
        self.store().read(|tx| Box::pin(async move { tx.comments().count_open().await })).await.unwrap()
    }

    async fn wanted_redeliveries(&self) -> i64 {
        self.store().read(|tx| Box::pin(async move { tx.redeliveries().count_wanted().await })).await.unwrap()
    }

    /// Opens an issue as the maintainer, labels it, and lets the pool see it.
    pub(crate) async fn task(&self, title: &str, labels: &[&str]) -> u64 {
        let number = self.github.as_user("mona").open_issue(REPO, title, "Please.", &[]).unwrap();
        self.github.as_user("mona").label_all(REPO, number, &[&["pool:ready"], labels].concat()).unwrap();
        self.settle().await;
        number
    }

    pub(crate) async fn say(&self, login: &str, issue: u64, body: &str) {
        self.github.as_user(login).comment(REPO, issue, body).unwrap();
        self.settle().await;
    }

    pub(crate) async fn open_pr(&self, login: &str, issue: u64) -> u64 {
        self.open_pr_with(login, &format!("Fixes #{issue}"), false).await
    }

    pub(crate) async fn open_pr_with(&self, login: &str, body: &str, draft: bool) -> u64 {
        let head = format!("{login}-{}", self.github.requests().len());
        let spec = PrSpec { head, title: "Work".into(), body: body.into(), draft, ..PrSpec::default() };
        let number = self.github.as_user(login).open_pr(REPO, spec).unwrap();
        self.settle().await;
        number
    }

    pub(crate) async fn merge(&self, number: u64) {
        self.github.as_user("mona").merge(REPO, number).unwrap();
        self.settle().await;
    }

    /// Returns our App's comments on an issue, oldest first.
    pub(crate) fn ours(&self, issue: u64) -> Vec<String> {
        self.github.comments(REPO, issue).into_iter().filter(|c| c.via_app).map(|c| c.body).collect()
    }

    pub(crate) async fn task_of(&self, issue: u64) -> Option<Task> {
        let issue = i64::try_from(issue).unwrap();
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let repo = tx.repos().by_name(REPO).await?.unwrap();
                    tx.tasks().by_issue(&repo.id, issue).await
                })
            })
            .await
            .unwrap()
    }

    /// The state of an issue's task; `none` when it has none.
    pub(crate) async fn state(&self, issue: u64) -> &'static str {
        self.task_of(issue).await.map_or("none", |task| task.state.name())
    }

    /// Registers a client for `login` and links it by a comment on `issue`.
    pub(crate) async fn client(&self, login: &str, issue: u64, skills: &[&str]) -> WorkerId {
        let registered = self
            .engine
            .workers()
            .register(owp_engine::Registration {
                name: format!("{login}'s client"),
                github_handle: Some(login.to_owned()),
                skills: skills.iter().map(|s| (*s).to_owned()).collect(),
                capacity: 5,
                max_concurrent: 2,
                capabilities: owp_pool::worker::Capabilities::default(),
                extra: owp_store::Extra::new(),
            })
            .await
            .unwrap();
        let code = registered.link.unwrap().code;
        let code = secrecy::ExposeSecret::expose_secret(&code).to_owned();
        self.say(login, issue, &format!("/owp link {code}")).await;
        registered.worker
    }

    /// A worker as it is stored.
    pub(crate) async fn worker(&self, id: &WorkerId) -> Worker {
        let id = id.clone();
        self.store().read(move |tx| Box::pin(async move { tx.workers().get(&id).await })).await.unwrap().unwrap()
    }

    /// Every chain verifies, the feed holds every event of them once and in order, and the only writes GitHub ever saw are
    /// comments, tokens, requests to repeat a delivery, and one question.
    pub(crate) async fn check_promises(&self) {
        while self.engine.feed().step_feed().await.unwrap() {}
        self.store()
            .read(|tx| {
                Box::pin(async move {
                    let mut events = tx.audit().verify(owp_store::GLOBAL_CHAIN).await?;
                    for repo in tx.repos().list().await? {
                        events += tx.audit().verify(repo.id.as_str()).await?;
                    }
                    let (feed, mut chains) = (tx.feed().page(0, i64::MAX).await?, BTreeMap::new());
                    assert_eq!(feed.len(), events);
                    for (place, (row, _)) in (1..).zip(&feed) {
                        let before = chains.insert(&row.chain, row.event.seq).unwrap_or(0);
                        assert_eq!((row.feed, row.event.seq), (place, before + 1));
                    }
                    Ok::<_, owp_store::StoreError>(())
                })
            })
            .await
            .unwrap();
        let allowed = [
            ("POST", "/app/installations/{installation_id}/access_tokens"),
            ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
            ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}"),
            ("POST", "/app/hook/deliveries/{delivery_id}/attempts"),
            // A read, although GitHub takes it by POST.
            ("POST", "/graphql"),
        ];
        for request in self.github.requests().iter().filter(|r| r.method != "GET") {
            let call = (request.method.as_str(), request.route.as_str());
            assert!(allowed.contains(&call), "the App must never do this: {call:?}");
        }
    }
}

/// Builds the report of a worker that opened a pull request in the main repository.
pub(crate) fn opened(pull: u64) -> Report {
    Report {
        status: ReportedStatus::PrOpened,
        message: None,
        lease: None,
        pr_url: Some(format!("https://github.com/{REPO}/pull/{pull}")),
        commit_sha: None,
        patch_url: None,
    }
}

async fn start_engine(github: &Sandbox, url: &str, clock: &Clock, settings: &Settings) -> (Engine, Planner) {
    try_start_engine(github, url, clock, settings).await.expect("the database is free")
}

async fn try_start_engine(
    github: &Sandbox,
    url: &str,
    clock: &Clock,
    settings: &Settings,
) -> Option<(Engine, Planner)> {
    let options = StoreOptions { url: url.to_owned(), clock: clock.clone(), entropy: Entropy::system() };
    let store = Store::open(options).await.ok()?;
    let app_id = i64::try_from(github.app_id()).unwrap();
    let client = GitHub::new(GitHubConfig {
        api_url: github.api_url(),
        app_id,
        private_key_pem: SecretString::from(github.private_key_pem()),
        timeout: Duration::from_secs(5),
        clock: clock.clone(),
    })
    .unwrap();
    let webhook_secrets = vec![SecretString::from(github.webhook_secret())];
    let side = GitHubSide { client, app_id, webhook_secrets, sign_in: None };
    let (engine, mut pulls) = Engine::new(store, Some(side), settings.clone());
    engine.recover().await.unwrap();
    let planner = tokio::spawn({
        let engine = engine.clone();
        async move { while engine.scheduler().step_schedule(&mut pulls).await {} }
    });
    Some((engine, Planner(planner)))
}
