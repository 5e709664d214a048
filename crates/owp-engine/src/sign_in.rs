//! Sessions of people who signed in on the pages.

use crate::Sessions;
use crate::error::EngineError;
use crate::workers::contributors::secret_hash;
use data_encoding::BASE64URL_NOPAD;
use owp_github::client::{GitHubError, SignIn, SignInSecrets, UserRef};
use owp_pool::Span;
use owp_store::{Scope, SessionOwner, SessionRow, transaction};
use secrecy::{ExposeSecret, SecretString};

/// Lifetime of an operator's session.
const OPERATOR_FOR: Span = Span::hours(12);
/// Lifetime of a user's session.
const USER_FOR: Span = Span::days(7);
/// Ended sessions that one sign-in removes.
const ENDED_AT_ONCE: i64 = 200;

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedIn {
    /// The operator.
    Operator,
    /// A GitHub user.
    User {
        /// GitHub's user id.
        github_id: i64,
        /// The login at sign-in.
        login: String,
    },
}

impl SignedIn {
    /// Returns the name under which acts are recorded.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::User { login, .. } => login,
        }
    }
}

/// A new session.
#[derive(Debug)]
pub struct NewSession {
    /// The secret for the browser's cookie.
    pub secret: SecretString,
    /// Time after which it ends by itself.
    pub lasts: Span,
}

impl Sessions<'_> {
    /// Opens a session for the operator, who gave this admin token. The caller has checked the token.
    pub async fn open_for_operator(&self, admin_token: &SecretString) -> Result<NewSession, EngineError> {
        self.open(SessionOwner::Operator { mark: mark(admin_token) }, OPERATOR_FOR).await
    }

    /// Opens a session for a GitHub user whose identity GitHub has confirmed.
    async fn open_for_user(&self, github_id: i64, login: &str) -> Result<NewSession, EngineError> {
        self.open(SessionOwner::User { github_id, login: login.to_owned() }, USER_FOR).await
    }

    /// Returns true if people can sign in with GitHub.
    #[must_use]
    pub fn has_github(&self) -> bool {
        self.github().is_some_and(|github| github.sign_in.is_some())
    }

    /// Begins a sign-in with GitHub, which sends the browser back to `back`. Returns GitHub's page, and the secrets that
    /// the browser keeps until then.
    ///
    /// # Errors
    /// [`EngineError::GitHub`] if no OAuth client is configured.
    pub fn begin_with_github(&self, back: &str) -> Result<(String, SignInSecrets), EngineError> {
        let secret = || BASE64URL_NOPAD.encode(&self.store().entropy().bytes::<32>());
        let secrets = SignInSecrets { state: secret(), verifier: SecretString::from(secret()) };
        Ok((self.oauth_client()?.page(back, &secrets)?, secrets))
    }

    /// Ends a sign-in with GitHub: opens a session for the person whose code it is.
    ///
    /// # Errors
    /// [`EngineError::GitHub`] if GitHub rejects the code or does not respond. The code works once.
    pub async fn finish_with_github(
        &self,
        back: &str,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<(NewSession, String), EngineError> {
        let account = self.oauth_client()?.finish(back, code, secrets).await?;
        let UserRef { id, login, is_bot } = account.clone();
        self.write(Scope::global(), transaction!(|tx| Ok(tx.people().record(id, &login, is_bot).await.map(drop)?)))
            .await?;
        Ok((self.open_for_user(account.id, &account.login).await?, account.login))
    }

    fn oauth_client(&self) -> Result<&SignIn, EngineError> {
        let missing = || GitHubError::Config { message: "the App's OAuth client is not configured".to_owned() };
        Ok(self.github_side()?.sign_in.as_ref().ok_or_else(missing)?)
    }

    async fn open(&self, owner: SessionOwner, lasts: Span) -> Result<NewSession, EngineError> {
        let secret = SecretString::from(BASE64URL_NOPAD.encode(&self.store().entropy().bytes::<32>()));
        let hash = secret_hash(secret.expose_secret());
        self.write(
            Scope::global(),
            transaction!(|tx| {
                tx.sessions().forget_ended(ENDED_AT_ONCE).await?;
                let expires_at = tx.now() + lasts;
                Ok(tx.sessions().insert(&hash, &SessionRow { owner, expires_at }).await?)
            }),
        )
        .await?;
        Ok(NewSession { secret, lasts })
    }

    /// Returns who is signed in with this secret. `admin_token` is the one in force: a session that another one opened
    /// is not valid.
    pub async fn find(
        &self,
        secret: &str,
        admin_token: Option<&SecretString>,
    ) -> Result<Option<SignedIn>, EngineError> {
        let hash = secret_hash(secret);
        let found = self.read(transaction!(|tx| Ok(tx.sessions().get(&hash).await?))).await?;
        Ok(match found.map(|session| session.owner) {
            Some(SessionOwner::Operator { mark: opened_with }) => {
                admin_token.is_some_and(|token| mark(token) == opened_with).then_some(SignedIn::Operator)
            }
            Some(SessionOwner::User { github_id, login }) => Some(SignedIn::User { github_id, login }),
            None => None,
        })
    }

    /// Ends a session, or all sessions of the same owner.
    pub async fn end(&self, secret: &str, everywhere: bool) -> Result<(), EngineError> {
        let hash = secret_hash(secret);
        self.write(
            Scope::global(),
            transaction!(|tx| {
                let Some(session) = tx.sessions().get(&hash).await? else { return Ok(()) };
                if everywhere {
                    return Ok(tx.sessions().end_all_of(&session.owner).await?);
                }
                Ok(tx.sessions().end(&hash).await?)
            }),
        )
        .await
    }
}

/// Returns the digest that ties an operator's session to an admin token.
fn mark(admin_token: &SecretString) -> String {
    secret_hash(&format!("session {}", admin_token.expose_secret()))
}
