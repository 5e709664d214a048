//! `X-Accepted-GitHub-Permissions`: the app permissions that allow a call.
//!
//! <https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps>

use axum::http::Method;

/// Returns GitHub's list for a repository call by its route; alternatives are separated by semicolons.
pub(super) fn accepted(method: &Method, route: &str) -> Option<&'static str> {
    let rest = route.strip_prefix("/repos/{owner}/{repo}")?;
    let reads = *method == Method::GET;
    let either = |read: &'static str, write: &'static str| Some(if reads { read } else { write });
    let after = |prefix: &str| rest == prefix || rest.strip_prefix(prefix).is_some_and(|more| more.starts_with('/'));
    if rest.is_empty() || after("/collaborators") {
        return either("metadata=read", "administration=write");
    }
    if rest.ends_with("/merge") || after("/git") || after("/releases") || after("/contents") {
        return either("contents=read", "contents=write");
    }
    if rest.ends_with("/check-runs") {
        return either("checks=read", "checks=write");
    }
    if rest.ends_with("/status") || after("/statuses") {
        return either("statuses=read", "statuses=write");
    }
    if after("/pulls") || rest.ends_with("/pulls") {
        return either("pull_requests=read", "pull_requests=write");
    }
    if after("/issues") || after("/labels") {
        return either("issues=read; pull_requests=read", "issues=write; pull_requests=write");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_the_permission_it_needs() {
        for (method, rest, named) in [
            (Method::GET, "", "metadata=read"),
            (Method::POST, "/issues/{issue_number}/comments", "issues=write; pull_requests=write"),
            (Method::GET, "/pulls", "pull_requests=read"),
            (Method::PUT, "/pulls/{pull_number}/merge", "contents=write"),
            (Method::GET, "/commits/{ref}/pulls", "pull_requests=read"),
            (Method::GET, "/commits/{ref}/check-runs", "checks=read"),
            (Method::POST, "/releases", "contents=write"),
        ] {
            assert_eq!(accepted(&method, &format!("/repos/{{owner}}/{{repo}}{rest}")), Some(named), "{rest}");
        }
        assert_eq!(accepted(&Method::GET, "/app"), None);
    }
}
