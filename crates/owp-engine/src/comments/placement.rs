//! Placement of the pool's comments: one comment per key or, in a quiet repository, all of an issue's keys folded into
//! one comment.
//!
//! A key stays where it was first posted. When a repository changes its comment mode, existing comments are still
//! updated, so that nothing is said twice and nothing goes stale.

use crate::comments::update::NOTES;
use crate::facts::RepoContext;
use owp_github::render::{self, CommentPart};
use owp_pool::policy::CommentMode;
use owp_store::{Part, StoreError, Tx};

/// Key of the comment that everything is folded into.
const ALL: &str = "all";
/// Key prefix of replies to comments; one that is no longer shown is not looked up again.
pub(crate) const REPLY: &str = "reply:";
/// Key prefix of replies to refused claims; their number is looked up later.
pub(crate) const REFUSAL: &str = "refusal:";
/// Number of replies in the folded comment.
const ANSWERS: i64 = 5;

/// Returns true for a key whose comment may be there before the pool writes it for the first time: an issue brings it along
/// when it is transferred, and every issue does after an old backup was restored. Most other keys name something new.
pub(crate) fn may_be_there(key: &str) -> bool {
    key == NOTES || key == ALL
}

/// Queues `body` as the comment on an issue under `key`. Manual repositories get no comments.
pub(crate) async fn show(tx: &mut Tx, repo: &RepoContext, issue: i64, key: &str, body: &str) -> Result<(), StoreError> {
    if !repo.row.managed {
        return Ok(());
    }
    let id = &repo.row.id;
    let quiet = repo.policy.comments == CommentMode::Quiet;
    if !tx.comments().is_folded(id, issue, key).await?.unwrap_or(quiet) {
        return tx.comments().want(id, issue, key, &render::with_key(key, body)).await;
    }
    let answer = key.starts_with(REPLY) || key.starts_with(REFUSAL);
    tx.comments().show_part(id, issue, key, body, answer).await?;
    fold(tx, repo, issue).await
}

/// Withdraws the comment under `key`. Returns false when people can see it and would miss an answer: then another text
/// must replace it.
pub(crate) async fn withdraw(tx: &mut Tx, repo: &RepoContext, issue: i64, key: &str) -> Result<bool, StoreError> {
    let id = &repo.row.id;
    match tx.comments().is_folded(id, issue, key).await? {
        None => return Ok(true),
        Some(false) => return tx.comments().unwant(id, issue, key).await,
        Some(true) => {}
    }
    let (standing, answers) = tx.comments().parts(id, issue, ANSWERS).await?;
    let others = standing.iter().any(|part| part.key != key) || !answers.is_empty();
    if !others && !tx.comments().unwant(id, issue, ALL).await? {
        return Ok(false);
    }
    tx.comments().drop_part(id, issue, key).await?;
    if others {
        fold(tx, repo, issue).await?;
    }
    Ok(true)
}

/// Queues the folded comment with its current parts.
async fn fold(tx: &mut Tx, repo: &RepoContext, issue: i64) -> Result<(), StoreError> {
    let id = &repo.row.id;
    let (standing, answers) = tx.comments().parts(id, issue, ANSWERS).await?;
    if let Some(oldest) = answers.last() {
        tx.comments().forget_answers(id, issue, REPLY, oldest.said_at).await?;
    }
    let said = |parts: Vec<Part>| parts.into_iter().map(said).collect::<Vec<_>>();
    let body = render::folded(&said(standing), &said(answers));
    tx.comments().want(id, issue, ALL, &render::with_key(ALL, &body)).await
}

fn said(part: Part) -> CommentPart {
    CommentPart { key: part.key, body: part.body, at: part.said_at }
}
