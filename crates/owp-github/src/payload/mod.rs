//! Webhook payloads, read as hints: event, place and actor. They are never taken as the current state of an issue or
//! pull request; the engine asks GitHub for that.
//!
//! Payloads vary, and even GitHub's published examples omit required fields. A field is therefore read only when it is
//! used, and a missing field fails only the events that require it. Texts are bounded and contain no NUL characters,
//! because PostgreSQL rejects those.

mod raw;
#[cfg(test)]
mod tests;
mod types;

pub use types::{
    CommentAction, CommentRef, Edit, Incoming, InstallationAction, IssueSnapshot, Kind, PullSnapshot, RepoRef,
    RepositoryAction, UserRef,
};

use owp_pool::{Timestamp, text::tidy_line};
use raw::{RawChanges, RawCheck, RawComment, RawDelivery, RawIssue, RawRepository, RawUser, Text};

/// Maximum length of short texts (names, labels, actions), in characters. GitHub's own limits are far lower.
const SHORT_MAX_CHARS: usize = 256;

/// A parse error. Its message quotes nothing of the payload except field names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The body is not a JSON object.
    #[error("the payload is not a JSON object ({0})")]
    NotJson(String),
    /// The form has no `payload` field.
    #[error("the form has no `payload` field")]
    NoPayload,
    /// A field of a supported event has an unexpected type.
    #[error("the payload of event `{event}` has an unexpected shape (line {line}, column {column})")]
    Shape {
        /// The event name.
        event: String,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
    },
    /// A required field is missing.
    #[error("the payload of event `{event}` has no `{field}`")]
    Missing {
        /// The event name.
        event: String,
        /// The field's path.
        field: &'static str,
    },
}

/// Parses a verified delivery: JSON, or a form with a `payload` field. The event name comes from the `X-GitHub-Event`
/// header. Unsupported events become [`Kind::Other`], whatever their content.
///
/// # Errors
/// Fails when the body is not a JSON object, or a supported event lacks a required field.
pub fn read_delivery(event: &str, content_type: Option<&str>, body: &[u8]) -> Result<Incoming, PayloadError> {
    let event = tidy_line(event, SHORT_MAX_CHARS);
    if is_form(content_type) {
        let payload =
            form_urlencoded::parse(body).find(|(name, _)| name == "payload").ok_or(PayloadError::NoPayload)?.1;
        return read_json(event, payload.as_bytes());
    }
    read_json(event, body)
}

fn is_form(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn read_json(event: String, json: &[u8]) -> Result<Incoming, PayloadError> {
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    // Serde would also accept an array for a struct, field by field.
    if json.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(PayloadError::NotJson("it does not begin with a brace".to_owned()));
    }
    match serde_json::from_slice::<RawDelivery>(json) {
        Ok(raw) => understand(event, raw),
        Err(error) if !error.is_data() => {
            let what = if error.is_eof() { "it ends too early" } else { "it is not valid JSON" };
            Err(PayloadError::NotJson(format!("{what}, line {}, column {}", error.line(), error.column())))
        }
        // Our field names may mean something else in unsupported events, so their content may have any type.
        Err(_) if !is_used(&event) => understand(event, RawDelivery::default()),
        Err(error) => Err(PayloadError::Shape { event, line: error.line(), column: error.column() }),
    }
}

/// Returns true for supported events.
fn is_used(event: &str) -> bool {
    matches!(
        event,
        "issues"
            | "issue_comment"
            | "pull_request"
            | "check_run"
            | "check_suite"
            | "status"
            | "installation"
            | "installation_repositories"
            | "repository"
    )
}

fn understand(event: String, mut raw: RawDelivery) -> Result<Incoming, PayloadError> {
    let repository = raw.repository.take().and_then(repo_ref);
    let sender = raw.sender.take().and_then(user_ref);
    let installation_id = raw.installation.as_ref().and_then(|installation| installation.id);
    let action = raw.action.take().map(short);
    let kind = kind_of(&event, action.as_deref().unwrap_or_default(), raw)
        .and_then(|kind| {
            let about_installation = matches!(kind, Kind::Installation { .. } | Kind::InstallationRepositories { .. });
            match kind {
                Kind::Ping | Kind::Other => Ok(kind),
                _ if about_installation && installation_id.is_none() => Err("installation.id"),
                _ if !about_installation && repository.is_none() => Err("repository.id"),
                _ => Ok(kind),
            }
        })
        .map_err(|field| PayloadError::Missing { event: event.clone(), field })?;
    Ok(Incoming { event, action, installation_id, repository, sender, kind })
}

