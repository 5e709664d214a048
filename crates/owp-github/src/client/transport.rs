//! The HTTP client under octocrab.
//!
//! octocrab leaves sending to a service that it is given. This one sends each request once, to one host, follows no
//! redirect and ends after the total timeout. octocrab's own client has no total timeout and no proxies.

use super::{Address, GitHubError};
use bytes::Bytes;
use http_body_util::BodyExt;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use owp_base::net::{innermost, is_loopback};
use reqwest::Url;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower::{BoxError, Service};

/// GitHub's largest list pages are a few megabytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Sends requests to the API's host. Of a request's address only path and query are used, so that no request, and with
/// it no credential, can reach another host.
#[derive(Clone)]
pub(super) struct Transport {
    line: Line,
    host: Url,
}

/// The response to a request, or the error that took its place.
pub type InProcessResponse = Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, GitHubError>> + Send>>;

/// A GitHub in the same process, for simulations: it gets path, headers and body of each request.
pub type InProcess = Arc<dyn Fn(http::Request<Bytes>) -> InProcessResponse + Send + Sync>;

#[derive(Clone)]
enum Line {
    Network(reqwest::Client),
    InProcess(InProcess),
}

impl Transport {
    /// # Errors
    /// [`GitHubError::Config`] when there is no HTTPS client, for lack of trusted certificates.
    pub(super) fn new(cfg: &Address, host: Url) -> Result<Self, GitHubError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("owp-pool/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(cfg.timeout)
            // Shorter than the total timeout, to tell a failed connection from a request without a response.
            .connect_timeout((cfg.timeout / 2).min(Duration::from_secs(10)));
        if is_loopback(&host) {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| GitHubError::Config { message: format!("no HTTPS client ({})", reason(error)) })?;
        Ok(Self { line: Line::Network(client), host })
    }

    /// Creates a transport that sends nothing and asks `github` instead.
    pub(super) fn in_process(github: InProcess, host: Url) -> Self {
        Self { line: Line::InProcess(github), host }
    }

    /// Builds the octocrab client on this transport; must be called within a Tokio runtime.
    pub(super) fn octocrab(&self) -> Octocrab {
        let built: Result<Octocrab, Infallible> =
            OctocrabBuilder::new_empty().with_service(self.clone()).with_auth(AuthState::None).build();
        match built {
            Ok(octocrab) => octocrab,
            Err(never) => match never {},
        }
    }
}

impl Service<http::Request<OctoBody>> for Transport {
    type Response = http::Response<reqwest::Body>;
    type Error = GitHubError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, GitHubError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GitHubError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<OctoBody>) -> Self::Future {
        let (line, mut url) = (self.line.clone(), self.host.clone());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(failure)?.to_bytes();
            let client = match line {
                Line::Network(client) => client,
                Line::InProcess(github) => {
                    return Ok(github(http::Request::from_parts(head, body)).await?.map(reqwest::Body::from));
                }
            };
            url.set_path(head.uri.path());
            url.set_query(head.uri.query());
            let request = client.request(head.method, url).headers(head.headers);
            let request = if body.is_empty() { request } else { request.body(body) };
            Ok(request.send().await.map_err(not_sent_or_lost)?.into())
        })
    }
}

/// Reads a response's body, up to [`MAX_BODY`].
pub(super) async fn read<B>(mut body: B) -> Result<Vec<u8>, GitHubError>
where
    B: http_body::Body<Data = bytes::Bytes, Error = octocrab::Error> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(failure)?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAX_BODY {
            return Err(GitHubError::Malformed { reason: format!("a response of more than {MAX_BODY} bytes") });
        }
    }
    Ok(bytes)
}

/// Unwraps octocrab's error. Unless the transport knows better, the request may have had an effect.
pub(super) fn failure(error: octocrab::Error) -> GitHubError {
    let octocrab::Error::Service { source, .. } = error else {
        return GitHubError::Lost { reason: innermost(&error) };
    };
    let of_transport = source.downcast::<GitHubError>().map(|known| *known);
    let of_body = |source: BoxError| source.downcast::<reqwest::Error>().map(|error| not_sent_or_lost(*error));
    of_transport.or_else(of_body).unwrap_or_else(|source| GitHubError::Lost { reason: innermost(source.as_ref()) })
}

/// Maps an error of the HTTP client. Only a failed connection proves that nothing was sent.
fn not_sent_or_lost(error: reqwest::Error) -> GitHubError {
    if error.is_connect() || error.is_builder() {
        return GitHubError::Unreachable { reason: reason(error) };
    }
    let reason = if error.is_timeout() { "it took too long".to_owned() } else { reason(error) };
    GitHubError::Lost { reason }
}

/// Returns the innermost cause, without the address.
fn reason(error: reqwest::Error) -> String {
    innermost(&error.without_url())
}
