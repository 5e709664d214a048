//! A worker's calls about itself: view, change its profile, rotate its token, leave. Also the operator's revocation.

use crate::Workers;
use crate::error::{EngineError, Refused};
use crate::facts::{self, RepoContext};
use crate::tracking::transition;
use crate::workers::agents;
use crate::workers::contributors::secret_hash;
use crate::workers::once::{Keep, settle};
use data_encoding::BASE32_DNSSEC;
use owp_github::client::UserRef;
use owp_github::render::LeaseEnd;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease};
use owp_pool::moves::Move;
use owp_pool::reputation::Reputation;
use owp_pool::worker::{Capabilities, Load, Worker};
use owp_pool::{Timestamp, WorkerId};
use owp_store::{Extra, Scope, StoreError, Tx, transaction};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Limits on the own fields that a worker stores, over all its changes.
const OWN_FIELDS_MAX: usize = 32;
const OWN_FIELDS_BYTES: usize = 8 * 1024;

/// A worker as shown to itself.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The worker.
    pub worker: Worker,
    /// Declared capabilities.
    pub capabilities: Capabilities,
    /// Its own fields.
    pub extra: Extra,
    /// Its last note.
    pub note: Option<String>,
    /// True while it is paused, whatever its heartbeats say.
    pub paused: bool,
    /// Registration time.
    pub created_at: Timestamp,
    /// Load of its live leases.
    pub load: Load,
    /// True when its contributor asked for a score.
    pub scored: bool,
    /// Logins of its contributor's agents.
    pub agents: Vec<String>,
}

/// A worker in the operator's list.
#[derive(Debug, Clone)]
pub struct ListedWorker {
    /// The worker.
    pub worker: Worker,
    /// Load of its live leases.
    pub load: Load,
    /// Registration time.
    pub created_at: Timestamp,
}

/// A contributor's reputation in one repository.
#[derive(Debug, Clone)]
pub struct RepoReputation {
    /// `owner/name`.
    pub repo: String,
    /// The score and its components.
    pub reputation: Reputation,
}

/// Changes to a worker's profile; `None` leaves a value unchanged.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// Display name.
    pub name: Option<String>,
    /// Normalised skills.
    pub skills: Option<Vec<String>>,
    /// Capacity in points.
    pub capacity: Option<i64>,
    /// Limit on concurrent leases.
    pub max_concurrent: Option<i64>,
    /// Declared capabilities.
    pub capabilities: Option<Capabilities>,
    /// Own fields: null deletes one, anything else sets it.
    pub extra: Extra,
    /// True pauses it, whatever its heartbeats say; false ends every pause.
    pub paused: Option<bool>,
    /// True to keep a score of its contributor's outcomes.
    pub reputation: Option<bool>,
    /// Logins of its contributor's agents, as a complete list.
    pub agents: Option<Vec<String>>,
}

/// Maximum number of repositories in a reputation list.
const REPUTATIONS_MOST: i64 = 100;

