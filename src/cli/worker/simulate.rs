//! `owp worker simulate`: goes through tasks like a worker without doing them, to try out a pool and its policy in
//! manual repositories. Tasks of GitHub repositories are released, because pull requests on GitHub cannot be simulated.

use super::errors;
use super::held::Held;
use super::hints::{Why, hint};
use super::holding;
use super::register::throw_away;
use super::signals::Signals;
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::{Failure, print_line};
use crate::cli::print::{as_json_line, count};
use crate::cli::untrusted::visible_line;
use crate::cli::values::duration;
use clap::Args;
use owp_client::{Auth, Client, ClientError, segment};
use owp_config::Environment;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// Delay after an empty response that did not wait.
const PAUSE: Duration = Duration::from_secs(2);
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
const RELEASE_REASON: &str = "Only simulated.";

/// Arguments of `owp worker simulate`.
#[derive(Debug, Clone, Args)]
pub(super) struct SimulateArgs {
    /// Registers a temporary worker, which leaves the pool at the end
    #[arg(long)]
    register: bool,
    /// Ends when no more work is available
    #[arg(long)]
    once: bool,
    /// Also reports tasks as merged, as a maintainer would
    #[arg(long)]
    merge: bool,
    /// Name of the worker
    #[arg(long, default_value = "simulated worker", requires = "register")]
    name: String,
    /// Skills of the worker, such as rust,sql
    #[arg(long, value_delimiter = ',', requires = "register")]
    skills: Vec<String>,
    /// Duration of the simulated work on a task, such as 1s or 2min
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = duration)]
    work_for: Duration,
}

/// Simulates until there is no more work, or Ctrl-C.
pub(super) async fn run(args: SimulateArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let client = match args.register {
        false => connection.worker(env)?,
        true => {
            let client = connection.stranger(env)?;
            let Some(made) = signals.unless(throw_away(&client, &args.name, &args.skills)).await else { return Ok(()) };
            client.with_auth(Auth::Worker(made?.1))
        }
    };
    let mut play = Simulation {
        client,
        json: connection.json,
        done: 0,
        real: BTreeSet::new(),
        seen: BTreeSet::new(),
        open: Vec::new(),
        pretended: Vec::new(),
        args,
    };
    if !play.args.register {
        let Some(counted) = holding::count(&play.client, LIST_TIMEOUT, &mut signals).await else { return Ok(()) };
        play.leave_alone(counted?.held);
    }
    let result = signals.unless(play.go()).await;
    // Releases simulated work after any outcome.
    let _late = tokio::time::timeout(SHUTDOWN_TIMEOUT, play.leave()).await;
    let why = result.transpose()?.flatten();
    play.end(why.as_deref());
    Ok(())
}

struct Simulation {
    client: Client,
    json: bool,
    args: SimulateArgs,
    /// Number of completed tasks.
    done: usize,
    /// Tasks held before the simulation, which leaves them alone.
    real: BTreeSet<String>,
    /// Leases already processed, with any result.
    seen: BTreeSet<String>,
    /// Held tasks still to be processed.
    open: Vec<Held>,
    /// Tasks with a simulated pull request, each using a slot of the review budget.
    pretended: Vec<Held>,
}

impl Simulation {
    /// Excludes the tasks the worker already holds: they are real work.
    fn leave_alone(&mut self, held: Vec<Held>) {
        for task in held {
            if task.is_live() {
                self.print_line("left alone", &task, "it was held before");
            }
            self.real.insert(task.task_id);
        }
    }

