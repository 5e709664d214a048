//! The world of the sandbox: all state in memory; callers hold its one lock.
//!
//! This file has the state itself, ids, the time and lookups. The other files of this folder change it, one subject
//! each, and report every change that GitHub would announce through `announce.rs`. There is no HTTP and no async here:
//! the same functions serve the REST API and the verbs.

pub(super) mod access;
mod announce;
pub(super) mod checks;
pub(super) mod closing;
mod comments;
pub(super) mod forks;
mod git;
pub(super) mod installs;
pub(super) mod issues;
mod labels;
mod life;
pub(super) mod manifest;
pub(super) mod model;
mod people;
pub(super) mod pulls;
mod repos;
pub(super) mod reviews;
pub(super) mod sign_in;
mod teams;

use crate::{
    error::ApiError,
    faults::Faults,
    git::Git,
    journal::Journal,
    keys::AppKey,
    limits::Limits,
    webhook::{Hook, Outbox},
};
use axum::body::Bytes;
use manifest::Registration;
use model::{App, Comment, Installation, Issue, Pull, Removal, Repo, Token, User, UserKind, Verdicts};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use sign_in::SignInCode;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// The sandbox's clock, in Unix milliseconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Parameters of a new world.
pub(super) struct Settings {
    pub(super) now: Now,
    pub(super) seed: u64,
    pub(super) base: String,
    pub(super) slug: String,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    pub(super) single_files: Vec<String>,
    pub(super) hook: Hook,
    pub(super) limits: Limits,
    pub(super) git: Option<Git>,
}

/// The complete state.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) rng: StdRng,
    /// Scheme, host and port of the REST API; the prefix of every URL in a response.
    pub(super) base: String,
    last_id: u64,
    pub(super) key: AppKey,
    pub(super) app: App,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) repos: BTreeMap<u64, Repo>,
    /// Former names of repositories, in lower case.
    pub(super) old_names: BTreeMap<String, u64>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// Checks and statuses by repository and commit.
    pub(super) verdicts: BTreeMap<(u64, String), Verdicts>,
    /// Members of teams, by organization and the team's name in URLs.
    pub(super) teams: BTreeMap<(u64, String), BTreeSet<u64>>,
    /// Apps registered from a manifest and not yet fetched, by code.
    pub(super) registrations: BTreeMap<String, Registration>,
    /// Codes of sign-ins.
    pub(super) sign_ins: BTreeMap<String, SignInCode>,
    pub(super) outbox: Outbox,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) limits: Limits,
    /// Real repositories; without them branches have names and random hashes, but no content.
    pub(super) git: Option<Git>,
    /// Issues and pull requests that GitHub hides (such as a flagged author's), by repository and number.
    pub(super) hidden: BTreeSet<(u64, u64)>,
    /// The previous response to each read, by caller and address.
    pub(super) answered: HashMap<String, Bytes>,
}

impl World {
    pub(super) fn new(settings: Settings, key: AppKey) -> Self {
        let at = (settings.now)();
        let nobody = App {
            id: 0,
            name: settings.slug.clone(),
            slug: settings.slug,
            owner: 0,
            bot: 0,
            permissions: settings.permissions,
            events: settings.events,
            single_files: settings.single_files,
            hook: 0,
            client_secret: "sandbox-client-secret".to_owned(),
            callbacks: Vec::new(),
            created_at: at,
        };
        let mut world = Self {
            now: settings.now,
            rng: StdRng::seed_from_u64(settings.seed),
            base: settings.base,
            last_id: 1_000,
            key,
            app: nobody,
            users: BTreeMap::new(),
            repos: BTreeMap::new(),
            old_names: BTreeMap::new(),
            comments: BTreeMap::new(),
            installations: BTreeMap::new(),
            tokens: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            teams: BTreeMap::new(),
            registrations: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            outbox: Outbox::new(settings.hook),
            faults: Faults::default(),
            journal: Journal::default(),
            limits: settings.limits,
            git: settings.git,
            hidden: BTreeSet::new(),
            answered: HashMap::new(),
        };
        let bot = format!("{}[bot]", world.app.slug);
        world.app.owner = world.user_named("owp-operators", UserKind::Organization);
        world.app.bot = world.user_named(&bot, UserKind::Bot);
        world.app.id = world.new_id();
        world.app.hook = world.new_id();
        world
    }

    /// Returns the current time in Unix milliseconds.
    pub(super) fn now(&self) -> i64 {
        (self.now)()
    }

