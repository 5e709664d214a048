//! `/owp` commands: filtered before any request to GitHub, looked up before the transaction, run inside it, and
//! answered by wanted comments.
//!
//! A comment may hold several commands. Each runs once, keyed by the comment and the line's own text. An edit that
//! moves a line does not run it again; an edit that rewrites the line does.

mod answer;
pub(crate) mod by_hand;
mod contributor;
mod maintainer;
mod weigh;

pub(crate) use answer::point_to_issue;
pub(crate) use weigh::{KeyedLine, PendingCommands, turn_away, weigh};

use crate::Engine;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::workers::readers::permission_by_id;
use owp_github::client::{GitHubError, Permission, RepoReader, UserRef as Account};
use owp_github::render::{HelpRow, Outcome};
use owp_pool::command::{Command, CommandError, CommandLine, RequiredRole, Verb};
use owp_pool::task::Task;
use owp_pool::{Person, Refusal, Rule, Timestamp, WorkerId};
use owp_store::{Tx, transaction};
use std::collections::BTreeMap;

/// Maximum number of accounts a comment may name; each costs a request to GitHub.
const NAMED_MOST: usize = 5;

/// A comment's commands, with the GitHub data needed to run them.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub issue: i64,
    pub comment_id: i64,
    pub author: Account,
    pub lines: Vec<KeyedLine>,
    /// Time at which the commands were written.
    pub said_at: Timestamp,
    /// The author's permission, looked up only when a command needs one.
    pub permission: Permission,
    /// Read permission; looked up only for a private repository.
    pub reads: Option<bool>,
    /// Accounts that the commands name, by lower-case login; `None` for an unknown login.
    pub named: BTreeMap<String, Option<Account>>,
    /// Workers to lock: the author's comment worker, all of the author's workers if a command concerns all, and those
    /// to be linked.
    workers: Vec<WorkerId>,
}

impl Asked {
    pub(crate) fn workers_to_lock(&self) -> Vec<WorkerId> {
        self.workers.clone()
    }

    /// Returns true when the comment claims a task.
    pub(crate) fn claims(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.command.parsed, Ok(Command::Claim)))
    }

    fn may_maintain(&self) -> bool {
        self.permission >= Permission::Write
    }
}

/// Looks up on GitHub what these commands need: the author's current permission, and the named accounts where the
/// author may give the command that names them.
pub(crate) async fn prepare(
    engine: &Engine,
    (reader, private): (&RepoReader, bool),
    said: PendingCommands,
) -> Result<Asked, EngineError> {
    let PendingCommands { author, lines, .. } = &said;
    let commands: Vec<&Command> = lines.iter().filter_map(|line| line.command.parsed.as_ref().ok()).collect();
    let claims = commands.iter().any(|c| matches!(c, Command::Claim | Command::Why));
    let needs_permission =
        said.chatty || commands.iter().any(|c| c.verb().required_role() != RequiredRole::Anyone) || (private && claims);
    let permission = match said.permission {
        Some(known) => known,
        None if needs_permission => permission_by_id(reader, &author.login, author.id).await?.0,
        None => Permission::None,
    };
    let may_maintain = permission >= Permission::Write;
    let mut named = BTreeMap::new();
    for login in commands.iter().filter(|c| may_maintain || !c.needs_write()).flat_map(|c| named_logins(c)) {
        let key = login.to_lowercase();
        if named.contains_key(&key) || named.len() == NAMED_MOST {
            continue;
        }
        named.insert(key, account_named(reader, login).await?);
    }
    let workers = workers_of(engine, author.id, &commands).await?;
    let reads = (private && claims).then_some(permission >= Permission::Read);
    let PendingCommands { issue, comment_id, author, said_at, lines, .. } = said;
    Ok(Asked { issue, comment_id, author, lines, said_at, permission, reads, named, workers })
}

/// Looks up the account of a login. A missing account is believed after two equal responses.
async fn account_named(reader: &RepoReader, login: &str) -> Result<Option<Account>, GitHubError> {
    for _ in 0..2 {
        match reader.user(login).await {
            Err(GitHubError::NotFound { .. }) => {}
            found => return found.map(Some),
        }
    }
    Ok(None)
}

