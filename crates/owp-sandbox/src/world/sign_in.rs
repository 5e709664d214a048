//! Sign-in of users with the app's OAuth client: the web application flow, with state and PKCE. (GitHub docs: "Generating
//! a user access token for a GitHub App".)

use super::{
    World,
    model::{Holder, Token, User, UserKind},
};
use crate::error::ApiError;
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// Lifetime of a code: ten minutes.
const CODE_MS: i64 = 10 * 60 * 1_000;
/// Lifetime of a user access token: eight hours.
const TOKEN_MS: i64 = 8 * 60 * 60 * 1_000;

/// A code that was handed out and not yet exchanged.
#[derive(Debug, Clone)]
pub(crate) struct SignInCode {
    user: u64,
    redirect: String,
    challenge: Option<String>,
    at: i64,
}

/// What a browser asks for on GitHub's sign-in page.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct SignInRequest {
    pub client_id: String,
    pub redirect_uri: String,
    #[serde(default)]
    pub state: String,
    pub code_challenge: Option<String>,
    pub code_challenge_method: Option<String>,
}

/// Why a code is not exchanged, as GitHub names it.
pub(crate) type Rejection = (&'static str, &'static str);

impl World {
    /// Returns the people that can sign in.
    pub(crate) fn people(&self) -> impl Iterator<Item = &User> {
        self.users.values().filter(|user| user.kind == UserKind::User && !user.vanished)
    }

    /// Checks a request for a sign-in: the client and where GitHub sends the browser back.
    pub(crate) fn check_sign_in(&self, asked: &SignInRequest) -> Result<(), ApiError> {
        if asked.client_id != self.app.client_id() {
            return Err(ApiError::not_found());
        }
        if !self.app.callbacks.contains(&asked.redirect_uri) {
            return Err(ApiError::new(400, "The redirect_uri is not associated with this application."));
        }
        match (&asked.code_challenge, asked.code_challenge_method.as_deref()) {
            (None, None) | (Some(_), Some("S256")) => Ok(()),
            _ => Err(ApiError::new(400, "Only S256 is supported as code_challenge_method.")),
        }
    }

    /// Signs a user in; returns where the browser goes back to.
    pub(crate) fn sign_in(&mut self, login: &str, asked: SignInRequest) -> Result<String, ApiError> {
        self.check_sign_in(&asked)?;
        let user = self.user_by_login(login)?;
        let code = self.hex(10);
        let SignInRequest { redirect_uri: redirect, state, code_challenge: challenge, .. } = asked;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &state)
            .finish();
        let to = format!("{redirect}?{query}");
        self.sign_ins.insert(code, SignInCode { user, redirect, challenge, at: self.now() });
        Ok(to)
    }

    /// Exchanges a code, once and within ten minutes, for a user access token.
    pub(crate) fn exchange(
        &mut self,
        (client_id, client_secret): (&str, &str),
        code: &str,
        (redirect, verifier): (&str, &str),
    ) -> Result<String, Rejection> {
        if client_id != self.app.client_id() || client_secret != self.app.client_secret {
            return Err(("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."));
        }
        let wrong = ("bad_verification_code", "The code passed is incorrect or expired.");
        let found = self.sign_ins.remove(code).filter(|found| self.now() - found.at < CODE_MS).ok_or(wrong)?;
        if found.redirect != redirect {
            return Err((
                "redirect_uri_mismatch",
                "The redirect_uri MUST match the registered callback URL for this application.",
            ));
        }
        let proof = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()));
        if found.challenge.is_some_and(|challenge| challenge != proof) {
            return Err(wrong);
        }
        let text = format!("ghu_{}", self.hex(18));
        let token = Token { holder: Holder::User(found.user), expires_at: Some(self.now() + TOKEN_MS) };
        self.tokens.insert(text.clone(), token);
        Ok(text)
    }
}
