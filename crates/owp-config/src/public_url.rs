//! The pool's public address: its form, and whether GitHub can deliver to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::Url;

/// Domain suffixes that only private networks resolve.
const PRIVATE_NAMES: [&str; 7] = ["local", "localhost", "internal", "lan", "home.arpa", "test", "invalid"];
/// GitHub's own services. Any other host is a GitHub Enterprise Server, which may share a network with the pool.
const GITHUB: &str = "api.github.com";
const GITHUB_RESIDENCY: &str = ".ghe.com";

/// Returns the scheme, host and port of an address without a trailing slash; `None` if the address has more parts.
#[must_use]
pub fn web_origin(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    // The library accepts characters that no host name has.
    let plain_host = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(plain_host);
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (web && plain && url.fragment().is_none() && url.path() == "/").then(|| url.origin().ascii_serialization())
}

/// An obstacle between GitHub and an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The address leads back to the calling machine.
    ThisMachine,
    /// Only machines of a private network can reach it.
    PrivateNetwork,
    /// Deliveries arrive, but unencrypted.
    ClearText,
}

impl Obstacle {
    /// Returns the obstacle between the GitHub at `api_url` and an address, if any.
    #[must_use]
    pub fn between(api_url: &str, address: &str) -> Option<Self> {
        let (github, url) = (Url::parse(api_url).ok()?, Url::parse(address).ok()?);
        let host = github.host_str().unwrap_or_default();
        let public = host == GITHUB || host.ends_with(GITHUB_RESIDENCY);
        if is_this_machine(&url) {
            // A sandbox on the same machine can deliver there.
            (!is_this_machine(&github)).then_some(Self::ThisMachine)
        } else if public && is_private(&url) {
            Some(Self::PrivateNetwork)
        } else if url.scheme() == "http" {
            Some(Self::ClearText)
        } else {
            None
        }
    }

    /// Returns true if no delivery arrives.
    #[must_use]
    pub fn blocks(self) -> bool {
        self != Self::ClearText
    }

    /// Returns a sentence about an address with this obstacle, and the fix.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::ThisMachine => {
                "GitHub cannot reach this address: it leads to the machine itself. Use an address on the internet; for a \
                 trial open a tunnel, for example with cloudflared or ngrok, and use the tunnel's https:// address."
            }
            Self::PrivateNetwork => {
                "GitHub cannot reach this address: it belongs to a private network. Use an address on the internet; for a \
                 trial open a tunnel, for example with cloudflared or ngrok, and use the tunnel's https:// address."
            }
            Self::ClearText => {
                "Everybody on the way can read what is sent to this address. Put a proxy that speaks TLS in front of the \
                 pool, and use its https:// address."
            }
        }
    }
}

/// Returns true for addresses that lead to the calling machine.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_lowercase()
}

fn is_private(url: &Url) -> bool {
    let host = host(url);
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => is_private_v4(ip),
        Ok(IpAddr::V6(ip)) => is_private_v6(ip),
        Err(_) => {
            let ends = |end: &str| host.strip_suffix(end).is_some_and(|front| front.ends_with('.'));
            !host.contains('.') || PRIVATE_NAMES.into_iter().any(ends)
        }
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    // RFC 1918, RFC 3927, and carrier-grade NAT (RFC 6598).
    let [a, b, ..] = ip.octets();
    ip.is_private() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        assert_eq!(web_origin(" https://Owp.example.org/ ").as_deref(), Some("https://owp.example.org"));
        assert_eq!(web_origin("http://127.0.0.1:8787").as_deref(), Some("http://127.0.0.1:8787"));
        for bad in ["owp.example.org", "https://a/b", "https://u@a", "https://a?x", "javascript:alert(1)", "null", ""] {
            assert_eq!(web_origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn github_reaches_public_addresses_alone() {
        let between = |address| Obstacle::between("https://api.github.com", address);
        for own in ["http://127.0.0.1:8787", "https://localhost", "http://[::1]:1", "http://0.0.0.0:8787"] {
            assert_eq!(between(own), Some(Obstacle::ThisMachine), "{own}");
        }
        for private in [
            "https://10.1.2.3",
            "http://172.16.0.1:8787",
            "https://192.168.1.7",
            "https://169.254.1.1",
            "https://100.64.0.1",
            "https://[fd12::1]",
            "https://[fe80::1]",
            "https://[::ffff:10.0.0.1]",
            "https://pool.local",
            "https://pool.home.arpa.",
            "http://nas",
        ] {
            assert_eq!(between(private), Some(Obstacle::PrivateNetwork), "{private}");
        }
        for public in ["https://owp.example.org", "https://8.8.8.8", "https://thelocal.org", "https://100.128.0.1"] {
            assert_eq!(between(public), None, "{public}");
        }
        assert_eq!(between("http://owp.example.org"), Some(Obstacle::ClearText));
        assert!(!Obstacle::ClearText.blocks() && Obstacle::PrivateNetwork.blocks());
    }

    #[test]
    fn an_enterprise_server_may_stand_in_the_same_network() {
        let between = |address| Obstacle::between("https://github.example.com/api/v3", address);
        assert_eq!(between("https://10.1.2.3"), None);
        assert_eq!(between("https://127.0.0.1"), Some(Obstacle::ThisMachine));
        let residency = Obstacle::between("https://api.octocorp.ghe.com", "https://10.1.2.3");
        assert_eq!(residency, Some(Obstacle::PrivateNetwork));
        assert_eq!(Obstacle::between("http://127.0.0.1:4000", "http://127.0.0.1:8787"), None, "a sandbox");
    }
}
