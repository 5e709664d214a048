//! Registering the GitHub App while the pool runs: who may, with what, and what is done with the credentials.
//!
//! A setup token from the log is exchanged, once, for a session of one browser. A session makes a manifest with a fresh
//! `state`, and takes the code that comes back with it: each state once, within the hour, in that browser. Only then are
//! the credentials fetched, stored and used, without a restart.

use crate::{Engine, GITHUB_PATIENCE, GitHubSide};
use data_encoding::BASE64URL_NOPAD;
use owp_config::{Credentials, GitHubApp, Obstacle};
use owp_github::client::{Address, GitHubError, convert_manifest};
use owp_github::manifest::{self, Extras};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// How long a browser has, which is also how long GitHub keeps its code.
pub(crate) const SESSION_SECS: i64 = 60 * 60;

/// What setup is told at the start.
#[derive(Debug, Clone)]
pub struct SetupSettings {
    /// GitHub's REST API.
    pub api_url: String,
    /// Where the credentials are kept.
    pub credentials_file: PathBuf,
    /// What the operator reads in the log.
    pub token: SecretString,
}

/// What somebody fills in. The two addresses are checked by who read them: a scheme and a host, no slash at the end.
#[derive(Debug, Clone, Default)]
pub struct SetupWish {
    /// The setup token, where the browser has no session.
    pub token: String,
    /// The session the browser has.
    pub session: Option<String>,
    /// Where GitHub and everybody else reach the pool.
    pub public: String,
    /// Where this browser reaches it.
    pub back: String,
    /// The organisation that shall own the App; else the person who registers it.
    pub organization: Option<String>,
    /// What it asks for beyond the plain manifest.
    pub extras: Extras,
}

/// What the browser is to post to GitHub.
#[derive(Debug)]
pub struct SetupForm {
    /// What stands between GitHub and the public address, if anything does.
    pub obstacle: Option<Obstacle>,
    /// Where.
    pub action: String,
    /// The field `manifest`.
    pub manifest: String,
    /// GitHub's pages, the only other place a form may go.
    pub origin: String,
    /// The browser's session from now on.
    pub session: String,
}

/// An App that is in use.
#[derive(Debug)]
pub struct SetupDone {
    /// Its name as people read it.
    pub name: String,
    /// Where it is installed on repositories.
    pub install_url: String,
    /// Where its credentials are kept.
    pub file: PathBuf,
    /// Why they could not be kept, if so: they are lost when the process ends.
    pub not_kept: Option<String>,
}

/// Why setup goes no further.
#[derive(Debug, thiserror::Error)]
pub enum SetupRefused {
    /// There is an App already, or setup is not offered here.
    #[error("this pool has its GitHub App")]
    Closed,
    /// Neither the token nor a session.
    #[error("that is not the setup token")]
    Token,
    /// The token has opened a session, and this browser does not have it.
    #[error("the setup token has been used")]
    TokenUsed,
    /// The credentials could not be kept, so nothing is registered.
    #[error("the credentials could not be kept in {file}: {cause}")]
    Place {
        /// Where.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// What came back does not belong to what was sent, or comes too late or again.
    #[error("this answer does not belong to a registration that was begun here within the hour")]
    State,
    /// GitHub did not hand the App over.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// What GitHub handed over cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// What is known between two requests. Nothing of it outlives the process.
pub(crate) struct Desk(Option<(SetupSettings, Mutex<Held>)>);

#[derive(Default)]
struct Held {
    token_used: bool,
    session: Option<Session>,
}

struct Session {
    secret: String,
    /// Waits to come back from GitHub.
    state: Option<String>,
    /// The public address that the form was filled with.
    public: String,
    /// Unix ms.
    ends_at: i64,
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

impl Desk {
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

impl Engine {
    fn setup_open(&self) -> Result<(&SetupSettings, std::sync::MutexGuard<'_, Held>), SetupRefused> {
        if self.github().is_some() {
            return Err(SetupRefused::Closed);
        }
        self.0.setup.open()
    }

    /// Whether this browser's session makes the token unnecessary.
    ///
    /// # Errors
    /// [`SetupRefused::Closed`].
    pub fn setup_knows(&self, session: Option<&str>) -> Result<bool, SetupRefused> {
        let (_, held) = self.setup_open()?;
        Ok(held.knows(session, self.store().clock().now_ms()))
    }

    /// What stands between GitHub and an address, if anything does.
    ///
    /// # Errors
    /// [`SetupRefused::Closed`].
    pub fn setup_obstacle(&self, address: &str) -> Result<Option<Obstacle>, SetupRefused> {
        Ok(Obstacle::between(&self.setup_open()?.0.api_url, address))
    }

    /// Begins a registration; one that was begun before in the same browser is forgotten.
    ///
    /// # Errors
    /// Every [`SetupRefused`] but those of [`Engine::setup_finish`].
    pub fn setup_begin(&self, wish: &SetupWish) -> Result<SetupForm, SetupRefused> {
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
        // GitHub hands the credentials over once; better to know now that there is no place for them.
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

    /// Takes what GitHub sent the browser back with: fetches the App, keeps its credentials and begins to use it.
    ///
    /// # Errors
    /// [`SetupRefused::State`] for what does not belong here, [`SetupRefused::GitHub`] when the App is not handed over.
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
            // Taken before anything else happens: a state works once, whatever comes of it.
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
            public_url: Some(public.clone()),
        };
        let file = settings.credentials_file;
        let told = GitHubApp::of(&held, file.clone()).map_err(|error| SetupRefused::Unusable(error.to_string()))?;
        let side = GitHubSide::of(&told, clock.clone())?;
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
        if !self.set_github(side) {
            return Err(SetupRefused::Closed);
        }
        self.settings().public_url.learn(&told.api_url, &public);
        Ok(SetupDone { name: app.name, install_url, file, not_kept })
    }
}
