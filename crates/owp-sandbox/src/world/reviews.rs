//! Reviews of pull requests, with comments on lines. No webhooks are sent for them, and no review is pending.

use super::{
    World,
    access::{Caller, Need},
};
use crate::error::ApiError;

/// Outcome of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    RequestChanges,
    Comment,
}

impl Verdict {
    /// Parses GitHub's `event`.
    pub(crate) fn parse(event: &str) -> Option<Self> {
        match event {
            "APPROVE" => Some(Self::Approve),
            "REQUEST_CHANGES" => Some(Self::RequestChanges),
            "COMMENT" => Some(Self::Comment),
            _ => None,
        }
    }

    /// Returns GitHub's `state`.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Self::Approve => "APPROVED",
            Self::RequestChanges => "CHANGES_REQUESTED",
            Self::Comment => "COMMENTED",
        }
    }
}

/// A review.
#[derive(Debug, Clone)]
pub(crate) struct Review {
    pub(crate) id: u64,
    /// User id of the reviewer.
    pub(crate) author: u64,
    pub(crate) verdict: Verdict,
    /// The body in Markdown; may be empty.
    pub(crate) body: String,
    /// The head commit at that time.
    pub(crate) commit: String,
    /// Time of the review (Unix ms).
    pub(crate) at: i64,
    pub(crate) comments: Vec<ReviewComment>,
}

/// A comment on a line of a changed file.
#[derive(Debug, Clone)]
pub(crate) struct ReviewComment {
    pub(crate) id: u64,
    pub(crate) path: String,
    /// The line in the new file; `None` for the whole file.
    pub(crate) line: Option<u64>,
    pub(crate) body: String,
}

/// Parameters of a new review. The ids of its comments are set later.
#[derive(Debug, Clone)]
pub(crate) struct NewReview {
    pub(crate) verdict: Verdict,
    pub(crate) body: String,
    pub(crate) comments: Vec<ReviewComment>,
}

impl World {
    /// Reviews a pull request and returns the review's id. Everybody who can see it may, except approving one's own.
    pub(crate) fn review(&mut self, caller: &Caller, repo: u64, number: u64, new: NewReview) -> Result<u64, ApiError> {
        self.need(caller, repo, Need::PullsWrite)?;
        let (author, at) = (self.actor(caller)?, self.now());
        let (issue, pull) = self.pull(repo, number)?;
        if issue.author == author && new.verdict != Verdict::Comment {
            let what = if new.verdict == Verdict::Approve { "approve" } else { "request changes on" };
            return Err(ApiError::new(422, format!("Can not {what} your own pull request")));
        }
        if new.verdict != Verdict::Approve && new.body.is_empty() && new.comments.is_empty() {
            return Err(ApiError::new(422, "You need to leave a comment indicating the requested changes."));
        }
        let files = Self::files_of(pull);
        if !new.comments.iter().all(|one| files.iter().any(|file| file.path == one.path)) {
            return Err(ApiError::new(422, "Path could not be resolved"));
        }
        let commit = pull.head_sha.clone();
        let id = self.new_id();
        let mut comments = new.comments;
        for comment in &mut comments {
            comment.id = self.new_id();
        }
        let review = Review { id, author, verdict: new.verdict, body: new.body, commit, at, comments };
        self.pull_mut(repo, number)?.reviews.push(review);
        self.touch(repo, number);
        Ok(id)
    }
}
