//! How many event streams are open, in all, of one token and of one address. Places are given back when a stream ends,
//! also when its client just goes away. They are counted in this process; several replicas allow as many each.

use super::problem::{Failure, later};
use crate::wire::ProblemKind;
use axum::response::{IntoResponse, Response};
use owp_engine::FeedSettings;
use owp_pool::Span;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How soon a place may be free again: a client that left without a word is noticed by a heartbeat that reaches nobody.
const TRY_AGAIN: Span = Span::secs(15);

/// Whose streams are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Everybody's.
    All,
    /// One worker's or the operator's.
    Caller(String),
    /// One address's.
    Address(Vec<u8>),
}

/// The streams of a server.
pub(super) struct Streams {
    most: FeedSettings,
    open: Mutex<HashMap<Who, usize>>,
}

/// A place for one stream; given back when it is dropped.
pub(super) struct Place {
    streams: Arc<Streams>,
    counted: Vec<Who>,
}

impl Streams {
    pub(super) fn new(most: FeedSettings) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// Takes a place for a stream, or says who has too many.
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

/// Nobody of these may open another stream.
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
