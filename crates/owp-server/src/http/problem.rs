//! Error responses: engine errors become problems; their causes are logged and never sent to the client.

use super::{metrics, pages};
use crate::wire::{FieldError, PROBLEM_JSON, Problem, ProblemKind};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use owp_engine::EngineError;
use owp_pool::Span;
use std::sync::Arc;

/// Retry delay when a dependency does not respond.
const RETRY_AFTER_SECS: HeaderValue = HeaderValue::from_static("5");

/// The problem of a response, kept beside the body for middleware that renders it differently.
#[derive(Debug, Clone)]
pub(super) struct Shown(pub Arc<Problem>);

/// A problem to send, optionally with a header.
#[derive(Debug)]
pub(super) struct Failure(Box<Problem>, Option<&'static str>);

impl Failure {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }

    /// Returns the kind of problem.
    pub(super) fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// Returns what went wrong, for a page that shows it beside what the reader entered.
    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Builds a 401 that names the accepted credentials (RFC 9110, 11.6.1).
    pub(super) fn unauthorized(challenge: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(ProblemKind::Unauthorized, detail)), Some(challenge))
    }

    /// Reports a failed dependency; logs the cause once.
    pub(super) fn unavailable(cause: &dyn std::error::Error, detail: &str) -> Self {
        tracing::error!(%cause, "request failed: a dependency is unavailable");
        Self::new(ProblemKind::Unavailable, detail)
    }

    /// Reports a bug; logs the cause once.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(ProblemKind::Internal, "An internal error. The server's log has the details.")
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem), None)
    }
}

impl From<Box<Problem>> for Failure {
    fn from(problem: Box<Problem>) -> Self {
        Self(problem, None)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::UnknownTask => Self::new(ProblemKind::UnknownTask, "There is no task with this id."),
            EngineError::UnknownLease => Self::new(ProblemKind::UnknownLease, "There is no lease with this id."),
            EngineError::UnknownWorker => Self::new(ProblemKind::UnknownWorker, "There is no worker with this id."),
            EngineError::NoSuchRepo(_) => Self::new(ProblemKind::NoSuchRepo, sentence(&error.to_string())),
            EngineError::UnknownPerson(_) => Problem::invalid(vec![FieldError {
                field: "login".to_owned(),
                message: format!("cannot be used: {error}"),
            }])
            .into(),
            EngineError::BadPolicy(faults) => {
                let field = |key: &str| format!("policy.{key}");
                let errors = faults.into_iter();
                Problem::invalid(errors.map(|e| FieldError { field: field(&e.key), message: e.message }).collect())
                    .into()
            }
            EngineError::UnknownRepo(_) => Self::new(ProblemKind::UnknownRepo, sentence(&error.to_string())),
            EngineError::KeyTaken => Self::new(ProblemKind::KeyInUse, sentence(&error.to_string())),
            EngineError::NotYours => Self::new(ProblemKind::NotYours, sentence(&error.to_string())),
            EngineError::Managed(why) => Self::new(ProblemKind::ManagedRepo, sentence(&why)),
            EngineError::Refused(refused) => {
                metrics::count_refusals(&refused.reasons);
                Problem::new(ProblemKind::Refused, refused.summary).with_reasons(refused.reasons).into()
            }
            EngineError::Store(ref cause) if error.is_transient() => {
                Self::unavailable(cause, "The database does not answer at the moment. Try again in a few seconds.")
            }
            EngineError::Store(cause) => Self::internal(&cause),
            EngineError::Archive { .. } | EngineError::HistoryRemoved => Self::internal(&error),
            EngineError::InDoubt(_) | EngineError::CommentInDoubt(_) | EngineError::Overtaken(_) => {
                Self::unavailable(&error, &format!("{} Try again in a minute.", sentence(&error.to_string())))
            }
            EngineError::GitHub(ref cause) => {
                Self::unavailable(cause, "GitHub does not respond at the moment. Try again in a few seconds.")
            }
        }
    }
}

/// Turns an error text, which is a clause, into a sentence.
fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if clause.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(problem, challenge) = self;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if problem.kind == ProblemKind::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECS);
        }
        response.extensions_mut().insert(Shown(problem.into()));
        response
    }
}

/// Builds the response to a temporary problem. The retry delay is rounded up, so that a client that obeys is not early.
pub(super) fn later(failure: Failure, after: Span) -> Response {
    let secs = u64::try_from(after.0).unwrap_or(0).div_ceil(1000).max(1);
    let mut response = failure.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
    response
}

/// Answers requests for unknown paths.
pub(super) async fn unknown_path(uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(200).collect();
    Failure::new(ProblemKind::UnknownPath, format!("There is nothing at {path}."))
}

/// Answers a known path with an unsupported method; the router adds `Allow`.
pub(super) async fn method_not_allowed(method: Method) -> Failure {
    Failure::new(ProblemKind::MethodNotAllowed, format!("{method} is not allowed here; see the Allow header."))
}

/// Serves the page behind a problem's `type`.
pub(super) async fn explain(name: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    match name.ok().and_then(|Path(name)| ProblemKind::ALL.iter().find(|kind| kind.name() == name)) {
        Some(kind) => pages::problem(*kind).into_response(),
        None => unknown_path(uri).await.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_engine::Refused;
    use owp_pool::{Refusal, Rule};

    fn kind(error: EngineError) -> ProblemKind {
        Failure::from(error).0.kind
    }

    #[test]
    fn every_answer_of_the_engine_has_its_status() {
        assert_eq!(kind(EngineError::UnknownTask).status(), 404);
        assert_eq!(kind(EngineError::UnknownRepo("a/b".into())).status(), 400);
        assert_eq!(kind(EngineError::NotYours).status(), 403);
        assert_eq!(kind(EngineError::Managed("the App does that".into())).status(), 409);
        assert_eq!(kind(EngineError::Refused(Refused::because("No."))).status(), 409);
    }

    #[test]
    fn a_refusals_reasons_are_passed_on() {
        let refused = Refused::rules(vec![Refusal::new(Rule::Budget, "The review budget is full.").with_limit(3, 3)]);
        let problem = Failure::from(EngineError::Refused(refused)).0;
        assert_eq!(problem.detail, "The review budget is full.");
        assert_eq!((problem.reasons[0].rule, problem.reasons[0].value.as_deref()), ("budget", Some("3")));
    }

    #[test]
    fn clauses_become_sentences() {
        assert_eq!(sentence("the task is gone"), "The task is gone.");
        assert_eq!(sentence("Done!"), "Done!");
    }
}
