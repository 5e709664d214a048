//! Maps an HTTP response of GitHub to the result that callers branch on.
//!
//! Pure: takes status, headers, body and the time of arrival, and returns a response or an error.

use super::{GitHubError, http::ApiResponse, quota::Quota};
use owp_pool::{Span, Timestamp};
use reqwest::{StatusCode, header, header::HeaderMap};

/// Delay when GitHub names no retry time: its documentation asks for at least one minute.
const SECONDARY_RETRY_DELAY: Span = Span::minutes(1);
/// Upper limit of a retry delay. A longer one is a fault of an intermediary.
const MAX_RETRY_DELAY: Span = Span::hours(24);
const MAX_MESSAGE_CHARS: usize = 300;
/// GitHub's messages for a locked conversation: "Unable to create comment because issue is locked." Other refusals
/// mention blocked access, or a repository that is locked for migration.
const LOCKED_MESSAGES: [&str; 3] = ["issue is locked", "pull request is locked", "conversation is locked"];

pub(super) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    what: &str,
    now_ms: i64,
) -> Result<ApiResponse, GitHubError> {
    let now = Timestamp(now_ms);
    let is_html = text(headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"));
    if status.is_server_error() || is_html {
        return Err(GitHubError::Unavailable { status: status.as_u16(), retry_at: retry_after(headers, now) });
    }
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(ApiResponse {
            not_modified: status == StatusCode::NOT_MODIFIED,
            etag: text(headers, header::ETAG.as_str()).map(str::to_owned),
            has_next: text(headers, header::LINK.as_str()).map(|link| link.contains("rel=\"next\"")),
            next_cursor: text(headers, header::LINK.as_str()).and_then(next_cursor),
            exhausted_until: exhausted_until(headers, now),
            quota: quota(headers, now),
            redirected_to: None,
            body,
        });
    }
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    Err(refused(status.as_u16(), headers, &problem, what, now))
}

/// Returns the cursor of the next page. The rest of the link is ignored: it is absolute and may name any host.
fn next_cursor(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let address = next.split_once('<')?.1.split_once('>')?.0;
    let query = address.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned())
}

fn refused(status: u16, headers: &HeaderMap, problem: &Problem, what: &str, now: Timestamp) -> GitHubError {
    let message = problem.shown();
    let lower = message.to_lowercase();
    match status {
        401 => GitHubError::Unauthorized { message },
        403 | 429 => {
            if let Some(limited) = rate_limited(status, headers, problem, now) {
                limited
            } else if lower.contains("suspended") {
                GitHubError::Suspended
            } else if LOCKED_MESSAGES.iter().any(|words| lower.contains(words)) {
                GitHubError::Locked
            } else {
                GitHubError::Forbidden { message }
            }
        }
        404 => GitHubError::NotFound { what: what.to_owned() },
        410 => GitHubError::Gone { what: what.to_owned() },
        400 | 422 => GitHubError::Validation { message },
        409 | 451 => GitHubError::Forbidden { message },
        _ => GitHubError::Malformed { reason: format!("unexpected status {status}") },
    }
}

/// Classifies a 403 or 429 as a primary or secondary rate limit, following
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
fn rate_limited(status: u16, headers: &HeaderMap, problem: &Problem, now: Timestamp) -> Option<GitHubError> {
    let words = format!("{} {}", problem.message, problem.documentation_url).to_lowercase();
    let says_secondary =
        words.contains("secondary rate") || words.contains("secondary-rate") || words.contains("abuse");
    let used_up = is_exhausted(headers);
    if let Some(retry_at) = retry_after(headers, now) {
        return Some(GitHubError::RateLimited { retry_at, secondary: !used_up });
    }
    if let (true, Some(retry_at)) = (used_up, reset(headers, now)) {
        return Some(GitHubError::RateLimited { retry_at, secondary: false });
    }
    if status == 429 || says_secondary || used_up || words.contains("rate limit exceeded") {
        return Some(GitHubError::RateLimited { retry_at: now + SECONDARY_RETRY_DELAY, secondary: says_secondary });
    }
    None
}

fn is_exhausted(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-remaining") == Some("0")
}

/// Returns the time at which the limit resets.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let secs = text(headers, "x-ratelimit-reset")?.parse::<i64>().ok()?;
    // One second is added because GitHub rounds the reset to whole seconds.
    Some(within_reason(Timestamp(secs.saturating_mul(1000)) + Span::secs(1), now))
}

/// Returns the reset time if this request used up the limit. The GraphQL and search limits are separate and do not
/// block REST calls.
fn exhausted_until(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    (is_core(headers) && is_exhausted(headers)).then(|| reset(headers, now)).flatten()
}

fn is_core(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-resource").is_none_or(|resource| resource == "core")
}

/// Returns the quota of REST calls that a response reports. A GitHub Enterprise Server may have none.
fn quota(headers: &HeaderMap, now: Timestamp) -> Option<Quota> {
    let number = |name: &str| text(headers, name)?.parse::<i64>().ok().filter(|number| *number >= 0);
    let (limit, left) = (number("x-ratelimit-limit")?, number("x-ratelimit-remaining")?);
    let reset = reset(headers, now).filter(|_| is_core(headers))?;
    Some(Quota { limit, left, reset })
}

