//! The client for GitHub's REST API: the App's identity, a read client, and a client that writes issue comments.
//!
//! Failed calls are not retried here; the caller decides. The one exception is a call that returned 401: it had no
//! effect, and is repeated once with a fresh token. Every call of the App and of its installations goes through
//! `GitHub::send`, which sends nothing while a rate limit is in force.

mod app;
mod changes;
mod checkup;
mod commits;
mod deliveries;
mod error;
mod files;
mod graphql;
mod histories;
mod http;
mod issues;
mod meter;
mod node_id;
mod pages;
mod path;
mod permissions;
mod quota;
mod rate_limits;
mod raw;
mod read;
mod register;
mod response;
mod shapes;
mod sign_in;
mod slots;
mod token;
mod transport;
mod write;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use app::{AppInfo, Installation};
pub use changes::RecentChanges;
pub use checkup::{AppRegistration, Attempt, Hook, Owner};
pub use deliveries::FailedDelivery;
pub use error::GitHubError;
pub use files::FileText;
pub use histories::HISTORIES_PER_REQUEST;
pub use issues::{IssuePage, IssueReader};
pub use meter::Figures;
pub use owp_pool::permission::Permission;
pub use read::RepoReader;
pub use register::{NewApp, convert_manifest, server_time};
pub use shapes::{
    CommentInfo, IssueEvent, IssueHistory, IssueInfo, LastEdit, PermissionInfo, PullInfo, RepoInfo, UserRef,
};
pub use sign_in::{SignIn, SignInSecrets};
pub use transport::{InProcess, InProcessResponse};
pub use write::CommentWriter;

use http::{ApiResponse, Http, Write};
use owp_base::clock::Clock;
use owp_pool::Timestamp;
use secrecy::SecretString;
use std::{fmt, sync::Arc, time::Duration};
use token::{AppKey, Scope, Tokens};

/// Connection settings for calls without an App.
#[derive(Debug, Clone)]
pub struct Address {
    /// `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub api_url: String,
    /// Timeout of one call, from connecting to the last byte.
    pub timeout: Duration,
    /// Clock for rate limits.
    pub clock: Clock,
}

/// Client settings.
#[derive(Clone)]
pub struct GitHubConfig {
    /// `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub api_url: String,
    /// The App's numeric id.
    pub app_id: i64,
    /// The App's private key as downloaded from GitHub (PEM); literal `\n` in place of line breaks is accepted.
    pub private_key_pem: SecretString,
    /// Timeout of one call, from connecting to the last byte.
    pub timeout: Duration,
    /// Clock for tokens and rate limits.
    pub clock: Clock,
}

impl fmt::Debug for GitHubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubConfig").field("api_url", &self.api_url).field("app_id", &self.app_id).finish()
    }
}

/// Reference to a repository: the id is permanent, the name may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoHandle {
    /// GitHub's numeric repository id.
    pub github_id: i64,
    /// `owner/name`.
    pub full_name: String,
}

/// A GitHub connection of one App. Clones share the connections and the tokens.
#[derive(Clone)]
pub struct GitHub(Arc<Inner>, quota::Use);

struct Inner {
    http: Http,
    key: AppKey,
    tokens: Tokens,
    pages: pages::Cache,
    files: files::FileCache,
    permissions: permissions::Permissions,
    rate_limits: rate_limits::RateLimits,
    quotas: quota::Quotas,
    slots: slots::Slots,
    clock: Clock,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("app_id", &self.0.key.app_id()).finish_non_exhaustive()
    }
}

fn address(cfg: &GitHubConfig) -> Address {
    Address { api_url: cfg.api_url.clone(), timeout: cfg.timeout, clock: cfg.clock.clone() }
}

/// The identity that a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Identity {
    /// The App itself, authenticated by a JWT.
    App,
    /// One of its installations, authenticated by a scoped token.
    Installation(Scope),
}

impl GitHub {
    /// Checks the address and the key; sends nothing.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address is not a URL or the key is not an RSA private key in PEM.
    pub fn new(cfg: GitHubConfig) -> Result<Self, GitHubError> {
        let http = Http::new(&address(&cfg))?;
        Self::over(http, cfg)
    }

    /// Connects to a GitHub in the same process instead of the network, for simulations.
    ///
    /// # Errors
    /// As for [`GitHub::new`].
    pub fn in_process(cfg: GitHubConfig, github: InProcess) -> Result<Self, GitHubError> {
        let http = Http::in_process(&address(&cfg), github)?;
        Self::over(http, cfg)
    }

