//! A client of event streams, as plain as the HTML standard describes one, and the wait for the feed to be numbered.

use crate::support::pool::{ADMIN, Pool};
use serde_json::Value;
use std::time::Duration;

/// Long enough for a second's tick on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One block of a stream; empty lines end it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<String>,
    pub is_comment: bool,
}

/// An open stream.
pub(crate) struct Stream {
    answer: reqwest::Response,
    text: String,
    /// The beginning of a character.
    bytes: Vec<u8>,
    /// The id that was read last.
    pub last_id: String,
}

/// Headers of whoever looks.
pub(crate) fn operator() -> Vec<(String, String)> {
    vec![("X-Admin-Token".to_owned(), ADMIN.to_owned())]
}

pub(crate) fn bearer(token: &str) -> Vec<(String, String)> {
    vec![("Authorization".to_owned(), format!("Bearer {token}"))]
}

pub(crate) fn resuming(last_id: &str) -> Vec<(String, String)> {
    vec![("Last-Event-ID".to_owned(), last_id.to_owned())]
}

impl Stream {
    /// Asks for a stream, whatever comes of it.
    pub(crate) async fn ask(url: &str, query: &str, headers: &[(String, String)]) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(format!("{url}/v1/events?{query}")).header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }

    /// Opens a stream and reads its first block, which says how to come back.
    pub(crate) async fn open(url: &str, query: &str, headers: &[(String, String)]) -> Self {
        let answer = Self::ask(url, query, headers).await;
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        assert_eq!((answer.status().as_u16(), header("content-type")), (200, "text/event-stream"), "{answer:?}");
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-store", "no"));
        let mut stream = Self { answer, text: String::new(), bytes: Vec::new(), last_id: String::new() };
        let first = stream.block().await.unwrap();
        assert_eq!((first.retry.as_deref(), &first.event, &first.data), (Some("2000"), &None, &None), "{first:?}");
        assert!(!stream.last_id.is_empty());
        stream
    }

    /// The next block; none at the end.
    pub(crate) async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((front, rest)) = self.text.split_once("\n\n") {
                let block = parse(front);
                self.text = rest.to_owned();
                if let Some(id) = &block.id {
                    self.last_id.clone_from(id);
                }
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("the stream is silent");
            // A chunk may end in the middle of a character.
            self.bytes.extend_from_slice(&chunk.unwrap()?);
            let whole = match std::str::from_utf8(&self.bytes) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = self.bytes.split_off(whole);
            self.text.push_str(std::str::from_utf8(&self.bytes).unwrap());
            self.bytes = rest;
        }
    }

    /// The next event: its name and its data. Signs of life are passed over.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let next = async {
            loop {
                let block = self.block().await.expect("the stream goes on");
                if let (Some(event), Some(data)) = (block.event, block.data) {
                    return (event, serde_json::from_str(&data).unwrap());
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("no event comes")
    }

    /// The next `count` events, as they stand in pages.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let (name, event) = self.event().await;
            assert_eq!((event["kind"].as_str(), event["cursor"].as_str()), (Some(&*name), Some(&*self.last_id)));
            events.push(event);
        }
        events
    }
}

fn parse(front: &str) -> Block {
    let mut block = Block::default();
    for line in front.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match name {
            "" => block.is_comment = true,
            "id" => block.id = Some(value),
            "event" => block.event = Some(value),
            "data" => assert!(block.data.replace(value).is_none(), "one line of data: {front}"),
            "retry" => block.retry = Some(value),
            other => panic!("no such field: {other}"),
        }
    }
    block
}

/// Waits until everything that was committed has its place in the feed.
pub(crate) async fn numbered(pool: &Pool) {
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    for _ in 0..400 {
        let waiting = sqlx::query("SELECT id FROM events WHERE feed IS NULL LIMIT 1").fetch_all(&outside).await;
        if waiting.unwrap().is_empty() {
            outside.close().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the feed is not numbered");
}

/// Changes rows beside the server.
pub(crate) async fn meddle(pool: &Pool, sql: &'static str) {
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    sqlx::query(sql).execute(&outside).await.unwrap();
    outside.close().await;
}

/// One field of each event.
pub(crate) fn each(events: &[Value], key: &str) -> Vec<String> {
    events.iter().map(|event| event[key].as_str().unwrap_or("null").to_owned()).collect()
}
