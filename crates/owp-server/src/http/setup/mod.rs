//! `/setup`: script-free pages on which an operator registers the GitHub App. The engine authorises and performs the
//! steps.
//!
//! Every rejection is a page with the next step. Each wrong token costs a second, one after the other.

mod pages;

use super::ApiState;
use super::body::collect;
use super::browser::{cookie, from_elsewhere, likely_address, pause_after_wrong_secret};
use super::problem::Failure;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::Markup;
use owp_config::{Obstacle, web_origin};
use owp_engine::{Extras, GitHubError, SetupRefused, SetupRequest};
use serde::Deserialize;

const COOKIE: &str = "owp_setup";
const FORM_BYTES: usize = 16 * 1024;
/// Length limit of a GitHub account name.
const ACCOUNT_MAX: usize = 39;

/// Shows the form.
pub(super) async fn ask(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    match api.engine.operator().setup_knows(session(&headers)) {
        Ok(known) => {
            let told = api.engine.settings().public_url.get().map(str::to_owned);
            let public = told.unwrap_or_else(|| likely_address(&headers));
            let obstacle = api.engine.operator().setup_obstacle(&public).ok().flatten();
            let filled = pages::SubmittedForm { public, ..pages::SubmittedForm::default() };
            page(StatusCode::OK, None, &pages::form(&filled, known, obstacle.map(Obstacle::advice), None))
        }
        Err(error) => refused(&error),
    }
}

/// Accepts the form and shows a page whose one button posts the manifest to GitHub.
pub(super) async fn begin(State(api): State<ApiState>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let body = collect(&api, &parts, body, FORM_BYTES).await?;
    let filled = pages::SubmittedForm::read(&body);
    let known = match api.engine.operator().setup_knows(session(&parts.headers)) {
        Ok(known) => known,
        Err(error) => return Ok(refused(&error)),
    };
    let again = |why: &str| page(StatusCode::UNPROCESSABLE_ENTITY, None, &pages::form(&filled, known, None, Some(why)));
    if from_elsewhere(&parts.headers) {
        return Ok(again("The form came from another page. Fill it in here."));
    }
    let Some(public) = web_origin(&filled.public) else {
        return Ok(again(
            "This is not the pool's address. Enter https:// and a host, such as https://owp.example.org.",
        ));
    };
    let organization = match filled.organization() {
        Some(name) if !is_account(name) => {
            return Ok(again("This is not the name of an organization. Enter it as in its address on GitHub."));
        }
        name => name.map(str::to_owned),
    };
    let wish = SetupRequest {
        token: filled.token.clone(),
        session: session(&parts.headers).map(str::to_owned),
        back: came_from(&parts.headers).unwrap_or_else(|| public.clone()),
        public,
        organization,
        extras: Extras { checks: filled.checks, teams: filled.teams },
    };
    match api.engine.operator().setup_begin(&wish) {
        Ok(form) => {
            let secure = if wish.back.starts_with("https://") { "; Secure" } else { "" };
            let cookie =
                format!("{COOKIE}={}; Path=/setup; HttpOnly; SameSite=Lax; Max-Age=3600{secure}", form.session);
            let mut response = page(StatusCode::OK, Some(&form.origin), &pages::register(&form));
            set(&mut response, header::SET_COOKIE, &cookie);
            Ok(response)
        }
        Err(error @ SetupRefused::Token) => {
            pause_after_wrong_secret().await;
            tracing::warn!(%error, "setup request rejected");
            // Keeps the filled-in values except the token.
            Ok(page(StatusCode::FORBIDDEN, None, &pages::form(&filled, known, None, Some(pages::WRONG_TOKEN))))
        }
        Err(error) => Ok(refused(&error)),
    }
}

/// Query parameters that GitHub adds when it redirects the browser back.
#[derive(Deserialize)]
pub(super) struct RedirectQuery {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Handles the redirect back from GitHub.
pub(super) async fn finish(
    State(api): State<ApiState>,
    Query(back): Query<RedirectQuery>,
    headers: HeaderMap,
) -> Response {
    let session = session(&headers).map(str::to_owned);
    // GitHub hands the credentials over once, so a disconnecting browser must not cancel this.
    let finishing =
        tokio::spawn(
            async move { api.engine.operator().setup_finish(&back.code, &back.state, session.as_deref()).await },
        );
    match finishing.await {
        Ok(Ok(done)) => {
            let mut response = page(StatusCode::OK, None, &pages::done(&done));
            let gone = format!("{COOKIE}=; Path=/setup; HttpOnly; SameSite=Lax; Max-Age=0");
            set(&mut response, header::SET_COOKIE, &gone);
            response
        }
        Ok(Err(error)) => refused(&error),
        Err(error) => Failure::internal(&error).into_response(),
    }
}

fn refused(error: &SetupRefused) -> Response {
    let status = match error {
        SetupRefused::Closed => StatusCode::NOT_FOUND,
        SetupRefused::Token | SetupRefused::TokenUsed | SetupRefused::State => StatusCode::FORBIDDEN,
        SetupRefused::Place { .. } => StatusCode::SERVICE_UNAVAILABLE,
        SetupRefused::GitHub(GitHubError::Config { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        SetupRefused::GitHub(_) | SetupRefused::Unusable(_) => StatusCode::BAD_GATEWAY,
    };
    if status != StatusCode::NOT_FOUND {
        tracing::warn!(%error, "setup request rejected");
    }
    page(status, None, &pages::refusal(error))
}

/// Builds a page whose forms may post to this server and, if `origin` is set, to GitHub.
fn page(status: StatusCode, origin: Option<&str>, markup: &Markup) -> Response {
    let mut response = (status, Html(markup.0.clone())).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'{}{}; frame-ancestors 'none'",
        if origin.is_some() { " " } else { "" },
        origin.unwrap_or_default()
    );
    set(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
    // The form's origin tells at which address this browser reaches the pool.
    set(&mut response, header::REFERRER_POLICY, "strict-origin");
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// Returns the pool's address as this browser reports it in `Origin`. Only this browser is redirected there.
fn came_from(headers: &HeaderMap) -> Option<String> {
    web_origin(headers.get(header::ORIGIN)?.to_str().ok()?)
}

fn is_account(name: &str) -> bool {
    (1..=ACCOUNT_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
