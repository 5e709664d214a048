//! Streamable HTTP, without sessions: each request is answered by itself. The caller has been authenticated before; here
//! are the checks that keep web pages of other origins away.

use crate::server::PoolServer;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

/// Names of the calling machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The addresses at which a server is reached, and from whose pages it can be called.
#[derive(Debug, Clone)]
pub struct Access {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Access {
    /// Allows the calling machine and the server's public address, such as `https://pool.example.org`.
    #[must_use]
    pub fn new(public_url: Option<&str>) -> Self {
        let mut hosts: Vec<String> = LOOPBACK.map(str::to_owned).to_vec();
        let mut origins: Vec<String> =
            LOOPBACK.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:*"))).collect();
        if let Some((scheme, host)) = public_url.and_then(|url| url.split_once("://")) {
            hosts.push(host.to_owned());
            let default = if scheme == "https" { "443" } else { "80" };
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
            origins.push(if has_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{default}") });
        }
        Self { hosts, origins }
    }
}

/// Answers one request. `limit` is the size limit of its body.
pub async fn answer<B>(
    server: PoolServer,
    access: Access,
    limit: usize,
    request: Request<B>,
) -> Response<BoxBody<Bytes, Infallible>>
where
    B: Body + Send + 'static,
    B::Error: Display,
{
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(limit)
        .with_allowed_hosts(access.hosts)
        .with_allowed_origins(access.origins)
        .enforce_origin_validation();
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    service.handle(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_is_a_host_and_an_origin_with_its_port() {
        let public = |url| {
            let Access { hosts, origins } = Access::new(url);
            (hosts.last().cloned().unwrap(), origins.last().cloned().unwrap())
        };
        let named = |host: &str, origin: &str| (host.to_owned(), origin.to_owned());
        let default = named("pool.example.org", "https://pool.example.org:443");
        assert_eq!(public(Some("https://pool.example.org")), default);
        assert_eq!(public(Some("http://10.0.0.2:8787")), named("10.0.0.2:8787", "http://10.0.0.2:8787"));
        assert_eq!(public(None), named("[::1]", "https://[::1]:*"));
    }
}
