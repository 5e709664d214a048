//! The demo's OWP clients. Each registers a worker, links it by a comment, and works on what it gets, all over HTTP.
//!
//! One declines some offers, and one dies before it acknowledges some: a pool has to live with both.

use super::actors::{BEAT, Pace};
use super::stage::{REPOS, Stage};
use owp_pool::TaskId;
use owp_pool::task::Task;
use owp_store::transaction;
use reqwest::Client as Http;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Of so many offers, the first is declined or not acknowledged.
const ODD_EVERY: usize = 2;
/// Silence of a worker that died, until its contributor starts it again; longer than an offer waits for an answer.
const SILENCE: Duration = Duration::from_secs(20);

/// A contributor with an OWP client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub login: &'static str,
    pub skills: &'static [&'static str],
    pub habit: Habit,
}

/// How a client deals with what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Did not negotiate acknowledgements: every lease is in force at once.
    Accepts,
    /// Declines some offers.
    Declines,
    /// Dies before it answers some offers.
    Dies,
}

/// The answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Decline,
    Silence,
}

impl Habit {
    /// Returns the answer to the `nth` offer, from 0. Nobody dies while the demo hurries: a dead worker's slot is taken
    /// until its time runs out.
    fn answer(self, nth: usize, pace: Pace) -> Answer {
        match self {
            Self::Declines if nth.is_multiple_of(ODD_EVERY) => Answer::Decline,
            Self::Dies if nth.is_multiple_of(ODD_EVERY) && pace == Pace::Calm => Answer::Silence,
            _ => Answer::Accept,
        }
    }
}

/// A running client.
struct Client {
    stage: Arc<Stage>,
    member: Member,
    pace: Pace,
    http: Http,
    token: String,
    /// Offers so far.
    offers: usize,
    /// Leases with a pull request.
    delivered: BTreeSet<String>,
}

/// Runs a contributor's client.
pub(super) async fn run(stage: Arc<Stage>, member: Member, pace: Pace) {
    let mut client = Client::register(Arc::clone(&stage), member, pace).await;
    loop {
        let round = async {
            if let Err(error) = client.round().await {
                tracing::debug!(%error, login = member.login, "a work round failed");
            }
            tokio::time::sleep(pace.next_pull()).await;
        };
        // A program that is stopped stops anywhere.
        tokio::select! {
            () = round => {}
            () = stage.controls.stopped(member.login) => stage.controls.started().await,
        }
    }
}

impl Client {
    /// Registers the worker, and links it by a comment.
    async fn register(stage: Arc<Stage>, member: Member, pace: Pace) -> Self {
        let (http, login) = (Http::new(), member.login);
        let registered = loop {
            let body = json!({
                "name": format!("{login}'s laptop"),
                "github_handle": login,
                "skills": member.skills,
                "capabilities": { "ack": member.habit != Habit::Accepts },
            });
            let answer = http.post(format!("{}/v1/workers/register", stage.url)).json(&body).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => break answer.json::<Value>().await.unwrap_or_default(),
                other => tracing::warn!(?other, "registration failed"),
            }
            tokio::time::sleep(BEAT).await;
        };
        let code = registered["link"]["code"].as_str().unwrap_or_default();
        if let Err(error) = stage.github.as_user(login).comment(REPOS[0], 1, &format!("/owp link {code}")) {
            tracing::warn!(%error, "could not post the link code");
        }
        let token = registered["token"].as_str().unwrap_or_default().to_owned();
        Self { stage, member, pace, http, token, offers: 0, delivered: BTreeSet::new() }
    }

    /// Pulls tasks, answers offers, and does the work.
    async fn round(&mut self) -> Result<(), String> {
        self.say("/v1/workers/heartbeat", json!({ "status": "working" })).await?;
        let mut accepted = Vec::new();
        // All answers before the work: an offer does not wait that long.
        for lease in self.pull().await? {
            if lease["lease_state"] == "offered" {
                let path = format!("/v1/leases/{}", text(&lease, "lease_id"));
                let answer = self.member.habit.answer(self.offers, self.pace);
                self.offers += 1;
                match answer {
                    Answer::Accept => self.say(&format!("{path}/ack"), json!({})).await?,
                    Answer::Decline => {
                        self.say(&format!("{path}/nack"), json!({ "reason": "I do not know this part" })).await?;
                        continue;
                    }
                    Answer::Silence => {
                        tokio::time::sleep(SILENCE).await;
                        return Ok(());
                    }
                }
            }
            accepted.push(lease);
        }
        for lease in &accepted {
            self.work(lease).await?;
        }
        Ok(())
    }

    /// Works on a lease that is in force, and opens its pull request.
    async fn work(&mut self, lease: &Value) -> Result<(), String> {
        let (id, task_id, repo) = (text(lease, "lease_id"), text(lease, "task_id"), text(lease, "repo"));
        let Some(task) = self.held(task_id).await.filter(|_| !self.delivered.contains(id)) else { return Ok(()) };
        let status = format!("/v1/tasks/{task_id}/status");
        self.say(&status, json!({ "status": "in_progress" })).await?;
        tokio::time::sleep(self.pace.work()).await;
        let number = self.stage.open_pull(self.member.login, repo, task.issue.unwrap_or_default(), &task.title)?;
        self.delivered.insert(id.to_owned());
        let url = format!("{}/{repo}/pull/{number}", self.stage.github.api_url());
        // The webhook may have arrived first; a repeated report has no effect.
        self.say(&status, json!({ "status": "pr_opened", "artifact": { "pr_url": url } })).await
    }

    async fn say(&self, path: &str, body: Value) -> Result<(), String> {
        let call = self.http.post(format!("{}{path}", self.stage.url)).bearer_auth(&self.token).json(&body).send();
        call.await.and_then(reqwest::Response::error_for_status).map(drop).map_err(|e| e.to_string())
    }

    async fn pull(&self) -> Result<Vec<Value>, String> {
        let work = self.http.get(format!("{}/v1/work", self.stage.url)).bearer_auth(&self.token).send().await;
        let work: Value = work.map_err(|e| e.to_string())?.json().await.map_err(|e| e.to_string())?;
        Ok(work["leases"].as_array().cloned().unwrap_or_default())
    }

    /// Returns the task while a worker holds it and no pull request is linked.
    async fn held(&self, id: &str) -> Option<Task> {
        let id = TaskId::new(id);
        let task = self.stage.store.read(transaction!(|tx| tx.tasks().get(&id).await)).await.ok().flatten()?;
        task.state.is_held().then_some(task)
    }
}

fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    of[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_offer_is_declined_or_not_acknowledged_and_nobody_dies_in_a_hurry() {
        let answers = |habit: Habit, pace| [0, 1, 2, 3].map(|nth| habit.answer(nth, pace));
        let every_second = |odd| [odd, Answer::Accept, odd, Answer::Accept];
        assert_eq!(answers(Habit::Declines, Pace::Calm), every_second(Answer::Decline));
        assert_eq!(answers(Habit::Dies, Pace::Calm), every_second(Answer::Silence));
        assert_eq!(answers(Habit::Dies, Pace::Hurried), every_second(Answer::Accept));
    }
}
