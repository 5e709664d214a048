//! Client errors, one variant for each case a caller may handle differently.

use owp_base::net::innermost;
use serde::Deserialize;
use serde_json::Value;

/// A call that did not return the expected response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The text is not the address of a web server.
    #[error("`{0}` is not the address of a pool; write one such as https://pool.example.org or http://127.0.0.1:8787")]
    Address(String),
    /// The address includes the API path `/v1`.
    #[error("`{given}` ends in /v1: give the address without it, {pool}")]
    Versioned {
        /// The given address.
        given: String,
        /// The address without `/v1`.
        pool: String,
    },
    /// The call timed out. It may still have taken effect.
    #[error("{url} did not answer within {secs} seconds")]
    Timeout {
        /// The address that was called.
        url: String,
        /// The timeout in seconds.
        secs: u64,
    },
    /// The connection failed or broke off. In the latter case the call may still have taken effect.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// The address that was called.
        url: String,
        /// The innermost cause: "Connection refused".
        cause: String,
    },
    /// The response is not OWP: another program listens on this address.
    #[error("{url} answered {status} without JSON: another program listens there")]
    NotJson {
        /// The address that was called.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server, or a proxy in front of it, is unavailable.
    #[error("{url} answered {status}: it is not available at the moment")]
    ServerError {
        /// The address that was called.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The response is larger than any response of a pool.
    #[error("{url} answered more than {most} bytes: another program listens there")]
    TooLong {
        /// The address that was called.
        url: String,
        /// The size limit in bytes.
        most: usize,
    },
    /// The pool rejected the call.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
}

impl ClientError {
    pub(super) fn unreachable(url: &str, error: &reqwest::Error) -> Self {
        Self::Unreachable { url: url.to_owned(), cause: cause(error) }
    }

    /// Returns the problem the pool answered with, if this is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

/// Names the cause of a failed request in words for users; the library's messages are for programmers.
#[must_use]
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let innermost = innermost(error);
    let plain = [
        // rustls, when the server does not speak TLS.
        ("InvalidContentType", "the server speaks http, not https; begin the address with http://"),
        // hyper, when the server speaks only TLS.
        ("invalid HTTP version", "the server does not speak http; begin the address with https://"),
        ("UnknownIssuer", "this machine does not trust the authority that signed the server's certificate"),
        ("NotValidForName", "the server's certificate is for another name"),
        ("failed to lookup address", "there is no host with this name"),
    ];
    let known = plain.iter().find(|(raw, _)| innermost.contains(raw));
    known.map_or(innermost.clone(), |(_, words)| (*words).to_owned())
}

/// A problem (RFC 9457) as the server sent it. Its texts are the server's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The last part of its `type`, such as `refused`.
    pub kind: String,
    /// The description for users.
    pub detail: String,
    /// The whole body.
    pub body: Value,
}

impl Problem {
    /// Reads the body of an error response.
    #[must_use]
    pub fn new(status: u16, body: Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("type").and_then(|kind| kind.rsplit('/').next().map(str::to_owned)).unwrap_or_default();
        let detail = text("detail").unwrap_or_else(|| format!("The pool answered {status} without a reason."));
        Self { status, kind, detail, body }
    }

    /// Returns the rules that do not hold.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let reasons = self.body.get("reasons").and_then(Value::as_array).into_iter().flatten();
        reasons.filter_map(|reason| Reason::deserialize(reason).ok()).collect()
    }

    /// Returns the invalid fields, each with its error as a clause.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        let errors = self.body.get("errors").and_then(Value::as_array).into_iter().flatten();
        let text = |error: &Value, name: &str| error.get(name)?.as_str().map(str::to_owned);
        errors.filter_map(|error| Some((text(error, "field")?, text(error, "message")?))).collect()
    }
}

/// A rule that does not hold, as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// The rule's stable name; OWP 0.1 sends none.
    #[serde(default)]
    pub rule: String,
    /// One or more sentences for users.
    pub message: String,
    /// The current value.
    #[serde(default)]
    pub value: Option<String>,
    /// The limit it was compared with, or the requirement.
    #[serde(default)]
    pub limit: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_read_and_one_without_words_gets_some() {
        let reasons = json!([{ "rule": "skills", "message": "The task asks for go." }]);
        let problem =
            Problem::new(409, json!({ "type": "/problems/refused", "detail": "Refused.", "reasons": reasons }));
        assert_eq!((problem.kind.as_str(), problem.detail.as_str()), ("refused", "Refused."));
        let reason = problem.reasons().remove(0);
        assert_eq!((reason.rule.as_str(), reason.message.as_str()), ("skills", "The task asks for go."));
        let errors = json!([{ "field": "tier", "message": "must be from 0 to 3, not 9" }, 7]);
        let problem = Problem::new(422, json!({ "errors": errors }));
        assert_eq!(problem.fields(), [("tier".to_owned(), "must be from 0 to 3, not 9".to_owned())]);
        let bare = Problem::new(500, json!({}));
        assert_eq!((bare.kind.as_str(), bare.reasons().len()), ("", 0));
        assert_eq!(bare.detail, "The pool answered 500 without a reason.");
    }
}
