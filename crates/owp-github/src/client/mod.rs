//! The client for GitHub's REST API: who the App is, one read client, one client that writes issue comments.
//!
//! Nothing here retries what failed; that belongs to the caller, who knows what was wanted. The one exception is a
//! call that answered 401: it had no effect, and is repeated once with a fresh token. Every call of the App and of its
//! installations goes through `GitHub::send`, which sends nothing while GitHub limits them.

mod answer;
mod app;
mod changes;
mod checkup;
mod commits;
mod deliveries;
mod error;
mod files;
mod graphql;
mod http;
mod issues;
mod meter;
mod pages;
mod path;
mod raw;
mod read;
mod register;
mod rest;
mod shapes;
mod token;
mod write;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use app::{AppInfo, Installation};
pub use changes::Latest;
pub use checkup::{AppAsks, Attempt, Hook, Owner};
pub use deliveries::FailedDelivery;
pub use error::GitHubError;
pub use files::FileText;
pub use issues::{IssuePage, IssueReader};
pub use meter::Figures;
pub use read::RepoReader;
pub use register::{NewApp, convert_manifest, their_time};
pub use shapes::{
    CommentInfo, IssueEvent, IssueInfo, LastEdit, Permission, PermissionInfo, PullInfo, RepoInfo, UserRef,
};
pub use write::CommentWriter;

use http::{Answer, Http, Write};
use owp_base::clock::Clock;
use owp_pool::Timestamp;
use secrecy::SecretString;
use std::{fmt, sync::Arc, time::Duration};
use token::{AppKey, Scope, Tokens};

/// Where GitHub is, for calls that need no App.
#[derive(Debug, Clone)]
pub struct Address {
    /// `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub api_url: String,
    /// How long one whole call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// The time that rate limits are measured with.
    pub clock: Clock,
}

/// What the client must be told.
#[derive(Clone)]
pub struct GitHubConfig {
    /// `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
    pub api_url: String,
    /// The App's numeric id.
    pub app_id: i64,
    /// The App's private key as GitHub gave it (PEM); literal `\n` instead of line breaks is accepted.
    pub private_key_pem: SecretString,
    /// How long one whole call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// The time that tokens and rate limits are measured with.
    pub clock: Clock,
}

impl fmt::Debug for GitHubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubConfig").field("api_url", &self.api_url).field("app_id", &self.app_id).finish()
    }
}

/// A repository as GitHub knows it today: the id stays, the name may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoHandle {
    /// GitHub's numeric repository id.
    pub github_id: i64,
    /// `owner/name`.
    pub full_name: String,
}

/// GitHub as one App sees it. Clones share the connections and the tokens.
#[derive(Clone)]
pub struct GitHub(Arc<Inner>);

struct Inner {
    http: Http,
    key: AppKey,
    tokens: Tokens,
    pages: pages::Cache,
    files: files::Files,
    rests: rest::Rests,
    clock: Clock,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("app_id", &self.0.key.app_id()).finish_non_exhaustive()
    }
}

/// Whom a call speaks as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Speaker {
    /// The App itself, by a JWT.
    App,
    /// One of its installations, by a scoped token.
    Installation(Scope),
}

impl GitHub {
    /// Checks the address and the key; sends nothing.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address is not a URL or the key is not an RSA private key in PEM.
    pub fn new(cfg: GitHubConfig) -> Result<Self, GitHubError> {
        let http =
            Http::new(&Address { api_url: cfg.api_url.clone(), timeout: cfg.timeout, clock: cfg.clock.clone() })?;
        let key = AppKey::new(cfg.app_id, &cfg.private_key_pem, &cfg.clock)?;
        Ok(Self(Arc::new(Inner {
            http,
            key,
            tokens: Tokens::default(),
            pages: pages::Cache::default(),
            files: files::Files::default(),
            rests: rest::Rests::default(),
            clock: cfg.clock,
        })))
    }

    /// Returns the address of GitHub's web pages: `https://github.com`.
    #[must_use]
    pub fn web_origin(&self) -> Option<String> {
        crate::manifest::web_origin(self.0.http.base().as_str()).ok()
    }

    /// Returns the durations of the calls so far and the quotas that were left.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.http.meter().figures()
    }

    /// A client that reads one repository.
    #[must_use]
    pub fn reader(&self, installation_id: i64, repo: RepoHandle) -> RepoReader {
        RepoReader::new(self.clone(), installation_id, repo)
    }

    /// A client that can do two things: create and update issue comments in one repository.
    #[must_use]
    pub fn commenter(&self, installation_id: i64, repo: RepoHandle) -> CommentWriter {
        CommentWriter::new(self.clone(), installation_id, repo)
    }

    /// Reads once, or twice when the first answer was 401.
    async fn get(&self, speaker: Speaker, what: &str, etag: Option<&str>) -> Result<Answer, GitHubError> {
        let scope = match speaker {
            Speaker::App => {
                let jwt = self.app_jwt()?;
                return self.send(speaker, self.0.http.get(what, Some(&jwt), etag)).await;
            }
            Speaker::Installation(scope) => scope,
        };
        let token = self.token(scope).await?;
        match self.send(speaker, self.0.http.get(what, Some(&token), etag)).await {
            Err(GitHubError::Unauthorized { .. }) => {
                let fresh = self.replace_token(scope, &token).await?;
                self.send(speaker, self.0.http.get(what, Some(&fresh), etag)).await
            }
            done => done,
        }
    }

    /// Sends something else than a read for an installation, once; a 401 had no effect, and is sent once more with a fresh
    /// token.
    async fn write(&self, scope: Scope, write: &Write<'_>, body: &serde_json::Value) -> Result<Answer, GitHubError> {
        let (http, speaker) = (&self.0.http, Speaker::Installation(scope));
        let token = self.token(scope).await?;
        match self.send(speaker, http.write(write, &token, Some(body))).await {
            Err(GitHubError::Unauthorized { .. }) => {
                let fresh = self.replace_token(scope, &token).await?;
                self.send(speaker, http.write(write, &fresh, Some(body))).await
            }
            done => done,
        }
    }

    /// Sends a request of `speaker`, unless GitHub limits it at the moment, and remembers the limit its answer tells of.
    async fn send(
        &self,
        speaker: Speaker,
        request: impl Future<Output = Result<Answer, GitHubError>>,
    ) -> Result<Answer, GitHubError> {
        self.may_ask(speaker)?;
        let outcome = request.await;
        self.0.rests.learn(speaker, &outcome, self.now());
        outcome
    }

    /// # Errors
    /// [`GitHubError::RateLimited`] while GitHub limits this speaker.
    fn may_ask(&self, speaker: Speaker) -> Result<(), GitHubError> {
        self.0.rests.check(speaker, self.now())
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.0.clock.now_ms())
    }
}
