//! Operations for workers.

use super::operation::{Auth, Operation, id, json_of, query};
use crate::wire::leases::{LeaseAnswer, LeaseBody};
use crate::wire::me::{ChangeBody, Left, ReputationsView, Rotated, WorkerView};
use crate::wire::tasks::StatusBody;
use crate::wire::work::{HeldTask, Why, Work};
use crate::wire::workers::{Beat, ConfirmBody, Confirmed, HeartbeatBody, Link, LinkBody, RegisterBody, Registered};
use crate::wire::{Done, ProblemKind};
use serde_json::json;

pub(super) fn operations() -> Vec<Operation> {
    [work(), leases(), me()].concat()
}

fn leases() -> Vec<Operation> {
    let act = |path, id_of, summary| {
        Operation::new("post", path, id_of, summary, Auth::Worker, json_of::<LeaseAnswer>())
            .params(vec![id("The lease's id.", "l_06bg3qk4c5v2j0")])
            .problems_of(&[ProblemKind::NotYours, ProblemKind::UnknownLease, ProblemKind::Refused])
    };
    let task = || vec![id("The task's id.", "t_06bg3qk4c5v2j0")];
    vec![
        act("/v1/leases/{id}/ack", "ackLease", "Accepts an offer, before its `ack_by`.")
            .optional_body::<LeaseBody>(json!({ "epoch": 1 })),
        act(
            "/v1/leases/{id}/nack",
            "nackLease",
            "Declines a lease; the task is not offered to this worker again for a while.",
        )
        .optional_body::<LeaseBody>(json!({ "reason": "not my language" })),
        act("/v1/leases/{id}/renew", "renewLease", "Renews a lease, up to its maximum lifetime.")
            .optional_body::<LeaseBody>(json!({})),
        act("/v1/leases/{id}/release", "releaseLease", "Releases a lease; its task is ready again.")
            .optional_body::<LeaseBody>(json!({ "reason": "out of time" })),
        Operation::new(
            "post",
            "/v1/tasks/{id}/claim",
            "claimTask",
            "Claims one task by its id.",
            Auth::Worker,
            json_of::<HeldTask>(),
        )
        .params(task())
        .problems_of(&[ProblemKind::UnknownTask, ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/tasks/{id}/why",
            "whyTask",
            "Explains for every rule whether it lets the worker have the task, with value, limit, holder and retry time.",
            Auth::Worker,
            json_of::<Why>(),
        )
        .params(task())
        .problems_of(&[ProblemKind::UnknownTask]),
    ]
}

fn work() -> Vec<Operation> {
    vec![
        Operation::new(
            "post",
            "/v1/workers/register",
            "registerWorker",
            "Registers a worker and returns its token, which is shown only once. With a `github_handle` it also returns a code: the contributor comments `/owp link CODE` to prove that the worker is theirs.",
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
            "Accepts a heartbeat, which renews the worker's leases.",
            Auth::Worker,
            json_of::<Beat>(),
        )
        .body::<HeartbeatBody>(json!({ "status": "working", "note": "writing tests" })),
        Operation::new(
            "get",
            "/v1/work",
            "getWork",
            "Asks for work: fills the worker up to its capacity and lists all its tasks, by priority.",
            Auth::Worker,
            json_of::<Work>(),
        )
        .params(vec![
            query(
                "wait",
                "Maximum wait for a task if there is none, in seconds.",
                json!({ "type": "integer", "minimum": 0, "maximum": 60, "default": 0 }),
                json!(1),
            ),
            query(
                "explain",
                "1 adds the result of every rule for the most important waiting tasks.",
                json!({ "type": "integer", "minimum": 0, "maximum": 1, "default": 0 }),
                json!(1),
            ),
            query(
                "grant",
                "0 only lists the worker's tasks: it gets no new ones, and the call does not wait.",
                json!({ "type": "integer", "minimum": 0, "maximum": 1, "default": 1 }),
                json!(1),
            ),
        ])
        .problems_of(&[ProblemKind::InvalidValue]),
        Operation::new(
            "post",
            "/v1/tasks/{id}/status",
            "reportStatus",
            "Reports the status of a task. Repeating a report changes nothing.",
            Auth::Worker,
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .body::<StatusBody>(json!({ "status": "in_progress", "message": "Found the cause." }))
        .problems_of(&[ProblemKind::NotYours, ProblemKind::UnknownTask, ProblemKind::Refused, ProblemKind::ManagedRepo]),
    ]
}

fn me() -> Vec<Operation> {
    let me = "/v1/workers/me";
    vec![
        Operation::new(
            "get",
            me,
            "getMe",
            "Shows the worker's profile.",
            Auth::Worker,
            json_of::<WorkerView>(),
        ),
        Operation::new(
            "patch",
            me,
            "changeMe",
            "Changes the worker's profile. The worker keeps its leases, even if they exceed its new limits.",
            Auth::Worker,
            json_of::<WorkerView>(),
        )
        .optional_body::<ChangeBody>(json!({ "skills": ["rust"], "capacity_points": 3, "x_editor": null }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/workers/me/reputation",
            "getMyReputation",
            "Shows the reputation of the contributor behind the worker in each repository, with the outcomes that make it up.",
            Auth::Worker,
            json_of::<ReputationsView>(),
        ),
        Operation::new(
            "post",
            "/v1/workers/me/token",
            "rotateToken",
            "Returns a new token, which is shown only once. The old one works until the new one is used for the first time.",
            Auth::Worker,
            json_of::<Rotated<'static>>(),
        ),
        Operation::new(
            "post",
            "/v1/workers/me/link",
            "linkMe",
            "Returns a code, shown only once, that links the worker to a GitHub account: the contributor comments `/owp link CODE`. The worker's older codes stop working.",
            Auth::Worker,
            json_of::<Link<'static>>(),
        )
        .body::<LinkBody>(json!({ "github_handle": "octocat" }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "post",
            "/v1/workers/me/confirm",
            "confirmLink",
            "Links another worker to the contributor behind this one, with the code the other worker received. No comment is needed.",
            Auth::Worker,
            json_of::<Confirmed>(),
        )
        .body::<ConfirmBody>(json!({ "code": "M5IJPSOQXGUG" }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "delete",
            me,
            "leave",
            "Ends the worker's access: its tokens become invalid, and the tasks it holds are ready again.",
            Auth::Worker,
            json_of::<Left>(),
        ),
    ]
}
