//! Figures of the last days: throughput, lead time, reviews, leases, and how full the review budgets were.

use crate::Views;
use crate::error::EngineError;
use owp_pool::Timestamp;
use owp_pool::figures::{Figures, day};
use owp_store::{InReview, ReadAccess, RepoRow, transaction};

/// Figures of a period.
#[derive(Debug, Clone)]
pub struct Insights {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// The repository; `None` for all that the reader may read.
    pub repo: Option<String>,
    /// Each day of the period with its sums, oldest first, the last one today; in days since 1970 (UTC).
    pub days: Vec<(i64, Figures)>,
    /// The sums of the whole period.
    pub total: Figures,
    /// Tasks in review now.
    pub in_review: InReview,
}

impl Views<'_> {
    /// Returns the figures of the last `days` days, today included, of one repository or of all that `access` covers.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`], also for a repository that `access` does not cover.
    pub async fn insights(&self, repo: Option<String>, access: ReadAccess, days: i64) -> Result<Insights, EngineError> {
        self.read(transaction!(|tx| {
            let row = match repo {
                None => None,
                Some(name) => {
                    let row = tx.repos().by_name(&name).await?;
                    let row = row.filter(|row: &RepoRow| access.covers(row.private, row.id.as_str()));
                    Some(row.ok_or(EngineError::NoSuchRepo(name))?)
                }
            };
            let (id, today) = (row.as_ref().map(|row| &row.id), day(tx.now()));
            let first = today - days + 1;
            let mut sums = tx.figures().since(id, &access, first).await?;
            let mut total = Figures::default();
            for figures in sums.values() {
                total.add_all(figures);
            }
            let days = (first..=today).map(|day| (day, sums.remove(&day).unwrap_or_default())).collect();
            let in_review = tx.figures().in_review(id, &access).await?;
            Ok(Insights { now: tx.now(), repo: row.map(|row| row.name), days, total, in_review })
        }))
        .await
    }
}
