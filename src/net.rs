//! What every room that calls other machines asks of an address and of a call that failed. A leaf: it makes no calls.

use reqwest::Url;

/// Whether an address is this machine's own: what is sent there leaves no wire, and a proxy would look for it elsewhere.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The cause that tells most: "Connection refused" instead of "error sending request".
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
    fn the_innermost_cause_is_told() {
        let inner = std::io::Error::other("Connection refused");
        assert_eq!(innermost(&std::io::Error::other(inner)), "Connection refused");
    }
}
