//! What OWP clients may do: register, show signs of life, pull work.

use crate::Engine;
use crate::comments::tell;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use crate::scheduling::schedule::{Planned, Pull, Wish};
use crate::workers::links::{self, LinkCode};
use crate::workers::once::{Keep, settle};
use data_encoding::{BASE32_DNSSEC, HEXLOWER};
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::{EndReason, Lease, LeaseState, Via};
use owp_pool::policy::{Contract, Gates};
use owp_pool::task::Task;
use owp_pool::worker::{Capabilities, Worker, WorkerStatus};
use owp_pool::{LeaseId, Timestamp, WorkerId};
use owp_store::{Extra, NewWorker, Scope};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

/// Points a worker holds at once unless it says otherwise.
pub(crate) const DEFAULT_CAPACITY: i64 = 5;
/// Leases a worker holds at once unless it says otherwise.
pub(crate) const DEFAULT_CONCURRENT: i64 = 2;

/// How often one pull is planned: anew after each time policy files had to be read for it.
const PLANS: usize = 4;

/// What a client says when it registers.
#[derive(Debug, Clone)]
pub struct Registration {
    /// What it calls itself, 1–120 characters.
    pub name: String,
    /// The GitHub login it wants to be linked to.
    pub github_handle: Option<String>,
    /// Lower-case, sorted, without repeats.
    pub skills: Vec<String>,
    /// Points it can hold at once, 1–100.
    pub capacity: i64,
    /// Leases it can hold at once, 1–20.
    pub max_concurrent: i64,
    /// What it says it can do.
    pub capabilities: Capabilities,
    /// Its own fields, kept and passed through.
    pub extra: Extra,
}

/// What a client is told once, and never again: only hashes are stored.
#[derive(Debug)]
pub struct Registered {
    /// Its id.
    pub worker: WorkerId,
    /// Its token.
    pub token: SecretString,
    /// How its owner proves that it is theirs; only when a handle was given.
    pub link: Option<LinkCode>,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// What the worker says of itself.
    pub status: WorkerStatus,
    /// Anything it wants to note, 500 characters at most.
    pub note: Option<String>,
}

/// The answer to a sign of life.
#[derive(Debug, Clone)]
pub struct Beat {
    /// The server's time.
    pub now: Timestamp,
    /// Leases that ended since the last one, and why.
    pub ended: Vec<EndedLease>,
}

/// A lease its worker should stop working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLease {
    /// The lease.
    pub lease: LeaseId,
    /// Its task.
    pub task: owp_pool::TaskId,
    /// Why it ended.
    pub reason: EndReason,
    /// When.
    pub at: Timestamp,
}

/// One task as its worker sees it.
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
    /// What the repository asks of the work; `None` in manual repositories.
    pub terms: Option<Terms>,
    /// Why the repository is not served at the moment, when it is not; its clocks stand still then.
    pub waits: Option<String>,
}

/// What a repository asks of the work on its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What contributors are asked to do.
    pub contract: Contract,
    /// What a pull request must be before it counts as delivered.
    pub gates: Gates,
}

impl Terms {
    pub(crate) fn of(repo: &RepoContext) -> Option<Self> {
        let policy = &repo.policy;
        repo.row.managed.then(|| Self { contract: policy.contract.clone(), gates: policy.gates.clone() })
    }
}

/// What came of a pull.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Everything that is the worker's.
    pub items: Vec<WorkItem>,
    /// True when this pull was granted something.
    pub granted: bool,
    /// What the worker would take, when it has room and is not paused: more may come.
    pub wish: Option<Wish>,
}

/// How a secret is stored: its SHA-256. Secrets carry enough randomness that nothing slower is needed.
#[must_use]
pub(crate) fn secret_hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

fn ended_lease(lease: &Lease) -> Option<EndedLease> {
    let LeaseState::Ended(reason) = lease.state else { return None };
    Some(EndedLease { lease: lease.id.clone(), task: lease.task.clone(), reason, at: lease.ended_at? })
}

