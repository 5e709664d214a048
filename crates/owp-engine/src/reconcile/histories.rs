//! Histories of the issues that a comparison judges, fetched in pages ahead of the judgement.
//!
//! A history that is missing here costs nothing but the requests that one issue needs: the judgement asks GitHub for what
//! it lacks. After a page that failed no other is asked for in the same comparison.

use futures_util::future::join_all;
use owp_github::client::{HISTORIES_PER_REQUEST, IssueHistory, RepoReader};
use std::collections::{BTreeMap, VecDeque};

/// Number of issues from which a page costs less than single requests.
const WORTH_A_PAGE: usize = 4;
/// Pages fetched side by side. More would be old by the time that their issues are judged.
const SIDE_BY_SIDE: usize = 4;

/// The histories of a comparison.
pub(crate) struct Histories {
    /// Issues whose histories were not asked for yet, in the order of their judgement.
    ahead: VecDeque<i64>,
    known: BTreeMap<i64, IssueHistory>,
}

impl Histories {
    /// Prepares to fetch the histories of these issues, which are judged in this order.
    pub(crate) fn of(numbers: Vec<i64>) -> Self {
        let ahead = if numbers.len() < WORTH_A_PAGE { VecDeque::new() } else { numbers.into() };
        Self { ahead, known: BTreeMap::new() }
    }

    /// Returns the history of an issue, and fetches the next pages if it is the first of those ahead.
    pub(crate) async fn take(&mut self, reader: &RepoReader, number: i64) -> Option<IssueHistory> {
        if self.ahead.front() == Some(&number) {
            self.fetch(reader).await;
        }
        self.known.remove(&number)
    }

    async fn fetch(&mut self, reader: &RepoReader) {
        let next = self.ahead.len().min(SIDE_BY_SIDE * HISTORIES_PER_REQUEST);
        let numbers: Vec<i64> = self.ahead.drain(..next).collect();
        let pages = join_all(numbers.chunks(HISTORIES_PER_REQUEST).map(|page| reader.issue_histories(page))).await;
        for page in pages {
            match page {
                Ok(page) => self.known.extend(page),
                Err(error) => {
                    let repo = &reader.handle().full_name;
                    tracing::warn!(%repo, %error, "failed to fetch the histories of many issues at once; asking for each");
                    self.ahead.clear();
                }
            }
        }
    }
}
