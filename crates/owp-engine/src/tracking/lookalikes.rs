//! Labels that are only much like the one that offers an issue. On an issue that is a task its notes tell of them; here it is
//! said on issues that are none, where otherwise nothing would tell why.

use crate::comments::say;
use crate::comments::tell::NOTES;
use crate::facts::RepoContext;
use owp_github::client::IssueInfo;
use owp_github::render::lookalike_comment;
use owp_pool::labels::LabelReading;
use owp_store::{StoreError, Tx};

/// Says on an issue that is no task which of its labels was probably meant to make it one, or that this is resolved.
pub(crate) async fn note(
    tx: &mut Tx,
    repo: &RepoContext,
    info: &IssueInfo,
    reading: &LabelReading,
) -> Result<(), StoreError> {
    let concerns_us = info.is_open() && !info.is_pull;
    let alike = if concerns_us { reading.alike.as_slice() } else { &[] };
    if alike.is_empty() && say::unsay(tx, repo, info.number, NOTES).await? {
        return Ok(());
    }
    say::say(tx, repo, info.number, NOTES, &lookalike_comment(alike, &repo.policy.labels.ready)).await
}