impl Engine {
    /// Registers a client.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn register(&self, registration: Registration) -> Result<Registered, EngineError> {
        let entropy = self.store().entropy();
        let token = format!("owp_{}", BASE32_DNSSEC.encode(&entropy.bytes::<32>()));
        let linking = registration.github_handle.clone().map(|handle| (handle, links::draw(entropy)));
        let token_hash = secret_hash(&token);
        let settings = self.settings().clone();
        let (worker, link) = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let new = NewWorker {
                        name: registration.name,
                        person: None,
                        by_comment: false,
                        skills: registration.skills,
                        capacity: registration.capacity,
                        max_concurrent: registration.max_concurrent,
                    };
                    let id = tx.insert_worker(&new).await?;
                    tx.set_capabilities(&id, &registration.capabilities, &registration.extra).await?;
                    tx.insert_token(&token_hash, &id).await?;
                    let link = match linking {
                        Some((handle, code)) => {
                            let expires_at = links::offer(tx, &id, &handle, &code).await?;
                            Some(LinkCode { code, expires_at, issue: links::meeting_place(tx, &settings).await? })
                        }
                        None => None,
                    };
                    let event = Event::new(EventKind::WorkerRegistered, json!({ "skills": new.skills }));
                    tx.append_events(&[event.about_worker(&id)]).await?;
                    Ok::<_, EngineError>((id, link))
                })
            })
            .await?;
        Ok(Registered { worker, token: SecretString::from(token), link })
    }

    /// The worker a token belongs to, unless its access was taken away.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Worker>, EngineError> {
        let hash = secret_hash(token);
        let (worker, fresh) = self
            .read({
                let hash = hash.clone();
                move |tx| {
                    Box::pin(async move { Ok((tx.worker_by_token(&hash).await?, tx.token_is_fresh(&hash).await?)) })
                }
            })
            .await?;
        let Some(worker) = worker.filter(|worker| !worker.revoked) else { return Ok(None) };
        if fresh {
            self.first_use(&worker.id, hash).await?;
        }
        Ok(Some(worker))
    }

    /// Records a sign of life and keeps the worker's leases alive. Gives the server's time, and once the leases that
    /// ended: last of all, so that nothing that fails afterwards keeps it from being told.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn heartbeat(
        &self,
        worker: &WorkerId,
        beat: Heartbeat,
        keep: Option<Keep<Beat>>,
    ) -> Result<Beat, EngineError> {
        self.keep_alive(worker).await?;
        let id = worker.clone();
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    tx.worker_seen(&id, Some(beat.status), beat.note.as_deref()).await?;
                    let ended = tx.tell_ended(&id).await?;
                    let beat = Beat { now: tx.now(), ended: ended.iter().filter_map(ended_lease).collect() };
                    settle(keep, tx, &beat).await?;
                    Ok::<_, EngineError>(beat)
                })
            })
            .await
    }

    /// Keeps what a client holds alive, each lease under its own repository's lock. Written only once a third of the
    /// ttl is spent, so most signs of life end with a look.
    pub(crate) async fn keep_alive(&self, worker: &WorkerId) -> Result<(), EngineError> {
        let id = worker.clone();
        let due = self
            .read(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    let mut leases = tx.live_leases_of(&id).await?;
                    leases.retain(|lease| lease.via == Via::Rest && lease.renewal(now).is_some());
                    Ok(leases)
                })
            })
            .await?;
        for lease in due {
            self.renew(lease.repo, lease.id).await?;
        }
        Ok(())
    }

    /// Moves a live lease's expiry to now + ttl, under its repository's lock.
    pub(crate) async fn renew(&self, repo: owp_pool::RepoId, lease: LeaseId) -> Result<(), EngineError> {
        let settings = self.settings().clone();
        self.store()
            .write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    let Some(lease) = tx.lease(&lease).await?.filter(|lease| lease.is_live()) else { return Ok(()) };
                    let Some(until) = lease.renewal(tx.now()) else { return Ok(()) };
                    tx.renew_lease(&lease.id, until).await?;
                    let Some(task) = tx.task(&lease.task).await? else { return Ok(()) };
                    let context = RepoContext::load(tx, &repo, &settings).await?;
                    Ok(tell::lease(tx, &context, &task, None).await?)
                })
            })
            .await
    }

    /// Fills the worker up to its capacity, then lists what is its own: held, blocked and delivered tasks.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pull_work(&self, worker: &WorkerId) -> Result<Pulled, EngineError> {
        let id = worker.clone();
        let wish = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    tx.worker_seen(&id, None, None).await?;
                    let worker = facts::known_worker(tx, &id).await?;
                    let load = tx.load(&id).await?;
                    let room = worker.free_leases(load);
                    let wants = room > 0 && worker.status != WorkerStatus::Paused;
                    Ok::<_, EngineError>(wants.then_some(Wish { skills: worker.skills, room }))
                })
            })
            .await?;
        if wish.is_some() {
            self.learn_readable(worker).await?;
        }
        let granted = match &wish {
            Some(wish) => self.pull_again(worker, wish).await? > 0,
            None => false,
        };
        Ok(Pulled { items: self.work_of(worker).await?, granted, wish })
    }

    /// Asks the planner for everything a worker that has waited can get by now; says how much that was. Writes nothing
    /// when that is nothing, however many wait. Policy files that were not read lately are read, where a grant waits for
    /// that and nowhere else.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pull_again(&self, worker: &WorkerId, wish: &Wish) -> Result<usize, EngineError> {
        let mut granted = 0;
        // What a file says may send the worker to another repository, whose file is read next.
        for _ in 0..PLANS {
            let planned = self.plan_for(worker, wish).await?;
            granted += planned.granted;
            if planned.unread.is_empty() {
                break;
            }
            self.read_policies(&planned.unread).await?;
        }
        Ok(granted)
    }

    async fn plan_for(&self, worker: &WorkerId, wish: &Wish) -> Result<Planned, EngineError> {
        let (reply, planned) = oneshot::channel();
        let pull = Pull { worker: worker.clone(), wish: wish.clone(), reply };
        if self.0.pulls.send(pull).await.is_err() {
            return Ok(Planned::default());
        }
        // A planner that went away answers nothing; what is held is listed all the same.
        planned.await.unwrap_or_else(|_| Ok(Planned::default()))
    }

    /// What is a worker's own: held, blocked and delivered tasks.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn work_of(&self, worker: &WorkerId) -> Result<Vec<WorkItem>, EngineError> {
        let (engine, id) = (self.clone(), worker.clone());
        self.read(move |tx| {
            Box::pin(async move {
                let mut items = Vec::new();
                for task in tx.tasks_of_worker(&id).await? {
                    let repo = RepoContext::load(tx, &task.repo, engine.settings()).await?;
                    let lease = match &task.last_lease {
                        Some(id) => tx.lease(id).await?,
                        None => None,
                    };
                    let extra = tx.own_fields_of_task(&task.id).await?;
                    let terms = Terms::of(&repo);
                    items.push(WorkItem { repo: repo.row.name, lease, task, extra, terms, waits: repo.row.inactive });
                }
                Ok(items)
            })
        })
        .await
    }
}
