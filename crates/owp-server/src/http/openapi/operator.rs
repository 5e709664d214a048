//! Operations for the operator.

use super::operation::{Answer, Auth, Operation, id, json_of, query};
use super::public::paging;
use crate::wire::admin::{RemoveBody, RepoBody, RepoRemoved, RepoSaved, State, TaskAdded, TaskBody, WorkerPage};
use crate::wire::letters::{DeadComments, RetryBody};
use crate::wire::me::Left;
use crate::wire::policies::{PolicyBody, PolicyInForce, SimulateBody, Simulated};
use crate::wire::steward::{
    AuditLine, BulkBody, PauseBody, Paused, ResumeBody, RevokeBody, TasksAdded, TrustBody, TrustSet,
};
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
            "Makes a manual repository or sets its budget; for one the App serves, sets the operator's ceiling. What is left out returns to its default.",
            json_of::<RepoSaved>(),
        )
        .body::<RepoBody>(json!({ "repo": "acme/rocket", "max_open_prs": 5 })),
        post(
            "/v1/admin/repos/remove",
            "removeRepo",
            "Removes a manual repository nobody works in: the tasks that wait there are closed, and its name is free again. Its audit log stays.",
            json_of::<RepoRemoved>(),
        )
        .body::<RemoveBody>(json!({ "repo": "acme/attic" }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo, ProblemKind::Refused]),
        Operation::new(
            "get",
            "/v1/admin/state",
            "getState",
            "Counts workers online, and tasks by state.",
            Auth::Operator,
            json_of::<State>(),
        ),
        post(
            "/v1/admin/pause",
            "pauseRepo",
            "Stops handing out work in a repository, for a while or until it is resumed. What people hold stays theirs.",
            json_of::<Paused>(),
        )
        .body::<PauseBody>(json!({ "repo": "acme/rocket", "secs": 3600, "reason": "release day" }))
        .problems_of(&unknown),
        post(
            "/v1/admin/policy",
            "setPolicy",
            "Sets what shall differ from the default rules in a repository. What people hold stays as it was granted. In a repository made by hand `leases.ttl` and `leases.ack_within` may be as short as 1s, for trials.",
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
            "Shows the rules in force in a repository, and which of them the operator set.",
            Auth::Operator,
            json_of::<PolicyInForce>(),
        )
        .params(vec![
            query("repo", "Whose rules.", json!({ "type": "string" }), json!("acme/rocket")).required(),
        ])
        .problems_of(&[ProblemKind::NoSuchRepo, ProblemKind::InvalidValue]),
        post(
            "/v1/admin/policy/simulate",
            "simulatePolicy",
            "Says what would be handed out now if every worker heard of lately asked, by the rules in force or by others, and why not the rest. Writes nothing.",
            json_of::<Simulated>(),
        )
        .body::<SimulateBody>(json!({ "repo": "acme/rocket", "policy": { "budget": { "max_open_prs": 8 } } }))
        .problems_of(&unknown),
        post("/v1/admin/resume", "resumeRepo", "Hands out work in a repository again.", json_of::<Done>())
            .body::<ResumeBody>(json!({ "repo": "acme/rocket" }))
            .problems_of(&unknown),
    ]
}