    /// Returns a new id. Ids of different kinds never overlap, so that a mix-up becomes visible.
    pub(super) fn new_id(&mut self) -> u64 {
        // Gaps, because GitHub's ids have them.
        self.last_id += 1 + u64::from(self.rng.next_u32() % 7);
        self.last_id
    }

    /// Returns `bytes` random bytes in hex.
    pub(super) fn hex(&mut self, bytes: usize) -> String {
        let mut raw = vec![0; bytes];
        self.rng.fill_bytes(&mut raw);
        data_encoding::HEXLOWER.encode(&raw)
    }

    /// Returns a new commit hash.
    pub(super) fn new_sha(&mut self) -> String {
        self.hex(20)
    }

    /// Returns a version 4 UUID from the sandbox's random generator.
    pub(super) fn new_guid(&mut self) -> String {
        let mut raw = [0; 16];
        self.rng.fill_bytes(&mut raw);
        uuid::Builder::from_random_bytes(raw).into_uuid().to_string()
    }

    /// Returns the login of a user, or `ghost` if there is none.
    pub(super) fn login(&self, id: u64) -> &str {
        self.users.get(&id).map_or("ghost", |user| user.login.as_str())
    }

    /// Finds a user by login, ignoring case.
    pub(super) fn user_by_login(&self, login: &str) -> Result<u64, ApiError> {
        let found = self.users.values().find(|user| !user.vanished && user.login.eq_ignore_ascii_case(login));
        found.map(|user| user.id).ok_or_else(ApiError::not_found)
    }

    /// Returns `owner/name` of a repository.
    pub(super) fn full_name(&self, repo: u64) -> String {
        self.repos.get(&repo).map_or_else(String::new, |found| format!("{}/{}", self.login(found.owner), found.name))
    }

    /// Finds a repository by its current name.
    pub(super) fn repo_named(&self, owner: &str, name: &str) -> Option<u64> {
        let found = self.repos.values().find(|repo| {
            !repo.deleted && repo.name.eq_ignore_ascii_case(name) && self.login(repo.owner).eq_ignore_ascii_case(owner)
        });
        found.map(|repo| repo.id)
    }

    /// Finds the repository `owner/name`, for verbs.
    pub(super) fn repo_of(&self, full_name: &str) -> Result<u64, ApiError> {
        let (owner, name) = full_name.split_once('/').ok_or_else(ApiError::not_found)?;
        self.repo_named(owner, name).ok_or_else(ApiError::not_found)
    }

    pub(super) fn repo(&self, id: u64) -> Result<&Repo, ApiError> {
        self.repos.get(&id).filter(|repo| !repo.deleted).ok_or_else(ApiError::not_found)
    }

    pub(super) fn repo_mut(&mut self, id: u64) -> Result<&mut Repo, ApiError> {
        self.repos.get_mut(&id).filter(|repo| !repo.deleted).ok_or_else(ApiError::not_found)
    }

    /// Returns an issue, or the reason for its absence: unknown (404), deleted (410), transferred (301).
    pub(super) fn issue(&self, repo: u64, number: u64) -> Result<&Issue, ApiError> {
        let issue = self.repo(repo)?.issues.get(&number).ok_or_else(ApiError::not_found)?;
        match issue.gone {
            None => Ok(issue),
            Some(Removal::Deleted) => Err(ApiError::gone()),
            Some(Removal::Moved { repo, number }) => {
                Err(ApiError::moved(format!("{}/repositories/{repo}/issues/{number}", self.base)))
            }
        }
    }

    pub(super) fn issue_mut(&mut self, repo: u64, number: u64) -> Result<&mut Issue, ApiError> {
        self.issue(repo, number)?;
        self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(ApiError::not_found)
    }

    /// Returns a pull request by number.
    pub(super) fn pull(&self, repo: u64, number: u64) -> Result<(&Issue, &Pull), ApiError> {
        let issue = self.issue(repo, number)?;
        issue.pull.as_ref().map(|pull| (issue, pull)).ok_or_else(ApiError::not_found)
    }

    pub(super) fn pull_mut(&mut self, repo: u64, number: u64) -> Result<&mut Pull, ApiError> {
        self.issue_mut(repo, number)?.pull.as_mut().ok_or_else(ApiError::not_found)
    }

    /// Returns a comment that was not deleted.
    pub(super) fn comment(&self, id: u64) -> Result<&Comment, ApiError> {
        self.comments.get(&id).ok_or_else(ApiError::not_found)
    }

    /// Sets an issue's time of last change to now.
    pub(super) fn touch(&mut self, repo: u64, number: u64) {
        let at = self.now();
        if let Ok(issue) = self.issue_mut(repo, number) {
            issue.updated_at = at;
        }
    }
}
