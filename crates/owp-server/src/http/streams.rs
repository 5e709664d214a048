//! Limits on open event streams, in total, per token and per address. A slot is released when its stream ends, even if
//! the client just disconnects. The count is per process; each replica has its own.

use super::problem::{Failure, later};
use crate::wire::ProblemKind;
use axum::response::{IntoResponse, Response};
use owp_engine::FeedSettings;
use owp_pool::Span;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Retry delay: a client that disconnected silently is noticed when a heartbeat cannot be sent.
const TRY_AGAIN: Span = Span::secs(15);

/// Scope of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// All streams.
    All,
    /// Streams of one worker or of the operator.
    Caller(String),
    /// Streams of one address.
    Address(Vec<u8>),
}

/// The server's open streams.
pub(super) struct Streams {
    most: FeedSettings,
    open: Mutex<HashMap<Who, usize>>,
}

/// A slot for one stream; released on drop.
pub(super) struct Place {
    streams: Arc<Streams>,
    counted: Vec<Who>,
}

impl Streams {
    pub(super) fn new(most: FeedSettings) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// Reserves a slot, or names the limit that is reached.
    pub(super) fn enter(self: &Arc<Self>, caller: Option<String>, address: Option<Vec<u8>>) -> Result<Place, Full> {
        let counted: Vec<Who> =
            caller.map(Who::Caller).into_iter().chain(address.map(Who::Address)).chain([Who::All]).collect();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for who in &counted {
            let most = self.most(who);
            if open.get(who).copied().unwrap_or(0) >= most {
                return Err(Full { who: who.clone(), most });
            }
        }
        for who in &counted {
            *open.entry(who.clone()).or_default() += 1;
        }
        Ok(Place { streams: Arc::clone(self), counted })
    }

    fn most(&self, who: &Who) -> usize {
        match who {
            Who::All => self.most.streams,
            Who::Caller(_) => self.most.streams_per_token,
            Who::Address(_) => self.most.streams_per_address,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        for who in &self.counted {
            match open.get_mut(who) {
                Some(n) if *n > 1 => *n -= 1,
                _ => drop(open.remove(who)),
            }
        }
    }
}

/// Error: no further stream is allowed in this scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Full {
    who: Who,
    most: usize,
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let most = self.most;
        let (kind, words) = match self.who {
            Who::All => (
                ProblemKind::Unavailable,
                format!("All {most} places for event streams of this server are taken. Ask for pages meanwhile."),
            ),
            Who::Caller(_) => (ProblemKind::TooManyStreams, format!("One token may have {most} event streams open.")),
            Who::Address(_) => {
                (ProblemKind::TooManyStreams, format!("One address may have {most} event streams open."))
            }
        };
        later(Failure::new(kind, words), TRY_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_addresses_and_the_server_have_so_many_places_and_get_them_back() {
        let most = FeedSettings { streams: 4, streams_per_token: 1, streams_per_address: 3, ..FeedSettings::default() };
        let streams = Streams::new(most);
        let enter = |caller: &str, address: u8| {
            streams.enter(Some(caller.to_owned()).filter(|caller| !caller.is_empty()), Some(vec![address]))
        };
        let full = |place: Result<Place, Full>| place.err().map(|full| full.who);
        let ada = enter("ada", 1);
        assert!(ada.is_ok());
        assert_eq!(full(enter("ada", 2)), Some(Who::Caller("ada".into())));
        let more = [enter("bo", 1), enter("", 1)];
        assert_eq!(full(enter("cy", 1)), Some(Who::Address(vec![1])));
        let last = enter("cy", 2);
        assert!(last.is_ok() && more.iter().all(Result::is_ok));
        assert_eq!(full(enter("di", 3)), Some(Who::All));
        drop(ada);
        let again = enter("ada", 3);
        assert!(again.is_ok());
        drop((more, last, again));
        assert!(streams.open.lock().unwrap().is_empty(), "nobody is remembered who left");
    }
}
