//! Checks on network addresses and on failed calls, shared by every crate that calls other machines. Makes no calls.

use std::net::IpAddr;
use url::Url;

/// Returns true for a loopback address. Its traffic stays on this machine, and a proxy must not handle it.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns true for an address of this machine or its network, as a reverse proxy in front of the pool usually has.
#[must_use]
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Returns the innermost cause, which says most: "Connection refused" instead of "error sending request".
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names_and_numbers() {
        let here = |text: &str| is_loopback(&Url::parse(text).unwrap());
        for own in ["http://localhost:1", "https://127.0.0.1", "http://127.8.0.1:1", "http://[::1]:1"] {
            assert!(here(own), "{own}");
        }
        for other in ["http://pool.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://[::2]"] {
            assert!(!here(other), "{other}");
        }
    }

    #[test]
    fn addresses_of_this_network_are_near() {
        for near in
            ["127.0.0.1", "10.1.2.3", "172.17.0.1", "192.168.0.4", "::1", "fd12::1", "fe80::1", "::ffff:10.0.0.1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["203.0.113.9", "172.32.0.1", "2001:db8::1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn the_innermost_cause_is_told() {
        let inner = std::io::Error::other("Connection refused");
        assert_eq!(innermost(&std::io::Error::other(inner)), "Connection refused");
    }
}
