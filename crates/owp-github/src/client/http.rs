//! The HTTP connection to GitHub: sends requests and classifies the responses.
//!
//! octocrab authenticates and sends; see `transport` for what it sends with. Nothing is retried. Every request other than
//! a read comes from the closed list [`Write`], and a read follows redirects only within GitHub's own address. A
//! credential therefore never reaches another host.

use super::meter::Meter;
use super::quota::Quota;
use super::{Address, GitHubError, path::RepoPath, response, transport};
use http::{Method, StatusCode, header};
use octocrab::{OctoBody, Octocrab};
use owp_base::clock::Clock;
use owp_base::histogram::millis;
use owp_pool::Timestamp;
use reqwest::Url;
use secrecy::SecretString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// A repository renamed twice causes two redirects; more than this is a loop.
const MAX_REDIRECTS: usize = 3;

/// Every change this program can request from GitHub, and the two queries that GitHub accepts by POST only. There is
/// deliberately no other way to send anything but a GET.
pub(super) enum Write<'a> {
    /// Mints an installation token; changes nothing visible.
    MintToken { installation: i64 },
    /// Creates an issue comment.
    CreateComment { repo: &'a RepoPath, issue: i64 },
    /// Replaces the body of one of the App's issue comments.
    UpdateComment { repo: &'a RepoPath, comment: i64 },
    /// Redelivers a webhook delivery; changes nothing in any repository.
    Redeliver { delivery: i64 },
    /// Queries the last edit of an issue's body; a read, although GraphQL uses POST.
    LastEdit,
    /// Queries the histories of many issues; a read, too.
    IssueHistories,
    /// Exchanges a one-time code for the credentials of a newly registered App.
    ConvertManifest { code: &'a str },
}

impl Write<'_> {
    fn method_and_path(&self) -> (Method, String) {
        match self {
            Self::MintToken { installation } => {
                (Method::POST, format!("app/installations/{installation}/access_tokens"))
            }
            Self::CreateComment { repo, issue } => (Method::POST, format!("{repo}/issues/{issue}/comments")),
            Self::UpdateComment { repo, comment } => (Method::PATCH, format!("{repo}/issues/comments/{comment}")),
            Self::Redeliver { delivery } => (Method::POST, format!("app/hook/deliveries/{delivery}/attempts")),
            Self::LastEdit | Self::IssueHistories => (Method::POST, "graphql".to_owned()),
            Self::ConvertManifest { code } => (Method::POST, format!("app-manifests/{code}/conversions")),
        }
    }
}

/// A 2xx response, or a 304 when the caller sent an ETag.
pub(super) struct ApiResponse {
    pub(super) not_modified: bool,
    pub(super) etag: Option<String>,
    /// True when the `Link` header names a next page; `None` when there is no such header.
    pub(super) has_next: Option<bool>,
    /// Start of the next page, for lists paged by cursor.
    pub(super) next_cursor: Option<String>,
    /// Reset time, if this request used up the rate limit.
    pub(super) exhausted_until: Option<Timestamp>,
    /// The hourly quota after this request, of REST calls.
    pub(super) quota: Option<Quota>,
    /// Id of the repository that a redirect led to.
    pub(super) redirected_to: Option<i64>,
    pub(super) body: Vec<u8>,
}

impl ApiResponse {
    /// Reads the body as JSON; unknown fields are ignored.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, GitHubError> {
        serde_json::from_slice(&self.body).map_err(|error| GitHubError::Malformed {
            // serde_json's message names the position and the expected type, and at most a fragment of a value.
            reason: format!("line {}, column {}: not the JSON that was expected", error.line(), error.column()),
        })
    }
}

/// The body of a response as octocrab hands it out.
type Body = http_body_util::combinators::BoxBody<bytes::Bytes, octocrab::Error>;

/// A prepared request.
struct Call<'a> {
    method: Method,
    url: Url,
    /// The path for logs and errors.
    what: &'a str,
    /// `None` for requests without authentication.
    bearer: Option<&'a SecretString>,
    etag: Option<&'a str>,
    body: Option<&'a serde_json::Value>,
}

enum Reply {
    Done(ApiResponse),
    Redirect(String),
}

