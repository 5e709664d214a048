//! Calls of OWP workers: register, send heartbeats, pull work.

use crate::Workers;
use crate::comments::update;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::scheduling::demand::Demand;
use crate::scheduling::schedule::{Planned, Pull};
use crate::workers::links::{self, LinkCode};
use crate::workers::once::{Keep, settle};
use crate::workers::places::Place;
use data_encoding::{BASE32_DNSSEC, HEXLOWER};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::policy::{Contract, Gates};
use owp_pool::task::Task;
use owp_pool::worker::{Capabilities, Worker, WorkerStatus};
use owp_pool::{LeaseId, Timestamp, WorkerId};
use owp_store::{Ahead, Extra, NewWorker, Scope, StoreError, Tx, is_recent, transaction};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// Default capacity in points.
pub(crate) const DEFAULT_CAPACITY: i64 = 5;
/// Default limit on concurrent leases.
pub(crate) const DEFAULT_CONCURRENT: i64 = 2;

/// Plans for one pull: a new one follows each time that policy files had to be read.
const PLANS: usize = 4;

/// A worker's registration request.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Display name, 1–120 characters.
    pub name: String,
    /// GitHub login to link the worker to.
    pub github_handle: Option<String>,
    /// Lower-case, sorted, without duplicates.
    pub skills: Vec<String>,
    /// Capacity in points, 1–100.
    pub capacity: i64,
    /// Limit on concurrent leases, 1–20.
    pub max_concurrent: i64,
    /// Declared capabilities.
    pub capabilities: Capabilities,
    /// Its own fields, kept and passed through.
    pub extra: Extra,
}

/// Response to a registration. Its secrets are shown once: only hashes are stored.
#[derive(Debug)]
pub struct Registered {
    /// Its id.
    pub worker: WorkerId,
    /// Its token.
    pub token: SecretString,
    /// Code with which the owner proves ownership; present only when a login was given.
    pub link: Option<LinkCode>,
}

/// A heartbeat.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Status that the worker reports.
    pub status: WorkerStatus,
    /// Note, at most 500 characters.
    pub note: Option<String>,
}

/// Response to a heartbeat.
#[derive(Debug, Clone)]
pub struct HeartbeatResponse {
    /// The server's time.
    pub now: Timestamp,
    /// Leases that ended since the last heartbeat, with their end reasons.
    pub ended: Vec<EndedLease>,
}

/// A lease that its worker should stop working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLease {
    /// The lease.
    pub lease: LeaseId,
    /// Its task.
    pub task: owp_pool::TaskId,
    /// End reason.
    pub reason: EndReason,
    /// End time.
    pub at: Timestamp,
}

/// A task as shown to its worker.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// The task.
    pub task: Task,
    /// `owner/name`.
    pub repo: String,
    /// The last lease on it.
    pub lease: Option<Lease>,
    /// The task's own fields, passed through.
    pub extra: Extra,
    /// Contract and gates; `None` in manual repositories.
    pub terms: Option<Terms>,
    /// Reason the repository is not served at the moment; deadlines are suspended meanwhile.
    pub waits: Option<String>,
}

/// A repository's requirements for work on its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Instructions for contributors.
    pub contract: Contract,
    /// Conditions for a pull request to count as delivered.
    pub gates: Gates,
}

impl Terms {
    pub(crate) fn of(repo: &RepoContext) -> Option<Self> {
        let policy = &repo.policy;
        repo.row.managed.then(|| Self { contract: policy.contract.clone(), gates: policy.gates.clone() })
    }
}

/// Result of a pull.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// All tasks of the worker.
    pub items: Vec<WorkItem>,
    /// True when this pull made a grant.
    pub granted: bool,
    /// Upper bound on what the worker could take; `None` when it is at capacity or paused.
    pub demand: Option<Demand>,
}

/// Hashes a secret for storage with SHA-256. Secrets are random enough to need no slower hash.
#[must_use]
pub(crate) fn secret_hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

fn ended_lease(lease: &Lease) -> Option<EndedLease> {
    let LeaseState::Ended(reason) = lease.state else { return None };
    Some(EndedLease { lease: lease.id.clone(), task: lease.task.clone(), reason, at: lease.ended_at? })
}

