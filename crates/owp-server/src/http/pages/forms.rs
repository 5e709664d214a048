//! Forms: their fields as they arrive, and those with which maintainers and the operator act.

use super::parts::Now;
use super::session::Reader;
use crate::http::ApiState;
use crate::http::body::collect;
use crate::http::problem::Failure;
use axum::body::Body;
use axum::http::request::Parts;
use maud::{Markup, html};
use owp_engine::text_mark;
use owp_pool::task::Task;
use std::collections::BTreeMap;

/// Longest reason or login.
const TEXT_MAX_CHARS: usize = 300;

/// The fields of a form.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form within a limit.
    pub(super) async fn read(api: &ApiState, parts: &Parts, body: Body, most: usize) -> Result<Self, Failure> {
        let bytes = collect(api, parts, body, most).await?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// Returns a field without the spaces around it; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    /// Returns a field as it was sent; empty if it is missing.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Returns a short text; `None` if the field is empty.
    ///
    /// # Errors
    /// A sentence for the reader.
    pub(super) fn optional(&self, name: &str) -> Result<Option<String>, String> {
        let text = self.text(name);
        if text.chars().count() > TEXT_MAX_CHARS || text.contains('\0') {
            return Err(format!("The field `{name}` is too long: write at most {TEXT_MAX_CHARS} characters."));
        }
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// Returns a field as a whole number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }
}

/// What the forms of a page act on.
pub(super) struct Target<'p> {
    pub reader: &'p Reader,
    pub repo: &'p str,
    pub task: Option<&'p str>,
    /// Page to return to.
    pub back: &'p str,
    /// Time of what the page shows.
    pub now: Now,
}

impl Target<'_> {
    /// Renders a form that needs no second thought.
    pub(super) fn act(&self, verb: &str, label: &str, fields: &Markup) -> Markup {
        html! {
            form.act method="post" action="/act" {
                input type="hidden" name="form" value=(self.reader.form_token());
                input type="hidden" name="verb" value=(verb);
                input type="hidden" name="repo" value=(self.repo);
                input type="hidden" name="back" value=(self.back);
                input type="hidden" name="seen" value=(self.now.0.0);
                @if let Some(task) = self.task { input type="hidden" name="task" value=(task); }
                (fields)
                button type="submit" { (label) }
            }
        }
    }

    /// Renders a form behind a question, because somebody loses something by it.
    pub(super) fn ask_first(&self, verb: &str, label: &str, consequence: &str, fields: &Markup) -> Markup {
        html! {
            details.act {
                summary { (label) "…" }
                p { (consequence) }
                (self.act(verb, label, fields))
            }
        }
    }

    /// Renders the form that has a comment on an issue sent again.
    pub(super) fn retry(&self, issue: i64, key: &str) -> Markup {
        let fields = html! {
            input type="hidden" name="issue" value=(issue);
            input type="hidden" name="key" value=(key);
        };
        self.act("retry", "Send again", &fields)
    }
}

/// Renders the mark of the text that the page shows.
pub(super) fn text_shown(task: &Task) -> Markup {
    html! { input type="hidden" name="text" value=(text_mark(task)); }
}

/// Renders a text field.
pub(super) fn field(name: &str, label: &str, is_required: bool) -> Markup {
    html! { label { (label) " " input type="text" name=(name) maxlength="300" autocomplete="off" required[is_required]; } }
}

/// Renders a field for a whole number.
pub(super) fn number(name: &str, label: &str, least: i64, most: i64, is_required: bool) -> Markup {
    html! { label { (label) " " input type="number" name=(name) min=(least) max=(most) required[is_required]; } }
}
