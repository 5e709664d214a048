//! Faults that can be switched on: what requests and deliveries may suffer on a bad day at GitHub.
//!
//! Faults are used up in the order they were added; the first that matches a request is the one it gets. By default only
//! the app suffers; people in the same test go on working. See `gate.rs` for how each one looks on the wire.

use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// A 5xx with an HTML page; nothing took effect.
    ServerError {
        /// 500, 502, 503 …
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// The request works, but its JSON stops in the middle (the HTTP message is whole).
    Truncated,
    /// The request works, but the connection breaks in the middle of the body.
    Cut,
    /// The request works, late.
    Slow {
        /// How late.
        ms: u64,
    },
    /// The connection breaks before anything happened.
    Reset,
    /// The secondary rate limit.
    SecondaryLimit {
        /// 403 or 429.
        #[serde(default = "forbidden")]
        status: u16,
        /// `Retry-After` in seconds, if it is sent at all.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The primary rate limit is used up.
    PrimaryLimit {
        /// 403 or 429.
        #[serde(default = "forbidden")]
        status: u16,
        /// `x-ratelimit-reset` lies this far ahead.
        reset_in_secs: u64,
    },
    /// 401, as for a token that ended.
    BadCredentials,
    /// A refusal in GitHub's words although nothing is wrong: a replica that lags (404), an issue that seems deleted
    /// (410), a permission that seems missing (403). Nothing took effect.
    Refused {
        /// 403, 404, 410, 451 …
        #[serde(default = "not_found")]
        status: u16,
    },
    /// A read answers as the same read did the last time, as a replica that lags does; the first time nothing is wrong.
    Stale,
    /// The answer is 200 with this body, and nothing took effect; GraphQL puts its errors like that.
    Scripted {
        /// The body.
        body: serde_json::Value,
    },
    /// The request takes effect, but its answer is lost.
    LostAnswer {
        /// A 502 page; otherwise the connection breaks.
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

/// Who suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// The app, by its JWT or an installation token.
    #[default]
    App,
    /// People.
    User,
    /// Everybody.
    Any,
}

/// The next requests that match suffer this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that contain this; `*` stands for anything, and then the whole path must match.
    #[serde(default)]
    pub path: Option<String>,
    /// Who suffers.
    #[serde(default)]
    pub victim: Victim,
    /// How many requests.
    #[serde(default = "once")]
    pub times: u32,
}

impl Fault {
    /// The app's next request suffers this.
    #[must_use]
    pub fn next(kind: FaultKind) -> Self {
        Self { kind, method: None, path: None, victim: Victim::App, times: 1 }
    }

    /// Only requests with this method and path pattern.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// As many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Somebody else than the app suffers.
    #[must_use]
    pub fn victim(mut self, victim: Victim) -> Self {
        self.victim = victim;
        self
    }

    fn hits(&self, method: &str, path: &str, app: bool) -> bool {
        let who = match self.victim {
            Victim::App => app,
            Victim::User => !app,
            Victim::Any => true,
        };
        let method_fits = self.method.as_ref().is_none_or(|one| one.eq_ignore_ascii_case(method));
        who && method_fits && self.path.as_ref().is_none_or(|pattern| fits(pattern, path))
    }
}

/// Whether a path fits a pattern.
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

/// What goes wrong with a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeliveryFaultKind {
    /// Never sent and never listed.
    Lost,
    /// Never sent, listed as timed out; it can be asked for again.
    Failed,
    /// Sent twice with the same id.
    Duplicate,
    /// Sent after the ones that follow it, or before the ones that wait.
    Reorder,
    /// Sent late (real time; without effect while deliveries are held).
    Delay {
        /// How late.
        ms: u64,
    },
}

/// The next deliveries that match suffer this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryFault {
    /// What happens.
    #[serde(flatten)]
    pub kind: DeliveryFaultKind,
    /// Only this event (`issues`, `issue_comment` …).
    #[serde(default)]
    pub event: Option<String>,
    /// How many deliveries.
    #[serde(default = "once")]
    pub times: u32,
}

/// Deliveries and answers that go wrong by chance; each is a probability from 0 to 1.
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

/// What becomes of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    Failed,
    /// Sent so many times, so late, so many places before the end of the queue.
    Send {
        copies: u8,
        delay_ms: u64,
        place: usize,
    },
}

impl Fate {
    /// Sent once, at once, in its place.
    pub(super) fn plain() -> Self {
        Self::Send { copies: 1, delay_ms: 0, place: 0 }
    }
}

/// How long a reordered delivery waits so that later ones overtake it.
const OVERTAKEN_MS: u64 = 150;

/// All faults that are switched on.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Faults {
    pub(super) requests: Vec<Fault>,
    pub(super) deliveries: Vec<DeliveryFault>,
    pub(super) chaos: Chaos,
    pub(super) down: bool,
}

impl Faults {
    /// The fault this request gets, used up by one.
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

    /// What becomes of a delivery of this event.
    pub(super) fn fate(&mut self, rng: &mut StdRng, event: &str) -> Fate {
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
            None => Fate::plain(),
            Some(DeliveryFaultKind::Lost) => Fate::Lost,
            Some(DeliveryFaultKind::Failed) => Fate::Failed,
            Some(DeliveryFaultKind::Duplicate) => Fate::Send { copies: 2, delay_ms: 0, place: 0 },
            Some(DeliveryFaultKind::Delay { ms }) => Fate::Send { copies: 1, delay_ms: ms, place: 0 },
            Some(DeliveryFaultKind::Reorder) => {
                Fate::Send { copies: 1, delay_ms: OVERTAKEN_MS, place: rng.random_range(1..4) }
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
