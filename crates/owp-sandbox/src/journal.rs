//! The journal: every request the box saw, so that a test can say what the app did and did not do.

use serde::Serialize;

/// Who made a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The app, by its JWT.
    App,
    /// The app, by an installation token.
    Installation,
    /// A person.
    User,
    /// Nobody in particular, or a token that is not valid.
    Anonymous,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// Its place in the order of arrival, from 1.
    pub seq: u64,
    /// When (Unix ms).
    pub at: i64,
    /// `GET`, `POST` …
    pub method: String,
    /// The route with its placeholders, such as `/repos/{owner}/{repo}/issues`; empty when there is no such route.
    pub route: String,
    /// The path as asked for.
    pub path: String,
    /// The query as asked for.
    pub query: String,
    /// Who asked.
    pub actor: ActorKind,
    /// The person, if it was one.
    pub login: Option<String>,
    /// The installation, if it was one.
    pub installation: Option<u64>,
    /// The answer's status; 0 when the connection was broken instead.
    pub status: u16,
    /// The fault it suffered.
    pub fault: Option<String>,
}

impl RecordedRequest {
    /// Whether the method can change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Whether the app made it.
    #[must_use]
    pub fn by_app(&self) -> bool {
        matches!(self.actor, ActorKind::App | ActorKind::Installation)
    }
}

/// Every request so far.
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
