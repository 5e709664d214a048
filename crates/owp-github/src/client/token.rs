//! Credentials: the App's JWTs, and installation tokens limited to one repository and one purpose.
//!
//! Concurrent callers share one token request. A token is kept until shortly before it expires, and is never shown.

use super::{GitHub, GitHubError, Identity, http::Write};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use owp_base::clock::Clock;
use owp_pool::{Span, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// Tokens are not used in their last minutes, because a call may wait before it is sent.
const EXPIRY_MARGIN: Span = Span::minutes(5);

/// Purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// List the installation's repositories.
    Discover,
    /// Read issues and pull requests.
    Read,
    /// Read the checks and statuses of commits; not every App has this permission.
    Checks,
    /// Write issue comments.
    Comment,
    /// Read the policy file with access to all contents.
    Contents,
    /// Read the policy file with access to that file only.
    SingleFile,
    /// Read the members of an organisation's teams.
    Teams,
}

impl Purpose {
    /// Returns the minimum GitHub permissions for the purpose.
    fn permissions(self) -> serde_json::Value {
        match self {
            Self::Discover => json!({"metadata": "read"}),
            Self::Read => json!({"issues": "read", "pull_requests": "read", "metadata": "read"}),
            Self::Checks => json!({"checks": "read", "statuses": "read", "metadata": "read"}),
            Self::Comment => json!({"issues": "write", "metadata": "read"}),
            Self::Contents => json!({"contents": "read", "metadata": "read"}),
            Self::SingleFile => json!({"single_file": "read", "metadata": "read"}),
            Self::Teams => json!({"members": "read"}),
        }
    }
}

/// Installation, repository and purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) installation: i64,
    /// GitHub's repository id; `None` for purposes that concern the whole installation.
    pub(super) repo: Option<i64>,
    pub(super) purpose: Purpose,
}

/// Time for which a signed JWT is used again.
const JWT_REUSED_FOR: Span = Span::minutes(4);

/// The App's private key for signing. It is parsed once: the checks of a parsed key take longer than a signature, and
/// `jsonwebtoken::encode` repeats them for each.
pub(super) struct AppKey {
    app_id: i64,
    pair: KeyPair,
    /// The last JWT and the time of its signature: a signature takes longer than everything else about a request.
    signed: Mutex<Option<(Timestamp, SecretString)>>,
}

#[derive(serde::Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

