//! Checks of the event stream (Server-Sent Events).

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::http::{rate_limited, retry_delay};
use super::super::lab::Lab;
use super::checks;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

checks! {
    Extended["events"] "STREAM-1" "A stream is `text/event-stream` and reports events from its start on." => live;
    Extended["events"] "STREAM-2" "A client that reconnects with `Last-Event-ID` continues right after it." => resumed;
    Extended["events"] "STREAM-3" "A client that reconnects with an unknown id gets a `reset`." => reset;
}

/// Timeout for a block to arrive.
const EVENT_TIMEOUT: Duration = Duration::from_secs(15);

/// An open stream of a task's events.
struct Stream {
    asked: String,
    answer: Response,
    /// Bytes after the last whole line.
    rest: Vec<u8>,
    read: String,
    /// The last event id, valid until the next one.
    id: String,
}

/// A block of a stream.
#[derive(Debug, Default)]
struct Block {
    event: String,
    id: String,
    data: String,
}

impl Stream {
    async fn open(lab: &Lab, query: &str, last: Option<&str>) -> CheckResult<Self> {
        let path = format!("/v1/events?{query}");
        let (began, asked) = (Instant::now(), format!("GET {path}\nAccept: text/event-stream"));
        let answer = loop {
            let mut call = lab.http.raw(Method::GET, &path).header("Accept", "text/event-stream");
            if let Some(last) = last {
                call = call.header("Last-Event-ID", last);
            }
            let answer =
                call.send().await.map_err(|error| CheckError::Error(format!("{asked} was not answered: {error}")))?;
            match retry_delay(answer.headers(), began).filter(|_| answer.status().as_u16() == 429) {
                Some(after) => tokio::time::sleep(after).await,
                None => break answer,
            }
        };
        if answer.status().as_u16() == 429 {
            return Err(rate_limited(&asked, answer.headers()));
        }
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let (status, kind) = (answer.status().as_u16(), kind.to_owned());
        lab.http.note(asked.clone(), format!("{status}\ncontent-type: {kind}"));
        must(status == 200 && kind.starts_with("text/event-stream"), || {
            format!("{asked} is answered {status} as {kind:?}")
        })?;
        Ok(Self { asked, answer, rest: Vec::new(), read: String::new(), id: String::new() })
    }

    /// Processes whole lines, which may end in CR LF; a chunk may end inside a line or a character.
    fn take(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = self.rest.drain(..=end).collect();
            self.read.push_str(&String::from_utf8_lossy(&lines).replace("\r\n", "\n"));
        }
    }

    /// Returns the next block with an event name; skips comments and blocks with only an id.
    async fn next(&mut self, lab: &Lab) -> CheckResult<Block> {
        let none = CheckError::Fail(format!("{}: no event came within {} s", self.asked, EVENT_TIMEOUT.as_secs()));
        let block = tokio::time::timeout(EVENT_TIMEOUT, async {
            loop {
                while let Some((block, rest)) = self.read.split_once("\n\n").map(|(b, r)| (b.to_owned(), r.to_owned()))
                {
                    self.read = rest;
                    let block = Block::read(&block, &self.id);
                    self.id.clone_from(&block.id);
                    if !block.event.is_empty() {
                        return Some(block);
                    }
                }
                let more = self.answer.chunk().await.ok().flatten()?;
                self.take(&more);
            }
        });
        let block = block.await.ok().flatten().ok_or(none)?;
        lab.http.note(self.asked.clone(), format!("event: {}\nid: {}\ndata: {}", block.event, block.id, block.data));
        Ok(block)
    }
}

impl Block {
    fn read(text: &str, id: &str) -> Self {
        let mut block = Self { id: id.to_owned(), ..Self::default() };
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => block.event = value,
                "id" => block.id = value,
                "data" => block.data.push_str(&value),
                _ => {}
            }
        }
        block
    }

    fn tells(&self, kind: &str, task: &Value) -> bool {
        let event: Value = serde_json::from_str(&self.data).unwrap_or_default();
        self.event == kind && !self.id.is_empty() && event["kind"] == json!(kind) && event["task_id"] == *task
    }
}

/// Creates a task that can be leased, and the filter for its events.
async fn waiting_task(lab: &Lab) -> CheckResult<(Value, String)> {
    let repo = lab.repo(json!({})).await?;
    let task = lab.task(&repo, json!({})).await?;
    let query = format!("task={task}");
    Ok((json!(task), query))
}

async fn live(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let (task, query) = waiting_task(lab).await?;
    let mut stream = Stream::open(lab, &format!("{query}&kind=lease.granted"), None).await?;
    lab.pull(&worker).await?;
    let block = stream.next(lab).await?;
    must(block.tells("lease.granted", &task), || format!("after a grant the stream sends {block:?}"))
}

async fn resumed(lab: &Lab) -> CheckResult {
    let (repo, worker) = (lab.repo(json!({})).await?, lab.worker(json!({})).await?);
    let query = format!("repo={repo}&kind=task.*");
    let mut stream = Stream::open(lab, &query, None).await?;
    let task = json!(lab.task(&repo, json!({})).await?);
    let first = stream.next(lab).await?;
    if !first.tells("task.created", &task) {
        return Err(CheckError::Error(format!("after a task was created, a stream sends {first:?}")));
    }
    drop(stream);
    lab.pull(&worker).await?;
    lab.reported(&worker, &task, "in_progress").await?;
    let mut stream = Stream::open(lab, &query, Some(&first.id)).await?;
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "task.started") && kinds.len() < 5 {
        kinds.push(stream.next(lab).await?.event);
    }
    must(!kinds.contains(&"task.created".to_owned()) && kinds.contains(&"task.started".to_owned()), || {
        format!("after reconnecting behind `task.created`, the stream sends {kinds:?}")
    })
}

async fn reset(lab: &Lab) -> CheckResult {
    let (_, query) = waiting_task(lab).await?;
    let mut stream = Stream::open(lab, &query, Some("made-up")).await?;
    let block = stream.next(lab).await?;
    must(block.event == "reset", || format!("after reconnecting with an unknown id, the stream sends {block:?}"))
}
