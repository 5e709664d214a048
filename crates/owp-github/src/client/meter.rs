//! Figures of the calls to GitHub, for `/metrics`.

use owp_base::histogram::{Distribution, Histogram};
use reqwest::header::HeaderMap;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// GitHub's names of its quotas are few; others are not kept.
const RESOURCES_MAX: usize = 16;

/// Durations of the calls of one client, and the quotas their answers told of.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Durations until the head of the response, or until the call failed.
    pub(super) calls: Histogram,
    /// Requests left, by resource.
    left: Mutex<BTreeMap<String, i64>>,
}

/// The figures at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Durations of the calls.
    pub calls: Distribution,
    /// Requests that were left after the latest call of each resource (`core`, `graphql`), of whichever installation made
    /// it.
    pub left: BTreeMap<String, i64>,
}

impl Meter {
    /// Notes the quota a response tells of.
    pub(super) fn note_quota(&self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(left) = text("x-ratelimit-remaining").and_then(|left| left.parse().ok()) else { return };
        let resource = text("x-ratelimit-resource").unwrap_or("core");
        let plain = resource.len() <= 40 && resource.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut known = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if plain && (known.contains_key(resource) || known.len() < RESOURCES_MAX) {
            known.insert(resource.to_owned(), left);
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Figures { calls: self.calls.distribution(), left }
    }
}
