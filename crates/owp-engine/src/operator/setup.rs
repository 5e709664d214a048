//! Registration of the GitHub App at runtime: access, input, and use of the credentials.
//!
//! A setup token from the log is exchanged, once, for a session of one browser. A session creates a manifest with a
//! fresh `state`, and accepts the code that comes back with it. Each state works once, within the hour and in one
//! browser. Only then are the credentials fetched, stored and used, without a restart.

use crate::{GITHUB_PATIENCE, GitHubSide, Operator};
use data_encoding::BASE64URL_NOPAD;
use owp_config::{Credentials, GitHubApp, OAuthClient, Obstacle};
use owp_github::client::{Address, GitHubError, convert_manifest};
use owp_github::manifest::{self, Extras};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// Lifetime of a session, equal to that of GitHub's code.
pub(crate) const SESSION_SECS: i64 = 60 * 60;

/// Settings of setup.
#[derive(Debug, Clone)]
pub struct SetupSettings {
    /// GitHub's REST API.
    pub api_url: String,
    /// File for the credentials.
    pub credentials_file: PathBuf,
    /// Setup token, which the operator reads in the log.
    pub token: SecretString,
}

/// Input of the setup form. The caller has checked both addresses: a scheme and a host, no trailing slash.
#[derive(Debug, Clone, Default)]
pub struct SetupRequest {
    /// Setup token, if the browser has no session.
    pub token: String,
    /// The browser's session.
    pub session: Option<String>,
    /// Address at which GitHub and contributors reach the pool.
    pub public: String,
    /// Address at which this browser reaches it.
    pub back: String,
    /// Organisation that will own the App; without one, the person who registers it.
    pub organization: Option<String>,
    /// Additions to the plain manifest.
    pub extras: Extras,
}

/// The form that the browser posts to GitHub.
#[derive(Debug)]
pub struct SetupForm {
    /// Obstacle between GitHub and the public address, if any.
    pub obstacle: Option<Obstacle>,
    /// Target of the form.
    pub action: String,
    /// The field `manifest`.
    pub manifest: String,
    /// Origin of GitHub's pages, the only other allowed form target.
    pub origin: String,
    /// The browser's new session.
    pub session: String,
}

/// A registered App that is in use.
#[derive(Debug)]
pub struct SetupDone {
    /// Display name.
    pub name: String,
    /// Page for installing it on repositories.
    pub install_url: String,
    /// File of its credentials.
    pub file: PathBuf,
    /// Error that kept them from being stored: they are lost when the process ends.
    pub not_kept: Option<String>,
}

/// Reason setup cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum SetupRefused {
    /// The pool has an App already, or setup is disabled.
    #[error("this pool has its GitHub App")]
    Closed,
    /// Neither a valid token nor a session.
    #[error("that is not the setup token")]
    Token,
    /// The token has opened a session, which this browser does not have.
    #[error("the setup token has been used")]
    TokenUsed,
    /// The credentials could not be stored, so nothing is registered.
    #[error("the credentials could not be kept in {file}: {cause}")]
    Place {
        /// The file.
        file: String,
        /// The system's error.
        cause: String,
    },
    /// The response does not match a request, is too late, or was used before.
    #[error("this answer does not belong to a registration that was begun here within the hour")]
    State,
    /// GitHub did not return the App.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// GitHub returned something unusable.
    #[error("{0}")]
    Unusable(String),
}

/// State between two requests. It does not outlive the process.
pub(crate) struct SetupState(Option<(SetupSettings, Mutex<Held>)>);

#[derive(Default)]
struct Held {
    token_used: bool,
    session: Option<Session>,
}

struct Session {
    secret: String,
    /// Value that GitHub is expected to return.
    state: Option<String>,
    /// Public address from the form.
    public: String,
    /// Expiry in Unix ms.
    ends_at: i64,
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

impl SetupState {
    pub(crate) fn new(settings: Option<&SetupSettings>) -> Self {
        Self(settings.map(|settings| (settings.clone(), Mutex::default())))
    }

