//! GitHub as the processes of the pool see it: the sandbox, and what goes wrong on the way.
//!
//! GitHub is wrong once: after a fault, the next answer about the same thing is right.

use crate::process::{Call, FromGitHub};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode, header};
use owp_github::client::GitHubError;
use owp_sandbox::Sandbox;
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;

/// How long a replica of GitHub may lag.
const LAG: i64 = 20_000;
/// Time in which GitHub is not wrong about the same thing again.
const RIGHT_FOR: i64 = 120_000;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// An error without effect.
    Status(u16),
    /// The secondary rate limit, without effect.
    SlowDown(u16, u64),
    /// The connection breaks; the request has no effect.
    LostBefore,
    /// The request takes effect, and the connection breaks.
    LostAfter,
    /// The request takes effect, and a gateway answers 502.
    GatewayAfter,
    /// Half of the answer arrives.
    Truncated,
    /// The answer of some seconds ago.
    Stale,
    /// Another page than the one asked for, or none of a single page.
    OtherPage,
    /// The answer takes longer than the client waits; the request takes effect.
    Slow,
}

impl Wrong {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Status(status) => format!("{status} without reason"),
            Self::SlowDown(status, after) => format!("{status}, retry after {after} s"),
            Self::LostBefore => "the connection breaks before GitHub gets it".to_owned(),
            Self::LostAfter => "the connection breaks after GitHub did it".to_owned(),
            Self::GatewayAfter => "502 after GitHub did it".to_owned(),
            Self::Truncated => "half of the answer is missing".to_owned(),
            Self::Stale => "the answer is some seconds old".to_owned(),
            Self::OtherPage => "an empty page".to_owned(),
            Self::Slow => "the answer comes too late".to_owned(),
        }
    }

    /// The weights of the faults that a read, or a write, can meet.
    pub(crate) const OF_READS: [u32; 9] = [6, 1, 1, 2, 1, 1, 1, 2, 1];
    pub(crate) const OF_WRITES: [u32; 7] = [6, 1, 1, 2, 1, 1, 1];
    /// Errors that GitHub shows without a reason.
    pub(crate) const ERRORS: [u16; 8] = [404, 401, 403, 410, 422, 500, 502, 503];

    /// Returns the fault with this place in the lists of weights.
    pub(crate) fn kind(at: usize, status: u16, rng: &mut StdRng) -> Self {
        match at {
            0 => Self::Status(status),
            1 => Self::SlowDown(if rng.random() { 403 } else { 429 }, rng.random_range(1..90)),
            2 => Self::LostBefore,
            3 => Self::LostAfter,
            4 => Self::GatewayAfter,
            5 => Self::Slow,
            6 => Self::Truncated,
            7 => Self::Stale,
            _ => Self::OtherPage,
        }
    }
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A token of the installation.
    Token,
    Issue,
    Issues,
    /// What happened to an issue.
    Events,
    /// A comment.
    Comment,
    Comments,
    /// A new comment.
    Create,
    Pull,
    Pulls,
    Other,
}

impl Subject {
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let is_read = request.method() == Method::GET;
        match path.as_slice() {
            [.., "access_tokens"] => Self::Token,
            ["repos", _, _, "issues", "comments", _] => Self::Comment,
            ["repos", _, _, "issues", _, "comments"] if !is_read => Self::Create,
            ["repos", _, _, "issues", _, "comments"] | ["repos", _, _, "issues", "comments"] => Self::Comments,
            ["repos", _, _, "issues", _, "events" | "timeline"] | ["graphql"] => Self::Events,
            ["repos", _, _, "issues", _] if is_read => Self::Issue,
            ["repos", _, _, "issues"] if is_read => Self::Issues,
            ["repos", _, _, "pulls", _] if is_read => Self::Pull,
            ["repos", _, _, "pulls"] if is_read => Self::Pulls,
            _ => Self::Other,
        }
    }
}

/// The client's error for an answer that did not come.
fn lost() -> GitHubError {
    GitHubError::Lost { reason: "the connection was reset".to_owned() }
}

/// The client's error for an answer that came too late.
pub(crate) fn too_late() -> GitHubError {
    GitHubError::Lost { reason: "it took too long".to_owned() }
}

/// GitHub and what it said before.
pub(crate) struct Face {
    sandbox: Sandbox,
    /// The last answers to reads, oldest first, with their times.
    said: BTreeMap<String, Vec<(i64, Response<Bytes>)>>,
    /// Times at which GitHub was wrong, by method and path, and whether it has been right since.
    wrong_at: BTreeMap<String, (i64, bool)>,
    /// Last time that GitHub was wrong about a list of pull requests, by path.
    pub(crate) lied_about_pulls: BTreeMap<String, i64>,
}

