//! Commands that people give on the pages. They are the commands of comments, with the same permissions, effects and
//! words; the result is shown instead of commented.

use super::{Asked, account_named, named_logins, run_command};
use crate::Operator;
use crate::error::EngineError;
use crate::sign_in::SignedIn;
use crate::workers::contributors::secret_hash;
use crate::workers::readers::permission_by_id;
use owp_github::client::{Permission, UserRef as Account};
use owp_github::render::{Outcome, told};
use owp_pool::command::Command;
use owp_pool::task::Task;
use owp_pool::{Refusal, RepoId, TaskId, Timestamp};
use owp_store::{RepoRow, transaction};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// What a page showed when a form of it was sent.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Time of what it showed.
    pub at: Timestamp,
    /// Mark of the task's text, see [`text_mark`]; empty if it showed none.
    pub text: String,
}

const TEXT_CHANGED: &str =
    "the issue's text was changed after this page was loaded. Look at it again, and approve it if it is right.";
const HOLDER_CHANGED: &str = "the lease that this page showed has ended, and somebody else holds the task. Look at it again, and revoke the lease if that is still right.";

/// Returns what changed in a task since a page showed it, if a command must not be carried out because of it.
fn changed_since(task: &Task, command: &Command, mark: &str) -> Option<&'static str> {
    match command {
        Command::Approve => (text_mark(task) != mark).then_some(TEXT_CHANGED),
        Command::Revoke { .. } => (!mark.is_empty() && task.epoch.0.to_string() != mark).then_some(HOLDER_CHANGED),
        _ => None,
    }
}

/// Returns a digest of a task's text: the one that workers get, and the one that waits for an approval.
#[must_use]
pub fn text_mark(task: &Task) -> String {
    let later = task.later.as_ref().map(|text| (&text.title, &text.description));
    secret_hash(&format!("{:?}", (&task.title, &task.description, later)))
}

/// Result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// True if the command took effect, or there was nothing to do.
    pub done: bool,
    /// The result in sentences; words between backticks are code.
    pub words: String,
}

/// Time for which a page believes what GitHub said. Each act asks again.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// Time for which a page waits for GitHub.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most answers that are kept.
const ANSWERS: usize = 10_000;

/// GitHub's latest answers about who may act where, for the pages that show what one can do.
#[derive(Debug, Default)]
pub(crate) struct MayAct(Mutex<HashMap<(i64, RepoId), (Duration, bool)>>);

impl MayAct {
    fn known(&self, key: &(i64, RepoId), now: Duration) -> Option<bool> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, may) = answers.get(key)?;
        (now.saturating_sub(*at) < BELIEVED_FOR).then_some(*may)
    }

    fn add(&self, key: (i64, RepoId), now: Duration, may: bool) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            answers.clear();
        }
        answers.insert(key, (now, may));
    }
}

