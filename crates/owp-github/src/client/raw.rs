//! GitHub's JSON: the fields in use, tolerant of missing ones.

use super::{CommentInfo, IssueEvent, IssueInfo, Permission, PermissionInfo, PullInfo, RepoInfo, UserRef, pages::Page};
use owp_pool::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Deserialize)]
pub(super) struct RawUser {
    id: Option<i64>,
    pub(super) login: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl RawUser {
    fn into_ref(self) -> Option<UserRef> {
        let (id, login) = (self.id?, self.login?);
        let is_bot = self.kind.as_deref() == Some("Bot") || login.ends_with("[bot]");
        Some(UserRef { id, login, is_bot })
    }
}

/// Reads a missing, null or incomplete account as `None`.
fn user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserRef>, D::Error> {
    Ok(Option::<RawUser>::deserialize(deserializer)?.and_then(RawUser::into_ref))
}

fn users<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UserRef>, D::Error> {
    let raw = Option::<Vec<RawUser>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(raw.into_iter().filter_map(RawUser::into_ref).collect())
}

pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not a time"))
}

pub(super) fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    Timestamp::parse_rfc3339(&text).map(Some).ok_or_else(|| D::Error::custom("not a time"))
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

impl<'de> Deserialize<'de> for UserRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawUser::deserialize(deserializer)?.into_ref().ok_or_else(|| D::Error::custom("a user without id or login"))
    }
}

#[derive(Deserialize)]
pub(super) struct RawRepo {
    id: i64,
    full_name: String,
    #[serde(default, deserialize_with = "or_empty")]
    default_branch: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
    has_issues: Option<bool>,
}

impl From<RawRepo> for RepoInfo {
    fn from(raw: RawRepo) -> Self {
        Self {
            id: raw.id,
            full_name: raw.full_name,
            default_branch: raw.default_branch,
            private: raw.private,
            archived: raw.archived,
            disabled: raw.disabled,
            has_issues: raw.has_issues.unwrap_or(true),
        }
    }
}

/// A label: an object, or plain text in old issues.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RawLabel {
    Text(String),
    Named { name: Option<String> },
}

impl RawLabel {
    fn into_name(self) -> Option<String> {
        match self {
            Self::Text(name) => Some(name),
            Self::Named { name } => name,
        }
    }
}

#[derive(Clone, Deserialize)]
struct RawAppRef {
    id: i64,
}

#[derive(Deserialize)]
pub(super) struct RawIssue {
    id: i64,
    number: i64,
    #[serde(default, deserialize_with = "or_empty")]
    title: String,
    #[serde(default, deserialize_with = "or_empty")]
    body: String,
    state: String,
    state_reason: Option<String>,
    #[serde(default)]
    labels: Vec<RawLabel>,
    #[serde(default, deserialize_with = "user")]
    user: Option<UserRef>,
    #[serde(default, deserialize_with = "users")]
    assignees: Vec<UserRef>,
    pull_request: Option<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "time")]
    updated_at: Timestamp,
    #[serde(default)]
    locked: bool,
}

impl From<RawIssue> for IssueInfo {
    fn from(raw: RawIssue) -> Self {
        Self {
            id: raw.id,
            number: raw.number,
            title: raw.title,
            body: raw.body,
            state: raw.state,
            state_reason: raw.state_reason,
            labels: raw.labels.into_iter().filter_map(RawLabel::into_name).collect(),
            author: raw.user,
            assignees: raw.assignees,
            is_pull: raw.pull_request.is_some(),
            updated_at: raw.updated_at,
            locked: raw.locked,
        }
    }
}

#[derive(Deserialize)]
struct RawHead {
    #[serde(rename = "ref", default, deserialize_with = "or_empty")]
    name: String,
    #[serde(default, deserialize_with = "or_empty")]
    sha: String,
    repo: Option<RawHeadRepo>,
}

