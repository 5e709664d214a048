//! What the box answers when it refuses: GitHub's error bodies, by status.
//!
//! One type for the HTTP face and for the verbs, so that a person in a test is refused in the same words.

use serde_json::{Value, json};

/// A refusal in GitHub's shape (`message`, `documentation_url`, `status`, sometimes `errors`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// GitHub's own words for it.
    pub message: String,
    /// The `errors` list of a 422; empty elsewhere.
    pub errors: Vec<Value>,
    /// Where a moved thing lives now (301).
    pub location: Option<String>,
}

impl ApiError {
    /// A refusal with a status and words.
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), location: None }
    }

    /// 404: it is not there, or the caller may not know that it is.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 410: a deleted issue.
    #[must_use]
    pub fn gone() -> Self {
        Self::new(410, "This issue was deleted")
    }

    /// 401: no credentials where some are needed.
    #[must_use]
    pub fn needs_login() -> Self {
        Self::new(401, "Requires authentication")
    }

    /// 401: credentials that are wrong, expired or revoked.
    #[must_use]
    pub fn bad_credentials() -> Self {
        Self::new(401, "Bad credentials")
    }

    /// 401: only the app itself may ask, by its JWT.
    #[must_use]
    pub fn needs_jwt() -> Self {
        Self::new(401, "A JSON web token could not be decoded")
    }

    /// 403: the app's token lacks the permission.
    #[must_use]
    pub fn integration() -> Self {
        Self::new(403, "Resource not accessible by integration")
    }

    /// 403: the person lacks the role.
    #[must_use]
    pub fn role(needed: &str) -> Self {
        Self::new(403, format!("Must have {needed} rights to Repository."))
    }

    /// 301: the repository or issue lives elsewhere.
    #[must_use]
    pub fn moved(location: String) -> Self {
        Self { location: Some(location), ..Self::new(301, "Moved Permanently") }
    }

    /// 422 with one field error of GitHub's standard codes (`missing_field`, `invalid`, `already_exists` …).
    #[must_use]
    pub fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let errors = vec![json!({ "resource": resource, "field": field, "code": code })];
        Self { errors, ..Self::new(422, "Validation Failed") }
    }

    /// 422 with one field error in free words.
    #[must_use]
    pub fn custom(resource: &str, field: &str, message: &str) -> Self {
        let errors = vec![json!({ "resource": resource, "field": field, "code": "custom", "message": message })];
        Self { errors, ..Self::new(422, "Validation Failed") }
    }

    /// The JSON body GitHub sends with it.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "documentation_url": "https://docs.github.com/rest" });
        match &self.location {
            Some(location) => body["url"] = json!(location),
            None => body["status"] = json!(self.status.to_string()),
        }
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        body
    }
}

/// Why the box could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The RSA key could not be made or written as PEM.
    #[error("the app's key could not be made: {0}")]
    Key(&'static str),
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The client that sends webhooks could not be built.
    #[error("the webhook sender could not be built: {0}")]
    Client(#[from] reqwest::Error),
}
