//! Issues of a repository in which no App need be installed: read with somebody's own token, or with none where everybody
//! may look. Page by page, because whoever asks sits in front of it and waits.

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
    /// The issues, and the pull requests among them.
    pub issues: Vec<IssueInfo>,
    /// Whether there is another page.
    pub more: bool,
}

impl IssueReader {
    /// A reader of `full_name`, `owner/name`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the address or the name is none.
    pub fn new(address: &Address, full_name: &str, token: Option<SecretString>) -> Result<Self, GitHubError> {
        Ok(Self { http: Http::new(address)?, repo: RepoPath::new(full_name)?, token })
    }

    /// The repository, under the name it has today; what is read from here on is read under that name.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when there is none, or the token may not see it.
    pub async fn repository(&mut self) -> Result<RepoInfo, GitHubError> {
        let answer = self.http.get(&self.repo.to_string(), self.token.as_ref(), None).await?;
        let info = RepoInfo::from(answer.json::<RawRepo>()?);
        self.repo = RepoPath::new(&info.full_name)?;
        Ok(info)
    }

    /// A page of the open issues, the first being 1; of those with a label, when one is named.
    /// <https://docs.github.com/en/rest/issues/issues#list-repository-issues>
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::TooMany`] beyond what is read.
    pub async fn open_issues(&self, label: Option<&str>, page: usize) -> Result<IssuePage, GitHubError> {
        let path = format!("{}/issues", self.repo);
        if page > MAX_PAGES {
            return Err(GitHubError::TooMany { what: path, limit: MAX_PAGES * PER_PAGE });
        }
        let (number, size) = (page.to_string(), PER_PAGE.to_string());
        // Oldest first: what is opened meanwhile lands at the end, where we still come by.
        let mut query = vec![("state", "open"), ("sort", "created"), ("direction", "asc")];
        query.extend(label.map(|label| ("labels", label)));
        query.extend([("per_page", size.as_str()), ("page", number.as_str())]);
        let answer = self.http.get(&with_query(&path, &query), self.token.as_ref(), None).await?;
        let issues: Vec<IssueInfo> = answer.json::<Vec<RawIssue>>()?.into_iter().map(IssueInfo::from).collect();
        // Without a Link header (an intermediary may drop it) a full page means there may be another.
        let more = answer.has_next.unwrap_or(issues.len() >= PER_PAGE) && !issues.is_empty();
        Ok(IssuePage { issues, more })
    }
}
