//! Databases for simulations: several stores of one process share a SQLite file, and commits end as the simulation says.

use std::fmt;
use tokio::sync::oneshot;

/// How a commit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// As always.
    Commit,
    /// It is rolled back, with this error.
    Refuse(&'static str),
    /// It takes effect, and its caller gets this error.
    LoseAnswer(&'static str),
}

/// Decides how the commits of one store end.
pub trait CommitFate: fmt::Debug + Send + Sync {
    /// Called once before each commit.
    fn of_next_commit(&self) -> Fate;

    /// Called before each transaction begins; it waits for the receiver, if there is one.
    fn before_next_transaction(&self) -> Option<oneshot::Receiver<()>>;
}

#[cfg(feature = "simulation")]
mod opening {
    use super::CommitFate;
    use crate::dialect::Dialect;
    use crate::open::{Connections, assemble};
    use crate::{Store, StoreError, StoreOptions};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    impl Store {
        /// Opens a database that has its schema already, without a lock file: other stores may have it open too.
        ///
        /// # Errors
        /// The URL is unusable.
        pub async fn open_simulated(
            options: StoreOptions,
            alone: bool,
            fate: Arc<dyn CommitFate>,
        ) -> Result<Self, StoreError> {
            let dialect = Dialect::of_url(&options.url)?;
            let connections = Connections { alone, lanes: 1, readers: 1 };
            assemble(dialect, connections, options, None, Some(fate)).await
        }

        /// Returns true while no snapshot is in use.
        #[must_use]
        pub fn is_not_reading(&self) -> bool {
            self.0.reading.load(Ordering::Relaxed) == 0
        }

        /// Returns true while no change waits or runs.
        #[must_use]
        pub fn is_not_writing(&self) -> bool {
            self.0.lanes.iter().all(|lane| lane.gauge.jobs() == 0)
        }
    }
}
