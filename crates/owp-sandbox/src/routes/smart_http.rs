//! Git over HTTP at the repositories' own addresses, through `git http-backend`.
//!
//! Access is decided here, with github.com's statuses and messages; the backend is a CGI program (RFC 3875) that never
//! sees credentials. The gate of the REST API does not apply, but its faults do.
//! <https://git-scm.com/docs/gitprotocol-http>

use crate::{
    Inner,
    error::ApiError,
    faults::FaultKind,
    git::{Git, bare_name},
    world::{
        World,
        access::{Caller, Need},
        model::Role,
    },
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use std::{
    io,
    process::{Command, Stdio},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
};

/// Maximum size of a request body, such as a pushed pack.
const LARGEST_REQUEST: usize = 512 * 1024 * 1024;
/// Maximum size of the backend's response head.
const LARGEST_HEAD: usize = 16 * 1024;
/// Size of the pieces in which a response is sent.
const PIECE: usize = 64 * 1024;
const BAD_CREDENTIALS: &str = "Invalid username or token. Password authentication is not supported for Git operations.";

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/{owner}/{repo}/info/refs", get(answer))
        .route("/{owner}/{repo}/git-upload-pack", post(answer))
        .route("/{owner}/{repo}/git-receive-pack", post(answer))
}

/// An admitted request.
struct Admitted {
    git: Git,
    caller: Caller,
    login: String,
    repo: u64,
    /// The path after the repository, such as `info/refs`.
    rest: String,
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let rest = parts.uri.path().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
    let admitted = admit(&mut inner.world(), &parts, (&owner, &name), rest);
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    let done = if admitted.rest == "git-receive-pack" {
        // A push that the client abandons must still be noticed if it moved a branch.
        let push = tokio::spawn(receive(inner, admitted, parts, body));
        push.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    } else {
        send(&admitted, &parts, body).await
    };
    done.unwrap_or_else(|error| plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("git http-backend failed: {error}")))
}

