//! The audit log on the pages, for the operator: the extent of a chain, its verification and its export.

use super::layout::plain_page;
use super::parts::{self, Now, ago, counted};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::audit::{export as stream, verify as check};
use crate::http::problem::Failure;
use crate::http::query::Query;
use crate::wire::operator::AuditVerdict;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use owp_engine::{ChainStatus, EngineError};
use std::time::Duration;

/// Longest verification while a reader waits for its page.
const PATIENCE: Duration = Duration::from_secs(20);

/// Renders the extent of the chain of a repository, or of the pool's own, with what can be done with it. Nothing for a
/// repository that the pool does not know.
pub(super) async fn section(api: &ApiState, repo: &str, now: Now) -> Result<Markup, Failure> {
    let repo = Some(repo.to_owned()).filter(|repo| !repo.is_empty());
    match api.engine.operator().chain_status(repo).await {
        Ok(status) => Ok(shown(&status, now)),
        Err(EngineError::NoSuchRepo(_)) => Ok(html! {}),
        Err(other) => Err(other.into()),
    }
}

fn shown(status: &ChainStatus, now: Now) -> Markup {
    let repo = status.repo.as_deref().unwrap_or_default();
    let kept = status.events - status.removed;
    html! {
        section aria-labelledby="audit" {
            h2 id="audit" { "Audit log of " (chain_name(repo)) }
            p.lead {
                b { (counted(kept, "event", "events")) }
                @if status.removed > 0 { ", after " (status.removed) " that were removed as history" }
                @if let Some(at) = status.last_at { "; the last one " (ago(at, now)) }
                ". "
                a href=(parts::address("/events/verify", &[("repo", repo)])) { "Verify" } " · "
                a href=(parts::address("/events/export", &[("repo", repo)])) download { "Export" }
            }
            @if repo.is_empty() { p.note { "It has the events without a repository: workers, contributors, deliveries. Filter by a repository to see the log of that one." } }
        }
    }
}

fn chain_name(repo: &str) -> Markup {
    html! { @if repo.is_empty() { "the pool itself" } @else { (repo) } }
}

/// Verifies a chain and shows the verdict.
pub(super) async fn verify(State(api): State<ApiState>, reader: Reader, query: Query) -> Result<Response, Failure> {
    if !reader.is_operator() {
        return Ok(Redirect::to("/signin").into_response());
    }
    let repo = query.text("repo")?.map(str::to_owned);
    let (verdict, is_whole) = check(&api.engine, repo.clone(), PATIENCE).await?;
    let repo = repo.unwrap_or_default();
    let body = html! {
        main {
            p.note { a href=(parts::address("/events", &[("repo", &repo)])) { "Events" } }
            (verdict_words(&repo, &verdict, is_whole))
            p { a.button href=(parts::address("/events/export", &[("repo", &repo)])) download { "Export the log" } }
        }
    };
    Ok(Html(plain_page("Audit log", &reader, &body).into_string()).into_response())
}

fn verdict_words(repo: &str, verdict: &AuditVerdict, is_whole: bool) -> Markup {
    let checked = counted(verdict.events, "event was", "events were");
    html! {
        p.lead role="status" {
            @if let Some(seq) = verdict.broken_at {
                span.status.bad { "▲ The audit log of " (chain_name(repo)) " breaks at event " (seq) "." }
            } @else if !is_whole {
                span.status.quiet { "● The audit log of " (chain_name(repo)) " is too long for a page." }
            } @else if verdict.verified {
                span.status.good { "✓ The audit log of " (chain_name(repo)) " verifies." }
            } @else {
                span.status.bad { "▲ The audit log of " (chain_name(repo)) " does not end where it was sealed." }
            }
        }
        p {
            (checked) " checked"
            @if verdict.removed > 0 { ", from the " (verdict.removed) " that were removed as history on" }
            ". "
            @if verdict.broken_at.is_some() { "This event, or the one before it, is not as it was written. " }
            @else if !is_whole { "They verify. " code { "owp admin audit" } " verifies the whole log. " }
            @else if verdict.verified { "Each matches the one before it, and the last one matches the seal." }
            @else { "Events at its end are missing. " }
            @if verdict.broken_at.is_some() || (is_whole && !verdict.verified) {
                "Somebody, or a fault, changed the database: export the log as evidence, and compare it with a backup."
            }
        }
    }
}

/// Exports a chain, with the verdict as its last line.
pub(super) async fn export(State(api): State<ApiState>, reader: Reader, query: Query) -> Result<Response, Failure> {
    if !reader.is_operator() {
        return Ok(Redirect::to("/signin").into_response());
    }
    let repo = query.text("repo")?.map(str::to_owned);
    let name = file_name(repo.as_deref().unwrap_or("pool"));
    let mut response = stream(api.engine, repo).await?;
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Returns a name that every file system takes.
fn file_name(chain: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    format!("audit-{}.ndjson", chain.chars().take(100).map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::Timestamp;

    #[test]
    fn the_extent_of_a_chain_names_what_was_removed() {
        let status = |repo: Option<&str>, removed| ChainStatus {
            repo: repo.map(str::to_owned),
            events: 12,
            removed,
            last_at: Some(Timestamp(0)),
        };
        let all = shown(&status(Some("acme/x"), 0), Now(Timestamp(60_000))).into_string();
        assert!(all.contains("<b>12 events</b>; the last one <time"), "{all}");
        assert!(all.contains("/events/verify?repo=acme%2Fx") && all.contains("/events/export?repo=acme%2Fx"), "{all}");
        let some = shown(&status(None, 5), Now(Timestamp(60_000))).into_string();
        assert!(some.contains("<b>7 events</b>, after 5 that were removed as history"), "{some}");
        assert!(some.contains("of the pool itself") && some.contains("href=\"/events/verify\""), "{some}");
    }

    #[test]
    fn a_verdict_says_where_a_chain_breaks() {
        let words = |broken_at, verified, is_whole| {
            let verdict = AuditVerdict { verified, events: 7, broken_at, removed: 0 };
            verdict_words("acme/x", &verdict, is_whole).into_string()
        };
        assert!(words(None, true, true).contains("✓ The audit log of acme/x verifies."));
        let broken = words(Some(3), false, true);
        assert!(broken.contains("breaks at event 3") && broken.contains("export the log as evidence"), "{broken}");
        assert!(words(None, false, true).contains("does not end where it was sealed"));
        let long = words(None, false, false);
        assert!(long.contains("too long for a page") && !long.contains("evidence"), "{long}");
    }

    #[test]
    fn an_export_has_a_name_that_every_system_takes() {
        assert_eq!(file_name("acme/rocket"), "audit-acme-rocket.ndjson");
        assert_eq!(file_name("a b\"\r\n/../ü"), "audit-a-b----..--.ndjson");
    }
}
