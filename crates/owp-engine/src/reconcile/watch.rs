//! Detection of changes without a delivery: one conditional request per repository every two minutes, and a sync with a
//! full comparison at once after a change. The timers of counts and comparisons stay behind it.

use crate::Reconciler;
use crate::error::EngineError;
use owp_github::client::RecentChanges;
use owp_pool::{RepoId, Span, Timestamp};
use owp_store::{Scope, transaction};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Upper bound on the clock difference to GitHub.
const SLACK: Span = Span::minutes(2);
/// Number of repositories remembered; beyond that they are read again.
const REMEMBERED: usize = 10_000;

/// The state of each repository that this process saw last.
#[derive(Default)]
pub(crate) struct LastChanges(Mutex<HashMap<RepoId, RecentChanges>>);

impl LastChanges {
    fn get(&self, id: &RepoId) -> Option<RecentChanges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn put(&self, id: RepoId, latest: RecentChanges) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= REMEMBERED && !watched.contains_key(&id) {
            watched.clear();
        }
        watched.insert(id, latest);
    }
}

impl Reconciler<'_> {
    /// Asks GitHub for changes in the next due repository, and has it synced at once if there are any. Returns false
    /// when none is due. After an error from GitHub, the next count takes over.
    pub async fn step_watch(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        let every = self.settings().watch_every;
        let taken = self.write(Scope::global(), transaction!(|tx| Ok(tx.sync().take_watch(every).await?))).await?;
        let Some(row) = taken else { return Ok(false) };
        let known = self.inner().watched.get(&row.id);
        let latest = match self.reader(&row)?.latest_changes(known.as_ref()).await {
            Ok(latest) => latest,
            Err(error) => {
                tracing::debug!(repo = %row.name, %error, "failed to ask GitHub for changes in a repository");
                return Ok(true);
            }
        };
        let moved = match &known {
            Some(known) => !latest.same_as(known),
            // First read of this process: a comparison after the newest change has already seen it.
            None => {
                latest.newest.is_some_and(|at| at + SLACK >= row.compared_at.min(row.counted_at.unwrap_or_default()))
            }
        };
        if moved {
            let id = row.id.clone();
            self.write(
                Scope::repo(&row.id),
                transaction!(|tx| {
                    let now: Timestamp = tx.now();
                    Ok(tx.sync().compare_by(&id, now).await?)
                }),
            )
            .await?;
            self.ring();
        }
        self.inner().watched.put(row.id, latest);
        Ok(true)
    }
}