impl Workers<'_> {
    /// Returns a worker as shown to itself.
    pub async fn show_worker(&self, id: &WorkerId) -> Result<WorkerView, EngineError> {
        let id = id.clone();
        self.read(transaction!(|tx| view(tx, &id).await)).await
    }

    /// Returns a page of the workers that have access, newest first, after the worker `after`.
    pub async fn list_workers(&self, after: String, limit: i64) -> Result<Vec<ListedWorker>, EngineError> {
        self.read(transaction!(|tx| {
            let rows = tx.workers().page(&after, limit).await?;
            Ok(rows.into_iter().map(|(worker, created_at, load)| ListedWorker { worker, created_at, load }).collect())
        }))
        .await
    }

    /// Changes a worker's profile. Its leases stay, even above the new limits; it gets nothing new until they fit.
    ///
    /// # Errors
    /// A refusal, when it names accounts that cannot be agents or stores too many own fields.
    pub async fn change_worker(&self, id: &WorkerId, change: ProfileChange) -> Result<WorkerView, EngineError> {
        let id = id.clone();
        let agents = match &change.agents {
            Some(logins) => Some(self.accounts(logins).await?),
            None => None,
        };
        let mut scope = Scope::global().with_workers([id.clone()]);
        if change.reputation == Some(false) {
            // This applies to all workers of the contributor: their rows are locked in order, before any write.
            let asked = id.clone();
            let theirs = self.read(transaction!(|tx| {
                let person = facts::known_worker(tx, &asked).await?.person;
                Ok(tx.workers().all_of(&person).await?)
            }));
            scope = scope.with_workers(theirs.await?);
        }
        self.write(
            scope,
            transaction!(|tx| {
                let before = view(tx, &id).await?;
                name_agents(tx, &before.worker, agents.as_deref()).await?;
                apply(tx, before, change).await?;
                view(tx, &id).await
            }),
        )
        .await
    }

    /// Returns the contributor's reputation in every repository with an outcome, by name; `None` unless they asked for
    /// a score.
    pub async fn reputations(&self, id: &WorkerId) -> Result<Option<Vec<RepoReputation>>, EngineError> {
        let id = id.clone();
        self.read(transaction!(|tx| {
            let person = facts::known_worker(tx, &id).await?.person;
            if !tx.standings().is_scored(&person).await? {
                return Ok(None);
            }
            let mut found = Vec::new();
            for (id, repo) in tx.standings().repos_with_outcomes(&person, REPUTATIONS_MOST).await? {
                found.push(RepoReputation { repo, reputation: tx.standings().reputation(&id, &person).await? });
            }
            Ok(Some(found))
        }))
        .await
    }

    /// Creates a new token. The old one works until the new one is used.
    pub async fn rotate_token(&self, id: &WorkerId) -> Result<SecretString, EngineError> {
        let token = format!("owp_{}", BASE32_DNSSEC.encode(&self.store().entropy().bytes::<32>()));
        let (hash, id) = (secret_hash(&token), id.clone());
        // The worker's row first, in the same order as a revocation; two concurrent rotations leave one fresh token.
        self.write(
            Scope::global().with_workers([id.clone()]),
            transaction!(|tx| {
                tx.tokens().insert_fresh(&hash, &id).await?;
                let event = Event::new(EventKind::WorkerTokenRotated, json!({}));
                Ok(tx.events().append(&[event.about_worker(&id)])?)
            }),
        )
        .await?;
        Ok(SecretString::from(token))
    }

    /// Records the first use of a rotated token, which ends the old one.
    pub(crate) async fn first_use(&self, id: &WorkerId, hash: String) -> Result<(), EngineError> {
        let id = id.clone();
        self.write(Scope::global(), transaction!(|tx| Ok(tx.tokens().use_fresh(&hash, &id).await.map(drop)?))).await
    }

    /// Ends a worker's access at its own request: its tokens become invalid and its tasks go back to everybody. Returns
    /// the number of ended leases. On failure, the remaining leases end by their deadlines.
    pub async fn leave(&self, id: &WorkerId) -> Result<usize, EngineError> {
        self.end_access(id, EndReason::Released, LeaseEnd::Released { reason: Some("the worker left".to_owned()) })
            .await
    }

    /// Revokes a worker's access and its leases for the operator.
    ///
    /// # Errors
    /// [`EngineError::UnknownWorker`].
    pub async fn revoke_worker(&self, id: &WorkerId, reason: Option<String>) -> Result<usize, EngineError> {
        let asked = id.clone();
        let known = self.read(transaction!(|tx| Ok(tx.workers().get(&asked).await?))).await?;
        known.ok_or(EngineError::UnknownWorker)?;
        self.end_access(id, EndReason::Revoked, LeaseEnd::Revoked { by: None, reason }).await
    }

    async fn end_access(&self, id: &WorkerId, why: EndReason, told: LeaseEnd) -> Result<usize, EngineError> {
        let worker = id.clone();
        let words = told.words().map(ToOwned::to_owned);
        // Revoke access first, so that nothing is granted to it while its leases end.
        let held = self
            .write(
                Scope::global().with_workers([id.clone()]),
                transaction!(|tx| {
                    if tx.workers().revoke(&worker).await? {
                        let said = json!({ "reason": why.name(), "words": words });
                        let event = Event::new(EventKind::WorkerRevoked, said);
                        tx.events().append(&[event.about_worker(&worker)])?;
                    }
                    Ok(tx.leases().live_of_worker(&worker).await?)
                }),
            )
            .await?;
        let mut ended = 0;
        for lease in held {
            ended += usize::from(self.end_lease(lease, why, told.clone(), None).await?);
        }
        self.ring();
        Ok(ended)
    }

    /// Ends a live lease under its repository's lock; returns false when it ended by itself meanwhile.
    pub(crate) async fn end_lease(
        &self,
        lease: Lease,
        why: EndReason,
        told: LeaseEnd,
        keep: Option<Keep<()>>,
    ) -> Result<bool, EngineError> {
        let settings = self.settings().clone();
        self.write(
            Scope::repo(&lease.repo),
            transaction!(|tx| {
                let Some(now) = tx.leases().live(&lease.task).await?.filter(|now| now.id == lease.id) else {
                    return Ok(false);
                };
                let Some(task) = tx.tasks().get(&now.task).await? else { return Ok(false) };
                let context = RepoContext::load(tx, &lease.repo, &settings).await?;
                transition::carry_out(tx, &context, task, Move::Return(why), Some(told)).await?;
                settle(keep, tx, &()).await?;
                Ok(true)
            }),
        )
        .await
    }
}