    fn open(&self) -> Result<(&SetupSettings, std::sync::MutexGuard<'_, Held>), SetupRefused> {
        let (settings, held) = self.0.as_ref().ok_or(SetupRefused::Closed)?;
        Ok((settings, held.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Held {
    fn knows(&self, session: Option<&str>, now: i64) -> bool {
        let live = self.session.as_ref().filter(|live| now < live.ends_at);
        live.zip(session).is_some_and(|(live, told)| same(&live.secret, told))
    }
}

impl Operator<'_> {
    fn setup_open(&self) -> Result<(&SetupSettings, std::sync::MutexGuard<'_, Held>), SetupRefused> {
        if self.github().is_some() {
            return Err(SetupRefused::Closed);
        }
        self.inner().setup.open()
    }

    /// Returns true when this browser's session makes the token unnecessary.
    ///
    /// # Errors
    /// [`SetupRefused::Closed`].
    pub fn setup_knows(&self, session: Option<&str>) -> Result<bool, SetupRefused> {
        let (_, held) = self.setup_open()?;
        Ok(held.knows(session, self.store().clock().now_ms()))
    }

    /// Returns the obstacle between GitHub and an address, if any.
    ///
    /// # Errors
    /// [`SetupRefused::Closed`].
    pub fn setup_obstacle(&self, address: &str) -> Result<Option<Obstacle>, SetupRefused> {
        Ok(Obstacle::between(&self.setup_open()?.0.api_url, address))
    }

    /// Begins a registration and discards an earlier one.
    ///
    /// # Errors
    /// Every [`SetupRefused`] but those of [`Operator::setup_finish`].
    pub fn setup_begin(&self, wish: &SetupRequest) -> Result<SetupForm, SetupRefused> {
        let now = self.store().clock().now_ms();
        let secret = || BASE64URL_NOPAD.encode(&self.store().entropy().bytes::<32>());
        let (settings, mut held) = self.setup_open()?;
        if !held.knows(wish.session.as_deref(), now) {
            if !same(settings.token.expose_secret(), wish.token.trim()) {
                return Err(SetupRefused::Token);
            }
            if held.token_used {
                return Err(SetupRefused::TokenUsed);
            }
        }
        let state = secret();
        let form = SetupForm {
            obstacle: Obstacle::between(&settings.api_url, &wish.public),
            action: manifest::registration_url(&settings.api_url, wish.organization.as_deref(), &state)?,
            manifest: manifest::manifest(&wish.public, &wish.back, wish.extras)?.to_string(),
            origin: manifest::web_origin(&settings.api_url)?,
            session: secret(),
        };
        // GitHub returns the credentials only once, so check first that they can be stored.
        Credentials::try_place(&settings.credentials_file).map_err(|cause| SetupRefused::Place {
            file: settings.credentials_file.display().to_string(),
            cause: cause.to_string(),
        })?;
        held.token_used = true;
        let ends_at = now + SESSION_SECS * 1_000;
        held.session =
            Some(Session { secret: form.session.clone(), state: Some(state), public: wish.public.clone(), ends_at });
        Ok(form)
    }

    /// Finishes a registration: fetches the App with GitHub's code, stores its credentials and starts to use it.
    ///
    /// # Errors
    /// [`SetupRefused::State`] for an unknown state, [`SetupRefused::GitHub`] when GitHub does not return the App.
    pub async fn setup_finish(
        &self,
        code: &str,
        state: &str,
        session: Option<&str>,
    ) -> Result<SetupDone, SetupRefused> {
        let clock = self.store().clock();
        let (settings, public) = {
            let (settings, mut held) = self.setup_open()?;
            let known = held.knows(session, clock.now_ms());
            let waiting = held.session.as_mut().filter(|_| known);
            // Taken first: a state works once, whatever the outcome.
            let taken = waiting.and_then(|session| {
                session.state.take_if(|waiting| same(waiting, state)).map(|_| session.public.clone())
            });
            (settings.clone(), taken.ok_or(SetupRefused::State)?)
        };
        let address = Address { api_url: settings.api_url.clone(), timeout: GITHUB_PATIENCE, clock: clock.clone() };
        let app = convert_manifest(&address, code).await?;
        let origin = manifest::web_origin(&settings.api_url)?;
        let page = Some(app.html_url).filter(|url| url.starts_with(&format!("{origin}/")));
        let install_url =
            format!("{}/installations/new", page.unwrap_or_else(|| format!("{origin}/apps/{}", app.slug)));
        let held = Credentials {
            api_url: settings.api_url,
            app_id: app.id,
            slug: app.slug,
            private_key: app.private_key,
            webhook_secret: app.webhook_secret,
            client: app.client.map(|(id, secret)| OAuthClient { id, secret }),
            public_url: Some(public.clone()),
        };
        let file = settings.credentials_file;
        let told = GitHubApp::of(&held, file.clone()).map_err(|error| SetupRefused::Unusable(error.to_string()))?;
        let side = GitHubSide::of(&told, clock.clone())?;
        // Only the App that is in use may be kept: the next start loads it.
        if !self.set_github(side) {
            return Err(SetupRefused::Closed);
        }
        let not_kept = held.write(&file).err().map(|cause| cause.to_string());
        match &not_kept {
            None => tracing::info!(
                "GitHub App {} is registered and in use; its credentials are in {}",
                told.app_id,
                file.display()
            ),
            Some(why) => {
                tracing::error!(
                    "GitHub App {} is in use, but {} cannot be written: {why}",
                    told.app_id,
                    file.display()
                );
            }
        }
        self.settings().public_url.learn(&told.api_url, &public);
        Ok(SetupDone { name: app.name, install_url, file, not_kept })
    }
}
