//! The frame of every page: head, navigation, footer.

use super::assets;
use super::parts::{Now, moment, prose};
use super::session::Reader;
use maud::{DOCTYPE, Markup, html};
use owp_engine::SignedIn;
use owp_pool::event::EventKind;

/// A page of the dashboard that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Tasks,
    Leases,
    Insights,
    Leaderboard,
    Events,
    MyWork,
    Operations,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Tasks,
        Self::Leases,
        Self::Insights,
        Self::Leaderboard,
        Self::Events,
        Self::MyWork,
        Self::Operations,
    ];

    /// Returns true if the page is for this reader.
    fn is_for(self, reader: Option<&Reader>) -> bool {
        let who = reader.and_then(|reader| reader.who.as_ref());
        match self {
            Self::MyWork => matches!(who, Some(SignedIn::User { .. })),
            Self::Operations => matches!(who, Some(SignedIn::Operator)),
            _ => true,
        }
    }

    /// Returns its name, its path, and the key that leads there after `g`.
    fn entry(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Overview => ("Overview", "/", "o"),
            Self::Tasks => ("Tasks", "/tasks", "t"),
            Self::Leases => ("Leases", "/leases", "l"),
            Self::Insights => ("Insights", "/insights", "i"),
            Self::Leaderboard => ("Leaderboard", "/leaderboard", "b"),
            Self::Events => ("Events", "/events", "e"),
            Self::MyWork => ("My work", "/me", "m"),
            Self::Operations => ("Operations", "/operations", "p"),
        }
    }
}

/// Builds a page of the dashboard. With scripts it follows the event stream; without them it reloads itself.
pub(super) fn dashboard(section: Section, title: &str, now: Now, reader: &Reader, body: &Markup) -> Markup {
    page(section, title, now, reader, ("/v1/events?stream=1", &html! {}), body)
}

/// Builds a page of the dashboard with scripts of its own, which run after those of every page. It costs more than others,
/// so it is loaded again now and then, and not after each event.
pub(super) fn dashboard_with(
    section: Section,
    title: &str,
    now: Now,
    reader: &Reader,
    scripts: &Markup,
    body: &Markup,
) -> Markup {
    page(section, title, now, reader, ("", scripts), body)
}

/// Builds a page with the address of the events that it follows, if any, and its scripts.
fn page(
    section: Section,
    title: &str,
    now: Now,
    reader: &Reader,
    (events, scripts): (&str, &Markup),
    body: &Markup,
) -> Markup {
    let has_forms = reader.who.is_some() || body.0.contains("<form");
    let kinds = EventKind::ALL.map(EventKind::name).join(" ");
    let head = html! {
        (theme())
        // It would take away what somebody fills in.
        @if !has_forms { noscript { meta http-equiv="refresh" content="10"; } }
        script src=(assets::address("pages.js")) defer data-events=(events) data-kinds=(kinds) {}
        (scripts)
    };
    let main = html! {
        p #stale role="status" hidden { "The pool does not answer. What is shown may be old." }
        main id="main" tabindex="-1" {
            p.as-of {
                "As of " (moment(now.0)) "."
                @if has_forms { noscript { " " a href="" { "Load again" } } }
            }
            (body)
        }
    };
    frame(Some(section), title, Some(reader), &head, &main)
}

/// Builds a page without updates, for whoever reads it.
pub(super) fn plain_page(title: &str, reader: &Reader, body: &Markup) -> Markup {
    frame(None, title, Some(reader), &theme(), body)
}

/// Builds a page beside the dashboard, in the theme that the reader chose.
pub(in crate::http) fn themed(title: &str, head: &Markup, body: &Markup) -> Markup {
    frame(None, title, None, &html! { (theme()) (head) }, body)
}

/// Runs before the page is painted, so that a chosen theme does not flash.
fn theme() -> Markup {
    html! { script src=(assets::address("theme.js")) {} }
}

/// Builds a page without scripts.
pub(in crate::http) fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    frame(None, title, None, head, body)
}

fn frame(section: Option<Section>, title: &str, reader: Option<&Reader>, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · OWP Pool" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(assets::address("pages.css"));
                (head)
            }
            body {
                @if section.is_some() { a.skip href="#main" { "Skip to the content" } }
                header {
                    div.bar-top {
                        a.brand href="/" { "OWP Pool" }
                        nav aria-label="Pages" {
                            @for own in Section::ALL.into_iter().filter(|own| own.is_for(reader)) {
                                @let (name, path, key) = own.entry();
                                a href=(path) data-key=(key) aria-current=[(section == Some(own)).then_some("page")] { (name) }
                            }
                            a href="/docs" { "API" }
                        }
                        @if let Some(reader) = reader { (account(reader)) }
                    }
                    h1 { (title) }
                    @if let Some(told) = reader.and_then(|reader| reader.told.as_ref()) {
                        p #told class=(if told.done { "done" } else { "refused" }) role="status" {
                            span aria-hidden="true" { @if told.done { "✓ " } @else { "▲ " } } (prose(&told.words))
                        }
                    }
                }
                (body)
                footer {
                    "Labelled issues for contributors, never faster than maintainers can review. OWP Pool speaks the Open Work Protocol at "
                    code { "/v1" } "."
                }
            }
        }
    }
}

/// Renders who is signed in, with the way out, or the way in.
fn account(reader: &Reader) -> Markup {
    html! {
        div.account {
            @match &reader.who {
                Some(who) => {
                    form method="post" action="/signout" {
                        input type="hidden" name="form" value=(reader.form_token());
                        a href="/signin" { (who.name()) } " "
                        button type="submit" { "Sign out" }
                    }
                }
                None => {
                    @if reader.has_ended() { span { "Your session has ended. " } }
                    a href="/signin" { "Sign in" }
                }
            }
        }
    }
}