    fn over(http: Http, cfg: GitHubConfig) -> Result<Self, GitHubError> {
        let key = AppKey::new(cfg.app_id, &cfg.private_key_pem)?;
        Ok(Self(
            Arc::new(Inner {
                http,
                key,
                tokens: Tokens::default(),
                pages: pages::Cache::default(),
                files: files::FileCache::default(),
                permissions: permissions::Permissions::default(),
                rate_limits: rate_limits::RateLimits::default(),
                quotas: quota::Quotas::default(),
                slots: slots::Slots::default(),
                clock: cfg.clock,
            }),
            quota::Use::Ordinary,
        ))
    }

    /// Returns the address of GitHub's web pages, such as `https://github.com`.
    #[must_use]
    pub fn web_origin(&self) -> Option<String> {
        crate::manifest::web_origin(self.0.http.base().as_str()).ok()
    }

    /// Returns the durations of the calls so far and the quotas that were left.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.http.meter().figures()
    }

    /// Returns a client that reads one repository.
    #[must_use]
    pub fn reader(&self, installation_id: i64, repo: RepoHandle) -> RepoReader {
        RepoReader::new(self.clone(), installation_id, repo)
    }

    /// Returns a client that creates and updates issue comments in one repository, and nothing else.
    #[must_use]
    pub fn commenter(&self, installation_id: i64, repo: RepoHandle) -> CommentWriter {
        CommentWriter::new(self.urgent(), installation_id, repo)
    }

    /// Drops the cached permissions of people in a repository, or in every repository: they may have changed.
    pub fn forget_permissions(&self, repo: Option<i64>) {
        self.0.permissions.forget(repo);
    }

    /// Sends a read, and repeats it once with a fresh token after a 401.
    async fn get(&self, identity: Identity, what: &str, etag: Option<&str>) -> Result<ApiResponse, GitHubError> {
        let scope = match identity {
            Identity::App => {
                let jwt = self.app_jwt()?;
                return self.send(identity, self.0.http.get(what, Some(&jwt), etag)).await;
            }
            Identity::Installation(scope) => scope,
        };
        let token = self.token(scope).await?;
        match self.send(identity, self.0.http.get(what, Some(&token), etag)).await {
            Err(GitHubError::Unauthorized { .. }) => {
                let fresh = self.replace_token(scope, &token).await?;
                self.send(identity, self.0.http.get(what, Some(&fresh), etag)).await
            }
            done => done,
        }
    }

    /// Sends a write for an installation. A 401 had no effect, so the write is repeated once with a fresh token.
    async fn write(
        &self,
        scope: Scope,
        write: &Write<'_>,
        body: &serde_json::Value,
    ) -> Result<ApiResponse, GitHubError> {
        let (http, identity) = (&self.0.http, Identity::Installation(scope));
        let token = self.token(scope).await?;
        match self.send(identity, http.write(write, &token, Some(body))).await {
            Err(GitHubError::Unauthorized { .. }) => {
                let fresh = self.replace_token(scope, &token).await?;
                self.send(identity, http.write(write, &fresh, Some(body))).await
            }
            done => done,
        }
    }

    /// Sends a request of `identity` unless it must wait, and records the limit and the quota that the response reports.
    async fn send(
        &self,
        identity: Identity,
        request: impl Future<Output = Result<ApiResponse, GitHubError>>,
    ) -> Result<ApiResponse, GitHubError> {
        self.may_ask(identity)?;
        let slot = self.0.slots.take(identity).await;
        // Another request may have met a limit meanwhile.
        self.may_ask(identity)?;
        let outcome = request.await;
        drop(slot);
        self.0.rate_limits.learn_from(identity, &outcome, self.now());
        if let Ok(ApiResponse { quota: Some(quota), .. }) = &outcome {
            self.0.quotas.record(identity, *quota, self.now());
        }
        outcome
    }

    /// Rejects a call of `identity` while a rate limit is in force, or while only the reserve of its quota is left.
    fn may_ask(&self, identity: Identity) -> Result<(), GitHubError> {
        self.0.rate_limits.check(identity, self.now())?;
        match self.1 {
            quota::Use::Ordinary => self.0.quotas.check(identity, self.now()),
            quota::Use::Urgent => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.0.clock.now_ms())
    }
}
