//! Facts for the first-run checklist, from one snapshot: what a new pool has, and what does not work yet.

use crate::Views;
use crate::error::EngineError;
use owp_pool::Timestamp;
use owp_store::{ReadAccess, transaction};

/// Repositories and workers that are examined: a new pool has fewer.
const EXAMINED: i64 = 100;
/// Repositories in which a written comment is looked for.
const COMMENTED: usize = 20;

/// What a new pool has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstSteps {
    /// Time of the snapshot.
    pub now: Timestamp,
    /// Names of GitHub repositories that the App serves; at most a hundred of both kinds.
    pub github_repos: Vec<String>,
    /// Names of manual repositories.
    pub manual_repos: Vec<String>,
    /// GitHub repositories whose open pull requests were not counted yet.
    pub uncounted: Vec<String>,
    /// GitHub repositories whose last count failed.
    pub count_failed: Vec<String>,
    /// GitHub repositories whose policy file has errors.
    pub policy_errors: Vec<String>,
    /// GitHub repositories with a policy file in force.
    pub policies: usize,
    /// Arrival of the last delivery that is still stored.
    pub last_delivery: Option<Timestamp>,
    /// Number of deliveries that were given up.
    pub dead_deliveries: i64,
    /// Number of tasks.
    pub tasks: i64,
    /// Number of registered workers, a hundred at most.
    pub workers: usize,
    /// Number of these that belong to a GitHub account, with contributors who joined by comment.
    pub linked: usize,
    /// True if a comment was written.
    pub has_written: bool,
    /// Number of dead letters.
    pub dead_comments: i64,
}

impl Views<'_> {
    /// Returns the facts for the first-run checklist.
    pub async fn first_steps(&self) -> Result<FirstSteps, EngineError> {
        self.read(transaction!(|tx| {
            let inbox = tx.deliveries().health().await?;
            let workers = tx.workers().page("", EXAMINED).await?;
            let linked = workers.iter().filter(|(worker, ..)| worker.login.is_some() || worker.by_comment).count();
            let mut found = FirstSteps {
                now: tx.now(),
                last_delivery: inbox.last,
                dead_deliveries: inbox.dead,
                tasks: tx.tasks().count_by_state().await?.into_iter().map(|(_, tasks)| tasks).sum(),
                workers: workers.len(),
                linked,
                dead_comments: tx.comments().count_dead().await?,
                ..FirstSteps::default()
            };
            let rows = tx.repos().page(&ReadAccess::everything(), "", EXAMINED).await?;
            for row in rows.into_iter().filter(|row| row.inactive.is_none()) {
                if !row.managed {
                    found.manual_repos.push(row.name);
                    continue;
                }
                if !found.has_written && found.github_repos.len() < COMMENTED {
                    found.has_written = tx.comments().any_written(&row.id).await?;
                }
                if row.count_failed_at.is_some() {
                    found.count_failed.push(row.name.clone());
                } else if row.counted_at.is_none() {
                    found.uncounted.push(row.name.clone());
                }
                if row.file.error.is_some() {
                    found.policy_errors.push(row.name.clone());
                }
                found.policies += usize::from(row.file.document.is_some());
                found.github_repos.push(row.name);
            }
            Ok(found)
        }))
        .await
    }
}
