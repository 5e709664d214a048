//! A REST call as its handler sees it, and the reply; also paging and reading of body fields.
//!
//! Handlers are plain functions from the world and a call to a reply: no async, no locks, no sockets.

use super::{
    Inner,
    auth::bearer,
    error::ApiError,
    world::{World, access::Caller},
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, RawPathParams, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, future::Ready, sync::Arc};

/// Maximum size of a request body.
const LARGEST: usize = 2 * 1024 * 1024;

/// A parsed request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) caller: Caller,
    /// The token of the request, if any.
    pub(super) token: Option<String>,
    pub(super) path: String,
    params: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl FromRequest<Arc<Inner>> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Inner>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
        let raw = <RawPathParams as axum::extract::FromRequestParts<_>>::from_request_parts(&mut parts, state).await;
        let raw = raw.map_err(|_| refuse(&ApiError::not_found()))?;
        let params = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(bearer).map(str::to_owned);
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let body = axum::body::to_bytes(body, LARGEST).await;
        let body = body.map_err(|_| refuse(&ApiError::new(413, "Payload too large")))?;
        Ok(Self { caller, token, path: parts.uri.path().to_owned(), params, query, body })
    }
}

impl Call {
    /// Returns a path parameter.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// Parses a numeric path parameter; 404 for anything else.
    pub(super) fn id(&self, name: &str) -> Result<u64, ApiError> {
        self.param(name).parse().map_err(|_| ApiError::not_found())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the repository of `/repos/{owner}/{repo}/…`, if it is visible to the caller.
    pub(super) fn repo(&self, world: &World) -> Result<u64, ApiError> {
        world.find_repo(&self.caller, self.param("owner"), self.param("repo"), self.rest())
    }

    /// Returns the part of the path after the repository.
    fn rest(&self) -> &str {
        // `/repos/{owner}/{repo}` has three slashes; the fourth begins the rest.
        self.path.match_indices('/').nth(3).map_or("", |(index, _)| &self.path[index..])
    }

    /// Parses the body as an object; an empty body is an empty object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(ApiError::new(400, "Body should be a JSON object")),
            Err(_) => Err(ApiError::new(400, "Problems parsing JSON")),
        }
    }

    /// Parses the body as any JSON value.
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body).map_err(|_| ApiError::new(400, "Problems parsing JSON"))
    }

    /// Parses the body as a form.
    pub(super) fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// Returns the requested page and page size: 30 by default, at most 100.
    fn page_asked(&self) -> (usize, usize) {
        let number = |name: &str| self.query(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(30).clamp(1, 100);
        (number("page").unwrap_or(1).max(1), size)
    }

    /// Returns one page of a list, and the `Link` header for the other pages.
    pub(super) fn page<T>(&self, world: &World, repo: Option<u64>, items: &[T]) -> (Vec<T>, Option<String>)
    where
        T: Clone,
    {
        let (page, size) = self.page_asked();
        let last = items.len().div_ceil(size).max(1);
        let start = (page - 1).saturating_mul(size).min(items.len());
        let shown = items[start..(start + size).min(items.len())].to_vec();
        // GitHub's links name repositories by id.
        let path = match repo {
            Some(id) => format!("{}/repositories/{id}{}", world.base, self.rest()),
            None => format!("{}{}", world.base, self.path),
        };
        let mut links = Vec::new();
        let mut link = |to: usize, rel: &str| links.push(format!("<{path}?{}>; rel=\"{rel}\"", self.query_for(to)));
        if page > 1 {
            link(page - 1, "prev");
        }
        if page < last {
            link(page + 1, "next");
            link(last, "last");
        }
        if page > 1 {
            link(1, "first");
        }
        (shown, (!links.is_empty()).then(|| links.join(", ")))
    }

    fn query_for(&self, page: usize) -> String {
        let kept = self.query.iter().filter(|(key, _)| key != "page");
        let mut out = form_urlencoded::Serializer::new(String::new());
        out.extend_pairs(kept);
        out.append_pair("page", &page.to_string());
        out.finish()
    }
}

/// Reads a text field: `None` when absent, `Some(None)` when null; 422 for any other type.
pub(super) fn text(map: &Map<String, Value>, name: &str) -> Result<Option<Option<String>>, ApiError> {
    match map.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(other) => {
            let words = format!("Invalid request.\n\nFor 'properties/{name}', {other} is not a string.");
            Err(ApiError::new(422, words))
        }
    }
}

/// Reads a list of texts; an object stands for its `name`, as with labels.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::new(422, "Invalid request.\n\nexpected an array of strings");
    let one = |item: &Value| item.as_str().or_else(|| item["name"].as_str()).map(str::to_owned).ok_or_else(wrong);
    value.as_array().ok_or_else(wrong)?.iter().map(one).collect()
}

/// A reply.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) link: Option<String>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), link: None }
    }

    pub(super) fn created(body: Value) -> Self {
        Self { status: 201, ..Self::ok(body) }
    }

    pub(super) fn accepted(body: Value) -> Self {
        Self { status: 202, ..Self::ok(body) }
    }

    pub(super) fn empty() -> Self {
        Self { status: 204, body: None, link: None }
    }

    /// Builds the reply for a page of a list.
    pub(super) fn page(items: Vec<Value>, link: Option<String>) -> Self {
        Self { link, ..Self::ok(Value::Array(items)) }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Some(body) = self.body else { return status.into_response() };
        let mut response = (status, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response();
        if let Some(link) = self.link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// GitHub's content type for JSON.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Builds the HTTP response of an error.
pub(super) fn refuse(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, JSON)], Body::from(error.body().to_string())).into_response();
    if let Some(location) = error.location.as_ref().and_then(|to| HeaderValue::from_str(to).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Sets a header from text; an invalid value is skipped.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// A request handler.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Reply, ApiError>;

/// Wraps a plain function as an axum handler; the world is locked during the call.
pub(super) fn on(
    handler: Handler,
) -> impl Fn(State<Arc<Inner>>, Call) -> Ready<Response> + Clone + Send + Sync + 'static {
    move |State(inner): State<Arc<Inner>>, call: Call| {
        let answer = handler(&mut inner.world(), &call);
        std::future::ready(answer.map_or_else(|error| refuse(&error), IntoResponse::into_response))
    }
}
