//! The GitHub App's credentials, complete or absent; from the environment, else from the file that setup wrote.

use super::{ConfigError, Credentials, Environment, credentials_file};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

const API_URL: &str = "https://api.github.com";
/// Two webhook secrets are valid during a rotation.
const SECRETS_MAX: usize = 2;
const PARTS: [&str; 3] = ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"];

/// The App's OAuth client, with which people sign in.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: SecretString,
}

/// GitHub App settings. The private key is validated later, by the client.
#[derive(Debug)]
pub struct GitHubApp {
    /// `https://api.github.com`, or an Enterprise Server's `https://HOST/api/v3`.
    pub api_url: String,
    /// The App's numeric id.
    pub app_id: i64,
    /// The private key in PEM.
    pub private_key: SecretString,
    /// One webhook secret, or two during a rotation.
    pub webhook_secrets: Vec<SecretString>,
    /// The OAuth client; without it nobody signs in with GitHub.
    pub client: Option<OAuthClient>,
    /// The pool's public address, as entered during setup.
    pub public_url: Option<String>,
    /// The credentials file; `None` if the environment supplied the settings.
    pub file: Option<PathBuf>,
}

/// Returns the configured base URL of the GitHub REST API.
pub(super) fn api_url(env: &Environment) -> String {
    env.get("GITHUB_API_URL").unwrap_or_else(|| API_URL.to_owned())
}

impl GitHubApp {
    /// Loads the App's settings; returns `None` if none are configured.
    ///
    /// # Errors
    /// If a part is missing or invalid.
    pub fn load(env: &Environment) -> Result<Option<Self>, ConfigError> {
        let [id, key, secret] = PARTS;
        let (app_id, private_key, webhook_secret) = match (env.secret(id)?, env.secret(key)?, env.secret(secret)?) {
            (None, None, None) => return Self::from_file(env),
            (Some(app_id), Some(private_key), Some(webhook_secret)) => (app_id, private_key, webhook_secret),
            (a, b, c) => return Err(missing([a.is_none(), b.is_none(), c.is_none()])),
        };
        let app_id = app_id.expose_secret().trim().parse().ok().filter(|id| *id > 0);
        Ok(Some(Self {
            api_url: api_url(env),
            app_id: app_id.ok_or_else(|| {
                ConfigError::new("GITHUB_APP_ID is not a number; it is the \"App ID\" on the App's settings page")
            })?,
            private_key,
            webhook_secrets: webhook_secrets("GITHUB_WEBHOOK_SECRET", &webhook_secret)?,
            client: oauth_client(env)?,
            public_url: None,
            file: None,
        }))
    }

    fn from_file(env: &Environment) -> Result<Option<Self>, ConfigError> {
        let path = credentials_file(env);
        let Some(held) = Credentials::read(&path)? else { return Ok(None) };
        let told = env.get("GITHUB_API_URL");
        let plain = |url: &str| url.trim().trim_end_matches('/').to_lowercase();
        // Another server would receive this App's credentials.
        if let Some(told) = told.filter(|told| plain(told) != plain(&held.api_url)) {
            return Err(ConfigError::new(format!(
                "GITHUB_API_URL is {told}, but the App in {} (OWP_CREDENTIALS_FILE) was registered at {}; remove one of them",
                path.display(),
                held.api_url
            )));
        }
        let app = Self::of(&held, path)?;
        Ok(Some(Self { client: oauth_client(env)?.or(app.client), ..app }))
    }

    /// Builds the settings of the App that setup registered.
    ///
    /// # Errors
    /// If the stored webhook secret is invalid.
    pub fn of(held: &Credentials, file: PathBuf) -> Result<Self, ConfigError> {
        Ok(Self {
            api_url: held.api_url.clone(),
            app_id: held.app_id,
            webhook_secrets: webhook_secrets("the webhook secret in OWP_CREDENTIALS_FILE", &held.webhook_secret)?,
            private_key: held.private_key.clone(),
            client: held.client.clone(),
            public_url: held.public_url.clone(),
            file: Some(file),
        })
    }
}

/// Returns the OAuth client of the environment, complete or absent.
fn oauth_client(env: &Environment) -> Result<Option<OAuthClient>, ConfigError> {
    match (env.secret("GITHUB_CLIENT_ID")?, env.secret("GITHUB_CLIENT_SECRET")?) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(OAuthClient { id: id.expose_secret().trim().to_owned(), secret })),
        (id, _) => {
            let (set, missing) = if id.is_some() {
                ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")
            } else {
                ("GITHUB_CLIENT_SECRET", "GITHUB_CLIENT_ID")
            };
            Err(ConfigError::new(format!(
                "{set} is set, but {missing} is missing; set both, so that people can sign in with GitHub, or neither"
            )))
        }
    }
}

fn missing(absent: [bool; 3]) -> ConfigError {
    let name = |missing: bool| {
        let chosen = PARTS.iter().zip(absent).filter(move |(_, absent)| *absent == missing);
        chosen.map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
    };
    let verb = |missing: bool| if absent.iter().filter(|a| **a == missing).count() == 1 { "is" } else { "are" };
    ConfigError::new(format!(
        "the GitHub App is only partly configured: {} {} set, {} {} missing; set all three (each may be a …_FILE instead), or none of them to use OWP_CREDENTIALS_FILE or to run without GitHub",
        name(false),
        verb(false),
        name(true),
        verb(true)
    ))
}

fn webhook_secrets(name: &str, told: &SecretString) -> Result<Vec<SecretString>, ConfigError> {
    let secrets: Vec<SecretString> =
        told.expose_secret().split(',').map(|part| part.trim().to_owned().into()).collect();
    if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
        return Err(ConfigError::new(format!("{name} holds an empty secret beside a comma")));
    }
    if secrets.len() > SECRETS_MAX {
        return Err(ConfigError::new(format!(
            "{name} holds {} secrets; two at most, separated by a comma, while one replaces the other",
            secrets.len()
        )));
    }
    Ok(secrets)
}
