//! Fault injection: GitHub failures that tests apply to requests and deliveries.
//!
//! Faults are used up in the order of their addition; a request gets the first one that matches. By default they apply
//! only to the app; users in the same test are not affected. `gate.rs` puts them on the wire.

use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// A fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// A 5xx with an HTML page; the request has no effect.
    ServerError {
        /// 500, 502, 503 …
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// The request succeeds, but its JSON ends halfway (the HTTP message is complete).
    Truncated,
    /// The request succeeds, but the connection breaks in the middle of the body.
    Cut,
    /// The request succeeds after a delay.
    Slow {
        /// The delay in milliseconds.
        ms: u64,
    },
    /// The connection breaks; the request has no effect.
    Reset,
    /// The secondary rate limit.
    SecondaryLimit {
        /// 403 or 429.
        #[serde(default = "forbidden")]
        status: u16,
        /// `Retry-After` in seconds; omitted when `None`.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The primary rate limit is exhausted.
    PrimaryLimit {
        /// 403 or 429.
        #[serde(default = "forbidden")]
        status: u16,
        /// Seconds until `x-ratelimit-reset`.
        reset_in_secs: u64,
    },
    /// 401, as for an expired token.
    BadCredentials,
    /// An unjustified error with GitHub's message: a lagging replica (404), a deleted issue (410), a missing permission
    /// (403). The request has no effect.
    Refused {
        /// 403, 404, 410, 451 …
        #[serde(default = "not_found")]
        status: u16,
    },
    /// A read repeats the response of the previous same read, like a lagging replica. The first read is unaffected.
    Stale,
    /// A 200 with this body; the request has no effect. GraphQL reports its errors this way.
    Scripted {
        /// The response body.
        body: serde_json::Value,
    },
    /// The request takes effect, but its response is lost.
    LostAnswer {
        /// True to send a 502 page; false to break the connection.
        #[serde(default)]
        as_502: bool,
    },
}

fn unavailable() -> u16 {
    503
}

fn forbidden() -> u16 {
    403
}

fn not_found() -> u16 {
    404
}

fn once() -> u32 {
    1
}

/// The callers that a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultTarget {
    /// The app, by its JWT or an installation token.
    #[default]
    App,
    /// Users.
    User,
    /// All callers.
    Any,
}

/// A fault for the next matching requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of fault.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Restricts the fault to this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Restricts the fault to paths that contain this text. With `*` as a wildcard, the whole path must match.
    #[serde(default)]
    pub path: Option<String>,
    /// The affected callers.
    #[serde(default)]
    pub victim: FaultTarget,
    /// Number of requests.
    #[serde(default = "once")]
    pub times: u32,
}

impl Fault {
    /// Creates a fault for the app's next request.
    #[must_use]
    pub fn next(kind: FaultKind) -> Self {
        Self { kind, method: None, path: None, victim: FaultTarget::App, times: 1 }
    }

    /// Restricts the fault to a method and a path pattern.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Sets the number of requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Sets the affected callers.
    #[must_use]
    pub fn victim(mut self, victim: FaultTarget) -> Self {
        self.victim = victim;
        self
    }

    fn hits(&self, method: &str, path: &str, app: bool) -> bool {
        let who = match self.victim {
            FaultTarget::App => app,
            FaultTarget::User => !app,
            FaultTarget::Any => true,
        };
        let method_fits = self.method.as_ref().is_none_or(|one| one.eq_ignore_ascii_case(method));
        who && method_fits && self.path.as_ref().is_none_or(|pattern| fits(pattern, path))
    }
}

/// Returns true if a path matches a pattern.
fn fits(pattern: &str, path: &str) -> bool {
    if !pattern.contains('*') {
        return path.contains(pattern);
    }
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let (last, middle) = pieces.split_last().map_or(("", &[][..]), |(last, middle)| (*last, middle));
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// A fault of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeliveryFaultKind {
    /// Never sent and never listed.
    Lost,
    /// Never sent, listed as timed out; it can be redelivered.
    Failed,
    /// Sent twice with the same id.
    Duplicate,
    /// Sent out of order: after later deliveries, or before queued ones.
    Reorder,
    /// Sent late (in real time; no effect while deliveries are held).
    Delay {
        /// The delay in milliseconds.
        ms: u64,
    },
}

/// A fault for the next matching deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryFault {
    /// The kind of fault.
    #[serde(flatten)]
    pub kind: DeliveryFaultKind,
    /// Restricts the fault to this event (`issues`, `issue_comment` …).
    #[serde(default)]
    pub event: Option<String>,
    /// Number of deliveries.
    #[serde(default = "once")]
    pub times: u32,
}

