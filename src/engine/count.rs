//! Counting a repository's open pull requests: lists them, looks at each one that left the list, and only then records
//! success. Views from a list never overrule a newer one (§5, invariants 4 and 8).

use super::commits::PullLook;
use super::error::EngineError;
use super::facts::RepoContext;
use super::{Engine, pulls};
use crate::github::client::{GitHubError, RepoReader};
use crate::pool::Timestamp;
use crate::pool::event::{Event, EventKind};
use crate::store::{PullRow, RepoRow, Scope};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// Counts for a claim that would otherwise be refused because the count is not known: after a failure, a restart or
    /// a suspension nobody should have to ask twice. When it fails again, admission says so.
    pub(super) async fn count_for_claim(&self, reader: &RepoReader, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        let (row, began) = self.read(move |tx| Box::pin(async move { Ok((tx.repo(&id).await?, tx.now())) })).await?;
        let unknown = |row: &RepoRow| row.counted_at.is_none() || row.count_failed_at.is_some();
        let Some(row) = row.filter(|row| row.inactive.is_none() && unknown(row)) else { return Ok(()) };
        match self.count(reader, &self.context(row), began).await {
            Err(EngineError::GitHub(error)) => {
                tracing::warn!(repo = %repo.row.name, %error, "open pull requests could not be counted for a claim");
                Ok(())
            }
            counted => counted,
        }
    }

    pub(super) async fn count(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
    ) -> Result<(), EngineError> {
        let listed = reader.open_pulls().await?;
        let numbers: BTreeSet<i64> = listed.iter().map(|pull| pull.number).collect();
        let id = repo.row.id.clone();
        let stored = self.read(move |tx| Box::pin(async move { Ok(tx.open_pulls(&id).await?) })).await?;
        let known: BTreeMap<i64, PullRow> = stored.into_iter().map(|pull| (pull.facts.number, pull)).collect();
        let mut views = listed;
        views.retain(|view| known.get(&view.number).is_none_or(|known| !known.reads_as(&pulls::row_of(view, repo))));
        for missing in known.into_keys().filter(|n| !numbers.contains(n)) {
            match reader.pull(missing).await {
                Ok(pull) => views.push(pull),
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => self.drop_pull(repo, missing).await?,
                Err(error) => return Err(error.into()),
            }
        }
        for view in views {
            let look = self.look_at_commit(reader, repo, view, false).await?;
            self.apply_pull(repo, look).await?;
        }
        let (id, before) = (repo.row.id.clone(), repo.row.clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    tx.record_count(&id, began).await?;
                    if before.counted_at.is_some() && before.count_failed_at.is_none() {
                        return Ok(());
                    }
                    let taken = Event::new(EventKind::CountTaken, json!({ "open": numbers.len() }));
                    Ok(tx.append_events(&[taken]).await?)
                })
            })
            .await
    }

    /// Applies one pull request by itself, if it is news.
    pub(super) async fn apply_pull(&self, repo: &RepoContext, look: PullLook) -> Result<(), EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    let fresh = pulls::row_of(&look.info, &repo);
                    if tx.pull(&id, look.info.number).await?.is_some_and(|known| known.reads_as(&fresh)) {
                        return Ok(());
                    }
                    pulls::apply(tx, &repo, &look).await
                })
            })
            .await
    }

    /// Closes a pull request that GitHub does not show any more, although it shows the others.
    async fn drop_pull(&self, repo: &RepoContext, number: i64) -> Result<(), EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    pulls::vanished(tx, &repo, number).await
                })
            })
            .await
    }
}