/// Returns the leases of a worker of which a third of the ttl is spent. Each is renewed under its own repository's lock;
/// most heartbeats find none.
pub(crate) async fn due_for_renewal(tx: &mut Tx, worker: &WorkerId) -> Result<Vec<Lease>, StoreError> {
    let now = tx.now();
    let mut leases = tx.leases().live_of_worker(worker).await?;
    leases.retain(|lease| lease.via == Via::Rest && lease.renewal(now).is_some());
    Ok(leases)
}

impl Workers<'_> {
    /// Registers a worker.
    pub async fn register(&self, registration: Registration) -> Result<Registered, EngineError> {
        let entropy = self.store().entropy();
        let token = format!("owp_{}", BASE32_DNSSEC.encode(&entropy.bytes::<32>()));
        let linking = registration.github_handle.clone().map(|handle| (handle, links::draw(entropy)));
        let token_hash = secret_hash(&token);
        let settings = self.settings().clone();
        let (worker, link) = self
            .write(
                Scope::global(),
                transaction!(|tx| {
                    let new = NewWorker {
                        name: registration.name,
                        person: None,
                        by_comment: false,
                        skills: registration.skills,
                        capacity: registration.capacity,
                        max_concurrent: registration.max_concurrent,
                    };
                    let id = tx.workers().insert(&new).await?;
                    tx.workers().set_capabilities(&id, &registration.capabilities, &registration.extra).await?;
                    tx.tokens().insert(&token_hash, &id).await?;
                    let link = match linking {
                        Some((handle, code)) => {
                            let expires_at = links::offer(tx, &id, &handle, &code).await?;
                            Some(LinkCode { code, expires_at, issue: links::meeting_place(tx, &settings).await? })
                        }
                        None => None,
                    };
                    let event = Event::new(EventKind::WorkerRegistered, json!({ "skills": new.skills }));
                    tx.events().append(&[event.about_worker(&id)])?;
                    Ok((id, link))
                }),
            )
            .await?;
        Ok(Registered { worker, token: SecretString::from(token), link })
    }

    /// Returns the worker of a token, unless its access was revoked.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Worker>, EngineError> {
        let hash = secret_hash(token);
        let found = self.store().worker_of_token(&hash).await?;
        let Some((worker, fresh)) = found.filter(|(worker, _)| !worker.revoked) else { return Ok(None) };
        if fresh {
            self.first_use(&worker.id, hash).await?;
        }
        Ok(Some(worker))
    }

    /// Records a heartbeat and renews the worker's leases. Returns the server's time and, once, the leases that ended.
    /// They are marked as reported last, so that no later failure hides them.
    pub async fn heartbeat(
        &self,
        worker: &WorkerId,
        beat: Heartbeat,
        keep: Option<Keep<HeartbeatResponse>>,
    ) -> Result<HeartbeatResponse, EngineError> {
        let (id, said) = (worker.clone(), beat.clone());
        let (due, has_news, now) = self
            .read(transaction!(|tx| {
                let has_news = tx.workers().has_news(&id, Some(said.status), said.note.as_deref()).await?;
                Ok((due_for_renewal(tx, &id).await?, has_news, tx.now()))
            }))
            .await?;
        for lease in due {
            self.renew(lease.repo, lease.id).await?;
        }
        // Most heartbeats have nothing to write.
        if !has_news && keep.is_none() {
            return Ok(HeartbeatResponse { now, ended: Vec::new() });
        }
        let id = worker.clone();
        self.write(
            Scope::global(),
            transaction!(|tx| {
                tx.workers().record_seen(&id, Some(beat.status), beat.note.as_deref()).await?;
                let ended = tx.leases().take_ended(&id).await?;
                let beat = HeartbeatResponse { now: tx.now(), ended: ended.iter().filter_map(ended_lease).collect() };
                settle(keep, tx, &beat).await?;
                Ok(beat)
            }),
        )
        .await
    }

    /// Moves a live lease's expiry to now + ttl, under its repository's lock.
    pub(crate) async fn renew(&self, repo: owp_pool::RepoId, lease: LeaseId) -> Result<(), EngineError> {
        let settings = self.settings().clone();
        self.write(
            Scope::repo(&repo),
            transaction!(|tx| {
                let Some(lease) = tx.leases().get(&lease).await?.filter(|lease| lease.is_live()) else { return Ok(()) };
                let Some(until) = lease.renewal(tx.now()) else { return Ok(()) };
                tx.leases().renew(&lease.id, until).await?;
                let Some(task) = tx.tasks().get(&lease.task).await? else { return Ok(()) };
                let context = RepoContext::load(tx, &repo, &settings).await?;
                Ok(update::lease(tx, &context, &task, None).await?)
            }),
        )
        .await
    }

    /// Fills the worker up to its capacity, then lists its held, blocked and delivered tasks.
    pub async fn pull_work(&self, worker: &WorkerId) -> Result<Pulled, EngineError> {
        let id = worker.clone();
        let (demand, is_due) = self
            .read(transaction!(|tx| {
                tx.read_ahead(&[Ahead::Worker(&id), Ahead::Load(&id)]).await?;
                let worker = facts::known_worker(tx, &id).await?;
                let load = tx.workers().load(&id).await?;
                let demand = Demand::of(&worker, load);
                let demand = Some(demand).filter(|demand| demand.room > 0 && worker.status != WorkerStatus::Paused);
                Ok((demand, !is_recent(worker.last_seen, tx.now())))
            }))
            .await?;
        if is_due {
            let id = worker.clone();
            self.write(Scope::global(), transaction!(|tx| Ok(tx.workers().record_seen(&id, None, None).await?)))
                .await?;
        }
        if demand.is_some() {
            self.learn_readable(worker).await?;
        }
        let granted = match &demand {
            Some(demand) => self.pull_again(worker, demand).await? > 0,
            None => false,
        };
        Ok(Pulled { items: self.work_of(worker).await?, granted, demand })
    }

    /// Asks the planner for everything a parked worker can get by now, and returns the number of grants. Writes nothing
    /// when there are none. Reads stale policy files, but only those that a planned grant depends on.
    pub async fn pull_again(&self, worker: &WorkerId, demand: &Demand) -> Result<usize, EngineError> {
        let mut granted = 0;
        // A new policy may send the worker to another repository, whose file is read next.
        for _ in 0..PLANS {
            let planned = self.plan_for(worker, demand).await?;
            granted += planned.granted;
            if planned.unread.is_empty() {
                break;
            }
            self.policies().read_policies(&planned.unread).await?;
        }
        Ok(granted)
    }

    async fn plan_for(&self, worker: &WorkerId, demand: &Demand) -> Result<Planned, EngineError> {
        let (reply, planned) = oneshot::channel();
        let pull = Pull { worker: worker.clone(), demand: demand.clone(), reply };
        if self.inner().pulls.send(pull).await.is_err() {
            return Ok(Planned::default());
        }
        // Without a planner, the worker's tasks are listed all the same.
        planned.await.unwrap_or_else(|_| Ok(Planned::default()))
    }

    /// Lists a worker's held, blocked and delivered tasks.
    pub async fn work_of(&self, worker: &WorkerId) -> Result<Vec<WorkItem>, EngineError> {
        let (engine, id) = (self.0.clone(), worker.clone());
        self.read(transaction!(|tx| {
            let mut items = Vec::new();
            let tasks = tx.tasks().of_worker(&id).await?;
            let repos: BTreeSet<_> = tasks.iter().map(|task| &task.repo).collect();
            let mut ahead: Vec<_> = repos.into_iter().map(Ahead::Repo).collect();
            ahead.extend(tasks.iter().flat_map(|task| task.last_lease.as_ref()).map(Ahead::Lease));
            ahead.extend(tasks.iter().map(|task| Ahead::OwnFields(&task.id)));
            tx.read_ahead(&ahead).await?;
            for task in tasks {
                let repo = RepoContext::load(tx, &task.repo, engine.settings()).await?;
                let lease = match &task.last_lease {
                    Some(id) => tx.leases().get(id).await?,
                    None => None,
                };
                let extra = tx.tasks().own_fields(&task.id).await?;
                let terms = Terms::of(&repo);
                let place = Place { repo: task.repo.clone(), managed: repo.row.managed };
                engine.inner().places.add(&task.id, task.last_lease.as_ref(), &place);
                items.push(WorkItem { repo: repo.row.name, lease, task, extra, terms, waits: repo.row.inactive });
            }
            Ok(items)
        }))
        .await
    }
}
