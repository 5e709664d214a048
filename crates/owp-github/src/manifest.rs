//! The App manifest that setup posts to GitHub, and the addresses it is posted to. Pure.
//!
//! `app-manifest.yml` is the single source of the App's permissions and events; only its addresses are replaced here.
//! [`Extras`] adds optional permissions. (GitHub docs: "Registering a GitHub App from a manifest".)

use super::client::GitHubError;
use reqwest::Url;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const MANIFEST: &str = include_str!("../../../app-manifest.yml");

/// Optional permissions beyond the manifest. They belong to the App and cannot be set by a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// Policies may use checks as a gate.
    pub checks: bool,
    /// Policies may refer to an organisation's teams.
    pub teams: bool,
}

impl Extras {
    fn permissions(self) -> &'static [&'static str] {
        match (self.checks, self.teams) {
            (false, false) => &[],
            (true, false) => &["checks", "statuses"],
            (false, true) => &["members"],
            (true, true) => &["checks", "statuses", "members"],
        }
    }

    fn events(self) -> &'static [&'static str] {
        if self.checks { &["check_run", "check_suite", "status"] } else { &[] }
    }
}

fn written() -> Result<Map<String, Value>, GitHubError> {
    let broken = |why: String| GitHubError::Config { message: format!("app-manifest.yml cannot be read: {why}") };
    serde_saphyr::from_str(MANIFEST).map_err(|error| broken(error.to_string()))
}

/// Returns the permissions the App needs, by name.
///
/// # Errors
/// [`GitHubError::Config`] when the built-in manifest cannot be parsed, which a test rules out.
pub fn permissions(extras: Extras) -> Result<BTreeMap<String, String>, GitHubError> {
    let manifest = written()?;
    let told = manifest.get("default_permissions").and_then(Value::as_object).into_iter().flatten();
    let mut found: BTreeMap<String, String> =
        told.filter_map(|(name, level)| Some((name.clone(), level.as_str()?.to_owned()))).collect();
    found.extend(extras.permissions().iter().map(|name| ((*name).to_owned(), "read".to_owned())));
    Ok(found)
}

/// Returns the webhook events the App subscribes to.
///
/// # Errors
/// Same as [`permissions`].
pub fn events(extras: Extras) -> Result<Vec<String>, GitHubError> {
    let manifest = written()?;
    let told = manifest.get("default_events").and_then(Value::as_array).into_iter().flatten();
    let told = told.filter_map(|event| event.as_str().map(str::to_owned));
    Ok(told.chain(extras.events().iter().map(|event| (*event).to_owned())).collect())
}

/// Builds the manifest. `public` is the pool's address and `back` the return address, both without a trailing slash.
///
/// # Errors
/// Same as [`permissions`].
pub fn manifest(public: &str, back: &str, extras: Extras) -> Result<Value, GitHubError> {
    let mut manifest = written()?;
    manifest.insert("url".to_owned(), json!(public));
    manifest.insert("hook_attributes".to_owned(), json!({ "url": webhook_url(public), "active": true }));
    manifest.insert("redirect_url".to_owned(), json!(format!("{back}/setup/done")));
    let callbacks: BTreeSet<String> = [public, back].into_iter().map(sign_in_url).collect();
    manifest.insert("callback_urls".to_owned(), json!(callbacks));
    // GitHub redirects users here after an installation: the dashboard shows their repository.
    manifest.insert("setup_url".to_owned(), json!(format!("{public}/")));
    manifest.insert("default_permissions".to_owned(), json!(permissions(extras)?));
    manifest.insert("default_events".to_owned(), json!(events(extras)?));
    Ok(Value::Object(manifest))
}

/// Returns the address to which GitHub sends people back who sign in on a pool.
#[must_use]
pub fn sign_in_url(public: &str) -> String {
    format!("{public}/signin/github/done")
}

/// Returns the webhook URL of a pool.
#[must_use]
pub fn webhook_url(public: &str) -> String {
    format!("{public}/github/webhooks")
}

/// Derives the address of GitHub's web pages from its API: `https://api.github.com` → `https://github.com`,
/// `https://HOST/api/v3` → `https://HOST`, `https://api.NAME.ghe.com` → `https://NAME.ghe.com`.
///
/// # Errors
/// [`GitHubError::Config`] when the address is not a URL.
pub fn web_origin(api_url: &str) -> Result<String, GitHubError> {
    let bad = || GitHubError::Config { message: "the API address (GITHUB_API_URL) is not a URL".to_owned() };
    let url = Url::parse(api_url.trim()).map_err(|_| bad())?;
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)?;
    Ok(match host.strip_prefix("api.") {
        Some(rest) if rest == "github.com" || rest.ends_with(".ghe.com") => format!("https://{rest}"),
        _ => url.origin().ascii_serialization(),
    })
}

/// Returns the page to which a browser posts the manifest: for the user's own account, or for an organisation.
///
/// # Errors
/// Same as [`web_origin`].
pub fn registration_url(api_url: &str, organization: Option<&str>, state: &str) -> Result<String, GitHubError> {
    let origin = web_origin(api_url)?;
    let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
    Ok(match organization {
        None => format!("{origin}/settings/apps/new?state={state}"),
        Some(name) => format!("{origin}/organizations/{name}/settings/apps/new?state={state}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_the_committed_one_with_the_pools_addresses() {
        let manifest = manifest("https://pool.example", "http://127.0.0.1:8787", Extras::default()).unwrap();
        let committed: Value = serde_saphyr::from_str(MANIFEST).unwrap();
        for key in ["name", "description", "public", "default_permissions", "default_events"] {
            assert_eq!(manifest[key], committed[key], "{key}");
        }
        assert_eq!(manifest["hook_attributes"]["url"], "https://pool.example/github/webhooks");
        assert_eq!(manifest["redirect_url"], "http://127.0.0.1:8787/setup/done");
        assert!(!manifest.to_string().contains("owp.example.org"));
    }

    #[test]
    fn what_is_wanted_beyond_it_is_asked_for_and_may_only_read() {
        let both = Extras { checks: true, teams: true };
        let (plain, more) = (permissions(Extras::default()).unwrap(), permissions(both).unwrap());
        let added: Vec<_> = more.iter().filter(|(name, _)| !plain.contains_key(*name)).collect();
        let read = "read".to_owned();
        let names = ["checks", "members", "statuses"].map(str::to_owned);
        assert_eq!(added, names.iter().map(|name| (name, &read)).collect::<Vec<_>>());
        assert!(events(both).unwrap().ends_with(&["check_run", "check_suite", "status"].map(str::to_owned)));
        let writes: Vec<_> = more.iter().filter(|(_, level)| *level != "read").map(|(name, _)| name.as_str()).collect();
        assert_eq!(writes, ["issues"], "comments are all the pool writes");
    }

    #[test]
    fn a_browser_is_sent_to_the_pages_that_belong_to_the_api() {
        for (api, web) in [
            ("https://api.github.com", "https://github.com"),
            ("https://github.example/api/v3/", "https://github.example"),
            ("https://api.octo.ghe.com", "https://octo.ghe.com"),
            ("http://127.0.0.1:9797", "http://127.0.0.1:9797"),
            ("https://api.github.com.evil.example", "https://api.github.com.evil.example"),
        ] {
            assert_eq!(web_origin(api).unwrap(), web);
        }
        assert!(web_origin("not a url").is_err() && web_origin("file:///etc").is_err());
        let url = registration_url("https://api.github.com", Some("acme"), "a+b").unwrap();
        assert_eq!(url, "https://github.com/organizations/acme/settings/apps/new?state=a%2Bb");
    }
}
