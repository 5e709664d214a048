//! Authentication of workers by bearer token and of the operator by admin token. Tokens are compared by hash and never
//! logged.

use super::ApiState;
use super::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use owp_pool::worker::Worker;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(super) const BEARER: &str = "Bearer realm=\"owp\"";
const ADMIN: &str = "X-Admin-Token realm=\"owp\"";
const ADMIN_HEADER: &str = "x-admin-token";

/// Extracts the authenticated worker.
pub(super) struct AuthenticatedWorker(pub Worker);

impl FromRequestParts<ApiState> for AuthenticatedWorker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Failure> {
        let no = |detail: &str| Failure::unauthorized(BEARER, detail);
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Err(no("Send the worker's token as `Authorization: Bearer TOKEN`; registration answers it."));
        }
        let token = token(&parts.headers).ok_or_else(|| no("The Authorization header is not `Bearer TOKEN`."))?;
        match api.engine.workers().authenticate(token).await? {
            Some(worker) if !worker.revoked => Ok(Self(worker)),
            _ => Err(no("The pool does not know this token, or it was revoked.")),
        }
    }
}

/// Returns the bearer token of a request.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok().and_then(bearer)
}

/// Returns the token of an Authorization header; the scheme is case-insensitive.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Extracts proof that the operator is calling.
pub(super) struct Operator;

impl FromRequestParts<ApiState> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Failure> {
        let no = |detail: &str| Failure::unauthorized(ADMIN, detail);
        let wanted = api.admin_token.as_ref().ok_or_else(|| {
            no("Admin calls are closed: the server was started without OWP_ADMIN_TOKEN. Set it and start again.")
        })?;
        let given = parts
            .headers
            .get(ADMIN_HEADER)
            .ok_or_else(|| no("Send the operator's token in the header `X-Admin-Token`."))?;
        if same(given.as_bytes(), wanted.expose_secret().as_bytes()) {
            Ok(Self)
        } else {
            Err(no("The admin token is wrong."))
        }
    }
}

/// Compares a secret without leaking where or in which length it differs: hashes have one length.
pub(super) fn same(given: &[u8], wanted: &[u8]) -> bool {
    Sha256::digest(given).as_slice().ct_eq(Sha256::digest(wanted).as_slice()).into()
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn a_bearer_token_is_found_whatever_the_schemes_case() {
        assert_eq!(bearer("Bearer owp_1"), Some("owp_1"));
        assert_eq!(bearer("bearer  owp_1 "), Some("owp_1"));
        for other in ["owp_1", "Basic dTpw", "Bearer", "Bearer ", ""] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }
}
