//! GitHub's sign-in page, on which the reader chooses who to be, and the exchange of the code.

use super::{Answer, pages::page};
use crate::{
    Inner,
    call::{Call, Reply, refuse},
    error::ApiError,
    world::{World, sign_in::SignInRequest},
};
use axum::{
    Form, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use maud::html;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new().route("/login/oauth/authorize", get(ask).post(choose))
}

#[derive(Deserialize)]
struct Choice {
    login: String,
    #[serde(flatten)]
    asked: SignInRequest,
}

async fn ask(State(inner): State<Arc<Inner>>, Query(asked): Query<SignInRequest>) -> Answer {
    let world = inner.world();
    if let Err(error) = world.check_sign_in(&asked) {
        return refuse(&error);
    }
    let hidden = [
        ("client_id", Some(&asked.client_id)),
        ("redirect_uri", Some(&asked.redirect_uri)),
        ("state", Some(&asked.state)),
        ("code_challenge", asked.code_challenge.as_ref()),
        ("code_challenge_method", asked.code_challenge_method.as_ref()),
    ];
    let body = html! {
        h1 { "Sign in to " (world.app.name) }
        p { "Who are you? GitHub would ask for a password." }
        form method="post" action="/login/oauth/authorize" {
            @for (name, value) in hidden {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            @for person in world.people() { p { button name="login" value=(person.login) { (person.login) } } }
        }
    };
    page("Sign in", &body)
}

async fn choose(State(inner): State<Arc<Inner>>, Form(choice): Form<Choice>) -> Answer {
    match inner.world().sign_in(&choice.login, choice.asked) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(error) => refuse(&error),
    }
}

/// Exchanges a code. GitHub answers a wrong one with 200 and an error in the body.
pub(super) fn exchange(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let form = call.form();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let client = (field("client_id"), field("client_secret"));
    let proof = (field("redirect_uri"), field("code_verifier"));
    Ok(Reply::ok(match world.exchange(client, field("code"), proof) {
        Ok(token) => json!({ "access_token": token, "expires_in": 28_800, "scope": "", "token_type": "bearer" }),
        Err((error, words)) => json!({ "error": error, "error_description": words }),
    }))
}
