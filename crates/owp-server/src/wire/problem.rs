//! Problems: HTTP errors as defined by RFC 9457, with this program's own types.
//!
//! A problem's `type` is a path on the server that sent it, where a page explains it. The names are part of the
//! protocol: clients may branch on them, so they never change.

use owp_pool::Refusal;
use schemars::JsonSchema;
use serde::Serialize;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! problem_kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $status:literal, $title:literal, $help:literal;)*) => {
        /// The kind of a problem. Each has a stable name, a status, a title and a help text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)* }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the last part of the problem's `type`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the problem's `type`: a path on the server that sent it.
            #[must_use]
            pub fn type_path(self) -> &'static str {
                match self { $(Self::$variant => concat!("/problems/", $name),)* }
            }

            /// Returns the HTTP status.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Returns a short title that does not depend on the occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the explanation and the remedy, for the page behind the `type`.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

problem_kinds! {
    /// The body is not JSON of the expected form.
    MalformedBody => "malformed-body", 422, "The body cannot be read",
        "The body is not a JSON object, or a field has the wrong type. `line` and `column` say where reading stopped. Numbers in strings are not numbers.";
    /// A field's value is out of bounds.
    InvalidValue => "invalid-value", 422, "A value is invalid",
        "The body was read, but `errors` lists fields whose values are out of bounds.";
    /// The token is missing or invalid.
    Unauthorized => "unauthorized", 401, "Not authorized",
        "Send `Authorization: Bearer TOKEN` with the token from registration, or `X-Admin-Token` for admin calls. Webhook deliveries must be signed with the App's webhook secret.";
    /// The task does not belong to this worker.
    NotYours => "not-yours", 403, "The task is not yours",
        "Another worker holds the task, or your lease ended and the task is open again. `GET /v1/work` lists what you hold.";
    /// No such task.
    UnknownTask => "unknown-task", 404, "There is no such task",
        "No task has this id. `GET /v1/work` lists the ids of what you hold.";
    /// No such lease.
    UnknownLease => "unknown-lease", 404, "There is no such lease",
        "No lease has this id. `GET /v1/work` lists the leases you hold.";
    /// No such path.
    UnknownPath => "unknown-path", 404, "There is no such path",
        "The server knows no such path. Paths are case-sensitive and end without a slash.";
    /// No such worker.
    UnknownWorker => "unknown-worker", 404, "There is no such worker",
        "No worker has this id. The audit export names the workers of the pool.";
    /// No visible repository has this name.
    NoSuchRepo => "no-such-repository", 404, "There is no such repository here",
        "The pool serves no repository of this name, or it is private. `GET /v1/repos` lists those you can see.";
    /// Too many calls.
    RateLimited => "rate-limited", 429, "Too many calls",
        "One token or address made more calls than the limit. Wait for the seconds in `Retry-After`. The `RateLimit` header of every response says how many calls are left; `GET /v1/work?wait=30` waits for work in one call.";
    /// Too many open event streams.
    TooManyStreams => "too-many-streams", 429, "Too many event streams",
        "One token or address has the maximum number of event streams open. Close one, or read pages. The place of a client that disconnected is free again after the seconds in `Retry-After`.";
    /// The feed cursor is too old.
    CursorExpired => "cursor-expired", 410, "The cursor is too old",
        "The client was away for longer than events are kept. Start again without a cursor for the oldest event kept, or with `from=now` for the end of the feed, and reload what you keep track of.";
    /// The idempotency key was used before, for another call.
    KeyReused => "idempotency-key-reused", 422, "The idempotency key belongs to another call",
        "The key was used within the last 24 hours with another body. Use a fresh key for every new call, and the same key only to repeat one.";
    /// A call with this idempotency key is in progress.
    KeyInUse => "idempotency-key-in-use", 409, "A call with this key is not finished",
        "The first call with this idempotency key has not been answered yet. Wait the seconds in `Retry-After` and repeat it.";
    /// The path exists but does not support the method.
    MethodNotAllowed => "method-not-allowed", 405, "The method is not allowed here",
        "The path does not support this method. The `Allow` header lists the methods it supports.";
    /// `/mcp` was called at a host name or from a web page that is not the pool's.
    ForeignAddress => "foreign-address", 403, "The address is not the pool's",
        "`/mcp` answers only at the pool's own address, so that web pages cannot reach it through a host name of theirs. Call it at the pool's public address (`OWP_PUBLIC_URL`) or at an IP address.";
    /// A form did not come from a page of the session that sent it.
    ForeignForm => "foreign-form", 403, "The form is from another page",
        "Forms are accepted only from pages that this session has loaded. Nothing was changed. Load the page again and repeat it.";
    /// The client does not accept the form of the response.
    NotAcceptable => "not-acceptable", 406, "The response has another form",
        "The `Accept` header of a call to `/mcp` must name `application/json` and `text/event-stream`.";
    /// The body's type is not supported.
    UnsupportedMediaType => "unsupported-media-type", 415, "The body has another form",
        "Send `Content-Type: application/json`.";
    /// The client speaks a revision of MCP that the server does not know.
    UnknownRevision => "unknown-revision", 400, "The revision of MCP is not known",
        "The `MCP-Protocol-Version` header of a call to `/mcp` must name a revision that the server offers in its answer to `initialize`.";
    /// The request names an unknown repository.
    UnknownRepo => "unknown-repository", 400, "The repository is not known",
        "Create the repository with `POST /v1/admin/repos` first, or install the App on it.";
    /// The webhook delivery cannot be parsed.
    BadDelivery => "bad-delivery", 400, "The delivery cannot be read",
        "A webhook delivery lacks GitHub's headers, or its payload is not what GitHub sends for this event.";
    /// The rules or the current state do not allow it.
    Refused => "refused", 409, "Refused",
        "The rules or the current state do not allow this now. `reasons` lists every rule that does not hold, with its value, its limit, the holder and the time to try again, as far as they are known.";
    /// The repository is managed through the GitHub App.
    ManagedRepo => "managed-repository", 409, "The repository is managed on GitHub",
        "The App is installed on this repository. Use its issues, labels and pull requests on GitHub instead of this call.";
    /// The body exceeds the size limit.
    TooLarge => "too-large", 413, "The body is too large",
        "API calls take bodies up to 1 MiB, webhook deliveries up to 25 MiB.";
    /// The body arrived too slowly.
    TooSlow => "too-slow", 408, "The request took too long to arrive",
        "The body did not arrive within 30 seconds.";
    /// A bug in this program.
    Internal => "internal", 500, "An internal error",
        "The call failed because of a bug, and no change was left half done. Look in the server's log for the response's `X-Request-Id`.";
    /// A dependency does not respond.
    Unavailable => "unavailable", 503, "Not available at the moment",
        "The database or GitHub does not answer, the call took too long, or the server is too busy. Try again after the seconds in `Retry-After`.";
    /// Webhooks need a configured App.
    NotConfigured => "not-configured", 503, "GitHub is not configured",
        "The server was started without a GitHub App, so it cannot check who sent a delivery. Set GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and GITHUB_WEBHOOK_SECRET.";
}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Name of the field; `skills[3]` is the fourth entry of a list.
    pub field: String,
    /// Error, as a clause about the field: "must have 1 to 120 characters, not 0".
    pub message: String,
}

