//! Acts on all tasks that match the filters of the task list: `GET /bulk` shows which tasks they would change, and
//! `POST /bulk` acts on those and on no others.

use super::act::permitted;
use super::forms::{Form, field};
use super::layout::{Section, dashboard, plain_page};
use super::parts::{self, Now, counted, prose, state_badge};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use super::tasks::Wanted;
use crate::http::ApiState;
use crate::http::problem::Failure;
use crate::http::query::{Query, fault};
use crate::wire::ProblemKind;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use owp_engine::{EngineError, SignedIn, TaskFilter, TaskView, Told, text_mark};
use owp_pool::command::Command;
use owp_pool::task::{Task, TaskState};
use owp_pool::{TaskId, Timestamp};
use std::collections::BTreeMap;

/// Most tasks of one act.
const MOST: usize = 100;
/// Most tasks that a preview looks through.
const EXAMINED: usize = 2_000;
const FORM_MAX_BYTES: usize = 64 * 1024;

/// What can be done to many tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Approve,
    Unblock,
    Revoke,
    Close,
    Reopen,
}

impl Verb {
    const ALL: [Self; 5] = [Self::Approve, Self::Unblock, Self::Revoke, Self::Close, Self::Reopen];

    fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Unblock => "unblock",
            Self::Revoke => "revoke",
            Self::Close => "close",
            Self::Reopen => "reopen",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Describes the act, as the label of its button begins.
    fn words(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Unblock => "Unblock",
            Self::Revoke => "Revoke the leases of",
            Self::Close => "Close",
            Self::Reopen => "Reopen",
        }
    }

    /// Says what happens.
    fn consequence(self) -> &'static str {
        match self {
            Self::Approve => "Each can be handed out with the text that it has now.",
            Self::Unblock => "Each is ready again. Whoever blocked it has two days to claim it first.",
            Self::Revoke => "Each holder loses the task. What they have done so far stays with them.",
            Self::Close => "Nobody gets these tasks any more, and holders lose theirs.",
            Self::Reopen => "Each is ready again.",
        }
    }

    /// Returns true if only the operator can do it: tasks of manual repositories are the operator's.
    fn is_operators(self) -> bool {
        matches!(self, Self::Close | Self::Reopen)
    }

    /// Returns what the preview showed of a task and the act depends on: another text is not approved, and another holder does
    /// not lose the task.
    fn mark(self, task: &Task) -> String {
        match self {
            Self::Approve => text_mark(task),
            Self::Revoke => task.epoch.0.to_string(),
            Self::Unblock | Self::Close | Self::Reopen => String::new(),
        }
    }

    /// Returns true if the act would change a task.
    fn changes(self, task: &Task) -> bool {
        match self {
            Self::Approve => task.held_because().is_some() && !task.state.is_over(),
            Self::Unblock => task.state == TaskState::Blocked,
            Self::Revoke => task.state.is_held(),
            Self::Close => task.issue.is_none() && !task.state.is_over(),
            Self::Reopen => task.issue.is_none() && task.state.is_over(),
        }
    }
}

/// Renders the choice of an act below the task list, for those who may act.
pub(super) fn choice(wanted: &Wanted, reader: &Reader) -> Markup {
    let Some(who) = &reader.who else { return html! {} };
    html! {
        details.act {
            summary { "Act on all tasks that match…" }
            form.filters action="/bulk" method="get" {
                @for (name, value) in wanted.pairs() { @if !value.is_empty() { input type="hidden" name=(name) value=(value); } }
                label {
                    "Act"
                    select name="verb" {
                        @for verb in Verb::ALL.into_iter().filter(|verb| !verb.is_operators() || *who == SignedIn::Operator) {
                            option value=(verb.name()) { (verb.name()) }
                        }
                    }
                }
                button type="submit" { "Preview" }
            }
        }
    }
}

/// Shows which tasks an act would change.
pub(super) async fn preview(
    State(api): State<ApiState>,
    reader: Reader,
    query: Query,
    ask: Ask,
) -> Result<Response, Failure> {
    let wanted = Wanted::read(&query)?;
    let verb = query.given("verb")?.and_then(Verb::from_name);
    let verb = verb.ok_or_else(|| fault("verb", "must be approve, unblock, revoke, close or reopen"))?;
    let key = format!("/bulk {} {}", verb.name(), wanted.address(None));
    ask.answer(&api, &reader, &key, render(&api, &reader, &wanted, verb)).await
}

