//! GitHub's JSON of reviews and their comments.

use super::{node, time};
use crate::{
    error::ApiError,
    world::{
        World,
        reviews::{Review, ReviewComment},
    },
};
use serde_json::{Value, json};

impl World {
    /// Renders `pull-request-review`.
    pub(crate) fn review_json(&self, repo: u64, number: u64, review: &Review) -> Value {
        let (html, api) = self.review_urls(repo, number);
        let html = format!("{html}#pullrequestreview-{}", review.id);
        json!({
            "id": review.id, "node_id": node("PRR", review.id), "user": self.user_json(review.author),
            "body": review.body, "state": review.verdict.state(), "html_url": html, "pull_request_url": api,
            "author_association": self.association(repo, review.author), "commit_id": review.commit,
            "submitted_at": time(review.at),
            "_links": { "html": { "href": html }, "pull_request": { "href": api } },
        })
    }

    /// Renders `pull-request-review-comment` for all comments of a pull request's reviews, oldest first.
    pub(crate) fn review_comments_json(&self, repo: u64, number: u64) -> Result<Vec<Value>, ApiError> {
        let pairs =
            self.pull(repo, number)?.1.reviews.iter().flat_map(|one| one.comments.iter().map(move |c| (one, c)));
        Ok(pairs.map(|(review, comment)| self.review_comment_json(repo, number, review, comment)).collect())
    }

    fn review_comment_json(&self, repo: u64, number: u64, review: &Review, comment: &ReviewComment) -> Value {
        let (html, api) = self.review_urls(repo, number);
        let url = format!("{}/pulls/comments/{}", self.repo_url(repo), comment.id);
        let html = format!("{html}#discussion_r{}", comment.id);
        let files = self.pull(repo, number).map(|(_, pull)| Self::files_of(pull)).unwrap_or_default();
        let hunk = files.iter().find(|file| file.path == comment.path).and_then(|file| file.patch.clone());
        let mut json = json!({
            "id": comment.id, "node_id": node("PRRC", comment.id), "url": url, "pull_request_review_id": review.id,
            "diff_hunk": hunk.unwrap_or_default(), "path": comment.path, "commit_id": review.commit,
            "original_commit_id": review.commit, "user": self.user_json(review.author), "body": comment.body,
            "created_at": time(review.at), "updated_at": time(review.at), "html_url": html, "pull_request_url": api,
            "author_association": self.association(repo, review.author), "side": "RIGHT",
            "subject_type": if comment.line.is_some() { "line" } else { "file" },
            "_links": { "self": { "href": url }, "html": { "href": html }, "pull_request": { "href": api } },
        });
        if let Some(line) = comment.line {
            json["line"] = json!(line);
            json["original_line"] = json!(line);
        }
        json
    }

    /// Returns the pull request's page and its API URL.
    fn review_urls(&self, repo: u64, number: u64) -> (String, String) {
        let html = format!("{}/{}/pull/{number}", self.base, self.full_name(repo));
        (html, format!("{}/pulls/{number}", self.repo_url(repo)))
    }
}
