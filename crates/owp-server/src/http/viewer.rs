//! Authorisation of readers: the operator sees everything, others see public data, and a worker also sees events about
//! itself. A credential that is sent must be valid.

use super::ApiState;
use super::auth::{AuthenticatedWorker, Operator};
use super::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use owp_pool::WorkerId;

/// The reader of a public resource.
pub(super) struct Viewer {
    /// True for the operator, who also sees private repositories.
    pub everything: bool,
    /// The worker, if authenticated as one.
    pub worker: Option<WorkerId>,
}

impl FromRequestParts<ApiState> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Failure> {
        if parts.headers.contains_key("x-admin-token") {
            Operator::from_request_parts(parts, api).await?;
            return Ok(Self { everything: true, worker: None });
        }
        let mut worker = None;
        if parts.headers.contains_key(AUTHORIZATION) {
            worker = Some(AuthenticatedWorker::from_request_parts(parts, api).await?.0.id);
        }
        Ok(Self { everything: false, worker })
    }
}
