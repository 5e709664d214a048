//! `owp doctor`, the real binary: beside a box, beside a running pool, and on databases in every state it tells of.

use crate::support::database::{Db, TestDatabase};
use crate::support::github::sandbox;
use crate::support::program::{free_port, owp};
use owp_base::clock::{Clock, Entropy};
use owp_sandbox::{Role, Sandbox, SandboxConfig};
use owp_store::{Store, StoreOptions};
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const REPO: &str = "acme/rocket";

/// A box with the App on one repository, and a folder to run the program in.
struct Stage {
    github: Sandbox,
    installation: u64,
    folder: tempfile::TempDir,
}

/// Findings of the doctor.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    findings: Vec<Value>,
    stderr: String,
}

impl Said {
    /// The findings of a level about something, as one text with their remedies.
    fn about(&self, level: &str, about: &str) -> String {
        let found = self.findings.iter().filter(|one| one["level"] == level && one["about"] == about);
        found.map(|one| format!("{} → {}\n", one["finding"], one["remedy"])).collect()
    }

    fn expect(&self, code: i32, level: &str, about: &str, words: &str) {
        assert!(self.about(level, about).contains(words), "no {level} about {about} says {words:?}: {self:#?}");
        assert_eq!(self.code, Some(code), "{self:#?}");
    }

    fn none(&self, level: &str) {
        assert!(self.findings.iter().all(|one| one["level"] != level), "{self:#?}");
    }
}

impl Stage {
    async fn new() -> Self {
        Self::with(|config| config).await
    }

    async fn with(change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        Self::at(0, change).await
    }

    /// A box whose clock is wrong by so much.
    async fn at(wrong_ms: i64, change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        let config = sandbox(move || Clock::System.now_ms() + wrong_ms);
        let github = Sandbox::start(change(config)).await.unwrap();
        github.add_repo(REPO).unwrap();
        github.add_collaborator(REPO, "mona", Role::Admin).unwrap();
        let installation = github.install(&[REPO]).unwrap();
        // Nothing is sent before a test says so.
        github.hold_deliveries();
        github.set_webhook_url(&format!("http://127.0.0.1:{}/github/webhooks", free_port()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), github.private_key_pem()).unwrap();
        Self { github, installation, folder }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GITHUB_API_URL", self.github.api_url()),
            ("GITHUB_APP_ID", self.github.app_id().to_string()),
            ("GITHUB_APP_PRIVATE_KEY_FILE", "key.pem".to_owned()),
            ("GITHUB_WEBHOOK_SECRET", self.github.webhook_secret()),
        ]
    }

    fn doctor(&self) -> Said {
        self.doctor_with(&[], &[])
    }

    /// With variables that replace the stage's, or take one away where they are empty.
    fn doctor_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let args: Vec<&str> = ["doctor", "--json"].iter().chain(args).copied().collect();
        let mut command = owp(&args);
        command.envs(self.variables()).envs(variables.iter().copied()).current_dir(self.folder.path());
        read(&command.output().unwrap())
    }

    /// Sends a delivery about something everybody hears of, and waits for how it goes.
    async fn deliver(&self) {
        self.github.as_user("mona").open_issue(REPO, "Delivered", "", &[]).unwrap();
        self.github.flush().await;
    }
}

fn read(output: &std::process::Output) -> Said {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let findings = told["findings"].as_array().cloned().unwrap_or_default();
    Said { code: output.status.code(), findings, stderr }
}

fn permissions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect()
}

/// A pool that is killed when dropped.
struct Pool(Child);

