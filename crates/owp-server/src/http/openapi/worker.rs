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
        act("/v1/leases/{id}/ack", "ackLease", "Accepts an offer, within its `ack_by`.")
            .optional_body::<LeaseBody>(json!({ "epoch": 1 })),
        act(
            "/v1/leases/{id}/nack",
            "nackLease",
            "Refuses a lease; the task is not offered to this worker again for a while.",
        )
        .optional_body::<LeaseBody>(json!({ "reason": "not my language" })),
        act("/v1/leases/{id}/renew", "renewLease", "Asks for more time.").optional_body::<LeaseBody>(json!({})),
        act("/v1/leases/{id}/release", "releaseLease", "Gives a lease back; its task goes back to everybody.")
            .optional_body::<LeaseBody>(json!({ "reason": "out of time" })),
        Operation::new(
            "post",
            "/v1/tasks/{id}/claim",
            "claimTask",
            "Asks for one task by name.",
            Auth::Worker,
            json_of::<HeldTask>(),
        )
        .params(task())
        .problems_of(&[ProblemKind::UnknownTask, ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/tasks/{id}/why",
            "whyTask",
            "Says of every rule whether it lets the worker have the task, with value, limit, holder and time.",
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
        )
        .params(vec![
            query(
                "wait",
                "How long to wait when there is nothing, in seconds.",
                json!({ "type": "integer", "minimum": 0, "maximum": 60, "default": 0 }),
                json!(1),
            ),
            query(
                "explain",
                "1 also says what every rule says of the most important tasks that wait.",
                json!({ "type": "integer", "minimum": 0, "maximum": 1, "default": 0 }),
                json!(1),
            ),
        ])
        .problems_of(&[ProblemKind::InvalidValue]),
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
    ]
}

fn me() -> Vec<Operation> {
    let me = "/v1/workers/me";
    vec![
        Operation::new(
            "get",
            me,
            "getMe",
            "Shows how the pool sees the worker.",
            Auth::Worker,
            json_of::<WorkerView>(),
        ),
        Operation::new(
            "patch",
            me,
            "changeMe",
            "Changes what the worker says of itself. What it holds stays, also where it is more than it now wants.",
            Auth::Worker,
            json_of::<WorkerView>(),
        )
        .optional_body::<ChangeBody>(json!({ "skills": ["rust"], "capacity_points": 3, "x_editor": null }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/workers/me/reputation",
            "getMyReputation",
            "Shows the score of the person behind the worker in each repository, with what it is made of.",
            Auth::Worker,
            json_of::<ReputationsView>(),
        ),
        Operation::new(
            "post",
            "/v1/workers/me/token",
            "rotateToken",
            "Answers a new token, this once. The old one works until the new one is used for the first time.",
            Auth::Worker,
            json_of::<Rotated<'static>>(),
        ),
        Operation::new(
            "post",
            "/v1/workers/me/link",
            "linkMe",
            "Answers a code, this once, that ties the worker to a GitHub account: the person comments `/owp link CODE`. The worker's older codes stop working.",
            Auth::Worker,
            json_of::<Link<'static>>(),
        )
        .body::<LinkBody>(json!({ "github_handle": "octocat" }))
        .problems_of(&[ProblemKind::Refused]),
        Operation::new(
            "post",
            "/v1/workers/me/confirm",
            "confirmLink",
            "Links another worker to the person behind this one, by the code the other worker was given: nobody has to comment.",
            Auth::Worker,
            json_of::<Confirmed>(),
        )
        .body::<ConfirmBody>(json!({ "code": "M5IJPSOQXGUG" }))
        .problems_of(&[ProblemKind::Refused]),
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
