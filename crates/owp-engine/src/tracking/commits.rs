//! Checks and signatures of a pull request's head commit. The pool fetches them before a transaction if they can
//! matter, again when a delivery reports a change, and at every count.

use crate::Tracking;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::tracking::pulls;
use owp_github::client::{GitHubError, PullInfo, RepoReader};
use owp_pool::gates::Checks;
use owp_pool::pull::Signatures;
use owp_pool::task::TaskState;
use owp_store::{Delivery, RepoRow, StoreError, Tx, transaction};
use std::collections::BTreeMap;

/// A pull request with the data fetched about its head commit.
#[derive(Debug, Clone)]
pub(crate) struct PullDetails {
    pub info: PullInfo,
    /// Checks that the gates name; `None` when no check matters.
    pub checks: Option<Checks>,
    /// Signatures; `None` when they are known already or not needed.
    pub signatures: Option<Signatures>,
}

/// Data to fetch about a pull request's head commit.
#[derive(Debug, Clone, Copy, Default)]
struct ChecksToFetch {
    checks: bool,
    signatures: bool,
}

impl Tracking<'_> {
    /// Fetches the data needed about a head commit. `reported` says that a worker reports the pull request.
    pub(crate) async fn fetch_checks(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: PullInfo,
        reported: bool,
    ) -> Result<PullDetails, EngineError> {
        let (context, view) = (repo.clone(), info.clone());
        let wanted = self.read(transaction!(|tx| Ok(wanted(tx, &context, &view, reported).await?)));
        let wanted = wanted.await?;
        let checks = if wanted.checks { Some(read_checks(reader, repo, &info.head_sha).await?) } else { None };
        let signatures = if wanted.signatures { read_signatures(reader, info.number).await? } else { None };
        Ok(PullDetails { info, checks, signatures })
    }

    /// Processes a delivery about a commit, if an open pull request there is gated on the check.
    pub(crate) async fn process_commit(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        sha: &str,
        name: Option<&str>,
    ) -> Result<(), EngineError> {
        let repo = self.context(row);
        let asks = |asked: &String| name.is_none_or(|name| name.to_lowercase() == asked.to_lowercase());
        let (id, at) = (repo.row.id.clone(), sha.to_owned());
        let stands = if repo.policy.gates.checks.iter().any(asks) {
            self.read(transaction!(|tx| Ok(!tx.pulls().open_at(&id, &at).await?.is_empty()))).await?
        } else {
            false
        };
        if !stands {
            return self.intake().finish(delivery).await;
        }
        let checks = read_checks(&self.reader(&repo.row)?, &repo, sha).await?;
        let sha = sha.to_owned();
        self.intake()
            .commit(delivery, &repo, transaction!(|tx, repo| pulls::checked(tx, &repo, &sha, &checks).await))
            .await
    }

    /// Judges every open pull request that names a task again. A delivery about its checks may have been lost, and the
    /// rules or its author's agents may have changed.
    pub(crate) async fn recheck(&self, reader: &RepoReader, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        let open = self.read(transaction!(|tx| Ok(tx.pulls().under_way(&id).await?))).await?;
        let mut by_commit = BTreeMap::<String, Checks>::new();
        for pull in open {
            let checks = match by_commit.get(&pull.head_sha) {
                Some(known) => known.clone(),
                None if repo.policy.gates.checks.is_empty() => pull.facts.checks.clone(),
                None => read_checks(reader, repo, &pull.head_sha).await?,
            };
            by_commit.insert(pull.head_sha.clone(), checks);
        }
        if by_commit.is_empty() {
            return Ok(());
        }
        self.in_repo(
            &repo.row.id,
            transaction!(|tx, repo| {
                for (sha, checks) in &by_commit {
                    pulls::checked(tx, &repo, sha, checks).await?;
                }
                Ok(())
            }),
        )
        .await
    }
}

/// Decides which data to fetch. Checks matter while a pull request is open, signatures when it is delivered or merged;
/// neither matters while it names no task.
async fn wanted(tx: &mut Tx, repo: &RepoContext, info: &PullInfo, reported: bool) -> Result<ChecksToFetch, StoreError> {
    let view = pulls::row_of(info, repo);
    let mut tasks = tx.tasks().of_pull(&repo.row.id, info.number).await?;
    for issue in &view.issues {
        tasks.extend(tx.tasks().by_issue(&repo.row.id, *issue).await?);
    }
    let ongoing = reported || tasks.iter().any(|task| !task.state.is_over());
    let unmerged = reported || tasks.iter().any(|task| task.state != TaskState::Merged);
    let stored = tx.pulls().get(&repo.row.id, info.number).await?;
    let known = stored.as_ref().is_some_and(|row| row.head_sha == info.head_sha && row.signatures.is_some());
    let merge_is_news = info.merged && stored.is_none_or(|row| !row.facts.merged);
    Ok(ChecksToFetch {
        checks: view.facts.open && ongoing && !repo.policy.gates.checks.is_empty(),
        signatures: !known && ((view.facts.open && ongoing) || (merge_is_news && unmerged)),
    })
}

/// Fetches the checks that the gates name. Without permission the gate fails, and says why.
async fn read_checks(reader: &RepoReader, repo: &RepoContext, sha: &str) -> Result<Checks, EngineError> {
    match reader.checks(sha).await {
        Ok(found) => Ok(Checks::seen(&repo.policy.gates, found)),
        Err(error) if out_of_reach(&error) => Err(error.into()),
        Err(error) if error.is_denied() => Ok(Checks::Unreadable(
            "the App may not read checks and statuses here; an owner can grant it that in the App's settings"
                .to_owned(),
        )),
        Err(error) => Ok(Checks::Unreadable(error.to_string())),
    }
}

/// Fetches the signatures; `None` when GitHub does not show them, which blocks nothing.
async fn read_signatures(reader: &RepoReader, number: i64) -> Result<Option<Signatures>, EngineError> {
    match reader.signatures(number).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if out_of_reach(&error) => Err(error.into()),
        Err(error) => {
            tracing::warn!(number, %error, "failed to look up a pull request's commit signatures");
            Ok(None)
        }
    }
}

/// Returns true when every other request would fail for the same reason, or a retry may succeed.
fn out_of_reach(error: &GitHubError) -> bool {
    error.is_transient() || error.is_suspended() || error.installation_gone()
}
