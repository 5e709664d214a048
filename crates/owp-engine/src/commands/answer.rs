//! Replies to commands. The key of a reply decides between a new comment and an edit of an old one.
//!
//! New comments notify everybody on the issue, so each contributor can cause a limited number. Beyond the limit, the
//! last reply is edited.

use super::{Asked, PendingCommands};
use crate::comments::placement::{self, REFUSAL, REPLY};
use crate::error::EngineError;
use crate::facts::RepoContext;
use owp_github::payload::UserRef;
use owp_github::render::{Outcome, refusal_settled, reply, task_page_line, with_own_tool};
use owp_pool::command::pace::{PER_HOUR, PER_MINUTE};
use owp_pool::policy::CommentMode;
use owp_pool::{RepoId, Span};
use owp_store::{StoreError, Tx};

/// Limit on the new comments that one contributor can cause on an issue.
#[derive(Debug, Clone, Copy)]
struct CommentLimit {
    /// Comments per span.
    most: usize,
    /// Length of the span.
    within: Span,
    /// Comments in total.
    ever: usize,
}

/// Refused claims.
const REFUSALS: CommentLimit = CommentLimit { most: 1, within: Span::hours(24), ever: 3 };
/// Commands that need a permission the contributor does not have.
const DENIALS: CommentLimit = CommentLimit { most: 1, within: Span::hours(24), ever: usize::MAX };
/// All other replies, to contributors without write access and to those with it.
const REPLIES: CommentLimit = CommentLimit { most: 3, within: Span::hours(24), ever: usize::MAX };
const REPLIES_TO_MAINTAINERS: CommentLimit = CommentLimit { most: 30, within: Span::hours(1), ever: usize::MAX };
/// Commands rejected by the rate limit.
const LIMITS: CommentLimit = CommentLimit { most: 1, within: Span::hours(1), ever: usize::MAX };
/// Commands in the thread of a pull request.
const ELSEWHERE: CommentLimit = CommentLimit { most: 1, within: Span::hours(24), ever: usize::MAX };

/// Queues the reply to a comment. What the lease comment already says is not repeated.
pub(super) async fn answer(
    tx: &mut Tx,
    repo: &RepoContext,
    asked: &Asked,
    outcomes: Vec<Outcome>,
) -> Result<(), EngineError> {
    let said_elsewhere = |o: &Outcome| {
        matches!(o, Outcome::Granted { .. } | Outcome::Delivered { .. } | Outcome::Released | Outcome::Extended { .. })
    };
    if outcomes.iter().any(|o| matches!(o, Outcome::Granted { .. } | Outcome::Delivered { .. })) {
        settle_refusal(tx, repo, asked).await?;
    }
    if outcomes.iter().all(said_elsewhere) {
        return Ok(());
    }
    let (author, all) = (asked.author.id, |is: fn(&Outcome) -> bool| outcomes.iter().all(is));
    let (prefix, bound) = if all(|o| matches!(o, Outcome::Refused(_))) {
        (format!("{REFUSAL}{author}:"), REFUSALS)
    } else if all(|o| matches!(o, Outcome::PermissionMissing { .. })) {
        (format!("{REPLY}denied:{author}:"), DENIALS)
    } else {
        (replies_to(author), if asked.may_maintain() { REPLIES_TO_MAINTAINERS } else { REPLIES })
    };
    let place = place(tx, repo, (asked.issue, asked.comment_id), &prefix, bound).await?;
    let mut body = reply(&asked.author.login, &outcomes);
    if outcomes.iter().any(|o| matches!(o, Outcome::Help(_))) {
        body = with_own_tool(body, repo.server.as_deref(), &asked.author.login, repo.policy.link_issue);
    }
    let asks_why = |o: &Outcome| matches!(o, Outcome::Refused(_) | Outcome::Why(_) | Outcome::Status(_));
    if outcomes.iter().any(asks_why)
        && let Some(task) = tx.tasks().by_issue(&repo.row.id, asked.issue).await?
        && let Some(page) = repo.task_page(&task.id)
    {
        body.push_str(&task_page_line(&page));
    }
    if place.is_shared && prefix.starts_with(&replies_to(author)) {
        body.push_str(ONE_PLACE);
    }
    if place.is_shared && prefix.starts_with(REFUSAL) {
        // The edited comment stays in its old place, which may be far up.
        body.push_str(&format!("\n\nUpdated on {} after your last claim.", tx.now().human()));
    }
    Ok(placement::show(tx, repo, asked.issue, &place.key, &body).await?)
}