impl Drop for Pool {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_running_pool_everything_is_as_it_should_be() {
    let stage = Stage::new().await;
    let port = free_port();
    let child = owp(&["serve", "--listen", &format!("127.0.0.1:{port}")])
        .envs(stage.variables())
        .current_dir(stage.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pool = Pool(child);
    stage.github.set_webhook_url(&format!("http://127.0.0.1:{port}/github/webhooks"));
    let began = Instant::now();
    let said = loop {
        stage.deliver().await;
        let said = stage.doctor();
        let well = said.findings.iter().all(|one| one["level"] == "ok");
        if well || began.elapsed() > Duration::from_secs(60) {
            break said;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    said.none("warn");
    said.none("problem");
    assert_eq!(said.code, Some(0));
    for (about, words) in [
        ("clock", "within half a minute"),
        ("credentials", "owp-pool"),
        ("permissions", "checks: no, teams: no"),
        ("installation on acme", "everything"),
        ("webhook", "/github/webhooks"),
        ("deliveries", "arrived 0 min ago"),
        ("database", "journal_mode = wal, synchronous = full"),
        ("process", "a pool serves"),
        ("inbox", "the last delivery came in at"),
        ("repositories", "1 served, 1 known"),
    ] {
        said.expect(0, "ok", about, words);
    }
    let words = owp(&["doctor"]).envs(stage.variables()).current_dir(stage.folder.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&words.stdout).ends_with("\n\nNo problems found.\n"), "{words:?}");

    // Told to stop, it is known to have stopped at once, and not only when it was silent for minutes.
    let mut pool = pool;
    let id = pool.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(pool.0.wait().unwrap().code(), Some(0));
    stage.doctor().expect(0, "warn", "process", "the pool that served this database stopped at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_do_not_fit_are_told_apart_and_never_shown() {
    let stage = Stage::new().await;
    let other = Stage::with(|config| SandboxConfig { seed: 2, private_key: None, ..config }).await;
    let key = other.folder.path().join("key.pem");
    let said = stage.doctor_with(&[], &[("GITHUB_APP_PRIVATE_KEY_FILE", key.to_str().unwrap())]);
    said.expect(1, "problem", "credentials", "does not accept the key");
    stage.doctor_with(&[], &[("GITHUB_APP_ID", "1")]).expect(1, "problem", "credentials", "no App with the id 1");
    let said = stage.doctor_with(&[], &[("GITHUB_APP_PRIVATE_KEY_FILE", ""), ("GITHUB_APP_PRIVATE_KEY", "hush")]);
    said.expect(1, "problem", "credentials", "not an RSA key");
    assert!(!format!("{said:?}").contains("hush"));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    stage.doctor_with(&[], &[("GITHUB_API_URL", &nobody)]).expect(1, "problem", "github", "cannot be reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_told_with_how_much() {
    let stage = Stage::at(-45_000, |config| config).await;
    let said = stage.doctor();
    said.expect(0, "warn", "clock", " s ahead of GitHub's");
    let stage = Stage::at(7 * 60_000, |config| config).await;
    let said = stage.doctor();
    said.expect(1, "problem", "clock", "7 min behind");
    assert!(said.about("problem", "clock").contains("NTP"), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_and_events_that_are_missing_are_named_with_where_to_give_them() {
    let less = [("issues", "read"), ("metadata", "read"), ("single_file", "read"), ("contents", "write")];
    let stage = Stage::with(|config| SandboxConfig {
        permissions: permissions(&less),
        events: vec!["issues".to_owned()],
        ..config
    })
    .await;
    let said = stage.doctor();
    said.expect(1, "problem", "permissions", "issues: write, pull_requests: read");
    said.expect(1, "problem", "permissions", "issue_comment, pull_request, repository");
    said.expect(1, "problem", "permissions", "/organizations/owp-operators/settings/apps/owp-pool/permissions");
    said.expect(1, "warn", "permissions", "contents: write");

    let stage = Stage::with(SandboxConfig::with_checks).await;
    stage.doctor().expect(0, "ok", "permissions", "checks: yes, teams: no");
    let about = "installation on acme";
    let granted = [("issues", "write"), ("pull_requests", "read"), ("metadata", "read"), ("single_file", "read")];
    stage.github.grant(stage.installation, permissions(&granted)).unwrap();
    stage.doctor().expect(0, "warn", about, "checks: read, statuses: read");
    stage.github.grant(stage.installation, permissions(&granted[2..])).unwrap();
    let said = stage.doctor();
    said.expect(1, "problem", about, "issues: write, pull_requests: read");
    assert!(
        said.about("problem", about)
            .contains(&format!("/settings/installations/{}/permissions/update", stage.installation))
    );
    stage.github.suspend(stage.installation, true).unwrap();
    stage.doctor().expect(0, "warn", about, "suspended since");
    stage.github.uninstall(stage.installation).unwrap();
    stage.doctor().expect(0, "warn", "installations", "installed nowhere");
    let writes = stage.github.requests().into_iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 0, "the doctor looks and touches nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_leads_nowhere_is_told_by_its_deliveries() {
    let stage = Stage::new().await;
    stage.doctor().expect(0, "warn", "deliveries", "nothing for three days");
    stage.deliver().await;
    stage.deliver().await;
    let said = stage.doctor();
    said.expect(1, "problem", "deliveries", "the last 2 deliveries (issues) failed: failed to connect to host");
    said.expect(1, "problem", "deliveries", "GitHub does not reach the pool");
    stage.github.set_webhook_url("http://owp.example.org/github/webhooks");
    stage.doctor().expect(1, "warn", "webhook", "on the way can read");
    stage.github.set_webhook_url("https://owp.example.org/webhooks");
    stage.doctor().expect(1, "problem", "webhook", "not the pool's endpoint");
    let hook = reqwest::Client::new().put(format!("{}/_sandbox/hook", stage.github.api_url()));
    hook.body(r#"{"url": null}"#).send().await.unwrap();
    stage.doctor().expect(1, "problem", "webhook", "no webhook address");
    let unsigned = Stage::with(|config| SandboxConfig { webhook_secret: None, ..config }).await;
    let said = unsigned.doctor_with(&[], &[("GITHUB_WEBHOOK_SECRET", "something")]);
    said.expect(1, "problem", "webhook", "not signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_yet_is_a_warning_and_what_is_asked_wrongly_is_code_2() {
    let stage = Stage::new().await;
    let none = [
        ("GITHUB_APP_ID", ""),
        ("GITHUB_APP_PRIVATE_KEY_FILE", ""),
        ("GITHUB_WEBHOOK_SECRET", ""),
        ("GITHUB_API_URL", ""),
    ];
    let said = stage.doctor_with(&[], &none);
    said.expect(0, "warn", "credentials", "/setup");
    said.expect(0, "warn", "database", "no database at owp.db yet");
    assert!(!stage.folder.path().join("owp.db").exists(), "nothing was made");
    let said = stage.doctor_with(&["--database", "mysql://here"], &none);
    assert!(said.code == Some(2) && said.stderr.contains("sqlite"), "{said:#?}");
    let half = stage.doctor_with(&[], &[("GITHUB_APP_ID", "")]);
    half.expect(1, "problem", "configuration", "GITHUB_APP_ID is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_open_to_strangers_is_told_when_they_can_reach_it() {
    let stage = Stage::new().await;
    let warned = |more: &[(&str, &str)]| {
        let said = stage.doctor_with(&[], &[&[("OWP_OPEN_REGISTRATION", "1")], more].concat());
        said.about("warn", "configuration").contains("OWP_OPEN_REGISTRATION")
    };
    assert!(!warned(&[("OWP_PUBLIC_URL", "http://127.0.0.1:8787")]), "only this machine can reach it");
    assert!(warned(&[("OWP_TRUSTED_PROXIES", "127.0.0.1")]), "a proxy leads to it");
    assert!(warned(&[("OWP_PUBLIC_URL", "https://owp.example.org")]));
}

/// The real program on a database that has seen trouble, while somebody else holds its lock.
async fn a_database_with_troubles(db: Db) {
    let stage = Stage::new().await;
    let database = TestDatabase::make(db).await;
    let options = || StoreOptions { url: database.url.clone(), clock: Clock::System, entropy: Entropy::system() };
    let serving = Store::open(options()).await.unwrap();
    let mut outside = AnyConnection::connect(&database.url).await.unwrap();
    let now = Clock::System.now_ms();
    for sql in [
        "INSERT INTO installations (id, account) VALUES (7, 'acme')".to_owned(),
        format!(
            "INSERT INTO repositories (id, installation_id, github_id, name, name_key, managed, heard_until, heard_at, \
             created_at, policy_error, count_failed_at) VALUES ('r1', 7, 1, 'acme/rocket', 'acme/rocket', 1, 0, 0, 0, \
             'line 3, column 1: unknown key `wat`', {now})"
        ),
        format!(
            "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, died_at, error) \
             VALUES ('r1', 1, 'k', 'b', 1, 'dead', 0, 0, {now}, 'the conversation is locked')"
        ),
        format!(
            "INSERT INTO deliveries (id, event, order_key, received_at, state, due_at) \
             VALUES ('d1', 'issues', 'k', {}, 'pending', 0), ('d2', 'issues', 'k', 5, 'dead', 0)",
            now - 3_600_000
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut outside).await.unwrap();
    }
    let said = stage.doctor_with(&["--database", &database.url], &[]);
    said.expect(1, "problem", REPO, "could not be counted");
    said.expect(1, "problem", REPO, "unknown key `wat`");
    said.expect(1, "warn", REPO, "comments that could not be written: 1 (the conversation is locked)");
    said.expect(1, "warn", "inbox", "wait to be processed: 1, the first since");
    said.expect(1, "warn", "inbox", "given up: 1");
    said.expect(1, "warn", "process", "no pool has served");
    said.expect(1, "ok", "database", if db == Db::Sqlite { "synchronous = full" } else { "fsync = on" });
    drop(serving);

    let shift = "UPDATE _sqlx_migrations SET version = version + 1000 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    sqlx::raw_sql(shift).execute(&mut outside).await.unwrap();
    stage.doctor_with(&["--database", &database.url], &[]).expect(1, "problem", "database", "newer version of owp");
    let none = "DELETE FROM _sqlx_migrations";
    sqlx::raw_sql(none).execute(&mut outside).await.unwrap();
    let older = stage.doctor_with(&["--database", &database.url], &[]);
    assert!(older.about("warn", "database").contains("the database has migration 0,"), "{older:#?}");
    outside.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn troubles_of_a_database_are_told_on_sqlite() {
    a_database_with_troubles(Db::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn troubles_of_a_database_are_told_on_postgres() {
    a_database_with_troubles(Db::Postgres).await;
}

#[tokio::test]
async fn a_store_that_only_looks_changes_nothing() {
    let database = TestDatabase::make(Db::Sqlite).await;
    let options = || StoreOptions { url: database.url.clone(), clock: Clock::System, entropy: Entropy::system() };
    assert!(Store::open_read_only(options()).await.is_err(), "there is none yet, and none is made");
    assert!(!std::path::Path::new(database.url.trim_start_matches("sqlite:")).exists());
    drop(Store::open(options()).await.unwrap());
    let looking = Store::open_read_only(options()).await.unwrap();
    let repos = looking.read(|tx| Box::pin(async move { tx.repos().list().await })).await.unwrap();
    assert!(repos.is_empty());
    let refused =
        looking.write(owp_store::Scope::global(), |tx| Box::pin(async move { tx.sync().recount_all().await })).await;
    assert!(matches!(refused, Err(owp_store::StoreError::Closed)));
    let sneaked = looking.read(|tx| Box::pin(async move { tx.sync().recount_all().await })).await;
    assert!(sneaked.is_err(), "not even inside a look");
}
