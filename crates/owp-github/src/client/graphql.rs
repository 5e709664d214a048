//! The one GraphQL query: time and author of an issue's last body edit, which REST does not expose.

use super::{
    GitHubError, Identity, LastEdit, RepoReader, UserRef,
    http::{ApiResponse, Write},
    rate_limits::LimitScope,
};
use owp_pool::{Span, Timestamp};
use serde::Deserialize;
use serde_json::json;

/// <https://docs.github.com/en/graphql/reference/objects#issue>
const LAST_EDIT: &str = "query($owner: String!, $name: String!, $number: Int!) { \
    repository(owner: $owner, name: $name) { issue(number: $number) { \
    lastEditedAt editor { login ... on User { databaseId } } } } }";
/// Retry delay after a rate limit, because GraphQL responses do not name one.
const RETRY_DELAY: Span = Span::minutes(1);

#[derive(Deserialize)]
struct GraphQlResponse {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
struct Data {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    issue: Option<Issue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    last_edited_at: Option<String>,
    editor: Option<Editor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Editor {
    login: Option<String>,
    database_id: Option<i64>,
}

#[derive(Deserialize)]
struct GraphQlError {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: String,
    extensions: Option<Extensions>,
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
        let Identity::Installation(scope) = self.identity else {
            return Err(GitHubError::Forbidden { message: "an App reads no issues".to_owned() });
        };
        let (owner, name) = self.repo.full_name.split_once('/').unwrap_or_default();
        let body = json!({
            "query": LAST_EDIT,
            "variables": { "owner": owner, "name": name, "number": number },
        });
        let (http, rate_limits) = (&self.github.0.http, &self.github.0.rate_limits);
        let quota = LimitScope::GraphQl(scope.installation);
        rate_limits.check(quota, self.github.now())?;
        let token = self.github.token(scope).await?;
        let ask = async |token| self.github.send(self.identity, http.write(&Write::LastEdit, token, Some(&body))).await;
        let response = match ask(&token).await {
            Err(GitHubError::Unauthorized { .. }) => ask(&self.github.replace_token(scope, &token).await?).await?,
            response => response?,
        };
        let edit = read(&response, self.github.now());
        if let Err(GitHubError::RateLimited { retry_at, secondary }) = &edit {
            rate_limits.record(quota, *retry_at, *secondary, self.github.now());
        }
        edit
    }
}

fn read(response: &ApiResponse, now: Timestamp) -> Result<LastEdit, GitHubError> {
    let reply: GraphQlResponse = response.json()?;
    if let Some(error) = reply.errors.into_iter().next() {
        return Err(error_from(error, now));
    }
    let malformed = |reason: &str| GitHubError::Malformed { reason: reason.to_owned() };
    let issue =
        reply.data.and_then(|data| data.repository?.issue).ok_or_else(|| malformed("GraphQL without an issue"))?;
    let at = match issue.last_edited_at {
        Some(text) => Some(Timestamp::parse_rfc3339(&text).ok_or_else(|| malformed("an edit without a time"))?),
        None => None,
    };
    let editor = issue.editor.and_then(|editor| {
        Some(UserRef { id: editor.database_id?, login: editor.login.unwrap_or_default(), is_bot: false })
    });
    Ok(LastEdit { at, editor })
}

/// Maps a GraphQL error, which arrives with status 200. One without type and code is transient, such as "Something went
/// wrong while executing your query".
fn error_from(error: GraphQlError, now: Timestamp) -> GitHubError {
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

    fn reading(body: &serde_json::Value) -> Result<LastEdit, GitHubError> {
        let body = body.to_string().into_bytes();
        let response = ApiResponse {
            not_modified: false,
            exhausted_until: None,
            etag: None,
            has_next: None,
            next_cursor: None,
            redirected_to: None,
            body,
        };
        read(&response, Timestamp(1_000))
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
