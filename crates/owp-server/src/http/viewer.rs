//! Who looks: the operator sees everything, everybody else what is public, and a worker beside that the events about
//! itself. A credential that is sent must be right.

use super::Face;
use super::auth::{Asking, Operator};
use super::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use owp_pool::WorkerId;

/// Whoever looks.
pub(super) struct Viewer {
    /// True for the operator, who sees private repositories too.
    pub everything: bool,
    /// The worker, when one looks.
    pub worker: Option<WorkerId>,
}

impl FromRequestParts<Face> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Result<Self, Failure> {
        if parts.headers.contains_key("x-admin-token") {
            Operator::from_request_parts(parts, face).await?;
            return Ok(Self { everything: true, worker: None });
        }
        let mut worker = None;
        if parts.headers.contains_key(AUTHORIZATION) {
            worker = Some(Asking::from_request_parts(parts, face).await?.0.id);
        }
        Ok(Self { everything: false, worker })
    }
}
