//! GraphQL queries, and the first of two: time and author of an issue's last body edit, which REST does not expose. The
//! other one is in `histories`.

use super::{GitHubError, Identity, LastEdit, RepoReader, UserRef, http::Write, rate_limits::LimitScope};
use owp_pool::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// <https://docs.github.com/en/graphql/reference/objects#issue>
const LAST_EDIT: &str = "query($owner: String!, $name: String!, $number: Int!) { \
    repository(owner: $owner, name: $name) { issue(number: $number) { \
    lastEditedAt editor { login ... on User { databaseId } } } } }";
/// Retry delay after a rate limit, because GraphQL responses do not name one.
const RETRY_DELAY: Span = Span::minutes(1);

#[derive(Deserialize)]
pub(super) struct GraphQlResponse {
    pub(super) data: Option<Value>,
    #[serde(default)]
    pub(super) errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    last_edited_at: Option<String>,
    editor: Option<Editor>,
}

/// The author of an edit. Only users have a numeric id here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Editor {
    login: Option<String>,
    database_id: Option<i64>,
}

impl Editor {
    pub(super) fn into_user(self) -> Option<UserRef> {
        Some(UserRef { id: self.database_id?, login: self.login.unwrap_or_default(), is_bot: false })
    }
}

#[derive(Deserialize)]
pub(super) struct GraphQlError {
    /// Path of the field that is null because of this error.
    #[serde(default)]
    path: Vec<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: String,
    extensions: Option<Extensions>,
}

