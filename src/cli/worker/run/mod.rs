//! `owp worker run`: pulls work until it is stopped, keeps its leases alive, and shows them.
//!
//! Three loops run concurrently: pulls that wait for work, heartbeats, and this desk, which receives messages from
//! both, updates the ledger and prints the changes.

mod errands;
mod leave;
mod ledger;
mod news;
mod view;

use super::signals::Signals;
use super::told;
use super::whoami::Me;
use crate::cli::connect::Asked;
use crate::cli::failure::Failure;
use crate::cli::print::warn_in_clear_text;
use clap::Args;
use errands::{Beats, Heard, Pace};
use ledger::Ledger;
use news::News;
use owp_client::{Client, ClientError};
use owp_config::Environment;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use view::View;

/// Refresh interval of the table.
const TICK: Duration = Duration::from_secs(1);
/// Maximum interval of heartbeats, however long the leases are.
const BEAT_MOST: Duration = Duration::from_secs(30);
const BEAT_LEAST: Duration = Duration::from_secs(1);

/// Arguments of `owp worker run`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RunArgs {
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
pub(super) async fn run(args: RunArgs, asked: &Asked, env: &Environment) -> Result<(), Failure> {
    // The desk itself reports that the pool is unavailable.
    let client = asked.worker(env)?.quietly();
    let mut signals = Signals::listen()?;
    warn_in_clear_text(&client);
    let Some(me) = signals.unless(Me::ask(&client)).await else { return Ok(()) };
    let (me, shown) = me?;
    let mut desk = Desk { view: View::new(asked.json), client, ledger: Ledger::default(), away: false, unread: false };
    let server = desk.client.base().to_owned();
    desk.tell(&News::Started { me: Box::new(me), server, shown });
    desk.attend(&mut signals).await?;
    leave::leave(args, &mut desk, &mut signals).await
}

/// The state of the main loop.
struct Desk {
    client: Client,
    ledger: Ledger,
    view: View,
    /// True if the last call failed; reported once.
    away: bool,
    /// True if stdout is closed.
    unread: bool,
}

impl Desk {
    /// Runs until a signal arrives or stdout is closed.
    async fn attend(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let (tell, mut told) = mpsc::channel(16);
        let (live, mut lives) = mpsc::unbounded_channel();
        let beats = Beats::default();
        let mut errands = JoinSet::new();
        errands.spawn(errands::beat(self.client.clone(), beats.clone(), live));
        errands.spawn(errands::pull(self.client.clone(), tell));
        let mut tick = tokio::time::interval(TICK);
        while !self.unread {
            let heard = tokio::select! {
                () = signals.next() => return Ok(()),
                Some(heard) = told.recv() => Some(heard),
                Some(heard) = lives.recv() => Some(heard),
                _ = tick.tick() => None,
            };
            if let Some(heard) = heard {
                self.hear(heard)?;
                beats.set(self.pace(), self.ledger.misses());
            }
            self.view.draw(&self.ledger);
        }
        Ok(())
    }

    fn tell(&mut self, news: &News) {
        self.unread |= !self.view.tell(news);
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Failure> {
        match heard {
            Heard::Failed(error) => return self.miss(error),
            Heard::Work { held, waiting } => {
                self.answered();
                for news in self.ledger.listed(held?, Instant::now()) {
                    self.tell(&news);
                }
                if let Some(waiting) = waiting.filter(|_| self.ledger.is_empty()) {
                    self.tell(&News::Idle { why: super::hints::hint(&waiting?) });
                }
            }
            Heard::Beat(ended) => {
                self.answered();
                for news in self.ledger.ended(&ended?) {
                    self.tell(&news);
                }
            }
            Heard::NotAccepted { name, error } => self.tell(&News::NotAccepted { name, why: error.to_string() }),
        }
        Ok(())
    }

    /// Handles a failed call: the pool is unavailable, or it rejects this worker.
    fn miss(&mut self, error: ClientError) -> Result<(), Failure> {
        let passes = match &error {
            ClientError::Problem(told) => told.status >= 500 || matches!(told.status, 408 | 429),
            ClientError::Unreachable { .. }
            | ClientError::Silent { .. }
            | ClientError::Trouble { .. }
            | ClientError::Nonsense { .. }
            | ClientError::TooLong { .. } => true,
            ClientError::Address(_) | ClientError::Versioned { .. } => false,
        };
        if !passes {
            return Err(told::told(error));
        }
        if !std::mem::replace(&mut self.away, true) {
            self.tell(&News::Away { why: error.to_string() });
        }
        Ok(())
    }

    fn answered(&mut self) {
        if std::mem::take(&mut self.away) {
            self.tell(&News::Back);
        }
    }

    /// Returns the heartbeat interval: a third of the shortest time left, so that one heartbeat may be lost.
    fn pace(&self) -> Pace {
        let shortest = self.ledger.shortest(Instant::now());
        let every = shortest.map_or(BEAT_MOST, |left| (left / 3).clamp(BEAT_LEAST, BEAT_MOST));
        Pace { every, working: self.ledger.holds() }
    }
}
