//! A pool without an App beside a box, and somebody who sets it up.

use crate::setup::browser::{Browser, Page};
use crate::support::database::{Db, TestDatabase};
use crate::support::github::sandbox;
use owp::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::{Clock, Entropy};
use owp_engine::{Settings, SetupSettings};
use owp_sandbox::{Role, Sandbox};
use owp_store::{Store, StoreOptions};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) const TOKEN: &str = "the-token-of-the-log";
pub(crate) const REPO: &str = "acme/rocket";

pub(crate) struct Stage {
    pub github: Sandbox,
    pub running: Running,
    pub clock: Clock,
    pub browser: Browser,
    pub file: PathBuf,
    _folder: tempfile::TempDir,
    _database: TestDatabase,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with_file("app.json").await
    }

    /// The pool's GitHub is github.com, which is never called: the box stands beside it unused.
    pub(crate) async fn of_public_github() -> Self {
        Self::with("app.json", Some("https://api.github.com")).await
    }

    /// The credentials go to this file in a folder of the test.
    pub(crate) async fn with_file(name: &str) -> Self {
        Self::with(name, None).await
    }

    async fn with(name: &str, api_url: Option<&str>) -> Self {
        let clock = Clock::manual(Clock::System.now_ms());
        let boxed = clock.clone();
        let github = Sandbox::start(sandbox(move || boxed.now_ms())).await.unwrap();
        github.add_user("olga");
        github.add_repo(REPO).unwrap();
        github.add_collaborator(REPO, "mona", Role::Admin).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        let database = TestDatabase::make(Db::Sqlite).await;
        let options = StoreOptions { url: database.url.clone(), clock: clock.clone(), entropy: Entropy::system() };
        let setup = SetupSettings {
            api_url: api_url.map_or_else(|| github.api_url(), str::to_owned),
            credentials_file: file.clone(),
            token: TOKEN.to_owned().into(),
        };
        let running = start(ServeOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: Store::open(options).await.unwrap(),
            github: None,
            settings: Settings { setup: Some(setup), ..Settings::default() },
            admin_token: None,
            demo: None,
        });
        let running = running.await.unwrap();
        Self { github, running, clock, browser: Browser::new(), file, _folder: folder, _database: database }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    /// Fills the first form in, with more fields or others.
    pub(crate) async fn begin_in(&self, browser: &Browser, more: &[(&str, &str)]) -> Page {
        let address = self.running.url();
        let mut fields = vec![("token", TOKEN), ("address", address.as_str()), ("owner", "personal")];
        fields.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        fields.extend(more);
        browser.post(&self.url("/setup"), &fields).await
    }

    pub(crate) async fn begin(&self, more: &[(&str, &str)]) -> Page {
        self.begin_in(&self.browser, more).await
    }

    /// Presses the button of the second page; where GitHub sends the browser.
    pub(crate) async fn register(&self, page: &Page) -> String {
        assert_eq!(page.status, 200, "{}", page.text);
        let (action, fields) = page.form();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.browser.post(&action, &fields).await;
        answer.location.unwrap_or_else(|| panic!("{} {}", answer.status, answer.text))
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !so().await {
            assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