    /// Runs until there is no more work, and returns the reason.
    async fn go(&mut self) -> Result<Option<String>, Failure> {
        let mut wait = 0;
        loop {
            let explain = u8::from(self.args.once);
            let path = format!("/v1/work?wait={wait}&explain={explain}");
            let answer = self.client.get(&path).await.map_err(errors::with_next_step)?;
            self.open = Held::read_all(&self.client, &answer)?;
            let fresh = |held: &Held| !self.real.contains(&held.task_id) && !self.seen.contains(key(held));
            self.open.retain(|held| held.is_live() && fresh(held));
            match self.open.first().cloned() {
                Some(task) => {
                    self.work_on(&task).await?;
                    self.open.remove(0);
                    self.seen.insert(key(&task).to_owned());
                    wait = 0;
                }
                None if self.args.once => return Ok(Some(hint(&Why::read_all(&self.client, &answer)?))),
                None if wait == 0 => wait = 30,
                // Only a worker without capacity, or a paused one, is answered at once.
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn work_on(&mut self, task: &Held) -> Result<(), Failure> {
        if task.is_managed() {
            self.print_line("released", task, "only GitHub determines its state there; it is for real workers");
            return give_back(&self.client, task).await.or_else(passable);
        }
        match self.pretend(task).await {
            Ok(()) => {
                self.done += 1;
                if !self.args.merge {
                    self.pretended.push(task.clone());
                }
            }
            Err(error) => {
                self.print_line("refused", task, &error.to_string());
                passable(error)?;
                give_back(&self.client, task).await.or_else(passable)?;
            }
        }
        Ok(())
    }

    async fn pretend(&self, task: &Held) -> Result<(), ClientError> {
        if let Some(lease) = task.lease_id.as_ref().filter(|_| task.is_offered()) {
            self.client.post_once(&format!("/v1/leases/{}/ack", segment(lease)), &json!({})).await?;
        }
        self.report(task, "in_progress", None).await?;
        tokio::time::sleep(self.args.work_for).await;
        // A name that can never be registered (RFC 2606).
        let url = format!("https://pull-request.invalid/{}/{}", task.repo, segment(&task.task_id));
        self.report(task, "pr_opened", Some(&url)).await?;
        if self.args.merge {
            self.report(task, "merged", None).await?;
        }
        Ok(())
    }

    async fn report(&self, task: &Held, status: &str, pr_url: Option<&str>) -> Result<(), ClientError> {
        let artifact = pr_url.map(|url| json!({ "pr_url": url }));
        let body = json!({ "status": status, "message": RELEASE_REASON, "artifact": artifact });
        self.client.post_once(&format!("/v1/tasks/{}/status", segment(&task.task_id)), &body).await?;
        self.print_line(status, task, pr_url.unwrap_or_default());
        Ok(())
    }

    /// Releases the tasks in progress; a worker registered for the simulation is removed.
    async fn leave(&mut self) -> Result<(), ClientError> {
        if self.args.register {
            // After its removal the worker can no longer report on them.
            for task in std::mem::take(&mut self.pretended) {
                match self.take_back(&task).await {
                    Ok(()) => self.print_line("given back", &task, "its pull request was only simulated"),
                    Err(error) => self.print_line("not given back", &task, &error.to_string()),
                }
            }
            self.client.delete("/v1/workers/me").await?;
            return Ok(());
        }
        for task in std::mem::take(&mut self.open) {
            // A task that cannot be released does not stop the others.
            match give_back(&self.client, &task).await {
                Ok(()) => self.print_line("released", &task, "it was only simulated"),
                Err(error) => self.print_line("not released", &task, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Resumes a task, which frees its pull request's slot, and releases it.
    async fn take_back(&self, task: &Held) -> Result<(), ClientError> {
        let path = format!("/v1/tasks/{}", segment(&task.task_id));
        self.client
            .post_once(&format!("{path}/status"), &json!({ "status": "in_progress", "message": RELEASE_REASON }))
            .await?;
        // A claim of a held task returns its lease.
        let held = self.client.post_once(&format!("{path}/claim"), &json!({})).await?;
        let lease = held["lease_id"].as_str().unwrap_or_default();
        self.client
            .post_once(&format!("/v1/leases/{}/release", segment(lease)), &json!({ "reason": RELEASE_REASON }))
            .await?;
        Ok(())
    }

    fn print_line(&self, what: &str, task: &Held, more: &str) {
        if self.json {
            let more = (!more.is_empty()).then_some(more);
            as_json_line(json!({ "event": what, "task_id": task.task_id, "repo": task.repo, "more": more }));
        } else {
            let more = if more.is_empty() { String::new() } else { format!(": {}", visible_line(more)) };
            print_line(&format!("{what} {}{more}", task.name()));
        }
    }

    fn end(&self, why: Option<&str>) {
        if self.json {
            return as_json_line(json!({ "event": "stopped", "tasks": self.done, "why": why }));
        }
        let tasks = count(self.done, "task");
        let why = why.map_or_else(String::new, |why| format!(" No more work now: {why}"));
        print_line(&format!("Simulated {tasks}.{why}"));
        if !self.pretended.is_empty() {
            let open = count(self.pretended.len(), "simulated pull request");
            print_line(&format!("{open} still open, taking review slots: `owp worker report TASK merged` ends one."));
        }
    }
}

/// Returns the key of a lease; older servers send only the task's id.
fn key(held: &Held) -> &str {
    held.lease_id.as_deref().unwrap_or(&held.task_id)
}

async fn give_back(client: &Client, task: &Held) -> Result<(), ClientError> {
    let Some(lease) = &task.lease_id else { return Ok(()) };
    let path = format!("/v1/leases/{}/release", segment(lease));
    client.post_once(&path, &json!({ "reason": RELEASE_REASON })).await.map(drop)
}

/// Accepts refusals as part of the simulation; other errors end it.
fn passable(error: ClientError) -> Result<(), Failure> {
    match error.problem() {
        Some(told) if matches!(told.status, 403 | 404 | 409 | 422) => Ok(()),
        _ => Err(errors::with_next_step(error)),
    }
}