/// Returns the workers whose rows these commands lock.
async fn workers_of(engine: &Engine, author: i64, commands: &[&Command]) -> Result<Vec<WorkerId>, EngineError> {
    let person = Person::GitHub(author);
    let of_all = |c: &&Command| match c {
        Command::Join(profile) => profile.reputation == Some(false),
        other => **other == Command::Unlink,
    };
    let all = commands.iter().any(of_all);
    let codes: Vec<String> = commands.iter().filter_map(|command| contributor::code_hash(command)).collect();
    let workers = engine.read(transaction!(|tx| {
        let mut workers = match all {
            true => tx.workers().all_of(&person).await?,
            false => tx.workers().of_comments(&person).await?.into_iter().map(|worker| worker.id).collect(),
        };
        for hash in codes {
            workers.extend(tx.link_codes().get(&hash).await?.map(|(worker, ..)| worker));
        }
        Ok(workers)
    }));
    workers.await
}

fn named_logins(command: &Command) -> Vec<&str> {
    match command {
        Command::Trust { login, .. } | Command::Assign { login } | Command::Ban { login } => vec![login],
        Command::Revoke { login, .. } => login.as_deref().into_iter().collect(),
        Command::Join(profile) => profile.agents.iter().flatten().map(String::as_str).collect(),
        Command::Claim
        | Command::Release { .. }
        | Command::Status
        | Command::Why
        | Command::Extend
        | Command::Block { .. }
        | Command::Link { .. }
        | Command::Unlink
        | Command::Help
        | Command::Approve
        | Command::Budget(_)
        | Command::Pause { .. }
        | Command::Resume
        | Command::Unblock
        | Command::Ignore { .. } => vec![],
    }
}

/// Returns the account a command names, as looked up on GitHub.
fn account<'a>(asked: &'a Asked, login: &str) -> Result<&'a Account, Outcome> {
    match asked.named.get(&login.to_lowercase()) {
        Some(Some(account)) => Ok(account),
        Some(None) => Err(Outcome::Failed(format!("GitHub knows no account `{login}`."))),
        None => Err(Outcome::Failed(format!(
            "a comment may name at most {NAMED_MOST} accounts, so `{login}` was not looked up. Write this command again in another comment."
        ))),
    }
}

/// Runs a comment's commands and queues the replies.
pub(crate) async fn run(tx: &mut Tx, repo: &RepoContext, asked: &Asked) -> Result<(), EngineError> {
    let person = tx.people().record(asked.author.id, &asked.author.login, asked.author.is_bot).await?;
    if let Some(reads) = asked.reads {
        tx.repos().set_reader(&repo.row.id, &person, reads).await?;
    }
    let (mut outcomes, mut granted) = (Vec::new(), false);
    for line in &asked.lines {
        let by = Some((&person, asked.said_at));
        if !tx.commands().run_once(&repo.row.id, asked.comment_id, line.key, by).await? {
            continue;
        }
        let outcome = match line.command.parsed {
            // Each grant posts a comment that notifies, and takes a slot until the next count.
            Ok(Command::Claim) if granted => Outcome::Failed(
                "one comment can take a task once. If you want it again, write `/owp claim` in another comment."
                    .to_owned(),
            ),
            _ => run_line(tx, repo, asked, &line.command).await?,
        };
        granted |= matches!(outcome, Outcome::Granted { .. } | Outcome::Delivered { .. });
        outcomes.push(outcome);
    }
    answer::answer(tx, repo, asked, outcomes).await
}

async fn run_line(tx: &mut Tx, repo: &RepoContext, asked: &Asked, line: &CommandLine) -> Result<Outcome, EngineError> {
    let command = match &line.parsed {
        Ok(command) => command,
        Err(error) => return Ok(misread(error)),
    };
    if command.needs_write() && !asked.may_maintain() {
        return Ok(Outcome::PermissionMissing { verb: command.verb().to_string(), needed: "write".to_owned() });
    }
    let task = tx.tasks().by_issue(&repo.row.id, asked.issue).await?;
    run_command(tx, repo, asked, command, task).await
}

