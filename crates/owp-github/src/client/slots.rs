//! Limits on requests side by side. GitHub allows 100 of an App at once, over REST and GraphQL together:
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>.
//!
//! Several replicas may run, and other programs may use the same App, so a process stays well below that. A request that
//! waits for its turn holds no place of the process while its installation is busy, so that no installation keeps the
//! others waiting.

use super::{Identity, rate_limits::LimitScope};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Requests side by side of this process.
const IN_PROCESS: usize = 40;
/// Requests side by side of one installation, or of the App itself.
const OF_ONE: usize = 10;

/// Places for requests.
pub(super) struct Slots {
    process: Semaphore,
    each: Mutex<HashMap<LimitScope, Arc<Semaphore>>>,
}

/// A place for one request, until this is dropped.
pub(super) struct Slot<'s> {
    _own: Option<OwnedSemaphorePermit>,
    _of_process: Option<SemaphorePermit<'s>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { process: Semaphore::new(IN_PROCESS), each: Mutex::default() }
    }
}

impl Slots {
    /// Waits for a place, in the order of arrival.
    pub(super) async fn take(&self, identity: Identity) -> Slot<'_> {
        let own = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(each.entry(identity.into()).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))))
        };
        // Only a closed semaphore refuses, and these are never closed.
        let own = own.acquire_owned().await.ok();
        Slot { _own: own, _of_process: self.process.acquire().await.ok() }
    }

    /// Drops the places of an installation that is gone.
    pub(super) fn forget(&self, installation: i64) {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.remove(&LimitScope::Installation(installation));
    }
}
