//! `/owp` commands: looked up before the transaction, run inside it, answered by wanted comments.
//!
//! A comment may hold several; each runs once, keyed by the comment and the line's own text, so that an edit which
//! moves a line does not run it again and one that rewrites it does.

mod contributor;
mod maintainer;

use super::Engine;
use super::error::EngineError;
use super::facts::RepoContext;
use super::hints::permission_of;
use super::say::{self, REFUSAL, REPLY};
use crate::github::client::{GitHubError, Permission, RepoReader, UserRef as Account};
use crate::github::payload::CommentRef;
use crate::github::render::{HelpRow, Outcome, reply, with_own_tool};
use crate::pool::command::{Command, CommandError, CommandLine, VERBS, Verb, Who};
use crate::pool::task::Task;
use crate::pool::{Person, Refusal, Rule, Span, Timestamp, WorkerId};
use crate::store::{StoreError, Tx};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// How long a refusal's reply is edited before a new one is written, and how many a person gets per issue.
const REFUSAL_EDITED_FOR: Span = Span::hours(24);
const REFUSALS_PER_ISSUE: usize = 3;

/// A comment with commands, and what had to be asked of GitHub to run them.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub issue: i64,
    pub comment_id: i64,
    pub author: Account,
    pub lines: Vec<CommandLine>,
    /// When the comment was written.
    pub said_at: Timestamp,
    /// The author's permission, looked up only when a command needs one.
    pub permission: Permission,
    /// Whether they may read the repository, where that was asked: a private one.
    pub reads: Option<bool>,
    /// The accounts the commands name, by lower-case login; `None` where there is none.
    pub named: BTreeMap<String, Option<Account>>,
    /// The worker behind the author's comments, once there is one; all their workers, when a line is about all; and those
    /// that are to be linked.
    workers: Vec<WorkerId>,
}

impl Asked {
    pub(super) fn workers_to_lock(&self) -> Vec<WorkerId> {
        self.workers.clone()
    }

    /// True when a task may be handed out by this comment.
    pub(super) fn claims(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.parsed, Ok(Command::Claim)))
    }

    fn may_maintain(&self) -> bool {
        self.permission >= Permission::Write
    }
}

/// Asks GitHub what running these lines takes: the author's permission at this moment, and the accounts named.
pub(super) async fn prepare(
    engine: &Engine,
    (reader, private): (&RepoReader, bool),
    issue: i64,
    comment: &CommentRef,
    lines: Vec<CommandLine>,
) -> Result<Asked, EngineError> {
    let author = comment.author.as_ref().map(|a| Account { id: a.id, login: a.login.clone(), is_bot: a.is_bot });
    let author = author.ok_or_else(|| EngineError::Managed("the comment's author is gone".to_owned()))?;
    let commands: Vec<&Command> = lines.iter().filter_map(|line| line.parsed.as_ref().ok()).collect();
    let claims = commands.iter().any(|c| matches!(c, Command::Claim | Command::Why));
    let needs_permission = commands.iter().any(|c| Verb::named(c.verb()).is_some_and(|verb| verb.who != Who::Anyone))
        || (private && claims);
    let permission =
        if needs_permission { permission_of(reader, &author.login, author.id).await? } else { Permission::None };
    let mut named = BTreeMap::new();
    for login in commands.iter().flat_map(|c| named_logins(c)) {
        let account = match reader.user(login).await {
            Ok(account) => Some(account),
            Err(GitHubError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        named.insert(login.to_lowercase(), account);
    }
    let person = Person::GitHub(author.id);
    let of_all = |c: &&Command| match c {
        Command::Join(profile) => profile.reputation == Some(false),
        other => **other == Command::Unlink,
    };
    let all = commands.iter().any(of_all);
    let codes: Vec<String> = commands.iter().filter_map(|command| contributor::code_hash(command)).collect();
    let workers = engine.read(move |tx| {
        Box::pin(async move {
            let mut workers = match all {
                true => tx.all_workers_of(&person).await?,
                false => tx.comment_worker(&person).await?.into_iter().map(|worker| worker.id).collect(),
            };
            for hash in codes {
                workers.extend(tx.link_code(&hash).await?.map(|(worker, ..)| worker));
            }
            Ok(workers)
        })
    });
    let workers = workers.await?;
    let reads = (private && claims).then_some(permission >= Permission::Read);
    let said_at = comment.created_at.unwrap_or_default();
    Ok(Asked { reads, said_at, issue, comment_id: comment.id, author, permission, named, workers, lines })
}

fn named_logins(command: &Command) -> Vec<&str> {
    match command {
        Command::Trust { login, .. } | Command::Assign { login } | Command::Ban { login } => vec![login],
        Command::Revoke { login } => login.as_deref().into_iter().collect(),
        Command::Join(profile) => profile.agents.iter().flatten().map(String::as_str).collect(),
        _ => vec![],
    }
}

/// The account a command names, as GitHub knows it.
fn account<'a>(asked: &'a Asked, login: &str) -> Option<&'a Account> {
    asked.named.get(&login.to_lowercase()).and_then(Option::as_ref)
}

