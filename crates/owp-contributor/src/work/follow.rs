//! After the pull request: what became of it, and rounds of review.

use super::{Outcome, Stop};
use super::{Work, WorkError, stopped};
use crate::journal::{Review, Step};

/// Verdict of a review that asks for changes.
const CHANGES_REQUESTED: &str = "CHANGES_REQUESTED";

/// What became of a pull request since it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is open, and nobody asks for anything.
    Open,
    /// Reviewers ask for changes, or checks failed: so many remarks and failed checks.
    ChangesWanted {
        /// New remarks.
        remarks: usize,
        /// Failed checks.
        failed: usize,
    },
    /// It was merged.
    Merged,
    /// It was closed without a merge.
    Closed,
}

impl Work<'_> {
    /// Asks GitHub about the pull request. A merged or closed one ends the work and its working copy.
    ///
    /// # Errors
    /// If GitHub cannot be asked, or the working copy cannot be removed.
    pub async fn news(&mut self) -> Result<News, WorkError> {
        let Some((upstream, number)) = self.pull() else { return Ok(News::Closed) };
        let pull = self.cx.github.pull(&upstream, number).await?;
        if pull.is_merged() || !pull.is_open() {
            let (news, outcome) = if pull.is_merged() { (News::Merged, "merged") } else { (News::Closed, "closed") };
            self.journal.outcome = Some(outcome.to_owned());
            self.done(Step::Ended)?;
            return Ok(news);
        }
        let review = self.wanted(&upstream, number).await?;
        let (remarks, failed) = (review.remarks.len(), review.failed.len());
        Ok(if remarks + failed == 0 { News::Open } else { News::ChangesWanted { remarks, failed } })
    }

    /// Begins a round of review with what reviewers and checks said since the last one. Returns a reason to stop if there
    /// is nothing to do. [`Work::deliver`] does the round.
    ///
    /// # Errors
    /// If GitHub or git fails.
    pub async fn begin_review(&mut self) -> Result<Option<Stop>, WorkError> {
        if self.journal.step != Step::Reported {
            // An interrupted round goes on.
            return Ok(None);
        }
        let (Some((upstream, number)), Some(pushed)) = (self.pull(), self.journal.pushed.clone()) else {
            return Ok(Some(stopped("There is no pull request for this task yet.")));
        };
        let pull = self.cx.github.pull(&upstream, number).await?;
        if !pull.is_open() {
            let what = if pull.is_merged() { "merged" } else { "closed" };
            return Ok(Some(stopped(format!("The pull request was {what}."))));
        }
        if pull.head.sha != pushed {
            return Ok(Some(stopped(format!(
                "The branch of {} has commits of others. Go on by hand, so that theirs are kept.",
                pull.html_url
            ))));
        }
        let review = self.wanted(&upstream, number).await?;
        if review.remarks.is_empty() && review.failed.is_empty() {
            return Ok(Some(Outcome::Stopped { why: "Nobody asks for changes, and no check failed.".to_owned() }));
        }
        if !review.failed.is_empty() {
            self.journal.handled_checks.push(pushed.clone());
        }
        self.journal.review = Some(review);
        self.journal.parent = Some(pushed);
        self.journal.turn_ended = false;
        self.done(Step::Prepared)?;
        Ok(None)
    }

    /// Removes the working copy.
    ///
    /// # Errors
    /// If a folder cannot be removed.
    pub async fn clean(&self) -> Result<(), WorkError> {
        Ok(self.workspace.remove(Some(&self.journal.leased.contract.branch)).await?)
    }

    /// Collects what was not worked on: reviews that ask for changes with their comments, and failed checks. Comments
    /// count when a review asks for changes; an approving remark is no task.
    async fn wanted(&self, upstream: &str, number: i64) -> Result<Review, WorkError> {
        let github = &self.cx.github;
        let mine = |login: Option<&str>| login == Some(self.cx.me.login.as_str());
        let new = |remark: &crate::github::Remark| {
            let author = remark.user.as_ref().map(|user| user.login.as_str());
            !self.journal.handled.contains(&remark.id) && !mine(author)
        };
        let reviews = github.reviews(upstream, number).await?;
        let asking: Vec<_> = reviews
            .into_iter()
            .filter(|review| review.state.as_deref() == Some(CHANGES_REQUESTED) && new(review))
            .collect();
        let mut remarks = Vec::new();
        if !asking.is_empty() {
            remarks.extend(asking);
            remarks.extend(github.review_comments(upstream, number).await?.into_iter().filter(new));
        }
        let mut failed = Vec::new();
        if let Some(pushed) = self.journal.pushed.as_ref().filter(|sha| !self.journal.handled_checks.contains(sha)) {
            // Without the right to read checks, reviews still count.
            failed = github.failed_checks(upstream, pushed).await.unwrap_or_default();
        }
        Ok(Review { remarks, failed })
    }

    fn pull(&self) -> Option<(String, i64)> {
        let upstream = self.journal.upstream.as_ref()?.name.clone();
        Some((upstream, self.journal.pull.as_ref()?.number))
    }
}
