//! `owp worker run --agent`: one task after another, until a bound is reached or Ctrl-C.

use super::keeper::Keeper;
use super::{Bench, WorkArgs, once, work_failure};
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::count;
use crate::cli::worker::errors;
use crate::cli::worker::held::Held;
use crate::cli::worker::signals::Signals;
use owp_base::clock::Clock;
use owp_config::Environment;
use owp_contributor::desk::{Desk, Event};
use owp_contributor::journal::{Journal, Step};
use owp_contributor::work::{News, Work};
use owp_pool::Timestamp;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait of a pull.
const WAIT_SECS: u64 = 30;
/// Delay after a pull that failed or brought nothing new.
const PAUSE: Duration = Duration::from_secs(5);

/// Bounds of a run.
#[derive(Debug, Clone, Default)]
pub(in crate::cli::worker) struct Bounds {
    /// Ends after so many tasks.
    pub max_tasks: Option<i64>,
    /// Begins no task after this moment.
    pub until: Option<Timestamp>,
    /// Releases leases without a pull request at the end.
    pub release: bool,
}

/// Runs until Ctrl-C, or a bound.
pub(in crate::cli::worker) async fn run(
    agent: &str,
    args: &WorkArgs,
    bounds: Bounds,
    connection: &ConnectionArgs,
    env: &Environment,
) -> Result<(), Failure> {
    let bench = Bench::open(agent, args, connection, env).await?;
    let mut signals = Signals::listen()?;
    let mut run = Run {
        bench: &bench,
        connection,
        bounds,
        keeper: Keeper::start(bench.client.clone()),
        tried: HashSet::new(),
        done: 0,
        followed: None,
    };
    let ended = signals.unless(run.work()).await;
    if ended.is_none() {
        bench.desk.show(&Event::Step("Stopped; the work so far is kept".to_owned()));
    }
    run.end().await;
    ended.unwrap_or(Ok(()))
}

struct Run<'a> {
    bench: &'a Bench,
    connection: &'a ConnectionArgs,
    bounds: Bounds,
    keeper: Keeper,
    /// Leases that were worked on in this run.
    tried: HashSet<String>,
    done: i64,
    /// Time of the last look at all pull requests.
    followed: Option<Instant>,
}

impl Run<'_> {
    async fn work(&mut self) -> Result<(), Failure> {
        loop {
            self.follow_all().await?;
            if let Some(why) = self.bound_reached() {
                self.bench.desk.show(&Event::Step(why));
                return Ok(());
            }
            let path = format!("/v1/work?wait={WAIT_SECS}");
            let answer = match self.bench.client.get(&path).await {
                Ok(answer) => answer,
                Err(error) if error.problem().is_some_and(|problem| matches!(problem.status, 401 | 403)) => {
                    return Err(errors::with_next_step(error));
                }
                Err(error) => {
                    self.bench.desk.show(&Event::Note(format!("{error}. Retrying until it answers.")));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let held = Held::read_all(&self.bench.client, &answer)?;
            let fresh = |held: &&Held| {
                let lease = held.lease_id.as_deref().unwrap_or_default();
                held.is_live() && held.is_managed() && !self.tried.contains(lease)
            };
            match held.iter().find(fresh) {
                Some(held) => self.one(held).await?,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Works on one lease. A task that fails is given back, so that it does not wait for somebody who cannot do it.
    async fn one(&mut self, held: &Held) -> Result<(), Failure> {
        let lease = held.lease_id.clone().unwrap_or_default();
        self.tried.insert(lease.clone());
        once::accept(self.bench, held).await?;
        let journal = self.bench.journal(held)?;
        let prepared = self.bench.prepare(&held.task_id);
        let prepared = prepared.while_leased(&self.keeper, &journal.leased, held.time_left());
        let mut work = Work::take_up(&prepared.cx, journal).map_err(work_failure)?;
        self.done += 1;
        if let Err(failure) = once::deliver(self.bench, &mut work, self.connection).await {
            self.bench.desk.show(&Event::Note(failure.in_one_line()));
            if work.journal().step < Step::Pushed {
                once::give_back(self.bench, &mut work, "The agent did not finish the task.").await;
            }
        }
        Ok(())
    }

    fn bound_reached(&self) -> Option<String> {
        if self.bounds.max_tasks.is_some_and(|most| self.done >= most) {
            return Some(format!("Done: {}", count(self.done, "task")));
        }
        let now = Clock::System.now_ms();
        self.bounds
            .until
            .filter(|until| now >= until.0)
            .map(|until| format!("It is {}; no further task is begun", until.human()))
    }

    /// Looks at every pull request of this machine once, unless that was done a moment ago.
    async fn follow_all(&mut self) -> Result<(), Failure> {
        if self.followed.is_some_and(|last| last.elapsed() < self.bench.poll) {
            return Ok(());
        }
        self.followed = Some(Instant::now());
        for (task, _) in self.bench.cx.workspaces.tasks().map_err(|error| work_failure(error.into()))? {
            let Some(journal) = once::begun(self.bench, &task)?.filter(|journal| journal.step >= Step::Reported) else {
                continue;
            };
            let mut work = Work::take_up(&self.bench.cx, journal).map_err(work_failure)?;
            match work.news().await {
                Ok(News::Open) => {}
                Ok(News::ChangesWanted { remarks, failed }) => {
                    let prepared = self.bench.prepare(&task);
                    let mut work = Work::take_up(&prepared.cx, work.journal().clone()).map_err(work_failure)?;
                    if let Err(failure) = once::review(self.bench, &mut work, remarks, failed).await {
                        self.bench.desk.show(&Event::Note(failure.in_one_line()));
                    }
                }
                Ok(ended @ (News::Merged | News::Closed)) => once::finish(self.bench, &work, &ended).await?,
                Err(error) => self.bench.desk.show(&Event::Note(format!("{error} It is asked again later."))),
            }
        }
        Ok(())
    }

    /// Gives back what was taken and has no pull request, if that was asked for.
    async fn end(&self) {
        if !self.bounds.release {
            return;
        }
        for lease in &self.tried {
            let unfinished = self.bench.cx.workspaces.tasks().unwrap_or_default().into_iter().find_map(|(task, _)| {
                let journal: Journal = once::begun(self.bench, &task).ok()??;
                (journal.leased.lease == *lease && journal.step < Step::Pushed).then_some(journal)
            });
            if let Some(mut work) = unfinished.and_then(|journal| Work::take_up(&self.bench.cx, journal).ok()) {
                once::give_back(self.bench, &mut work, "The worker was stopped.").await;
            }
        }
    }
}
