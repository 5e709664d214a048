//! One REST call as a handler sees it, and the answer it gives; paging and field reading live here.
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

/// The largest request body taken.
const LARGEST: usize = 2 * 1024 * 1024;

/// A request, read.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) caller: Caller,
    /// The token it was made with, if any.
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
    /// A placeholder of the route.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A numeric placeholder; what is not a number is not there.
    pub(super) fn id(&self, name: &str) -> Result<u64, ApiError> {
        self.param(name).parse().map_err(|_| ApiError::not_found())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The repository of `/repos/{owner}/{repo}/…`, if the caller may know of it.
    pub(super) fn repo(&self, world: &World) -> Result<u64, ApiError> {
        world.find_repo(&self.caller, self.param("owner"), self.param("repo"), self.rest())
    }

    /// What follows the repository in the path.
    fn rest(&self) -> &str {
        // `/repos/{owner}/{repo}` has three slashes; the fourth begins the rest.
        self.path.match_indices('/').nth(3).map_or("", |(index, _)| &self.path[index..])
    }

    /// The body, an object; an empty body is an empty object.
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

    /// The body, whatever it is.
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body).map_err(|_| ApiError::new(400, "Problems parsing JSON"))
    }

    /// The page and its size as asked for: 30 unless told, 100 at most.
    fn page_asked(&self) -> (usize, usize) {
        let number = |name: &str| self.query(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(30).clamp(1, 100);
        (number("page").unwrap_or(1).max(1), size)
    }

    /// One page of a list, with the `Link` header that leads to the others.
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

/// A text field: none when absent, `Some(None)` when null; another type is a 422.
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

/// A list of texts; objects stand for their `name`, as labels may.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::new(422, "Invalid request.\n\nexpected an array of strings");
    let one = |item: &Value| item.as_str().or_else(|| item["name"].as_str()).map(str::to_owned).ok_or_else(wrong);
    value.as_array().ok_or_else(wrong)?.iter().map(one).collect()
}

/// An answer.
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

    /// A page of a list.
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

/// A refusal on the wire.
pub(super) fn refuse(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, JSON)], Body::from(error.body().to_string())).into_response();
    if let Some(location) = error.location.as_ref().and_then(|to| HeaderValue::from_str(to).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Sets a header from text; what is not a legal value is left out.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// A handler.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Reply, ApiError>;

/// Makes an axum handler of a plain function; the world is locked while it runs.
pub(super) fn on(
    handler: Handler,
) -> impl Fn(State<Arc<Inner>>, Call) -> Ready<Response> + Clone + Send + Sync + 'static {
    move |State(inner): State<Arc<Inner>>, call: Call| {
        let answer = handler(&mut inner.world(), &call);
        std::future::ready(answer.map_or_else(|error| refuse(&error), IntoResponse::into_response))
    }
}
