//! Failed tool calls, in words a model can act on: what went wrong, the reasons, and the next step. They are results of the
//! tool and not errors of the protocol, because a client shows only the former to the model.

use crate::untrusted::one_line;
use owp_client::{ClientError, Problem};
use serde_json::Value;

/// A tool call that failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The pool refused the call, or cannot be reached.
    Pool(Box<ClientError>),
    /// The call cannot be made: the text says why, and what to do instead.
    Call(String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Pool(Box::new(error))
    }
}

impl Failure {
    /// Creates a failure of the call itself, from sentences.
    pub(crate) fn call(text: impl Into<String>) -> Self {
        Self::Call(text.into())
    }

    /// Returns true if the pool does not know what was named.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Pool(error) if error.problem().is_some_and(|problem| problem.status == 404))
    }

    /// Returns the text of the result.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Call(text) => text.clone(),
            Self::Pool(error) => match error.problem() {
                Some(problem) => of_problem(problem),
                None => format!("{error}.\nNext: try again in a minute."),
            },
        }
    }
}

fn of_problem(problem: &Problem) -> String {
    let title = problem.body.get("title").and_then(Value::as_str).unwrap_or("The pool refused");
    let mut lines = vec![format!("{title}: {}", problem.detail)];
    lines.extend(reasons(&problem.body));
    lines.extend(problem.fields().into_iter().map(|(field, message)| format!("- {field} {message}")));
    if let Some(next) = next_step(&problem.kind) {
        lines.push(format!("Next: {next}"));
    }
    lines.join("\n")
}

/// Formats each rule that does not hold: `- budget: … (value 5, limit 5, retry at …)`.
fn reasons(body: &Value) -> Vec<String> {
    let reasons = body.get("reasons").and_then(Value::as_array).into_iter().flatten();
    reasons.map(reason).collect()
}

/// Formats one rule that does not hold.
pub(crate) fn reason(reason: &Value) -> String {
    // Names and messages may hold what others chose, so each stays on its line.
    let text = |name: &str| reason.get(name).and_then(Value::as_str).map(one_line);
    let named = [("value", "value"), ("limit", "limit"), ("holder", "holder"), ("retry_at", "retry at")];
    let facts: Vec<String> = named.iter().filter_map(|(name, word)| Some(format!("{word} {}", text(name)?))).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    let rule = text("rule").map_or_else(String::new, |rule| format!("{rule}: "));
    format!("- {rule}{}{facts}", text("message").unwrap_or_else(|| "it does not hold".to_owned()))
}

/// Returns the next step by the last part of the problem's `type`, which is part of the protocol.
fn next_step(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "unauthorized" => "ask the user for a valid worker token; `owp worker register` creates one.",
        "unknown-task" | "unknown-lease" => "call list_tasks for the tasks you hold, or for those that wait.",
        "not-yours" => "call list_tasks for the tasks you hold, or claim the task again with claim_task.",
        "refused" => "call why for one task, or claim_task without a task for another one.",
        "managed-repository" => "use the issue and the pull request on GitHub; the pool follows them there.",
        "invalid-value" | "malformed-body" => "correct the arguments and call the tool again.",
        "rate-limited" | "unavailable" | "internal" => "wait a few seconds and call the tool again.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_names_title_detail_reasons_and_the_next_step() {
        let reasons = json!([{ "rule": "skills", "message": "The task asks for go.", "value": "rust", "limit": "go",
            "holder": null, "retry_at": "2026-11-21T14:30:00Z" }]);
        let body = json!({ "type": "/problems/refused", "title": "Refused", "detail": "Not now.", "reasons": reasons });
        let failure = Failure::from(ClientError::Problem(Box::new(Problem::new(409, body))));
        let expected = "Refused: Not now.\n\
                        - skills: The task asks for go. (value rust, limit go, retry at 2026-11-21T14:30:00Z)\n\
                        Next: call why for one task, or claim_task without a task for another one.";
        assert_eq!(failure.text(), expected);
        assert!(!failure.is_unknown());
    }

    #[test]
    fn a_pool_that_cannot_be_reached_is_named() {
        let error = ClientError::Timeout { url: "http://pool".to_owned(), secs: 15 };
        let text = Failure::from(error).text();
        assert_eq!(text, "http://pool did not answer within 15 seconds.\nNext: try again in a minute.");
    }
}
