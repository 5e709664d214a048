//! Where the pool's words go: each key a comment of its own, or, where a repository asks for quiet, all of an issue's
//! keys folded into one comment.
//!
//! Words stay where they were said first. When a repository changes its mind, the comments that are there are kept up to
//! date as before, so that nothing is said twice and nothing goes stale.

use crate::facts::RepoContext;
use owp_github::render::{self, Said};
use owp_pool::policy::CommentMode;
use owp_store::{Part, StoreError, Tx};

/// The key of the one comment everything is folded into.
const ALL: &str = "all";
/// What a reply to a comment is kept under; nobody asks again for one that is no longer shown.
pub(crate) const REPLY: &str = "reply:";
/// What a refused claim is answered under; how many there were is asked later.
pub(crate) const REFUSAL: &str = "refusal:";
/// How many answers the folded comment shows.
const ANSWERS: i64 = 5;

/// Wants `body` to be said on an issue under `key`. In manual repositories nothing is said.
pub(crate) async fn say(tx: &mut Tx, repo: &RepoContext, issue: i64, key: &str, body: &str) -> Result<(), StoreError> {
    if !repo.row.managed {
        return Ok(());
    }
    let id = &repo.row.id;
    let quiet = repo.policy.comments == CommentMode::Quiet;
    if !tx.is_folded(id, issue, key).await?.unwrap_or(quiet) {
        return tx.want_comment(id, issue, key, &render::with_key(key, body)).await;
    }
    let answer = key.starts_with(REPLY) || key.starts_with(REFUSAL);
    tx.say_part(id, issue, key, body, answer).await?;
    fold(tx, repo, issue).await
}

/// Takes back what was said under `key`. False when people can see it and would be left with less than an answer: then
/// something else has to be said in its place.
pub(crate) async fn unsay(tx: &mut Tx, repo: &RepoContext, issue: i64, key: &str) -> Result<bool, StoreError> {
    let id = &repo.row.id;
    match tx.is_folded(id, issue, key).await? {
        None => return Ok(true),
        Some(false) => return tx.unwant_comment(id, issue, key).await,
        Some(true) => {}
    }
    let (standing, answers) = tx.parts(id, issue, ANSWERS).await?;
    let others = standing.iter().any(|part| part.key != key) || !answers.is_empty();
    if !others && !tx.unwant_comment(id, issue, ALL).await? {
        return Ok(false);
    }
    tx.drop_part(id, issue, key).await?;
    if others {
        fold(tx, repo, issue).await?;
    }
    Ok(true)
}

/// Wants the folded comment as its parts are now.
async fn fold(tx: &mut Tx, repo: &RepoContext, issue: i64) -> Result<(), StoreError> {
    let id = &repo.row.id;
    let (standing, answers) = tx.parts(id, issue, ANSWERS).await?;
    if let Some(oldest) = answers.last() {
        tx.forget_answers(id, issue, REPLY, oldest.said_at).await?;
    }
    let said = |parts: Vec<Part>| parts.into_iter().map(said).collect::<Vec<_>>();
    let body = render::folded(&said(standing), &said(answers));
    tx.want_comment(id, issue, ALL, &render::with_key(ALL, &body)).await
}

fn said(part: Part) -> Said {
    Said { key: part.key, body: part.body, at: part.said_at }
}
