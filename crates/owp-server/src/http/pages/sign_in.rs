//! Sign-in and sign-out.

use super::forms::Form;
use super::layout::plain_page;
use super::session::{self, Reader};
use crate::http::ApiState;
use crate::http::auth::same;
use crate::http::browser::{from_elsewhere, pause_after_wrong_secret};
use crate::http::problem::Failure;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use owp_engine::Told;
use secrecy::ExposeSecret;

const TOKEN_MAX_BYTES: usize = 4 * 1024;

/// Shows the forms.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader) -> Response {
    page(&api, &reader, StatusCode::OK, None)
}

fn page(api: &ApiState, reader: &Reader, status: StatusCode, wrong: Option<&str>) -> Response {
    let body = html! {
        @if let Some(who) = &reader.who { p { "You are signed in as " b { (who.name()) } "." } }
        @if reader.has_ended() { p { "Your session has ended." } }
        @if let Some(why) = wrong { p.wrong role="alert" { (why) } }
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
    (status, Html(plain_page("Sign in", reader, &body).into_string())).into_response()
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
