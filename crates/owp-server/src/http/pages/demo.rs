//! What the viewer of `owp demo` can let happen: the section on the overview, and `POST /demo`. A server without a demo
//! has neither.

use super::forms::Form;
use super::session::tell;
use crate::http::ApiState;
use crate::http::browser::from_elsewhere;
use crate::http::problem::{Failure, unknown_path};
use crate::wire::ProblemKind;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use owp_engine::Told;

const FORM_MAX_BYTES: usize = 1024;

/// Something that the viewer of a demo can let happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Name in the form.
    pub name: String,
    /// Text of the button.
    pub label: String,
    /// One sentence about the effect.
    pub description: String,
}

/// A demo that the viewer can steer.
pub trait DemoControls: Send + Sync {
    /// Lists what the viewer can let happen now.
    fn controls(&self) -> Vec<Control>;

    /// Carries out a control, and returns a sentence about what was done, or about why not.
    fn act<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, String>>;

    /// Returns the address of the demo's GitHub.
    fn github(&self) -> String;
}

/// Renders the controls of a demo, and the way to its GitHub.
pub(super) fn section(demo: &dyn DemoControls) -> Markup {
    html! {
        section aria-labelledby="try" {
            h2 id="try" { "Try it" }
            ul.controls {
                @for Control { name, label, description } in demo.controls() {
                    li {
                        form method="post" action="/demo" {
                            input type="hidden" name="control" value=(name);
                            button type="submit" { (label) }
                        }
                        span.note { (description) }
                    }
                }
            }
            p.note {
                "Watch the " a href="/tasks?state=ready" { "tasks that wait" } " for a slot or an area, and the "
                a href="/events?kind=lease.ended" { "leases that ended" } ": some workers decline an offer, and some die. "
                "Each task links to its issue in the " a href=(demo.github()) { "sandbox GitHub" } "."
            }
        }
    }
}

/// Carries out a control, and returns to the overview.
pub(super) async fn act(State(api): State<ApiState>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let Some(demo) = api.demo.clone() else { return Err(unknown_path(parts.uri).await) };
    if from_elsewhere(&parts.headers) {
        let why = "The form did not come from a page of this pool. Nothing was changed. Use the buttons at `/`.";
        return Err(Failure::new(ProblemKind::ForeignForm, why));
    }
    let form = Form::read(&api, &parts, body, FORM_MAX_BYTES).await?;
    let told = match demo.act(form.text("control")).await {
        Ok(words) => Told { done: true, words },
        Err(words) => Told { done: false, words },
    };
    let mut response = Redirect::to("/").into_response();
    tell(&mut response, &told);
    Ok(response)
}
