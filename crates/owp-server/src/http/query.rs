//! Query string parsing: each parameter at most once, with clear errors for invalid values. Unknown parameters are
//! ignored, like unknown fields in bodies.

use super::problem::Failure;
use crate::wire::{FieldError, Problem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Largest page of a list, also the default.
pub(super) const PAGE_MAX: i64 = 100;
const PAGE_USUAL: i64 = 50;
const VALUE_MAX_CHARS: usize = 2_000;

/// The parameters of a request.
pub(super) struct Query(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

impl Query {
    /// Returns a free text parameter; a blank one counts as missing.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        Ok(self.given(name)?.filter(|text| !text.is_empty()))
    }

    /// Returns a parameter with listed or numeric values; a blank one is present, and thus invalid.
    pub(super) fn given(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        let Some(text) = self.0.get(name).map(|text| text.trim()) else { return Ok(None) };
        if text.contains('\0') || text.len() > VALUE_MAX_CHARS {
            return Err(fault(name, "must be a short text without NUL characters"));
        }
        Ok(Some(text))
    }

    /// Returns `cursor` as sent; an empty one is present, and thus invalid.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.0.get("cursor").map(String::as_str)
    }

    /// Returns `limit`, 1–100.
    pub(super) fn limit(&self) -> Result<i64, Failure> {
        let Some(text) = self.given("limit")? else { return Ok(PAGE_USUAL) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.ok_or_else(|| fault("limit", "must be a whole number from 1 to 100"))
    }
}

/// Builds the error for one parameter from a clause.
pub(super) fn fault(name: &'static str, message: &str) -> Failure {
    Problem::invalid(vec![FieldError { field: name.to_owned(), message: message.to_owned() }]).into()
}