pub(super) struct Http {
    transport: transport::Transport,
    /// Built for the first call, because octocrab starts a task of its own.
    octocrab: OnceLock<Octocrab>,
    base: Url,
    clock: Clock,
    meter: Meter,
    /// The newest `Date` header of a response, in Unix milliseconds.
    newest_date: AtomicI64,
}

impl Http {
    /// Returns the figures of the calls so far.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Returns the API's address, with a trailing slash.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn new(cfg: &Address) -> Result<Self, GitHubError> {
        let base = base(cfg)?;
        let transport = transport::Transport::new(cfg, base.clone())?;
        Ok(Self::over(transport, base, cfg.clock.clone()))
    }

    /// Creates a connection to a GitHub in the same process.
    pub(super) fn in_process(cfg: &Address, github: transport::InProcess) -> Result<Self, GitHubError> {
        let base = base(cfg)?;
        Ok(Self::over(transport::Transport::in_process(github, base.clone()), base, cfg.clock.clone()))
    }

    fn over(transport: transport::Transport, base: Url, clock: Clock) -> Self {
        Self {
            transport,
            octocrab: OnceLock::new(),
            base,
            clock,
            meter: Meter::default(),
            newest_date: AtomicI64::default(),
        }
    }

    /// Sends a GET; follows redirects that stay on GitHub's own address.
    pub(super) async fn get(
        &self,
        what: &str,
        bearer: Option<&SecretString>,
        etag: Option<&str>,
    ) -> Result<ApiResponse, GitHubError> {
        let mut url = self.url(what)?;
        for _ in 0..=MAX_REDIRECTS {
            let call = Call { method: Method::GET, url: url.clone(), what, bearer, etag, body: None };
            match self.send(call).await? {
                Reply::Done(response) => {
                    return Ok(ApiResponse { redirected_to: redirected_repository(url.path()), ..response });
                }
                Reply::Redirect(location) => url = self.follow(&url, &location)?,
            }
        }
        Err(GitHubError::Malformed { reason: format!("{what} is a redirect loop") })
    }

    /// Sends a write, once; a redirect is reported and not followed.
    pub(super) async fn write(
        &self,
        write: &Write<'_>,
        bearer: &SecretString,
        body: Option<&serde_json::Value>,
    ) -> Result<ApiResponse, GitHubError> {
        let (method, what) = write.method_and_path();
        let url = match write {
            Write::LastEdit | Write::IssueHistories => self.graphql_url()?,
            _ => self.url(&what)?,
        };
        let call = Call { method, url, what: &what, bearer: Some(bearer), etag: None, body };
        match self.send(call).await? {
            Reply::Done(response) => Ok(response),
            Reply::Redirect(location) => Err(GitHubError::Moved { location }),
        }
    }

    /// Exchanges a registration code, once. The code itself authenticates the call, so logs and errors omit it.
    pub(super) async fn convert(&self, code: &str) -> Result<ApiResponse, GitHubError> {
        let (method, path) = Write::ConvertManifest { code }.method_and_path();
        let url = self.url(&path)?;
        let what = "app-manifests/CODE/conversions";
        match self.send(Call { method, url, what, bearer: None, etag: None, body: None }).await? {
            Reply::Done(response) => Ok(response),
            Reply::Redirect(location) => Err(GitHubError::Moved { location }),
        }
    }

    /// Returns GitHub's time from the `Date` header of a response, if it has one.
    pub(super) async fn server_time(&self) -> Result<Option<Timestamp>, GitHubError> {
        let what = "rate_limit";
        let call = Call { method: Method::GET, url: self.url(what)?, what, bearer: None, etag: None, body: None };
        let response = self.execute(&call).await?;
        Ok(date(response.headers()))
    }

    /// Returns GitHub's newest time that a response has told: a lower bound of GitHub's time now.
    pub(super) fn newest_date(&self) -> Timestamp {
        Timestamp(self.newest_date.load(Ordering::Relaxed))
    }

    fn url(&self, what: &str) -> Result<Url, GitHubError> {
        self.base.join(what).map_err(|_| GitHubError::Config { message: format!("{what} is not a path") })
    }

    /// Returns the GraphQL address: `/graphql` on github.com, `/api/graphql` where REST lives under `/api/v3`.
    /// <https://docs.github.com/en/enterprise-server@latest/graphql/guides/managing-enterprise-accounts>
    fn graphql_url(&self) -> Result<Url, GitHubError> {
        self.url(if self.base.path().ends_with("/api/v3/") { "../graphql" } else { "graphql" })
    }

    fn follow(&self, from: &Url, location: &str) -> Result<Url, GitHubError> {
        let mut next = from
            .join(location)
            .map_err(|_| GitHubError::Malformed { reason: "a redirect without a valid location".to_owned() })?;
        if next.origin() == self.base.origin() {
            // A redirected list must keep its filter, or it would select everything.
            if next.query().is_none() {
                next.set_query(from.query());
            }
            return Ok(next);
        }
        Err(GitHubError::Moved { location: format!("another host ({})", next.host_str().unwrap_or("unknown")) })
    }

    async fn send(&self, call: Call<'_>) -> Result<Reply, GitHubError> {
        let began = Instant::now();
        let response = self.execute(&call).await;
        self.meter.calls.record(began.elapsed());
        let (head, body) = response?.into_parts();
        let millis = millis(began.elapsed());
        tracing::debug!(method = %call.method, path = call.what, status = head.status.as_u16(), millis, "GitHub answered");
        self.meter.note_quota(&head.headers);
        if let Some(date) = date(&head.headers) {
            self.newest_date.fetch_max(date.0, Ordering::Relaxed);
        }
        if let Some(location) = redirect(head.status, &head.headers) {
            return Ok(Reply::Redirect(location));
        }
        let body = transport::read(body).await?;
        response::classify(head.status, &head.headers, body, call.what, self.clock.now_ms()).map(Reply::Done)
    }

    /// Sends a request through octocrab and returns the head of the response.
    async fn execute(&self, call: &Call<'_>) -> Result<http::Response<Body>, GitHubError> {
        let octocrab = self.octocrab.get_or_init(|| self.transport.octocrab());
        let octocrab = match call.bearer {
            Some(bearer) => octocrab.user_access_token(bearer.clone()).map_err(transport::failure)?,
            None => octocrab.clone(),
        };
        // octocrab adds credentials to requests without a host only.
        let mut request = http::Request::builder()
            .method(&call.method)
            .uri(&call.url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        if let Some(etag) = call.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let body = match call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                OctoBody::from(body.to_string())
            }
            None => OctoBody::empty(),
        };
        let invalid = |_| GitHubError::Config { message: format!("{} is not a request", call.what) };
        let request = request.body(body).map_err(invalid)?;
        // On the heap: octocrab's future is large, and part of every future that asks GitHub something.
        Box::pin(octocrab.execute(request)).await.map_err(transport::failure)
    }
}

