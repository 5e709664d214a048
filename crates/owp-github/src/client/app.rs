//! The App's view of itself: its name, its installations and their repositories.

use super::token::{Purpose, Scope};
use super::{
    GitHub, GitHubError, Identity, RepoInfo,
    pages::Page,
    raw::{RawRepo, RawUser, optional_time},
};
use owp_pool::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The App's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppInfo {
    /// The App's numeric id; comments carry it.
    pub id: i64,
    /// The name in the App's URL.
    pub slug: String,
    /// The login of its comments, `slug[bot]`.
    pub bot_login: String,
}

/// One installation of the App on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// GitHub's numeric installation id.
    pub id: i64,
    /// The user or organisation; empty when GitHub omits it.
    pub account_login: String,
    /// Time of the suspension, if the owner suspended it.
    pub suspended_at: Option<Timestamp>,
    /// Granted permissions, such as `issues` → `write`.
    pub permissions: BTreeMap<String, String>,
    /// Its settings page; empty when GitHub omits it.
    pub html_url: String,
}

#[derive(Deserialize)]
struct RawApp {
    id: i64,
    slug: String,
}

#[derive(Clone, Deserialize)]
pub(super) struct RawInstallation {
    id: i64,
    account: Option<RawUser>,
    #[serde(default, deserialize_with = "optional_time")]
    suspended_at: Option<Timestamp>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    html_url: String,
}

impl Page for Vec<RawInstallation> {
    type Item = Installation;
    fn items(self) -> Vec<Installation> {
        let into = |raw: RawInstallation| Installation {
            id: raw.id,
            account_login: raw.account.and_then(|account| account.login).unwrap_or_default(),
            suspended_at: raw.suspended_at,
            permissions: raw.permissions,
            html_url: raw.html_url,
        };
        self.into_iter().map(into).collect()
    }
    fn id(item: &Installation) -> i64 {
        item.id
    }
}

/// Wraps the list in an object, as GitHub does for this endpoint only.
#[derive(Deserialize)]
struct RepositoriesPage {
    repositories: Vec<RawRepo>,
}

impl Page for RepositoriesPage {
    type Item = RepoInfo;
    fn items(self) -> Vec<RepoInfo> {
        self.repositories.into_iter().map(RepoInfo::from).collect()
    }
    fn id(item: &RepoInfo) -> i64 {
        item.id
    }
}

impl GitHub {
    /// Returns the App's identity. <https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app>
    ///
    /// # Errors
    /// [`GitHubError::Unauthorized`] when the key does not belong to the App id.
    pub async fn app(&self) -> Result<AppInfo, GitHubError> {
        let raw: RawApp = self.get(Identity::App, "app", None).await?.json()?;
        Ok(AppInfo { id: raw.id, bot_login: format!("{}[bot]", raw.slug), slug: raw.slug })
    }

    /// Returns every installation, suspended ones included. The list is complete, or the call fails.
    pub async fn installations(&self) -> Result<Vec<Installation>, GitHubError> {
        self.list::<Vec<RawInstallation>>(Identity::App, "app/installations", &[]).await
    }

    /// Returns every repository that an installation gives the App access to.
    ///
    /// # Errors
    /// [`GitHubError::NoToken`] when the installation is gone or suspended.
    pub async fn installation_repositories(&self, installation_id: i64) -> Result<Vec<RepoInfo>, GitHubError> {
        let scope = Scope { installation: installation_id, repo: None, purpose: Purpose::Discover };
        self.list::<RepositoriesPage>(Identity::Installation(scope), "installation/repositories", &[]).await
    }
}
