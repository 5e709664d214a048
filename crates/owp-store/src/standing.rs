//! Standing of contributors in repositories, and the outcomes of their work.

use super::error::StoreError;
use super::nouns::Standings;
use super::statement::{Row, Sql, query};
use super::tx::statements;
use owp_pool::reputation::{MAX_OUTCOMES, MEMORY, Outcome, OutcomeKind, Reputation};
use owp_pool::worker::{CHURN_MEMORY, READ_ACCESS_TTL, Standing};
use owp_pool::{Person, RepoId, TaskId, Timestamp, WorkerId};
use std::collections::BTreeMap;

statements! {
    STANDING = "SELECT
        (SELECT CAST(COALESCE(MAX(level), 0) AS BIGINT) FROM trust WHERE repo_id = $1 AND person = $2) AS trust,
        (SELECT CAST(COALESCE(MAX(tasks), 0) AS BIGINT) FROM merges WHERE repo_id = $1 AND person = $2) AS merged,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM leases l WHERE l.repo_id = $1 AND l.person = $2 AND l.ended_at IS NULL) AS live,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM leases l JOIN repositories r ON r.id = l.repo_id
            WHERE l.person = $2 AND l.ended_at IS NULL AND (r.managed = 1 OR r.id = $1)) AS live_everywhere,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM readers d WHERE d.repo_id = $1 AND d.person = $2 AND d.may = 1
            AND d.checked_at > $3) AS reads,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM workers w WHERE w.person = $2 AND w.scored = 1 AND w.revoked = 0) AS scored,
        (SELECT MAX(l.ended_at) FROM leases l WHERE l.repo_id = $1 AND l.person = $2
            AND l.state IN ('expired', 'ack_timeout')) AS last_lapse";
    // Whatever is known of a contributor, in every repository. Indexes trust_person, leases_live_person, leases_lapsed,
    // leases_released, workers_person, and the keys of merges and readers.
    STANDINGS = "SELECT 'trust' AS what, repo_id, level AS n FROM trust WHERE person = $1
        UNION ALL SELECT 'merged', repo_id, tasks FROM merges WHERE person = $1
        UNION ALL SELECT CASE r.managed WHEN 1 THEN 'live' ELSE 'live in manual' END, l.repo_id, CAST(1 AS BIGINT)
            FROM leases l JOIN repositories r ON r.id = l.repo_id WHERE l.person = $1 AND l.ended_at IS NULL
        UNION ALL SELECT 'lapse', repo_id, MAX(ended_at) FROM leases
            WHERE person = $1 AND state IN ('expired', 'ack_timeout') GROUP BY repo_id
        UNION ALL SELECT 'reads', repo_id, CAST(1 AS BIGINT) FROM readers
            WHERE person = $1 AND may = 1 AND checked_at > $2
        UNION ALL SELECT 'release', repo_id, ended_at FROM (SELECT repo_id, ended_at FROM leases
            WHERE person = $1 AND state = 'released' AND ended_at > $3 ORDER BY ended_at DESC LIMIT 200) AS releases
        UNION ALL SELECT 'scored', '', CAST(1 AS BIGINT) FROM workers WHERE person = $1 AND scored = 1 AND revoked = 0";
    MERGES_ADD = "INSERT INTO merges (person, repo_id, tasks) VALUES ($1, $2, $3)
        ON CONFLICT (person, repo_id) DO UPDATE SET tasks = merges.tasks + excluded.tasks";
    // Index leases_released.
    RELEASES_IN = "SELECT ended_at FROM leases WHERE repo_id = $1 AND person = $2 AND state = 'released'
        AND ended_at > $3 ORDER BY ended_at DESC LIMIT 50";
    BAR = "INSERT INTO task_bars (task_id, repo_id, person, until)
        SELECT id, repo_id, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM tasks WHERE id = $1
        ON CONFLICT (task_id, person) DO UPDATE SET until = excluded.until";
    BAR_LIFT = "DELETE FROM task_bars WHERE task_id = $1 AND person = $2";
    // Index task_bars_until.
    BARS_FORGET = "DELETE FROM task_bars WHERE until <= $1";
    BARS_OF = "SELECT person, until FROM task_bars WHERE task_id = $1 AND until > $2 ORDER BY person";
    // Index task_bars_repo.
    BARS_IN = "SELECT task_id, person, until FROM task_bars WHERE repo_id = $1 AND until > $2
        ORDER BY task_id, person";
    // The key of trust.
    TRUST_OF = "SELECT t.person, t.level, t.set_by, t.set_at, p.login FROM trust t LEFT JOIN people p ON p.person = t.person
        WHERE t.repo_id = $1 ORDER BY t.level DESC, p.login, t.person LIMIT $2";
    OUTCOME_INSERT = "INSERT INTO outcomes (repo_id, person, task_id, kind, at) VALUES ($1, $2, $3, $4, $5)";
    OUTCOMES = "SELECT kind, at FROM outcomes WHERE repo_id = $1 AND person = $2 AND at > $3
        ORDER BY at DESC LIMIT $4";
    SCORED_REPOS = "SELECT DISTINCT r.id, r.name FROM outcomes o JOIN repositories r ON r.id = o.repo_id
        WHERE o.person = $1 ORDER BY r.name LIMIT $2";
    SCORED_SET = "UPDATE workers SET scored = 1 WHERE id = $1";
    SCORED_FORGET = "UPDATE workers SET scored = 0 WHERE person = $1";
    SCORED = "SELECT CAST(COUNT(*) AS BIGINT) FROM workers WHERE person = $1 AND scored = 1 AND revoked = 0";
}

