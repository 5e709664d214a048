//! Downtime: when a process was last alive, and the extension of leases and reservations by lost time.

use super::columns::columns;
use super::error::StoreError;
use super::leases::lease_row;
use super::nouns::{Leases, Uptime};
use super::statement::query;
use super::tx::statements;
use owp_pool::lease::Lease;
use owp_pool::{RepoId, Span, Timestamp};
use std::sync::atomic::Ordering;

/// Extends the acknowledgement deadline, the expiry and the maximum lifetime of live leases granted until $3. $1 is the
/// extension and $2 is now. No lease gets more time than a new one would have.
macro_rules! leases_given_back {
    () => {
        "UPDATE leases SET ack_by = ack_by + $1, max_until = max_until + $1, expires_at = CASE
            WHEN expires_at + $1 <= $2 + ttl THEN expires_at + $1
            WHEN expires_at <= $2 + ttl THEN $2 + ttl
            ELSE expires_at END
        WHERE ended_at IS NULL AND granted_at <= $3 AND "
    };
}

/// Extends the reservations in force at $2; $1 is the extension.
macro_rules! reservations_given_back {
    () => {
        "UPDATE tasks SET reserved_until = reserved_until + $1 WHERE reserved_until > $2 AND "
    };
}

statements! {
    ALIVE = "SELECT alive_at FROM uptime WHERE id = 1";
    ALIVE_MARK = "UPDATE uptime SET alive_at = $1 WHERE id = 1 AND alive_at = $2";
    STOPPED = "SELECT stopped_at FROM uptime WHERE id = 1";
    STOPPED_MARK = "UPDATE uptime SET stopped_at = $1 WHERE id = 1";
    LISTED = "UPDATE uptime SET listed_before_at = CASE WHEN listed_at = 0 THEN $1 ELSE listed_at END, listed_at = $1
        WHERE id = 1 AND listed_at <= $1";
    // A repository that is not served gets all its lost time back when it is served again.
    GIVE_BACK_LEASES = concat!(leases_given_back!(), "repo_id IN (SELECT id FROM repositories WHERE inactive IS NULL)");
    GIVE_BACK_RESERVATIONS = concat!(reservations_given_back!(),
        "repo_id IN (SELECT id FROM repositories WHERE inactive IS NULL)");
    GIVE_BACK_LEASES_IN = concat!(leases_given_back!(), "repo_id = $4");
    GIVE_BACK_RESERVATIONS_IN = concat!(reservations_given_back!(), "repo_id = $3");
    // After the clock was set back: a time further ahead than possible was set by the wrong clock.
    BACK_REPOS = "UPDATE repositories SET watch_due_at = 0, compares_asked = compares_asked + 1,
        compared_at = 0, sync_due_at = 0,
        heard_until = CASE WHEN heard_until > $1 THEN $2 ELSE heard_until END,
        heard_at = CASE WHEN heard_at > $1 THEN $2 ELSE heard_at END,
        count_failed_at = CASE WHEN count_failed_at > $1 THEN $1 ELSE count_failed_at END";
    BACK_LISTED = "UPDATE uptime SET listed_at = CASE WHEN listed_at > $1 THEN $2 ELSE listed_at END,
        listed_before_at = CASE WHEN listed_before_at > $1 THEN $2 ELSE listed_before_at END,
        sampled_at = CASE WHEN sampled_at > $1 THEN $2 ELSE sampled_at END WHERE id = 1";
    BACK_INSTALLATIONS = "UPDATE installations SET
        next_write_at = CASE WHEN next_write_at > $2 THEN $2 ELSE next_write_at END,
        sender_until = CASE WHEN sender_until > $2 THEN $2 ELSE sender_until END,
        hour_began = CASE WHEN hour_began > $1 THEN $1 ELSE hour_began END";
    BACK_TURNS = "UPDATE comment_turns SET wrote_at = CASE WHEN wrote_at > $1 THEN $1 ELSE wrote_at END";
    BACK_DELIVERIES = "UPDATE deliveries SET due_at = CASE WHEN due_at > $1 THEN $1 ELSE due_at END,
        received_at = CASE WHEN received_at > $1 THEN $1 ELSE received_at END,
        taken_until = CASE WHEN taken_until > $2 THEN $2 ELSE taken_until END
        WHERE state IN ('pending', 'processing')";
    // A comment may have been written at any time since the clock was right, so look for it far enough back.
    BACK_WANTED = "UPDATE wanted_comments SET due_at = CASE WHEN due_at > $1 THEN $1 ELSE due_at END,
        attempt_at = CASE WHEN attempt_at > $1 THEN $1 ELSE attempt_at END,
        created_at = CASE WHEN created_at > $1 THEN $2 ELSE created_at END WHERE state = 'pending'";
    BACK_MISSED = "UPDATE missed SET look_due_at = 0, looking_until = 0, ask_due_at = 0,
        looked_until = CASE WHEN looked_until > $1 THEN $2 ELSE looked_until END WHERE id = 1";
    // Ended leases count against the budget until a count that began later.
    BACK_LEASES = "UPDATE leases SET ended_at = $1 WHERE ended_at > $1";
    BACK_DOUBTS = "UPDATE doubts SET answered_at = $1 WHERE answered_at > $1";
    LEASES_LIVE = concat!("SELECT ", columns!(leases), " FROM leases WHERE ended_at IS NULL
        AND repo_id IN (SELECT id FROM repositories WHERE inactive IS NULL) ORDER BY id");
    LEASES_LIVE_IN = concat!("SELECT ", columns!(leases), " FROM leases WHERE ended_at IS NULL AND repo_id = $1 ORDER BY id");
}

/// Numbers of extended leases and reservations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBack {
    /// Live leases.
    pub leases: u64,
    /// Reservations.
    pub reservations: u64,
}

