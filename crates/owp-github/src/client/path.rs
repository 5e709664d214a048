//! Paths and queries of the REST API. No external name can escape its path segment.

use super::GitHubError;
use std::fmt;

/// `repos/{owner}/{name}`, built from a validated full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepoPath(String);

impl RepoPath {
    pub(super) fn new(full_name: &str) -> Result<Self, GitHubError> {
        let refused = || GitHubError::Config { message: format!("{full_name:?} is not owner/name of a repository") };
        let (owner, name) = full_name.split_once('/').ok_or_else(refused)?;
        let plain = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && !matches!(part, "." | "..")
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if plain(owner) && plain(name) { Ok(Self(format!("repos/{full_name}"))) } else { Err(refused()) }
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Encodes a login as one path segment; `dependabot[bot]` is a valid login.
pub(super) fn login_segment(login: &str) -> Result<String, GitHubError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '[' | ']');
    if login.is_empty() || login.len() > 100 || !login.chars().all(known) {
        return Err(GitHubError::NotFound { what: "a user with a login that GitHub does not give out".to_owned() });
    }
    Ok(login.replace('[', "%5B").replace(']', "%5D"))
}

/// Validates a commit hash as one path segment. Names of branches and tags are rejected.
pub(super) fn commit_segment(sha: &str) -> Result<&str, GitHubError> {
    let fits = (7..=64).contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    if fits { Ok(sha) } else { Err(GitHubError::NotFound { what: "a commit by something that is no hash".to_owned() }) }
}

/// Builds `path?name=value&…` with every value encoded.
pub(super) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_name_cannot_leave_its_place() {
        assert_eq!(RepoPath::new("octo-org/hello.world").unwrap().to_string(), "repos/octo-org/hello.world");
        for bad in ["", "octo", "octo/", "/x", "octo/..", "../x", "a/b/c", "a/b?c", "a/b#c", "a/b%2f", "a/ b"] {
            assert!(RepoPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn logins_and_labels_are_encoded() {
        assert_eq!(login_segment("dependabot[bot]").unwrap(), "dependabot%5Bbot%5D");
        for bad in ["", ".", "..", "a/b", "%2e%2e", "a?b", "a\u{0}"] {
            assert!(login_segment(bad).is_err(), "{bad:?}");
        }
        assert_eq!(commit_segment("0123abcDEF").unwrap(), "0123abcDEF");
        for bad in ["", "main", "abc/../..", "0123456?x", "abc"] {
            assert!(commit_segment(bad).is_err(), "{bad:?}");
        }
        assert_eq!(with_query("x", &[("labels", "pool:ready & co")]), "x?labels=pool%3Aready+%26+co");
    }
}
