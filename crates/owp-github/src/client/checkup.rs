//! GitHub's record of the App for `owp doctor`: requested permissions, webhook and recent deliveries. No decision
//! depends on it.

use super::{GitHub, GitHubError, Identity, deliveries};
use octocrab::models::{hooks::Delivery, webhook_events::WebhookEventType};
use owp_pool::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Permissions and events that the registered App asks for.
#[derive(Debug, Clone, Deserialize)]
pub struct AppRegistration {
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
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Time of the attempt.
    pub delivered_at: Timestamp,
    /// True when the delivery arrived.
    pub arrived: bool,
    /// `OK`, or GitHub's description of the failure.
    pub status: String,
    /// The status code of the pool's response; 0 when there was none.
    pub status_code: usize,
    /// `X-GitHub-Event`; empty when GitHub omits it.
    pub event: String,
}

impl From<Delivery> for Attempt {
    fn from(attempt: Delivery) -> Self {
        Self {
            delivered_at: deliveries::delivered_at(&attempt),
            arrived: deliveries::arrived(&attempt),
            status: attempt.status,
            status_code: attempt.status_code,
            event: attempt.event.map(event_name).unwrap_or_default(),
        }
    }
}

fn event_name(event: WebhookEventType) -> String {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

impl GitHub {
    /// Returns the App as it is registered. <https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app>
    ///
    /// # Errors
    /// [`GitHubError::Unauthorized`] when the key is not the App's.
    pub async fn app_registration(&self) -> Result<AppRegistration, GitHubError> {
        self.get(Identity::App, "app", None).await?.json()
    }

    /// Returns the webhook configuration.
    /// <https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the App never had a webhook.
    pub async fn hook(&self) -> Result<Hook, GitHubError> {
        let raw: RawHook = self.get(Identity::App, "app/hook/config", None).await?.json()?;
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Hook { url: told(raw.url), has_secret: told(raw.secret).is_some() })
    }

    /// Returns the latest attempts, newest first, at most 100. GitHub forgets them after three days.
    /// <https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>
    pub async fn latest_attempts(&self) -> Result<Vec<Attempt>, GitHubError> {
        let page: Vec<Delivery> = self.get(Identity::App, "app/hook/deliveries?per_page=100", None).await?.json()?;
        Ok(page.into_iter().map(Attempt::from).collect())
    }
}
