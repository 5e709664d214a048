//! The page of one worker: whether it is there, what it holds, and what waits on it. Its contributor and the operator also
//! see its skills and how the work ended lately.

use super::forms::Target;
use super::layout::{Section, dashboard};
use super::operations::revoke;
use super::parts::{self, Now, ago, counted, state_badge};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::resources::plain;
use crate::wire::ProblemKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{OutcomeRow, SignedIn, WorkerStory};
use owp_pool::reputation::OutcomeKind;
use owp_pool::text::tidy_line;
use owp_pool::{Person, WorkerId};

/// Longest name of a worker.
const NAME_MAX_CHARS: usize = 120;

/// Serves the page.
pub(super) async fn show(
    State(api): State<ApiState>,
    reader: Reader,
    id: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Result<Response, Failure> {
    let unknown = || Failure::new(ProblemKind::UnknownWorker, "There is no worker with this id.");
    let id = plain(id).ok_or_else(unknown)?;
    let key = parts::worker_path(&id);
    ask.answer(&api, &reader, &key, render(&api, &reader, WorkerId::new(id))).await
}

async fn render(api: &ApiState, reader: &Reader, id: WorkerId) -> Result<Rendered, Failure> {
    let story = api.engine.views().worker_story(id, reader.access.clone()).await?;
    let now = Now(story.now);
    let name = match (&story.worker.login, story.worker.by_comment) {
        (Some(login), true) => login.clone(),
        (Some(login), false) => format!("{} ({login})", story.worker.name),
        (None, _) => story.worker.name.clone(),
    };
    let title = tidy_line(&name, NAME_MAX_CHARS);
    Ok(Rendered::new(&dashboard(Section::Leases, &title, now, reader, &body(&story, reader, now))))
}

/// Returns true if the reader sees all that the pool keeps of a worker.
fn sees_all(story: &WorkerStory, reader: &Reader) -> bool {
    match &reader.who {
        Some(SignedIn::Operator) => true,
        Some(SignedIn::User { github_id, .. }) => story.worker.person == Person::GitHub(*github_id),
        None => false,
    }
}

fn body(story: &WorkerStory, reader: &Reader, now: Now) -> Markup {
    let sees_all = sees_all(story, reader);
    html! {
        (facts(story, sees_all, now))
        section aria-labelledby="held" {
            h2 id="held" { "What it holds, and what waits on it" }
            (tasks(story, sees_all, now))
        }
        @if sees_all {
            section aria-labelledby="lately" { h2 id="lately" { "Lately" } (outcomes(&story.outcomes, now)) }
        }
        @if reader.is_operator() && !story.worker.by_comment && !story.worker.revoked {
            section.acts aria-labelledby="acts" {
                h2 id="acts" { "Act" }
                (revoke(story.worker.id.as_str(), &Target {
                    reader, repo: "", task: None, back: &parts::worker_path(story.worker.id.as_str()), now,
                }))
            }
        }
    }
}

fn facts(story: &WorkerStory, sees_all: bool, now: Now) -> Markup {
    let worker = &story.worker;
    html! {
        dl.facts {
            div {
                dt { "Presence" }
                dd {
                    @if worker.revoked { "has no access any more" }
                    @else if worker.by_comment { "claims by comment" }
                    @else if story.is_online { "online" }
                    @else { "last heard from " (ago(worker.last_seen, now)) }
                    @if story.is_paused { ", paused by its contributor" }
                }
            }
            // Its load and its tasks in private repositories are nobody else's business.
            @if sees_all {
                div {
                    dt { "In use" }
                    dd {
                        (story.load.leases) " of " (counted(worker.max_concurrent, "task", "tasks")) ", "
                        (story.load.points) " of " (counted(worker.capacity, "point", "points"))
                    }
                }
                div { dt { "Skills" } dd.needs { @if worker.skills.is_empty() { "none" } @else { (worker.skills.join(", ")) } } }
                div { dt { "Registered" } dd { (ago(story.created_at, now)) } }
                div { dt { "Id" } dd.needs { code { (worker.id) } } }
            }
        }
    }
}

fn tasks(story: &WorkerStory, sees_all: bool, now: Now) -> Markup {
    let hidden = if sees_all { story.hidden } else { 0 };
    html! {
        @if story.tasks.is_empty() && hidden == 0 { p.empty { "Nothing that you can see." } }
        ul.mine {
            @for view in &story.tasks {
                li {
                    (parts::task_link(view.task.id.as_str(), view.task.issue, &view.task.title)) " in "
                    (parts::repo_link(&view.repo)) " " (state_badge(view.task.state)) " "
                    @if let Some(end) = view.holder.as_ref().and_then(|holder| holder.until) { "until " (parts::until(end, now)) }
                    @if let Some(pull) = view.task.pull { "pull request #" (pull) }
                    (parts::why(view))
                }
            }
        }
        @if hidden > 0 {
            p.note { "And " (counted(hidden, "task", "tasks")) " in repositories that GitHub does not show you." }
        }
    }
}

fn outcomes(outcomes: &[OutcomeRow], now: Now) -> Markup {
    html! {
        @if outcomes.is_empty() { p.empty { "No work has ended yet." } } @else {
            ol.events {
                @for outcome in outcomes {
                    li {
                        (ago(outcome.at, now)) " "
                        (outcome_words(outcome.kind)) ": "
                        @match &outcome.title {
                            Some(title) => (parts::task_link(outcome.task.as_str(), outcome.issue, title)),
                            None => "a task that was removed as history",
                        }
                        " " span.where { (parts::repo_link(&outcome.repo)) }
                    }
                }
            }
        }
    }
}

fn outcome_words(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Merged => "Merged",
        OutcomeKind::ClosedUnmerged => "Pull request closed unmerged",
        OutcomeKind::Expired => "The time ran out",
        OutcomeKind::Released => "Given back",
    }
}