/// Runs one command, on this task if it concerns one.
async fn run_command(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    command: &Command,
    task: Option<Task>,
) -> Result<Outcome, EngineError> {
    // Every command is named, so that a new one does not compile before it is run somewhere.
    match (command, task) {
        (Command::Help, _) => Ok(help()),
        (Command::Join(profile), _) => contributor::join(tx, repo, asked, profile).await,
        (Command::Link { code }, _) => contributor::link(tx, asked, code).await,
        (Command::Unlink, _) => contributor::unlink(tx, asked).await,
        (Command::Trust { login, level }, _) => maintainer::trust(tx, repo, asked, login, *level).await,
        (Command::Ban { login }, _) => maintainer::ban(tx, repo, asked, login).await,
        (Command::Budget(change), _) => maintainer::budget(tx, repo, asked, *change).await,
        (Command::Pause { secs, reason }, _) => maintainer::pause(tx, repo, asked, *secs, reason.as_deref()).await,
        (Command::Ignore { pull, off }, _) => maintainer::ignore(tx, repo, asked, *pull, *off).await,
        (Command::Resume, _) => maintainer::resume(tx, repo, asked).await,
        (Command::Status, Some(task)) => contributor::status(tx, repo, task).await,
        (Command::Claim, Some(task)) => contributor::claim(tx, repo, asked, task).await,
        (Command::Release { reason }, Some(task)) => {
            contributor::release(tx, repo, asked, task, reason.as_deref()).await
        }
        (Command::Extend, Some(task)) => contributor::extend(tx, repo, asked, task).await,
        (Command::Block { reason }, Some(task)) => contributor::block(tx, repo, asked, task, reason).await,
        (Command::Why, Some(task)) => contributor::why(tx, repo, asked, &task).await,
        (Command::Approve, Some(task)) => maintainer::approve(tx, repo, asked, task).await,
        (Command::Assign { login }, Some(task)) => maintainer::assign(tx, repo, asked, task, login).await,
        (Command::Revoke { login, reason }, Some(task)) => {
            maintainer::revoke(tx, repo, asked, task, (login.as_deref(), reason.as_deref())).await
        }
        (Command::Unblock, Some(task)) => maintainer::unblock(tx, repo, task).await,
        (
            Command::Status
            | Command::Claim
            | Command::Release { .. }
            | Command::Extend
            | Command::Block { .. }
            | Command::Why
            | Command::Approve
            | Command::Assign { .. }
            | Command::Revoke { .. }
            | Command::Unblock,
            None,
        ) => Ok(not_a_task(repo, command)),
    }
}

fn not_a_task(repo: &RepoContext, command: &Command) -> Outcome {
    let label = &repo.policy.labels.ready;
    let why = format!("his issue is not a task of the pool: it does not carry the label `{label}`.");
    match command {
        Command::Claim => Outcome::Refused(vec![Refusal::new(Rule::TaskState, format!("T{why}"))]),
        // The text follows the author's name.
        _ => Outcome::Failed(format!("t{why}")),
    }
}

fn help() -> Outcome {
    let row = |verb: Verb| HelpRow {
        usage: verb.usage().to_owned(),
        help: match verb.required_role() {
            RequiredRole::Anyone => verb.help().to_owned(),
            who @ (RequiredRole::Holder | RequiredRole::Maintainer) => format!("{} ({})", verb.help(), who.label()),
        },
    };
    Outcome::Help(Verb::ALL.into_iter().map(row).collect())
}

fn misread(error: &CommandError) -> Outcome {
    match error {
        CommandError::UnknownVerb { verb, did_you_mean } => {
            Outcome::UnknownVerb { verb: verb.clone(), suggestion: did_you_mean.map(ToOwned::to_owned) }
        }
        CommandError::Missing { verb, what } => {
            Outcome::BadArgument { problem: format!("`{verb}` needs {what}."), example: verb.example().to_owned() }
        }
        CommandError::Bad { verb, what } => {
            Outcome::BadArgument { problem: format!("`{verb}` {what}."), example: verb.example().to_owned() }
        }
        CommandError::TooMany => Outcome::Failed(error.to_string()),
    }
}