/// Builds a plain response. Clients show its text after `remote:`.
fn plain(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

/// A request that is not passed to the backend.
enum Refusal {
    /// 401, with the reason.
    NoCredentials(&'static str),
    /// 403, with the reason.
    Forbidden(String),
    /// 404: there is no such repository, or it is hidden.
    NotFound,
    /// The repository has another name: 301, or 307 for a request with a body.
    Moved { to: String, reads: bool },
    /// A fault of the test.
    Fault(u16),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoCredentials(text) => {
                let mut response = plain(StatusCode::UNAUTHORIZED, text);
                let realm = HeaderValue::from_static("Basic realm=\"GitHub\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
                response
            }
            Self::Forbidden(text) => plain(StatusCode::FORBIDDEN, &text),
            Self::NotFound => plain(StatusCode::NOT_FOUND, "Repository not found."),
            Self::Moved { to, reads } => {
                let status = if reads { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
                (status, [(header::LOCATION, to)]).into_response()
            }
            Self::Fault(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                plain(status, "The sandbox was told to fail.")
            }
        }
    }
}

/// Decides about a request as github.com does, or returns its refusal.
fn admit(world: &mut World, parts: &Parts, (owner, name): (&str, &str), rest: String) -> Result<Admitted, Refusal> {
    let git = world.git.clone().ok_or(Refusal::NotFound)?;
    let token = credentials(&parts.headers);
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    if let Some(refusal) = fault(world, parts, token.as_deref()) {
        return Err(refusal);
    }
    let caller = world.identify(bearer.as_deref()).map_err(|_| Refusal::NoCredentials(BAD_CREDENTIALS))?;
    let service = match rest.as_str() {
        "info/refs" => parts.uri.query().and_then(|query| query.strip_prefix("service=")).unwrap_or_default(),
        service => service,
    };
    let push = match service {
        "git-receive-pack" => true,
        "git-upload-pack" => false,
        _ => return Err(Refusal::Forbidden("Please upgrade your git client.".to_owned())),
    };
    let repo = find(world, &caller, parts, (owner, name), &rest)?;
    let login = world.actor(&caller).map_or_else(|_| String::new(), |id| world.login(id).to_owned());
    let allowed = if push { may_push(world, &caller, repo) } else { may_read(world, &caller, repo) };
    match allowed {
        Ok(()) => Ok(Admitted { git, caller, login, repo, rest }),
        Err(_) if caller == Caller::Anonymous => Err(Refusal::NoCredentials("No anonymous write access.")),
        Err(_) if push && world.repo(repo).is_ok_and(|found| found.archived) => {
            Err(Refusal::Forbidden("This repository was archived so it is read-only.".to_owned()))
        }
        Err(_) if push => {
            let repo = world.full_name(repo);
            Err(Refusal::Forbidden(format!("Permission to {repo}.git denied to {login}.")))
        }
        Err(_) => Err(Refusal::NotFound),
    }
}

/// Finds a visible repository; a former name redirects to the current one.
fn find(
    world: &World,
    caller: &Caller,
    parts: &Parts,
    (owner, name): (&str, &str),
    rest: &str,
) -> Result<u64, Refusal> {
    let name = name.strip_suffix(".git").unwrap_or(name);
    // Without credentials nobody learns whether a hidden repository exists.
    let hidden = || match caller {
        Caller::Anonymous => Refusal::NoCredentials("Repository not found."),
        _ => Refusal::NotFound,
    };
    let current = world.repo_named(owner, name);
    let former = world.old_names.get(&format!("{owner}/{name}").to_lowercase()).copied();
    let repo = current.or(former).ok_or_else(hidden)?;
    world.see(caller, repo).map_err(|_| hidden())?;
    if current.is_some() {
        return Ok(repo);
    }
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let to = format!("{}/{}.git/{rest}{query}", world.base, world.full_name(repo));
    Err(Refusal::Moved { to, reads: parts.method == Method::GET })
}

fn may_read(world: &World, caller: &Caller, repo: u64) -> Result<(), ApiError> {
    // Every token reads public repositories, whatever its permissions are.
    if world.repo(repo)?.private { world.need(caller, repo, Need::ContentsRead("")) } else { Ok(()) }
}

fn may_push(world: &World, caller: &Caller, repo: u64) -> Result<(), ApiError> {
    world.need(caller, repo, Need::ContentsWrite)?;
    world.need_role(caller, repo, Role::Write)
}

/// Returns the token of a request: a bearer token, or the password of basic authentication with any user name.
fn credentials(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Some(rest.trim().to_owned());
    }
    let decoded = data_encoding::BASE64.decode(rest.trim().as_bytes()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let (user, password) = decoded.split_once(':').unwrap_or((decoded.as_str(), ""));
    // A token alone may also stand in the place of the user name.
    Some(if password.is_empty() || password == "x-oauth-basic" { user } else { password }.to_owned())
}

/// Picks a fault with a status; a fork that takes a while is a 404. Other faults are used up without an effect.
fn fault(world: &mut World, parts: &Parts, token: Option<&str>) -> Option<Refusal> {
    let World { faults, rng, .. } = world;
    let app = token.is_some_and(crate::auth::looks_like_app);
    match faults.pick(rng, parts.method.as_str(), parts.uri.path(), app)? {
        FaultKind::Refused { status: 404 } => Some(Refusal::NotFound),
        FaultKind::ServerError { status } | FaultKind::Refused { status } => Some(Refusal::Fault(status)),
        _ => None,
    }
}

/// Starts the backend. It ends when it is dropped.
fn start(admitted: &Admitted, parts: &Parts) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut command = admitted.git.command();
    command.arg("http-backend");
    command.env("GIT_PROJECT_ROOT", admitted.git.folder()).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", format!("/{}/{}", bare_name(admitted.repo), admitted.rest));
    command.env("REQUEST_METHOD", parts.method.as_str()).env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    command.env("REMOTE_USER", &admitted.login).env("REMOTE_ADDR", "127.0.0.1");
    pass(&mut command, parts, "CONTENT_TYPE", header::CONTENT_TYPE.as_str());
    // Without a length the backend reads to the end of its input.
    pass(&mut command, parts, "CONTENT_LENGTH", header::CONTENT_LENGTH.as_str());
    pass(&mut command, parts, "HTTP_CONTENT_ENCODING", header::CONTENT_ENCODING.as_str());
    pass(&mut command, parts, "GIT_PROTOCOL", "git-protocol");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let missing = || io::Error::other("a pipe is missing");
    let (stdin, stdout) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
    Ok((child, stdin, stdout))
}

/// Passes a header to the backend; without the header the variable is unset.
fn pass(command: &mut Command, parts: &Parts, variable: &str, name: &str) {
    match parts.headers.get(name).and_then(|value| value.to_str().ok()) {
        Some(value) => command.env(variable, value),
        None => command.env_remove(variable),
    };
}

/// Copies the request body to the backend. A broken or too long body ends early, which the backend refuses.
async fn pump(body: Body, mut stdin: ChildStdin) {
    let (mut pieces, mut size) = (body.into_data_stream(), 0);
    while let Some(Ok(piece)) = pieces.next().await {
        size += piece.len();
        if size > LARGEST_REQUEST || stdin.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// Runs a push, then lets the world follow its branches, before the client hears of it.
async fn receive(inner: Arc<Inner>, admitted: Admitted, parts: Parts, body: Body) -> io::Result<Response> {
    let _alone = inner.pushes.lock().await;
    let (mut child, stdin, mut stdout) = start(&admitted, &parts)?;
    let mut output = Vec::new();
    let ((), read) = tokio::join!(pump(body, stdin), stdout.read_to_end(&mut output));
    read?;
    child.wait().await?;
    if let Err(error) = inner.world().pushed(&admitted.caller, admitted.repo) {
        tracing::error!(%error, "the sandbox could not follow a push");
    }
    let (mut response, start) = head(&output)?;
    *response.body_mut() = Body::from(output.split_off(start));
    Ok(response)
}

/// Answers a read in pieces.
async fn send(admitted: &Admitted, parts: &Parts, body: Body) -> io::Result<Response> {
    let (child, stdin, mut stdout) = start(admitted, parts)?;
    // Ends with the body, or when the backend closes its input.
    tokio::spawn(pump(body, stdin));
    let mut first = Vec::new();
    let (mut response, start) = loop {
        if let Ok(found) = head(&first) {
            break found;
        }
        if first.len() > LARGEST_HEAD || stdout.read_buf(&mut first).await? == 0 {
            return Err(io::Error::other("no response"));
        }
    };
    let first: Result<Bytes, io::Error> = Ok(Bytes::from(first.split_off(start)));
    let rest = stream::unfold((stdout, child), |(mut stdout, child)| async move {
        let mut piece = Vec::with_capacity(PIECE);
        match stdout.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(piece)), (stdout, child))),
            Err(error) => Some((Err(error), (stdout, child))),
        }
    });
    *response.body_mut() = Body::from_stream(stream::once(std::future::ready(first)).chain(rest));
    Ok(response)
}

/// Parses the head of a CGI response; returns the response without its body, and where that begins.
fn head(output: &[u8]) -> io::Result<(Response, usize)> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("no response head"))?;
    let mut response = Response::new(Body::empty());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok((response, end + 4))
}
