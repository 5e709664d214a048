//! Pages and lists of a server with many repositories and tasks.

use crate::driver::Connection;
use crate::fill::Fill;
use crate::measure::{as_float, percentiles};
use crate::scenarios::Bench;
use crate::server::{Server, Setup};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATHS: [&str; 10] = [
    "/",
    "/tasks",
    "/tasks?state=ready",
    "/leases",
    "/events",
    "/repos/acme/repo1",
    "/metrics",
    "/v1/repos",
    "/v1/tasks",
    "/v1/events?last=100",
];
/// `/metrics` is cached for a second, and pages for less; each round measures what is computed anew.
const CACHED: Duration = Duration::from_millis(1_100);

impl Bench<'_> {
    /// Returns the median and the most of the milliseconds for each page, and its size without compression.
    pub(crate) async fn pages(&self, rounds: usize) -> Vec<Value> {
        let fill = Fill::plain(300, 100_000);
        let mut server = Server::start(self.binary, &Setup::default()).await;
        server.fill(&fill).await;
        let mut connection = Connection::open(server.address).await.expect("the server listens");
        let mut pages = PATHS.map(|path| (path, Vec::new(), 0));
        for round in 0..=rounds {
            for (path, times, bytes) in &mut pages {
                let began = Instant::now();
                let (status, body) = connection.get(path, None).await;
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
}
