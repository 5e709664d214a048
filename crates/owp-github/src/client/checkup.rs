//! GitHub's record of the App for `owp doctor`: requested permissions, webhook and recent deliveries. No decision
//! depends on it.

use super::{GitHub, GitHubError, Speaker, raw};
use owp_pool::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Permissions and events that the registered App asks for.
#[derive(Debug, Clone, Deserialize)]
pub struct AppAsks {
    /// Its display name.
    pub name: String,
    /// Its name in URLs.
    pub slug: String,
    /// Its public page.
    pub html_url: String,
    /// Its owner.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// Permissions by name, such as `issues` → `write`.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// Subscribed webhook events.
    #[serde(default)]
    pub events: Vec<String>,
}

/// The owner of an App.
#[derive(Debug, Clone, Deserialize)]
pub struct Owner {
    /// The login; `None` for an enterprise.
    pub login: Option<String>,
    /// `User` or `Organization`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Webhook configuration.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Target URL; `None` when the App has no webhook.
    pub url: Option<String>,
    /// True when deliveries are signed.
    pub has_secret: bool,
}

#[derive(Deserialize)]
struct RawHook {
    url: Option<String>,
    secret: Option<String>,
}

/// One delivery attempt.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// Time of the attempt.
    #[serde(deserialize_with = "raw::time")]
    pub delivered_at: Timestamp,
    /// `OK`, or GitHub's description of the failure.
    pub status: String,
    /// The status code of the pool's response; 0 when there was none.
    #[serde(default)]
    pub status_code: i64,
    /// `X-GitHub-Event`.
    #[serde(default)]
    pub event: String,
}

impl Attempt {
    /// Returns true when the delivery arrived.
    #[must_use]
    pub fn arrived(&self) -> bool {
        raw::arrived(&self.status)
    }
}

impl GitHub {
    /// Returns the App as it is registered. <https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app>
    ///
    /// # Errors
    /// [`GitHubError::Unauthorized`] when the key is not the App's.
    pub async fn app_asks(&self) -> Result<AppAsks, GitHubError> {
        self.get(Speaker::App, "app", None).await?.json()
    }

    /// Returns the webhook configuration.
    /// <https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the App never had a webhook.
    pub async fn hook(&self) -> Result<Hook, GitHubError> {
        let raw: RawHook = self.get(Speaker::App, "app/hook/config", None).await?.json()?;
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Hook { url: told(raw.url), has_secret: told(raw.secret).is_some() })
    }

    /// Returns the latest attempts, newest first, at most 100. GitHub forgets them after three days.
    /// <https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>
    pub async fn latest_attempts(&self) -> Result<Vec<Attempt>, GitHubError> {
        self.get(Speaker::App, "app/hook/deliveries?per_page=100", None).await?.json()
    }
}
