//! What can go wrong with a call, told apart as far as somebody would do something else about it.

use crate::net::innermost;
use serde_json::Value;

/// A call that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not the address of a web server.
    #[error("`{0}` is not the address of a pool; one looks like https://pool.example.org or http://127.0.0.1:8787")]
    Address(String),
    /// No connection, or it broke off. Whether the call had its effect is not known in the latter case.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// The innermost cause: "Connection refused".
        cause: String,
    },
    /// An answer that is not OWP: another program listens there.
    #[error("{url} answered {status} and no JSON: something else than a pool listens there")]
    Nonsense {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server, or what stands before it, is in trouble.
    #[error("{url} answered {status}: it is not available at the moment")]
    Trouble {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer longer than any of a pool.
    #[error("{url} answered more than {most} bytes: something else than a pool listens there")]
    TooLong {
        /// What was asked.
        url: String,
        /// The most that is read.
        most: usize,
    },
    /// The pool said no.
    #[error("{}", .0.detail)]
    Problem(Box<Told>),
}

impl ClientError {
    pub(super) fn unreachable(url: &str, error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        Self::Unreachable { url: url.to_owned(), cause }
    }

    /// The problem, when it is one.
    #[must_use]
    pub fn told(&self) -> Option<&Told> {
        match self {
            Self::Problem(told) => Some(told),
            _ => None,
        }
    }
}

/// A problem (RFC 9457) as a server told it. Its texts are the server's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The last part of its `type`: `refused`.
    pub kind: String,
    /// What happened, for people.
    pub detail: String,
    /// All of it.
    pub body: Value,
}

impl Told {
    pub(super) fn new(status: u16, body: Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("type").and_then(|kind| kind.rsplit('/').next().map(str::to_owned)).unwrap_or_default();
        let detail = text("detail").unwrap_or_else(|| format!("The pool answered {status} and did not say why."));
        Self { status, kind, detail, body }
    }

    /// The messages of the rules that do not hold, one by one.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.body.get("reasons").and_then(Value::as_array).into_iter().flatten();
        reasons.filter_map(|reason| reason.get("message")?.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_read_and_one_without_words_gets_some() {
        let reasons = json!([{ "rule": "skills", "message": "The task asks for go." }]);
        let told = Told::new(409, json!({ "type": "/problems/refused", "detail": "Refused.", "reasons": reasons }));
        assert_eq!((told.kind.as_str(), told.detail.as_str()), ("refused", "Refused."));
        assert_eq!(told.reasons(), ["The task asks for go."]);
        let bare = Told::new(500, json!({}));
        assert_eq!((bare.kind.as_str(), bare.reasons().len()), ("", 0));
        assert_eq!(bare.detail, "The pool answered 500 and did not say why.");
    }
}
