//! Middleware of every REST call: authentication, rate limits, faults, ETags, journal.
//!
//! The control API under `/_sandbox` bypasses it, because it belongs to the test and not to GitHub.

use super::{
    Inner, auth,
    call::{JSON, refuse, set},
    error::ApiError,
    faults::FaultKind,
    journal::{ActorKind, RecordedRequest},
    limits::Budget,
    listen::Line,
    permissions::accepted,
    world::{World, access::Caller},
};
use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};

/// GitHub's error page. It is always HTML, whatever the request accepts.
const UNICORN: &str = "<!DOCTYPE html>\n<html>\n<head><title>Unicorn! &middot; GitHub</title></head>\n\
<body><h1>This page is taking too long to load.</h1></body>\n</html>\n";

/// Route of GraphQL queries.
const GRAPHQL: &str = "/graphql";

/// Facts about a request before it is handled.
struct Arrival {
    caller: Result<Caller, ApiError>,
    holder: String,
    budget: Budget,
    fault: Option<FaultKind>,
    refusal: Option<ApiError>,
    retry_after: Option<i64>,
    now: i64,
}

/// Axum middleware for all routes.
pub(super) async fn gate(State(inner): State<Arc<Inner>>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_sandbox") {
        return next.run(request).await;
    }
    if text(request.headers(), header::USER_AGENT.as_str()).is_none_or(|agent| agent.trim().is_empty()) {
        return nameless();
    }
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let line = request.extensions().get::<ConnectInfo<Line>>().map(|info| info.0.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let condition = text(request.headers(), header::IF_NONE_MATCH.as_str());
    let arrival = arrive(&mut inner.world(), &method, uri.path(), &route, request.headers());
    let mut response = match (&arrival.caller, &arrival.refusal, early(&arrival)) {
        (_, _, Some(response)) => response,
        (Err(error), _, None) => refuse(error),
        (Ok(_), Some(error), None) => refused(error, arrival.retry_after),
        (Ok(caller), None, None) => {
            request.extensions_mut().insert(caller.clone());
            if let Some(FaultKind::Slow { ms }) = arrival.fault {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            next.run(request).await
        }
    };
    if method != Method::GET && response.status() == StatusCode::MOVED_PERMANENTLY {
        // A write must be repeated with its method, so the status becomes 307; the message stays "Moved Permanently".
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    }
    if method == Method::GET {
        let stale = arrival.fault == Some(FaultKind::Stale);
        response = lagging(&inner, response, format!("{} {uri}", arrival.holder), stale).await;
    }
    if method == Method::GET && response.status() == StatusCode::OK {
        response = with_etag(response, &arrival.holder, &uri.to_string(), condition.as_deref()).await;
    }
    let mut budget = arrival.budget;
    if response.status() == StatusCode::NOT_MODIFIED {
        inner.world().limits.refund(&arrival.holder);
        budget.used = budget.used.saturating_sub(1);
    }
    let resource = if route == GRAPHQL { "graphql" } else { "core" };
    dress(&mut response, budget, resource, &mut inner.world());
    if let (Ok(Caller::Installation { .. }), Some(named)) = (&arrival.caller, accepted(&method, &route)) {
        set(&mut response, "x-accepted-github-permissions", named);
    }
    let (response, status) = late(response, &arrival, line.as_ref()).await;
    let mut world = inner.world();
    let entry = entry(&world, &arrival, (&method, &uri.to_string(), route), status);
    world.journal.note(entry);
    drop(world);
    response
}

/// Returns the response to a request without `User-Agent`, which GitHub requires.
/// <https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent>
fn nameless() -> Response {
    let words = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n";
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], words).into_response()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn arrive(world: &mut World, method: &Method, path: &str, route: &str, headers: &HeaderMap) -> Arrival {
    let header = text(headers, header::AUTHORIZATION.as_str());
    let token = header.as_deref().and_then(auth::bearer).unwrap_or_default();
    let now = world.now();
    let caller = world.identify(header.as_deref());
    let holder = caller.as_ref().map_or_else(|_| Caller::Anonymous.holder(), Caller::holder);
    // Reading the rate limit is free.
    let asks = route == "/rate_limit";
    // GraphQL has a quota of its own.
    let quota = if route == GRAPHQL { format!("{holder} graphql") } else { holder.clone() };
    let budget = if asks { world.limits.peek(&quota, now) } else { world.limits.count(&quota, now) };
    let World { faults, rng, .. } = world;
    let fault = faults.pick(rng, method.as_str(), path, auth::looks_like_app(token));
    let mut refusal = None;
    let mut retry_after = None;
    if budget.used > budget.limit && !asks {
        refusal = Some(ApiError::new(403, "API rate limit exceeded"));
    } else if let (Ok(Caller::Installation { id, .. }), true) = (&caller, writes_content(method, route))
        && let Err(wait) = world.limits.write(*id, now)
    {
        refusal = Some(ApiError::new(
            403,
            "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.",
        ));
        retry_after = Some(wait);
    }
    Arrival { caller, holder, budget, fault, refusal, retry_after, now }
}

