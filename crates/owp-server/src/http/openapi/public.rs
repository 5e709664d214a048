//! Operations open to everyone.

use super::operation::{Answer, Auth, Operation, Param, Place, id, json_of, query};
use crate::wire::discover::Discovery;
use crate::wire::events::EventPage;
use crate::wire::resources::{RepoPage, RepoView, TaskPage, TaskView};
use crate::wire::{Done, ProblemKind};
use owp_pool::task::TaskState;
use serde_json::{Value, json};

pub(super) fn operations() -> Vec<Operation> {
    let health = |path, id, summary| Operation::new("get", path, id, summary, Auth::Nobody, json_of::<Done>());
    vec![
        Operation::new(
            "get",
            "/v1/tasks",
            "listTasks",
            "Lists tasks, newest first, without their descriptions. Only the operator sees tasks of private repositories.",
            Auth::Anybody,
            json_of::<TaskPage>(),
        )
        .params([task_filters(), paging()].concat())
        .problems_of(&[ProblemKind::InvalidValue]),
        Operation::new("get", "/v1/tasks/{id}", "getTask", "Shows a task.", Auth::Anybody, json_of::<TaskView>())
            .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
            .problems_of(&[ProblemKind::UnknownTask]),
        Operation::new(
            "get",
            "/v1/repos",
            "listRepos",
            "Lists repositories by name, each with its review budget and, if it hands out nothing, the reasons.",
            Auth::Anybody,
            json_of::<RepoPage>(),
        )
        .params(paging())
        .problems_of(&[ProblemKind::InvalidValue]),
        Operation::new(
            "get",
            "/v1/repos/{owner}/{name}",
            "getRepo",
            "Shows a repository.",
            Auth::Anybody,
            json_of::<RepoView>(),
        )
        .params(vec![part("owner", "acme"), part("name", "rocket")])
        .problems_of(&[ProblemKind::NoSuchRepo]),
        Operation::new(
            "get",
            "/v1/events",
            "listEvents",
            "Lists events, oldest first: as pages, or as a stream of Server-Sent Events if `Accept` names `text/event-stream` first. Everyone sees the events of public repositories, a worker also those about itself, and the operator all.",
            Auth::Anybody,
            Answer::JsonOrStream(|generator| generator.subschema_for::<EventPage>()),
        )
        .params([event_filters(), paging(), event_places()].concat())
        .problems_of(&[ProblemKind::InvalidValue, ProblemKind::CursorExpired, ProblemKind::TooManyStreams]),
        Operation::new(
            "get",
            "/.well-known/owp",
            "discover",
            "Shows the protocol versions, features and limits of this server.",
            Auth::Nobody,
            json_of::<Discovery>(),
        ),
        health("/healthz", "health", "Reports that the process responds."),
        health("/livez", "alive", "Reports that the process responds."),
        health("/readyz", "ready", "Reports within two seconds whether the database responds and every loop makes progress, so that tasks can be handed out."),
        Operation::new(
            "get",
            "/metrics",
            "metrics",
            "Returns the pool's metrics in the text format of Prometheus.",
            Auth::Nobody,
            Answer::Text("text/plain"),
        ),
    ]
}

fn task_filters() -> Vec<Param> {
    let states: Vec<&str> = TaskState::ALL.iter().map(|state| state.name()).collect();
    let text = || json!({ "type": "string" });
    vec![
        query("state", "Only tasks in this state.", json!({ "type": "string", "enum": states }), json!("ready")),
        query("repo", "Only tasks of this repository.", text(), json!("acme/rocket")),
        query("skill", "Only tasks that require this skill.", text(), json!("rust")),
        query(
            "holder",
            "Only tasks that this contributor holds, or whose block or pull request waits on them: a login or a worker id.",
            text(),
            json!("ada"),
        ),
        query("area", "Only tasks of this area.", text(), json!("parser")),
        query(
            "issue",
            "Only tasks made from the issue with this number.",
            json!({ "type": "integer", "minimum": 1 }),
            json!(12),
        ),
    ]
}

fn event_filters() -> Vec<Param> {
    let text = || json!({ "type": "string" });
    vec![
        query("repo", "Only events of this repository.", text(), json!("acme/rocket")),
        query("kind", "Only events of this kind or family of kinds.", text(), json!("lease.*")),
        query("task", "Only events about this task.", text(), Value::Null),
    ]
}

fn event_places() -> Vec<Param> {
    let of = |words: [&str; 2]| json!({ "type": "string", "enum": words });
    vec![
        query(
            "from",
            "Start position without a cursor. By default pages start at the oldest event that is kept, and streams start now. A page with `from=now` is empty, and its `next_cursor` is the end of the feed.",
            of(["oldest", "now"]),
            Value::Null,
        ),
        query(
            "last",
            "Starts with this many of the latest events that pass the filters, or fewer, because the search covers about a thousand events. Not allowed with `cursor` or `from`.",
            json!({ "type": "integer", "minimum": 1, "maximum": super::super::feed::LAST_MAX }),
            Value::Null,
        ),
        query("stream", "1 requests a stream and 0 a page, regardless of `Accept`.", of(["0", "1"]), Value::Null),
        Param {
            name: "Last-Event-ID",
            place: Place::Header,
            description: "Position from which a stream continues: the id of the last event the client read. Browsers send it automatically. If the position is unusable, the server sends an event `reset`, and the stream continues from now.",
            schema: json!({ "type": "string" }),
            example: Value::Null,
            required: false,
        },
    ]
}

pub(super) fn paging() -> Vec<Param> {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": super::super::query::PAGE_MAX, "default": 50 });
    vec![
        query(
            "cursor",
            "The `next_cursor` of the previous page, with the same filters.",
            json!({ "type": "string", "minLength": 1 }),
            Value::Null,
        ),
        query("limit", "Maximum number of items.", limit, json!(20)),
    ]
}

fn part(name: &'static str, example: &'static str) -> Param {
    let schema = json!({ "type": "string" });
    let (description, example) = ("A part of the repository's name.", json!(example));
    Param { name, place: Place::Path, description, schema, example, required: true }
}
