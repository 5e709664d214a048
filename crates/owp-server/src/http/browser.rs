//! What forms of browsers need: cookies, the origin of a request, and a delay after a wrong secret.

use axum::http::{HeaderMap, header};
use std::time::Duration;
use tokio::sync::Mutex;

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
