//! Agents: who may be named as one, by comment or over HTTP. What their pull requests then mean is `pulls`' affair.

use super::Engine;
use super::error::{EngineError, Refused};
use crate::github::client::{GitHubError, UserRef};
use crate::pool::Person;
use crate::store::{StoreError, Tx};

/// Why an account cannot be the agent of `person`, as a sentence without its capital; `None` when it can. Whoever takes
/// tasks themself is nobody's agent: their pull requests are their own work.
pub(super) async fn unfit(tx: &mut Tx, person: &Person, account: &UserRef) -> Result<Option<String>, StoreError> {
    let agent = Person::GitHub(account.id);
    if agent == *person {
        return Ok(Some("you need not name yourself: your pull requests are your own.".to_owned()));
    }
    if !account.is_bot && !tx.all_workers_of(&agent).await?.is_empty() {
        return Ok(Some(format!(
            "`{}` takes tasks of this pool for themself, so their pull requests are not yours.",
            account.login
        )));
    }
    Ok(None)
}

/// Records accounts that fit as the agents of a person, and nobody else.
pub(super) async fn name(tx: &mut Tx, person: &Person, accounts: &[UserRef]) -> Result<(), StoreError> {
    let mut people = Vec::new();
    for account in accounts {
        people.push(tx.record_person(account.id, &account.login, account.is_bot).await?);
    }
    tx.declare_agents(person, &people).await
}

impl Engine {
    /// The accounts of these logins, as GitHub knows them: asked through any repository that the App serves.
    ///
    /// # Errors
    /// A refusal that names the login nobody has; one where there is no GitHub to ask.
    pub(super) async fn accounts(&self, logins: &[String]) -> Result<Vec<UserRef>, EngineError> {
        if logins.is_empty() {
            return Ok(Vec::new());
        }
        let repos = self.read(|tx| Box::pin(async move { Ok(tx.repos().await?) })).await?;
        let served =
            repos.into_iter().find(|row| row.managed && row.inactive.is_none() && row.installation_id.is_some());
        let Some(row) = served.filter(|_| self.github().is_some()) else {
            let why = "Agents are GitHub accounts, and this pool serves no repository on GitHub.";
            return Err(Refused::because(why).into());
        };
        let reader = self.reader(&row)?;
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
}
