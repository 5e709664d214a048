//! The App's installations: learnt from GitHub at startup, on a timer, and at once after a delivery about them.

use crate::Intake;
use crate::error::EngineError;
use owp_github::client::{GitHubError, Installation, RepoInfo};
use owp_github::payload::{Incoming, InstallationAction, Kind, RepoRef, RepositoryAction};
use owp_plants::{Plant, is_planted};
use owp_pool::RepoId;
use owp_pool::event::{Event, EventKind};
use owp_store::{GitHubRepo, RepoRow, Scope, transaction};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) const UNINSTALLED: &str = "the App was uninstalled";
pub(crate) const SUSPENDED: &str = "the App's installation is suspended";
const REMOVED: &str = "the repository was removed from the App's installation";

/// Source of the claim that a repository is no longer served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LossSource {
    /// A signed delivery, which is believed.
    Delivery,
    /// A response from GitHub, which may be wrong: GitHub is asked again.
    Answer,
}

/// Returns true if an installation's repositories cannot be read, and not for the moment only.
pub(super) fn is_unreadable(error: &GitHubError) -> bool {
    error.is_suspended() || error.installation_gone() || matches!(error, GitHubError::NotFound { .. })
}

impl Intake<'_> {
    /// Compares the known installations with all pages of GitHub's list.
    ///
    /// # Errors
    /// [`EngineError::GitHub`]; what was learnt is kept, and an unreadable installation does not hide the others.
    pub async fn step_installations(&self) -> Result<(), EngineError> {
        let Some(github) = self.github() else { return Ok(()) };
        self.purge_inbox().await?;
        let began = self.read(transaction!(|tx| Ok(tx.now()))).await?;
        let installations = github.client.installations().await?;
        let listed: BTreeSet<i64> = installations.iter().map(|i| i.id).collect();
        let mut failed = None;
        for installation in &installations {
            if let Err(error) = self.learn_installation(installation.clone()).await {
                tracing::warn!(installation = installation.id, %error, "failed to read an installation");
                failed.get_or_insert(error);
            }
        }
        let known = self.read(transaction!(|tx| Ok(tx.installations().ids().await?))).await?;
        for gone in known.into_iter().filter(|id| !listed.contains(id)) {
            self.miss_installation(gone).await?;
        }
        self.ring();
        if let Some(error) = failed {
            return Err(error);
        }
        self.write(Scope::global(), transaction!(|tx| Ok(tx.uptime().mark_listed(began).await?))).await
    }

    async fn learn_installation(&self, seen: Installation) -> Result<(), EngineError> {
        let (id, suspended) = (seen.id, seen.suspended_at.is_some());
        self.write(
            Scope::global(),
            transaction!(|tx| {
                tx.installations().record(id, &seen.account_login, suspended).await?;
                if tx.installations().record_permissions(id, &seen.permissions).await? {
                    // A full sync repeats what failed for want of a permission.
                    tx.installations().resync(id).await?;
                }
                Ok(())
            }),
        )
        .await?;
        if suspended {
            return self.stop_installation(id, SUSPENDED, LossSource::Answer).await;
        }
        self.learn_repositories(id).await
    }

    /// Stops an installation that GitHub does not list, if GitHub gives no token for it either.
    async fn miss_installation(&self, id: i64) -> Result<(), EngineError> {
        if self.repos_of(id).await?.iter().all(|row| row.inactive.as_deref() == Some(UNINSTALLED)) {
            return Ok(());
        }
        let client = &self.github_side()?.client;
        client.forget(id).await;
        match client.installation_repositories(id).await {
            Err(error) if error.installation_gone() => {
                self.stop_installation(id, UNINSTALLED, LossSource::Answer).await
            }
            Err(error) if error.is_transient() => Err(error.into()),
            answer => {
                tracing::warn!(installation = id, ?answer, "GitHub knows an installation that it does not list");
                Ok(())
            }
        }
    }

    async fn learn_repositories(&self, id: i64) -> Result<(), EngineError> {
        let repositories = match self.github_side()?.client.installation_repositories(id).await {
            Ok(repositories) => repositories,
            // GitHub has just listed it as active: the next counts show which response was wrong.
            Err(error) if is_unreadable(&error) => {
                tracing::warn!(installation = id, %error, "GitHub lists an installation but issues no token for it");
                return self.write(Scope::global(), transaction!(|tx| Ok(tx.installations().resync(id).await?))).await;
            }
            Err(error) => return Err(error.into()),
        };
        let listed: BTreeSet<i64> = repositories.iter().map(|r| r.id).collect();
        for repository in repositories {
            self.learn_repository(id, repository).await?;
        }
        for row in self.repos_of(id).await? {
            if row.github_id.is_none_or(|github_id| !listed.contains(&github_id)) && row.inactive.is_none() {
                self.reconciler().stop_absent(row.id, REMOVED).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn learn_repository(&self, installation_id: i64, seen: RepoInfo) -> Result<(), EngineError> {
        let github_id = seen.id;
        let known = self.read(transaction!(|tx| Ok(tx.repos().by_github_id(github_id).await?))).await?;
        let unchanged = known.as_ref().is_some_and(|row| {
            row.managed
                && row.installation_id == Some(installation_id)
                && row.name == seen.full_name
                && row.private == seen.private
                && row.inactive.is_none() != seen.archived
        });
        if unchanged {
            return Ok(());
        }
        let sighting = GitHubRepo {
            github_id,
            installation_id,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        };
        let row = self.take_in(sighting).await?;
        let added = Event::new(EventKind::RepoAdded, json!({ "name": row.name }));
        self.write(Scope::repo(&row.id), transaction!(|tx| Ok(tx.events().append(&[added])?))).await
    }

    async fn repos_of(&self, installation: i64) -> Result<Vec<RepoRow>, EngineError> {
        self.read(transaction!(|tx| Ok(tx.installations().repos(installation).await?))).await
    }

    async fn stop_installation(&self, id: i64, why: &'static str, by: LossSource) -> Result<(), EngineError> {
        if why == UNINSTALLED {
            self.github_side()?.client.forget(id).await;
        }
        for row in self.repos_of(id).await? {
            if row.inactive.as_deref() == Some(why) {
                continue;
            }
            match by {
                LossSource::Delivery => self.stop_repo(row.id, why).await?,
                LossSource::Answer => self.reconciler().stop_absent(row.id, why).await?,
            }
        }
        Ok(())
    }

    /// Stops handing out work in a repository. Leases stay with their holders, and their clocks stop until the
    /// repository returns; the audit log stays.
    async fn stop_repo(&self, id: RepoId, why: &'static str) -> Result<(), EngineError> {
        self.write(
            Scope::repo(&id),
            transaction!(|tx| {
                tx.repos().set_inactive(&id, Some(why)).await?;
                Ok(tx.events().append(&[Event::new(EventKind::RepoRemoved, json!({ "why": why }))])?)
            }),
        )
        .await
    }

    /// Processes a delivery about an installation. Whatever it says about repositories is checked with GitHub.
    pub(crate) async fn on_installation(&self, incoming: &Incoming) -> Result<(), EngineError> {
        let Some(id) = incoming.installation_id else { return Ok(()) };
        match &incoming.kind {
            Kind::Installation { action: InstallationAction::Deleted, .. } => {
                self.stop_installation(id, UNINSTALLED, LossSource::Delivery).await
            }
            Kind::InstallationRepositories { removed, .. } => {
                self.stop_removed(id, removed).await?;
                self.step_installations().await
            }
            _ => self.step_installations().await,
        }
    }

    /// Stops the repositories that were removed from an installation, if GitHub agrees: the delivery may come late, when
    /// a repository is back.
    async fn stop_removed(&self, installation: i64, removed: &[RepoRef]) -> Result<(), EngineError> {
        let mut rows = self.repos_of(installation).await?;
        rows.retain(|row| removed.iter().any(|r| Some(r.id) == row.github_id));
        if rows.is_empty() {
            return Ok(());
        }
        let listed: BTreeSet<i64> = match self.github_side()?.client.installation_repositories(installation).await {
            Ok(repositories) => repositories.iter().map(|repository| repository.id).collect(),
            Err(error) if is_unreadable(&error) => BTreeSet::new(),
            Err(error) => return Err(error.into()),
        };
        for row in rows {
            let is_listed = row.github_id.is_some_and(|id| listed.contains(&id));
            if is_listed && !is_planted(Plant::LateRemovalIsBelieved) {
                // The list may be some seconds old: soon the sync will see.
                let id = row.id.clone();
                self.write(Scope::repo(&row.id), transaction!(|tx| Ok(tx.sync().sync_now(&id).await?))).await?;
            } else {
                self.stop_repo(row.id, REMOVED).await?;
            }
        }
        Ok(())
    }

    /// Processes a delivery about a repository: syncs it soon, or stops it at once when it was deleted.
    pub(crate) async fn on_repository(&self, incoming: &Incoming) -> Result<(), EngineError> {
        let Some(github_id) = incoming.repository.as_ref().map(|r| r.id) else { return Ok(()) };
        let row = self.read(transaction!(|tx| Ok(tx.repos().by_github_id(github_id).await?))).await?;
        let Some(row) = row else { return Ok(()) };
        match &incoming.kind {
            Kind::Repository { action: RepositoryAction::Deleted } => {
                self.stop_repo(row.id, "the repository was deleted").await
            }
            // Archived repositories are not synced; their return shows in the installation's list.
            Kind::Repository { action: RepositoryAction::Unarchived | RepositoryAction::Transferred } => {
                self.step_installations().await
            }
            _ => {
                self.inner().policies.forget(&row.id);
                let id = row.id.clone();
                self.write(Scope::repo(&row.id), transaction!(|tx| Ok(tx.sync().sync_now(&id).await?))).await
            }
        }
    }
}
