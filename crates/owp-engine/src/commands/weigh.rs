//! Filter for a comment's commands before any request to GitHub: drops lines that already ran, and measures the
//! author's command rate.

use super::answer;
use crate::Engine;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::workers::readers::permission_by_id;
use owp_github::client::{Permission, RepoReader, UserRef as Account};
use owp_github::payload::CommentRef;
use owp_pool::command::CommandLine;
use owp_pool::command::pace::{HOUR, MINUTE, RateDecision, decide_rate};
use owp_pool::{Person, RepoId, Timestamp};
use owp_store::{Tx, transaction};
use sha2::{Digest, Sha256};

/// A command line with a key that is unique in its comment.
#[derive(Debug, Clone)]
pub(crate) struct KeyedLine {
    pub key: i64,
    pub command: CommandLine,
}

/// The commands of a comment that have not run yet.
#[derive(Debug, Clone)]
pub(crate) struct PendingCommands {
    pub issue: i64,
    pub comment_id: i64,
    pub author: Account,
    pub said_at: Timestamp,
    pub lines: Vec<KeyedLine>,
    /// The author's permission, once looked up.
    pub permission: Option<Permission>,
    /// True when the author has used up the new replies on this issue; only people with write access get more.
    pub chatty: bool,
    pace: RateDecision,
}

/// Filters a comment's commands and measures the author's rate.
pub(crate) async fn weigh(
    engine: &Engine,
    repo: &RepoId,
    (issue, said_at): (i64, Timestamp),
    comment: &CommentRef,
    lines: Vec<CommandLine>,
) -> Result<PendingCommands, EngineError> {
    let author = comment.author.as_ref().map(|a| Account { id: a.id, login: a.login.clone(), is_bot: a.is_bot });
    let author = author.ok_or_else(|| EngineError::Managed("the comment's author is gone".to_owned()))?;
    let (repo, comment_id, author_id) = (repo.clone(), comment.id, author.id);
    let (done, counts, chatty, warned) = engine
        .read(transaction!(|tx| {
            let done = tx.commands().lines_done(comment_id).await?;
            let counts = tx.commands().count_lately(&Person::GitHub(author_id), said_at, (HOUR, MINUTE)).await?;
            let chatty = answer::is_chatty(tx, &repo, issue, author_id).await?;
            Ok((done, counts, chatty, answer::was_turned_away(tx, &repo, issue, author_id).await?))
        }))
        .await?;
    let keys: Vec<i64> = lines.iter().enumerate().map(|(at, line)| line_key(&lines[..at], line)).collect();
    let fresh = keys.into_iter().zip(lines).filter(|(key, _)| !done.contains(key));
    let lines: Vec<KeyedLine> = fresh.map(|(key, command)| KeyedLine { key, command }).collect();
    let pace = match decide_rate(i64::try_from(lines.len()).unwrap_or(i64::MAX), counts.last, counts.in_all) {
        // The warning followed a permission check: they have no write access.
        RateDecision::MaintainersOnly if warned => RateDecision::Rejected,
        pace => pace,
    };
    Ok(PendingCommands { issue, comment_id, author, said_at, lines, permission: None, chatty, pace })
}

impl PendingCommands {
    /// Returns true when the commands must be rejected. Only people with write access may exceed the lower limit.
    pub(crate) async fn is_too_fast(&mut self, reader: &RepoReader) -> Result<bool, EngineError> {
        Ok(match self.pace {
            RateDecision::Allowed => false,
            RateDecision::Rejected => true,
            RateDecision::MaintainersOnly => {
                let (permission, _) = permission_by_id(reader, &self.author.login, self.author.id).await?;
                self.permission = Some(permission);
                permission < Permission::Write
            }
        })
    }
}

/// Rejects the commands of an author above the rate limit, and says so.
pub(crate) async fn turn_away(tx: &mut Tx, repo: &RepoContext, said: &PendingCommands) -> Result<(), EngineError> {
    for line in &said.lines {
        tx.commands().run_once(&repo.row.id, said.comment_id, line.key, None).await?;
    }
    answer::too_fast(tx, repo, said).await
}

/// Returns a key that is unique in the comment, from the line's text and the number of equal lines before it.
fn line_key(before: &[CommandLine], line: &CommandLine) -> i64 {
    let text = line.text.to_lowercase();
    let repeats = before.iter().filter(|other| other.text.to_lowercase() == text).count();
    let digest = Sha256::digest(format!("{repeats}\n{text}"));
    digest.iter().take(7).fold(0, |key, byte| (key << 8) | i64::from(*byte))
}