impl AppKey {
    /// Parses the key, so that a bad key fails at startup and not at the first webhook.
    pub(super) fn new(app_id: i64, pem: &SecretString) -> Result<Self, GitHubError> {
        let bad = || {
            GitHubError::Config {
            message: "the App's private key is not an RSA key in PEM: GITHUB_APP_PRIVATE_KEY(_FILE) should be the .pem that GitHub let you download, which begins with -----BEGIN RSA PRIVATE KEY-----"
                .to_owned(),
        }
        };
        let pem = SecretString::from(pem.expose_secret().trim().replace("\\n", "\n"));
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|_| bad())?;
        let pair = KeyPair::from_der(key.inner()).map_err(|_| bad())?;
        Ok(Self { app_id, pair, signed: Mutex::default() })
    }

    pub(super) fn app_id(&self) -> i64 {
        self.app_id
    }

    /// Signs a JWT for the maximum of ten minutes, less the tolerated clock difference.
    /// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
    pub(super) fn jwt(&self, clock: &Clock) -> Result<SecretString, GitHubError> {
        let at = Timestamp(clock.now_ms());
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        // A JWT that was signed before the clock was set back is not valid yet.
        if let Some((_, jwt)) = signed.as_ref().filter(|(since, _)| (*since..*since + JWT_REUSED_FOR).contains(&at)) {
            return Ok(jwt.clone());
        }
        let now = at.0 / 1000;
        let claims = Claims { iat: now - 60, exp: now + 9 * 60, iss: self.app_id.to_string() };
        let jwt = SecretString::from(self.sign(&claims)?);
        Ok(signed.insert((at, jwt)).1.clone())
    }

    /// Returns a JWT in compact form, RFC 7515, section 7.1.
    fn sign(&self, claims: &Claims) -> Result<String, GitHubError> {
        let unusable = || GitHubError::Config { message: "the App's private key cannot sign".to_owned() };
        let header = serde_json::to_vec(&Header::new(Algorithm::RS256)).map_err(|_| unusable())?;
        let claims = serde_json::to_vec(claims).map_err(|_| unusable())?;
        let message = format!("{}.{}", BASE64URL_NOPAD.encode(&header), BASE64URL_NOPAD.encode(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature);
        signed.map_err(|_| unusable())?;
        Ok(format!("{message}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

struct Token {
    secret: SecretString,
    expires_at: Timestamp,
}

/// One mutex per scope: callers of the same scope share one token request and do not block other scopes.
#[derive(Default)]
pub(super) struct Tokens(AsyncMutex<HashMap<Scope, Arc<AsyncMutex<Option<Token>>>>>);

impl Tokens {
    async fn slot(&self, scope: Scope) -> Arc<AsyncMutex<Option<Token>>> {
        self.0.lock().await.entry(scope).or_default().clone()
    }

    async fn forget(&self, installation: i64) {
        self.0.lock().await.retain(|scope, _| scope.installation != installation);
    }
}

#[derive(serde::Deserialize)]
struct Minted {
    token: String,
    expires_at: String,
}

impl GitHub {
    /// Drops the tokens, permissions, cached lists and rate limits of an installation that is gone.
    pub async fn forget(&self, installation: i64) {
        self.0.tokens.forget(installation).await;
        self.0.permissions.forget(None);
        self.0.pages.forget(installation);
        self.0.rate_limits.forget(installation);
        self.0.quotas.forget(installation);
        self.0.slots.forget(installation);
    }

    pub(super) fn app_jwt(&self) -> Result<SecretString, GitHubError> {
        self.0.key.jwt(&self.0.clock)
    }

    /// Returns the token of a scope. Mints one if there is none or it is about to expire. While the installation is
    /// rate limited no token is minted, because no call could use it.
    pub(super) async fn token(&self, scope: Scope) -> Result<SecretString, GitHubError> {
        self.may_ask(Identity::Installation(scope))?;
        let slot = self.0.tokens.slot(scope).await;
        let mut slot = slot.lock().await;
        let now = self.now();
        if let Some(token) = slot.as_ref().filter(|token| now + EXPIRY_MARGIN < token.expires_at) {
            return Ok(token.secret.clone());
        }
        *slot = None;
        let token = self.mint(scope).await.map_err(|cause| GitHubError::NoToken { cause: Box::new(cause) })?;
        Ok(slot.insert(token).secret.clone())
    }

    /// Returns a fresh token in place of `refused`, unless another caller has already replaced it.
    pub(super) async fn replace_token(
        &self,
        scope: Scope,
        refused: &SecretString,
    ) -> Result<SecretString, GitHubError> {
        let slot = self.0.tokens.slot(scope).await;
        slot.lock().await.take_if(|token| token.secret.expose_secret() == refused.expose_secret());
        self.token(scope).await
    }

    async fn mint(&self, scope: Scope) -> Result<Token, GitHubError> {
        let mut body = json!({"permissions": scope.purpose.permissions()});
        if let Some(repo) = scope.repo {
            body["repository_ids"] = json!([repo]);
        }
        let write = Write::MintToken { installation: scope.installation };
        let jwt = self.app_jwt()?;
        let response = self.send(Identity::App, self.0.http.write(&write, &jwt, Some(&body))).await?;
        let minted: Minted = response.json()?;
        let expires_at = Timestamp::parse_rfc3339(&minted.expires_at)
            .ok_or_else(|| GitHubError::Malformed { reason: "a token without an expiry time".to_owned() })?;
        Ok(Token { secret: SecretString::from(minted.token), expires_at })
    }
}
