//! The write client. It has two calls: create and update an issue comment.
//!
//! A third call MUST NOT be added. The token is limited to one repository, so it cannot write to another repository
//! that took over the name.

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

    /// Fetches the token that the next write needs, unless it is known.
    ///
    /// # Errors
    /// [`GitHubError::NoToken`] when GitHub gives none, [`GitHubError::RateLimited`] when it could not be used.
    pub async fn ready(&self) -> Result<(), GitHubError> {
        self.github.token(self.scope).await.map(drop)
    }

    /// Creates a comment. If [`GitHubError::outcome_unknown`] is true, look for the comment before a retry.
    ///
    /// # Errors
    /// [`GitHubError::Locked`], [`GitHubError::Gone`] when the issue was deleted, [`GitHubError::Moved`] when the
    /// repository was renamed or the issue transferred.
    pub async fn create(&self, issue: i64, body: &str) -> Result<CommentInfo, GitHubError> {
        let repo = RepoPath::new(&self.repo.full_name)?;
        self.comment(&Write::CreateComment { repo: &repo, issue }, body).await
    }

    /// Replaces a comment's body; the call is idempotent.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the comment was deleted.
    pub async fn update(&self, comment_id: i64, body: &str) -> Result<CommentInfo, GitHubError> {
        let repo = RepoPath::new(&self.repo.full_name)?;
        self.comment(&Write::UpdateComment { repo: &repo, comment: comment_id }, body).await
    }

    async fn comment(&self, write: &Write<'_>, body: &str) -> Result<CommentInfo, GitHubError> {
        let response = self.github.write(self.scope, write, &json!({"body": body})).await?;
        // GitHub accepted the write. With an unreadable response only the comment's id is unknown.
        let raw: RawComment = response.json().map_err(|error| GitHubError::Lost { reason: error.to_string() })?;
        Ok(raw.into())
    }
}
