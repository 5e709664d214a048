//! The whole server over a database, with a box as its GitHub, and what can be seen of it from both sides.

use crate::support::database::{Db, TestDatabase};
use crate::support::github::sandbox;
use owp::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::{Clock, Entropy};
use owp_engine::{GitHubSide, Settings};
use owp_github::client::{GitHub, GitHubConfig};
use owp_github::signature::sign;
use owp_pool::Span;
use owp_sandbox::{PrSpec, Role, Sandbox, UserRef};
use owp_store::{Store, StoreOptions};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::any::AnyPoolOptions;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(crate) const REPO: &str = "acme/rocket";
/// GitHub sends nothing larger.
pub(crate) const MAX_BYTES: usize = 25 * 1024 * 1024;
/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(90);
/// Every table a delivery could put something into, but the inbox.
const TABLES: [&str; 13] = [
    "installations",
    "repositories",
    "people",
    "trust",
    "workers",
    "tasks",
    "leases",
    "area_holds",
    "pulls",
    "pull_links",
    "commands_done",
    "wanted_comments",
    "events",
];

pub(crate) struct Server {
    pub github: Sandbox,
    pub repo_id: u64,
    pub installation: u64,
    /// A labelled issue, ready to be claimed.
    pub issue: u64,
    /// An open pull request that names no issue.
    pub pull: u64,
    running: Running,
    store: Store,
    rows: sqlx::AnyPool,
    client: reqwest::Client,
    people: BTreeMap<&'static str, UserRef>,
    _database: TestDatabase,
}

/// State of the pool: its repositories with their service state, and the row count of every table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub repos: Vec<(String, bool)>,
    rows: BTreeMap<&'static str, i64>,
}

