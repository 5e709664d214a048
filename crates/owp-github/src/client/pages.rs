//! Complete lists, read page by page with conditional requests; unchanged pages cost no quota.
//!
//! A list is complete, or the call fails. Entries shift between pages during a read, so duplicates are dropped by id,
//! and a list of several pages is read again (at no cost, where nothing changed) until it is stable.

use super::{GitHub, GitHubError, Identity, path};
use lru::LruCache;
use serde::de::DeserializeOwned;
use std::{
    any::Any,
    collections::HashSet,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

pub(super) const PER_PAGE: usize = 100;
/// Thirty thousand entries; a larger need calls for a different query.
pub(super) const MAX_PAGES: usize = 300;
/// Maximum number of passes over a list that keeps changing.
const MAX_PASSES: usize = 3;
/// Capacity of the list cache. A full cache drops the least recently used list, which costs a few requests and never
/// correctness.
const MAX_CACHED_LISTS: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// One page as GitHub sends it.
pub(super) trait Page: DeserializeOwned {
    type Item: Clone + Send + Sync + 'static;
    fn items(self) -> Vec<Self::Item>;
    fn id(item: &Self::Item) -> i64;
}

/// A cached page.
#[derive(Clone)]
struct CachedPage<T> {
    etag: Option<String>,
    has_next: bool,
    items: Vec<T>,
}

/// Cache of list pages, by speaker and path. ETags differ by token, so a new token reads everything once.
pub(super) struct Cache(Mutex<LruCache<(Identity, String), Arc<dyn Any + Send + Sync>>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_CACHED_LISTS)))
    }
}

impl Cache {
    fn get<T: Clone + Send + Sync + 'static>(&self, key: &(Identity, String)) -> Vec<CachedPage<T>> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(key).and_then(|list| list.downcast_ref::<Vec<CachedPage<T>>>()).cloned().unwrap_or_default()
    }

    /// Drops the cached lists of an installation.
    pub(super) fn forget(&self, installation: i64) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |identity: Identity| matches!(identity, Identity::Installation(scope) if scope.installation == installation);
        let gone: Vec<_> = lists.iter().map(|(key, _)| key).filter(|(identity, _)| own(*identity)).cloned().collect();
        for key in gone {
            lists.pop(&key);
        }
    }

    fn put<T: Clone + Send + Sync + 'static>(&self, key: (Identity, String), pages: Vec<CachedPage<T>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::new(pages));
    }
}

impl GitHub {
    /// Returns every entry of a list, once each, in GitHub's order, and caches the pages.
    pub(super) async fn list<P: Page>(
        &self,
        identity: Identity,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<P::Item>, GitHubError> {
        let key = (identity, path::with_query(path, query));
        let mut pages = self.0.pages.get::<P::Item>(&key);
        self.read_pages::<P>(identity, path, query, &mut pages).await?;
        self.0.pages.put(key, pages.clone());
        Ok(once_each::<P>(pages))
    }

    /// Like [`GitHub::list`], without the cache, for one-time queries.
    pub(super) async fn list_once<P: Page>(
        &self,
        identity: Identity,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<P::Item>, GitHubError> {
        let mut pages = Vec::new();
        self.read_pages::<P>(identity, path, query, &mut pages).await?;
        Ok(once_each::<P>(pages))
    }

    async fn read_pages<P: Page>(
        &self,
        identity: Identity,
        path: &str,
        query: &[(&str, &str)],
        pages: &mut Vec<CachedPage<P::Item>>,
    ) -> Result<(), GitHubError> {
        for _ in 0..MAX_PASSES {
            let changed = self.read_pass::<P>(identity, path, query, pages).await?;
            // Without ETags another pass would cost quota, and a single page cannot shift.
            if !changed || pages.len() < 2 || pages.iter().any(|page| page.etag.is_none()) {
                break;
            }
        }
        Ok(())
    }

    /// Reads every page once; returns true when any page differs from the cache.
    async fn read_pass<P: Page>(
        &self,
        identity: Identity,
        path: &str,
        query: &[(&str, &str)],
        pages: &mut Vec<CachedPage<P::Item>>,
    ) -> Result<bool, GitHubError> {
        let mut changed = false;
        for index in 0..MAX_PAGES {
            let (page, size) = ((index + 1).to_string(), PER_PAGE.to_string());
            let mut query = query.to_vec();
            query.extend([("per_page", size.as_str()), ("page", page.as_str())]);
            let known = pages.get(index).and_then(|page| page.etag.as_deref());
            let response = self.get(identity, &path::with_query(path, &query), known).await?;
            if response.not_modified && known.is_none() {
                return Err(GitHubError::Malformed { reason: "304 to an unconditional request".to_owned() });
            }
            if !response.not_modified {
                changed = true;
                let items = response.json::<P>()?.items();
                // Without a Link header (an intermediary may drop it) a full page may be followed by another.
                let has_next = response.has_next.unwrap_or(items.len() >= PER_PAGE) && !items.is_empty();
                let fresh = CachedPage { etag: response.etag, has_next, items };
                match pages.get_mut(index) {
                    Some(page) => *page = fresh,
                    None => pages.push(fresh),
                }
            }
            if !pages.get(index).is_some_and(|page| page.has_next) {
                pages.truncate(index + 1);
                return Ok(changed);
            }
        }
        Err(GitHubError::TooMany { what: path.to_owned(), limit: MAX_PAGES * PER_PAGE })
    }
}

fn once_each<P: Page>(pages: Vec<CachedPage<P::Item>>) -> Vec<P::Item> {
    let mut seen = HashSet::new();
    pages.into_iter().flat_map(|page| page.items).filter(|item| seen.insert(P::id(item))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_drops_only_the_list_that_was_used_longest_ago() {
        let cache = Cache::default();
        let key = |n: usize| (Identity::App, format!("/list/{n}"));
        let page = || vec![CachedPage { etag: None, has_next: false, items: vec![1] }];
        for n in 0..MAX_CACHED_LISTS.get() {
            cache.put(key(n), page());
        }
        let is_cached = |n: usize| !cache.get::<i32>(&key(n)).is_empty();
        assert!(is_cached(0), "and is used now");
        cache.put(key(MAX_CACHED_LISTS.get()), page());
        assert_eq!([0, 1, 2, MAX_CACHED_LISTS.get()].map(is_cached), [true, false, true, true]);
    }
}
