//! The pool's public address, from the configuration at startup or from setup at runtime.

use owp_config::Obstacle;
use std::sync::{Arc, OnceLock};

/// The pool's addresses. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct PublicUrl(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The address shown to people on GitHub; empty where they could not use it.
    shown: OnceLock<String>,
    /// The address that the operator named, whether GitHub can reach it or not.
    named: OnceLock<String>,
}

impl PublicUrl {
    /// Returns the configured address, for a pool that works with the GitHub at `api_url`.
    #[must_use]
    pub fn of(api_url: &str, told: Option<&str>) -> Self {
        let url = Self::default();
        if let Some(told) = told {
            url.learn(api_url, told);
        }
        url
    }

    /// Returns the address without a trailing slash, if it is known and people on GitHub can use it.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.shown.get().map(String::as_str)
    }

    /// Returns all addresses at which the pool is called, also those of a local network.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [&self.0.shown, &self.0.named].into_iter().filter_map(OnceLock::get).map(String::as_str)
    }

    /// Stores the address, unless one is known already. It is not shown if GitHub cannot reach it: then contributors
    /// cannot either.
    pub(crate) fn learn(&self, api_url: &str, told: &str) {
        // The first one stays: the configuration takes precedence over the form.
        let _known = self.0.named.set(told.to_owned());
        if !Obstacle::between(api_url, told).is_some_and(Obstacle::blocks) {
            let _known = self.0.shown.set(told.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_that_github_can_reach_is_kept() {
        let github = "https://api.github.com";
        let url = PublicUrl::of(github, Some("http://127.0.0.1:8787"));
        assert_eq!((url.get(), url.all().collect::<Vec<_>>()), (None, vec!["http://127.0.0.1:8787"]));
        let copy = url.clone();
        copy.learn(github, "https://owp.example.org");
        copy.learn(github, "https://other.example.org");
        assert_eq!(url.get(), Some("https://owp.example.org"));
    }
}
