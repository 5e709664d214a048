//! Calls without an App: fetching the one that was just registered, and asking GitHub what time it is.

use super::{Address, GitHubError, http::Http};
use owp_pool::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

/// The longest code taken for one; GitHub's have forty characters.
const CODE_MAX: usize = 100;

/// An App as GitHub hands it over, once.
#[derive(Debug)]
pub struct NewApp {
    /// The App's numeric id.
    pub id: i64,
    /// Its name in addresses.
    pub slug: String,
    /// Its name as people read it.
    pub name: String,
    /// Its page.
    pub html_url: String,
    /// Its private key, PEM.
    pub private_key: SecretString,
    /// What its deliveries are signed with.
    pub webhook_secret: SecretString,
}

#[derive(Deserialize)]
struct RawNewApp {
    id: i64,
    slug: String,
    name: String,
    html_url: String,
    pem: String,
    webhook_secret: Option<String>,
}

/// Exchanges the code that GitHub gave the browser, within an hour and once.
/// <https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest>
///
/// # Errors
/// [`GitHubError::NotFound`] when the code was used or is too old.
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
    })
}

/// What GitHub's clock says, to the second; none when it does not tell.
///
/// # Errors
/// When GitHub cannot be reached.
pub async fn their_time(address: &Address) -> Result<Option<Timestamp>, GitHubError> {
    Http::new(address)?.their_time().await
}
