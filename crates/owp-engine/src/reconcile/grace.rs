//! Many issues lose the label at once: a typo in the policy's `labels.ready`, or the label renamed on GitHub. Their tasks
//! are handed to nobody for a day, and that is said once, before they leave the pool.

use crate::Engine;
use crate::comments::say;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::issues::Proof;
use owp_github::render;
use owp_pool::task::Withheld;
use owp_pool::{RepoId, Span};
use owp_store::{Scope, StoreError, Tx, Unlabelled};

/// How long tasks wait for the label.
const WAIT: Span = Span::hours(24);
/// Fewer tasks than this are taken out one by one.
const MANY: usize = 3;
/// The key of the comment that says it.
const KEY: &str = "unlabelled";

/// True when so many tasks of a repository lost the label that it was hardly meant.
pub(crate) fn is_many(unlabelled: usize, live: usize) -> bool {
    live >= MANY && unlabelled * 2 > live
}

/// How a task whose open issue does not carry the label waits for it; `None` when it does not. A single look cannot tell
/// whether others lost it too, so a comparison is asked for.
pub(crate) async fn wait_for_label(
    tx: &mut Tx,
    repo: &RepoContext,
    proof: Proof,
) -> Result<Option<Withheld>, StoreError> {
    let (id, label, now) = (&repo.row.id, &repo.policy.labels.ready, tx.now());
    if let Some(until) = tx.unlabelled(id).await?.until.filter(|until| *until > now) {
        let why = format!(
            "The issue does not carry the label `{label}` at the moment, and neither do others here. Unless the label is back by {}, the task leaves the pool.",
            until.human()
        );
        return Ok(Some(Withheld { why, until: None }));
    }
    if proof != Proof::Look {
        return Ok(None);
    }
    tx.compare_by(id, now).await?;
    let why =
        format!("The issue does not carry the label `{label}` at the moment; the pool compares all issues first.");
    Ok(Some(Withheld { why, until: Some(now + Span::minutes(1)) }))
}

/// Lets the tasks of a repository wait for the label from now on, if there are any.
pub(crate) async fn begin(tx: &mut Tx, id: &RepoId) -> Result<(), StoreError> {
    let before = tx.unlabelled(id).await?;
    if before.until.is_some_and(|until| until > tx.now()) || tx.newest_issue(id).await?.is_none() {
        return Ok(());
    }
    let until = Some(tx.now() + WAIT);
    tx.set_unlabelled(id, Unlabelled { until, ..before }).await
}

impl Engine {
    /// Lets the tasks of a repository wait for the label, unless they have waited for it already.
    pub(crate) async fn begin_grace(&self, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let Unlabelled { until, said } = tx.unlabelled(&id).await?;
                    // One that ran out before anybody was told, because no process ran, was none.
                    if until.is_none_or(|until| until <= tx.now() && said.is_none()) {
                        begin(tx, &id).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Says after a comparison how many tasks wait for the label, or that none does any more.
pub(crate) async fn review(tx: &mut Tx, repo: &RepoContext, waiting: usize) -> Result<(), StoreError> {
    let id = &repo.row.id;
    let before = tx.unlabelled(id).await?;
    let now = tx.now();
    if let Some(until) = before.until.filter(|until| waiting > 0 && *until > now) {
        let issue = match before.said {
            Some(issue) => Some(issue),
            None => tx.newest_issue(id).await?,
        };
        let Some(issue) = issue else { return Ok(()) };
        let body = render::unlabelled(Some((waiting, until)), &repo.policy.labels.ready);
        say::say(tx, repo, issue, KEY, &body).await?;
        return keep(tx, repo, before, Unlabelled { said: Some(issue), ..before }).await;
    }
    if let Some(issue) = before.said
        && !say::unsay(tx, repo, issue, KEY).await?
    {
        say::say(tx, repo, issue, KEY, &render::unlabelled(None, &repo.policy.labels.ready)).await?;
    }
    keep(tx, repo, before, Unlabelled::default()).await
}

async fn keep(tx: &mut Tx, repo: &RepoContext, before: Unlabelled, after: Unlabelled) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    tx.set_unlabelled(&repo.row.id, after).await
}
