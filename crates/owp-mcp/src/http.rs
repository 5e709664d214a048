//! Streamable HTTP, without sessions: each request is answered by itself. The caller has been authenticated before; here
//! are the checks that keep web pages of other origins away.

use crate::server::PoolServer;
use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::convert::Infallible;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

/// Names of the calling machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The addresses at which a server is reached, and from whose pages it can be called.
#[derive(Debug, Clone)]
pub struct Access {
    names: Vec<String>,
    origins: Vec<String>,
}

impl Access {
    /// Allows the calling machine and the server's own addresses, such as `https://pool.example.org`.
    #[must_use]
    pub fn new<'a>(own: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = vec!["localhost".to_owned()];
        let mut origins: Vec<String> =
            LOOPBACK.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:*"))).collect();
        for url in own.into_iter().filter_map(|url| url.parse::<Uri>().ok()) {
            let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else { continue };
            let port = url.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
            origins.push(format!("{scheme}://{host}:{port}"));
            names.push(host.to_ascii_lowercase());
        }
        Self { names, origins }
    }

    /// Returns true if a request can name this host. A web page can make a name of its own point to the server (DNS
    /// rebinding), but not an IP address, so every IP address is allowed. Ports make no difference.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let Ok(authority) = Authority::try_from(host) else { return false };
        let name = authority.host();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        address.parse::<IpAddr>().is_ok() || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Answers one request, whose host was checked. `limit` is the size limit of its body. Errors below the protocol have a
/// status and a body without a type.
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
        .with_allowed_hosts(Vec::<String>::new())
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
    fn an_own_address_is_an_origin_with_its_port_and_a_name_with_any() {
        let access = Access::new(["https://pool.example.org", "http://owp.internal:8080/"]);
        assert_eq!(access.origins[6..], ["https://pool.example.org:443", "http://owp.internal:8080"]);
        for host in ["Pool.example.org", "owp.internal:9", "localhost:1", "127.0.0.1", "[::1]:8787", "10.0.0.2:8787"] {
            assert!(access.allows_host(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "a b", "[::1", "x:y"] {
            assert!(!access.allows_host(host), "{host}");
        }
        assert!(!Access::new([]).allows_host("pool.example.org"));
    }
}
