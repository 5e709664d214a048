//! Access that every service needs: the database, GitHub's side of a repository, and the rules in force there.

use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::{Engine, GitHubSide};
use futures_util::future::BoxFuture;
use owp_github::client::{GitHubError, RepoHandle, RepoReader};
use owp_pool::task::Task;
use owp_pool::{RepoId, TaskId};
use owp_store::{RepoRow, Scope, Tx, transaction};

impl Engine {
    /// Returns the connection to GitHub.
    ///
    /// # Errors
    /// [`EngineError::GitHub`] when no App is configured.
    pub(crate) fn github_side(&self) -> Result<&GitHubSide, EngineError> {
        self.github().ok_or_else(|| {
            EngineError::GitHub(GitHubError::Config { message: "no GitHub App is configured".to_owned() })
        })
    }

    /// Returns a client that reads a repository of the App.
    pub(crate) fn reader(&self, repo: &RepoRow) -> Result<RepoReader, EngineError> {
        let (Some(installation), Some(github_id)) = (repo.installation_id, repo.github_id) else {
            return Err(EngineError::Managed(format!("{} is not served by the App", repo.name)));
        };
        let handle = RepoHandle { github_id, full_name: repo.name.clone() };
        Ok(self.github_side()?.client.reader(installation, handle))
    }

    /// Returns the repository with this name.
    pub(crate) async fn known_repo(&self, name: &str) -> Result<RepoRow, EngineError> {
        let asked = name.to_owned();
        let row = self.read(transaction!(|tx| Ok(tx.repos().by_name(&asked).await?))).await?;
        row.ok_or_else(|| EngineError::UnknownRepo(name.to_owned()))
    }

    /// Returns a task and its repository.
    pub(crate) async fn task_and_repo(&self, id: &TaskId) -> Result<(Task, RepoRow), EngineError> {
        let id = id.clone();
        self.read(transaction!(|tx| {
            let task = tx.tasks().get(&id).await?.ok_or(EngineError::UnknownTask)?;
            let row = tx.repos().get(&task.repo).await?.ok_or(EngineError::UnknownTask)?;
            Ok((task, row))
        }))
        .await
    }

    /// Runs `work` on a snapshot of the database.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, EngineError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, EngineError>>,
    {
        self.store().read(work).await
    }

    /// Runs `work` in a transaction that holds the locks of `scope`.
    pub(crate) async fn write<T, F>(&self, scope: Scope, work: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, EngineError>> + Send + 'static,
    {
        self.store().write(scope, work).await
    }

    /// Runs `work` in a transaction that holds the lock of a repository, with the rules in force there.
    pub(crate) async fn in_repo<T, F>(&self, repo: &RepoId, work: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx, RepoContext) -> BoxFuture<'t, Result<T, EngineError>> + Send + 'static,
    {
        let (id, settings) = (repo.clone(), self.settings().clone());
        self.write(
            Scope::repo(repo),
            transaction!(|tx| {
                let repo = RepoContext::load(tx, &id, &settings).await?;
                work(tx, repo).await
            }),
        )
        .await
    }

    /// Returns a repository with the rules in force there.
    pub(crate) fn context(&self, row: RepoRow) -> RepoContext {
        RepoContext::new(row, self.settings())
    }

    /// Returns true for a comment written by our own App.
    pub(crate) fn wrote(&self, via_app_id: Option<i64>) -> bool {
        via_app_id.is_some() && via_app_id == self.github().map(|github| github.app_id)
    }
}
