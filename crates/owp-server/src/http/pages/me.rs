//! The page at `/me`: what the reader holds, could take and is kept from, with commands to copy.

use super::layout::{Section, dashboard};
use super::leaderboard;
use super::parts::{self, Now, ago, prose, state_badge};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use super::tasks::holder;
use crate::http::ApiState;
use crate::http::problem::Failure;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use owp_engine::{Explanation, MyWork, MyWorker, RepoReputation, SignedIn, TaskView};
use owp_pool::Refusal;
use owp_pool::task::TaskState;

/// Most tasks of each list.
const SHOWN: usize = 15;

/// Serves the page; without a GitHub session it leads to the sign-in.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader, ask: Ask) -> Result<Response, Failure> {
    let Some(SignedIn::User { github_id, .. }) = reader.who.clone() else {
        return Ok(Redirect::to("/signin").into_response());
    };
    ask.answer(&api, &reader, "/me", render(&api, &reader, github_id)).await
}

async fn render(api: &ApiState, reader: &Reader, github_id: i64) -> Result<Rendered, Failure> {
    let work = api.engine.views().my_work(github_id).await?;
    let on_it = api.engine.views().is_on_leaderboard(github_id).await?;
    let now = Now(work.now);
    let body = html! {
        section aria-labelledby="held" { h2 id="held" { "What I hold" } (held(&work.tasks, reader, now)) }
        (ready(&work))
        section aria-labelledby="workers" { h2 id="workers" { "My workers" } (workers(&work.workers, now)) }
        section aria-labelledby="standing" { h2 id="standing" { "My standing" } (standing(work.reputations.as_deref())) (leaderboard::choice(on_it, reader, "/me", now)) }
    };
    Ok(Rendered::new(&dashboard(Section::MyWork, "My work", now, reader, &body)))
}

fn held(tasks: &[TaskView], reader: &Reader, now: Now) -> Markup {
    if tasks.is_empty() {
        return html! { p.empty { "Nothing at the moment." } };
    }
    html! {
        ul.mine {
            @for view in tasks {
                li {
                    // They hold it, but GitHub may not have said lately that they may read it.
                    @if !reader.access.covers(view.private, view.task.repo.as_str()) {
                        (parts::task_name(view.task.issue, &view.task.title)) " in " (view.repo)
                    } @else {
                        (parts::task_link(view.task.id.as_str(), view.task.issue, &view.task.title)) " in "
                        (parts::repo_link(&view.repo))
                    }
                    " " (state_badge(view.task.state)) " "
                    @if view.task.state.is_held() || view.task.state == TaskState::PrOpened { (holder(view, now)) }
                    (parts::why(view))
                    @if let (true, Some(issue)) = (view.task.state.is_held(), view.task.issue) {
                        span.note {
                            "Deliver it with a pull request that says " code { "Fixes #" (issue) } "; give it back with "
                            code { "/owp release" } " on the issue, or " code { "owp worker release " (view.task.id) } "."
                        }
                    }
                }
            }
        }
    }
}

fn refusals(explanation: &Explanation) -> Vec<&Refusal> {
    explanation.findings.iter().filter_map(|finding| finding.refusal.as_ref()).collect()
}

/// Renders the ready tasks that the reader could take, and those that a rule keeps from them.
fn ready(work: &MyWork) -> Markup {
    // Notes are about all workers, and the rules about this one.
    let (free, blocked): (Vec<_>, Vec<_>) = work.ready.iter().partition(|one| refusals(one).is_empty());
    html! {
        section aria-labelledby="free" {
            h2 id="free" { "What I could take" }
            @if let Some(MyWorker { worker, .. }) = work.workers.first() {
                p.note {
                    "For " @if worker.by_comment { "your comments" } @else { "your worker " b { (worker.name) } }
                    ", among the first " (work.ready.len()) " tasks of the queues."
                }
            }
            @if work.workers.is_empty() {
                p.empty {
                    "The pool does not know you yet. Comment " code { "/owp join skills:rust,docs" }
                    " on an issue with your own skills, or run " code { "owp worker register" } "."
                }
            } @else if free.is_empty() {
                p.empty { "Nothing of the tasks that were looked at." }
            } @else {
                ul.mine {
                    @for one in free.iter().take(SHOWN) {
                        li {
                            (named(one))
                            span.note {
                                @if one.task.issue.is_some() { "Comment " code { "/owp claim" } " on the issue, or run " } @else { "Run " }
                                code { "owp worker claim " (one.task.id) } "."
                            }
                        }
                    }
                }
            }
        }
        @if !blocked.is_empty() {
            section aria-labelledby="blocked" {
                h2 id="blocked" { "What keeps me from others" }
                ul.mine {
                    @for one in blocked.iter().take(SHOWN) {
                        li {
                            (named(one))
                            ul.why {
                                @for refusal in refusals(one) { li { (parts::refusal(refusal)) } }
                                @for note in &one.notes { li { (prose(note)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn named(one: &Explanation) -> Markup {
    html! { (parts::task_link(one.task.id.as_str(), one.task.issue, &one.task.title)) " in " (parts::repo_link(&one.repo)) }
}

fn workers(workers: &[MyWorker], now: Now) -> Markup {
    html! {
        @if workers.is_empty() { p.empty { "None." } }
        ul.mine {
            @for MyWorker { worker, load, is_online } in workers {
                li {
                    @if worker.by_comment { b { "Your comments" } }
                    @else { a href=(parts::worker_path(worker.id.as_str())) { b { (worker.name) } } }
                    span.note {
                        @if worker.by_comment { "claims with " code { "/owp claim" } }
                        @else if *is_online { "online" }
                        @else { "last heard from " (ago(worker.last_seen, now)) }
                        " · skills: " @if worker.skills.is_empty() { "none" } @else { (worker.skills.join(", ")) }
                        " · " (load.points) " of " (worker.capacity) " points, " (load.leases) " of "
                        (worker.max_concurrent) " tasks in use"
                    }
                }
            }
        }
    }
}

fn standing(reputations: Option<&[RepoReputation]>) -> Markup {
    html! {
        @match reputations {
            None => p.note {
                "Your work is not scored. " code { "/owp join reputation:on" } " asks for a score, which can open tasks of higher risk."
            },
            Some([]) => p.note { "No finished work yet." },
            Some(list) => {
                ul.mine {
                    @for RepoReputation { repo, reputation } in list {
                        li { (parts::repo_link(repo)) ": " b { (reputation.score) } span.note { (reputation.reasons()) } }
                    }
                }
            }
        }
    }
}
