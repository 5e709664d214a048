//! The demo's environment: the sandbox with its issues, the service, and statistics.

use super::backlog::{Idea, OpenIssue};
use super::clients::{Habit, Member};
use super::controls::Controls;
use crate::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::{Clock, Entropy};
use owp_engine::{GitHubSide, Settings, WriteQuota};
use owp_github::client::{Address, GitHub, GitHubConfig, SignIn};
use owp_github::manifest::sign_in_url;
use owp_github::render::find_key;
use owp_pool::Span;
use owp_pool::task::TaskState;
use owp_sandbox::{PrSpec, Role, Sandbox, SandboxConfig};
use owp_store::{Store, StoreOptions, transaction};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) const REPOS: [&str; 2] = ["acme/rocket", "acme/docs"];
pub(super) const MAINTAINER: &str = "mona";
/// Contributors with an OWP client. The viewer can stop the first one's worker.
pub(super) const CLIENTS: [Member; 4] = [
    Member { login: "cleo", skills: &["rust", "sql"], habit: Habit::Accepts },
    Member { login: "dmitri", skills: &["docs", "rust"], habit: Habit::Declines },
    Member { login: "esi", skills: &["docs", "sql", "ui"], habit: Habit::Accepts },
    Member { login: "fay", skills: &["docs", "rust"], habit: Habit::Dies },
];
/// Contributors who comment, and the skills they join with.
pub(super) const PEOPLE: [(&str, &[&str]); 2] = [("ada", &["rust", "ui"]), ("bo", &["docs", "ui"])];
/// The review budget the maintainer sets in each repository.
pub(super) const BUDGET: usize = 3;
/// The policy file of both repositories: times so short that a viewer sees them run out, an area lock that lasts until the
/// merge, and quotas that let newcomers fill the review budget.
const POLICY: &str = "version: 1
leases: { ttl: 1m, claim_ttl: 1h, ack_within: 5s }
claims: { newcomers_total: 6, cooldown: 0s }
area_locks: { until: merged }
";

/// Number of latest issues searched for refusals.
const WATCHED: usize = 40;

/// The sandbox, the service, and the statistics.
pub(super) struct Stage {
    pub github: Sandbox,
    pub store: Store,
    pub url: String,
    /// The buttons of the dashboard.
    pub controls: Arc<Controls>,
    running: tokio::sync::Mutex<Option<Running>>,
    _folder: tempfile::TempDir,
    /// The maintainer's token, for viewers who take part.
    pub maintainer_token: String,
    clock: Clock,
    began: i64,
    open_most: AtomicUsize,
    watched: Mutex<VecDeque<(&'static str, u64)>>,
}

impl Stage {
    pub(super) async fn build(listen: SocketAddr) -> Result<Self, String> {
        let clock = Clock::System;
        let (github, maintainer_token) = open_box(&clock).await?;
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let url = format!("sqlite:{}", folder.path().join("demo.db").display());
        let store = Store::open(StoreOptions { url, clock: clock.clone(), entropy: Entropy::system() })
            .await
            .map_err(|e| e.to_string())?;
        let controls = Arc::new(Controls::new(github.clone(), store.clone()));
        let running = start(ServeOptions {
            listen,
            store: store.clone(),
            github: Some(github_side(&github, &clock)?),
            // GitHub wants a second between comments; the sandbox does not, and a demo should be quick.
            settings: Settings {
                comment_spacing: Span(150),
                comment_quota: WriteQuota { hourly: i64::from(i32::MAX), reserve: 0 },
                count_every: Span::secs(3),
                compare_every: Span::secs(30),
                sample_every: Span::secs(5),
                ..Settings::default()
            },
            admin_token: None,
            demo: Some(Arc::<Controls>::clone(&controls)),
        })
        .await
        .map_err(|e| e.to_string())?;
        let url = format!("http://{}", running.address());
        github.set_webhook_url(&format!("{url}/github/webhooks"));
        github.set_callback_urls(&[sign_in_url(&url)]);
        let began = clock.now_ms();
        let running = tokio::sync::Mutex::new(Some(running));
        Ok(Self {
            github,
            store,
            url,
            controls,
            running,
            _folder: folder,
            maintainer_token,
            clock,
            began,
            open_most: AtomicUsize::new(0),
            watched: Mutex::default(),
        })
    }

    pub(super) fn seconds(&self) -> f64 {
        let tenths = (self.clock.now_ms() - self.began) / 100;
        f64::from(i32::try_from(tenths).unwrap_or(i32::MAX)) / 10.0
    }

    /// Opens an issue without labels: the maintainer sets them later.
    pub(super) fn open_issue(&self, idea: &Idea) -> Result<OpenIssue, String> {
        let repo = REPOS[idea.repo];
        let body = format!("{}. Somebody will be glad about this.", idea.title);
        let number = self.github.as_user(MAINTAINER).open_issue(repo, &idea.title, &body, &[]);
        let number = number.map_err(|e| e.to_string())?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push_back((repo, number));
        if watched.len() > WATCHED {
            watched.pop_front();
        }
        Ok(OpenIssue { repo, number, labels: idea.labels.clone() })
    }

