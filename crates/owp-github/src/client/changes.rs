//! Detects changes in a repository with one conditional request; an unchanged repository costs no quota.
//!
//! The list of issues, sorted by last change, moves with every issue, pull request, comment, label and merge.

use super::path::with_query;
use super::raw::RawIssue;
use super::{GitHubError, IssueInfo, RepoReader};
use owp_pool::Timestamp;
use sha2::{Digest, Sha256};

/// Number of issues to compare. Several may change within one second, the resolution of GitHub's timestamps.
const RECENT_ISSUES: &str = "10";

/// A snapshot of a repository's latest changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentChanges {
    etag: Option<String>,
    digest: [u8; 32],
    /// Time of the newest change; `None` in a repository without issues and pull requests.
    pub newest: Option<Timestamp>,
}

impl RecentChanges {
    /// Returns true when both show the same list. A different ETag proves nothing: ETags also change with the token.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl RepoReader {
    /// Returns the latest changes of issues and pull requests, open or not; `known` is the previous snapshot.
    /// <https://docs.github.com/en/rest/issues/issues#list-repository-issues>
    pub async fn latest_changes(&self, known: Option<&RecentChanges>) -> Result<RecentChanges, GitHubError> {
        let query = [("state", "all"), ("sort", "updated"), ("direction", "desc"), ("per_page", RECENT_ISSUES)];
        let path = with_query(&self.path("/issues")?, &query);
        let etag = known.and_then(|known| known.etag.as_deref());
        let response = self.github.get(self.identity, &path, etag).await?;
        if response.not_modified {
            return known
                .cloned()
                .ok_or_else(|| GitHubError::Malformed { reason: "304 to an unconditional request".to_owned() });
        }
        let newest = response.json::<Vec<RawIssue>>()?.into_iter().map(|raw| IssueInfo::from(raw).updated_at).max();
        Ok(RecentChanges { etag: response.etag, digest: Sha256::digest(&response.body).into(), newest })
    }
}

#[cfg(test)]
mod tests {
    use crate::client::testing::{INSTALLATION, Reply, Server, repo};
    use owp_pool::Timestamp;
    use serde_json::json;

    #[tokio::test]
    async fn only_another_list_is_a_change() {
        let issue = |title: &str| {
            json!([{ "id": 1, "number": 1, "title": title, "state": "open", "updated_at": "2023-11-14T22:00:00Z",
                "html_url": "https://github.com/octo/hello/issues/1" }])
        };
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::with_tokens(move |call| {
            match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Reply::json(200, issue("a")).with("etag", "\"1\""),
                1 if call.etag.as_deref() == Some("\"1\"") => Reply::text(304, "application/json", ""),
                // Another token's ETag for the same list.
                2 => Reply::json(200, issue("a")).with("etag", "\"2\""),
                // A different title within the same second.
                _ => Reply::json(200, issue("b")).with("etag", "\"3\""),
            }
        })
        .await;
        let reader = server.github().reader(INSTALLATION, repo());
        let first = reader.latest_changes(None).await.unwrap();
        assert_eq!(first.newest, Some(Timestamp(1_700_000_000_000 - 800_000)));
        for unchanged in [true, true, false] {
            let next = reader.latest_changes(Some(&first)).await.unwrap();
            assert_eq!(next.same_as(&first), unchanged);
        }
        let line = &server.lines()[0];
        assert!(line.ends_with("/issues?state=all&sort=updated&direction=desc&per_page=10"), "{line}");
    }
}
