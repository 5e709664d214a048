//! Ctrl-C, being asked to end and a terminal that is closed, heard from the first moment on: whoever stops a worker means
//! the worker, and what it holds is to be seen to first.

use crate::cli::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The ways to be stopped.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Nothing when whoever started this said that it outlives its terminal (`nohup`).
    hangup: Option<Signal>,
    /// Whether the last one came from somebody at the keyboard, who can be asked.
    typed: bool,
}

impl Signals {
    /// Listens from now on; the process does not end by them any more.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(super) fn listen() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(|error| Failure::failed(format!("Ctrl-C cannot be heard: {error}.")));
        let hangup = if hangup_is_ignored() { None } else { Some(hear(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hangup,
            typed: false,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        self.typed = tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => false,
            () = hung_up(&mut self.hangup) => false,
        };
    }

    /// Whether it was Ctrl-C that was heard last: whatever else ends a worker waits for no answer.
    pub(super) fn was_typed(&self) -> bool {
        self.typed
    }

    /// Does something, unless it is stopped before.
    pub(super) async fn unless<T>(&mut self, doing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = doing => Some(done),
            () = self.next() => None,
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// As Linux tells it; elsewhere it is taken not to be.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// The lowest bit of the ignored signals is the first signal, which is SIGHUP (proc(5), signal(7)).
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_nohup_started_it_is_read_from_what_linux_tells() {
        assert!(ignores_hangup("Name:\towp\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n") && !ignores_hangup(""));
    }
}
