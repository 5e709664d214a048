//! What a worker may do to itself: look, change what it says, replace its token, leave. And the operator's way to end
//! its access.

use crate::Engine;
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
use owp_store::{Extra, Scope, StoreError, Tx};
use secrecy::SecretString;
use serde_json::{Value, json};

/// How much of its own a worker keeps with us, over all its changes.
const OWN_FIELDS_MAX: usize = 32;
const OWN_FIELDS_BYTES: usize = 8 * 1024;

/// A worker as it sees itself.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The worker.
    pub worker: Worker,
    /// What it said it can do.
    pub capabilities: Capabilities,
    /// Its own fields.
    pub extra: Extra,
    /// What it noted last.
    pub note: Option<String>,
    /// True while it is paused whatever its heartbeats say.
    pub paused: bool,
    /// When it registered.
    pub created_at: Timestamp,
    /// What its live leases take.
    pub load: Load,
    /// Whether its person asked for a score.
    pub scored: bool,
    /// The logins of its person's agents.
    pub agents: Vec<String>,
}

/// A worker as the operator sees it in a list.
#[derive(Debug, Clone)]
pub struct ListedWorker {
    /// The worker.
    pub worker: Worker,
    /// What its live leases take.
    pub load: Load,
    /// When it registered.
    pub created_at: Timestamp,
}

/// A person's reputation in one repository.
#[derive(Debug, Clone)]
pub struct RepoReputation {
    /// `owner/name`.
    pub repo: String,
    /// The score and what it is made of.
    pub reputation: Reputation,
}

/// What a worker wants to say differently; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// What it calls itself.
    pub name: Option<String>,
    /// Normalised.
    pub skills: Option<Vec<String>>,
    /// Points it can hold at once.
    pub capacity: Option<i64>,
    /// Leases it can hold at once.
    pub max_concurrent: Option<i64>,
    /// What it can do.
    pub capabilities: Option<Capabilities>,
    /// Fields of its own: null takes one away, anything else sets it.
    pub extra: Extra,
    /// True pauses it whatever its heartbeats say, false ends every pause.
    pub paused: Option<bool>,
    /// Whether a score is made of what comes of its person's work.
    pub reputation: Option<bool>,
    /// The logins of those whose pull requests are its person's work, all of them.
    pub agents: Option<Vec<String>>,
}

/// Repositories a person's reputation is listed for.
const REPUTATIONS_MOST: i64 = 100;

