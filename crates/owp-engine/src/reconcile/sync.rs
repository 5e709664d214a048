//! Synchronising one repository with GitHub on a timer: count, compare, hear. Heals what lost deliveries left behind.
//!
//! Each part has its own file (`count`, `compare`, `hear`); this one takes a repository, runs them and records the end.

use crate::Engine;
use crate::error::EngineError;
use owp_pool::doubt::DoubtKind;
use owp_pool::event::{Event, EventKind};
use owp_pool::{RepoId, Span, Timestamp};
use owp_store::{RepoRow, RepoSighting, Scope, StoreError};
use serde_json::json;

/// How long a sync holds its repository; it renews the hold while it works, so a crash costs no more than this.
const HOLD: Span = Span::minutes(2);
/// The hold after a sync that did not end: a list of many slow pages may take longer than the usual one.
const LONGER: Span = Span::minutes(10);
/// A hold is renewed once this much of it has passed.
const RENEW_AFTER: Span = Span::secs(30);
/// How soon a failed count is tried again.
const RETRY: Span = Span::secs(15);

/// A sync that this process holds.
#[derive(Debug)]
pub(crate) struct Turn {
    repo: RepoId,
    /// Until when, which tells it from the turns of others.
    until: Timestamp,
    /// When it was renewed last, by this machine's clock.
    renewed_at: Timestamp,
}

impl Turn {
    /// Until when it is held.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }
}

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
                    let taken = tx.take_sync((HOLD, LONGER), tx.now() + every).await?;
                    Ok::<_, EngineError>(taken.map(|(row, until)| (row, until, tx.now())))
                })
            })
            .await?;
        let Some((row, until, began)) = taken else { return Ok(false) };
        let renewed_at = Timestamp(self.store().clock().now_ms());
        let mut turn = Turn { repo: row.id.clone(), until, renewed_at };
        if row.inactive.is_some() {
            self.look_for_absent(&turn, &row).await?;
        } else {
            let mut counted = false;
            let outcome = self.sync(&mut turn, row.clone(), began, &mut counted).await;
            self.end_sync(&turn, &row, outcome, counted).await?;
        }
        self.ring();
        Ok(true)
    }

    /// Renews a turn, between calls to GitHub, once enough of it has passed.
    ///
    /// # Errors
    /// When somebody else took the repository over, so that the sync must be abandoned.
    pub(crate) async fn keep_turn(&self, turn: Option<&mut Turn>) -> Result<(), EngineError> {
        let Some(turn) = turn else { return Ok(()) };
        let now = Timestamp(self.store().clock().now_ms());
        if (turn.renewed_at..turn.renewed_at + RENEW_AFTER).contains(&now) {
            return Ok(());
        }
        let (id, mine) = (turn.repo.clone(), turn.until);
        let renewed = self
            .store()
            .write(Scope::global(), move |tx| Box::pin(async move { tx.renew_sync(&id, mine, HOLD).await }))
            .await?;
        let Some(until) = renewed else {
            return Err(StoreError::Corrupt(format!("the sync of {} was taken over", turn.repo)).into());
        };
        (turn.until, turn.renewed_at) = (until, now);
        Ok(())
    }

    /// Gives the repository back. A count that failed stops grants; a compare or a hearing that did is only repeated.
    async fn end_sync(
        &self,
        turn: &Turn,
        row: &RepoRow,
        outcome: Result<(), EngineError>,
        counted: bool,
    ) -> Result<(), EngineError> {
        let failure = outcome.as_ref().err().map(ToString::to_string);
        if let Some(error) = &failure {
            tracing::warn!(repo = %row.name, %error, counted, "a repository could not be synced");
        }
        // What disappears while issues are compared is an issue, not the repository.
        let why_absent = outcome.as_ref().err().filter(|_| !counted).and_then(crate::reconcile::absent::why_absent);
        let retry_at = match &outcome {
            Err(EngineError::GitHub(error)) => error.retry_at().unwrap_or_default(),
            _ => Timestamp::default(),
        };
        let (id, mine, first) = (row.id.clone(), turn.until, row.count_failed_at.is_none());
        let believed = self
            .store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    // Whoever took it over records how that ends.
                    if !tx.finish_sync(&id, mine).await? {
                        return Ok(false);
                    }
                    let believed = match why_absent {
                        Some(_) => tx.doubt(&id, DoubtKind::Repo, 0).await?.is_believed(),
                        None if counted => tx.clear_doubt(&id, DoubtKind::Repo, 0).await.map(|_| false)?,
                        None => false,
                    };
                    let Some(error) = failure else { return Ok(false) };
                    if !counted {
                        tx.record_count_failure(&id).await?;
                    }
                    if first && !counted {
                        tx.append_events(&[Event::new(EventKind::CountFailed, json!({ "why": error }))]).await?;
                    }
                    let due = retry_at.max(tx.now() + RETRY);
                    tx.sync_by(&id, due).await?;
                    Ok::<_, EngineError>(believed)
                })
            })
            .await;
        match (outcome, believed) {
            // The failure of the sync itself says more than that it could not be recorded either.
            (Err(EngineError::Store(error)), _) => Err(error.into()),
            (_, Ok(true)) => self.believe_absent(row, why_absent.unwrap_or_default()).await,
            (_, recorded) => recorded.map(drop),
        }
    }

    async fn sync(
        &self,
        turn: &mut Turn,
        row: RepoRow,
        began: Timestamp,
        counted: &mut bool,
    ) -> Result<(), EngineError> {
        let row = self.resight(row).await?;
        if row.inactive.is_some() {
            return Ok(());
        }
        let row = self.with_policy(row, Span(0)).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        self.count(&reader, &repo, began, Some(turn)).await?;
        *counted = true;
        self.recheck(&reader, &repo).await?;
        self.keep_turn(Some(turn)).await?;
        self.look_at_doubted(&reader, &repo).await?;
        if repo.row.wants_compare(self.settings().compare_every, began) {
            self.compare(&reader, &repo, began, turn).await?;
        }
        self.hear(&reader, &repo, began, turn).await
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