    /// Returns the number of ready tasks in all repositories.
    pub(super) async fn waiting(&self) -> usize {
        self.tasks_in(TaskState::Ready).await
    }

    /// Opens a pull request for an issue, and updates the maximum number open at once.
    pub(super) fn open_pull(&self, login: &str, repo: &str, issue: i64, title: &str) -> Result<u64, String> {
        let spec = PrSpec {
            head: owp_pool::branch::BranchTemplate::default().name(issue, title),
            title: title.to_owned(),
            body: format!("What the issue asks for, with a test.\n\nFixes #{issue}"),
            ..PrSpec::default()
        };
        let number = self.github.as_user(login).open_pr(repo, spec).map_err(|e| e.to_string())?;
        self.open_most.fetch_max(self.github.open_pulls(repo).len(), Ordering::SeqCst);
        Ok(number)
    }

    /// Returns the number of merged tasks, as the pool sees it.
    pub(super) async fn merged(&self) -> usize {
        self.tasks_in(TaskState::Merged).await
    }

    async fn tasks_in(&self, state: TaskState) -> usize {
        let counts = self.store.read(transaction!(|tx| tx.tasks().count_by_state().await)).await;
        let count = |counts: Vec<(TaskState, i64)>| counts.into_iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| n);
        usize::try_from(counts.map_or(0, count)).unwrap_or(0)
    }

    /// Returns the refusals on the latest issues: issue, contributor, first reason.
    pub(super) fn refusals(&self) -> Vec<(String, String)> {
        let mut refusals = Vec::new();
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (repo, number) in watched {
            for comment in self.github.comments(repo, number).into_iter().filter(|c| c.via_app) {
                if find_key(&comment.body).is_some_and(|key| key.starts_with("refusal:")) {
                    let why = comment.body.lines().find(|line| line.starts_with("- ")).unwrap_or_default();
                    let who = comment.body.split('@').nth(1).and_then(|rest| rest.split(',').next());
                    // Cuts the machine-readable part behind the sentence.
                    let why = why.trim_start_matches("- ").split(" <sub>").next().unwrap_or_default();
                    // A refusal that no longer holds is edited, and has no reason any more.
                    if !why.is_empty() {
                        let text = format!("{} is refused: {why}", who.unwrap_or_default());
                        refusals.push((format!("{repo} #{number}"), text));
                    }
                }
            }
        }
        refusals
    }

    /// Returns the statistics for the JSON line, without the duration.
    pub(super) async fn figures(&self) -> Value {
        let requests = self.github.requests();
        let comments =
            requests.iter().filter(|r| r.method == "POST" && r.status == 201 && r.route.ends_with("/comments")).count();
        json!({
            "merged": self.merged().await,
            "open_prs_max": self.open_most.load(Ordering::SeqCst),
            "budget": BUDGET,
            "comments": comments,
            "refusals": self.refusals().len(),
        })
    }

    pub(super) async fn end(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
        self.github.stop().await;
    }
}

/// Starts the sandbox with its users and repositories; returns it and the maintainer's token.
async fn open_box(clock: &Clock) -> Result<(Sandbox, String), String> {
    let shared = clock.clone();
    let mut config = SandboxConfig::new(Arc::new(move || shared.now_ms()));
    config.content_limit = None;
    // The demo counts and compares every few seconds, and may run all day.
    config.requests_per_hour = u64::from(u32::MAX);
    let github = Sandbox::start(config).await.map_err(|e| e.to_string())?;
    let everybody = CLIENTS.iter().map(|member| member.login).chain(PEOPLE.iter().map(|(login, _)| *login));
    for login in everybody {
        github.add_user(login);
    }
    let maintainer = github.add_user(MAINTAINER);
    for repo in REPOS {
        github.add_repo(repo).map_err(|e| e.to_string())?;
        github.add_collaborator(repo, MAINTAINER, Role::Maintain).map_err(|e| e.to_string())?;
        github.set_file(repo, ".github/owp.yml", POLICY).map_err(|e| e.to_string())?;
    }
    github.install(&REPOS).map_err(|e| e.to_string())?;
    Ok((github, maintainer.token))
}

fn github_side(github: &Sandbox, clock: &Clock) -> Result<GitHubSide, String> {
    let app_id = i64::try_from(github.app_id()).map_err(|e| e.to_string())?;
    let client = GitHub::new(GitHubConfig {
        api_url: github.api_url(),
        app_id,
        private_key_pem: SecretString::from(github.private_key_pem()),
        timeout: Duration::from_secs(10),
        clock: clock.clone(),
    })
    .map_err(|e| e.to_string())?;
    let (id, secret) = github.oauth_client();
    let address = Address { api_url: github.api_url(), timeout: Duration::from_secs(10), clock: clock.clone() };
    let sign_in = SignIn::new(address, &id, SecretString::from(secret)).map_err(|e| e.to_string())?;
    let webhook_secrets = vec![SecretString::from(github.webhook_secret())];
    Ok(GitHubSide { client, app_id, webhook_secrets, sign_in: Some(sign_in) })
}