/// Trust that a maintainer gave to a contributor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRow {
    /// The login last seen, or the key of a contributor that the pool has not seen.
    pub name: String,
    /// The level; -1 is a ban.
    pub level: i64,
    /// Login of the maintainer, or `operator`.
    pub set_by: String,
    /// Time at which it was given.
    pub set_at: Timestamp,
}

impl Standings<'_> {
    /// Returns the contributors whom the maintainers of a repository trust or have banned, at most `limit`.
    pub async fn trusted_in(&mut self, repo: &RepoId, limit: i64) -> Result<Vec<TrustRow>, StoreError> {
        let rows = self.all(query(TRUST_OF).bind(repo.as_str()).bind(limit)).await?;
        let trust = |row: &Row| {
            let login: Option<String> = row.try_get("login")?;
            Ok(TrustRow {
                name: login.map_or_else(|| row.try_get("person"), Ok)?,
                level: row.try_get("level")?,
                set_by: row.try_get("set_by")?,
                set_at: Timestamp(row.try_get("set_at")?),
            })
        };
        rows.iter().map(trust).collect()
    }

    /// Returns a contributor's standing in a repository. Computes a reputation only for those who asked for one.
    pub async fn get(&mut self, repo: &RepoId, person: &Person) -> Result<Standing, StoreError> {
        let now = self.now();
        let row = self.one(standing(repo, person, now)).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("the standing query returned no row".to_owned()))?;
        let last_lapse: Option<i64> = row.try_get("last_lapse")?;
        let scored: i64 = row.try_get("scored")?;
        let releases = self.all(releases_in(repo, person, now)).await?;
        Ok(Standing {
            trust: row.try_get("trust")?,
            merged: row.try_get("merged")?,
            live: row.try_get("live")?,
            live_everywhere: row.try_get("live_everywhere")?,
            reads: row.try_get::<i64, _>("reads")? > 0,
            last_lapse: last_lapse.map(Timestamp),
            releases: releases
                .iter()
                .map(|row| Ok(Timestamp(row.try_get("ended_at")?)))
                .collect::<Result<_, StoreError>>()?,
            reputation: if scored > 0 { Some(self.reputation(repo, person).await?) } else { None },
        })
    }

    /// Returns a contributor's standing in each of these repositories, like [`Standings::get`] but with shared queries.
    pub async fn get_all(
        &mut self,
        repos: &[RepoId],
        person: &Person,
    ) -> Result<BTreeMap<RepoId, Standing>, StoreError> {
        let now = self.now();
        let find = query(STANDINGS).bind(person.key());
        let rows = self.all(find.bind((now - READ_ACCESS_TTL).0).bind((now - CHURN_MEMORY).0)).await?;
        let mut found: BTreeMap<RepoId, Standing> = repos.iter().map(|id| (id.clone(), Standing::default())).collect();
        let (mut live_on_github, mut scored) = (0, false);
        for row in rows {
            let (what, repo): (String, String) = (row.try_get("what")?, row.try_get("repo_id")?);
            let n: i64 = row.try_get("n")?;
            live_on_github += i64::from(what == "live");
            scored |= what == "scored";
            let Some(standing) = found.get_mut(&RepoId::new(repo)) else { continue };
            match what.as_str() {
                "trust" => standing.trust = n,
                "merged" => standing.merged = n,
                "live" => standing.live += 1,
                "lapse" => standing.last_lapse = Some(Timestamp(n)),
                "reads" => standing.reads = true,
                "release" => standing.releases.push(Timestamp(n)),
                // Leases of a manual repository count only there.
                "live in manual" => {
                    standing.live += 1;
                    standing.live_everywhere += 1;
                }
                other => return Err(StoreError::Corrupt(format!("a standing has no {other}"))),
            }
        }
        for standing in found.values_mut() {
            standing.live_everywhere += live_on_github;
            standing.releases.sort_unstable_by(|a, b| b.cmp(a));
        }
        if scored {
            for (repo, standing) in &mut found {
                standing.reputation = Some(self.reputation(repo, person).await?);
            }
        }
        Ok(found)
    }

    /// Computes a contributor's current reputation from their outcomes in a repository.
    pub async fn reputation(&mut self, repo: &RepoId, person: &Person) -> Result<Reputation, StoreError> {
        let since = (self.now() - MEMORY).0;
        let find = query(OUTCOMES).bind(repo.as_str()).bind(person.key()).bind(since).bind(MAX_OUTCOMES);
        let outcomes = self.all(find).await?.iter().map(outcome_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Reputation::of(&outcomes, self.now()))
    }

    /// Adds to the number of a contributor's merged tasks in a repository.
    pub(super) async fn add_merges(&mut self, repo: &RepoId, person: &Person, tasks: i64) -> Result<(), StoreError> {
        self.defer(query(MERGES_ADD).bind(person.key()).bind(repo.as_str()).bind(tasks), None).await.map(drop)
    }

    /// Records the outcome of a contributor's work on a task.
    pub(super) async fn note_outcome(
        &mut self,
        repo: &RepoId,
        task: &TaskId,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        let now = self.now().0;
        let insert = query(OUTCOME_INSERT)
            .bind(repo.as_str())
            .bind(outcome.person.key())
            .bind(task.as_str())
            .bind(outcome.kind.name())
            .bind(now);
        self.defer(insert, None).await.map(drop)
    }

    /// Bars a contributor from being granted a task until `until`.
    pub async fn bar_from_task(&mut self, task: &TaskId, person: &Person, until: Timestamp) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(BARS_FORGET).bind(now)).await?;
        self.run(query(BAR).bind(task.as_str()).bind(person.key()).bind(until.0)).await.map(drop)
    }

    /// Lifts the bar of a contributor from a task.
    pub async fn lift_bar(&mut self, task: &TaskId, person: &Person) -> Result<(), StoreError> {
        self.run(query(BAR_LIFT).bind(task.as_str()).bind(person.key())).await.map(drop)
    }

    /// Returns the contributors who are barred from a task now, each with the end of the bar.
    pub async fn bars_of(&mut self, task: &TaskId) -> Result<Vec<(Person, Timestamp)>, StoreError> {
        let now = self.now().0;
        self.all(query(BARS_OF).bind(task.as_str()).bind(now)).await?.iter().map(bar_row).collect()
    }

    /// Returns the bars of every task of a repository, like [`Standings::bars_of`].
    pub async fn bars_in(&mut self, repo: &RepoId) -> Result<Vec<(TaskId, Person, Timestamp)>, StoreError> {
        let now = self.now().0;
        let rows = self.all(query(BARS_IN).bind(repo.as_str()).bind(now)).await?;
        rows.iter()
            .map(|row| {
                let (person, until) = bar_row(row)?;
                Ok((TaskId::new(row.try_get::<String, _>("task_id")?), person, until))
            })
            .collect()
    }

    /// Returns ids and names of the repositories where a contributor has outcomes, by name.
    pub async fn repos_with_outcomes(
        &mut self,
        person: &Person,
        limit: i64,
    ) -> Result<Vec<(RepoId, String)>, StoreError> {
        let rows = self.all(query(SCORED_REPOS).bind(person.key()).bind(limit)).await?;
        rows.iter().map(|row| Ok((RepoId::new(row.try_get::<String, _>("id")?), row.try_get("name")?))).collect()
    }

    /// Returns true if a contributor asked for a score through any of their workers.
    pub async fn is_scored(&mut self, person: &Person) -> Result<bool, StoreError> {
        Ok(self.number(query(SCORED).bind(person.key())).await? > 0)
    }

    /// Records that a worker's contributor asks for a score.
    pub async fn ask_for_score(&mut self, id: &WorkerId) -> Result<(), StoreError> {
        self.run(query(SCORED_SET).bind(id.as_str())).await.map(drop)
    }

    /// Records that a contributor wants no score any more, on all their workers.
    pub async fn forget_score(&mut self, person: &Person) -> Result<(), StoreError> {
        self.run(query(SCORED_FORGET).bind(person.key())).await.map(drop)
    }
}

pub(super) fn standing(repo: &RepoId, person: &Person, now: Timestamp) -> Sql {
    query(STANDING).bind(repo.as_str()).bind(person.key()).bind((now - READ_ACCESS_TTL).0)
}

pub(super) fn releases_in(repo: &RepoId, person: &Person, now: Timestamp) -> Sql {
    query(RELEASES_IN).bind(repo.as_str()).bind(person.key()).bind((now - CHURN_MEMORY).0)
}

fn bar_row(row: &Row) -> Result<(Person, Timestamp), StoreError> {
    Ok((super::tasks::person(&row.try_get::<String, _>("person")?)?, Timestamp(row.try_get("until")?)))
}

fn outcome_row(row: &Row) -> Result<(OutcomeKind, Timestamp), StoreError> {
    let kind: String = row.try_get("kind")?;
    let known = OutcomeKind::from_name(&kind).ok_or_else(|| StoreError::Corrupt(format!("outcome {kind}")))?;
    Ok((known, Timestamp(row.try_get("at")?)))
}
