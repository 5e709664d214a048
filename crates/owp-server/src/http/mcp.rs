//! `POST /mcp`: the tools of a worker for AI tools, over streamable HTTP. Each tool calls this server's own REST interface
//! in process with the caller's credentials, so authentication, rate limits, idempotency and refusals are those of REST.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::body::{API_BYTES, collect};
use super::problem::Failure;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, request};
use axum::response::{IntoResponse, Response};
use axum::{Router, http};
use data_encoding::HEXLOWER;
use owp_base::clock::Entropy;
use owp_mcp::{Access, Call, ClientError, Pool, PoolServer, Problem};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tower::ServiceExt;

/// Headers of the caller that its REST calls carry too: the credentials, and what names its address behind a proxy.
const PASSED_ON: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("x-forwarded-for")];
/// Size limit of a REST response.
const RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// The REST interface, which the tools call.
#[derive(Clone)]
pub(super) struct Rest(pub Router);

/// Answers one request of an AI tool.
pub(super) async fn serve(
    State(api): State<ApiState>,
    Extension(Rest(rest)): Extension<Rest>,
    AuthenticatedWorker(_): AuthenticatedWorker,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    // Held until the response: the limits on memory for bodies are those of REST.
    let body = collect(&api, &parts, body, API_BYTES).await?;
    let pool = InProcess::new(rest, &parts, api.engine.store().entropy().clone());
    let access = Access::new(api.engine.settings().public_url.get());
    let request = http::Request::from_parts(parts, Body::from(body.bytes.clone()));
    let response = owp_mcp::answer(PoolServer::new(Arc::new(pool)), access, API_BYTES, request).await;
    Ok(response.map(Body::new).into_response())
}

/// This server's REST interface, as one caller calls it.
struct InProcess {
    rest: Router,
    headers: HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
    entropy: Entropy,
}

impl InProcess {
    fn new(rest: Router, caller: &Parts, entropy: Entropy) -> Self {
        let mut headers = HeaderMap::new();
        for name in PASSED_ON {
            for value in caller.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { rest, headers, peer: caller.extensions.get().copied(), entropy }
    }

    fn request(&self, call: &Call) -> Result<http::Request<Body>, http::Error> {
        let method = if call.body.is_some() { Method::POST } else { Method::GET };
        let mut request = request::Builder::new().method(method).uri(&call.path);
        if call.once {
            request = request.header("idempotency-key", HEXLOWER.encode(&self.entropy.bytes::<16>()));
        }
        let body = call.body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.header(CONTENT_TYPE, "application/json").body(body)?;
        request.headers_mut().extend(self.headers.clone());
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        Ok(request)
    }

    async fn send(&self, call: &Call) -> Result<Value, ClientError> {
        let broken = |status| ClientError::ServerError { url: call.path.clone(), status };
        let request = self.request(call).map_err(|_| broken(400))?;
        let Ok(response) = self.rest.clone().oneshot(request).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), RESPONSE_BYTES).await.map_err(|_| broken(500))?;
        match serde_json::from_slice(&bytes) {
            Ok(body) if status.is_success() => Ok(body),
            Ok(body) => Err(ClientError::Problem(Box::new(Problem::new(status.as_u16(), body)))),
            Err(_) => Err(broken(status.as_u16())),
        }
    }
}

impl Pool for InProcess {
    fn call(&self, call: Call) -> owp_mcp::Response<'_> {
        Box::pin(async move { self.send(&call).await })
    }
}
