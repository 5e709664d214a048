//! The real server: `owp serve` as a process of its own, on a database of its own.

use crate::support::database::{Db, TestDatabase};
use crate::support::program::owp;
use owp_base::clock::Clock;
use owp_conformance::{Options, Report, run};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Admin token of every server here.
pub(crate) const ADMIN: &str = "an-admin-token-for-the-test";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Child,
    pub url: String,
    _database: TestDatabase,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Server {
    /// A server that holds nobody back, or as often as `rate_limit` says.
    pub(crate) async fn start(db: Db, rate_limit: &str) -> Self {
        let (database, folder) = (TestDatabase::make(db).await, tempfile::tempdir().unwrap());
        let log = folder.path().join("serve.log");
        let child = owp(&["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .env("OWP_DATABASE_URL", &database.url)
            .env("OWP_RATE_LIMIT", rate_limit)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { child, url: String::new(), _database: database, _folder: folder };
        let began = Instant::now();
        while server.url.is_empty() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "owp serve does not get ready: {said}");
            // The line is whole once the next has begun or it has its end.
            let url = said.split_once("listening on ").and_then(|(_, rest)| rest.split_once('\n'));
            server.url = url.map(|(url, _)| url.trim().to_owned()).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }
}

/// Options of a conformance run.
pub(crate) fn options(url: &str) -> Options {
    Options { server: url.to_owned(), admin_token: ADMIN.to_owned(), lease_ttl: None, profile: None, only: Vec::new() }
}

/// Runs the suite.
pub(crate) async fn judged(options: &Options) -> Report {
    run(options, &Clock::System, |_| {}).await.expect("a run of the suite")
}
