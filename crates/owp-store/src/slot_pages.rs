//! The rows of [`super::slots`] for a page of repositories: a few statements, however many repositories it has.

use super::error::StoreError;
use super::nouns::Slots;
use super::slots::{add_pull, agents_in_play, leases_in_play, live_lease, manual_reviews, pulls_in_play, review};
use super::statement::{Row, Sql, query};
use super::tasks::person;
use super::tx::statements;
use owp_pool::admission::Holder;
use owp_pool::pull::Agents;
use owp_pool::slots::{LiveLease, OpenPull};
use owp_pool::{RepoId, TaskId};
use std::collections::BTreeMap;

statements! {
    // CROSS JOIN keeps SQLite from walking all pull requests, leases or tasks: it begins with the repositories of the
    // page (index repositories_name), and continues with the indexes that the statements of one repository use.
    PAGE_PULLS = pulls_in_play!("repositories r CROSS JOIN ", "r.name_key BETWEEN $1 AND $2 AND p.repo_id = r.id");
    PAGE_AGENTS = agents_in_play!("repositories r CROSS JOIN ", "r.name_key BETWEEN $1 AND $2 AND p.repo_id = r.id");
    PAGE_LEASES = leases_in_play!("repositories r CROSS JOIN ", "r.name_key BETWEEN $1 AND $2 AND l.repo_id = r.id");
    PAGE_REVIEWS = manual_reviews!("repositories r CROSS JOIN ", "r.name_key BETWEEN $1 AND $2 AND t.repo_id = r.id
        AND r.managed = 0");
    PAGE_OTHER_PULLS = "SELECT p.repo_id, CAST(COUNT(*) AS BIGINT) AS n, CAST(SUM(p.draft) AS BIGINT) AS drafts
        FROM repositories r CROSS JOIN pulls p WHERE r.name_key BETWEEN $1 AND $2 AND p.repo_id = r.id
        AND p.state = 'open' AND p.ignored = 0
        AND NOT EXISTS (SELECT 1 FROM pull_links k WHERE k.repo_id = p.repo_id AND k.number = p.number)
        AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.person = 'gh:' || CAST(p.author_id AS TEXT))
        GROUP BY p.repo_id";
    PAGE_DOUBTED = "SELECT d.repo_id, CAST(COUNT(*) AS BIGINT) AS n FROM repositories r CROSS JOIN doubts d
        WHERE r.name_key BETWEEN $1 AND $2 AND d.repo_id = r.id AND d.kind = 'pull'
        AND NOT EXISTS (SELECT 1 FROM pulls p WHERE p.repo_id = d.repo_id AND p.number = d.number AND p.state = 'open')
        GROUP BY d.repo_id";
    PAGE_UNCOUNTED = "SELECT l.repo_id, CAST(COUNT(*) AS BIGINT) AS n FROM repositories r CROSS JOIN leases l
        WHERE r.name_key BETWEEN $1 AND $2 AND l.repo_id = r.id AND l.ended_at >= r.counted_at
        AND l.state NOT IN ('delivered', 'merged') GROUP BY l.repo_id";
}

/// Rows for the slots of one repository.
#[derive(Debug, Clone, Default)]
pub struct SlotRows {
    /// Open pull requests that name a task or whose author has a worker, by number.
    pub pulls: Vec<OpenPull>,
    /// Contributors who declared authors of these as their agents.
    pub agents: Agents,
    /// Live leases, earliest expiry first.
    pub leases: Vec<LiveLease>,
    /// Tasks of a manual repository whose pull request is open, each with its holder.
    pub reviews: Vec<(TaskId, Holder)>,
    /// Number of other open pull requests, including drafts.
    pub other_pulls: i64,
    /// Number of drafts among these.
    pub other_drafts: i64,
    /// Number of pull requests that a delivery reported as open and that GitHub does not show.
    pub doubted: i64,
    /// Number of leases that ended without a pull request since the last count.
    pub uncounted: i64,
}

impl Slots<'_> {
    /// Returns the slots of the repositories with names from `first` to `last` in lower case.
    pub async fn of_page(&mut self, first: &str, last: &str) -> Result<BTreeMap<RepoId, SlotRows>, StoreError> {
        let of = |sql: &'static str| query(sql).bind(first).bind(last);
        let mut slots: BTreeMap<RepoId, SlotRows> = BTreeMap::new();
        self.each(of(PAGE_PULLS), &mut slots, |slots, row| add_pull(&mut slots.pulls, row)).await?;
        self.each(of(PAGE_AGENTS), &mut slots, |slots, row| {
            slots.agents.declare(&person(&row.try_get::<String, _>("person")?)?, row.try_get("author_id")?);
            Ok(())
        })
        .await?;
        self.each(of(PAGE_LEASES), &mut slots, |slots, row| {
            slots.leases.push(live_lease(row)?);
            Ok(())
        })
        .await?;
        self.each(of(PAGE_REVIEWS), &mut slots, |slots, row| {
            slots.reviews.push(review(row)?);
            Ok(())
        })
        .await?;
        self.each(of(PAGE_OTHER_PULLS), &mut slots, |slots, row| {
            (slots.other_pulls, slots.other_drafts) = (row.try_get("n")?, row.try_get("drafts")?);
            Ok(())
        })
        .await?;
        self.each(of(PAGE_DOUBTED), &mut slots, |slots, row| {
            slots.doubted = row.try_get("n")?;
            Ok(())
        })
        .await?;
        self.each(of(PAGE_UNCOUNTED), &mut slots, |slots, row| {
            slots.uncounted = row.try_get("n")?;
            Ok(())
        })
        .await?;
        Ok(slots)
    }

    async fn each(
        &mut self,
        sql: Sql,
        slots: &mut BTreeMap<RepoId, SlotRows>,
        add: impl Fn(&mut SlotRows, &Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for row in self.all(sql).await? {
            let repo = RepoId::new(row.try_get::<String, _>("repo_id")?);
            add(slots.entry(repo).or_default(), &row)?;
        }
        Ok(())
    }
}
