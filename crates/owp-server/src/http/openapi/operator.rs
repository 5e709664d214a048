//! Operations for the operator.

use super::operation::{Answer, Auth, Operation, id, json_of, query};
use super::public::paging;
use crate::wire::admin::{RemoveBody, RepoBody, RepoRemoved, RepoSaved, State, TaskAdded, TaskBody, WorkerPage};
use crate::wire::dead_letters::{DeadComments, RetryBody};
use crate::wire::me::Left;
use crate::wire::operator::{
    AuditLine, BulkBody, PauseBody, Paused, ResumeBody, RevokeBody, TasksAdded, TrustBody, TrustSet,
};
use crate::wire::policies::{PolicyBody, PolicyInForce, SimulateBody, Simulated};
use crate::wire::work::Why;
use crate::wire::{Done, ProblemKind};
use serde_json::json;

pub(super) fn operations() -> Vec<Operation> {
    [repositories(), tasks(), people(), comments()].concat()
}

fn repositories() -> Vec<Operation> {
    let post = |path, id, summary, answer| Operation::new("post", path, id, summary, Auth::Operator, answer);
    let unknown = [ProblemKind::UnknownRepo];
    vec![
        post(
            "/v1/admin/repos",
            "saveRepo",
            "Creates a manual repository or changes its settings. For a GitHub repository, sets the operator's ceiling for the review budget. Omitted settings return to their defaults.",
            json_of::<RepoSaved>(),
        )
        .body::<RepoBody>(json!({ "repo": "acme/rocket", "max_open_prs": 5 })),
        post(
            "/v1/admin/repos/remove",
            "removeRepo",
            "Removes a manual repository without tasks that are held or under review. Its waiting tasks are closed, its name is free again, and its audit log is kept.",
            json_of::<RepoRemoved>(),
        )
        .body::<RemoveBody>(json!({ "repo": "acme/attic" }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo, ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/admin/state",
            "getState",
            "Counts online workers, and tasks by state.",
            Auth::Operator,
            json_of::<State>(),
        ),
        post(
            "/v1/admin/pause",
            "pauseRepo",
            "Pauses a repository for a limited time or until it is resumed. It hands out nothing; existing leases continue.",
            json_of::<Paused>(),
        )
        .body::<PauseBody>(json!({ "repo": "acme/rocket", "secs": 3600, "reason": "release day" }))
        .problems_of(&unknown),
        post(
            "/v1/admin/policy",
            "setPolicy",
            "Sets the rules of a repository that differ from the defaults. Existing leases keep the terms under which they were granted. In a manual repository `leases.ttl` and `leases.ack_within` can be as short as 1s, for tests.",
            json_of::<PolicyInForce>(),
        )
        .body::<PolicyBody>(json!({
            "repo": "acme/rocket",
            "policy": { "tiers": { "1": { "trust": 1 }, "2": { "merged": 5, "reputation": 0.8 } }, "leases": { "ttl": "2h" } },
        }))
        .problems_of(&unknown),
        Operation::new(
            "get",
            "/v1/admin/policy",
            "getPolicy",
            "Shows the rules in force in a repository, and those the operator set.",
            Auth::Operator,
            json_of::<PolicyInForce>(),
        )
        .params(vec![
            query("repo", "Name of the repository.", json!({ "type": "string" }), json!("acme/rocket")).required(),
        ])
        .problems_of(&[ProblemKind::NoSuchRepo, ProblemKind::InvalidValue]),
        post(
            "/v1/admin/policy/simulate",
            "simulatePolicy",
            "Simulates which tasks would be handed out if every worker seen lately asked now, under the rules in force or others, and explains the rest. Writes nothing.",
            json_of::<Simulated>(),
        )
        .body::<SimulateBody>(json!({ "repo": "acme/rocket", "policy": { "budget": { "max_open_prs": 8 } } }))
        .problems_of(&unknown),
        post("/v1/admin/resume", "resumeRepo", "Ends the pause of a repository.", json_of::<Done>())
            .body::<ResumeBody>(json!({ "repo": "acme/rocket" }))
            .problems_of(&unknown),
    ]
}

fn tasks() -> Vec<Operation> {
    let post = |path, id, summary, answer| Operation::new("post", path, id, summary, Auth::Operator, answer);
    let over = [ProblemKind::UnknownTask, ProblemKind::ManagedRepo, ProblemKind::Refused];
    vec![
        post("/v1/admin/tasks", "addTask", "Adds a task to a manual repository, unless one with the same `external_id` exists.", json_of::<TaskAdded>())
            .body::<TaskBody>(json!({
                "repo": "acme/rocket", "title": "Parse dates", "description": "RFC 3339, please.",
                "estimate_points": 3, "priority": 80, "required_skills": ["rust"], "area": "parser",
                "external_id": "rocket-17", "x_ticket": "ROCKET-17",
            }))
            .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo]),
        post(
            "/v1/admin/tasks/bulk",
            "addTasks",
            "Adds many tasks to one manual repository, all or none. Tasks whose `external_id` already exists stay unchanged. Errors name the position of the task, such as `tasks[3].title`.",
            json_of::<TasksAdded>(),
        )
        .body::<BulkBody>(json!({
            "repo": "acme/rocket", "tasks": [{ "title": "Write the changelog" }, { "title": "Sign the release", "tier": 1 }],
        }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo]),
        post(
            "/v1/admin/tasks/{id}/close",
            "closeTask",
            "Closes a task of a manual repository: its holder loses it, and its slot in the review budget is free again. A closed task stays closed.",
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "done elsewhere" }))
        .problems_of(&over),
        post(
            "/v1/admin/tasks/{id}/reopen",
            "reopenTask",
            "Makes a closed or merged task of a manual repository ready again. A task that is ready stays ready.",
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .problems_of(&over),
        Operation::new(
            "get",
            "/v1/admin/tasks/{id}/why",
            "whyTaskFor",
            "Explains for every rule whether it lets a worker have the task, as the worker itself would see it. The operator also sees tasks of private repositories.",
            Auth::Operator,
            json_of::<Why>(),
        )
        .params(vec![
            id("The task's id.", "t_06bg3qk4c5v2j0"),
            query("worker", "The worker's id.", json!({ "type": "string" }), json!("w_06bg3qk4c5v2j0")).required(),
        ])
        .problems_of(&[ProblemKind::UnknownTask, ProblemKind::UnknownWorker, ProblemKind::InvalidValue]),
    ]
}