fn writes_content(method: &Method, route: &str) -> bool {
    *method == Method::POST && (route.ends_with("/comments") || route.ends_with("/issues") || route.ends_with("/pulls"))
}

fn refused(error: &ApiError, retry_after: Option<i64>) -> Response {
    let mut response = refuse(error);
    if let Some(wait) = retry_after {
        set(&mut response, "retry-after", &wait.to_string());
    }
    response
}

/// Returns the response of a fault that prevents the request from taking effect.
fn early(arrival: &Arrival) -> Option<Response> {
    match arrival.fault.as_ref()? {
        FaultKind::ServerError { status } => Some(unicorn(*status)),
        FaultKind::Reset => Some(unicorn(502)),
        FaultKind::BadCredentials => Some(refuse(&ApiError::bad_credentials())),
        FaultKind::SecondaryLimit { status, retry_after } => {
            let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let mut response = refuse(&ApiError::new(*status, words));
            if let Some(wait) = retry_after {
                set(&mut response, "retry-after", &wait.to_string());
            }
            Some(response)
        }
        FaultKind::PrimaryLimit { status, .. } => Some(refuse(&ApiError::new(*status, "API rate limit exceeded"))),
        FaultKind::Refused { status } => Some(refuse(&match status {
            404 => ApiError::not_found(),
            410 => ApiError::gone(),
            403 => ApiError::integration(),
            other => ApiError::new(*other, "Refused, because the sandbox was told to"),
        })),
        FaultKind::Scripted { body } => {
            Some((StatusCode::OK, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response())
        }
        FaultKind::Stale => None,
        FaultKind::Truncated | FaultKind::Cut | FaultKind::Slow { .. } | FaultKind::LostAnswer { .. } => None,
    }
}

fn unicorn(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], UNICORN).into_response()
}

/// Applies faults to a finished response. Also returns the status for the journal, 0 for a broken connection.
async fn late(mut response: Response, arrival: &Arrival, line: Option<&Line>) -> (Response, u16) {
    let status = response.status().as_u16();
    match &arrival.fault {
        Some(FaultKind::PrimaryLimit { reset_in_secs, .. }) => {
            let reset = arrival.now / 1_000 + i64::try_from(*reset_in_secs).unwrap_or(0);
            set(&mut response, "x-ratelimit-remaining", "0");
            set(&mut response, "x-ratelimit-used", &arrival.budget.limit.to_string());
            set(&mut response, "x-ratelimit-reset", &reset.to_string());
            (response, status)
        }
        Some(FaultKind::LostAnswer { as_502: true }) => (unicorn(502), 502),
        Some(FaultKind::LostAnswer { as_502: false } | FaultKind::Reset) => (broken(line, Bytes::new()), 0),
        Some(FaultKind::Truncated) => (half(response).await, status),
        Some(FaultKind::Cut) => {
            let whole = bytes(response).await;
            (broken_after(whole.slice(..whole.len() / 2)), status)
        }
        _ => (response, status),
    }
}

async fn bytes(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default()
}

/// Truncates the body of a response to half.
async fn half(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = bytes(Response::new(body)).await;
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(whole.slice(..whole.len() / 2)))
}

