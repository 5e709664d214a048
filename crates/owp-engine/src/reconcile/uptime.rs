//! Compensation for lost time: nothing runs out while no process lives, or while a repository is not served. The alive
//! mark moves in the same transaction, so one replica does it, once.

use crate::Reconciler;
use crate::comments::update;
use crate::error::EngineError;
use crate::facts::RepoContext;
use owp_plants::{Plant, is_planted};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::Lease;
use owp_pool::{Span, Timestamp};
use owp_store::{Scope, Tx, transaction};
use serde_json::json;
use std::collections::BTreeMap;

/// Minimum interval between writes of the alive mark.
const MARK_EVERY: Span = Span::secs(30);
/// Clock difference between replicas, or to the database, that does not mean a clock was set back.
const CLOCKS_DIFFER: Span = Span::secs(5);

impl Reconciler<'_> {
    /// Measures the time since any process was alive: writes the alive mark, or gives a long gap back. Must run before
    /// any deadline is judged.
    pub(crate) async fn notice_time(&self) -> Result<(), EngineError> {
        let long = self.settings().downtime_after;
        let every = Span(MARK_EVERY.0.min(long.0 / 4));
        let (seen, latest, now) =
            self.read(transaction!(|tx| Ok((tx.uptime().alive_at().await?, tx.uptime().latest(), tx.now())))).await?;
        let Some(alive_at) = seen else { return self.mark_alive(None).await };
        let silent = now - alive_at;
        if silent > long {
            return self.resume(alive_at, every).await;
        }
        // The wrong time may have been too short for a mark.
        if latest.max(alive_at) - now > CLOCKS_DIFFER {
            return self.step_back(alive_at).await;
        }
        if silent.0.abs() >= every.0 {
            return self.mark_alive(seen).await;
        }
        Ok(())
    }

    /// Handles a clock that was set back: everything due by the earlier time is due now, and everything is counted
    /// again. The first replica that notices does it.
    async fn step_back(&self, alive_at: Timestamp) -> Result<(), EngineError> {
        let stepped = self
            .write(
                Scope::all_repositories(),
                transaction!(|tx| {
                    if !tx.uptime().mark_alive(Some(alive_at)).await? {
                        return Ok(None);
                    }
                    let back = tx.uptime().latest().max(alive_at) - tx.now();
                    if !is_planted(Plant::ClockSetBackIsIgnored) {
                        tx.uptime().pull_back_due_times().await?;
                    }
                    tx.sync().forget_counts().await?;
                    tx.sync().recount_all().await?;
                    Ok(Some(back))
                }),
            )
            .await?;
        if let Some(back) = stepped {
            tracing::warn!(seconds = back.0 / 1000, "the clock was set back: everything due later is due now");
            self.ring();
        }
        Ok(())
    }

    /// Records an orderly shutdown, so that readers of the database know at once. Other replicas mark that they are
    /// alive within half a minute.
    pub async fn mark_stopped(&self) -> Result<(), EngineError> {
        self.write(Scope::global(), transaction!(|tx| Ok(tx.uptime().mark_stopped().await?))).await
    }

    /// Marks that the pool is alive, unless the clock has jumped since it was read: the next look has to see the jump.
    async fn mark_alive(&self, seen: Option<Timestamp>) -> Result<(), EngineError> {
        let long = self.settings().downtime_after;
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let silent = seen.map_or(Span(0), |seen| tx.now() - seen);
                let jumped = silent > long || silent < Span(-CLOCKS_DIFFER.0);
                if !jumped || is_planted(Plant::LateMarkHidesTheJump) {
                    tx.uptime().mark_alive(seen).await?;
                }
                Ok(())
            }),
        )
        .await
    }

    /// Gives back the time since `alive_at`, unless another replica did so meanwhile. Grants within `every` of that
    /// moment predate the gap; later ones came after it.
    async fn resume(&self, alive_at: Timestamp, every: Span) -> Result<(), EngineError> {
        let settings = self.settings().clone();
        let resumed = self.write(Scope::all_repositories(), transaction!(|tx| {
let lost = tx.now() - alive_at;
                    if !tx.uptime().mark_alive(Some(alive_at)).await? {
                        return Ok(None);
                    }
                    // Pull requests may have been opened meanwhile, and any running count is dead or equally late.
                    tx.sync().forget_counts().await?;
                    tx.sync().recount_all().await?;
                    let given = tx.uptime().give_back(lost, alive_at + every).await?;
                    let leases = tx.leases().all_live(None).await?;
                    let mut repos = BTreeMap::new();
                    for lease in &leases {
                        if !repos.contains_key(&lease.repo) {
                            let repo = RepoContext::load(tx, &lease.repo, &settings).await?;
                            repos.insert(lease.repo.clone(), repo);
                        }
                    }
                    for lease in &leases {
                        tell_deadline(tx, &repos[&lease.repo], lease).await?;
                    }
                    let told = json!({ "since": alive_at.rfc3339(), "missed_secs": lost.0 / 1000, "leases": given.leases,
                        "reservations": given.reservations });
                    tx.events().append(&[Event::new(EventKind::PoolResumed, told)])?;
                    Ok(Some((lost, given)))
}))
            .await?;
        if let Some((lost, given)) = resumed {
            tracing::warn!(
                missed_secs = lost.0 / 1000,
                leases = given.leases,
                reservations = given.reservations,
                "no process was alive for a while: extended leases and reservations by that time"
            );
            self.ring();
        }
        Ok(())
    }
}

/// Gives back the time during which a repository was not served. The caller holds its row.
pub(crate) async fn give_back(tx: &mut Tx, repo: &RepoContext, since: Timestamp) -> Result<(), EngineError> {
    tx.uptime().give_back_in(&repo.row.id, since).await?;
    for lease in tx.leases().all_live(Some(&repo.row.id)).await? {
        tell_deadline(tx, repo, &lease).await?;
    }
    Ok(())
}

/// Queues the lease's comment with its new deadline.
async fn tell_deadline(tx: &mut Tx, repo: &RepoContext, lease: &Lease) -> Result<(), EngineError> {
    let Some(task) = tx.tasks().get(&lease.task).await? else { return Ok(()) };
    Ok(update::lease(tx, repo, &task, None).await?)
}
