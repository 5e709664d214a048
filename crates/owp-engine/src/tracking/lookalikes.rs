//! Labels that only resemble the ready label. The notes comment of a task mentions them; this module covers issues that
//! are not tasks, where nothing else would explain why.

use crate::comments::placement;
use crate::comments::update::NOTES;
use crate::facts::RepoContext;
use owp_github::client::IssueInfo;
use owp_github::render::lookalike_comment;
use owp_pool::labels::LabelReading;
use owp_store::{StoreError, Tx};

/// Names the label that was probably meant to make an issue a task, or marks that as resolved.
pub(crate) async fn note(
    tx: &mut Tx,
    repo: &RepoContext,
    info: &IssueInfo,
    reading: &LabelReading,
) -> Result<(), StoreError> {
    let concerns_us = info.is_open() && !info.is_pull;
    let alike = if concerns_us { reading.alike.as_slice() } else { &[] };
    if alike.is_empty() && placement::withdraw(tx, repo, info.number, NOTES).await? {
        return Ok(());
    }
    placement::show(tx, repo, info.number, NOTES, &lookalike_comment(alike, &repo.policy.labels.ready)).await
}
