//! Sign-in and sign-out.

use super::forms::Form;
use super::layout::plain_page;
use super::reply::let_forms_name_their_origin;
use super::session::{self, Reader};
use crate::http::ApiState;
use crate::http::auth::same;
use crate::http::browser::{from_elsewhere, likely_address, pause_after_wrong_secret};
use crate::http::problem::Failure;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use owp_engine::{EngineError, GitHubError, Told, sign_in_url};
use secrecy::ExposeSecret;
use serde::Deserialize;

const TOKEN_MAX_BYTES: usize = 4 * 1024;

/// Shows the forms.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader) -> Response {
    page(&api, &reader, StatusCode::OK, None)
}

fn page(api: &ApiState, reader: &Reader, status: StatusCode, wrong: Option<&str>) -> Response {
    let body = html! {
        @if let Some(who) = &reader.who {
            form method="post" action="/signout" {
                p { "You are signed in as " b { (who.name()) } "." }
                input type="hidden" name="form" value=(reader.form_token());
                input type="hidden" name="everywhere" value="yes";
                button type="submit" { "Sign out in all browsers" }
            }
        }
        @if reader.has_ended() { p { "Your session has ended." } }
        @if let Some(why) = wrong { p.wrong role="alert" { (why) } }
        @if api.engine.sessions().has_github() {
            section {
                h2 { "Maintainers and contributors" }
                p { a.button href="/signin/github" { "Sign in with GitHub" } }
                p.note { "GitHub tells the pool your account's name, and nothing else. You can act on repositories that you may write to." }
            }
        }
        @if api.admin_token.is_some() {
            form method="post" action="/signin" {
                h2 { "Operator" }
                p.note { "With the admin token, which the pool was started with (" code { "OWP_ADMIN_TOKEN" } ")." }
                label for="token" { "Admin token" }
                input #token type="password" name="token" autocomplete="current-password" required;
                button type="submit" { "Sign in" }
            }
        } @else {
            p { "The operator cannot sign in: the pool was started without " code { "OWP_ADMIN_TOKEN" } "." }
        }
    };
    let body = html! { main.setup { (body) } };
    let mut response = (status, Html(plain_page("Sign in", reader, &body).into_string())).into_response();
    let_forms_name_their_origin(&mut response);
    response
}

/// Signs the operator in with the admin token.
pub(super) async fn operator(
    State(api): State<ApiState>,
    reader: Reader,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&api, &parts, body, TOKEN_MAX_BYTES).await?;
    if from_elsewhere(&parts.headers) {
        let why = "The form came from another page. Fill it in here.";
        return Ok(page(&api, &reader, StatusCode::FORBIDDEN, Some(why)));
    }
    let given = form.text("token");
    let admin = api.admin_token.as_deref();
    let Some(admin) = admin.filter(|token| same(given.as_bytes(), token.expose_secret().as_bytes())) else {
        pause_after_wrong_secret().await;
        tracing::warn!("sign-in rejected: wrong admin token");
        return Ok(page(&api, &reader, StatusCode::FORBIDDEN, Some("That is not the admin token.")));
    };
    let opened = api.engine.sessions().open_for_operator(admin).await?;
    let mut response = Redirect::to("/").into_response();
    session::begin(&mut response, &opened, session::is_secure(&api, &parts.headers));
    session::tell(&mut response, &Told { done: true, words: "You are signed in as the operator.".to_owned() });
    Ok(response)
}

/// Sends the browser to GitHub. The cookie ties the return to this browser.
pub(super) async fn with_github(State(api): State<ApiState>, headers: HeaderMap) -> Result<Response, Failure> {
    let back = returns_to(&api, &headers);
    let (page, secrets) = api.engine.sessions().begin_with_github(&back)?;
    let mut response = Redirect::to(&page).into_response();
    session::keep_sign_in(&mut response, &secrets, back.starts_with("https://"));
    Ok(response)
}

/// Query parameters that GitHub adds when it sends the browser back.
#[derive(Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Signs in whoever GitHub sends back.
pub(super) async fn from_github(
    State(api): State<ApiState>,
    reader: Reader,
    Query(returned): Query<Returned>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let wrong = |status, why: &str| {
        let mut response = page(&api, &reader, status, Some(why));
        session::forget_sign_in(&mut response);
        response
    };
    let kept = session::kept_sign_in(&headers).filter(|kept| same(kept.state.as_bytes(), returned.state.as_bytes()));
    let Some(secrets) = kept else {
        let why = "This sign-in was not begun in this browser, or more than ten minutes ago. Sign in again.";
        return Ok(wrong(StatusCode::FORBIDDEN, why));
    };
    if returned.code.is_empty() {
        return Ok(wrong(StatusCode::FORBIDDEN, "GitHub did not sign you in: you declined, or it refused."));
    }
    let back = returns_to(&api, &headers);
    match api.engine.sessions().finish_with_github(&back, &returned.code, &secrets).await {
        Ok((opened, login)) => {
            let mut response = Redirect::to("/").into_response();
            session::forget_sign_in(&mut response);
            session::begin(&mut response, &opened, back.starts_with("https://"));
            session::tell(&mut response, &Told { done: true, words: format!("You are signed in as {login}.") });
            Ok(response)
        }
        Err(EngineError::GitHub(error @ GitHubError::NotFound { .. })) => {
            tracing::warn!(%error, "sign-in rejected by GitHub");
            Ok(wrong(StatusCode::FORBIDDEN, "GitHub rejected the sign-in. Sign in again."))
        }
        Err(EngineError::GitHub(error)) => {
            tracing::warn!(%error, "sign-in failed: GitHub did not confirm it");
            let why = "GitHub did not confirm the sign-in at the moment. Sign in again in a minute.";
            Ok(wrong(StatusCode::SERVICE_UNAVAILABLE, why))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the address to which GitHub sends the browser back: at the pool's public address, or at the one that the
/// browser used.
fn returns_to(api: &ApiState, headers: &HeaderMap) -> String {
    let public = api.engine.settings().public_url.get().map(str::to_owned);
    sign_in_url(&public.unwrap_or_else(|| likely_address(headers)))
}

/// Ends the session, or all sessions of its owner.
pub(super) async fn out(State(api): State<ApiState>, reader: Reader, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&api, &parts, body, TOKEN_MAX_BYTES).await?;
    let mut response = Redirect::to("/").into_response();
    // Somebody who was signed out by another page loses nothing.
    if from_elsewhere(&parts.headers) || !reader.has_sent(form.text("form")) {
        return Ok(response);
    }
    if let Some(secret) = reader.secret() {
        api.engine.sessions().end(secret, form.text("everywhere") == "yes").await?;
    }
    session::end(&mut response);
    session::tell(&mut response, &Told { done: true, words: "You are signed out.".to_owned() });
    Ok(response)
}