/// Breaks the connection before the first byte of the response. Without a real connection it breaks the body.
fn broken(line: Option<&Line>, sent: Bytes) -> Response {
    match line {
        Some(line) => {
            line.cut();
            Response::new(Body::empty())
        }
        None => broken_after(sent),
    }
}

fn broken_after(sent: Bytes) -> Response {
    let end = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the sandbox was told to break the connection");
    let breaking = async {
        // Gives the sent bytes time to leave; an immediate error would discard them.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(end)
    };
    let pieces = stream::iter([Ok(sent)]).chain(stream::once(breaking));
    ([(header::CONTENT_TYPE, JSON)], Body::from_stream(pieces)).into_response()
}

/// Number of responses kept for [`FaultKind::Stale`]; a full store is emptied.
const REMEMBERED: usize = 4_000;

/// Stores the response of a read, or replaces a stale read by the stored one.
async fn lagging(inner: &Inner, response: Response, key: String, stale: bool) -> Response {
    if stale {
        let before = inner.world().answered.get(&key).cloned();
        let Some(before) = before else { return response };
        return (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], before).into_response();
    }
    if response.status() != StatusCode::OK {
        return response;
    }
    let (parts, body) = response.into_parts();
    let whole = bytes(Response::new(body)).await;
    let mut world = inner.world();
    if world.answered.len() >= REMEMBERED {
        world.answered.clear();
    }
    world.answered.insert(key, whole.clone());
    Response::from_parts(parts, Body::from(whole))
}

/// Adds a weak ETag that differs by caller and URL; returns 304 when the caller has this version.
async fn with_etag(response: Response, holder: &str, url: &str, condition: Option<&str>) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = bytes(Response::new(body)).await;
    let mut digest = Sha256::new();
    for piece in [holder.as_bytes(), url.as_bytes(), whole.as_ref()] {
        digest.update(piece);
        digest.update([0]);
    }
    let tag = format!("W/\"{}\"", data_encoding::HEXLOWER.encode(&digest.finalize()));
    let known = condition.is_some_and(|list| list.split(',').any(|one| one.trim() == tag || one.trim() == "*"));
    let mut response = if known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::empty())
    } else {
        Response::from_parts(parts, Body::from(whole))
    };
    set(&mut response, "etag", &tag);
    set(&mut response, "cache-control", "private, max-age=60, s-maxage=60");
    response
}

/// Adds the headers of every response.
fn dress(response: &mut Response, budget: Budget, resource: &str, world: &mut World) {
    let remaining = budget.limit.saturating_sub(budget.used);
    set(response, "x-ratelimit-limit", &budget.limit.to_string());
    set(response, "x-ratelimit-remaining", &remaining.to_string());
    set(response, "x-ratelimit-used", &budget.used.min(budget.limit).to_string());
    set(response, "x-ratelimit-reset", &budget.reset.to_string());
    set(response, "x-ratelimit-resource", resource);
    set(response, "x-github-media-type", "github.v3; format=json");
    set(response, "x-github-api-version-selected", "2022-11-28");
    set(response, "date", &http_date(world.now()));
    let id = world.hex(8);
    set(response, "x-github-request-id", &id);
}

/// Formats an HTTP date (RFC 9110, section 5.6.7) in the sandbox's own time.
fn http_date(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn entry(world: &World, arrival: &Arrival, what: (&Method, &str, String), status: u16) -> RecordedRequest {
    let (method, uri, route) = what;
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let (actor, login, installation) = match &arrival.caller {
        Ok(Caller::App) => (ActorKind::App, None, None),
        Ok(Caller::Installation { id, .. }) => (ActorKind::Installation, None, Some(*id)),
        Ok(Caller::User(id)) => (ActorKind::User, Some(world.login(*id).to_owned()), None),
        Ok(Caller::Anonymous) | Err(_) => (ActorKind::Anonymous, None, None),
    };
    let fault = arrival.fault.as_ref().and_then(|fault| json!(fault)["kind"].as_str().map(str::to_owned));
    RecordedRequest {
        seq: 0,
        at: arrival.now,
        method: method.to_string(),
        route,
        path: path.to_owned(),
        query: query.to_owned(),
        actor,
        login,
        installation,
        status,
        fault,
    }
}
