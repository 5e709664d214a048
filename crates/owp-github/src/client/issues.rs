//! Reads issues without an App: with a contributor's own token, or anonymously where the repository is public. Reads
//! page by page, because an interactive user waits for the result.

use super::http::Http;
use super::pages::{MAX_PAGES, PER_PAGE};
use super::path::{RepoPath, with_query};
use super::raw::{RawIssue, RawRepo};
use super::{Address, GitHubError, IssueInfo, RepoInfo};
use secrecy::SecretString;

/// Reads the issues of one repository.
pub struct IssueReader {
    http: Http,
    repo: RepoPath,
    token: Option<SecretString>,
}

/// A page of issues, oldest first.
#[derive(Debug)]
pub struct IssuePage {
    /// The issues and pull requests of the page.
    pub issues: Vec<IssueInfo>,
    /// True when there is another page.
    pub more: bool,
}

impl IssueReader {
    /// Creates a reader of `full_name` (`owner/name`). Sends nothing yet.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address or the name is invalid.
    pub fn new(address: &Address, full_name: &str, token: Option<SecretString>) -> Result<Self, GitHubError> {
        Ok(Self { http: Http::new(address)?, repo: RepoPath::new(full_name)?, token })
    }

    /// Returns the repository under its current name; later reads use that name.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when it does not exist or is hidden from the token.
    pub async fn repository(&mut self) -> Result<RepoInfo, GitHubError> {
        let response = self.http.get(&self.repo.to_string(), self.token.as_ref(), None).await?;
        let info = RepoInfo::from(response.json::<RawRepo>()?);
        self.repo = RepoPath::new(&info.full_name)?;
        Ok(info)
    }

    /// Returns a page of the open issues, counted from 1, optionally only those with a label.
    /// <https://docs.github.com/en/rest/issues/issues#list-repository-issues>
    ///
    /// # Errors
    /// [`GitHubError::TooMany`] when `page` is beyond the read limit.
    pub async fn open_issues(&self, label: Option<&str>, page: usize) -> Result<IssuePage, GitHubError> {
        let path = format!("{}/issues", self.repo);
        if page > MAX_PAGES {
            return Err(GitHubError::TooMany { what: path, limit: MAX_PAGES * PER_PAGE });
        }
        let (number, size) = (page.to_string(), PER_PAGE.to_string());
        // Oldest first: issues opened meanwhile land at the end, which is still to be read.
        let mut query = vec![("state", "open"), ("sort", "created"), ("direction", "asc")];
        query.extend(label.map(|label| ("labels", label)));
        query.extend([("per_page", size.as_str()), ("page", number.as_str())]);
        let response = self.http.get(&with_query(&path, &query), self.token.as_ref(), None).await?;
        let issues: Vec<IssueInfo> = response.json::<Vec<RawIssue>>()?.into_iter().map(IssueInfo::from).collect();
        // Without a Link header (an intermediary may drop it) a full page may be followed by another.
        let more = response.has_next.unwrap_or(issues.len() >= PER_PAGE) && !issues.is_empty();
        Ok(IssuePage { issues, more })
    }
}
