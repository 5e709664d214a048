//! Authenticates requests: the app's RS256 JWT, an installation token, a user token, or anonymous.
//!
//! The JWT is verified against the sandbox's clock (GitHub docs: "Generating a JSON Web Token for a GitHub App").

use super::{
    error::ApiError,
    world::{World, access::Caller, model::Holder},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;

/// Maximum lifetime of a JWT, in seconds.
const LONGEST: i64 = 600;
/// Tolerated clock difference, in seconds.
const DRIFT: i64 = 5;

/// Returns the token of an `Authorization` header: `Bearer X` or `token X`.
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then(|| token.trim())
}

/// Returns true if a token has the form of the app's tokens, valid or not.
pub(super) fn looks_like_app(token: &str) -> bool {
    token.starts_with("ghs_") || token.split('.').count() == 3
}

impl World {
    /// Returns the caller behind an `Authorization` header.
    pub(super) fn identify(&self, header: Option<&str>) -> Result<Caller, ApiError> {
        let Some(header) = header else { return Ok(Caller::Anonymous) };
        let token = bearer(header).ok_or_else(ApiError::bad_credentials)?;
        if token.split('.').count() == 3 {
            return self.verify_jwt(token);
        }
        let held = self.tokens.get(token).ok_or_else(ApiError::bad_credentials)?;
        if held.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(ApiError::bad_credentials());
        }
        match &held.holder {
            Holder::User(id) => Ok(Caller::User(*id)),
            Holder::Installation { id, repos, permissions } => {
                let installation = self.installation(*id).map_err(|_| ApiError::bad_credentials())?;
                if installation.suspended.is_some() {
                    return Err(ApiError::new(403, "This installation has been suspended"));
                }
                Ok(Caller::Installation { id: *id, repos: repos.clone(), permissions: permissions.clone() })
            }
        }
    }

    fn verify_jwt(&self, token: &str) -> Result<Caller, ApiError> {
        let unreadable = || ApiError::new(401, "A JSON web token could not be decoded");
        let mut rules = Validation::new(Algorithm::RS256);
        // The times are checked below, against the sandbox's own clock.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let key = DecodingKey::from_rsa_der(&self.key.public_der);
        let claims = decode::<Value>(token, &key, &rules).map_err(|_| unreadable())?.claims;
        let now = self.now() / 1_000;
        let numeric = |name: &str| claims[name].as_i64().or_else(|| claims[name].as_f64().map(|f| f as i64));
        let Some(exp) = numeric("exp") else {
            return Err(ApiError::new(401, "Missing 'exp' claim in assertion"));
        };
        if exp <= now {
            return Err(ApiError::new(401, "'Expiration time' claim ('exp') must be in the future"));
        }
        if exp > now + LONGEST {
            return Err(ApiError::new(401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        let Some(iat) = numeric("iat") else {
            return Err(ApiError::new(401, "Missing 'iat' claim in assertion"));
        };
        if iat > now + DRIFT {
            return Err(ApiError::new(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            ));
        }
        // The app id as a number or text, or the client id.
        let issuer = claims["iss"].as_str().map_or_else(|| claims["iss"].to_string(), str::to_owned);
        if issuer != self.app.id.to_string() && issuer != self.app.client_id() {
            return Err(ApiError::new(404, "Integration not found"));
        }
        Ok(Caller::App)
    }
}