async fn render(api: &ApiState, reader: &Reader, wanted: &Wanted, verb: Verb) -> Result<Rendered, Failure> {
    let now = Now(api.engine.views().now().await?);
    let body = match may(api, reader, wanted, verb).await? {
        Err(why) => html! { p.empty { (why) } p { a href=(wanted.address(None)) { "Back to the tasks" } } },
        Ok(()) => {
            let found = match wanted.filter(api).await? {
                Some(filter) => find(api, TaskFilter { access: reader.access.clone(), ..filter }, verb).await?,
                None => Found::default(),
            };
            shown(&found, wanted, verb, reader, now)
        }
    };
    let title = format!("{} many tasks", verb.words());
    Ok(Rendered::new(&dashboard(Section::Tasks, &title, now, reader, &body)))
}

/// Tasks that match the filters.
#[derive(Default)]
struct Found {
    /// Those that an act would change, at most [`MOST`].
    changed: Vec<TaskView>,
    /// Number of tasks that were looked through.
    examined: usize,
    /// True if there are others.
    has_more: bool,
}

/// Searches for tasks that an act would change, the newest first, through a bounded number of those that match.
async fn find(api: &ApiState, filter: TaskFilter, verb: Verb) -> Result<Found, Failure> {
    let (mut found, mut after) = (Found::default(), String::new());
    while found.examined < EXAMINED {
        let (tasks, next) = api.engine.views().list_tasks(filter.clone(), after, MOST).await?;
        for view in tasks {
            if found.changed.len() == MOST {
                found.has_more = true;
                return Ok(found);
            }
            found.examined += 1;
            found.changed.extend(Some(view).filter(|view| verb.changes(&view.task)));
        }
        let Some(next) = next else { return Ok(found) };
        after = next.to_string();
    }
    found.has_more = true;
    Ok(found)
}

/// Returns why somebody cannot do this here, if so.
async fn may(
    api: &ApiState,
    reader: &Reader,
    wanted: &Wanted,
    verb: Verb,
) -> Result<Result<(), &'static str>, Failure> {
    Ok(match &reader.who {
        None => Err("Sign in to act."),
        Some(SignedIn::Operator) => Ok(()),
        Some(SignedIn::User { .. }) if verb.is_operators() => Err("Only the operator can do that."),
        Some(SignedIn::User { .. }) if wanted.repo().is_empty() => {
            Err("Filter by a repository first: you can act where you may write.")
        }
        Some(SignedIn::User { .. }) => match reader.may_act(api, wanted.repo()).await {
            Ok(true) => Ok(()),
            _ => Err("You may not write to this repository on GitHub, or GitHub does not say so at the moment."),
        },
    })
}

fn shown(found: &Found, wanted: &Wanted, verb: Verb, reader: &Reader, now: Now) -> Markup {
    let Found { changed, examined, has_more } = found;
    let chosen = |view: &TaskView| format!("{}:{}", view.task.id, verb.mark(&view.task));
    let ids = changed.iter().map(chosen).collect::<Vec<_>>().join(" ");
    let label = format!("{} {}", verb.words(), counted(changed.len(), "task", "tasks"));
    html! {
        p.lead {
            (counted(changed.len(), "task", "tasks")) " of the " (examined) " that match would change. " (verb.consequence())
            @if changed.len() < *examined { " The others are left as they are." }
            @if *has_more { " There are more that match: act on these first, and then on the rest." }
        }
        @if !changed.is_empty() {
            form.act method="post" action="/bulk" {
                input type="hidden" name="form" value=(reader.form_token());
                input type="hidden" name="verb" value=(verb.name());
                input type="hidden" name="seen" value=(now.0.0);
                input type="hidden" name="tasks" value=(ids);
                input type="hidden" name="back" value=(wanted.address(None));
                @if matches!(verb, Verb::Revoke | Verb::Close) { (field("reason", "Reason, which the log keeps", false)) }
                button type="submit" { (label) }
            }
            ul.mine {
                @for view in changed {
                    li {
                        (parts::task_link(view.task.id.as_str(), view.task.issue, &view.task.title)) " in "
                        (parts::repo_link(&view.repo)) " " (state_badge(view.task.state))
                        @if let Some(holder) = &view.holder { " " (holder.name) }
                        @if let Some(why) = view.task.held_because() { span.note { (why) } }
                    }
                }
            }
        }
        p { a href=(wanted.address(None)) { "Back to the tasks" } }
    }
}

/// A task to act on, and the mark of what the preview showed of it.
type Chosen = (TaskId, String);