/// Returns the time of a response by its sender's clock.
fn date(headers: &header::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Some(Timestamp(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis()))
}

/// Returns the API's address with a trailing slash.
fn base(cfg: &Address) -> Result<Url, GitHubError> {
    let config = |message: String| GitHubError::Config { message };
    // Joining a relative path keeps a prefix such as `/api/v3` only when the base ends in a slash.
    let base = format!("{}/", cfg.api_url.trim().trim_end_matches('/'));
    let base = Url::parse(&base)
        .map_err(|error| config(format!("the API address (GITHUB_API_URL) is not a URL ({error})")))?;
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(config(
            "the API address (GITHUB_API_URL) must begin with https:// (or http:// for a test)".to_owned(),
        ));
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
        return Err(config(
            "the API address (GITHUB_API_URL) must not contain a user, a password or a query".to_owned(),
        ));
    }
    Ok(base)
}

/// Returns the repository id of a redirect target such as `/repositories/{id}/…`.
pub(super) fn redirected_repository(location: &str) -> Option<i64> {
    let (_, rest) = location.split_once("/repositories/")?;
    rest.split(['/', '?']).next()?.parse().ok()
}

fn redirect(status: StatusCode, headers: &header::HeaderMap) -> Option<String> {
    matches!(status.as_u16(), 301 | 302 | 307 | 308)
        .then(|| headers.get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned())
}
