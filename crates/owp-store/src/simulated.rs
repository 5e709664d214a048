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

/// Polls a future on this thread until it is done.
///
/// The driver answers from a thread of its own. A task that waits for such an answer beside something else would see it
/// sooner or later, depending on the machine, and a history would not repeat.
#[cfg(feature = "simulation")]
pub(super) fn in_place<F: Future>(future: F) -> F::Output {
    use std::sync::{Arc, LazyLock};
    use std::task::{Context, Poll, Wake, Waker};
    use tokio::runtime::{Builder, Runtime};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // Connections go back to their pool in tasks. This thread may wait for one, so they run on another.
    static RETURNS: LazyLock<Runtime> = LazyLock::new(|| {
        let built = Builder::new_multi_thread().worker_threads(1).enable_time().build();
        built.unwrap_or_else(|error| panic!("no runtime: {error}"))
    });
    let _entered = RETURNS.enter();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    // The budget of a task is not given back while it is polled.
    let mut future = std::pin::pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(feature = "simulation")]
mod opening {
    use super::CommitFate;
    use crate::dialect::Dialect;
    use crate::open::{Connections, assemble, driver_url, sqlite_path};
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
            let url = match dialect {
                Dialect::Sqlite => driver_url(&sqlite_path(&options.url)?, "rw"),
                Dialect::Postgres => options.url.clone(),
            };
            let connections = Connections { alone, lanes: 1, readers: 1 };
            assemble(dialect, &url, connections, options, None, Some(fate)).await
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
