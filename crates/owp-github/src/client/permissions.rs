//! Cache of permissions, so that the same few people are not asked about for every issue that they labelled.
//!
//! A cached permission is never older than the act it is used for: [`RepoReader::permission_for_act`] takes the time of
//! the newest act that is judged, and a response that GitHub gave before it is not used. A permission that was withdrawn
//! or granted before the act is therefore always noticed, whether or not a delivery reports the change; most Apps are
//! not subscribed to the events that would. A command is not judged with the cache at all: it is one request, and it
//! may change what other people may do.
//!
//! Errors are not cached, and a request that fails drops what was known.

use super::{GitHubError, PermissionInfo, RepoReader, path::login_segment, raw::RawPermission};
use lru::LruCache;
use owp_pool::{Span, Timestamp};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// How long a response is used.
const USED_FOR: Span = Span::secs(60);
/// Resolution of GitHub's times.
const RESOLUTION: Span = Span::secs(1);
/// Capacity. A full cache drops the permission that was used longest ago.
const MAX_CACHED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Installation, repository and login (in lower case, escaped).
type Key = (i64, i64, String);

#[derive(Debug, Clone)]
struct Cached {
    info: PermissionInfo,
    /// Time at which the request was sent, by this machine's clock.
    asked_at: Timestamp,
    /// A time before that, by GitHub's clock, which dates the acts, and by this machine's.
    as_of: Timestamp,
}

struct State {
    known: LruCache<Key, Cached>,
    /// Number of times that entries were dropped: a response to an earlier request is not cached.
    dropped: u64,
}

/// Permissions of this process.
pub(super) struct Permissions(Mutex<State>);

impl Default for Permissions {
    fn default() -> Self {
        Self(Mutex::new(State { known: LruCache::new(MAX_CACHED), dropped: 0 }))
    }
}

impl Permissions {
    fn get(&self, key: &Key, now: Timestamp, act: Timestamp) -> Option<PermissionInfo> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = state.known.get(key)?;
        // After the clock was set back, an older response would be used for too long.
        let is_recent = cached.asked_at <= now && now < cached.asked_at + USED_FOR;
        (is_recent && act + RESOLUTION <= cached.as_of).then(|| cached.info.clone())
    }

    fn generation(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).dropped
    }

    fn put(&self, key: Key, cached: Cached, generation: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.dropped == generation {
            state.known.put(key, cached);
        }
    }

    fn pop(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.pop(key);
    }

    /// Drops the permissions in a repository, or in all.
    pub(super) fn forget(&self, repo: Option<i64>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.dropped += 1;
        let Some(repo) = repo else { return state.known.clear() };
        let gone: Vec<Key> = state.known.iter().map(|(key, _)| key).filter(|key| key.1 == repo).cloned().collect();
        for key in gone {
            state.known.pop(&key);
        }
    }
}

impl RepoReader {
    /// Returns a user's permission in this repository, as GitHub reports it now.
    /// <https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the login does not exist.
    pub async fn permission(&self, login: &str) -> Result<PermissionInfo, GitHubError> {
        let login = login_segment(login)?;
        let permissions = &self.github.0.permissions;
        let (asked_at, generation, key) = (self.github.now(), permissions.generation(), self.permission_key(&login));
        // Whatever GitHub dated in an earlier response happened before this request.
        let as_of = self.github.0.http.newest_date().min(asked_at);
        self.permissions_asked.fetch_add(1, Ordering::Relaxed);
        match self.one::<RawPermission>(&format!("/collaborators/{login}/permission")).await {
            Ok(raw) => {
                let info = PermissionInfo::from(raw);
                permissions.put(key, Cached { info: info.clone(), asked_at, as_of }, generation);
                Ok(info)
            }
            Err(error) => {
                permissions.pop(&key);
                Err(error)
            }
        }
    }

    /// Returns a user's permission for judging acts, the newest of which happened at `act`. A response that GitHub gave
    /// after that act, and less than a minute ago, is used again.
    ///
    /// # Errors
    /// As for [`RepoReader::permission`].
    pub async fn permission_for_act(&self, login: &str, act: Timestamp) -> Result<PermissionInfo, GitHubError> {
        let key = self.permission_key(&login_segment(login)?);
        match self.github.0.permissions.get(&key, self.github.now(), act) {
            Some(info) => Ok(info),
            None => self.permission(login).await,
        }
    }

    /// Returns the number of permission requests that this reader and its clones have sent.
    #[must_use]
    pub fn permissions_asked(&self) -> usize {
        self.permissions_asked.load(Ordering::Relaxed)
    }

    fn permission_key(&self, login: &str) -> Key {
        (self.installation(), self.repo.github_id, login.to_lowercase())
    }
}
