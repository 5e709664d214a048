//! Synchronising one repository with GitHub on a timer: count, compare, hear. Heals what lost deliveries left behind.
//!
//! Each part has its own file (`count`, `compare`, `hear`); this one takes a repository, runs them and records the end.

use super::Engine;
use super::error::EngineError;
use crate::github::client::GitHubError;
use crate::pool::event::{Event, EventKind};
use crate::pool::{Span, Timestamp};
use crate::store::{RepoRow, RepoSighting, Scope};
use serde_json::json;

/// How long one sync may take before another process takes it over.
const HOLD: Span = Span::minutes(10);
/// How soon a failed count is tried again.
const RETRY: Span = Span::secs(15);

impl Engine {
    /// Syncs the repository that has waited longest. False when none is due.
    ///
    /// # Errors
    /// When the database refuses. What GitHub refuses is recorded with the repository.
    pub async fn step_sync(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        let every = self.settings().count_every;
        let taken = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let (until, next) = (tx.now() + HOLD, tx.now() + every);
                    Ok::<_, EngineError>(tx.take_sync(until, next).await?.map(|row| (row, tx.now())))
                })
            })
            .await?;
        let Some((row, began)) = taken else { return Ok(false) };
        let mut counted = false;
        let outcome = self.sync(row.clone(), began, &mut counted).await;
        self.end_sync(&row, outcome, counted).await?;
        self.ring();
        Ok(true)
    }

    /// Gives the repository back. A count that failed stops grants; a compare or a hearing that did is only repeated.
    async fn end_sync(
        &self,
        row: &RepoRow,
        outcome: Result<(), EngineError>,
        counted: bool,
    ) -> Result<(), EngineError> {
        let id = row.id.clone();
        let failure = match outcome {
            Ok(()) => None,
            Err(EngineError::Store(error)) => return Err(error.into()),
            Err(error) => Some(error),
        };
        if let Some(error) = &failure {
            tracing::warn!(repo = %row.name, %error, counted, "a repository could not be synced");
        }
        // What disappears while issues are compared is an issue, not the repository.
        let gone = failure.as_ref().filter(|_| !counted).and_then(why_gone);
        let first = row.count_failed_at.is_none();
        self.store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    tx.finish_sync(&id).await?;
                    let Some(error) = failure else { return Ok(()) };
                    if !counted {
                        tx.record_count_failure(&id).await?;
                    }
                    if let Some(why) = gone {
                        tx.set_inactive(&id, Some(why)).await?;
                        tx.append_events(&[Event::new(EventKind::RepoRemoved, json!({ "why": why }))]).await?;
                        return Ok(());
                    }
                    if first && !counted {
                        let why = json!({ "why": error.to_string() });
                        tx.append_events(&[Event::new(EventKind::CountFailed, why)]).await?;
                    }
                    let retry_at = match &error {
                        EngineError::GitHub(error) => error.retry_at().unwrap_or_default(),
                        _ => Timestamp::default(),
                    };
                    let due = retry_at.max(tx.now() + RETRY);
                    Ok(tx.sync_by(&id, due).await?)
                })
            })
            .await
    }

    async fn sync(&self, row: RepoRow, began: Timestamp, counted: &mut bool) -> Result<(), EngineError> {
        let row = self.resight(row).await?;
        if row.inactive.is_some() {
            return Ok(());
        }
        let row = self.with_policy(row, Span(0)).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        self.count(&reader, &repo, began).await?;
        *counted = true;
        self.recheck(&reader, &repo).await?;
        if repo.row.compared_at + self.settings().compare_every <= began {
            self.compare(&reader, &repo, began).await?;
        }
        self.hear(&reader, &repo, began).await
    }

    /// Looks at the repository itself: its name, privacy and archive flag may have changed.
    async fn resight(&self, row: RepoRow) -> Result<RepoRow, EngineError> {
        let seen = self.reader(&row)?.repository().await?;
        let Some(installation_id) = row.installation_id else { return Ok(row) };
        let sighting = RepoSighting {
            github_id: seen.id,
            installation_id,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        };
        if (&sighting.name, sighting.private, sighting.archived) == (&row.name, row.private, false) {
            return Ok(row);
        }
        let id = row.id.clone();
        let renamed = json!({ "name": sighting.name, "private": sighting.private, "archived": sighting.archived });
        self.store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    tx.record_sighting(&sighting, false).await?;
                    tx.append_events(&[Event::new(EventKind::RepoUpdated, renamed)]).await?;
                    Ok(tx.repo(&id).await?.unwrap_or(row))
                })
            })
            .await
    }
}

/// Why a repository is out of reach for good, when that is what an error says.
fn why_gone(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::GitHub(error) if error.is_suspended() => Some("the App's installation is suspended"),
        EngineError::GitHub(error) if error.installation_gone() => Some("the App was uninstalled"),
        EngineError::GitHub(GitHubError::NotFound { .. }) => Some("the App may not see the repository any more"),
        _ => None,
    }
}