impl Engine {
    /// A worker as it sees itself.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn show_worker(&self, id: &WorkerId) -> Result<WorkerView, EngineError> {
        let id = id.clone();
        self.read(move |tx| Box::pin(async move { view(tx, &id).await })).await
    }

    /// A page of the workers that have access, the newest first, after the worker `after`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn list_workers(&self, after: String, limit: i64) -> Result<Vec<ListedWorker>, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let mut listed = Vec::new();
                for (worker, created_at) in tx.workers_page(&after, limit).await? {
                    listed.push(ListedWorker { load: tx.load(&worker.id).await?, worker, created_at });
                }
                Ok(listed)
            })
        })
        .await
    }

    /// Changes what a worker says of itself. What it holds stays, also where it is more than it now wants: it is given
    /// nothing new until it fits again.
    ///
    /// # Errors
    /// A refusal, when it names agents it cannot have.
    pub async fn change_worker(&self, id: &WorkerId, change: ProfileChange) -> Result<WorkerView, EngineError> {
        let id = id.clone();
        let agents = match &change.agents {
            Some(logins) => Some(self.accounts(logins).await?),
            None => None,
        };
        let mut scope = Scope::global().with_workers([id.clone()]);
        if change.reputation == Some(false) {
            // Said for every worker of the person: their rows are locked in order, before anything is written.
            let asked = id.clone();
            let theirs = self.read(move |tx| {
                Box::pin(async move {
                    let person = facts::known_worker(tx, &asked).await?.person;
                    Ok(tx.all_workers_of(&person).await?)
                })
            });
            scope = scope.with_workers(theirs.await?);
        }
        self.store()
            .write(scope, move |tx| {
                Box::pin(async move {
                    let before = view(tx, &id).await?;
                    name_agents(tx, &before.worker, agents.as_deref()).await?;
                    apply(tx, before, change).await?;
                    view(tx, &id).await
                })
            })
            .await
    }

    /// How the worker's person stands where something came of their work, by name; `None` unless they asked for a
    /// score.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn reputations(&self, id: &WorkerId) -> Result<Option<Vec<RepoReputation>>, EngineError> {
        let id = id.clone();
        self.read(move |tx| {
            Box::pin(async move {
                let person = facts::known_worker(tx, &id).await?.person;
                if !tx.is_scored(&person).await? {
                    return Ok(None);
                }
                let mut found = Vec::new();
                for (id, repo) in tx.repos_with_outcomes(&person, REPUTATIONS_MOST).await? {
                    found.push(RepoReputation { repo, reputation: tx.reputation(&id, &person).await? });
                }
                Ok(Some(found))
            })
        })
        .await
    }

    /// Makes a new token. The old one works until the new one is used.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn rotate_token(&self, id: &WorkerId) -> Result<SecretString, EngineError> {
        let token = format!("owp_{}", BASE32_DNSSEC.encode(&self.store().entropy().bytes::<32>()));
        let (hash, id) = (secret_hash(&token), id.clone());
        // The worker's row first, as whoever takes its tokens away does; and two rotations at once leave one fresh token.
        self.store()
            .write(Scope::global().with_workers([id.clone()]), move |tx| {
                Box::pin(async move {
                    tx.insert_fresh_token(&hash, &id).await?;
                    let event = Event::new(EventKind::WorkerTokenRotated, json!({}));
                    Ok::<_, EngineError>(tx.append_events(&[event.about_worker(&id)]).await?)
                })
            })
            .await?;
        Ok(SecretString::from(token))
    }

    /// Records the first use of a rotated token, which ends the old one.
    pub(crate) async fn first_use(&self, id: &WorkerId, hash: String) -> Result<(), EngineError> {
        let id = id.clone();
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move { Ok(tx.use_fresh_token(&hash, &id).await.map(drop)?) })
            })
            .await
    }

    /// A worker leaves: its tokens open nothing from here on, and what it holds goes back to everybody. Gives the
    /// number of leases that ended.
    ///
    /// # Errors
    /// When the database refuses. What it holds still ends by itself then, when its time runs out.
    pub async fn leave(&self, id: &WorkerId) -> Result<usize, EngineError> {
        self.end_access(id, EndReason::Released, LeaseEnd::Released { reason: Some("the worker left".to_owned()) })
            .await
    }

    /// The operator takes a worker's access away, and what it holds.
    ///
    /// # Errors
    /// [`EngineError::UnknownWorker`].
    pub async fn revoke_worker(&self, id: &WorkerId, reason: Option<String>) -> Result<usize, EngineError> {
        let asked = id.clone();
        let known = self.read(move |tx| Box::pin(async move { Ok(tx.worker(&asked).await?) })).await?;
        known.ok_or(EngineError::UnknownWorker)?;
        self.end_access(id, EndReason::Revoked, LeaseEnd::Revoked { by: None, reason }).await
    }

    async fn end_access(&self, id: &WorkerId, why: EndReason, told: LeaseEnd) -> Result<usize, EngineError> {
        let worker = id.clone();
        let words = told.words().map(ToOwned::to_owned);
        // First the access, so that nothing is granted to it while what it holds goes back.
        let held = self
            .store()
            .write(Scope::global().with_workers([id.clone()]), move |tx| {
                Box::pin(async move {
                    if tx.revoke_worker(&worker).await? {
                        let said = json!({ "reason": why.name(), "words": words });
                        let event = Event::new(EventKind::WorkerRevoked, said);
                        tx.append_events(&[event.about_worker(&worker)]).await?;
                    }
                    Ok::<_, EngineError>(tx.live_leases_of(&worker).await?)
                })
            })
            .await?;
        let mut ended = 0;
        for lease in held {
            ended += usize::from(self.end_lease(lease, why, told.clone(), None).await?);
        }
        self.ring();
        Ok(ended)
    }

    /// Ends a live lease under its repository's lock; false when it ended by itself meanwhile.
    pub(crate) async fn end_lease(
        &self,
        lease: Lease,
        why: EndReason,
        told: LeaseEnd,
        keep: Option<Keep<()>>,
    ) -> Result<bool, EngineError> {
        let settings = self.settings().clone();
        self.store()
            .write(Scope::repo(&lease.repo), move |tx| {
                Box::pin(async move {
                    let Some(now) = tx.live_lease(&lease.task).await?.filter(|now| now.id == lease.id) else {
                        return Ok(false);
                    };
                    let Some(task) = tx.task(&now.task).await? else { return Ok(false) };
                    let context = RepoContext::load(tx, &lease.repo, &settings).await?;
                    transition::carry_out(tx, &context, task, Move::Return(why), Some(told)).await?;
                    settle(keep, tx, &()).await?;
                    Ok(true)
                })
            })
            .await
    }
}

/// A person asks for a score through one of their workers. No longer wanting one holds for all of them, so the caller
/// has locked them all.
pub(crate) async fn ask_for_score(tx: &mut Tx, worker: &Worker, scored: bool) -> Result<(), StoreError> {
    if scored {
        return tx.ask_for_score(&worker.id).await;
    }
    tx.forget_score(&worker.person).await
}

/// Names a worker's agents for the person behind it. Their open pull requests are judged anew at the next count.
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
    let said = tx.worker_said(id).await?.ok_or(EngineError::UnknownWorker)?;
    Ok(WorkerView {
        load: tx.load(id).await?,
        capabilities: said.capabilities,
        extra: said.extra,
        note: said.note,
        paused: said.paused,
        created_at: said.created_at,
        scored: tx.is_scored(&worker.person).await?,
        agents: tx.agent_logins(&worker.person).await?,
        worker,
    })
}

async fn apply(tx: &mut Tx, before: WorkerView, change: ProfileChange) -> Result<(), EngineError> {
    let worker = before.worker;
    if let Some(scored) = change.reputation {
        ask_for_score(tx, &worker, scored).await?;
    }
    if let Some(name) = &change.name {
        tx.rename_worker(&worker.id, name).await?;
    }
    if let Some(paused) = change.paused {
        tx.pause_worker(&worker.id, paused).await?;
    }
    let skills = change.skills.unwrap_or(worker.skills);
    let capacity = change.capacity.unwrap_or(worker.capacity);
    let max_concurrent = change.max_concurrent.unwrap_or(worker.max_concurrent);
    tx.set_profile(&worker.id, &skills, capacity, max_concurrent).await?;
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
    tx.set_capabilities(&worker.id, &capabilities, &extra).await?;
    let mut changed = json!({ "skills": skills, "capacity": capacity, "concurrent": max_concurrent });
    if let Some(agents) = change.agents {
        changed["agents"] = json!(agents);
    }
    if let Some(paused) = change.paused {
        changed["paused"] = json!(paused);
    }
    Ok(tx.append_events(&[Event::new(EventKind::WorkerUpdated, changed).about_worker(&worker.id)]).await?)
}
