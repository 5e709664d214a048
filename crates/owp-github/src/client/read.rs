//! The read client: one repository, GET requests only.

use super::{
    CommentInfo, GitHub, GitHubError, Identity, IssueEvent, IssueInfo, PullInfo, RepoHandle, RepoInfo, UserRef,
    path::{RepoPath, login_segment},
    raw::{RawComment, RawEvent, RawIssue, RawMember, RawPull, RawRepo},
    token::{Purpose, Scope},
};
use owp_pool::Timestamp;
use serde::de::DeserializeOwned;
use std::sync::{Arc, atomic::AtomicUsize};

/// Lists are read oldest first: entries added meanwhile land at the end, which is still to be read.
const OLDEST_FIRST: [(&str, &str); 2] = [("sort", "created"), ("direction", "asc")];

/// Reads one repository with a token restricted to it.
#[derive(Debug, Clone)]
pub struct RepoReader {
    pub(super) github: GitHub,
    pub(super) identity: Identity,
    pub(super) repo: RepoHandle,
    /// Number of permission requests.
    pub(super) permissions_asked: Arc<AtomicUsize>,
}

impl RepoReader {
    pub(super) fn new(github: GitHub, installation: i64, repo: RepoHandle) -> Self {
        let scope = Scope { installation, repo: Some(repo.github_id), purpose: Purpose::Read };
        Self { github, identity: Identity::Installation(scope), repo, permissions_asked: Arc::default() }
    }

    /// Returns the repository of this reader.
    #[must_use]
    pub fn handle(&self) -> &RepoHandle {
        &self.repo
    }

    /// Returns the current state of the repository, also after a rename.
    ///
    /// # Errors
    /// [`GitHubError::OtherRepository`] when the name now belongs to another repository.
    pub async fn repository(&self) -> Result<RepoInfo, GitHubError> {
        let info = RepoInfo::from(self.one::<RawRepo>("").await?);
        if info.id == self.repo.github_id {
            return Ok(info);
        }
        Err(GitHubError::OtherRepository { full_name: self.repo.full_name.clone() })
    }

    /// Returns an issue (or a pull request as an issue).
    ///
    /// # Errors
    /// [`GitHubError::NotFound`], or [`GitHubError::Gone`] when it was deleted.
    pub async fn issue(&self, number: i64) -> Result<IssueInfo, GitHubError> {
        self.one::<RawIssue>(&format!("/issues/{number}")).await.map(IssueInfo::from)
    }

    /// Returns every open issue with the label, without pull requests.
    ///
    /// # Errors
    /// Fails rather than return a partial list.
    pub async fn labelled_issues(&self, label: &str) -> Result<Vec<IssueInfo>, GitHubError> {
        let mut query = vec![("labels", label), ("state", "open")];
        query.extend(OLDEST_FIRST);
        let mut issues = self.github.list::<Vec<RawIssue>>(self.identity, &self.path("/issues")?, &query).await?;
        issues.retain(|issue| !issue.is_pull);
        Ok(issues)
    }

    /// Returns every open issue, labelled or not, without pull requests.
    ///
    /// # Errors
    /// Fails rather than return a partial list.
    pub async fn open_issues(&self) -> Result<Vec<IssueInfo>, GitHubError> {
        let mut query = vec![("state", "open")];
        query.extend(OLDEST_FIRST);
        let mut issues = self.github.list_once::<Vec<RawIssue>>(self.identity, &self.path("/issues")?, &query).await?;
        issues.retain(|issue| !issue.is_pull);
        Ok(issues)
    }

    /// Returns every open pull request, drafts included.
    ///
    /// # Errors
    /// Fails rather than return a partial list, because a count that is too low would exceed the review budget.
    pub async fn open_pulls(&self) -> Result<Vec<PullInfo>, GitHubError> {
        let mut query = vec![("state", "open")];
        query.extend(OLDEST_FIRST);
        self.github.list::<Vec<RawPull>>(self.identity, &self.path("/pulls")?, &query).await
    }

    /// Returns a pull request.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when there is no such pull request.
    pub async fn pull(&self, number: i64) -> Result<PullInfo, GitHubError> {
        self.one::<RawPull>(&format!("/pulls/{number}")).await.map(PullInfo::from)
    }

