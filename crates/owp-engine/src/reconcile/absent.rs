//! Repositories that GitHub stops showing. A single response is not believed: the count fails meanwhile, and nothing is
//! handed out. A repository believed to be gone is checked again, and served as soon as GitHub shows it.

use crate::Reconciler;
use crate::error::EngineError;
use crate::intake::installations::{SUSPENDED, UNINSTALLED};
use crate::reconcile::sync::SyncHold;
use owp_github::client::GitHubError;
use owp_plants::{Plant, is_planted};
use owp_pool::doubt::DoubtKind;
use owp_pool::event::{Event, EventKind};
use owp_pool::{RepoId, Span};
use owp_store::{GitHubRepo, RepoRow, Scope, transaction};
use serde_json::json;

/// Reason recorded for a repository that GitHub answers with 404.
const UNSEEN: &str = "the App may not see the repository any more";
/// Shortest and longest pause before GitHub is asked again for a repository it does not show.
const ASK_AFTER: Span = Span::minutes(1);
const ASK_AFTER_MOST: Span = Span::hours(1);

/// Maps an error to the reason a repository is unreachable; `None` for any other error.
pub(crate) fn why_absent(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::GitHub(error) if error.is_suspended() => Some(SUSPENDED),
        EngineError::GitHub(error) if error.installation_gone() => Some(UNINSTALLED),
        EngineError::GitHub(GitHubError::NotFound { .. }) => Some(UNSEEN),
        // No token covers it: it left the installation, or a permission is missing. GitHub's lists show which.
        EngineError::GitHub(GitHubError::NoToken { cause }) if matches!(**cause, GitHubError::Validation { .. }) => {
            Some(UNSEEN)
        }
        _ => None,
    }
}

impl Reconciler<'_> {
    /// Stops serving a repository that several responses report as unreachable, if GitHub's lists agree.
    pub(crate) async fn believe_absent(&self, row: &RepoRow, why: &'static str) -> Result<(), EngineError> {
        match self.is_listed(row).await {
            Ok(false) => self.stop_absent(row.id.clone(), why).await,
            Ok(true) => {
                tracing::warn!(repo = %row.name, why, "GitHub lists a repository that it does not show; asking again");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(repo = %row.name, %error, "failed to list the repositories the App may see");
                Ok(())
            }
        }
    }

    /// Returns true when GitHub lists the installation as active and the repository as part of it.
    async fn is_listed(&self, row: &RepoRow) -> Result<bool, EngineError> {
        let Some(id) = row.installation_id else { return Ok(false) };
        let client = &self.github_side()?.client;
        if !client.installations().await?.iter().any(|seen| seen.id == id && seen.suspended_at.is_none()) {
            return Ok(false);
        }
        let listed = client.installation_repositories(id).await?;
        Ok(listed.iter().any(|seen| Some(seen.id) == row.github_id))
    }

    /// Stops serving a repository that GitHub does not show, and schedules the next check. Leases stay with their
    /// holders.
    pub(crate) async fn stop_absent(&self, id: RepoId, why: &'static str) -> Result<(), EngineError> {
        self.write(
            Scope::repo(&id),
            transaction!(|tx| {
                tx.doubts().clear(&id, DoubtKind::Repo, 0).await?;
                tx.repos().set_inactive(&id, Some(why)).await?;
                let now = tx.now();
                if !is_planted(Plant::MissingRepositoryStaysAway) {
                    tx.sync().ask_again(&id, now + ASK_AFTER).await?;
                }
                Ok(tx.events().append(&[Event::new(EventKind::RepoRemoved, json!({ "why": why }))])?)
            }),
        )
        .await
    }

    /// Asks GitHub for a missing repository: every minute in the first hour, then less and less often. A repository
    /// that is visible and listed again is served again.
    pub(crate) async fn check_absent(&self, turn: &SyncHold, row: &RepoRow) -> Result<(), EngineError> {
        let found = self.find_absent(row).await;
        if let Ok(Some(seen)) = found {
            let row = self.intake().take_in(seen).await?;
            let added = Event::new(EventKind::RepoAdded, json!({ "name": row.name }));
            let id = row.id.clone();
            let mine = turn.until();
            return self
                .write(
                    Scope::repo(&row.id),
                    transaction!(|tx| {
                        tx.sync().finish(&id, mine).await?;
                        Ok(tx.events().append(&[added])?)
                    }),
                )
                .await;
        }
        if let Err(error) = found {
            tracing::debug!(repo = %row.name, %error, "a repository is still unreachable");
        }
        let (id, mine, since) = (row.id.clone(), turn.until(), row.inactive_since);
        self.write(
            Scope::repo(&row.id),
            transaction!(|tx| {
                if tx.sync().finish(&id, mine).await? {
                    let away = since.map_or(Span(0), |since| tx.now() - since);
                    let wait = Span(away.0 / 60).clamp(ASK_AFTER, ASK_AFTER_MOST);
                    let now = tx.now();
                    tx.sync().ask_again(&id, now + wait).await?;
                }
                Ok(())
            }),
        )
        .await
    }

    async fn find_absent(&self, row: &RepoRow) -> Result<Option<GitHubRepo>, EngineError> {
        let seen = self.reader(row)?.urgent().repository().await?;
        let Some(installation_id) = row.installation_id else { return Ok(None) };
        // Anyone can see a public repository, even without the App.
        if !self.is_listed(row).await? {
            return Ok(None);
        }
        Ok(Some(GitHubRepo {
            github_id: seen.id,
            installation_id,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        }))
    }
}
