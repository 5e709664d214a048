//! The page at `/import`, for the operator: adds the tasks of a task file, after a preview. What was entered is shown
//! again with every error.

mod view;

use super::forms::Form;
use super::parts::{self, some};
use super::session::{self, Reader};
use crate::http::ApiState;
use crate::http::browser::from_elsewhere;
use crate::http::operator::new_task;
use crate::http::problem::Failure;
use crate::http::query::Query;
use crate::wire::ProblemKind;
use crate::wire::admin::NewTask;
use crate::wire::operator::{BULK_MAX, BulkBody};
use crate::wire::task_file::{RepoOverride, TaskFile, load};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use owp_engine::{EngineError, Told};
use owp_pool::document::{Fault, FaultKind};
use serde_json::json;
use std::collections::BTreeSet;
use view::{fault_list, page, preview, wrong};

/// Largest text of a task file.
const TEXT_MAX_BYTES: usize = 1024 * 1024;
/// A form of the largest text: encoding makes three bytes of one.
const FORM_MAX_BYTES: usize = 3 * TEXT_MAX_BYTES + 16 * 1024;
/// Most tasks of one import: a page is answered while the reader waits.
const TASKS_MAX: usize = 2_000;

/// What the reader entered.
#[derive(Default)]
struct Draft {
    text: String,
    repo: String,
}

/// A task file that can be added.
struct Checked {
    repo: String,
    tasks: Vec<NewTask>,
    /// External ids that are in the pool already.
    known: BTreeSet<String>,
}

impl Checked {
    fn is_known(&self, task: &NewTask) -> bool {
        task.external_id.as_ref().is_some_and(|id| self.known.contains(id))
    }

    fn fresh(&self) -> impl Iterator<Item = &NewTask> {
        self.tasks.iter().filter(|task| !self.is_known(task))
    }
}

/// Shows the form; others than the operator are led to the sign-in.
pub(super) async fn show(reader: Reader, query: Query) -> Result<Response, Failure> {
    if !reader.is_operator() {
        return Ok(Redirect::to("/signin").into_response());
    }
    let draft = Draft { repo: query.text("repo")?.unwrap_or_default().to_owned(), ..Draft::default() };
    Ok(page(&reader, StatusCode::OK, &draft, &html! {}))
}

/// Shows the preview of a task file, or adds its tasks.
pub(super) async fn receive(
    State(api): State<ApiState>,
    reader: Reader,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    if from_elsewhere(&parts.headers) {
        let why = "The form did not come from a page of this pool. Nothing was changed. Open `/import`.";
        return Err(Failure::new(ProblemKind::ForeignForm, why));
    }
    if !reader.is_operator() && !reader.has_ended() {
        let why = "Only the operator can import tasks. Nothing was changed. Sign in at `/signin`.";
        return Err(Failure::unauthorized("Cookie realm=\"owp\"", why));
    }
    let form = Form::read(&api, &parts, body, FORM_MAX_BYTES).await.map_err(in_our_words)?;
    // Browsers send line ends of two characters.
    let draft = Draft { text: form.raw("text").replace("\r\n", "\n"), repo: form.text("repo").to_owned() };
    if !reader.is_operator() {
        let why =
            "Your session has ended. Nothing was changed. Sign in in another tab, and press the button here again.";
        return Ok(page(&reader, StatusCode::UNAUTHORIZED, &draft, &wrong(why)));
    }
    if !reader.has_sent(form.text("form")) {
        let why = "The form was from an earlier session. Nothing was changed. Press the button again.";
        return Ok(page(&reader, StatusCode::FORBIDDEN, &draft, &wrong(why)));
    }
    if draft.text.len() > TEXT_MAX_BYTES {
        return Ok(page(&reader, StatusCode::PAYLOAD_TOO_LARGE, &draft, &wrong(TOO_LARGE)));
    }
    let checked = match check(&api, &draft).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(faults)) => {
            let found = fault_list(&faults, &draft.text);
            return Ok(page(&reader, StatusCode::UNPROCESSABLE_ENTITY, &draft, &found));
        }
        Err(failure) => return Ok(failed(&reader, &draft, 0, &failure)),
    };
    if form.text("do") != "add" {
        return Ok(page(&reader, StatusCode::OK, &draft, &preview(&checked, &draft, &reader)));
    }
    Ok(add(&api, &reader, &draft, checked).await)
}

