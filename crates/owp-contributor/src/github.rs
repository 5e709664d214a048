//! GitHub's REST API with the contributor's own token: what a pull request from a fork needs.
//!
//! Reads are repeated a few times when GitHub fails. A write whose response was lost is never repeated blindly: the
//! caller looks for its effect first ([`GitHub::find_pull`]); forking has none beyond the first time.

use crate::process::spoken;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Attempts of a read.
const ATTEMPTS: u32 = 4;
/// Pages of reviews and comments that are read: 500 of each.
const PAGES_MAX: u32 = 5;
const PAGE: usize = 100;

/// An error of GitHub's API.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// The token is missing or no longer valid.
    #[error("GitHub does not accept the token ({0}).")]
    Token(String),
    /// The token lacks a right.
    #[error("GitHub refuses to {action}: {message}")]
    Forbidden {
        /// What was tried.
        action: String,
        /// GitHub's words.
        message: String,
    },
    /// There is no such thing, or the token may not see it.
    #[error("GitHub finds nothing when asked to {action}; it may be private, or gone.")]
    NotFound {
        /// What was tried.
        action: String,
    },
    /// GitHub rejects the request.
    #[error("GitHub cannot {action}: {message}")]
    Rejected {
        /// What was tried.
        action: String,
        /// GitHub's words.
        message: String,
    },
    /// GitHub does not answer, or fails.
    #[error("GitHub is not available ({0}).")]
    Unavailable(String),
}

/// The API with a token.
#[derive(Debug, Clone)]
pub struct GitHub {
    http: reqwest::Client,
    api: String,
    token: SecretString,
    timeout: Duration,
}

/// The contributor's account.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// Login.
    pub login: String,
    /// Permanent id.
    pub id: i64,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Repo {
    /// `owner/name`, as it is now.
    pub full_name: String,
    /// Default branch.
    pub default_branch: String,
    /// Address for git.
    pub clone_url: String,
    /// The token's rights.
    #[serde(default)]
    pub permissions: Permissions,
    /// True if it is read-only.
    #[serde(default)]
    pub archived: bool,
}

/// A token's rights in a repository.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Permissions {
    /// True if it may push.
    #[serde(default)]
    pub push: bool,
}

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct Pull {
    /// Number.
    pub number: i64,
    /// Address for people.
    pub html_url: String,
    /// `open` or `closed`.
    pub state: String,
    /// Time of the merge, if it was merged.
    #[serde(default)]
    pub merged_at: Option<String>,
    /// Its source.
    pub head: Head,
}

impl Pull {
    /// Returns true if it was merged.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        self.merged_at.is_some()
    }

    /// Returns true if it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// The source of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct Head {
    /// Newest commit.
    pub sha: String,
}

/// A review or a comment of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Permanent id within its kind.
    pub id: i64,
    /// Author.
    #[serde(default)]
    pub user: Option<Author>,
    /// Text in Markdown; untrusted.
    #[serde(default)]
    pub body: Option<String>,
    /// Verdict of a review, such as `CHANGES_REQUESTED`.
    #[serde(default)]
    pub state: Option<String>,
    /// File of a comment.
    #[serde(default)]
    pub path: Option<String>,
    /// Line of a comment.
    #[serde(default)]
    pub line: Option<i64>,
}

/// The author of a remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Login.
    pub login: String,
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    /// Its name.
    pub name: String,
    /// Its conclusion, such as `failure`.
    pub conclusion: String,
    /// Its summary; untrusted.
    pub summary: String,
}

