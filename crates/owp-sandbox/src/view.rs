//! Views for test assertions: issues, comments and pull requests with logins instead of ids.

use super::{
    error::ApiError,
    world::{World, model::Comment},
};

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueView {
    /// The globally unique id.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// The title, one line.
    pub title: String,
    /// The body in Markdown.
    pub body: Option<String>,
    /// Login of the author.
    pub author: String,
    /// Label names.
    pub labels: Vec<String>,
    /// Logins of the assignees.
    pub assignees: Vec<String>,
    /// True while it is open.
    pub open: bool,
    /// Reason for its state.
    pub state_reason: Option<String>,
    /// True when the conversation is locked.
    pub locked: bool,
    /// Time of the last change (Unix ms).
    pub updated_at: i64,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentView {
    /// Its id.
    pub id: u64,
    /// The issue's number.
    pub issue: u64,
    /// Login of the author.
    pub author: String,
    /// The body in Markdown.
    pub body: String,
    /// True if the app wrote it.
    pub via_app: bool,
    /// Creation time (Unix ms).
    pub created_at: i64,
    /// Time of the last edit (Unix ms).
    pub updated_at: i64,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullView {
    /// The pull request's own id.
    pub id: u64,
    /// The number in its repository.
    pub number: u64,
    /// The title, one line.
    pub title: String,
    /// The body in Markdown.
    pub body: Option<String>,
    /// Login of the author.
    pub author: String,
    /// True while it is a draft.
    pub draft: bool,
    /// True while it is open.
    pub open: bool,
    /// True once it is merged.
    pub merged: bool,
    /// `owner:branch`.
    pub head: String,
    /// The newest commit.
    pub head_sha: String,
    /// The target branch.
    pub base: String,
    /// Its page for a browser.
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