impl Server {
    /// A server with the App on one repository, which was counted and whose one labelled issue is a task.
    pub(crate) async fn start(db: Db) -> Self {
        let github = Sandbox::start(sandbox(|| Clock::System.now_ms())).await.unwrap();
        let repo_id = github.add_repo(REPO).unwrap();
        let people = BTreeMap::from(["mona", "bo"].map(|login| (login, github.add_user(login))));
        github.add_collaborator(REPO, "mona", Role::Admin).unwrap();
        let installation = github.install(&[REPO]).unwrap();
        let mona = github.as_user("mona");
        let issue = mona.open_issue(REPO, "Fuel gauge sticks", "Please.", &[]).unwrap();
        mona.label(REPO, issue, "pool:ready").unwrap();
        let spec = PrSpec { head: "bo-tidies".into(), title: "Tidy up".into(), ..PrSpec::default() };
        let pull = github.as_user("bo").open_pr(REPO, spec).unwrap();

        let database = TestDatabase::make(db).await;
        let options = StoreOptions { url: database.url.clone(), clock: Clock::System, entropy: Entropy::system() };
        let store = Store::open(options).await.unwrap();
        let (store_of_server, side) = (store.clone(), side(&github));
        let options = ServeOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: store_of_server,
            github: Some(side),
            settings: Settings { comment_spacing: Span(5), ..Settings::default() },
            admin_token: None,
            demo: None,
        };
        let running = start(options).await.unwrap();
        let rows = AnyPoolOptions::new().max_connections(1).connect(&database.url).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let server = Self {
            github,
            repo_id,
            installation,
            issue,
            pull,
            running,
            store,
            rows,
            client,
            people,
            _database: database,
        };
        server.until(|server| Box::pin(async { server.task().await.is_some() && server.counted().await })).await;
        server
    }

    /// Posts a signed delivery; gives the status and the answer.
    pub(crate) async fn deliver(&self, id: &str, event: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
        let signature = sign(&SecretString::from(self.github.webhook_secret()), body);
        let call = self
            .client
            .post(format!("{}/github/webhooks", self.running.url()))
            .header("X-GitHub-Delivery", id)
            .header("X-GitHub-Event", event)
            .header("X-Hub-Signature-256", signature)
            .header("Content-Type", content_type);
        let answer = call.body(body.to_vec()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// A new comment of a person on the labelled issue, as GitHub tells it.
    pub(crate) fn comment_delivery(&self, login: &str, body: &str) -> Vec<u8> {
        // An old comment would be looked up before it is obeyed, and this one is nowhere to be found.
        let now = Self::now();
        let user = json!({ "id": self.people[login].id, "login": login, "type": "User" });
        json!({
            "action": "created",
            "issue": { "number": self.issue },
            "comment": { "id": 4_711, "body": body, "user": user, "created_at": now },
            "repository": { "id": self.repo_id, "full_name": REPO, "private": false },
            "installation": { "id": self.installation },
            "sender": user,
        })
        .to_string()
        .into_bytes()
    }

    /// This moment, as GitHub writes it.
    pub(crate) fn now() -> String {
        owp_pool::Timestamp(owp_base::clock::Clock::System.now_ms()).rfc3339()
    }

    /// The delivery as a webhook of content type `application/x-www-form-urlencoded` carries it.
    pub(crate) fn in_a_form(json: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(json).unwrap();
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", text).finish().into_bytes()
    }

    /// Waits until no delivery and no comment waits any more.
    pub(crate) async fn until_settled(&self) {
        self.until(|server| {
            Box::pin(async {
                let open = server.store.read(|tx| {
                    Box::pin(async move {
                        Ok::<_, owp_store::StoreError>(
                            tx.deliveries().count_pending().await? + tx.comments().count_open().await?,
                        )
                    })
                });
                open.await.unwrap() == 0
            })
        })
        .await;
        let given_up = self.number("SELECT COUNT(*) FROM wanted_comments WHERE state = 'dead'").await;
        assert_eq!(given_up, 0, "no comment is given up");
    }

    async fn until(&self, settled: impl for<'s> Fn(&'s Self) -> futures_util::future::BoxFuture<'s, bool>) {
        let began = Instant::now();
        while !settled(self).await {
            if began.elapsed() > PATIENCE {
                panic!("this does not come to rest: {:?} {:?}", self.waiting().await, self.picture().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns stuck deliveries with their errors.
    async fn waiting(&self) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT id, state, COALESCE(error, '') FROM deliveries WHERE state <> 'done'")
            .fetch_all(&self.rows)
            .await
            .unwrap()
    }

    /// Counts deliveries by outcome.
    pub(crate) async fn deliveries(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT state, COUNT(*) FROM deliveries GROUP BY state")
            .fetch_all(&self.rows)
            .await
            .unwrap();
        rows.into_iter().collect()
    }

    /// The labelled issue's task: its state and how often it was granted.
    pub(crate) async fn task(&self) -> Option<(String, i64)> {
        let issue = i64::try_from(self.issue).unwrap();
        let task = "SELECT state, epoch FROM tasks WHERE issue = $1";
        sqlx::query_as(task).bind(issue).fetch_optional(&self.rows).await.unwrap()
    }

    async fn counted(&self) -> bool {
        self.number("SELECT COUNT(*) FROM repositories WHERE counted_at IS NOT NULL").await == 1
            && self.number("SELECT COUNT(*) FROM pulls").await == 1
    }

    /// Everything the pool knows but the inbox.
    pub(crate) async fn picture(&self) -> Picture {
        let repos = self.store.read(|tx| Box::pin(async move { tx.repos().list().await })).await.unwrap();
        let repos = repos.into_iter().map(|row| (row.name, row.inactive.is_none())).collect();
        let mut rows = BTreeMap::new();
        for table in TABLES {
            rows.insert(table, self.number(&format!("SELECT COUNT(*) FROM {table}")).await);
        }
        Picture { repos, rows }
    }

    async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.rows).await.unwrap()
    }

    /// Counts the App's calls to GitHub.
    pub(crate) fn asked_of_github(&self) -> usize {
        self.github.requests().iter().filter(|request| request.by_app()).count()
    }

    /// The App wrote so many comments, and nothing else but tokens.
    pub(crate) fn check_writes(&self, comments: usize) {
        let requests = self.github.requests();
        let routes: Vec<&str> =
            requests.iter().filter(|r| r.is_write() && r.by_app()).map(|r| r.route.as_str()).collect();
        let written = routes.iter().filter(|route| route.ends_with("/issues/{issue_number}/comments")).count();
        assert_eq!(written, comments, "{routes:?}");
        let harmless = ["/issues/{issue_number}/comments", "/issues/comments/{comment_id}", "/access_tokens"];
        assert!(routes.iter().all(|route| harmless.iter().any(|end| route.ends_with(end))), "{routes:?}");
    }

    /// A stop that takes longer than it may would say that a loop hangs.
    pub(crate) async fn stop(self) {
        let stopped = tokio::time::timeout(Duration::from_secs(9), self.running.stop()).await;
        assert!(stopped.is_ok(), "the server does not stop");
    }
}

fn side(github: &Sandbox) -> GitHubSide {
    let app_id = i64::try_from(github.app_id()).unwrap();
    let client = GitHub::new(GitHubConfig {
        api_url: github.api_url(),
        app_id,
        private_key_pem: SecretString::from(github.private_key_pem()),
        timeout: Duration::from_secs(10),
        clock: Clock::System,
    });
    let webhook_secrets = vec![SecretString::from(github.webhook_secret())];
    GitHubSide { client: client.unwrap(), app_id, webhook_secrets, sign_in: None }
}
