//! Calls without an App: fetching a newly registered App, and reading GitHub's time.

use super::{Address, GitHubError, http::Http};
use owp_pool::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

/// Maximum length of a code; GitHub's have 40 characters.
const CODE_MAX: usize = 100;

/// A newly registered App. GitHub returns these credentials only once.
#[derive(Debug)]
pub struct NewApp {
    /// The App's numeric id.
    pub id: i64,
    /// Its name in URLs.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// Its page.
    pub html_url: String,
    /// Its private key (PEM).
    pub private_key: SecretString,
    /// The secret that signs its deliveries.
    pub webhook_secret: SecretString,
    /// Id and secret of its OAuth client.
    pub client: Option<(String, SecretString)>,
}

#[derive(Deserialize)]
struct RawNewApp {
    id: i64,
    slug: String,
    name: String,
    html_url: String,
    pem: String,
    webhook_secret: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Exchanges the code from the browser redirect. A code works once, for one hour.
/// <https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest>
///
/// # Errors
/// [`GitHubError::NotFound`] when the code was used or has expired.
pub async fn convert_manifest(address: &Address, code: &str) -> Result<NewApp, GitHubError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if code.is_empty() || code.len() > CODE_MAX || !code.chars().all(plain) {
        return Err(GitHubError::NotFound { what: "a code of this form".to_owned() });
    }
    let raw: RawNewApp = Http::new(address)?.convert(code).await?.json()?;
    let without = || GitHubError::Malformed { reason: "an App without a webhook secret".to_owned() };
    Ok(NewApp {
        id: raw.id,
        slug: raw.slug,
        name: raw.name,
        html_url: raw.html_url,
        private_key: raw.pem.into(),
        webhook_secret: raw.webhook_secret.ok_or_else(without)?.into(),
        client: raw.client_id.zip(raw.client_secret.map(SecretString::from)),
    })
}

/// Returns GitHub's time, to the second; `None` when the response has no date.
pub async fn server_time(address: &Address) -> Result<Option<Timestamp>, GitHubError> {
    Http::new(address)?.server_time().await
}
