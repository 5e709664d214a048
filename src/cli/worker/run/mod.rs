//! `owp worker run`: asks for work until it is stopped, keeps what it holds alive, and shows it.
//!
//! Three things go on side by side: pulls that wait for work, heartbeats, and this desk, which hears from both, keeps the
//! books and tells what changed.

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
use crate::client::{Client, ClientError};
use crate::config::Environment;
use clap::Args;
use errands::{Beats, Heard, Pace};
use ledger::Ledger;
use news::News;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use view::View;

/// How often a table that counts down is drawn.
const TICK: Duration = Duration::from_secs(1);
/// Heartbeats are no further apart, whatever the leases would allow.
const BEAT_MOST: Duration = Duration::from_secs(30);
const BEAT_LEAST: Duration = Duration::from_secs(1);

/// What becomes of what it holds at the end.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RunArgs {
    /// Gives back what it holds at the end, without asking
    #[arg(long, conflicts_with = "keep_on_exit")]
    release_on_exit: bool,
    /// Keeps what it holds at the end, without asking; this is so anyway where nobody can be asked
    #[arg(long)]
    keep_on_exit: bool,
}

/// Runs until Ctrl-C.
///
/// # Errors
/// When nobody is registered here, the pool cannot be reached in the beginning, or it does not know the worker (any more).
pub(super) async fn run(args: RunArgs, asked: &Asked, env: &Environment) -> Result<(), Failure> {
    let client = asked.worker(env)?;
    let mut signals = Signals::listen()?;
    told::warn_in_clear_text(&client);
    let Some(me) = signals.unless(Me::ask(&client)).await else { return Ok(()) };
    let (me, shown) = me?;
    let mut desk = Desk { view: View::new(asked.json), client, ledger: Ledger::default(), away: false };
    desk.view.tell(&News::Started { me: Box::new(me), server: desk.client.base().to_owned(), shown });
    desk.attend(&mut signals).await?;
    leave::leave(args, &mut desk, &mut signals).await
}

/// Where everything comes together.
struct Desk {
    client: Client,
    ledger: Ledger,
    view: View,
    /// Whether the pool was away when it was last asked, which is told once.
    away: bool,
}

impl Desk {
    /// Goes on until it is stopped.
    async fn attend(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let (tell, mut told) = mpsc::channel(16);
        let beats = Beats::default();
        let mut errands = JoinSet::new();
        errands.spawn(errands::beat(self.client.clone(), beats.clone(), tell.clone()));
        errands.spawn(errands::pull(self.client.clone(), tell));
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = signals.next() => return Ok(()),
                Some(heard) = told.recv() => {
                    self.hear(heard)?;
                    beats.set(self.pace(), self.ledger.misses());
                }
                _ = tick.tick() => {}
            }
            self.view.draw(&self.ledger);
        }
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Failure> {
        match heard {
            Heard::Failed(error) => return self.miss(error),
            Heard::Work { held, waiting } => {
                self.answered();
                for news in self.ledger.listed(held?, Instant::now()) {
                    self.view.tell(&news);
                }
                if let Some(waiting) = waiting.filter(|_| self.ledger.is_empty()) {
                    self.view.tell(&News::Idle { why: super::hints::hint(&waiting?) });
                }
            }
            Heard::Beat(ended) => {
                self.answered();
                for news in self.ledger.ended(&ended?) {
                    self.view.tell(&news);
                }
            }
            Heard::NotAccepted { name, error } => self.view.tell(&News::NotAccepted { name, why: error.to_string() }),
        }
        Ok(())
    }

    /// A call that failed: the pool is away, or does not want this worker.
    fn miss(&mut self, error: ClientError) -> Result<(), Failure> {
        let passes = match &error {
            ClientError::Problem(told) => told.status >= 500 || matches!(told.status, 408 | 429),
            ClientError::Unreachable { .. } | ClientError::Nonsense { .. } => true,
            ClientError::Address(_) => false,
        };
        if !passes {
            return Err(told::told(error));
        }
        if !std::mem::replace(&mut self.away, true) {
            self.view.tell(&News::Away { why: error.to_string() });
        }
        Ok(())
    }

    fn answered(&mut self) {
        if std::mem::take(&mut self.away) {
            self.view.tell(&News::Back);
        }
    }

    /// Heartbeats come at a third of the shortest time that is left, so that one may be lost.
    fn pace(&self) -> Pace {
        let shortest = self.ledger.shortest(Instant::now());
        let every = shortest.map_or(BEAT_MOST, |left| (left / 3).clamp(BEAT_LEAST, BEAT_MOST));
        Pace { every, working: self.ledger.holds() }
    }
}
