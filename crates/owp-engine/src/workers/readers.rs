//! Read permission on private repositories: looked up on GitHub before their work is handed out, cached for ten
//! minutes. While GitHub cannot be asked, nobody counts as a reader.

use crate::error::EngineError;
use crate::sign_in::SignedIn;
use crate::{Sessions, Workers};
use futures_util::future::join_all;
use owp_github::client::{GitHubError, Permission, RepoReader};
use owp_pool::worker::{READ_ACCESS_TTL, Worker};
use owp_pool::{Person, WorkerId};
use owp_store::{ReadAccess, RepoRow, Scope, transaction};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Repositories looked up before one pull.
const ASKED_AT_ONCE: usize = 20;
/// Timeout of these lookups.
const PATIENCE: Duration = Duration::from_secs(3);
/// Timeout of the lookups before a page, and the time until the next ones for the same person: GitHub may not answer.
const PAGE_PATIENCE: Duration = Duration::from_millis(1_500);
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(15);
/// Most people whose lookups are remembered.
const REMEMBERED: usize = 10_000;
/// Most requests to GitHub in an hour for readers of pages: anybody with a GitHub account can sign in, and the quota is
/// needed for other things.
const PER_HOUR: usize = 500;
const HOUR: Duration = Duration::from_secs(3_600);

/// The lookups before pages.
#[derive(Debug, Default)]
pub(crate) struct Lookups(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    /// Time of the last lookups for a person, by GitHub user id, and the name of the last repository.
    people: HashMap<i64, (Duration, String)>,
    /// Start of the hour, and the number of requests since.
    hour: (Duration, usize),
}

impl Lookups {
    /// Returns the name of the repository to continue after if lookups for a person are due, and notes them.
    fn begin(&self, github_id: i64, now: Duration) -> Option<String> {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.people.len() >= REMEMBERED {
            recent.people.clear();
        }
        let after = match recent.people.get(&github_id) {
            Some((at, _)) if now.saturating_sub(*at) < ASK_AGAIN_AFTER => return None,
            Some((_, after)) => after.clone(),
            None => String::new(),
        };
        recent.people.insert(github_id, (now, after.clone()));
        Some(after)
    }

    /// Notes where the next lookups for a person go on, and returns how many requests may be made now.
    fn take(&self, github_id: i64, now: Duration, last: String, wanted: usize) -> usize {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.people.insert(github_id, (now, last));
        if now.saturating_sub(recent.hour.0) >= HOUR {
            recent.hour = (now, 0);
        }
        let granted = wanted.min(PER_HOUR.saturating_sub(recent.hour.1));
        recent.hour.1 += granted;
        granted
    }
}

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
        timeout(PATIENCE, asked).await.unwrap_or(Ok(()))
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
        match (&worker.person, &worker.login) {
            (Person::GitHub(id), Some(login)) => self.account_may_read(row, *id, login).await,
            _ => Ok(false),
        }
    }

    /// Asks GitHub whether an account may read a private repository, and stores the answer.
    async fn account_may_read(&self, row: &RepoRow, id: i64, login: &str) -> Result<bool, EngineError> {
        let (may, renamed) = match permission_by_id(&self.reader(row)?, login, id).await {
            Ok((permission, renamed)) => (permission >= Permission::Read, renamed),
            Err(error) => {
                tracing::warn!(repo = %row.name, %error, "failed to look up read permission on a private repository");
                return Ok(false);
            }
        };
        let (repo, person) = (row.id.clone(), Person::GitHub(id));
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

impl Sessions<'_> {
    /// Returns what somebody may read on the pages: GitHub users also the private repositories that GitHub shows them. If
    /// GitHub was not asked lately, it is asked now, for a short time; what it does not answer by then stays hidden.
    pub async fn access_of(&self, who: Option<&SignedIn>) -> Result<ReadAccess, EngineError> {
        let (id, login) = match who {
            None => return Ok(ReadAccess::public()),
            Some(SignedIn::Operator) => return Ok(ReadAccess::everything()),
            Some(SignedIn::User { github_id, login }) => (*github_id, login),
        };
        self.ask_for_reader(id, login).await?;
        let person = Person::GitHub(id);
        self.read(transaction!(|tx| Ok(tx.repos().access_of(&person).await?))).await
    }

    /// Asks GitHub which private repositories somebody may read, as far as that is due: some at a time, in turn.
    async fn ask_for_reader(&self, id: i64, login: &str) -> Result<(), EngineError> {
        let (lookups, now) = (&self.inner().lookups, self.store().clock().steady());
        let Some(after) = self.github().and_then(|_| lookups.begin(id, now)) else { return Ok(()) };
        let most = i64::try_from(ASKED_AT_ONCE).unwrap_or(i64::MAX);
        let mut unread = self
            .read(transaction!(|tx| {
                let person = Person::GitHub(id);
                let found = tx.repos().unread(&person, &after, most).await?;
                // From the beginning again after the last one.
                let is_end = found.is_empty() && !after.is_empty();
                if is_end { Ok(tx.repos().unread(&person, "", most).await?) } else { Ok(found) }
            }))
            .await?;
        let last = unread.last().map(|row| row.name.to_lowercase()).unwrap_or_default();
        unread.truncate(lookups.take(id, now, last, unread.len()));
        let workers = self.workers();
        let asked = join_all(unread.iter().map(|row| workers.account_may_read(row, id, login)));
        if let Ok(answers) = timeout(PAGE_PATIENCE, asked).await {
            answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        Ok(())
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