impl Face {
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        Self { sandbox, said: BTreeMap::new(), wrong_at: BTreeMap::new(), lied_about_pulls: BTreeMap::new() }
    }

    /// Returns true if GitHub may be wrong about this call at `now`. It is wrong once: the next answer is right, however
    /// late the pool asks.
    pub(crate) fn may_be_wrong(&self, call: &Call, now: i64) -> bool {
        let subject = subject(&call.request);
        self.wrong_at.get(&subject).is_none_or(|(at, right)| *right && now - at > RIGHT_FOR)
    }

    /// Answers a call. Also returns whether GitHub did what was asked.
    pub(crate) fn answer(&mut self, request: Request<Bytes>, wrong: Option<Wrong>, now: i64) -> (FromGitHub, bool) {
        let (subject, line) = (subject(&request), line(&request));
        if wrong.is_some() {
            self.wrong_at.insert(subject.clone(), (now, false));
            if subject.contains("/pulls") {
                self.lied_about_pulls.insert(request.uri().path().to_owned(), now);
            }
        } else if let Some((_, right)) = self.wrong_at.get_mut(&subject) {
            *right = true;
        }
        match wrong {
            Some(Wrong::Status(status)) => return (Ok(error(status)), false),
            Some(Wrong::SlowDown(status, after)) => return (Ok(slow_down(status, after)), false),
            Some(Wrong::LostBefore) => return (Err(lost()), false),
            _ => {}
        }
        let is_read = request.method() == Method::GET;
        let before = match (wrong, self.said.get(&line)) {
            // The oldest that is not too old.
            (Some(Wrong::Stale), Some(said)) => said.iter().find(|(at, _)| now - at <= LAG).map(|(_, one)| one.clone()),
            _ => None,
        };
        if let Some(before) = before {
            return (Ok(before), true);
        }
        let mut request = request;
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static("owp-pool"));
        let answer = self.sandbox.respond(request).now_or_never();
        let answer = answer.unwrap_or_else(|| panic!("the sandbox waits for something"));
        if is_read && answer.status() == StatusCode::OK {
            let said = self.said.entry(line).or_default();
            said.retain(|(at, _)| now - at <= LAG);
            said.push((now, answer.clone()));
        }
        // A read whose answer did not arrive told nobody anything.
        let arrives = matches!(wrong, None | Some(Wrong::Stale | Wrong::Truncated | Wrong::OtherPage));
        let done = answer.status().is_success() && (!is_read || arrives);
        let told = match wrong {
            Some(Wrong::LostAfter) => Err(lost()),
            Some(Wrong::Slow) => Err(too_late()),
            Some(Wrong::GatewayAfter) => Ok(error(502)),
            Some(Wrong::Truncated) => {
                let (mut head, body) = answer.into_parts();
                head.headers.remove(header::CONTENT_LENGTH);
                Ok(Response::from_parts(head, body.slice(..body.len() / 2)))
            }
            Some(Wrong::OtherPage) if answer.body().starts_with(b"[") => {
                let (mut head, _) = answer.into_parts();
                for name in [header::CONTENT_LENGTH, header::LINK, header::ETAG] {
                    head.headers.remove(name);
                }
                Ok(Response::from_parts(head, Bytes::from_static(b"[]")))
            }
            _ => Ok(answer),
        };
        (told, done)
    }
}

/// Names what a call is about: a wrong answer and the next one are about the same.
fn subject(request: &Request<Bytes>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

/// Names a call in traces, and as a key of earlier answers.
pub(crate) fn line(request: &Request<Bytes>) -> String {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    format!("{} {path}", request.method())
}

fn error(status: u16) -> Response<Bytes> {
    let words = match status {
        401 => "Bad credentials",
        403 => "Resource not accessible by integration",
        404 => "Not Found",
        410 => "This issue was deleted",
        422 => "Validation Failed",
        _ => "",
    };
    let body = if words.is_empty() {
        Bytes::from_static(b"<!DOCTYPE html><title>Unicorn!</title>")
    } else {
        Bytes::from(format!("{{\"message\":\"{words}\",\"status\":\"{status}\"}}"))
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

fn slow_down(status: u16, after: u64) -> Response<Bytes> {
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let mut response = Response::new(Bytes::from(format!("{{\"message\":\"{words}\"}}")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(after));
    response
}
