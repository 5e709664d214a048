//! The journal of all requests, with which tests assert the calls the app made and did not make.

use serde::Serialize;

/// Kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The app, by its JWT.
    App,
    /// The app, by an installation token.
    Installation,
    /// A user.
    User,
    /// No credentials, or an invalid token.
    Anonymous,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// Order of arrival, from 1.
    pub seq: u64,
    /// Time of arrival (Unix ms).
    pub at: i64,
    /// `GET`, `POST` …
    pub method: String,
    /// The route with its placeholders, such as `/repos/{owner}/{repo}/issues`; empty for unknown routes.
    pub route: String,
    /// The requested path.
    pub path: String,
    /// The requested query.
    pub query: String,
    /// Kind of caller.
    pub actor: ActorKind,
    /// Login of the user, for user calls.
    pub login: Option<String>,
    /// Id of the installation, for installation calls.
    pub installation: Option<u64>,
    /// Status of the response; 0 when the connection was broken instead.
    pub status: u16,
    /// The fault applied to it.
    pub fault: Option<String>,
}

impl RecordedRequest {
    /// Returns true if the method can change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Returns true if the app made the request.
    #[must_use]
    pub fn by_app(&self) -> bool {
        matches!(self.actor, ActorKind::App | ActorKind::Installation)
    }
}

/// All requests so far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) requests: Vec<RecordedRequest>,
    last: u64,
}

impl Journal {
    pub(super) fn note(&mut self, mut request: RecordedRequest) {
        self.last += 1;
        request.seq = self.last;
        self.requests.push(request);
    }
}
