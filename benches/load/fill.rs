//! Databases that are large before the load begins, filled with SQL while no server has them open.

use owp_base::clock::Clock;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use std::fmt;

/// Counts what the server counts with every change.
const COUNTS: [&str; 2] = [
    "DELETE FROM task_counts; INSERT INTO task_counts (repo_id, state, tasks)
        SELECT repo_id, state, COUNT(*) FROM tasks GROUP BY repo_id, state",
    "DELETE FROM lease_ends; INSERT INTO lease_ends (repo_id, reason, leases)
        SELECT repo_id, state, COUNT(*) FROM leases WHERE ended_at IS NOT NULL GROUP BY repo_id, state",
];

/// Sums of a repository and a day.
const SUMS: usize = 10;

/// What stands before the tasks that the workers can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing.
    Nothing,
    /// Tasks of higher priority that need a skill which no worker has.
    OtherSkills,
    /// Tasks of higher priority that are assigned to other people.
    Assigned,
    /// Repositories with tasks of higher priority and no free slot; this many.
    Full(usize),
}

/// What is in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill {
    pub(crate) repos: usize,
    /// Tasks that the workers can take, in all repositories.
    pub(crate) tasks: usize,
    pub(crate) head: Head,
    /// Tasks at the head of the queue that nobody can take.
    pub(crate) behind: usize,
    /// Tasks that were granted and merged before, by the workers in turn, in the first repository.
    pub(crate) finished: usize,
    /// Days with sums of each repository, up to today.
    pub(crate) days: usize,
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks in {} repositories", self.tasks, self.repos)?;
        match self.head {
            Head::Nothing => {}
            Head::OtherSkills => write!(f, ", behind {} for others' skills", self.behind)?,
            Head::Assigned => write!(f, ", behind {} assigned to others", self.behind)?,
            Head::Full(full) => write!(f, ", behind {full} without a slot")?,
        }
        if self.finished > 0 { write!(f, ", after {} merged", self.finished) } else { Ok(()) }
    }
}

impl Fill {
    pub(crate) fn plain(repos: usize, tasks: usize) -> Self {
        Self { repos, tasks, head: Head::Nothing, behind: 0, finished: 0, days: 0 }
    }

    /// Writes it all into a database that has its schema, and workers if tasks were finished.
    pub(crate) async fn write(&self, url: &str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await.expect("the database opens");
        for statement in self.statements() {
            sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.expect(&statement);
        }
        if url.starts_with("postgres") {
            // What autovacuum does after a minute.
            sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.expect("the statistics are collected");
        }
        connection.close().await.expect("the database closes");
    }