impl Operator<'_> {
    /// Returns true if a page should offer this person to act on a repository. Unlike [`Operator::may_act`], the answer
    /// may be a minute old, and is no if GitHub does not respond.
    pub async fn offers_acts(&self, who: &SignedIn, repo: &str) -> Result<bool, EngineError> {
        let SignedIn::User { github_id, .. } = who else { return Ok(true) };
        let row = self.known_repo(repo).await?;
        let (key, now) = ((*github_id, row.id.clone()), self.store().clock().steady());
        if let Some(may) = self.inner().may_act.known(&key, now) {
            return Ok(may);
        }
        // A page does not wait long for an offer, and each act asks again anyway.
        let may = match timeout(PATIENCE, self.may_act(who, &row)).await {
            Ok(Ok(may)) => may,
            Ok(Err(error)) => {
                tracing::warn!(repo = %row.name, %error, "failed to look up who may act on a repository");
                false
            }
            Err(_) => false,
        };
        self.inner().may_act.add(key, now, may);
        Ok(may)
    }

    /// Returns true if this person may act on a repository: the operator always, others if GitHub says at this moment
    /// that they may write.
    ///
    /// # Errors
    /// [`EngineError::GitHub`] if GitHub does not say.
    pub async fn may_act(&self, who: &SignedIn, repo: &RepoRow) -> Result<bool, EngineError> {
        let SignedIn::User { github_id, login } = who else { return Ok(true) };
        if !repo.managed {
            return Ok(false);
        }
        Ok(permission_by_id(&self.reader(repo)?, login, *github_id).await?.0 >= Permission::Write)
    }

    /// Runs a maintainer's command on a repository or on one of its tasks. `seen` is what the page showed of it: another
    /// text is not approved.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`], [`EngineError::UnknownTask`], and failures of GitHub; nothing was changed then.
    pub async fn command(
        &self,
        who: &SignedIn,
        repo: &str,
        task: Option<TaskId>,
        command: Command,
        seen: &Seen,
    ) -> Result<Told, EngineError> {
        let on = [(task, seen.text.clone())];
        let told = self.commands(who, repo, command, seen.at, &on).await?.pop();
        told.unwrap_or(Err(EngineError::UnknownTask))
    }

    /// Runs a maintainer's command on several tasks of a repository, one after the other, each with what the page showed of
    /// it: the mark of its text for an approval, its epoch for a revocation. GitHub is asked once who may. Returns the results
    /// in the order of the tasks.
    ///
    /// # Errors
    /// As for [`Operator::command`]; nothing was changed then.
    pub async fn command_on_each(
        &self,
        who: &SignedIn,
        repo: &str,
        command: Command,
        at: Timestamp,
        tasks: Vec<(TaskId, String)>,
    ) -> Result<Vec<Result<Told, EngineError>>, EngineError> {
        let on: Vec<_> = tasks.into_iter().map(|(task, mark)| (Some(task), mark)).collect();
        self.commands(who, repo, command, at, &on).await
    }

    async fn commands(
        &self,
        who: &SignedIn,
        repo: &str,
        command: Command,
        at: Timestamp,
        on: &[(Option<TaskId>, String)],
    ) -> Result<Vec<Result<Told, EngineError>>, EngineError> {
        let all = |outcome: &Outcome| Ok(on.iter().map(|_| Ok(said(outcome))).collect());
        let row = self.known_repo(repo).await?;
        let may_act = self.may_act(who, &row).await;
        if row.private && !matches!(may_act, Ok(true)) {
            // Nobody learns from a refusal that a private repository exists.
            return Err(EngineError::UnknownRepo(repo.to_owned()));
        }
        if !may_act? {
            let (verb, needed) = (command.verb().to_string(), "write".to_owned());
            return all(&Outcome::PermissionMissing { verb, needed });
        }
        let asked = self.asked(who, &row, &command, at).await?;
        if let Some((login, _)) = asked.named.iter().find(|(_, account)| account.is_none() && !row.managed) {
            return all(&Outcome::Failed(format!("the pool has not seen an account `{login}` yet.")));
        }
        let mut results = Vec::with_capacity(on.len());
        for (task, mark) in on {
            let outcome = self.command_on(&row, asked.clone(), command.clone(), task.clone(), mark.clone()).await;
            results.push(outcome.map(|outcome| said(&outcome)));
        }
        self.ring();
        Ok(results)
    }

    async fn command_on(
        &self,
        row: &RepoRow,
        asked: Asked,
        command: Command,
        task: Option<TaskId>,
        mark: String,
    ) -> Result<Outcome, EngineError> {
        self.in_repo(
            &row.id,
            transaction!(|tx, repo| {
                let task = match task {
                    Some(id) => Some(of_repo(tx.tasks().get(&id).await?, &repo.row)?),
                    None => None,
                };
                if let Some(changed) = task.as_ref().and_then(|task| changed_since(task, &command, &mark)) {
                    return Ok(Outcome::Failed(changed.to_owned()));
                }
                run_command(tx, &repo, &asked, &command, task).await
            }),
        )
        .await
    }

    /// Builds what a comment with this command would be.
    async fn asked(
        &self,
        who: &SignedIn,
        row: &RepoRow,
        command: &Command,
        seen: Timestamp,
    ) -> Result<Asked, EngineError> {
        let mut named = BTreeMap::new();
        for login in named_logins(command) {
            let account = match row.managed {
                true => account_named(&self.reader(row)?, login).await?,
                false => self.account_known(login).await?,
            };
            named.insert(login.to_lowercase(), account);
        }
        let (id, login) = match who {
            // No account of GitHub has this id.
            SignedIn::Operator => (0, "operator".to_owned()),
            SignedIn::User { github_id, login } => (*github_id, login.clone()),
        };
        Ok(Asked {
            issue: 0,
            comment_id: 0,
            author: Account { id, login, is_bot: false },
            lines: Vec::new(),
            said_at: self.views().now().await?.min(seen),
            permission: Permission::Admin,
            reads: None,
            named,
            workers: Vec::new(),
        })
    }

    /// Returns the account that the pool last saw under a login.
    async fn account_known(&self, login: &str) -> Result<Option<Account>, EngineError> {
        let asked = login.to_owned();
        let known = self.read(transaction!(|tx| Ok(tx.people().by_login(&asked).await?))).await?;
        Ok(known.and_then(|(person, login)| match person {
            owp_pool::Person::GitHub(id) => Some(Account { id, login, is_bot: false }),
            owp_pool::Person::Unlinked(_) => None,
        }))
    }
}

fn of_repo(task: Option<Task>, repo: &RepoRow) -> Result<Task, EngineError> {
    task.filter(|task| task.repo == repo.id).ok_or(EngineError::UnknownTask)
}

fn said(outcome: &Outcome) -> Told {
    let done = !matches!(
        outcome,
        Outcome::Failed(_)
            | Outcome::Refused(_)
            | Outcome::PermissionMissing { .. }
            | Outcome::BadArgument { .. }
            | Outcome::UnknownVerb { .. }
            | Outcome::LinkFailed { .. }
    );
    let words = match outcome {
        Outcome::Refused(refusals) => refusals.iter().map(Refusal::sentences).collect::<Vec<_>>().join(" "),
        other => told(other),
    };
    Told { done, words }
}
