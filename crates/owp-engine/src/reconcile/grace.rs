//! Grace period when many issues lose the label at once: a typo in the policy's `labels.ready`, or the label renamed on
//! GitHub. Their tasks are withheld for a day, and one comment says so, before they leave the pool.

use crate::Reconciler;
use crate::comments::placement;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::issues::LabelEvidence;
use owp_github::render;
use owp_pool::task::Withheld;
use owp_pool::{RepoId, Span};
use owp_store::{Scope, StoreError, Tx, Unlabelled, transaction};

/// Length of the grace period.
const WAIT: Span = Span::hours(24);
/// Fewer live tasks than this get no grace period.
const MANY: usize = 3;
/// Key of the comment that announces it.
const KEY: &str = "unlabelled";

/// Returns true when so many tasks of a repository lost the label that it was hardly intended.
pub(crate) fn is_many(unlabelled: usize, live: usize) -> bool {
    live >= MANY && unlabelled * 2 > live
}

/// Decides if a task whose open issue lost the label waits for it; `None` when it does not. A single fetch cannot tell
/// if other issues lost it too, so this schedules a comparison.
pub(crate) async fn wait_for_label(
    tx: &mut Tx,
    repo: &RepoContext,
    proof: LabelEvidence,
) -> Result<Option<Withheld>, StoreError> {
    let (id, label, now) = (&repo.row.id, &repo.policy.labels.ready, tx.now());
    if let Some(until) = tx.doubts().unlabelled(id).await?.until.filter(|until| *until > now) {
        let why = format!(
            "The issue does not carry the label `{label}` at the moment, and neither do others here. Unless the label is back by {}, the task leaves the pool.",
            until.human()
        );
        return Ok(Some(Withheld { why, until: None }));
    }
    if proof != LabelEvidence::Look {
        return Ok(None);
    }
    tx.sync().compare_by(id, now).await?;
    let why =
        format!("The issue does not carry the label `{label}` at the moment; the pool compares all issues first.");
    Ok(Some(Withheld { why, until: Some(now + Span::minutes(1)) }))
}

/// Starts the grace period of a repository, if it has tasks.
pub(crate) async fn begin(tx: &mut Tx, id: &RepoId) -> Result<(), StoreError> {
    let before = tx.doubts().unlabelled(id).await?;
    if before.until.is_some_and(|until| until > tx.now()) || tx.policies().newest_issue(id).await?.is_none() {
        return Ok(());
    }
    let until = Some(tx.now() + WAIT);
    tx.doubts().set_unlabelled(id, Unlabelled { until, ..before }).await
}

impl Reconciler<'_> {
    /// Starts the grace period of a repository, unless it has already had one.
    pub(crate) async fn begin_grace(&self, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        self.write(
            Scope::repo(&repo.row.id),
            transaction!(|tx| {
                let Unlabelled { until, said } = tx.doubts().unlabelled(&id).await?;
                // A period that ended before it was announced, because no process ran, does not count.
                if until.is_none_or(|until| until <= tx.now() && said.is_none()) {
                    begin(tx, &id).await?;
                }
                Ok(())
            }),
        )
        .await
    }
}

/// Announces after a comparison how many tasks wait for the label, or that none does any more.
pub(crate) async fn review(tx: &mut Tx, repo: &RepoContext, waiting: usize) -> Result<(), StoreError> {
    let id = &repo.row.id;
    let before = tx.doubts().unlabelled(id).await?;
    let now = tx.now();
    if let Some(until) = before.until.filter(|until| waiting > 0 && *until > now) {
        let issue = match before.said {
            Some(issue) => Some(issue),
            None => tx.policies().newest_issue(id).await?,
        };
        let Some(issue) = issue else { return Ok(()) };
        let body = render::unlabelled(Some((waiting, until)), &repo.policy.labels.ready);
        placement::show(tx, repo, issue, KEY, &body).await?;
        return save(tx, repo, before, Unlabelled { said: Some(issue), ..before }).await;
    }
    if let Some(issue) = before.said
        && !placement::withdraw(tx, repo, issue, KEY).await?
    {
        placement::show(tx, repo, issue, KEY, &render::unlabelled(None, &repo.policy.labels.ready)).await?;
    }
    save(tx, repo, before, Unlabelled::default()).await
}

async fn save(tx: &mut Tx, repo: &RepoContext, before: Unlabelled, after: Unlabelled) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    tx.doubts().set_unlabelled(&repo.row.id, after).await
}
