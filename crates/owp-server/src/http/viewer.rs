//! Authorisation of readers: the operator sees everything, others see public data, a worker also sees events about itself,
//! and a GitHub user who is signed in on the pages also sees the private repositories that GitHub shows them. A credential
//! that is sent must be valid.

use super::ApiState;
use super::auth::{AuthenticatedWorker, BEARER, Operator};
use super::pages::Reader;
use super::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use owp_engine::ReadAccess;
use owp_pool::WorkerId;

/// The reader of a public resource.
pub(super) struct Viewer {
    /// What they may read.
    pub access: ReadAccess,
    /// The worker, if authenticated as one.
    pub worker: Option<WorkerId>,
}

impl FromRequestParts<ApiState> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Failure> {
        if parts.headers.contains_key("x-admin-token") {
            Operator::from_request_parts(parts, api).await?;
            return Ok(Self { access: ReadAccess::everything(), worker: None });
        }
        if parts.headers.contains_key(AUTHORIZATION) {
            let worker = AuthenticatedWorker::from_request_parts(parts, api).await?.0;
            let settings = api.engine.settings();
            // Anybody can register a worker; only a linked one has a person behind it.
            if settings.sign_in_required && !settings.open_registration && !worker.person.is_linked() {
                let why = "This pool shows its data only to workers that are linked to a GitHub account. Link this one: \
                           `owp worker link`.";
                return Err(Failure::unauthorized(BEARER, why));
            }
            return Ok(Self { access: ReadAccess::public(), worker: Some(worker.id) });
        }
        // The pages follow the event stream with their session, and link to the same data as JSON.
        let reader = Reader::from_request_parts(parts, api).await?;
        if reader.must_sign_in(api) {
            let why = "This pool shows its data to people who are signed in, to workers and to the operator. Send a worker's \
                       token as `Authorization: Bearer TOKEN`, or sign in at `/signin`.";
            return Err(Failure::unauthorized(BEARER, why));
        }
        Ok(Self { access: reader.access, worker: None })
    }
}