/// Acts on the tasks that a preview showed.
pub(super) async fn act(State(api): State<ApiState>, reader: Reader, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&api, &parts, body, FORM_MAX_BYTES).await?;
    let who = permitted(&reader, &parts, &form)?;
    let verb = Verb::from_name(form.text("verb")).ok_or_else(|| fault("verb", "is not an act on many tasks"))?;
    let invalid = |why| Failure::new(ProblemKind::InvalidValue, why);
    let reason = form.optional("reason").map_err(invalid)?;
    let chosen = form.text("tasks").split_whitespace().take(MOST);
    let chosen: Vec<Chosen> = chosen
        .map(|one| one.split_once(':').unwrap_or((one, "")))
        .map(|(id, mark)| (TaskId::new(id), mark.to_owned()))
        .collect();
    if verb.is_operators() && *who != SignedIn::Operator {
        return Err(EngineError::Managed("Only the operator can do that. Nothing was changed.".to_owned()).into());
    }
    let seen = Timestamp(form.number("seen").unwrap_or(0));
    let results = carry_out(&api, &reader, who, verb, reason, seen, chosen).await;
    let back = super::act::back(form.text("back"));
    Ok(Html(plain_page("Done", &reader, &html! { main { (told(&results, back)) } }).into_string()).into_response())
}

/// What became of a task: its name and repository, if the reader may read it, and the result.
struct Done {
    view: Option<TaskView>,
    told: Told,
}

async fn carry_out(
    api: &ApiState,
    reader: &Reader,
    who: &SignedIn,
    verb: Verb,
    reason: Option<String>,
    seen: Timestamp,
    chosen: Vec<Chosen>,
) -> Vec<Done> {
    let mut done = Vec::new();
    let mut by_repo = BTreeMap::<String, Vec<(TaskView, String)>>::new();
    for (id, mark) in chosen {
        match api.engine.views().show_task(id, reader.access.clone()).await {
            Ok(view) => by_repo.entry(view.repo.clone()).or_default().push((view, mark)),
            Err(error) => done.push(Done { view: None, told: outcome(Err(error)) }),
        }
    }
    let operator = api.engine.operator();
    for (repo, tasks) in by_repo {
        let (views, marks): (Vec<TaskView>, Vec<String>) = tasks.into_iter().unzip();
        let ids: Vec<TaskId> = views.iter().map(|view| view.task.id.clone()).collect();
        let command = match verb {
            Verb::Approve => Command::Approve,
            Verb::Unblock => Command::Unblock,
            Verb::Revoke => Command::Revoke { login: None, reason: reason.clone() },
            Verb::Close | Verb::Reopen => {
                for view in views {
                    let id = view.task.id.clone();
                    let result = match verb {
                        Verb::Close => operator.close_task(id, reason.clone(), None).await,
                        _ => operator.reopen_task(id, None).await,
                    };
                    let words = if verb == Verb::Close { "The task is closed." } else { "The task is ready again." };
                    let told = outcome(result.map(|()| Told { done: true, words: words.to_owned() }));
                    done.push(Done { view: Some(view), told });
                }
                continue;
            }
        };
        let on = ids.into_iter().zip(marks).collect();
        match operator.command_on_each(who, &repo, command, seen, on).await {
            Ok(results) => {
                let told = views.into_iter().zip(results);
                done.extend(told.map(|(view, result)| Done { view: Some(view), told: outcome(result) }));
            }
            Err(error) => {
                let told = outcome(Err(error));
                done.extend(views.into_iter().map(|view| Done { view: Some(view), told: told.clone() }));
            }
        }
    }
    done
}

/// Turns an error into words. It never ends the whole act: other tasks were changed already, or can still be.
fn outcome(result: Result<Told, EngineError>) -> Told {
    match result {
        Err(EngineError::UnknownTask) => Told { done: false, words: "There is no such task any more.".to_owned() },
        other => {
            super::act::told(other).unwrap_or_else(|failure| Told { done: false, words: failure.detail().to_owned() })
        }
    }
}

fn told(results: &[Done], back: &str) -> Markup {
    let changed = results.iter().filter(|one| one.told.done).count();
    html! {
        p.lead {
            (counted(changed, "task was", "tasks were")) " changed"
            @if changed < results.len() { ", and " (results.len() - changed) " not" }
            ". " a href=(back) { "Back to the tasks" }
        }
        ul.mine {
            @for Done { view, told } in results {
                li {
                    span aria-hidden="true" { @if told.done { "✓ " } @else { "▲ " } }
                    @if let Some(view) = view {
                        (parts::task_link(view.task.id.as_str(), view.task.issue, &view.task.title)) " in " (parts::repo_link(&view.repo))
                    }
                    span.note { (prose(&told.words)) }
                }
            }
        }
    }
}
