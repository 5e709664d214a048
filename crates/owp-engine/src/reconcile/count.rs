//! Count of a repository's open pull requests: lists them, fetches each one that left the list, and only then records
//! success. A listed view never overrules a newer one (§5, invariants 4 and 8). A pull request is gone only when list
//! and direct request agree several times, at different times; until then it keeps its slot.

use crate::Reconciler;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::reconcile::sync::SyncHold;
use crate::tracking::commits::PullDetails;
use crate::tracking::pulls;
use owp_github::client::{GitHubError, PullInfo, RepoReader};
use owp_plants::{Plant, is_planted};
use owp_pool::Timestamp;
use owp_pool::budget::CountState;
use owp_pool::doubt::DoubtKind;
use owp_pool::event::{Event, EventKind};
use owp_store::{PullRow, Scope, transaction};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Reconciler<'_> {
    /// Counts for a claim that would otherwise be refused because the count is unknown. After a failure, restart or
    /// suspension nobody should have to claim twice. If the count fails again, admission says so.
    pub(crate) async fn count_for_claim(&self, reader: &RepoReader, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        let (row, began) = self.read(transaction!(|tx| Ok((tx.repos().get(&id).await?, tx.now())))).await?;
        let Some(row) = row.filter(|row| row.inactive.is_none()) else { return Ok(()) };
        let repo = self.context(row);
        if matches!(repo.count_state(began), CountState::Known(_)) {
            return Ok(());
        }
        match self.count(reader, &repo, began, None).await {
            Err(EngineError::GitHub(error)) => {
                tracing::warn!(repo = %repo.row.name, %error, "failed to count open pull requests for a claim");
                Ok(())
            }
            counted => counted,
        }
    }

    /// Counts open pull requests. A sync passes its turn, which is renewed during the count.
    pub(crate) async fn count(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
        mut turn: Option<&mut SyncHold>,
    ) -> Result<(), EngineError> {
        let mut views = reader.open_pulls().await?;
        let listed: BTreeSet<i64> = views.iter().map(|pull| pull.number).collect();
        let id = repo.row.id.clone();
        let (stored, doubts) =
            self.read(transaction!(|tx| Ok((tx.pulls().open(&id).await?, tx.doubts().of_repo(&id).await?)))).await?;
        let known: BTreeMap<i64, PullRow> = stored.into_iter().map(|pull| (pull.facts.number, pull)).collect();
        views.retain(|view| known.get(&view.number).is_none_or(|known| !known.reads_as(&pulls::row_of(view, repo))));
        let doubted: BTreeSet<i64> =
            doubts.into_iter().filter(|(kind, ..)| *kind == DoubtKind::Pull).map(|(_, number, _)| number).collect();
        for missing in known.into_keys().chain(doubted.iter().copied()).collect::<BTreeSet<_>>().difference(&listed) {
            self.keep_turn(turn.as_deref_mut()).await?;
            match reader.pull(*missing).await {
                _ if is_planted(Plant::LeftPullsStayOpen) => {}
                Ok(pull) => views.push(pull),
                Err(error) if is_missing(&error) => drop(self.doubt_pull(repo, *missing).await?),
                Err(error) => return Err(error.into()),
            }
        }
        for view in views {
            self.keep_turn(turn.as_deref_mut()).await?;
            let look = self.tracking().fetch_checks(reader, repo, view, false).await?;
            self.apply_pull(repo, look).await?;
        }
        self.keep_turn(turn).await?;
        let (id, before, open) = (repo.row.id.clone(), repo.count_state(began), listed.len());
        self.write(
            Scope::repo(&repo.row.id),
            transaction!(|tx| {
                for shown in doubted.intersection(&listed) {
                    tx.doubts().clear(&id, DoubtKind::Pull, *shown).await?;
                }
                tx.sync().record_count(&id, began).await?;
                if matches!(before, CountState::Known(_)) {
                    return Ok(());
                }
                let taken = Event::new(EventKind::CountTaken, json!({ "open": open }));
                Ok(tx.events().append(&[taken])?)
            }),
        )
        .await
    }

    /// Fetches a pull request and, if GitHub does not show it, searches the list of open ones. Returns `None` when both
    /// say that it is not there.
    pub(crate) async fn find_pull(&self, reader: &RepoReader, number: i64) -> Result<Option<PullInfo>, EngineError> {
        match reader.pull(number).await {
            Ok(pull) => Ok(Some(pull)),
            Err(error) if is_missing(&error) => {
                // An inaccessible repository answers "not found" for everything: fetch it, and fail with that error.
                reader.repository().await?;
                Ok(reader.open_pulls().await?.into_iter().find(|pull| pull.number == number))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records that neither list nor direct request shows a pull request. Returns true once that is believed, and
    /// closes it; until then the next count comes soon.
    pub(crate) async fn doubt_pull(&self, repo: &RepoContext, number: i64) -> Result<bool, EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.write(Scope::repo(&repo.row.id), transaction!(|tx| {
let doubt = tx.doubts().record(&id, DoubtKind::Pull, number).await?;
                    if !doubt.is_confirmed() && !is_planted(Plant::MissingPullIsClosedAtOnce) {
                        tracing::warn!(repo = %id, pull = number, answers = doubt.answers, "GitHub does not show a pull request");
                        tx.sync().sync_by(&id, doubt.next_at()).await?;
                        return Ok(false);
                    }
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    pulls::vanished(tx, &repo, number, false).await?;
                    Ok(true)
}))
            .await
    }

    /// Applies one pull request in its own transaction, if it changed.
    pub(crate) async fn apply_pull(&self, repo: &RepoContext, look: PullDetails) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        self.in_repo(
            &repo.row.id,
            transaction!(|tx, repo| {
                let fresh = pulls::row_of(&look.info, &repo);
                if tx.pulls().get(&id, look.info.number).await?.is_some_and(|known| known.reads_as(&fresh)) {
                    tx.doubts().clear(&id, DoubtKind::Pull, look.info.number).await?;
                    return Ok(());
                }
                pulls::apply(tx, &repo, &look).await
            }),
        )
        .await
    }
}

/// Returns true when GitHub says that the resource does not exist.
fn is_missing(error: &GitHubError) -> bool {
    matches!(error, GitHubError::NotFound { .. } | GitHubError::Gone { .. })
}
