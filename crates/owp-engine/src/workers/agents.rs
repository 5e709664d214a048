//! Rules for naming agents, by comment or over HTTP. `pulls` decides what an agent's pull requests count for.

use crate::Workers;
use crate::error::{EngineError, Refused};
use owp_github::client::{GitHubError, RepoReader, UserRef};
use owp_pool::Person;
use owp_store::{StoreError, Tx, transaction};

/// Returns why an account cannot be the agent of `person`, as a sentence without its capital; `None` when it can. A
/// human is never an agent, so nobody can take the credit for another human's work.
pub(crate) fn unfit(person: &Person, account: &UserRef) -> Option<String> {
    let agent = Person::GitHub(account.id);
    if agent == *person {
        return Some("you need not name yourself: your pull requests are your own.".to_owned());
    }
    // A human's pull requests are their own work, even if they have never heard of this pool.
    (!account.is_bot)
        .then(|| format!("`{}` is a person, and their pull requests are their own; agents are bots.", account.login))
}

/// Declares these accounts as the agents of a contributor, and no others. The caller has checked that they fit.
pub(crate) async fn name(tx: &mut Tx, person: &Person, accounts: &[UserRef]) -> Result<(), StoreError> {
    let mut people = Vec::new();
    // One order everywhere: each call locks the contributor's row.
    let mut accounts: Vec<&UserRef> = accounts.iter().collect();
    accounts.sort_by_key(|account| account.id);
    for account in accounts {
        people.push(tx.people().record(account.id, &account.login, account.is_bot).await?);
    }
    tx.people().declare_agents(person, &people).await
}

impl Workers<'_> {
    /// Looks up the accounts of these logins on GitHub, through any repository that the App serves.
    ///
    /// # Errors
    /// A refusal that names an unknown login, or says that the pool serves no GitHub repository.
    pub(crate) async fn accounts(&self, logins: &[String]) -> Result<Vec<UserRef>, EngineError> {
        if logins.is_empty() {
            return Ok(Vec::new());
        }
        let Some(reader) = self.any_reader().await? else {
            let why = "Agents are GitHub accounts, and this pool serves no repository on GitHub.";
            return Err(Refused::because(why).into());
        };
        let mut accounts: Vec<UserRef> = Vec::new();
        for login in logins {
            match reader.user(login).await {
                Ok(account) if accounts.iter().any(|known| known.id == account.id) => {}
                Ok(account) => accounts.push(account),
                Err(GitHubError::NotFound { .. }) => {
                    return Err(Refused::because(format!("GitHub knows no account `{login}`.")).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(accounts)
    }

    /// Returns a reader for account lookups: that of any repository the App serves.
    pub(crate) async fn any_reader(&self) -> Result<Option<RepoReader>, EngineError> {
        let repos = self.read(transaction!(|tx| Ok(tx.repos().list().await?))).await?;
        let served =
            repos.into_iter().find(|row| row.managed && row.inactive.is_none() && row.installation_id.is_some());
        served.filter(|_| self.github().is_some()).map(|row| self.reader(&row)).transpose()
    }
}
