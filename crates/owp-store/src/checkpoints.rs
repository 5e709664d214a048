//! Checkpoints of a SQLite file on a thread of their own, so that hardly any commit has to copy pages from the log into
//! the file.
//!
//! The log can only begin anew when all of it has been copied and nobody writes or reads it, which under load is so only
//! right after a checkpoint of the writer. Therefore the writer still makes one when the log has reached
//! [`super::dialect`]'s `wal_autocheckpoint`; by then there is little left to copy.

use super::error::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two checkpoints.
const EVERY: Duration = Duration::from_millis(200);

/// The thread that makes checkpoints; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread for the SQLite file at `path`.
    pub(super) fn start(path: &str) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("owp-checkpoints".to_owned());
        let run = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // PASSIVE waits for nobody. What fails now is copied by the next checkpoint, or by the writer's.
                if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
                    tracing::debug!(%error, "failed to make a checkpoint");
                }
            }
        };
        let thread = thread.spawn(run).map_err(StoreError::Thread)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checkpoints {
    /// Waits until the thread has closed its connection.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
