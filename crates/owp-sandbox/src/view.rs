//! What a test reads back from the box: issues, comments and pull requests with logins instead of ids.

use super::{
    error::ApiError,
    world::{World, model::Comment},
};

/// An issue, as a test wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueView {
    /// The number that is unique everywhere.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Who opened it.
    pub author: String,
    /// Label names.
    pub labels: Vec<String>,
    /// Assignees' logins.
    pub assignees: Vec<String>,
    /// Open or closed.
    pub open: bool,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// Conversation locked.
    pub locked: bool,
    /// Unix ms.
    pub updated_at: i64,
}

/// A comment, as a test wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentView {
    /// Its number.
    pub id: u64,
    /// The issue's number.
    pub issue: u64,
    /// Who wrote it.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// Written by the app.
    pub via_app: bool,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub updated_at: i64,
}

/// A pull request, as a test wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullView {
    /// The pull request's own id.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Who opened it.
    pub author: String,
    /// Not ready for review.
    pub draft: bool,
    /// Open or closed.
    pub open: bool,
    /// Merged.
    pub merged: bool,
    /// `owner:branch`.
    pub head: String,
    /// The newest commit.
    pub head_sha: String,
    /// The branch it wants to go into.
    pub base: String,
    /// Where a browser would look.
    pub html_url: String,
}

impl World {
    pub(super) fn issue_view(&self, repo: u64, number: u64) -> Result<IssueView, ApiError> {
        let issue = self.issue(repo, number)?;
        Ok(IssueView {
            id: issue.id,
            number,
            title: issue.title.clone(),
            body: issue.body.clone(),
            author: self.login(issue.author).to_owned(),
            labels: issue.labels.clone(),
            assignees: issue.assignees.iter().map(|id| self.login(*id).to_owned()).collect(),
            open: issue.open,
            state_reason: issue.state_reason.clone(),
            locked: issue.locked,
            updated_at: issue.updated_at,
        })
    }

    pub(super) fn comment_view(&self, comment: &Comment) -> CommentView {
        CommentView {
            id: comment.id,
            issue: comment.issue,
            author: self.login(comment.author).to_owned(),
            body: comment.body.clone(),
            via_app: comment.via_app,
            created_at: comment.created_at,
            updated_at: comment.updated_at,
        }
    }

    pub(super) fn pull_view(&self, repo: u64, number: u64) -> Result<PullView, ApiError> {
        let (issue, pull) = self.pull(repo, number)?;
        Ok(PullView {
            id: pull.id,
            number,
            title: issue.title.clone(),
            body: issue.body.clone(),
            author: self.login(issue.author).to_owned(),
            draft: pull.draft,
            open: issue.open,
            merged: pull.merged_at.is_some(),
            head: format!("{}:{}", self.login(pull.head_owner), pull.head_ref),
            head_sha: pull.head_sha.clone(),
            base: pull.base_ref.clone(),
            html_url: format!("{}/{}/pull/{number}", self.base, self.full_name(repo)),
        })
    }
}