/// Turns a contributor's score on through one of their workers. Turning it off applies to all of them, so the caller
/// has locked them all.
pub(crate) async fn ask_for_score(tx: &mut Tx, worker: &Worker, scored: bool) -> Result<(), StoreError> {
    if scored {
        return tx.standings().ask_for_score(&worker.id).await;
    }
    tx.standings().forget_score(&worker.person).await
}

/// Declares the agents of a worker's contributor. The next count judges their open pull requests again.
async fn name_agents(tx: &mut Tx, worker: &Worker, named: Option<&[UserRef]>) -> Result<(), EngineError> {
    let Some(named) = named else { return Ok(()) };
    if !worker.person.is_linked() {
        let why = "Agents work for a person on GitHub: link this worker first, with `/owp link`.";
        return Err(Refused::because(why).into());
    }
    for account in named {
        if let Some(why) = agents::unfit(&worker.person, account) {
            return Err(Refused::because(why).into());
        }
    }
    Ok(agents::name(tx, &worker.person, named).await?)
}

async fn view(tx: &mut Tx, id: &WorkerId) -> Result<WorkerView, EngineError> {
    let worker = facts::known_worker(tx, id).await?;
    let said = tx.workers().details(id).await?.ok_or(EngineError::UnknownWorker)?;
    Ok(WorkerView {
        load: tx.workers().load(id).await?,
        capabilities: said.capabilities,
        extra: said.extra,
        note: said.note,
        paused: said.paused,
        created_at: said.created_at,
        scored: tx.standings().is_scored(&worker.person).await?,
        agents: tx.people().agent_logins(&worker.person).await?,
        worker,
    })
}

async fn apply(tx: &mut Tx, before: WorkerView, change: ProfileChange) -> Result<(), EngineError> {
    let worker = before.worker;
    if let Some(scored) = change.reputation {
        ask_for_score(tx, &worker, scored).await?;
    }
    if let Some(name) = &change.name {
        tx.workers().rename(&worker.id, name).await?;
    }
    if let Some(paused) = change.paused {
        tx.workers().pause(&worker.id, paused).await?;
    }
    let skills = change.skills.unwrap_or(worker.skills);
    let capacity = change.capacity.unwrap_or(worker.capacity);
    let max_concurrent = change.max_concurrent.unwrap_or(worker.max_concurrent);
    tx.workers().set_profile(&worker.id, &skills, capacity, max_concurrent).await?;
    let mut extra = before.extra;
    for (name, value) in change.extra {
        match value {
            Value::Null => drop(extra.remove(&name)),
            value => drop(extra.insert(name, value)),
        }
    }
    if extra.len() > OWN_FIELDS_MAX || serde_json::to_string(&extra).is_ok_and(|text| text.len() > OWN_FIELDS_BYTES) {
        let why = format!(
            "A worker keeps at most {OWN_FIELDS_MAX} fields of its own, {} KiB together.",
            OWN_FIELDS_BYTES / 1024
        );
        return Err(Refused::because(why).into());
    }
    let capabilities = change.capabilities.unwrap_or(before.capabilities);
    tx.workers().set_capabilities(&worker.id, &capabilities, &extra).await?;
    let mut changed = json!({ "skills": skills, "capacity": capacity, "concurrent": max_concurrent });
    if let Some(agents) = change.agents {
        changed["agents"] = json!(agents);
    }
    if let Some(paused) = change.paused {
        changed["paused"] = json!(paused);
    }
    Ok(tx.events().append(&[Event::new(EventKind::WorkerUpdated, changed).about_worker(&worker.id)])?)
}
