//! What clients that take work call.

use super::operation::{Auth, Operation, id, json_of};
use crate::wire::me::{ChangeBody, Left, Rotated, WorkerView};
use crate::wire::tasks::StatusBody;
use crate::wire::work::Work;
use crate::wire::workers::{Beat, HeartbeatBody, RegisterBody, Registered};
use crate::wire::{Done, ProblemKind};
use serde_json::json;

pub(super) fn operations() -> Vec<Operation> {
    let me = "/v1/workers/me";
    vec![
        Operation::new(
            "post",
            "/v1/workers/register",
            "registerWorker",
            "Registers a worker and answers its token, this once. With a `github_handle` it also answers a code: the person comments `/owp link CODE` to prove that the worker is theirs.",
            Auth::Nobody,
            json_of::<Registered<'static>>(),
        )
        .tagged("workers")
        .body::<RegisterBody>(json!({
            "name": "ada's laptop", "github_handle": "octocat", "skills": ["rust", "sql"], "capacity_points": 8,
            "max_concurrent_tasks": 2, "capabilities": { "can_run_tests": true, "supports_tool": ["cargo"] },
            "x_editor": "helix",
        })),
        Operation::new(
            "post",
            "/v1/workers/heartbeat",
            "heartbeat",
            "Takes a sign of life, which keeps what the worker holds alive.",
            Auth::Worker,
            json_of::<Beat>(),
        )
        .body::<HeartbeatBody>(json!({ "status": "working", "note": "writing tests" })),
        Operation::new(
            "get",
            "/v1/work",
            "getWork",
            "Asks for work: fills the worker up to its capacity and lists everything that is its, by priority.",
            Auth::Worker,
            json_of::<Work>(),
        ),
        Operation::new(
            "post",
            "/v1/tasks/{id}/status",
            "reportStatus",
            "Takes a report of how a task goes. Repeating one changes nothing.",
            Auth::Worker,
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .body::<StatusBody>(json!({ "status": "in_progress", "message": "Found the cause." }))
        .problems_of(&[ProblemKind::NotYours, ProblemKind::UnknownTask, ProblemKind::Refused, ProblemKind::ManagedRepo]),
        Operation::new("get", me, "getMe", "Shows how the pool sees the worker.", Auth::Worker, json_of::<WorkerView>()),
        Operation::new(
            "patch",
            me,
            "changeMe",
            "Changes what the worker says of itself. What it holds stays, also where it is more than it now wants.",
            Auth::Worker,
            json_of::<WorkerView>(),
        )
        .body::<ChangeBody>(json!({ "skills": ["rust"], "capacity_points": 3, "x_editor": null }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "post",
            "/v1/workers/me/token",
            "rotateToken",
            "Answers a new token, this once. The old one works until the new one is used for the first time.",
            Auth::Worker,
            json_of::<Rotated<'static>>(),
        ),
        Operation::new(
            "delete",
            me,
            "leave",
            "Ends the worker: its tokens open nothing more, and what it holds goes back to everybody.",
            Auth::Worker,
            json_of::<Left>(),
        ),
    ]
}
