//! Ctrl-C, SIGTERM and SIGHUP, handled from startup on, so that held tasks can be released or reported before the
//! process ends.

use crate::cli::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop a worker.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if the parent made the process ignore SIGHUP (`nohup`).
    hangup: Option<Signal>,
    /// True if the last signal was Ctrl-C, so that the user can be asked.
    typed: bool,
}

impl Signals {
    /// Starts listening; from now on the signals no longer end the process.
    pub(super) fn listen() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(|error| Failure::failed(format!("Cannot listen for Ctrl-C: {error}.")));
        let hangup = if hangup_is_ignored() { None } else { Some(hear(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hangup,
            typed: false,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        self.typed = tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => false,
            () = hung_up(&mut self.hangup) => false,
        };
    }

    /// Returns true if the last signal was Ctrl-C; after any other the worker does not ask.
    pub(super) fn was_typed(&self) -> bool {
        self.typed
    }

    /// Runs a future unless a signal interrupts it.
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

/// Returns true if SIGHUP is ignored, as reported by Linux; false elsewhere.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Tests the lowest bit of the ignored signals: signal 1, which is SIGHUP (proc(5), signal(7)).
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