/// Answer to a text that is too large.
const TOO_LARGE: &str = "The text is larger than this page takes (1 MiB). Nothing was added. Split it, or import the file with \
    `owp admin import-tasks`.";

/// Says what to do about a form that is too large; the server does not read it, so only the browser has the text.
fn in_our_words(failure: Failure) -> Failure {
    match failure.kind() {
        ProblemKind::TooLarge => {
            Failure::new(ProblemKind::TooLarge, format!("{TOO_LARGE} Go back in the browser to find the text again."))
        }
        _ => failure,
    }
}

/// Checks a task file as the command line does, and looks up which of its tasks are in the pool already.
async fn check(api: &ApiState, draft: &Draft) -> Result<Result<Checked, Vec<Fault>>, Failure> {
    let named = Some(draft.repo.as_str()).filter(|name| !name.is_empty());
    let TaskFile { repo, tasks } = match load(&draft.text, RepoOverride { repo: named, option: "the field Repository" })
    {
        Ok(file) => file,
        Err(faults) => return Ok(Err(faults)),
    };
    let fault = |key: &str, message: String| {
        Ok(Err(vec![Fault { key: key.to_owned(), message, place: None, kind: FaultKind::Plain }]))
    };
    if tasks.len() > TASKS_MAX {
        let most = format!(
            "has {} tasks, and this page takes {TASKS_MAX}: import the file with `owp admin import-tasks`",
            tasks.len()
        );
        return fault("tasks", most);
    }
    let mut read = Vec::with_capacity(tasks.len());
    for bulk in tasks.chunks(BULK_MAX) {
        let body = json!({ "repo": repo, "tasks": bulk }).to_string();
        read.extend(crate::wire::read::<BulkBody>(body.as_bytes())?.tasks);
    }
    let ids = read.iter().filter_map(|task| task.external_id.clone()).collect();
    match api.engine.operator().known_external_ids(&repo, ids).await {
        Ok(known) => Ok(Ok(Checked { repo, tasks: read, known })),
        Err(EngineError::UnknownRepo(name)) => {
            fault("repo", format!("names no repository of this pool: make it with `owp admin init-repo {name}`"))
        }
        Err(EngineError::Managed(why)) => fault("repo", format!("cannot be used: {why}")),
        Err(other) => Err(other.into()),
    }
}

/// Adds the tasks and returns to the task list of the repository.
async fn add(api: &ApiState, reader: &Reader, draft: &Draft, checked: Checked) -> Response {
    let (repo, count) = (checked.repo, checked.tasks.len());
    let mut tasks = checked.tasks.into_iter().map(new_task);
    let (mut added, mut warnings) = (0, BTreeSet::new());
    loop {
        let bulk: Vec<_> = tasks.by_ref().take(BULK_MAX).collect();
        if bulk.is_empty() {
            break;
        }
        match api.engine.operator().add_tasks(&repo, bulk, None).await {
            Ok(done) => {
                added += done.iter().filter(|task| task.created).count();
                warnings.extend(done.into_iter().filter_map(|task| task.warning));
            }
            Err(error) => return failed(reader, draft, added, &error.into()),
        }
    }
    let mut words = format!("{} added to {repo}", some(added, "task was", "tasks were"));
    if count > added {
        words.push_str(&format!("; {} there already", some(count - added, "was", "were")));
    }
    words.push('.');
    for warning in warnings {
        words.push_str(&format!(" {warning}"));
    }
    let mut response = Redirect::to(&parts::address("/tasks", &[("repo", &repo)])).into_response();
    session::tell(&mut response, &Told { done: true, words });
    response
}

/// Shows an error that is not the file's.
fn failed(reader: &Reader, draft: &Draft, added: usize, failure: &Failure) -> Response {
    let so_far = match added {
        0 => "Nothing was added.".to_owned(),
        n => format!("{} added before; adding the same text again adds none twice.", some(n, "task was", "tasks were")),
    };
    let status = StatusCode::from_u16(failure.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(reader, status, draft, &wrong(&format!("{} {so_far}", failure.detail())))
}