    /// Returns all events of an issue, oldest first; they show who set a label.
    ///
    /// # Errors
    /// Fails rather than return a partial list.
    pub async fn issue_events(&self, number: i64) -> Result<Vec<IssueEvent>, GitHubError> {
        let path = self.path(&format!("/issues/{number}/events"))?;
        self.github.list_once::<Vec<RawEvent>>(self.identity, &path, &[]).await
    }

    /// Returns the account that has a login today.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the login does not exist.
    pub async fn user(&self, login: &str) -> Result<UserRef, GitHubError> {
        let path = format!("users/{}", login_segment(login)?);
        self.github.get(self.identity, &path, None).await?.json()
    }

    /// Returns the account with an id, under its current login.
    /// <https://docs.github.com/en/rest/users/users#get-a-user-using-their-id>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when the account is gone.
    pub async fn user_by_id(&self, id: i64) -> Result<UserRef, GitHubError> {
        self.github.get(self.identity, &format!("user/{id}"), None).await?.json()
    }

    /// Returns an issue's comments, oldest first; with `since`, those written or edited at that second or later.
    ///
    /// # Errors
    /// Fails rather than return a partial list.
    pub async fn comments(&self, issue: i64, since: Option<Timestamp>) -> Result<Vec<CommentInfo>, GitHubError> {
        let path = self.path(&format!("/issues/{issue}/comments"))?;
        let since = since.map(Timestamp::rfc3339);
        let query: Vec<(&str, &str)> = since.iter().map(|at| ("since", at.as_str())).collect();
        self.github.list_once::<Vec<RawComment>>(self.identity, &path, &query).await
    }

    /// Returns the current version of a comment.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when it was deleted.
    pub async fn comment(&self, id: i64) -> Result<CommentInfo, GitHubError> {
        self.one::<RawComment>(&format!("/issues/comments/{id}")).await.map(CommentInfo::from)
    }

    /// Returns the comments of all issues and pull requests that were written or edited at that second or later.
    ///
    /// # Errors
    /// Fails rather than return a partial list.
    pub async fn comments_everywhere(&self, since: Timestamp) -> Result<Vec<CommentInfo>, GitHubError> {
        let path = self.path("/issues/comments")?;
        let since = since.rfc3339();
        let query = [("sort", "updated"), ("direction", "asc"), ("since", since.as_str())];
        self.github.list_once::<Vec<RawComment>>(self.identity, &path, &query).await
    }

    /// Returns the members of an organisation's team. Requires the organisation permission `members: read`.
    /// <https://docs.github.com/en/rest/teams/members#list-team-members>
    ///
    /// # Errors
    /// [`GitHubError::NoToken`] without the permission, [`GitHubError::NotFound`] when there is no such team.
    pub async fn team_members(&self, organisation: &str, team: &str) -> Result<Vec<UserRef>, GitHubError> {
        let scope = match self.identity {
            Identity::Installation(scope) => Scope { purpose: Purpose::Teams, repo: None, ..scope },
            Identity::App => return Err(GitHubError::Forbidden { message: "an App has no teams".to_owned() }),
        };
        let path = format!("orgs/{}/teams/{}/members", login_segment(organisation)?, login_segment(team)?);
        self.github.list_once::<Vec<RawMember>>(Identity::Installation(scope), &path, &[]).await
    }

    /// Returns the installation whose tokens this reader uses; 0 for the App itself.
    pub(super) fn installation(&self) -> i64 {
        match self.identity {
            Identity::Installation(scope) => scope.installation,
            Identity::App => 0,
        }
    }

    pub(super) fn path(&self, rest: &str) -> Result<String, GitHubError> {
        Ok(format!("{}{rest}", RepoPath::new(&self.repo.full_name)?))
    }

    pub(super) async fn one<T: DeserializeOwned>(&self, rest: &str) -> Result<T, GitHubError> {
        let response = self.github.get(self.identity, &self.path(rest)?, None).await?;
        // A renamed repository keeps its id. A transferred one has another owner, even if it is still readable.
        if response.redirected_to.is_some_and(|id| id != self.repo.github_id) {
            return Err(GitHubError::Gone { what: rest.to_owned() });
        }
        response.json()
    }
}