/// Random faults of deliveries and requests; each field is a probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Chaos {
    /// [`DeliveryFaultKind::Lost`].
    pub lost: f64,
    /// [`DeliveryFaultKind::Failed`].
    pub failed: f64,
    /// [`DeliveryFaultKind::Duplicate`].
    pub duplicate: f64,
    /// [`DeliveryFaultKind::Reorder`].
    pub reorder: f64,
    /// [`FaultKind::ServerError`] for the app's requests.
    pub server_error: f64,
    /// [`FaultKind::LostAnswer`] for the app's requests.
    pub lost_answer: f64,
}

/// The outcome chosen for one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeliveryOutcome {
    Lost,
    Failed,
    /// Send `copies` copies after a delay, `place` positions before the end of the queue.
    Send {
        copies: u8,
        delay_ms: u64,
        place: usize,
    },
}

impl DeliveryOutcome {
    /// Sends once, at once, in order.
    pub(super) fn plain() -> Self {
        Self::Send { copies: 1, delay_ms: 0, place: 0 }
    }
}

/// Delay of a reordered delivery, so that later ones overtake it.
const OVERTAKEN_MS: u64 = 150;

/// All active faults.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Faults {
    pub(super) requests: Vec<Fault>,
    pub(super) deliveries: Vec<DeliveryFault>,
    pub(super) chaos: Chaos,
    pub(super) down: bool,
}

impl Faults {
    /// Returns the fault for a request and uses it up once.
    pub(super) fn pick(&mut self, rng: &mut StdRng, method: &str, path: &str, app: bool) -> Option<FaultKind> {
        if self.down {
            return Some(FaultKind::ServerError { status: 503 });
        }
        if let Some(index) = self.requests.iter().position(|one| one.hits(method, path, app)) {
            let kind = self.requests[index].kind.clone();
            self.requests[index].times = self.requests[index].times.saturating_sub(1);
            self.requests.retain(|one| one.times > 0);
            return Some(kind);
        }
        if app && rng.random::<f64>() < self.chaos.server_error {
            return Some(FaultKind::ServerError { status: 502 });
        }
        if app && rng.random::<f64>() < self.chaos.lost_answer {
            return Some(FaultKind::LostAnswer { as_502: true });
        }
        None
    }

    /// Chooses the outcome for a delivery of this event.
    pub(super) fn outcome(&mut self, rng: &mut StdRng, event: &str) -> DeliveryOutcome {
        let fits = |one: &DeliveryFault| one.event.as_ref().is_none_or(|wanted| wanted == event);
        let kind = match self.deliveries.iter().position(fits) {
            Some(index) => {
                let kind = self.deliveries[index].kind.clone();
                self.deliveries[index].times = self.deliveries[index].times.saturating_sub(1);
                self.deliveries.retain(|one| one.times > 0);
                Some(kind)
            }
            None => self.chance(rng),
        };
        match kind {
            None => DeliveryOutcome::plain(),
            Some(DeliveryFaultKind::Lost) => DeliveryOutcome::Lost,
            Some(DeliveryFaultKind::Failed) => DeliveryOutcome::Failed,
            Some(DeliveryFaultKind::Duplicate) => DeliveryOutcome::Send { copies: 2, delay_ms: 0, place: 0 },
            Some(DeliveryFaultKind::Delay { ms }) => DeliveryOutcome::Send { copies: 1, delay_ms: ms, place: 0 },
            Some(DeliveryFaultKind::Reorder) => {
                DeliveryOutcome::Send { copies: 1, delay_ms: OVERTAKEN_MS, place: rng.random_range(1..4) }
            }
        }
    }

    fn chance(&self, rng: &mut StdRng) -> Option<DeliveryFaultKind> {
        let kinds = [
            (self.chaos.lost, DeliveryFaultKind::Lost),
            (self.chaos.failed, DeliveryFaultKind::Failed),
            (self.chaos.duplicate, DeliveryFaultKind::Duplicate),
            (self.chaos.reorder, DeliveryFaultKind::Reorder),
        ];
        kinds.into_iter().find(|(chance, _)| rng.random::<f64>() < *chance).map(|(_, kind)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_parts_of_paths_or_whole_paths_with_stars() {
        assert!(fits("comments", "/repos/acme/rocket/issues/1/comments"));
        assert!(fits("/repos/*/comments", "/repos/acme/rocket/issues/1/comments"));
        assert!(!fits("/repos/*/labels", "/repos/acme/rocket/issues/1/comments"));
        assert!(!fits("/app/*", "/repos/acme/rocket"));
    }

    #[test]
    fn a_fault_is_json_with_its_kind_beside_its_target() {
        let text = r#"{"kind":"secondary_limit","retry_after":7,"method":"POST","path":"comments","times":2}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        let kind = FaultKind::SecondaryLimit { status: 403, retry_after: Some(7) };
        assert_eq!(fault, Fault::next(kind).on("POST", "comments").times(2));
    }
}
