//! What forms of browsers need: cookies, the origin of a request, and a delay after a wrong secret.

use axum::http::{HeaderMap, header};
use owp_config::web_origin;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// Delay after a wrong secret.
const WRONG_SECRET_PAUSE: Duration = Duration::from_secs(1);

/// Returns the value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Returns the host that the browser asked.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// Returns true if the browser says that another site sent the form. Browsers send a cookie with forms of sibling hosts
/// too, so the cookie alone does not prove that our own page sent it.
pub(super) fn from_elsewhere(headers: &HeaderMap) -> bool {
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match told("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Browsers omit it on plain HTTP, where no TLS proxy changes the host name.
        None => told("origin")
            .is_some_and(|origin| origin.split_once("://").is_none_or(|(_, sender)| Some(sender) != host(headers))),
    }
}

/// Guesses the pool's address: HTTPS for a domain, HTTP for a local name or an IP address.
pub(super) fn likely_address(headers: &HeaderMap) -> String {
    let Some(host) = host(headers) else { return String::new() };
    let plain = web_origin(&format!("http://{host}"));
    let url = plain.as_ref().and_then(|url| Url::parse(url).ok());
    // A name with a dot is a public domain; `domain` is `None` for IP addresses.
    let local = url.as_ref().and_then(Url::domain).is_none_or(|name| !name.contains('.'));
    if local { plain.unwrap_or_default() } else { web_origin(&format!("https://{host}")).unwrap_or_default() }
}

/// Delays a wrong guess; concurrent guesses wait for each other.
pub(super) async fn pause_after_wrong_secret() {
    static GUESSES: Mutex<()> = Mutex::const_new(());
    let _turn = GUESSES.lock().await;
    tokio::time::sleep(WRONG_SECRET_PAUSE).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_likely_address_has_tls_unless_it_is_this_machine() {
        let likely = |host| likely_address(&headers(&[("host", host)]));
        assert_eq!(likely("owp.example.org"), "https://owp.example.org");
        assert_eq!(likely("localhost:8787"), "http://localhost:8787");
        assert_eq!(likely("[::1]:8787"), "http://[::1]:8787");
        assert_eq!(likely("a<b"), "");
    }

    #[test]
    fn a_form_from_another_page_is_noticed() {
        let elsewhere = |pairs: &[(&'static str, &'static str)]| from_elsewhere(&headers(pairs));
        assert!(elsewhere(&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.org")]));
        assert!(!elsewhere(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://owp.example.org"),
            ("host", "inner:1")
        ]));
        assert!(elsewhere(&[("origin", "http://10.0.0.2"), ("host", "10.0.0.1")]) && elsewhere(&[("origin", "null")]));
        assert!(!elsewhere(&[("origin", "http://10.0.0.1:8787"), ("host", "10.0.0.1:8787")]));
        assert!(!elsewhere(&[("host", "10.0.0.1")]), "no browser at all");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let found = headers(&[("cookie", "a=1; owp_setup=secret; b=2")]);
        assert_eq!(cookie(&found, "owp_setup"), Some("secret"));
        assert_eq!(cookie(&headers(&[("cookie", "xowp_setup=secret")]), "owp_setup"), None);
    }
}
