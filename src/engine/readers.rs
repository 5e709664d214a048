//! Who may read private repositories: asked of GitHub before their work is handed out, believed for ten minutes. While
//! GitHub cannot be asked nobody is known to read them.

use super::Engine;
use super::error::EngineError;
use super::hints::permission_of;
use crate::github::client::Permission;
use crate::pool::worker::{READS_FOR, Worker};
use crate::pool::{Person, WorkerId};
use crate::store::{RepoRow, Scope};

/// Repositories asked about before one pull.
const ASKED_AT_ONCE: usize = 20;

impl Engine {
    /// Asks whether a worker's person may read the private repositories that have work, where that is not known.
    pub(super) async fn learn_readable(&self, worker: &WorkerId) -> Result<(), EngineError> {
        if self.github().is_none() {
            return Ok(());
        }
        let id = worker.clone();
        let (worker, unknown) = self
            .read(move |tx| {
                Box::pin(async move {
                    let Some(worker) = tx.worker(&id).await?.filter(|worker| worker.person.is_linked()) else {
                        return Ok((None, vec![]));
                    };
                    let since = tx.now() - READS_FOR;
                    let mut unknown = Vec::new();
                    for row in tx.private_repos_with_work().await? {
                        if unknown.len() < ASKED_AT_ONCE && !tx.reader_is_known(&row.id, &worker.person, since).await? {
                            unknown.push(row);
                        }
                    }
                    Ok((Some(worker), unknown))
                })
            })
            .await?;
        let Some(worker) = worker else { return Ok(()) };
        for row in unknown {
            self.ask_whether_readable(&row, &worker).await?;
        }
        Ok(())
    }

    /// Whether GitHub says, or said lately, that a worker's person may read a private repository.
    pub(super) async fn may_read(&self, row: &RepoRow, worker: &Worker) -> Result<bool, EngineError> {
        let (id, person) = (row.id.clone(), worker.person.clone());
        let known = self.read(move |tx| {
            Box::pin(async move {
                let since = tx.now() - READS_FOR;
                let known = tx.reader_is_known(&id, &person, since).await?;
                Ok(if known { Some(tx.standing(&id, &person).await?.reads) } else { None })
            })
        });
        match known.await? {
            Some(reads) => Ok(reads),
            None => self.ask_whether_readable(row, worker).await,
        }
    }

    async fn ask_whether_readable(&self, row: &RepoRow, worker: &Worker) -> Result<bool, EngineError> {
        let (Person::GitHub(person), Some(login)) = (&worker.person, &worker.login) else { return Ok(false) };
        let may = match permission_of(&self.reader(row)?, login, *person).await {
            Ok(permission) => permission >= Permission::Read,
            Err(EngineError::GitHub(error)) => {
                tracing::warn!(repo = %row.name, %error, "who may read a private repository could not be asked");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let (id, person) = (row.id.clone(), worker.person.clone());
        self.store()
            .write(Scope::global(), move |tx| Box::pin(async move { Ok(tx.set_reader(&id, &person, may).await?) }))
            .await
            .map(|()| may)
    }
}
