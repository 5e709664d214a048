//! Leases: row mapping, expiry and warnings.

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::Leases;
use super::statement::{Row, query};
use super::tasks::person;
use super::tx::statements;
use owp_plants::{Plant, is_planted};
use owp_pool::admission::Holder;
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::{Epoch, LeaseId, Person, RepoId, Span, TaskId, Timestamp, WorkerId};

/// True for an ended lease `l` after which its task goes to other workers first: a declined or unacknowledged offer, or
/// a lease that a worker gave back or lost. A claim by comment is no offer and can be repeated at once.
macro_rules! given_back {
    () => {
        "(l.state IN ('nacked', 'ack_timeout') OR (l.state IN ('released', 'revoked') AND l.via = 'rest'))"
    };
}
pub(super) use given_back;

statements! {
    LEASE_SAVE = "INSERT INTO leases (id, task_id, repo_id, worker_id, person, epoch, state, via, estimate, area,
        granted_at, ack_by, expires_at, ttl, max_until, warned_at, ended_at, keeps_area)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, ack_by = excluded.ack_by,
        expires_at = excluded.expires_at, warned_at = excluded.warned_at, ended_at = excluded.ended_at
        WHERE leases.ended_at IS NULL AND leases.task_id = excluded.task_id AND leases.epoch = excluded.epoch";
    LEASE_COUNT_END = "INSERT INTO lease_ends (repo_id, reason, leases) VALUES ($1, $2, 1)
        ON CONFLICT (repo_id, reason) DO UPDATE SET leases = lease_ends.leases + 1";
    LEASE_BY_ID = concat!("SELECT ", columns!(leases), " FROM leases WHERE id = $1");
    LEASE_LIVE_OF_TASK = concat!("SELECT ", columns!(leases), " FROM leases WHERE task_id = $1 AND ended_at IS NULL");
    LEASES_LIVE_OF_WORKER = concat!("SELECT ", columns!(leases), " FROM leases WHERE worker_id = $1 AND ended_at IS NULL ORDER BY id");
    // Index leases_live_person.
    LEASES_LIVE_OF_PERSON = concat!("SELECT ", columns!(leases), " FROM leases WHERE person = $1 AND repo_id = $2 AND ended_at IS NULL ORDER BY id");
    LEASE_RENEW = "UPDATE leases SET expires_at = $2 WHERE id = $1 AND ended_at IS NULL";
    // Leases do not expire in a repository that is not served: their holders could do nothing about it.
    LEASES_DUE = concat!("SELECT ", columns!(leases, "l."), " FROM leases l CROSS JOIN repositories r WHERE l.ended_at IS NULL
        AND (l.expires_at <= $1 OR l.ack_by <= $1) AND r.id = l.repo_id AND r.inactive IS NULL
        ORDER BY l.expires_at, l.id LIMIT 50");
    // Indexes repositories_inactive and leases_live_repo. CROSS JOIN keeps SQLite from walking all leases in their order.
    LEASES_STRANDED = concat!("SELECT ", columns!(leases, "l."), " FROM repositories r CROSS JOIN leases l
        WHERE r.inactive_since <= $1 AND r.inactive IS NOT NULL AND l.repo_id = r.id AND l.ended_at IS NULL
        ORDER BY l.id LIMIT 50");
    DECLINES = concat!("SELECT l.worker_id, MAX(l.ended_at) AS ended_at FROM leases l
        WHERE l.task_id = $1 AND l.ended_at > $2 AND ", given_back!(), " GROUP BY l.worker_id ORDER BY l.worker_id");
    // Index leases_given_back.
    DECLINES_IN = concat!("SELECT l.task_id, l.worker_id, MAX(l.ended_at) AS ended_at FROM leases l
        WHERE l.repo_id = $1 AND l.ended_at > $2 AND ", given_back!(), "
        GROUP BY l.task_id, l.worker_id ORDER BY l.task_id, l.worker_id");
    // Index leases_untold.
    LEASES_TELL = concat!("UPDATE leases SET told = 1 WHERE id IN (SELECT id FROM leases
        WHERE worker_id = $1 AND ended_at IS NOT NULL AND told = 0 AND via = 'rest' ORDER BY ended_at, id LIMIT 200)
        RETURNING ", columns!(leases));
    // Only contributors without a merged task in the repository; index leases_live_repo, then the key of merges for each.
    NEWCOMERS_HOLDING = "SELECT w.name AS worker_name, p.login, l.expires_at FROM leases l
        LEFT JOIN workers w ON w.id = l.worker_id LEFT JOIN people p ON p.person = l.person
        WHERE l.repo_id = $1 AND l.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM merges m
            WHERE m.person = l.person AND m.repo_id = l.repo_id AND m.tasks > 0)
        ORDER BY l.expires_at, l.id";
    // Where a repository has a policy, the policy decides; $3 is the earliest warning that any policy allows.
    LEASES_TO_WARN = concat!("SELECT ", columns!(leases, "l."), " FROM leases l JOIN repositories r ON r.id = l.repo_id
        WHERE l.ended_at IS NULL AND l.warned_at IS NULL AND l.via = 'comment' AND r.inactive IS NULL
        AND l.expires_at - (l.ttl * CASE WHEN r.policy IS NULL AND r.policy_file IS NULL THEN CAST($2 AS BIGINT) ELSE CAST($3 AS BIGINT) END) / 100 <= $1 AND l.expires_at > $1
        ORDER BY l.expires_at, l.id");
}

impl Leases<'_> {
    pub(super) async fn save(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let state = match lease.state {
            LeaseState::Ended(reason) => reason.name(),
            live => live.name(),
        };
        let save = bound!(LEASE_SAVE {
            id: lease.id.as_str(),
            task_id: lease.task.as_str(),
            repo_id: lease.repo.as_str(),
            worker_id: lease.worker.as_str(),
            person: lease.person.key(),
            epoch: lease.epoch.0,
            state: state,
            via: lease.via.name(),
            estimate: lease.estimate,
            area: lease.area.as_deref(),
            granted_at: lease.granted_at.0,
            ack_by: lease.ack_by.map(|at| at.0),
            expires_at: lease.expires_at.0,
            ttl: lease.ttl.0,
            max_until: lease.max_until.0,
            warned_at: lease.warned_at.map(|at| at.0),
            ended_at: lease.ended_at.map(|at| at.0),
            keeps_area: i64::from(lease.keeps_area),
        });
        let ended = StoreError::Corrupt(format!("lease {} has ended already, or is another's", lease.id));
        self.defer(save, Some(ended)).await?;
        match lease.state {
            // A lease ends once: the statement above changes only a live one.
            LeaseState::Ended(reason) => {
                let count = query(LEASE_COUNT_END).bind(lease.repo.as_str()).bind(reason.name());
                self.defer(count, None).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Returns a lease by id.
    pub async fn get(&mut self, id: &LeaseId) -> Result<Option<Lease>, StoreError> {
        self.one(query(LEASE_BY_ID).bind(id.as_str())).await?.as_ref().map(lease_row).transpose()
    }

    /// Returns the live lease of a task.
    pub async fn live(&mut self, task: &TaskId) -> Result<Option<Lease>, StoreError> {
        self.one(query(LEASE_LIVE_OF_TASK).bind(task.as_str())).await?.as_ref().map(lease_row).transpose()
    }

    /// Returns a worker's live leases.
    pub async fn live_of_worker(&mut self, worker: &WorkerId) -> Result<Vec<Lease>, StoreError> {
        self.all(query(LEASES_LIVE_OF_WORKER).bind(worker.as_str())).await?.iter().map(lease_row).collect()
    }

    /// Returns a contributor's live leases in a repository.
    pub async fn live_of_person(&mut self, repo: &RepoId, person: &Person) -> Result<Vec<Lease>, StoreError> {
        let find = query(LEASES_LIVE_OF_PERSON).bind(person.key()).bind(repo.as_str());
        self.all(find).await?.iter().map(lease_row).collect()
    }

    /// Changes the expiry of a live lease. Does nothing if the lease has ended.
    pub async fn renew(&mut self, id: &LeaseId, until: Timestamp) -> Result<(), StoreError> {
        if is_planted(Plant::RenewDropsTheArea) {
            let free = "DELETE FROM area_holds WHERE task_id = (SELECT task_id FROM leases WHERE id = $1)";
            self.run(query(free).bind(id.as_str())).await?;
        }
        self.run(query(LEASE_RENEW).bind(id.as_str()).bind(until.0)).await.map(drop)
    }

    /// Records that the holder of a live lease was warned.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the lease has ended.
    pub async fn record_warning(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let warned = Lease { warned_at: Some(self.now()), ..lease.clone() };
        self.save(&warned).await
    }

    /// Returns the workers that declined, ignored or gave back a task after `since`, each with the last time.
    pub async fn declines(
        &mut self,
        task: &TaskId,
        since: Timestamp,
    ) -> Result<Vec<(WorkerId, Timestamp)>, StoreError> {
        let rows = self.all(query(DECLINES).bind(task.as_str()).bind(since.0)).await?;
        rows.iter()
            .map(|row| {
                let worker = WorkerId::new(row.try_get::<String, _>("worker_id")?);
                Ok((worker, Timestamp(row.try_get("ended_at")?)))
            })
            .collect()
    }

    /// Returns the same as [`Leases::declines`] for every task of a repository.
    pub async fn declines_in(
        &mut self,
        repo: &RepoId,
        since: Timestamp,
    ) -> Result<Vec<(TaskId, WorkerId, Timestamp)>, StoreError> {
        let rows = self.all(query(DECLINES_IN).bind(repo.as_str()).bind(since.0)).await?;
        rows.iter()
            .map(|row| {
                let task = TaskId::new(row.try_get::<String, _>("task_id")?);
                let worker = WorkerId::new(row.try_get::<String, _>("worker_id")?);
                Ok((task, worker, Timestamp(row.try_get("ended_at")?)))
            })
            .collect()
    }

    /// Returns the holders of live leases who have no merged task in the repository, earliest expiry first.
    pub async fn newcomers_holding(&mut self, repo: &RepoId) -> Result<Vec<Holder>, StoreError> {
        let rows = self.all(query(NEWCOMERS_HOLDING).bind(repo.as_str())).await?;
        rows.iter().map(|row| holder_row(row, "somebody")).collect()
    }

    /// Returns a worker's ended leases that were not reported to it yet, oldest first, and marks them as reported. The
    /// caller must have written the worker's row before, so that no two requests report the same lease.
    pub async fn take_ended(&mut self, worker: &WorkerId) -> Result<Vec<Lease>, StoreError> {
        let rows = self.all(query(LEASES_TELL).bind(worker.as_str())).await?;
        let mut told = rows.iter().map(lease_row).collect::<Result<Vec<_>, _>>()?;
        told.sort_by(|a, b| (a.ended_at, &a.id).cmp(&(b.ended_at, &b.id)));
        Ok(told)
    }

    /// Returns expired leases and offers, one page at a time.
    pub async fn due(&mut self) -> Result<Vec<Lease>, StoreError> {
        let now = self.now().0;
        self.all(query(LEASES_DUE).bind(now)).await?.iter().map(lease_row).collect()
    }

    /// Returns live leases in repositories that have not been served since `since`, one page at a time.
    pub async fn stranded(&mut self, since: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.all(query(LEASES_STRANDED).bind(since.0)).await?.iter().map(lease_row).collect()
    }

    /// Returns claims by comment whose holder was not warned and has less than `percent` of the time left. In a
    /// repository with its own policy the bound is `most`, and the caller applies the policy.
    pub async fn to_warn(&mut self, percent: i64, most: i64) -> Result<Vec<Lease>, StoreError> {
        let now = self.now().0;
        self.all(query(LEASES_TO_WARN).bind(now).bind(percent).bind(most)).await?.iter().map(lease_row).collect()
    }
}

pub(super) fn lease_row(row: &Row) -> Result<Lease, StoreError> {
    let at = |column: &str| row.try_get::<Option<i64>, _>(column).map(|n| n.map(Timestamp));
    let (state, via, person_key): (String, String, String) =
        (row.try_get("state")?, row.try_get("via")?, row.try_get("person")?);
    let state = match state.as_str() {
        "offered" => LeaseState::Offered,
        "active" => LeaseState::Active,
        ended => EndReason::from_name(ended)
            .map(LeaseState::Ended)
            .ok_or_else(|| StoreError::Corrupt(format!("lease state {ended}")))?,
    };
    Ok(Lease {
        id: LeaseId::new(row.try_get::<String, _>("id")?),
        task: TaskId::new(row.try_get::<String, _>("task_id")?),
        repo: RepoId::new(row.try_get::<String, _>("repo_id")?),
        worker: WorkerId::new(row.try_get::<String, _>("worker_id")?),
        person: person(&person_key)?,
        epoch: Epoch(row.try_get("epoch")?),
        state,
        via: Via::from_name(&via).ok_or_else(|| StoreError::Corrupt(format!("via {via}")))?,
        estimate: row.try_get("estimate")?,
        area: row.try_get("area")?,
        keeps_area: row.try_get::<i64, _>("keeps_area")? != 0,
        granted_at: Timestamp(row.try_get("granted_at")?),
        ack_by: at("ack_by")?,
        expires_at: Timestamp(row.try_get("expires_at")?),
        ttl: Span(row.try_get("ttl")?),
        max_until: Timestamp(row.try_get("max_until")?),
        warned_at: at("warned_at")?,
        ended_at: at("ended_at")?,
    })
}

/// Builds a holder: the login, else the worker's name, else `unknown`; with the expiry of the lease, if any.
pub(super) fn holder_row(row: &Row, unknown: &str) -> Result<Holder, StoreError> {
    let (login, name): (Option<String>, Option<String>) = (row.try_get("login")?, row.try_get("worker_name")?);
    let until: Option<i64> = row.try_get("expires_at")?;
    Ok(Holder { name: login.or(name).unwrap_or_else(|| unknown.to_owned()), until: until.map(Timestamp) })
}
