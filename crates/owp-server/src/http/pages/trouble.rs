//! Problems as pages for browsers.

use super::layout::themed;
use super::parts::prose;
use crate::wire::{Problem, ProblemKind};
use axum::response::Html;
use maud::html;

/// Renders a problem as a page.
pub(in crate::http) fn trouble(problem: &Problem) -> String {
    let body = html! {
        p { (prose(&problem.detail)) }
        p { (prose(problem.kind.help())) }
        p { a href="/" { "Go to the overview." } }
    };
    themed(problem.title, &html! {}, &html! { main { (body) } }).into_string()
}

/// Renders the explanation of a problem's `type`.
pub(in crate::http) fn problem(kind: ProblemKind) -> Html<String> {
    let body = html! {
        p { (prose(kind.help())) }
        p { "Answered with status " (kind.status()) ". Its " code { "type" } " is " code { (kind.type_path()) } "." }
    };
    Html(themed(kind.title(), &html! {}, &html! { main { (body) } }).into_string())
}
