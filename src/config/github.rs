//! The GitHub App's credentials: all of them, or none.

use super::{ConfigError, Environment};
use secrecy::{ExposeSecret, SecretString};

const API_URL: &str = "https://api.github.com";
/// During a rotation two secrets are valid.
const SECRETS_MAX: usize = 2;
const PARTS: [&str; 3] = ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"];

/// A GitHub App as it is told. Whether the key is one is for the client to say.
#[derive(Debug)]
pub struct GitHubApp {
    /// `https://api.github.com`, or an Enterprise Server's `https://HOST/api/v3`.
    pub api_url: String,
    /// The App's numeric id.
    pub app_id: i64,
    /// PEM.
    pub private_key: SecretString,
    /// One, or two while one replaces the other.
    pub webhook_secrets: Vec<SecretString>,
}

impl GitHubApp {
    /// The App, or `None` when nothing is told about one.
    ///
    /// # Errors
    /// When a part is missing or cannot be used.
    pub fn load(env: &Environment) -> Result<Option<Self>, ConfigError> {
        let [id, key, secret] = PARTS;
        let (app_id, private_key, webhook_secret) = match (env.secret(id)?, env.secret(key)?, env.secret(secret)?) {
            (None, None, None) => return Ok(None),
            (Some(app_id), Some(private_key), Some(webhook_secret)) => (app_id, private_key, webhook_secret),
            (a, b, c) => return Err(missing([a.is_none(), b.is_none(), c.is_none()])),
        };
        let app_id = app_id.expose_secret().trim().parse().ok().filter(|id| *id > 0);
        Ok(Some(Self {
            api_url: env.get("GITHUB_API_URL").unwrap_or_else(|| API_URL.to_owned()),
            app_id: app_id.ok_or_else(|| {
                ConfigError::new("GITHUB_APP_ID is not a number; it is the \"App ID\" on the App's settings page")
            })?,
            private_key,
            webhook_secrets: webhook_secrets(&webhook_secret)?,
        }))
    }
}

fn missing(absent: [bool; 3]) -> ConfigError {
    let name = |missing: bool| {
        let chosen = PARTS.iter().zip(absent).filter(move |(_, absent)| *absent == missing);
        chosen.map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
    };
    let verb = |missing: bool| if absent.iter().filter(|a| **a == missing).count() == 1 { "is" } else { "are" };
    ConfigError::new(format!(
        "the GitHub App is told only in part: {} {} set, {} {} missing; set all three (each may be a …_FILE instead), or none to run without GitHub",
        name(false),
        verb(false),
        name(true),
        verb(true)
    ))
}

fn webhook_secrets(told: &SecretString) -> Result<Vec<SecretString>, ConfigError> {
    let secrets: Vec<SecretString> =
        told.expose_secret().split(',').map(|part| part.trim().to_owned().into()).collect();
    if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
        return Err(ConfigError::new("GITHUB_WEBHOOK_SECRET holds an empty secret beside a comma"));
    }
    if secrets.len() > SECRETS_MAX {
        return Err(ConfigError::new(format!(
            "GITHUB_WEBHOOK_SECRET holds {} secrets; two at most, separated by a comma, while one replaces the other",
            secrets.len()
        )));
    }
    Ok(secrets)
}
