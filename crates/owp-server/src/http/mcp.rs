//! `POST /mcp`: the tools of a worker for AI tools, over streamable HTTP. Each tool calls this server's own REST interface
//! in process with the caller's credentials, so authentication, rate limits, idempotency and refusals are those of REST.

use super::ApiState;
use super::auth::AuthenticatedWorker;
use super::body::{API_BYTES, collect};
use super::limits::is_trusted;
use super::problem::Failure;
use crate::wire::ProblemKind;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request};
use axum::response::{IntoResponse, Response};
use axum::{Router, http};
use data_encoding::HEXLOWER;
use owp_base::clock::Entropy;
use owp_config::IpRange;
use owp_mcp::{Access, Call, ClientError, Pool, PoolServer, Problem};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tower::ServiceExt;

/// Headers of the caller that its REST calls carry too: the credentials, and what names its address behind a proxy.
const PASSED_ON: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("x-forwarded-for")];
/// Host that a proxy was asked for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Characters of a foreign host name that are repeated to the caller.
const HOST_MAX_CHARS: usize = 100;
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
    let settings = api.engine.settings();
    let access = Access::new(settings.public_url.all());
    check_host(&access, &settings.trusted_proxies, &parts)?;
    let is_json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    // Held until the response: the limits on memory for bodies are those of REST.
    let body = collect(&api, &parts, body, API_BYTES).await?;
    let pool = InProcess::new(rest, &parts, api.engine.store().entropy().clone());
    let request = http::Request::from_parts(parts, Body::from(body.bytes.clone()));
    let response = owp_mcp::answer(PoolServer::new(Arc::new(pool)), access, API_BYTES, request).await;
    match problem(response.status(), response.headers(), is_json) {
        Some(problem) => Err(problem),
        None => Ok(response.map(Body::new).into_response()),
    }
}

/// Rejects requests that name a host of others. A trusted proxy says which one it was asked for, if it is not the one
/// that it asks for itself.
fn check_host(access: &Access, proxies: &[IpRange], parts: &Parts) -> Result<(), Failure> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let is_proxy = peer.is_some_and(|ConnectInfo(peer)| is_trusted(proxies, peer.ip()));
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let forwarded = parts.headers.get_all(FORWARDED_HOST).iter().next_back().filter(|_| is_proxy).map(text);
    let forwarded = forwarded.and_then(|hosts| hosts.rsplit(',').next().map(|host| host.trim().to_owned()));
    let host = forwarded.or_else(|| parts.headers.get(HOST).map(text));
    let host = host.or_else(|| parts.uri.authority().map(ToString::to_string)).unwrap_or_default();
    if access.allows_host(&host) {
        return Ok(());
    }
    let shown: String = host.chars().filter(|c| !c.is_control()).take(HOST_MAX_CHARS).collect();
    let detail = format!(
        "This pool is not known as `{shown}`. Call it at its public address or at an IP address; if the name is the \
         pool's, set OWP_PUBLIC_URL to its address there."
    );
    Err(Failure::new(ProblemKind::ForeignAddress, detail))
}

/// Returns the problem for an error below the protocol. Errors of the protocol have a body of JSON.
fn problem(status: StatusCode, headers: &HeaderMap, is_json: bool) -> Option<Failure> {
    let has_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if has_json || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let (kind, detail) = match status {
        StatusCode::BAD_REQUEST => (
            ProblemKind::UnknownRevision,
            "The MCP-Protocol-Version header names a revision that this server does not know.",
        ),
        StatusCode::FORBIDDEN => (ProblemKind::ForeignAddress, "Web pages of other origins cannot call the pool."),
        StatusCode::NOT_ACCEPTABLE => {
            (ProblemKind::NotAcceptable, "The Accept header must name application/json and text/event-stream.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (ProblemKind::TooLarge, "The body is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE if !is_json => {
            (ProblemKind::UnsupportedMediaType, "The Content-Type must be application/json.")
        }
        status if status.is_server_error() => return Some(Failure::internal(&format!("/mcp answered {status}"))),
        _ => (ProblemKind::MalformedBody, "The body is not a message of JSON-RPC 2.0."),
    };
    Some(Failure::new(kind, detail))
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