/// Parses `Retry-After`, given in seconds or as an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let value = text(headers, header::RETRY_AFTER.as_str())?.trim();
    let at = match value.parse::<i64>() {
        Ok(secs) => now + Span(secs.saturating_mul(1000)),
        Err(_) => Timestamp(chrono::DateTime::parse_from_rfc2822(value).ok()?.timestamp_millis()),
    };
    Some(within_reason(at, now))
}

fn within_reason(at: Timestamp, now: Timestamp) -> Timestamp {
    at.clamp(now + Span::secs(1), now + MAX_RETRY_DELAY)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The body of an error response; every field may be missing.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Problem {
    message: String,
    documentation_url: String,
    errors: serde_json::Value,
}

impl Problem {
    fn shown(&self) -> String {
        let mut shown = self.message.clone();
        let details = self.errors.as_array().map(|errors| errors.iter().map(detail).collect::<Vec<_>>().join("; "));
        if let Some(details) = details.filter(|d| !d.is_empty()) {
            shown = format!("{shown} ({details})");
        }
        if shown.is_empty() {
            "GitHub gave no reason".clone_into(&mut shown);
        }
        shown.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect()
    }
}

/// One entry of `errors[]`: text, or an object with a message or a code.
fn detail(error: &serde_json::Value) -> String {
    if let Some(text) = error.as_str() {
        return text.to_owned();
    }
    let field = |name: &str| error.get(name).and_then(serde_json::Value::as_str);
    field("message")
        .map_or_else(|| format!("{}: {}", field("field").unwrap_or("?"), field("code").unwrap_or("?")), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn outcome(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> GitHubError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, header::HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        match classify(status, &map, body.as_bytes().to_vec(), "repos/a/b/issues/1", NOW) {
            Err(error) => error,
            Ok(_) => panic!("{status} is not a success"),
        }
    }

    fn limited(at_ms: i64, secondary: bool) -> GitHubError {
        GitHubError::RateLimited { retry_at: Timestamp(at_ms), secondary }
    }

    #[test]
    fn a_secondary_limit_without_any_header_rests_a_minute() {
        let body = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
        assert_eq!(outcome(403, &[], body), limited(NOW + 60_000, true));
        assert_eq!(outcome(429, &[], "{}"), limited(NOW + 60_000, false));
    }

    #[test]
    fn retry_after_is_honoured_as_seconds_and_as_a_date() {
        assert_eq!(outcome(403, &[("retry-after", "7")], "{}"), limited(NOW + 7_000, true));
        let date = [("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT")];
        assert_eq!(outcome(429, &date, "{}"), limited(NOW + 60_000, true));
        assert_eq!(outcome(429, &[("retry-after", "99999999999")], "{}"), limited(NOW + 86_400_000, true));
    }

    #[test]
    fn a_used_up_hour_waits_for_its_reset() {
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000600")];
        assert_eq!(outcome(403, &headers, r#"{"message":"API rate limit exceeded"}"#), limited(NOW + 601_000, false));
    }

    #[test]
    fn a_plain_403_is_told_apart_from_locks_and_suspension() {
        let locked = r#"{"message":"Unable to create comment because issue is locked."}"#;
        assert_eq!(outcome(403, &[("x-ratelimit-remaining", "17")], locked), GitHubError::Locked);
        assert_eq!(outcome(403, &[], r#"{"message":"This installation has been suspended"}"#), GitHubError::Suspended);
        let edit = r#"{"message":"Unable to update comment because issue is locked."}"#;
        assert_eq!(outcome(403, &[], edit), GitHubError::Locked);
        for message in ["Repository access blocked", "Repository has been locked for migration."] {
            let said = outcome(403, &[], &format!(r#"{{"message":"{message}"}}"#));
            assert_eq!(said, GitHubError::Forbidden { message: message.to_owned() });
        }
        let plain = outcome(403, &[], r#"{"message":"Resource not accessible by integration"}"#);
        assert_eq!(plain, GitHubError::Forbidden { message: "Resource not accessible by integration".to_owned() });
    }

    #[test]
    fn of_a_link_to_the_next_page_only_the_cursor_is_taken() {
        let link = "<https://elsewhere.example/x?per_page=100&cursor=v1_7%2B>; rel=\"next\", <https://h/x?cursor=v1_9>; rel=\"first\"";
        assert_eq!(next_cursor(link).as_deref(), Some("v1_7+"));
        for none in
            ["", "<https://h/x?cursor=v1_9>; rel=\"prev\"", "<https://h/x?page=2>; rel=\"next\"", "x; rel=\"next\""]
        {
            assert_eq!(next_cursor(none), None, "{none}");
        }
    }

    #[test]
    fn html_is_an_outage_whatever_its_status() {
        let html = [("content-type", "text/html; charset=utf-8")];
        for status in [200, 403, 404, 502] {
            assert_eq!(outcome(status, &html, "<html>"), GitHubError::Unavailable { status, retry_at: None });
        }
    }

    #[test]
    fn a_validation_names_what_github_disliked() {
        let body =
            r#"{"message":"Validation Failed","errors":[{"field":"body","code":"too_long"},{"message":"no"},"x"]}"#;
        let GitHubError::Validation { message } = outcome(422, &[], body) else { panic!("expected a validation") };
        assert_eq!(message, "Validation Failed (body: too_long; no; x)");
    }

    #[test]
    fn a_refusal_without_a_body_still_says_something() {
        let GitHubError::Forbidden { message } = outcome(403, &[], "") else { panic!("expected forbidden") };
        assert_eq!(message, "GitHub gave no reason");
    }
}