fn no_account(login: &str) -> Outcome {
    Outcome::Failed(format!("GitHub knows no account `{login}`."))
}

/// Runs a comment's commands and wants the replies.
pub(super) async fn run(tx: &mut Tx, repo: &RepoContext, asked: &Asked) -> Result<(), EngineError> {
    let person = tx.record_person(asked.author.id, &asked.author.login, asked.author.is_bot).await?;
    if let Some(reads) = asked.reads {
        tx.set_reader(&repo.row.id, &person, reads).await?;
    }
    let mut outcomes = Vec::new();
    for (position, line) in asked.lines.iter().enumerate() {
        let key = line_key(&asked.lines[..position], line);
        if tx.run_command_once(&repo.row.id, asked.comment_id, key).await? {
            outcomes.push(run_line(tx, repo, asked, line).await?);
        }
    }
    answer(tx, repo, asked, outcomes).await
}

/// What tells a line from every other of its comment: its text, and how many lines before it read the same.
fn line_key(before: &[CommandLine], line: &CommandLine) -> i64 {
    let text = line.text.to_lowercase();
    let repeats = before.iter().filter(|other| other.text.to_lowercase() == text).count();
    let digest = Sha256::digest(format!("{repeats}\n{text}"));
    digest.iter().take(7).fold(0, |key, byte| (key << 8) | i64::from(*byte))
}

async fn run_line(tx: &mut Tx, repo: &RepoContext, asked: &Asked, line: &CommandLine) -> Result<Outcome, EngineError> {
    let command = match &line.parsed {
        Ok(command) => command,
        Err(error) => return Ok(misread(error)),
    };
    if command.needs_write() && !asked.may_maintain() {
        return Ok(Outcome::PermissionMissing { verb: command.verb().to_owned(), needed: "write".to_owned() });
    }
    let task = tx.task_by_issue(&repo.row.id, asked.issue).await?;
    match command {
        Command::Help => Ok(help()),
        Command::Join(profile) => contributor::join(tx, repo, asked, profile).await,
        Command::Link { code } => contributor::link(tx, asked, code).await,
        Command::Unlink => contributor::unlink(tx, asked).await,
        Command::Trust { login, level } => maintainer::trust(tx, repo, asked, login, *level).await,
        Command::Ban { login } => maintainer::ban(tx, repo, asked, login).await,
        Command::Budget(change) => maintainer::budget(tx, repo, asked, *change).await,
        Command::Pause { secs, reason } => maintainer::pause(tx, repo, asked, *secs, reason.as_deref()).await,
        Command::Ignore { pull, off } => maintainer::ignore(tx, repo, asked, *pull, *off).await,
        Command::Resume => maintainer::resume(tx, repo, asked).await,
        on_task => match task {
            Some(task) => run_on_task(tx, repo, asked, task, on_task).await,
            None => Ok(not_a_task(repo, on_task)),
        },
    }
}

