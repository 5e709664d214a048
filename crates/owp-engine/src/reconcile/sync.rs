//! Reconciliation of one repository with GitHub on a timer: count, compare, read comments. It repairs what lost
//! deliveries left behind.
//!
//! Each part has its own file (`count`, `compare`, `lost_commands`); this one takes a repository, runs them and records
//! the outcome.

use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::{RENEWALS, Reconciler};
use owp_pool::doubt::DoubtKind;
use owp_pool::event::{Event, EventKind};
use owp_pool::{RepoId, Span, Timestamp};
use owp_store::{GitHubRepo, RepoRow, Scope, StoreError, transaction};
use serde_json::json;

/// Holds that a sync gets after one that did not finish: a list of many slow pages may need longer.
const LONGER: i64 = 5;
/// Pause before a failed count is retried.
const RETRY: Span = Span::secs(15);

/// This process's hold on a repository's sync.
#[derive(Debug)]
pub(crate) struct SyncHold {
    repo: RepoId,
    /// End of the hold, which also tells it from the holds of others.
    until: Timestamp,
    /// Last renewal, by this machine's clock.
    renewed_at: Timestamp,
}

impl SyncHold {
    /// Returns the end of the hold.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }
}

impl Reconciler<'_> {
    /// Syncs the repository that has waited longest. Returns false when none is due. GitHub's errors are recorded with
    /// the repository.
    pub async fn step_sync(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        let (every, hold) = (self.settings().count_every, self.settings().takeover_after);
        let taken = self
            .write(
                Scope::global(),
                transaction!(|tx| {
                    let now = tx.now();
                    let taken = tx.sync().take((hold, hold * LONGER), now + every).await?;
                    Ok(taken.map(|(row, until)| (row, until, tx.now())))
                }),
            )
            .await?;
        let Some((row, until, began)) = taken else { return Ok(false) };
        // Others may be due as well.
        self.inner().sync_more.notify_one();
        let renewed_at = Timestamp(self.store().clock().now_ms());
        let mut turn = SyncHold { repo: row.id.clone(), until, renewed_at };
        if row.inactive.is_some() {
            self.check_absent(&turn, &row).await?;
        } else {
            let mut counted = false;
            let outcome = self.sync(&mut turn, row.clone(), began, &mut counted).await;
            self.end_sync(&turn, &row, outcome, counted).await?;
        }
        self.ring();
        Ok(true)
    }

    /// Renews a hold, between calls to GitHub, once enough of it has passed.
    ///
    /// # Errors
    /// An error when another process took the repository over: the sync must be abandoned.
    pub(crate) async fn keep_turn(&self, turn: Option<&mut SyncHold>) -> Result<(), EngineError> {
        let Some(turn) = turn else { return Ok(()) };
        let now = Timestamp(self.store().clock().now_ms());
        let hold = self.settings().takeover_after;
        if (Span(0)..hold).contains(&((now - turn.renewed_at) * RENEWALS)) {
            return Ok(());
        }
        let (id, mine) = (turn.repo.clone(), turn.until);
        let renewed =
            self.store().write(Scope::global(), transaction!(|tx| tx.sync().renew(&id, mine, hold).await)).await?;
        let Some(until) = renewed else {
            return Err(StoreError::Corrupt(format!("the sync of {} was taken over", turn.repo)).into());
        };
        (turn.until, turn.renewed_at) = (until, now);
        Ok(())
    }

    /// Releases the repository. A failed count stops grants; a failed comparison or comment read is only repeated.
    async fn end_sync(
        &self,
        turn: &SyncHold,
        row: &RepoRow,
        outcome: Result<(), EngineError>,
        counted: bool,
    ) -> Result<(), EngineError> {
        let failure = outcome.as_ref().err().map(ToString::to_string);
        if let Some(error) = &failure {
            tracing::warn!(repo = %row.name, %error, counted, "failed to sync a repository");
        }
        // A 404 during the comparison concerns an issue, not the repository.
        let why_absent = outcome.as_ref().err().filter(|_| !counted).and_then(crate::reconcile::absent::why_absent);
        let retry_at = match &outcome {
            Err(EngineError::GitHub(error)) => error.retry_at().unwrap_or_default(),
            _ => Timestamp::default(),
        };
        let (id, mine, first) = (row.id.clone(), turn.until, row.count_failed_at.is_none());
        let believed = self
            .write(
                Scope::repo(&row.id),
                transaction!(|tx| {
                    // If another process took over, it records the outcome.
                    if !tx.sync().finish(&id, mine).await? {
                        return Ok(false);
                    }
                    let believed = match why_absent {
                        Some(_) => tx.doubts().record(&id, DoubtKind::Repo, 0).await?.is_confirmed(),
                        None if counted => tx.doubts().clear(&id, DoubtKind::Repo, 0).await.map(|_| false)?,
                        None => false,
                    };
                    let Some(error) = failure else { return Ok(false) };
                    if !counted {
                        tx.sync().record_count_failure(&id).await?;
                    }
                    if first && !counted {
                        tx.events().append(&[Event::new(EventKind::CountFailed, json!({ "why": error }))])?;
                    }
                    let due = retry_at.max(tx.now() + RETRY);
                    tx.sync().sync_by(&id, due).await?;
                    Ok(believed)
                }),
            )
            .await;
        match (outcome, believed) {
            // The failure of the sync itself says more than the failure to record it.
            (Err(EngineError::Store(error)), _) => Err(error.into()),
            (_, Ok(true)) => self.believe_absent(row, why_absent.unwrap_or_default()).await,
            (_, recorded) => recorded.map(drop),
        }
    }

    async fn sync(
        &self,
        turn: &mut SyncHold,
        row: RepoRow,
        began: Timestamp,
        counted: &mut bool,
    ) -> Result<(), EngineError> {
        let row = self.resight(row).await?;
        if row.inactive.is_some() {
            return Ok(());
        }
        let row = self.policies().with_policy(row, Span(0)).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        self.count(&reader.urgent(), &repo, began, Some(turn)).await?;
        *counted = true;
        if let Some(until) = reader.waits_until() {
            return self.put_off(&repo, until).await;
        }
        let compares = repo.row.wants_compare(self.settings().compare_every, began);
        if compares && self.puts_count_first(&repo).await? {
            return Ok(());
        }
        self.tracking().recheck(&reader, &repo).await?;
        self.keep_turn(Some(turn)).await?;
        self.recheck_doubted(&reader, &repo).await?;
        if compares {
            self.compare(&reader, &repo, began, turn).await?;
        }
        self.find_lost_commands(&reader, &repo, began, turn).await
    }

    /// Puts off all but the count until the installation's quota is renewed. What is due stays recorded as due.
    async fn put_off(&self, repo: &RepoContext, until: Timestamp) -> Result<(), EngineError> {
        tracing::info!(repo = %repo.row.name, until = until.rfc3339(), "counted; the comparison waits for the next hour's quota");
        let id = repo.row.id.clone();
        self.write(Scope::repo(&repo.row.id), transaction!(|tx| Ok(tx.sync().sync_by(&id, until).await?))).await
    }

    /// Puts off a comparison while another repository waits for its first count: nothing is granted there before, while
    /// a comparison only brings what is new. Returns false when none waits.
    async fn puts_count_first(&self, repo: &RepoContext) -> Result<bool, EngineError> {
        if !self.read(transaction!(|tx| Ok(tx.sync().count_waits().await?))).await? {
            return Ok(false);
        }
        let id = repo.row.id.clone();
        self.write(Scope::repo(&repo.row.id), transaction!(|tx| Ok(tx.sync().sync_now(&id).await?))).await?;
        Ok(true)
    }

    /// Fetches the repository itself: its name, privacy and archive flag may have changed.
    async fn resight(&self, row: RepoRow) -> Result<RepoRow, EngineError> {
        let seen = self.reader(&row)?.urgent().repository().await?;
        let Some(installation_id) = row.installation_id else { return Ok(row) };
        let sighting = GitHubRepo {
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
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                tx.repos().record_github(&sighting, false).await?;
                tx.events().append(&[Event::new(EventKind::RepoUpdated, renamed)])?;
                Ok(tx.repos().get(&id).await?.unwrap_or(row))
            }),
        )
        .await
    }
}
