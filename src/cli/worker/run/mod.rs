//! `owp worker run`: pulls work until it is stopped, keeps its leases alive, and shows them.
//!
//! Three loops run concurrently: pulls that wait for work, heartbeats, and the main loop, which receives messages
//! from both, updates the lease tracker and prints the changes.

mod background;
mod lease_tracker;
mod notice;
mod shutdown;
mod view;

use super::agent::WorkArgs;
use super::agent::many::{self, Bounds};
use super::errors;
use super::holding::heartbeat_interval;
use super::signals::Signals;
use super::whoami::Me;
use crate::cli::connect::ConnectionArgs;
use crate::cli::failure::Failure;
use crate::cli::print::warn_if_unencrypted;
use background::{HeartbeatControl, HeartbeatPace, Message};
use clap::Args;
use lease_tracker::LeaseTracker;
use notice::Notice;
use owp_base::clock::{Clock, next_time_of_day};
use owp_client::{Client, ClientError};
use owp_config::Environment;
use owp_pool::Timestamp;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use view::View;

/// Refresh interval of the table.
const TICK: Duration = Duration::from_secs(1);

/// Arguments of `owp worker run`.
#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    at_exit: AtExit,
    /// Agent that does the work; `owp worker agents` lists them. Without it the tasks are shown, and you do them
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Ends after this many tasks
    #[arg(long, value_name = "N", requires = "agent", value_parser = crate::cli::values::whole::<1, 10_000>)]
    max_tasks: Option<i64>,
    /// Begins no task after this time of day, such as 17:00
    #[arg(long, value_name = "HH:MM", requires = "agent", value_parser = time_of_day)]
    until: Option<(u32, u32)>,
    #[command(flatten, next_help_heading = "Options with an agent")]
    work: WorkArgs,
}

/// What becomes of the worker's tasks at the end.
#[derive(Debug, Clone, Copy, Args)]
struct AtExit {
    /// Releases the worker's tasks at the end, without asking
    #[arg(long, conflicts_with = "keep_on_exit")]
    release_on_exit: bool,
    /// Keeps the worker's tasks at the end, without asking; the default without a terminal
    #[arg(long)]
    keep_on_exit: bool,
}

/// Runs until Ctrl-C.
///
/// # Errors
/// If no worker is registered here, the pool is unreachable at start, or it rejects the worker.
pub(super) async fn run(args: RunArgs, connection: &ConnectionArgs, env: &Environment) -> Result<(), Failure> {
    if let Some(agent) = &args.agent {
        let now = Clock::System.now_ms();
        let until = args.until.and_then(|(hour, minute)| next_time_of_day(now, hour, minute)).map(Timestamp);
        let bounds = Bounds { max_tasks: args.max_tasks, until, release: args.at_exit.release_on_exit };
        return many::run(agent, &args.work, bounds, connection, env).await;
    }
    // The main loop itself reports that the pool is unavailable.
    let client = connection.worker(env)?.without_delay_notice();
    let mut signals = Signals::listen()?;
    warn_if_unencrypted(&client);
    let Some(me) = signals.unless(Me::fetch(&client)).await else { return Ok(()) };
    let (me, shown) = me?;
    let mut main_loop = MainLoop {
        view: View::new(connection.json),
        client,
        tracker: LeaseTracker::default(),
        disconnected: false,
        stdout_closed: false,
    };
    let server = main_loop.client.base().to_owned();
    main_loop.show(&Notice::Started { me: Box::new(me), server, shown });
    main_loop.run_until_stopped(&mut signals).await?;
    shutdown::shut_down(args.at_exit, &mut main_loop, &mut signals).await
}

/// Parses a time of day: `17:00`.
fn time_of_day(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "must be a time of day such as 17:00".to_owned();
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, below: u32| text.parse().ok().filter(|number| *number < below).ok_or_else(wrong);
    Ok((number(hour, 24)?, number(minute, 60)?))
}

/// The state of the main loop.
struct MainLoop {
    client: Client,
    tracker: LeaseTracker,
    view: View,
    /// True if the last call failed; reported once.
    disconnected: bool,
    /// True if stdout is closed.
    stdout_closed: bool,
}

impl MainLoop {
    /// Runs until a signal arrives or stdout is closed.
    async fn run_until_stopped(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let (sender, mut messages) = mpsc::channel(16);
        let (heartbeat_sender, mut heartbeat_results) = mpsc::unbounded_channel();
        let heartbeats = HeartbeatControl::default();
        let mut background_tasks = JoinSet::new();
        background_tasks.spawn(background::beat(self.client.clone(), heartbeats.clone(), heartbeat_sender));
        background_tasks.spawn(background::pull(self.client.clone(), sender));
        let mut tick = tokio::time::interval(TICK);
        while !self.stdout_closed {
            let message = tokio::select! {
                () = signals.next() => return Ok(()),
                Some(message) = messages.recv() => Some(message),
                Some(message) = heartbeat_results.recv() => Some(message),
                _ = tick.tick() => None,
            };
            if let Some(message) = message {
                self.handle(message)?;
                heartbeats.set(self.pace(), self.tracker.has_missing());
            }
            self.view.draw(&self.tracker);
        }
        Ok(())
    }

    fn show(&mut self, notice: &Notice) {
        self.stdout_closed |= !self.view.show(notice);
    }

    fn handle(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Failed(error) => return self.handle_failure(error),
            Message::Work { held, waiting } => {
                self.mark_connected();
                for notice in self.tracker.apply_list(held?, Instant::now()) {
                    self.show(&notice);
                }
                if let Some(waiting) = waiting.filter(|_| self.tracker.is_empty()) {
                    self.show(&Notice::Idle { why: super::hints::hint(&waiting?) });
                }
            }
            Message::Beat(ended) => {
                self.mark_connected();
                for notice in self.tracker.apply_ended(&ended?) {
                    self.show(&notice);
                }
            }
            Message::NotAccepted { name, error } => self.show(&Notice::NotAccepted { name, why: error.to_string() }),
        }
        Ok(())
    }

    /// Handles a failed call: the pool is unavailable, or it rejects this worker.
    fn handle_failure(&mut self, error: ClientError) -> Result<(), Failure> {
        let passes = match &error {
            ClientError::Problem(problem) => problem.status >= 500 || matches!(problem.status, 408 | 429),
            ClientError::Unreachable { .. }
            | ClientError::Timeout { .. }
            | ClientError::ServerError { .. }
            | ClientError::NotJson { .. }
            | ClientError::TooLong { .. } => true,
            ClientError::Address(_) | ClientError::Versioned { .. } => false,
        };
        if !passes {
            return Err(errors::with_next_step(error));
        }
        if !std::mem::replace(&mut self.disconnected, true) {
            self.show(&Notice::Away { why: error.to_string() });
        }
        Ok(())
    }

    fn mark_connected(&mut self) {
        if std::mem::take(&mut self.disconnected) {
            self.show(&Notice::Back);
        }
    }

    fn pace(&self) -> HeartbeatPace {
        let every = heartbeat_interval(self.tracker.shortest(Instant::now()));
        HeartbeatPace { every, working: self.tracker.has_live() }
    }
}
