//! Who looks: the operator sees everything, everybody else what is public. A credential that is sent must be right.

use super::Face;
use super::auth::{Asking, Operator};
use super::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

/// Whoever looks.
pub(super) struct Viewer {
    /// True for the operator, who sees private repositories too.
    pub everything: bool,
}

impl FromRequestParts<Face> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Result<Self, Failure> {
        if parts.headers.contains_key("x-admin-token") {
            Operator::from_request_parts(parts, face).await?;
            return Ok(Self { everything: true });
        }
        if parts.headers.contains_key(AUTHORIZATION) {
            Asking::from_request_parts(parts, face).await?;
        }
        Ok(Self { everything: false })
    }
}