    fn statements(&self) -> Vec<String> {
        let since = Clock::System.now_ms() - 3_600_000;
        let full = if let Head::Full(full) = self.head { full } else { 0 };
        let numbers = |count: usize| {
            format!("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})", count - 1)
        };
        let repos = |from: usize, count: usize, budget: i64| {
            format!(
                "INSERT INTO repositories (id, name, name_key, managed, heard_until, heard_at, created_at, ceiling)
                {} SELECT 'r_' || CAST({from} + i AS VARCHAR), 'acme/repo' || CAST({from} + i AS VARCHAR),
                'acme/repo' || CAST({from} + i AS VARCHAR), 0, 0, 0, {since}, {budget} FROM n",
                numbers(count)
            )
        };
        // The repositories take turns, so that the best tasks are everywhere.
        let tasks = |name: &str, (from, among): (usize, usize), count: usize, priority: i64, skills: &str, to: &str| {
            format!(
                "INSERT INTO tasks (id, repo_id, title, description, estimate, priority, tier, state, ready_since,
                created_at, skills, assignees) {} SELECT 't_{name}' || CAST(1000000000 + i AS VARCHAR),
                'r_' || CAST({from} + i % {among} AS VARCHAR), 'A task', 'Its text', 1, {priority}, 0, 'ready', {since} + i / 1000,
                {since}, '{skills}', '{to}' FROM n",
                numbers(count)
            )
        };
        let mut all = vec![repos(0, self.repos, 100)];
        if self.tasks > 0 {
            all.push(tasks("b", (0, self.repos), self.tasks, 0, "[]", "[]"));
        }
        match self.head {
            Head::Nothing => {}
            Head::OtherSkills => all.push(tasks("a", (0, self.repos), self.behind, 50, "[\"cobol\"]", "[]")),
            Head::Assigned => {
                let somebody = "[{\"id\":7,\"login\":\"somebody\"}]";
                all.push(tasks("a", (0, self.repos), self.behind, 50, "[]", somebody));
            }
            Head::Full(_) => {
                all.push(repos(self.repos, full, 0));
                all.push(tasks("a", (self.repos, full), self.behind, 50, "[]", "[]"));
            }
        }
        if self.finished > 0 {
            all.push("DELETE FROM events; DELETE FROM chains".to_owned());
            all.extend(self.history(since, &numbers(self.finished)));
        }
        if self.days > 0 {
            all.push(self.sums(&numbers(self.repos * self.days * SUMS)));
        }
        all.extend(COUNTS.map(str::to_owned));
        all
    }

    /// Writes the sums of each day: merges and reviews of some durations, and samples.
    fn sums(&self, numbers: &str) -> String {
        let today = Clock::System.now_ms() / 86_400_000;
        format!(
            "INSERT INTO daily (repo_id, day, measure, class, n) {numbers} SELECT 'r_' || CAST(i / {SUMS} / {days} AS VARCHAR),
            {today} - i / {SUMS} % {days}, CASE i % {SUMS} WHEN 0 THEN 'samples' WHEN 1 THEN 'used' WHEN 2 THEN 'budget'
            WHEN 3 THEN 'full' WHEN 4 THEN 'lease_delivered' WHEN 5 THEN 'lease_returned' WHEN 6 THEN 'merged'
            WHEN 7 THEN 'merged' WHEN 8 THEN 'review_merged' ELSE 'review_unmerged' END,
            CASE WHEN i % {SUMS} < 6 THEN 0 ELSE 80 + i % 50 END, 5 FROM n",
            days = self.days
        )
    }

    fn history(&self, since: i64, numbers: &str) -> [String; 5] {
        let count = self.finished;
        let who = "n JOIN (SELECT id, person, ROW_NUMBER() OVER (ORDER BY id) - 1 AS place, COUNT(*) OVER () AS workers
            FROM workers) w ON w.place = n.i % w.workers";
        let number = "CAST(1000000000 + i AS VARCHAR)";
        [
            format!(
                "INSERT INTO tasks (id, repo_id, title, description, estimate, priority, tier, state, epoch, ready_since,
                created_at, assignee, last_holder, last_lease) {numbers} SELECT 't_0' || {number}, 'r_0', 'A task',
                'Its text', 1, 0, 0, 'merged', 1, {since} - i, {since} - i, w.id, w.person, 'l_0' || {number} FROM {who}"
            ),
            format!(
                "INSERT INTO leases (id, task_id, repo_id, worker_id, person, epoch, state, via, estimate, granted_at,
                expires_at, ttl, max_until, ended_at, told) {numbers} SELECT 'l_0' || {number}, 't_0' || {number}, 'r_0', w.id,
                w.person, 1, 'delivered', 'rest', 1, {since} - i * 600, {since} - i * 600, 3600000, {since} - i * 600,
                {since} - i * 600, 1 FROM {who}"
            ),
            format!(
                "INSERT INTO events (chain, seq, id, kind, task_id, payload, salt, digest, hash, at, feed)
                {numbers} SELECT 'r_0', i + 1, 'e_0' || {number}, 'task.merged', 't_0' || {number}, '{{}}', '', '', '',
                {since}, i + 1 FROM n"
            ),
            "INSERT INTO merges (person, repo_id, tasks) SELECT person, 'r_0', COUNT(*) FROM workers w
                JOIN tasks t ON t.assignee = w.id WHERE t.state = 'merged' GROUP BY person"
                .to_owned(),
            format!(
                "INSERT INTO chains (chain, seq, hash) VALUES ('r_0', {count}, ''); UPDATE feed SET head = {count} WHERE id = 1"
            ),
        ]
    }
}
