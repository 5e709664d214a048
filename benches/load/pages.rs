//! Pages and lists of a server with many repositories and tasks.

use crate::driver::Connection;
use crate::fill::Fill;
use crate::measure::{Measured, as_float, percentiles};
use crate::scenarios::{Bench, WORKERS};
use crate::server::{Server, Setup};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PATHS: [&str; 13] = [
    "/",
    "/tasks",
    "/tasks?state=ready",
    "/leases",
    "/insights",
    "/insights?repo=acme/repo1&days=90",
    "/leaderboard",
    "/events",
    "/repos/acme/repo1",
    "/metrics",
    "/v1/repos",
    "/v1/tasks",
    "/v1/events?last=100",
];
/// `/metrics` is cached for a second, and most pages for less; each round measures what is computed anew. Insights are cached
/// for longer; browsers with a session, also of one that ended, get them computed anew.
const CACHED: Duration = Duration::from_millis(1_100);
/// Workers that were heard from lately.
const ONLINE: usize = 40;
/// Time between two loads of a page by one reader: as often as a busy pool makes scripts load it again.
const RELOAD: Duration = Duration::from_millis(500);

impl Bench<'_> {
    /// Returns the median and the most of the milliseconds for each page, and its size without compression.
    pub(crate) async fn pages(&self, rounds: usize) -> Vec<Value> {
        let fill = Fill { days: 90, ..Fill::plain(300, 100_000) };
        let mut server = Server::start(self.binary, &Setup::default()).await;
        let tokens = server.workers(ONLINE).await;
        server.fill(&fill).await;
        online(&server, &tokens).await;
        let mut connection = Connection::open(server.address).await.expect("the server listens");
        let mut pages = PATHS.map(|path| (path, Vec::new(), 0));
        for round in 0..=rounds {
            for (path, times, bytes) in &mut pages {
                let began = Instant::now();
                let session = path.starts_with("/insights").then_some(("cookie", "owp_session=none"));
                let (status, body) = connection.get(path, session).await;
                assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
                // The first round reads the file into memory.
                if round > 0 {
                    times.push(began.elapsed());
                }
                *bytes = body.len();
            }
            tokio::time::sleep(CACHED).await;
        }
        let rows = pages.into_iter().map(|(path, times, bytes)| {
            let ((median, most), kb) = (percentiles(times), as_float(bytes) / 1e3);
            println!("{path:<12} {fill:<60} {median:>6.1} ms median, {most:>6.1} ms most, {kb:>5.0} KB");
            json!({ "name": path, "load": fill.to_string(), "p50_ms": median, "max_ms": most, "kb": kb })
        });
        rows.collect()
    }

    /// Lifecycles while so many readers load pages again and again.
    pub(crate) async fn lifecycles_beside_readers(&self, readers: usize) -> Measured {
        let fill = Fill { days: 90, ..Fill::plain(300, 100_000) };
        let mut server = Server::start(self.binary, &Setup::default()).await;
        let tokens = server.workers(WORKERS).await;
        server.fill(&fill).await;
        let reading: Vec<_> = (0..readers).map(|n| tokio::spawn(read_on(server.address, n))).collect();
        let name = format!("SQLite, {fill}, {readers} readers of pages");
        let measured = self.lifecycles_on(&server, tokens, name).await;
        for one in reading {
            assert!(!one.is_finished(), "a reader gave up");
            one.abort();
        }
        measured
    }
}

/// Has each worker heard from.
async fn online(server: &Server, tokens: &[String]) {
    let mut connection = Connection::open(server.address).await.expect("the server listens");
    for token in tokens {
        let bearer = format!("Bearer {token}");
        let idle = json!({ "status": "idle" });
        let (status, _) = connection.post("/v1/workers/heartbeat", Some(("authorization", &bearer)), &idle).await;
        assert_eq!(status, 200);
    }
}

/// Loads pages for ever, one after the other.
async fn read_on(address: SocketAddr, n: usize) {
    let mut connection = Connection::open(address).await.expect("the server listens");
    for path in PATHS.into_iter().filter(|path| !path.starts_with("/v1") && *path != "/metrics").cycle().skip(n) {
        let (status, _) = connection.get(path, None).await;
        assert_eq!(status, 200, "{path}");
        tokio::time::sleep(RELOAD).await;
    }
}
