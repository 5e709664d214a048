//! The write client, which knows two calls: create and update an issue comment.
//!
//! There must never be a third. The token behind it reaches one repository, so even a name that was taken over by
//! somebody else's repository cannot be written to.

use super::{
    CommentInfo, GitHub, GitHubError, RepoHandle,
    http::Write,
    path::RepoPath,
    raw::RawComment,
    token::{Purpose, Scope},
};
use serde_json::json;

/// Writes issue comments in one repository.
#[derive(Debug, Clone)]
pub struct CommentWriter {
    github: GitHub,
    scope: Scope,
    repo: RepoHandle,
}

impl CommentWriter {
    pub(super) fn new(github: GitHub, installation: i64, repo: RepoHandle) -> Self {
        let scope = Scope { installation, repo: Some(repo.github_id), purpose: Purpose::Comment };
        Self { github, scope, repo }
    }

    /// Writes a new comment. When [`GitHubError::outcome_unknown`] holds, look for it before trying again.
    ///
    /// # Errors
    /// [`GitHubError::Locked`], [`GitHubError::Gone`] when the issue was deleted, [`GitHubError::Moved`] when the
    /// repository was renamed or the issue transferred.
    pub async fn create(&self, issue: i64, body: &str) -> Result<CommentInfo, GitHubError> {
        let repo = RepoPath::new(&self.repo.full_name)?;
        self.comment(&Write::CreateComment { repo: &repo, issue }, body).await
    }

    /// Replaces a comment's body; doing it twice is the same as once.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the comment was deleted.
    pub async fn update(&self, comment_id: i64, body: &str) -> Result<CommentInfo, GitHubError> {
        let repo = RepoPath::new(&self.repo.full_name)?;
        self.comment(&Write::UpdateComment { repo: &repo, comment: comment_id }, body).await
    }

    async fn comment(&self, write: &Write<'_>, body: &str) -> Result<CommentInfo, GitHubError> {
        let answer = self.github.write(self.scope, write, &json!({"body": body})).await?;
        // GitHub took the write; an answer we cannot read leaves the comment's id unknown, not the comment unwritten.
        let raw: RawComment = answer.json().map_err(|error| GitHubError::Lost { reason: error.to_string() })?;
        Ok(raw.into())
    }
}