/// Builds the kind of an event. The error is the path of the missing field.
fn kind_of(event: &str, action: &str, raw: RawDelivery) -> Result<Kind, &'static str> {
    let changes = raw.changes.unwrap_or_default();
    Ok(match event {
        "issues" => {
            let issue = raw.issue.unwrap_or_default();
            let number = issue.number.ok_or("issue.number")?;
            let label = raw.label.and_then(|label| label.name).map(short);
            if matches!(action, "opened" | "labeled" | "reopened") {
                return Ok(Kind::Issue { number, label, edit: None, said: said(issue).map(Box::new) });
            }
            Kind::Issue { number, label, edit: edit(issue, changes).map(Box::new), said: None }
        }
        "issue_comment" => {
            let issue = raw.issue.ok_or("issue")?;
            Kind::IssueComment {
                issue_number: issue.number.ok_or("issue.number")?,
                on_pull: issue.pull_request.is_some(),
                comment: comment_ref(raw.comment.ok_or("comment")?)?,
                action: CommentAction::named(action),
                old_body: changes.body.map(|body| body.from.unwrap_or_default().into_string()),
            }
        }
        "pull_request" => {
            let pull = raw.pull_request.unwrap_or_default();
            let number = pull.number.or(raw.number).ok_or("pull_request.number")?;
            let merged = pull.merged.unwrap_or(false);
            let closed = merged || pull.state.is_some_and(|state| state.into_string() == "closed");
            let updated_at = pull.updated_at.and_then(|at| Timestamp::parse_rfc3339(&at.into_string()));
            Kind::PullRequest { number, said: PullSnapshot { closed, merged, updated_at } }
        }
        // A check that has only started changes nothing.
        "check_run" if action == "completed" => commit(raw.check_run.ok_or("check_run")?, "check_run.head_sha")?,
        "check_suite" if action == "completed" => {
            commit(raw.check_suite.ok_or("check_suite")?, "check_suite.head_sha")?
        }
        "status" => Kind::Commit { sha: short(raw.sha.ok_or("sha")?), name: raw.context.map(short) },
        "installation" => {
            Kind::Installation { action: InstallationAction::named(action), repositories: repo_refs(raw.repositories) }
        }
        "installation_repositories" => Kind::InstallationRepositories {
            added: repo_refs(raw.repositories_added),
            removed: repo_refs(raw.repositories_removed),
        },
        "repository" => Kind::Repository { action: RepositoryAction::named(action) },
        "ping" => Kind::Ping,
        _ => Kind::Other,
    })
}

fn commit(raw: RawCheck, field: &'static str) -> Result<Kind, &'static str> {
    Ok(Kind::Commit { sha: short(raw.head_sha.ok_or(field)?), name: raw.name.map(short) })
}

/// Returns the text change of an edit; `None` when neither title nor body changed.
fn edit(issue: RawIssue, changes: RawChanges) -> Option<Edit> {
    if changes.title.is_none() && changes.body.is_none() {
        return None;
    }
    let text = |text: Option<Text>| text.unwrap_or_default().into_string();
    let (title, body) = (text(issue.title), text(issue.body));
    let old_title = changes.title.map_or_else(|| title.clone(), |change| text(change.from));
    let old_body = changes.body.map_or_else(|| body.clone(), |change| text(change.from));
    let at = issue.updated_at.and_then(|at| Timestamp::parse_rfc3339(&at.into_string()));
    Some(Edit { title, body, old_title, old_body, at })
}

/// Returns the issue's text and labels; `None` if the payload lacks any of them. A null body is empty.
fn said(issue: RawIssue) -> Option<IssueSnapshot> {
    let labels = issue.labels?.into_iter().filter_map(|label| label.name).map(short).collect();
    let at = issue.updated_at.and_then(|at| Timestamp::parse_rfc3339(&at.into_string()));
    let body = issue.body.unwrap_or_default().into_string();
    Some(IssueSnapshot { title: issue.title?.into_string(), body, labels, at })
}

fn comment_ref(raw: RawComment) -> Result<CommentRef, &'static str> {
    let moment = |text: Option<Text>| text.and_then(|at| Timestamp::parse_rfc3339(&at.into_string()));
    Ok(CommentRef {
        id: raw.id.ok_or("comment.id")?,
        body: raw.body.unwrap_or_default().into_string(),
        author: raw.user.and_then(user_ref),
        via_app_id: raw.performed_via_github_app.map(|app| app.id.unwrap_or(0)),
        created_at: moment(raw.created_at),
        updated_at: moment(raw.updated_at),
    })
}

fn repo_refs(raw: Option<Vec<RawRepository>>) -> Vec<RepoRef> {
    raw.unwrap_or_default().into_iter().filter_map(repo_ref).collect()
}

/// Builds a repository reference; `None` without an id, because names can change.
fn repo_ref(raw: RawRepository) -> Option<RepoRef> {
    Some(RepoRef {
        id: raw.id?,
        full_name: short(raw.full_name?),
        // Without this field a repository is treated as private.
        private: raw.private.unwrap_or(true),
        archived: raw.archived.unwrap_or(false),
        default_branch: raw.default_branch.map(short),
    })
}

/// Builds a user reference; `None` without an id. A login that ends in `[bot]` is a bot, whatever the type.
fn user_ref(raw: RawUser) -> Option<UserRef> {
    let login = short(raw.login.unwrap_or_default());
    let is_bot = login.ends_with("[bot]") || raw.kind.is_some_and(|kind| kind.into_string() == "Bot");
    Some(UserRef { id: raw.id?, login, is_bot })
}

fn short(text: Text) -> String {
    let mut text = text.into_string();
    if let Some((end, _)) = text.char_indices().nth(SHORT_MAX_CHARS) {
        text.truncate(end);
    }
    text
}