async fn run_on_task(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    task: Task,
    command: &Command,
) -> Result<Outcome, EngineError> {
    match command {
        Command::Claim => contributor::claim(tx, repo, asked, task).await,
        Command::Release { reason } => contributor::release(tx, repo, asked, task, reason.as_deref()).await,
        Command::Extend => contributor::extend(tx, repo, asked, task).await,
        Command::Block { reason } => contributor::block(tx, repo, asked, task, reason).await,
        Command::Why => contributor::why(tx, repo, asked, &task).await,
        Command::Approve => maintainer::approve(tx, repo, asked, task).await,
        Command::Assign { login } => maintainer::assign(tx, repo, asked, task, login).await,
        Command::Revoke { login } => maintainer::revoke(tx, repo, asked, task, login.as_deref()).await,
        Command::Unblock => maintainer::unblock(tx, repo, task).await,
        // The commands that need no task were run before; what is left is `status`.
        _ => contributor::status(tx, repo, task).await,
    }
}

fn not_a_task(repo: &RepoContext, command: &Command) -> Outcome {
    let label = &repo.policy.labels.ready;
    let message = format!("This issue is not a task of the pool: it does not carry the label `{label}`.");
    match command {
        Command::Claim => Outcome::Refused(vec![Refusal::new(Rule::TaskState, message)]),
        _ => Outcome::Failed(message),
    }
}

fn help() -> Outcome {
    let row = |verb: &Verb| HelpRow {
        usage: verb.usage.to_owned(),
        help: match verb.who {
            Who::Anyone => verb.help.to_owned(),
            who => format!("{} ({})", verb.help, who.label()),
        },
    };
    Outcome::Help(VERBS.iter().map(row).collect())
}

fn misread(error: &CommandError) -> Outcome {
    match error {
        CommandError::UnknownVerb { verb, did_you_mean } => {
            Outcome::UnknownVerb { verb: verb.clone(), suggestion: did_you_mean.map(ToOwned::to_owned) }
        }
        CommandError::Missing { verb, what, usage } => {
            Outcome::BadArgument { problem: format!("`{verb}` needs {what}."), usage: (*usage).to_owned() }
        }
        CommandError::Bad { verb, what, usage } => {
            Outcome::BadArgument { problem: format!("`{verb}` {what}."), usage: (*usage).to_owned() }
        }
        CommandError::TooMany => Outcome::Failed(error.to_string()),
    }
}

/// Wants the reply to a comment. What the lease's own comment says already is not said twice.
async fn answer(tx: &mut Tx, repo: &RepoContext, asked: &Asked, outcomes: Vec<Outcome>) -> Result<(), EngineError> {
    let said_elsewhere =
|o: &Outcome| {
        matches!(
            o,
            Outcome::Granted { .. } | Outcome::Delivered { .. } | Outcome::Released | Outcome::Extended { .. }
        )
    };
    if outcomes.iter().all(said_elsewhere) {
        return Ok(());
    }
    let mut body = reply(&asked.author.login, &outcomes);
    if outcomes.iter().any(|o| matches!(o, Outcome::Help(_))) {
        body = with_own_tool(body, repo.server.as_deref(), &asked.author.login, repo.policy.link_issue);
    }
    let key = if outcomes.iter().all(|o| matches!(o, Outcome::Refused(_))) {
        refusal_key(tx, repo, asked).await?
    } else {
        format!("{REPLY}{}", asked.comment_id)
    };
    say::say(tx, repo, asked.issue, &key, &body).await?;
    Ok(())
}

/// A refused claim is answered by editing the last refusal while it is young, and by three comments at most.
async fn refusal_key(tx: &mut Tx, repo: &RepoContext, asked: &Asked) -> Result<String, StoreError> {
    let prefix = format!("{REFUSAL}{}:", asked.author.id);
    let said = tx.wanted_with_prefix(&repo.row.id, asked.issue, &prefix).await?;
    let young = tx.now() - REFUSAL_EDITED_FOR;
    Ok(match said.last() {
        Some((key, _, at)) if *at > young || said.len() >= REFUSALS_PER_ISSUE => key.clone(),
        _ => format!("{prefix}{}", said.len() + 1),
    })
}
