//! Memory of requests that wait: parked pulls and event streams.

use crate::driver::Connection;
use crate::fill::Fill;
use crate::measure::as_float;
use crate::scenarios::Bench;
use crate::server::{Server, Setup};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Time for the last of the requests to come to rest.
const SETTLING: Duration = Duration::from_secs(5);

/// A request that waits for something to happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waiting {
    /// A pull of a worker for whom there is nothing.
    Pull,
    /// A stream of events.
    Stream,
}

impl Bench<'_> {
    /// Returns the memory that each of so many waiting requests takes, in KiB, and that of the server before, in MiB.
    /// A worker's own rows and caches are not counted: each has pulled once before.
    pub(crate) async fn memory(&self, waiting: Waiting, count: usize) -> Value {
        let mut server = Server::start(self.binary, &Setup::default()).await;
        let tokens = match waiting {
            Waiting::Pull => server.workers(count).await.into_iter().map(Some).collect(),
            Waiting::Stream => vec![None; count],
        };
        server.fill(&Fill::plain(1, 0)).await;
        let idle = server.memory();
        let mut connection = Connection::open(server.address).await.expect("the server listens");
        for token in tokens.iter().flatten() {
            let bearer = format!("Bearer {token}");
            let (status, _) = connection.get("/v1/work", Some(("authorization", &bearer))).await;
            assert_eq!(status, 200);
        }
        let before = server.memory();
        let mut requests = tokio::task::JoinSet::new();
        for (n, token) in tokens.into_iter().enumerate() {
            let mut connection = Connection::open(server.address).await.expect("the server listens");
            let (path, name, value) = match token {
                Some(token) => ("/v1/work?wait=60", "authorization", format!("Bearer {token}")),
                None => ("/v1/events", "accept", "text/event-stream".to_owned()),
            };
            // One address may not have so many.
            let address = format!("10.0.{}.{}", n / 250, n % 250 + 1);
            let headers = [("x-forwarded-for", address.as_str())];
            let request = connection.request(Method::GET, path, Some((name, &value)), &headers, Bytes::new());
            requests.spawn(async move { connection.send(request).await.0 });
        }
        tokio::time::sleep(SETTLING).await;
        if let Some(answered) = requests.try_join_next() {
            panic!("a request was answered with {answered:?} instead of waiting");
        }
        let each = (server.memory() - before) * 1024.0 / as_float(count);
        let name = match waiting {
            Waiting::Pull => "parked pulls",
            Waiting::Stream => "event streams",
        };
        println!("{count} {name}: {each:.1} KiB each; {idle:.0} MiB idle, {before:.0} MiB before them");
        json!({ "name": name, "count": count, "kib_each": each, "idle_mib": idle })
    }
}
