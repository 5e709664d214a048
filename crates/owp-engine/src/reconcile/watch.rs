//! Watching repositories for changes nobody told of: one conditional request every two minutes, and a count, a compare
//! and a hearing at once when something moved. Counts and compares on their own timers stay behind it.

use crate::Engine;
use crate::error::EngineError;
use owp_github::client::Latest;
use owp_pool::{RepoId, Span, Timestamp};
use owp_store::Scope;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// GitHub's clock and ours differ by less.
const SLACK: Span = Span::minutes(2);
/// Repositories remembered at once; beyond that they are read again.
const REMEMBERED: usize = 10_000;

/// What each repository showed last, to this process.
#[derive(Default)]
pub(crate) struct Watched(Mutex<HashMap<RepoId, Latest>>);

impl Watched {
    fn get(&self, id: &RepoId) -> Option<Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn put(&self, id: RepoId, latest: Latest) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= REMEMBERED && !watched.contains_key(&id) {
            watched.clear();
        }
        watched.insert(id, latest);
    }
}

impl Engine {
    /// Asks GitHub whether anything changed in the repository whose turn it is, and has it synced at once if so. False
    /// when no repository is due.
    ///
    /// # Errors
    /// When the database refuses. What GitHub refuses is left to the next count.
    pub async fn step_watch(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        let every = self.settings().watch_every;
        let taken = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(tx.take_watch(every).await?) })
            })
            .await?;
        let Some(row) = taken else { return Ok(false) };
        let known = self.0.watched.get(&row.id);
        let latest = match self.reader(&row)?.latest_changes(known.as_ref()).await {
            Ok(latest) => latest,
            Err(error) => {
                tracing::debug!(repo = %row.name, %error, "a repository could not be asked for changes");
                return Ok(true);
            }
        };
        let moved = match &known {
            Some(known) => !latest.shows_as(known),
            // The first look of a process: what was compared since the newest change has seen it.
            None => {
                latest.newest.is_some_and(|at| at + SLACK >= row.compared_at.min(row.counted_at.unwrap_or_default()))
            }
        };
        if moved {
            let id = row.id.clone();
            self.store()
                .write(Scope::repo(&row.id), move |tx| {
                    Box::pin(async move {
                        let now: Timestamp = tx.now();
                        Ok::<_, EngineError>(tx.compare_by(&id, now).await?)
                    })
                })
                .await?;
            self.ring();
        }
        self.0.watched.put(row.id, latest);
        Ok(true)
    }
}