impl Uptime<'_> {
    /// Returns when any process was last alive; `None` if none ever was.
    pub async fn alive_at(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let at = self.number(query(ALIVE)).await?;
        Ok((at > 0).then_some(Timestamp(at)))
    }

    /// Returns the latest time of any transaction of this process. It lies ahead of now after the clock was set back, even
    /// when nobody marked that time as alive.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        Timestamp(self.latest.load(Ordering::Relaxed))
    }

    /// Records that a process is alive now. Returns false if another process did so since `seen`.
    pub async fn mark_alive(&mut self, seen: Option<Timestamp>) -> Result<bool, StoreError> {
        let mark = query(ALIVE_MARK).bind(self.now().0).bind(seen.map_or(0, |at| at.0));
        Ok(self.run(mark).await? == 1)
    }

    /// Returns when a process last shut down cleanly; `None` if none did. Others may have been alive since.
    pub async fn stopped_at(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let at = self.number(query(STOPPED)).await?;
        Ok((at > 0).then_some(Timestamp(at)))
    }

    /// Records a clean shutdown.
    pub async fn mark_stopped(&mut self) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(STOPPED_MARK).bind(now)).await.map(drop)
    }

    /// Records a complete reading of GitHub's lists of installations and repositories that began at `began`.
    pub async fn mark_listed(&mut self, began: Timestamp) -> Result<(), StoreError> {
        self.run(query(LISTED).bind(began.0)).await.map(drop)
    }

    /// Extends every lease granted by `until`, and every reservation in force then, by `lost` in all served
    /// repositories. The caller must lock all repositories (`Scope::all_repositories`).
    pub async fn give_back(&mut self, lost: Span, until: Timestamp) -> Result<GivenBack, StoreError> {
        let now = self.now().0;
        let leases = self.run(query(GIVE_BACK_LEASES).bind(lost.0).bind(now).bind(until.0)).await?;
        let reservations = self.run(query(GIVE_BACK_RESERVATIONS).bind(lost.0).bind((now - lost.0).min(until.0)));
        Ok(GivenBack { leases, reservations: reservations.await? })
    }

    /// Pulls back due times, holds and marks that lie further ahead than possible after the clock was set back.
    pub async fn pull_back_due_times(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        self.latest.store(now.0, Ordering::Relaxed);
        let (soon, earlier) = ((now + Span::minutes(1)).0, (now - Span::hours(24)).0);
        for (sql, bound) in [
            (BACK_REPOS, earlier),
            (BACK_LISTED, earlier),
            (BACK_INSTALLATIONS, soon),
            (BACK_DELIVERIES, soon),
            (BACK_WANTED, earlier),
            (BACK_MISSED, earlier),
        ] {
            self.run(query(sql).bind(now.0).bind(bound)).await?;
        }
        for sql in [BACK_TURNS, BACK_LEASES, BACK_DOUBTS] {
            self.run(query(sql).bind(now.0)).await?;
        }
        Ok(())
    }

    /// Extends leases and reservations of one repository by the time since `since`, like [`Uptime::give_back`].
    pub async fn give_back_in(&mut self, repo: &RepoId, since: Timestamp) -> Result<(), StoreError> {
        let lost = self.now() - since;
        let leases = query(GIVE_BACK_LEASES_IN).bind(lost.0).bind(self.now().0).bind(since.0).bind(repo.as_str());
        self.run(leases).await?;
        let reservations = query(GIVE_BACK_RESERVATIONS_IN).bind(lost.0).bind(since.0).bind(repo.as_str());
        self.run(reservations).await.map(drop)
    }
}

impl Leases<'_> {
    /// Returns every live lease of the served repositories, or of one repository.
    pub async fn all_live(&mut self, of: Option<&RepoId>) -> Result<Vec<Lease>, StoreError> {
        let find = match of {
            None => query(LEASES_LIVE),
            Some(repo) => query(LEASES_LIVE_IN).bind(repo.as_str()),
        };
        self.all(find).await?.iter().map(lease_row).collect()
    }
}