/// One rule that does not hold, with the same message everywhere in the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Stable name of the rule.
    pub rule: &'static str,
    /// Explanation in one sentence.
    pub message: String,
    /// Current value.
    pub value: Option<String>,
    /// Limit the value was compared with.
    pub limit: Option<String>,
    /// Current holder of what was requested.
    pub holder: Option<String>,
    /// Time from which a retry can succeed (RFC 3339).
    pub retry_at: Option<String>,
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self {
            rule: refusal.rule.name(),
            message: refusal.message,
            value: refusal.value,
            limit: refusal.limit,
            holder: refusal.holder,
            retry_at: refusal.retry_at.map(|at| at.rfc3339()),
        }
    }
}

/// An error response (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Kind of the problem, as a path on this server.
    #[serde(rename = "type", serialize_with = "as_type_path")]
    #[schemars(with = "String")]
    pub kind: ProblemKind,
    /// Short title of the kind.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Explanation of this occurrence.
    pub detail: String,
    /// Rules that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub reasons: Vec<Reason>,
    /// Invalid fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub errors: Vec<FieldError>,
    /// Line of the body where parsing stopped, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn as_type_path<S: serde::Serializer>(kind: &ProblemKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.type_path())
}

impl Problem {
    /// Creates a problem with details of this occurrence.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: kind.title(),
            status: kind.status(),
            detail: detail.into(),
            reasons: Vec::new(),
            errors: Vec::new(),
            line: None,
            column: None,
        }
    }

    /// Adds the rules that do not hold.
    #[must_use]
    pub fn with_reasons(mut self, reasons: Vec<Refusal>) -> Self {
        self.reasons = reasons.into_iter().map(Reason::from).collect();
        self
    }

    /// Creates the problem for a readable body with invalid values.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|e| format!("`{}` {}.", e.field, e.message)).collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::new(ProblemKind::InvalidValue, detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::{Rule, Timestamp};
    use std::collections::BTreeSet;

    #[test]
    fn a_refusal_reaches_the_client_with_rule_value_limit_holder_and_time() {
        let refusal = Refusal::new(Rule::AreaLock, "The area auth is taken.")
            .with_limit(1, 1)
            .with_holder(Some("octocat"))
            .with_retry(Timestamp::parse_rfc3339("2026-11-21T03:09:00Z"));
        let problem = Problem::new(ProblemKind::Refused, "The area auth is taken.").with_reasons(vec![refusal]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&problem).unwrap(), @r#"
        {
          "type": "/problems/refused",
          "title": "Refused",
          "status": 409,
          "detail": "The area auth is taken.",
          "reasons": [
            {
              "rule": "area_lock",
              "message": "The area auth is taken.",
              "value": "1",
              "limit": "1",
              "holder": "octocat",
              "retry_at": "2026-11-21T03:09:00Z"
            }
          ]
        }
        "#);
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_an_error_status() {
        let names: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert!((400..600).contains(&kind.status()), "{kind:?}");
            assert!(kind.help().ends_with('.'), "{kind:?}");
        }
    }
}
