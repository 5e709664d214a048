//! Errors of the sandbox: GitHub's error bodies, by status.
//!
//! The REST API and the verbs share one type, so that users in a test get the same messages.

use serde_json::{Value, json};

/// An error response in GitHub's form (`message`, `documentation_url`, `status`, sometimes `errors`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// GitHub's message for it.
    pub message: String,
    /// The `errors` list of a 422; otherwise empty.
    pub errors: Vec<Value>,
    /// The new address of a moved resource (301).
    pub location: Option<String>,
}

impl ApiError {
    /// Creates an error with a status and a message.
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), location: None }
    }

    /// 404: the resource does not exist, or is hidden from the caller.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 410: a deleted issue.
    #[must_use]
    pub fn gone() -> Self {
        Self::new(410, "This issue was deleted")
    }

    /// 401: credentials are required and missing.
    #[must_use]
    pub fn needs_login() -> Self {
        Self::new(401, "Requires authentication")
    }

    /// 401: invalid, expired or revoked credentials.
    #[must_use]
    pub fn bad_credentials() -> Self {
        Self::new(401, "Bad credentials")
    }

    /// 401: the call requires the app's JWT.
    #[must_use]
    pub fn needs_jwt() -> Self {
        Self::new(401, "A JSON web token could not be decoded")
    }

    /// 403: the installation token lacks the permission.
    #[must_use]
    pub fn integration() -> Self {
        Self::new(403, "Resource not accessible by integration")
    }

    /// 403: the user lacks the role.
    #[must_use]
    pub fn role(needed: &str) -> Self {
        Self::new(403, format!("Must have {needed} rights to Repository."))
    }

    /// 405: a pull request that is closed or in conflict with its target branch.
    #[must_use]
    pub fn not_mergeable() -> Self {
        Self::new(405, "Pull Request is not mergeable")
    }

    /// 301: the repository or issue has moved.
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

    /// 422 with one field error and a custom message.
    #[must_use]
    pub fn custom(resource: &str, field: &str, message: &str) -> Self {
        let errors = vec![json!({ "resource": resource, "field": field, "code": "custom", "message": message })];
        Self { errors, ..Self::new(422, "Validation Failed") }
    }

    /// Returns the JSON body that GitHub sends with it.
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

/// A startup error of the sandbox.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The RSA key could not be generated or encoded as PEM.
    #[error("the app's key could not be made: {0}")]
    Key(&'static str),
    /// The sandbox cannot listen on the address.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The requested address.
        address: String,
        /// The system error.
        cause: std::io::Error,
    },
    /// The sandbox cannot serve git.
    #[error("git cannot be served: {0}")]
    Git(String),
    /// The HTTP client for webhooks could not be built.
    #[error("the webhook sender could not be built: {0}")]
    Client(#[from] reqwest::Error),
}
