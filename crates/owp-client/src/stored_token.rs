//! A worker token stored in a file. Another process may replace it while this one still uses the old token.

use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Read = dyn Fn() -> Option<SecretString> + Send + Sync;

/// The token in use, shared by the clones of a client, and a function that reads the stored token.
#[derive(Clone)]
pub(super) struct StoredToken {
    current: Arc<Mutex<SecretString>>,
    read: Arc<Read>,
}

impl std::fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredToken").finish_non_exhaustive()
    }
}

impl StoredToken {
    pub(super) fn new(token: SecretString, read: impl Fn() -> Option<SecretString> + Send + Sync + 'static) -> Self {
        Self { current: Arc::new(Mutex::new(token)), read: Arc::new(read) }
    }

    fn lock(&self) -> MutexGuard<'_, SecretString> {
        // A token is replaced as a whole, so a panic in another thread leaves a valid one.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the token to use now.
    pub(super) fn current(&self) -> SecretString {
        self.lock().clone()
    }

    /// Replaces a rejected token by the stored one. Returns false when there is no other.
    pub(super) fn replace(&self, refused: &SecretString) -> bool {
        let mut current = self.lock();
        let is_refused = |token: &SecretString| token.expose_secret() == refused.expose_secret();
        if !is_refused(&current) {
            // A concurrent call was also rejected and has replaced the token already.
            return true;
        }
        match (self.read)().filter(|token| !is_refused(token)) {
            Some(token) => {
                *current = token;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_file_is_read_once_for_all_calls_that_were_refused_together() {
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let token = |text: &str| SecretString::from(text.to_owned());
        let kept = StoredToken::new(token("old"), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Some("new".to_owned().into())
        });
        let clone = kept.clone();
        let (one, other) = (kept.current(), clone.current());
        assert!(kept.replace(&one) && clone.replace(&other));
        assert_eq!((clone.current().expose_secret(), reads.load(Ordering::SeqCst)), ("new", 1));
        assert!(!kept.replace(&token("new")), "what is kept was refused as well");
        assert!(!StoredToken::new(token("old"), || None).replace(&token("old")));
    }
}