/// Withdraws or rewrites an earlier refusal, which would contradict the lease comment below it.
async fn settle_refusal(tx: &mut Tx, repo: &RepoContext, asked: &Asked) -> Result<(), StoreError> {
    let prefix = format!("{REFUSAL}{}:", asked.author.id);
    let said = tx.comments().with_prefix(&repo.row.id, asked.issue, &prefix).await?;
    let Some((key, ..)) = said.last() else { return Ok(()) };
    if placement::withdraw(tx, repo, asked.issue, key).await? {
        return Ok(());
    }
    placement::show(tx, repo, asked.issue, key, &refusal_settled(&asked.author.login)).await
}

/// Ending of a reply that is edited because the limit on new ones is reached.
const ONE_PLACE: &str = "\n\nYou got several replies on this issue already, so from now on this one is edited when you write another command.";

/// Replies that the commands were rejected by the rate limit.
pub(super) async fn too_fast(tx: &mut Tx, repo: &RepoContext, said: &PendingCommands) -> Result<(), EngineError> {
    let why = Outcome::Failed(format!(
        "these commands were not run: the pool runs at most {PER_MINUTE} commands of one contributor in a minute, and {PER_HOUR} in an hour. Write them again later, in another comment."
    ));
    let prefix = limits_of(said.author.id);
    let place = place(tx, repo, (said.issue, said.comment_id), &prefix, LIMITS).await?;
    Ok(placement::show(tx, repo, said.issue, &place.key, &reply(&said.author.login, &[why])).await?)
}

/// Replies to commands in a pull request's thread that commands are read on issues. The App may not comment on pull
/// requests, so the reply goes to the issue of the linked task, if there is one.
pub(crate) async fn point_to_issue(
    tx: &mut Tx,
    repo: &RepoContext,
    (pull, comment): (i64, i64),
    author: &UserRef,
) -> Result<(), EngineError> {
    let tasks = tx.tasks().of_pull(&repo.row.id, pull).await?;
    let Some(issue) = tasks.into_iter().find_map(|task| task.issue) else { return Ok(()) };
    let why = Outcome::Failed(format!(
        "commands are read on issues only, so your comment on pull request #{pull} did nothing. Write the command here."
    ));
    let prefix = format!("{REPLY}pull:{}:", author.id);
    let place = place(tx, repo, (issue, comment), &prefix, ELSEWHERE).await?;
    Ok(placement::show(tx, repo, issue, &place.key, &reply(&author.login, &[why])).await?)
}

/// Returns true when an author without write access has used up the new replies on an issue.
pub(super) async fn is_chatty(tx: &mut Tx, repo: &RepoId, issue: i64, author: i64) -> Result<bool, StoreError> {
    is_reached(tx, repo, issue, &replies_to(author), REPLIES).await
}

/// Returns true when the author was recently told on this issue about the rate limit.
pub(super) async fn was_turned_away(tx: &mut Tx, repo: &RepoId, issue: i64, author: i64) -> Result<bool, StoreError> {
    is_reached(tx, repo, issue, &limits_of(author), LIMITS).await
}

async fn is_reached(
    tx: &mut Tx,
    repo: &RepoId,
    issue: i64,
    prefix: &str,
    bound: CommentLimit,
) -> Result<bool, StoreError> {
    let young = tx.now() - bound.within;
    let said = tx.comments().with_prefix(repo, issue, prefix).await?;
    Ok(said.iter().filter(|(_, _, at)| *at > young).count() >= bound.most)
}

fn limits_of(author: i64) -> String {
    format!("{REPLY}limit:{author}:")
}

fn replies_to(author: i64) -> String {
    format!("{REPLY}{author}:")
}

/// The comment that carries a reply.
struct ReplyComment {
    key: String,
    /// True when it already answered another comment.
    is_shared: bool,
}

/// Picks the key of the reply to `comment`: its own, or the last one under `prefix` when the limit is reached.
async fn place(
    tx: &mut Tx,
    repo: &RepoContext,
    (issue, comment): (i64, i64),
    prefix: &str,
    bound: CommentLimit,
) -> Result<ReplyComment, StoreError> {
    let own = ReplyComment { key: format!("{prefix}{comment}"), is_shared: false };
    let said = tx.comments().with_prefix(&repo.row.id, issue, prefix).await?;
    // An edited comment keeps its reply. Replies folded into one comment notify nobody.
    let folded = repo.policy.comments == CommentMode::Quiet && bound.ever == usize::MAX;
    if folded || said.iter().any(|(key, ..)| *key == own.key) {
        return Ok(own);
    }
    let young = tx.now() - bound.within;
    let recent = said.iter().filter(|(_, _, at)| *at > young).count();
    Ok(match said.last() {
        Some((key, ..)) if recent >= bound.most || said.len() >= bound.ever => {
            ReplyComment { key: key.clone(), is_shared: true }
        }
        _ => own,
    })
}
