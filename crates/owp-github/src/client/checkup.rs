//! What GitHub says about the App itself: what it asks for, where its deliveries go, and how they went. For `owp doctor`;
//! nothing here is decided by.

use super::{GitHub, GitHubError, Speaker, raw};
use owp_pool::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the App asks for, as it is registered now.
#[derive(Debug, Clone, Deserialize)]
pub struct AppAsks {
    /// Its name as people read it.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its public page.
    pub html_url: String,
    /// Who owns it.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// Permissions by name, such as `issues` → `write`.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The events it hears of.
    #[serde(default)]
    pub events: Vec<String>,
}

/// Who owns an App.
#[derive(Debug, Clone, Deserialize)]
pub struct Owner {
    /// The login; none for an enterprise.
    pub login: Option<String>,
    /// `User` or `Organization`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Where deliveries go.
#[derive(Debug, Clone)]
pub struct Hook {
    /// None when the App has no webhook.
    pub url: Option<String>,
    /// Whether deliveries are signed.
    pub has_secret: bool,
}

#[derive(Deserialize)]
struct RawHook {
    url: Option<String>,
    secret: Option<String>,
}

/// One attempt to deliver something.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// When it was made.
    #[serde(deserialize_with = "raw::time")]
    pub delivered_at: Timestamp,
    /// `OK`, or what went wrong in GitHub's words.
    pub status: String,
    /// The status our side answered; 0 when it did not.
    #[serde(default)]
    pub status_code: i64,
    /// `X-GitHub-Event`.
    #[serde(default)]
    pub event: String,
}

impl Attempt {
    /// Whether it arrived.
    #[must_use]
    pub fn arrived(&self) -> bool {
        raw::arrived(&self.status)
    }
}

impl GitHub {
    /// The App as it is registered. <https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app>
    ///
    /// # Errors
    /// [`GitHubError::Unauthorized`] when the key is not the App's.
    pub async fn app_asks(&self) -> Result<AppAsks, GitHubError> {
        self.get(Speaker::App, "app", None).await?.json()
    }

    /// Where deliveries go. <https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the App never had a webhook.
    pub async fn hook(&self) -> Result<Hook, GitHubError> {
        let raw: RawHook = self.get(Speaker::App, "app/hook/config", None).await?.json()?;
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Hook { url: told(raw.url), has_secret: told(raw.secret).is_some() })
    }

    /// The latest attempts, newest first, a hundred at most; GitHub forgets them after three days.
    /// <https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn latest_attempts(&self) -> Result<Vec<Attempt>, GitHubError> {
        self.get(Speaker::App, "app/hook/deliveries?per_page=100", None).await?.json()
    }
}