fn people() -> Vec<Operation> {
    let post = |path, id, summary, answer| Operation::new("post", path, id, summary, Auth::Operator, answer);
    vec![
        post("/v1/admin/trust", "setTrust", "Sets a contributor's trust level in a repository: 0–3, or -1 for a ban.", json_of::<TrustSet>())
            .body::<TrustBody>(json!({ "repo": "acme/rocket", "github_id": 583_231, "level": 2 }))
            .problems_of(&[ProblemKind::UnknownRepo]),
        Operation::new(
            "get",
            "/v1/admin/workers",
            "listWorkers",
            "Lists the workers that have access, newest first, with the load of each.",
            Auth::Operator,
            json_of::<WorkerPage>(),
        )
        .params(paging())
        .problems_of(&[ProblemKind::InvalidValue]),
        post(
            "/v1/admin/leases/{id}/revoke",
            "revokeLease",
            "Revokes a lease; its task is ready again.",
            json_of::<Done>(),
        )
        .params(vec![id("The lease's id.", "l_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "no sign of work" }))
        .problems_of(&[ProblemKind::UnknownLease, ProblemKind::Refused]),
        post(
            "/v1/admin/workers/{id}/revoke",
            "revokeWorker",
            "Revokes a worker's access and its leases.",
            json_of::<Left>(),
        )
        .params(vec![id("The worker's id.", "w_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "its token leaked" }))
        .problems_of(&[ProblemKind::UnknownWorker]),
        Operation::new(
            "get",
            "/v1/admin/audit",
            "exportAudit",
            "Exports the audit log of a repository, or without `repo` the log of events that belong to no repository: one event per line, and a last line that says whether the chain of hashes is intact.",
            Auth::Operator,
            Answer::Lines(|generator| generator.subschema_for::<AuditLine<'static>>()),
        )
        .params(vec![query("repo", "Name of the repository.", json!({ "type": "string" }), json!("acme/rocket"))])
        .problems_of(&[ProblemKind::NoSuchRepo, ProblemKind::InvalidValue]),
    ]
}

fn comments() -> Vec<Operation> {
    let state = query(
        "state",
        "Only comments in this state; `dead` is the only one.",
        json!({ "type": "string", "enum": ["dead"], "default": "dead" }),
        json!("dead"),
    );
    vec![
        Operation::new(
            "get",
            "/v1/admin/comments",
            "listDeadComments",
            "Lists comments that could not be delivered, newest first, each with the reason.",
            Auth::Operator,
            json_of::<DeadComments>(),
        )
        .params([vec![state], paging()].concat())
        .problems_of(&[ProblemKind::InvalidValue]),
        Operation::new(
            "post",
            "/v1/admin/comments/retry",
            "retryComment",
            "Retries a comment that could not be delivered: the pool looks for it on GitHub and writes it if it is missing.",
            Auth::Operator,
            json_of::<Done>(),
        )
        .body::<RetryBody>(json!({ "repo": "acme/rocket", "issue": 12, "key": "notes" }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::Refused]),
    ]
}