#[derive(Deserialize)]
struct RawHeadRepo {
    full_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RawPull {
    id: i64,
    number: i64,
    state: String,
    #[serde(default)]
    draft: bool,
    merged: Option<bool>,
    #[serde(default, deserialize_with = "optional_time")]
    merged_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_empty")]
    title: String,
    #[serde(default, deserialize_with = "or_empty")]
    body: String,
    #[serde(default, deserialize_with = "user")]
    user: Option<UserRef>,
    head: RawHead,
    base: RawHead,
    #[serde(deserialize_with = "time")]
    updated_at: Timestamp,
    #[serde(default, deserialize_with = "or_empty")]
    html_url: String,
}

impl From<RawPull> for PullInfo {
    fn from(raw: RawPull) -> Self {
        Self {
            id: raw.id,
            number: raw.number,
            state: raw.state,
            draft: raw.draft,
            // Lists omit `merged`, but a merged pull request always has a merge time.
            merged: raw.merged.unwrap_or(false) || raw.merged_at.is_some(),
            merged_at: raw.merged_at,
            title: raw.title,
            body: raw.body,
            author: raw.user,
            head_ref: raw.head.name,
            head_sha: raw.head.sha,
            head_repo_full_name: raw.head.repo.and_then(|repo| repo.full_name),
            base_ref: raw.base.name,
            updated_at: raw.updated_at,
            html_url: raw.html_url,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RawEvent {
    id: i64,
    event: String,
    #[serde(default, deserialize_with = "user")]
    actor: Option<UserRef>,
    label: Option<RawLabel>,
    performed_via_github_app: Option<RawAppRef>,
    #[serde(deserialize_with = "time")]
    created_at: Timestamp,
}

impl From<RawEvent> for IssueEvent {
    fn from(raw: RawEvent) -> Self {
        Self {
            id: raw.id,
            event: raw.event,
            actor: raw.actor,
            label: raw.label.and_then(RawLabel::into_name),
            via_app_id: raw.performed_via_github_app.map(|app| app.id),
            created_at: raw.created_at,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RawComment {
    id: i64,
    #[serde(default, deserialize_with = "or_empty")]
    body: String,
    #[serde(default, deserialize_with = "user")]
    user: Option<UserRef>,
    performed_via_github_app: Option<RawAppRef>,
    #[serde(deserialize_with = "time")]
    created_at: Timestamp,
    #[serde(deserialize_with = "time")]
    updated_at: Timestamp,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    issue_url: String,
}

impl From<RawComment> for CommentInfo {
    fn from(raw: RawComment) -> Self {
        Self {
            id: raw.id,
            body: raw.body,
            author: raw.user,
            via_app_id: raw.performed_via_github_app.map(|app| app.id),
            // A comment names its issue only in a URL, and a pull request's thread only in the page's URL.
            issue: raw.issue_url.rsplit_once("/issues/").and_then(|(_, number)| number.parse().ok()),
            on_pull: is_on_pull(&raw.html_url),
            created_at: raw.created_at,
            updated_at: raw.updated_at,
        }
    }
}

/// Detects a pull request's thread by the page's URL, `…/OWNER/NAME/pull/7#issuecomment-1`. Owners and repositories may
/// be called `pull` too.
fn is_on_pull(html_url: &str) -> bool {
    let page = html_url.split(['#', '?']).next().unwrap_or_default();
    page.rsplit('/').nth(1) == Some("pull")
}

/// A team member; entries without id or login are skipped.
#[derive(Deserialize)]
pub(super) struct RawMember {
    #[serde(flatten)]
    user: RawUser,
}

impl Page for Vec<RawMember> {
    type Item = UserRef;
    fn items(self) -> Vec<UserRef> {
        self.into_iter().filter_map(|member| member.user.into_ref()).collect()
    }
    fn id(item: &UserRef) -> i64 {
        item.id
    }
}

#[derive(Deserialize)]
pub(super) struct RawPermission {
    permission: Option<String>,
    role_name: Option<String>,
    user: Option<RawPermissionUser>,
}

#[derive(Deserialize)]
struct RawPermissionUser {
    #[serde(flatten)]
    user: RawUser,
    permissions: Option<RawFlags>,
}

/// The individual rights of a role; they show the base role of a custom role.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct RawFlags {
    pull: bool,
    triage: bool,
    push: bool,
    maintain: bool,
    admin: bool,
}

impl RawFlags {
    fn highest(self) -> Permission {
        let levels = [
            (self.admin, Permission::Admin),
            (self.maintain, Permission::Maintain),
            (self.push, Permission::Write),
            (self.triage, Permission::Triage),
            (self.pull, Permission::Read),
        ];
        levels.into_iter().find(|(has, _)| *has).map_or(Permission::None, |(_, level)| level)
    }
}

impl From<RawPermission> for PermissionInfo {
    /// Uses the name of a built-in role; for a custom role its rights, else the coarse level, else `None`.
    fn from(raw: RawPermission) -> Self {
        let flags = raw.user.as_ref().and_then(|user| user.permissions);
        let permission = raw
            .role_name
            .as_deref()
            .and_then(Permission::from_name)
            .or_else(|| flags.map(RawFlags::highest))
            .or_else(|| raw.permission.as_deref().and_then(Permission::from_name))
            .unwrap_or(Permission::None);
        Self { permission, user: raw.user.and_then(|user| user.user.into_ref()) }
    }
}

macro_rules! plain_pages {
    ($($raw:ty => $item:ty),* $(,)?) => {$(
        impl Page for Vec<$raw> {
            type Item = $item;
            fn items(self) -> Vec<$item> {
                self.into_iter().map(<$item>::from).collect()
            }
            fn id(item: &$item) -> i64 {
                item.id
            }
        }
    )*};
}

plain_pages!(RawIssue => IssueInfo, RawPull => PullInfo, RawEvent => IssueEvent, RawComment => CommentInfo);

#[cfg(test)]
mod tests {
    use super::is_on_pull;

    #[test]
    fn a_thread_is_known_by_the_end_of_its_address_whatever_the_repository_is_called() {
        for (page, on_pull) in [
            ("https://github.com/acme/rocket/pull/7#issuecomment-1", true),
            ("https://github.com/acme/rocket/issues/7#issuecomment-1", false),
            ("https://github.com/pull/rocket/issues/7#issuecomment-1", false),
            ("https://github.com/acme/pull/issues/7#issuecomment-1", false),
            ("https://ghe.example:8443/pull/pull/pull/7?x=/issues/1#issuecomment-1", true),
            ("", false),
        ] {
            assert_eq!(is_on_pull(page), on_pull, "{page}");
        }
    }
}
