//! Read permission on private repositories: looked up on GitHub before their work is handed out, cached for ten
//! minutes. While GitHub cannot be asked, nobody counts as a reader.

use crate::Workers;
use crate::error::EngineError;
use owp_github::client::{GitHubError, Permission, RepoReader};
use owp_pool::worker::{READ_ACCESS_TTL, Worker};
use owp_pool::{Person, WorkerId};
use owp_store::{RepoRow, Scope, transaction};
use std::time::Duration;

/// Repositories looked up before one pull.
const ASKED_AT_ONCE: usize = 20;
/// Timeout of these lookups.
const PATIENCE: Duration = Duration::from_secs(3);

impl Workers<'_> {
    /// Looks up a contributor's missing read permissions on private repositories that have work.
    pub(crate) async fn learn_readable(&self, worker: &WorkerId) -> Result<(), EngineError> {
        if self.github().is_none() {
            return Ok(());
        }
        let id = worker.clone();
        let (worker, unknown) = self
            .read(transaction!(|tx| {
                let Some(worker) = tx.workers().get(&id).await?.filter(|worker| worker.person.is_linked()) else {
                    return Ok((None, vec![]));
                };
                let since = tx.now() - READ_ACCESS_TTL;
                let mut unknown = Vec::new();
                for row in tx.repos().private_with_work().await? {
                    if unknown.len() < ASKED_AT_ONCE
                        && !tx.repos().reader_is_known(&row.id, &worker.person, since).await?
                    {
                        unknown.push(row);
                    }
                }
                Ok((Some(worker), unknown))
            }))
            .await?;
        let Some(worker) = worker else { return Ok(()) };
        let asked = async {
            for row in unknown {
                self.ask_whether_readable(&row, &worker).await?;
            }
            Ok(())
        };
        // A slow GitHub must not hold up a pull; a repository with unknown permission is not offered.
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Ok(()))
    }

    /// Returns whether the worker's contributor may read a private repository, from the cache or from GitHub.
    pub(crate) async fn may_read(&self, row: &RepoRow, worker: &Worker) -> Result<bool, EngineError> {
        let (id, person) = (row.id.clone(), worker.person.clone());
        let known = self.read(transaction!(|tx| {
            let since = tx.now() - READ_ACCESS_TTL;
            let known = tx.repos().reader_is_known(&id, &person, since).await?;
            Ok(if known { Some(tx.standings().get(&id, &person).await?.reads) } else { None })
        }));
        match known.await? {
            Some(reads) => Ok(reads),
            None => self.ask_whether_readable(row, worker).await,
        }
    }

    async fn ask_whether_readable(&self, row: &RepoRow, worker: &Worker) -> Result<bool, EngineError> {
        let (Person::GitHub(id), Some(login)) = (&worker.person, &worker.login) else { return Ok(false) };
        let (may, renamed) = match permission_by_id(&self.reader(row)?, login, *id).await {
            Ok((permission, renamed)) => (permission >= Permission::Read, renamed),
            Err(error) => {
                tracing::warn!(repo = %row.name, %error, "failed to look up read permission on a private repository");
                return Ok(false);
            }
        };
        let (repo, id, person) = (row.id.clone(), *id, worker.person.clone());
        self.write(
            Scope::global(),
            transaction!(|tx| {
                if let Some(login) = &renamed {
                    tx.people().rename(id, login).await?;
                }
                Ok(tx.repos().set_reader(&repo, &person, may).await?)
            }),
        )
        .await
        .map(|()| may)
    }
}

/// Returns the permission of the account last seen under `login`, and its new login if it changed. People rename
/// themselves, and somebody else can take the old name.
///
/// # Errors
/// Also when GitHub contradicts itself: it shows the account under this login, but no permission of it.
pub(crate) async fn permission_by_id(
    reader: &RepoReader,
    login: &str,
    id: i64,
) -> Result<(Permission, Option<String>), GitHubError> {
    let unknown = match reader.permission(login).await {
        Ok(info) if info.user.as_ref().is_none_or(|user| user.id == id) => return Ok((info.permission, None)),
        Ok(_) => GitHubError::Malformed { reason: format!("the permission of the account {id} ({login})") },
        Err(error @ GitHubError::NotFound { .. }) => error,
        Err(error) => return Err(error),
    };
    let now = match reader.user_by_id(id).await {
        Ok(account) if account.login.eq_ignore_ascii_case(login) => return Err(unknown),
        Ok(account) => account.login,
        Err(GitHubError::NotFound { .. }) => return Ok((Permission::None, None)),
        Err(error) => return Err(error),
    };
    match reader.permission(&now).await {
        Ok(info) if info.user.as_ref().is_none_or(|user| user.id == id) => Ok((info.permission, Some(now))),
        Ok(_) => Err(unknown),
        Err(error) => Err(error),
    }
}