impl GraphQlError {
    /// Returns the field of the repository that this error concerns; `None` for an error of the whole query.
    pub(super) fn field(&self) -> Option<&str> {
        match self.path.as_slice() {
            [repository, field, ..] if repository == "repository" => field.as_str(),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Extensions {
    code: Option<String>,
}

impl RepoReader {
    /// Returns the time and the author of the last edit of an issue's body.
    ///
    /// # Errors
    /// [`GitHubError::Forbidden`] and [`GitHubError::Validation`] are permanent: GitHub does not expose the edit here.
    pub async fn last_edit(&self, number: i64) -> Result<LastEdit, GitHubError> {
        let (owner, name) = self.repo.full_name.split_once('/').unwrap_or_default();
        let body = json!({
            "query": LAST_EDIT,
            "variables": { "owner": owner, "name": name, "number": number },
        });
        self.ask_graphql(&Write::LastEdit, &body, last_edit).await
    }

    /// Sends a query and reads its response. A rate limit that `read` reports is obeyed by all later queries.
    pub(super) async fn ask_graphql<T>(
        &self,
        query: &Write<'_>,
        body: &Value,
        read: impl FnOnce(GraphQlResponse, Timestamp) -> Result<T, GitHubError>,
    ) -> Result<T, GitHubError> {
        let Identity::Installation(scope) = self.identity else {
            return Err(GitHubError::Forbidden { message: "an App reads no issues".to_owned() });
        };
        let (http, rate_limits) = (&self.github.0.http, &self.github.0.rate_limits);
        let quota = LimitScope::GraphQl(scope.installation);
        rate_limits.check(quota, self.github.now())?;
        let token = self.github.token(scope).await?;
        let ask = async |token| self.github.send(self.identity, http.write(query, token, Some(body))).await;
        let response = match ask(&token).await {
            Err(GitHubError::Unauthorized { .. }) => ask(&self.github.replace_token(scope, &token).await?).await?,
            response => response?,
        };
        let answer = response.json().and_then(|reply| read(reply, self.github.now()));
        if let Err(GitHubError::RateLimited { retry_at, secondary }) = &answer {
            rate_limits.record(quota, *retry_at, *secondary, self.github.now());
        }
        answer
    }
}

pub(super) fn malformed(reason: &str) -> GitHubError {
    GitHubError::Malformed { reason: reason.to_owned() }
}

fn last_edit(reply: GraphQlResponse, now: Timestamp) -> Result<LastEdit, GitHubError> {
    if let Some(error) = reply.errors.into_iter().next() {
        return Err(error_from(error, now));
    }
    let issue = reply.data.map(|mut data| data["repository"]["issue"].take()).unwrap_or_default();
    let issue = Issue::deserialize(issue).map_err(|_| malformed("GraphQL without an issue"))?;
    let at = match issue.last_edited_at {
        Some(text) => Some(Timestamp::parse_rfc3339(&text).ok_or_else(|| malformed("an edit without a time"))?),
        None => None,
    };
    Ok(LastEdit { at, editor: issue.editor.and_then(Editor::into_user) })
}

/// Maps a GraphQL error, which arrives with status 200. One without type and code is transient, such as "Something went
/// wrong while executing your query".
pub(super) fn error_from(error: GraphQlError, now: Timestamp) -> GitHubError {
    let message = owp_pool::text::tidy_line(&error.message, 300);
    match (error.kind.as_deref(), error.extensions.and_then(|extensions| extensions.code)) {
        (Some("FORBIDDEN" | "INSUFFICIENT_SCOPES"), _) => GitHubError::Forbidden { message },
        (Some("NOT_FOUND"), _) => GitHubError::NotFound { what: "graphql".to_owned() },
        (Some("RATE_LIMITED"), _) => GitHubError::RateLimited { retry_at: now + RETRY_DELAY, secondary: false },
        (None, Some(_)) => GitHubError::Validation { message },
        _ => GitHubError::Unavailable { status: 200, retry_at: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::http::ApiResponse;

    fn reading(body: &serde_json::Value) -> Result<LastEdit, GitHubError> {
        let body = body.to_string().into_bytes();
        let response = ApiResponse {
            not_modified: false,
            exhausted_until: None,
            quota: None,
            etag: None,
            has_next: None,
            next_cursor: None,
            redirected_to: None,
            body,
        };
        last_edit(response.json()?, Timestamp(1_000))
    }

    #[test]
    fn an_edit_has_a_time_and_an_editor_where_github_knows_them() {
        let issue = |issue: serde_json::Value| reading(&json!({ "data": { "repository": { "issue": issue } } }));
        let never = issue(json!({ "lastEditedAt": null, "editor": null })).unwrap();
        assert_eq!(never, LastEdit { at: None, editor: None });
        let at = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z");
        let eve = json!({ "lastEditedAt": "2026-11-21T03:09:00Z", "editor": { "login": "eve", "databaseId": 7 } });
        let editor = Some(UserRef { id: 7, login: "eve".into(), is_bot: false });
        assert_eq!(issue(eve).unwrap(), LastEdit { at, editor });
        let app = json!({ "lastEditedAt": "2026-11-21T03:09:00Z", "editor": { "login": "robot" } });
        assert_eq!(issue(app).unwrap(), LastEdit { at, editor: None });
    }

    #[test]
    fn errors_that_pass_differ_from_those_that_stay() {
        let error = |error: serde_json::Value| reading(&json!({ "data": null, "errors": [error] })).unwrap_err();
        assert!(matches!(error(json!({ "type": "FORBIDDEN", "message": "no" })), GitHubError::Forbidden { .. }));
        assert!(matches!(error(json!({ "type": "NOT_FOUND" })), GitHubError::NotFound { .. }));
        assert!(matches!(
            error(
                json!({ "message": "Field 'lastEditedAt' doesn't exist", "extensions": { "code": "undefinedField" } })
            ),
            GitHubError::Validation { .. }
        ));
        assert_eq!(error(json!({ "type": "RATE_LIMITED" })).retry_at(), Some(Timestamp(61_000)));
        assert!(error(json!({ "message": "Something went wrong while executing your query." })).is_transient());
        assert!(reading(&json!({ "data": { "repository": null } })).unwrap_err().is_transient());
    }
}