fn tasks() -> Vec<Operation> {
    let post = |path, id, summary, answer| Operation::new("post", path, id, summary, Auth::Operator, answer);
    let over = [ProblemKind::UnknownTask, ProblemKind::ManagedRepo, ProblemKind::Refused];
    vec![
        post("/v1/admin/tasks", "addTask", "Adds a task to a manual repository, unless one of the same `external_id` is there.", json_of::<TaskAdded>())
            .body::<TaskBody>(json!({
                "repo": "acme/rocket", "title": "Parse dates", "description": "RFC 3339, please.",
                "estimate_points": 3, "priority": 80, "required_skills": ["rust"], "area": "parser",
                "external_id": "rocket-17", "x_ticket": "ROCKET-17",
            }))
            .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo]),
        post(
            "/v1/admin/tasks/bulk",
            "addTasks",
            "Adds many tasks to one manual repository, all or none; those whose `external_id` is there already are left as they are. What is wrong is told with the task's place, such as `tasks[3].title`.",
            json_of::<TasksAdded>(),
        )
        .body::<BulkBody>(json!({
            "repo": "acme/rocket", "tasks": [{ "title": "Write the changelog" }, { "title": "Sign the release", "tier": 1 }],
        }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::ManagedRepo]),
        post(
            "/v1/admin/tasks/{id}/close",
            "closeTask",
            "Withdraws a task of a manual repository: whoever holds it loses it, and it takes no place of the budget any more. One that is closed stays so.",
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "done elsewhere" }))
        .problems_of(&over),
        post(
            "/v1/admin/tasks/{id}/reopen",
            "reopenTask",
            "Puts a closed or merged task of a manual repository among those that wait. One that is ready stays so.",
            json_of::<Done>(),
        )
        .params(vec![id("The task's id.", "t_06bg3qk4c5v2j0")])
        .problems_of(&over),
        Operation::new(
            "get",
            "/v1/admin/tasks/{id}/why",
            "whyTaskFor",
            "Says of every rule whether it lets a worker have the task, as the worker itself is told. The operator sees tasks of private repositories, too.",
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
        post("/v1/admin/trust", "setTrust", "Sets how far a repository trusts somebody: 0–3, or -1 for a ban.", json_of::<TrustSet>())
            .body::<TrustBody>(json!({ "repo": "acme/rocket", "github_id": 583_231, "level": 2 }))
            .problems_of(&[ProblemKind::UnknownRepo]),
        Operation::new(
            "get",
            "/v1/admin/workers",
            "listWorkers",
            "Lists the workers that have access, the newest first, with what each holds.",
            Auth::Operator,
            json_of::<WorkerPage>(),
        )
        .params(paging())
        .problems_of(&[ProblemKind::InvalidValue]),
        post(
            "/v1/admin/leases/{id}/revoke",
            "revokeLease",
            "Takes a lease back; its task goes back to everybody.",
            json_of::<Done>(),
        )
        .params(vec![id("The lease's id.", "l_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "no sign of work" }))
        .problems_of(&[ProblemKind::UnknownLease, ProblemKind::Refused]),
        post(
            "/v1/admin/workers/{id}/revoke",
            "revokeWorker",
            "Takes a worker's access away, and what it holds.",
            json_of::<Left>(),
        )
        .params(vec![id("The worker's id.", "w_06bg3qk4c5v2j0")])
        .optional_body::<RevokeBody>(json!({ "reason": "its token leaked" }))
        .problems_of(&[ProblemKind::UnknownWorker]),
        Operation::new(
            "get",
            "/v1/admin/audit",
            "exportAudit",
            "Exports a repository's audit log, or without `repo` that of what belongs to none: one event per line, and a last line that says whether the chain of hashes holds.",
            Auth::Operator,
            Answer::Lines(|generator| generator.subschema_for::<AuditLine<'static>>()),
        )
        .params(vec![query("repo", "Whose log.", json!({ "type": "string" }), json!("acme/rocket"))])
        .problems_of(&[ProblemKind::NoSuchRepo, ProblemKind::InvalidValue]),
    ]
}

fn comments() -> Vec<Operation> {
    let state = query(
        "state",
        "Only those in this state; there is no other.",
        json!({ "type": "string", "enum": ["dead"], "default": "dead" }),
        json!("dead"),
    );
    vec![
        Operation::new(
            "get",
            "/v1/admin/comments",
            "listDeadComments",
            "Lists comments that were given up, newest first, each with the reason.",
            Auth::Operator,
            json_of::<DeadComments>(),
        )
        .params([vec![state], paging()].concat())
        .problems_of(&[ProblemKind::InvalidValue]),
        Operation::new(
            "post",
            "/v1/admin/comments/retry",
            "retryComment",
            "Tries a comment that was given up once more: it is looked for, and written if it is not there.",
            Auth::Operator,
            json_of::<Done>(),
        )
        .body::<RetryBody>(json!({ "repo": "acme/rocket", "issue": 12, "key": "notes" }))
        .problems_of(&[ProblemKind::UnknownRepo, ProblemKind::Refused]),
    ]
}