impl GitHub {
    /// Connects to an API, such as `https://api.github.com`. The timeout is that of each request.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(api: &str, token: SecretString, timeout: Duration) -> Result<Self, GitHubError> {
        let http = reqwest::Client::builder().user_agent(concat!("owp/", env!("CARGO_PKG_VERSION"))).timeout(timeout);
        let http = http.build().map_err(|error| GitHubError::Unavailable(error.to_string()))?;
        Ok(Self { http, api: api.trim_end_matches('/').to_owned(), token, timeout })
    }

    /// Returns the token's account.
    ///
    /// # Errors
    /// As every call: see [`GitHubError`].
    pub async fn me(&self) -> Result<User, GitHubError> {
        self.get("/user", "read your account").await
    }

    /// Returns a repository by the name it has or had.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn repo(&self, name: &str) -> Result<Repo, GitHubError> {
        self.get(&format!("/repos/{name}"), &format!("read the repository {name}")).await
    }

    /// Forks a repository into the token's account or an organisation, or returns the fork that exists. Its content may
    /// arrive later.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn fork(&self, name: &str, organization: Option<&str>) -> Result<Repo, GitHubError> {
        let mut body = json!({ "default_branch_only": true });
        if let Some(organization) = organization {
            body["organization"] = json!(organization);
        }
        self.post(&format!("/repos/{name}/forks"), &body, &format!("fork {name}")).await
    }

    /// Finds the newest pull request from a branch: an open one first.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn find_pull(&self, repo: &str, owner: &str, branch: &str) -> Result<Option<Pull>, GitHubError> {
        let head = encode(&format!("{owner}:{branch}"));
        let path = format!("/repos/{repo}/pulls?state=all&head={head}&per_page=20");
        let pulls: Vec<Pull> = self.get(&path, &format!("list the pull requests of {repo}")).await?;
        let open = pulls.iter().find(|pull| pull.is_open()).cloned();
        Ok(open.or_else(|| pulls.into_iter().next()))
    }

    /// Opens a pull request.
    ///
    /// # Errors
    /// See [`GitHubError`]. After [`GitHubError::Unavailable`] it may have been opened nevertheless.
    pub async fn open_pull(&self, repo: &str, new: &Value) -> Result<Pull, GitHubError> {
        self.post(&format!("/repos/{repo}/pulls"), new, &format!("open a pull request in {repo}")).await
    }

    /// Returns a pull request.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn pull(&self, repo: &str, number: i64) -> Result<Pull, GitHubError> {
        self.get(&format!("/repos/{repo}/pulls/{number}"), &format!("read {repo}#{number}")).await
    }

    /// Returns the reviews of a pull request, oldest first.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn reviews(&self, repo: &str, number: i64) -> Result<Vec<Remark>, GitHubError> {
        self.pages(&format!("/repos/{repo}/pulls/{number}/reviews"), "read the reviews").await
    }

    /// Returns the comments on the changed lines of a pull request, oldest first.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn review_comments(&self, repo: &str, number: i64) -> Result<Vec<Remark>, GitHubError> {
        self.pages(&format!("/repos/{repo}/pulls/{number}/comments"), "read the review comments").await
    }

    /// Returns the checks of a commit that failed.
    ///
    /// # Errors
    /// See [`GitHubError`].
    pub async fn failed_checks(&self, repo: &str, commit: &str) -> Result<Vec<FailedRun>, GitHubError> {
        #[derive(Deserialize)]
        struct Runs {
            check_runs: Vec<Run>,
        }
        #[derive(Deserialize)]
        struct Run {
            name: String,
            #[serde(default)]
            conclusion: Option<String>,
            #[serde(default)]
            output: Option<Output>,
        }
        #[derive(Deserialize)]
        struct Output {
            #[serde(default)]
            summary: Option<String>,
        }
        let path = format!("/repos/{repo}/commits/{commit}/check-runs?per_page={PAGE}");
        let runs: Runs = self.get(&path, "read the checks").await?;
        let failed = runs.check_runs.into_iter().filter_map(|run| {
            let conclusion = run.conclusion.filter(|word| matches!(word.as_str(), "failure" | "timed_out"))?;
            let summary = run.output.and_then(|output| output.summary).unwrap_or_default();
            Some(FailedRun { name: run.name, conclusion, summary })
        });
        Ok(failed.collect())
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str, action: &str) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let rows: Vec<T> = self.get(&format!("{path}?per_page={PAGE}&page={page}"), action).await?;
            let is_last = rows.len() < PAGE;
            all.extend(rows);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, action: &str) -> Result<T, GitHubError> {
        let mut delay = Duration::from_millis(500);
        let mut attempt = 1;
        loop {
            match self.send(self.request(Method::GET, path), action).await {
                Err(GitHubError::Unavailable(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(delay).await;
                    (delay, attempt) = (delay * 2, attempt + 1);
                }
                answer => return answer,
            }
        }
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value, action: &str) -> Result<T, GitHubError> {
        self.send(self.request(Method::POST, path).json(body), action).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api));
        request
            .bearer_auth(self.token.expose_secret())
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder, action: &str) -> Result<T, GitHubError> {
        let unavailable = |error: reqwest::Error| {
            GitHubError::Unavailable(if error.is_timeout() {
                format!("it did not answer within {}", spoken(self.timeout))
            } else {
                error.without_url().to_string()
            })
        };
        let response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let is_limited = status == StatusCode::TOO_MANY_REQUESTS
            || response.headers().get("x-ratelimit-remaining").is_some_and(|left| left == "0")
            || response.headers().contains_key(header::RETRY_AFTER);
        let body = response.bytes().await.map_err(unavailable)?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| GitHubError::Unavailable(format!("its answer makes no sense: {error}")));
        }
        let message = message(&body).unwrap_or_else(|| status.to_string());
        let action = action.to_owned();
        Err(match status {
            StatusCode::UNAUTHORIZED => GitHubError::Token(message),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS if is_limited => {
                GitHubError::Unavailable(format!("rate limit: {message}"))
            }
            StatusCode::FORBIDDEN => GitHubError::Forbidden { action, message },
            StatusCode::NOT_FOUND | StatusCode::GONE => GitHubError::NotFound { action },
            status if status.is_server_error() => GitHubError::Unavailable(format!("{status}: {message}")),
            _ => GitHubError::Rejected { action, message },
        })
    }
}

/// Returns GitHub's message with the messages of its details.
fn message(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let details = body["errors"].as_array().into_iter().flatten();
    let details = details.filter_map(|error| error["message"].as_str().or(error.as_str()));
    let all: Vec<&str> = body["message"].as_str().into_iter().chain(details).collect();
    (!all.is_empty()).then(|| all.join(": "))
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Addresses of a GitHub. The contributor names it, never the pool: the token goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Host with port, such as `github.com`.
    pub host: String,
    /// The REST API, such as `https://api.github.com`.
    pub api: String,
    /// Scheme and host with a slash at the end: where the token may go with git.
    pub web: String,
}

impl Site {
    /// Derives the addresses from the REST API's (`GITHUB_API_URL`); github.com without one. GitHub Enterprise Cloud has
    /// a host of its own for the API, GitHub Enterprise Server a path.
    ///
    /// Returns `None` if the address is none of HTTP.
    #[must_use]
    pub fn of_api(api: Option<&str>) -> Option<Self> {
        let api = api.unwrap_or("https://api.github.com").trim_end_matches('/');
        let url = Url::parse(api).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let name = url.host_str()?;
        let name = name.strip_prefix("api.").unwrap_or(name);
        let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        Some(Self { web: format!("{}://{host}/", url.scheme()), host, api: api.to_owned() })
    }

    /// Returns true if an address is on this GitHub.
    #[must_use]
    pub fn has(&self, address: &str) -> bool {
        address.starts_with(&self.web)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_follow_from_the_api() {
        let of = |api: Option<&str>| Site::of_api(api).map(|site| (site.host, site.web));
        let pair = |host: &str, web: &str| Some((host.to_owned(), web.to_owned()));
        assert_eq!(of(None), pair("github.com", "https://github.com/"));
        assert_eq!(of(Some("https://git.acme.org/api/v3/")), pair("git.acme.org", "https://git.acme.org/"));
        assert_eq!(of(Some("https://api.acme.ghe.com")), pair("acme.ghe.com", "https://acme.ghe.com/"));
        assert_eq!(of(Some("http://127.0.0.1:9797")), pair("127.0.0.1:9797", "http://127.0.0.1:9797/"));
        assert_eq!(of(Some("file:///etc/passwd")), None);
        let github = Site::of_api(None).unwrap();
        assert!(github.has("https://github.com/a/b/issues/1") && !github.has("https://github.com.evil.org/a/b"));
    }

    #[test]
    fn the_reasons_of_a_refusal_are_kept_together() {
        let body = br#"{ "message": "Validation Failed", "errors": [{ "message": "A pull request already exists" }] }"#;
        assert_eq!(message(body).unwrap(), "Validation Failed: A pull request already exists");
        assert_eq!(message(b"<html>"), None);
    }
}
