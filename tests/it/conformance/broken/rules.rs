//! Servers that grant past the rules where somebody claims a task, or goes back to one.

use super::areas::learn;
use crate::conformance::proxy::{Ask, Beyond, How, Reply};
use crate::conformance::table::Broken;
use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const CLAIM: &str = "POST /v1/tasks/*/claim";
const STATUS: &str = "POST /v1/tasks/*/status";

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "lets a claim pass the budget",
        fails: &["CLAIM-4"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, CLAIM, "budget"))),
    },
    Broken {
        name: "lets a claim pass area locks",
        fails: &["CLAIM-4"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, CLAIM, "area_lock"))),
    },
    Broken {
        name: "lets a claim pass the worker's points",
        fails: &["CLAIM-4"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, CLAIM, "capacity"))),
    },
    Broken {
        name: "lets a claim pass what the worker takes at a time",
        fails: &["CLAIM-4"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, CLAIM, "concurrency"))),
    },
    Broken {
        name: "lets a paused worker claim",
        fails: &["CLAIM-5"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, CLAIM, "worker_status"))),
    },
    Broken {
        name: "lets a worker go back past the budget",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, STATUS, "budget"))),
    },
    Broken {
        name: "lets a worker go back past area locks",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, STATUS, "area_lock"))),
    },
    Broken {
        name: "lets a worker go back past its points",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, STATUS, "capacity"))),
    },
    Broken {
        name: "lets a worker go back past what it takes at a time",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(past(ask, beyond, STATUS, "concurrency"))),
    },
    Broken {
        name: "lets a worker go back from its pull request whatever else it holds",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(from_a_pull(ask, beyond, "concurrency"))),
    },
    Broken {
        name: "lets a worker go back from its pull request past the budget",
        fails: &["LEASE-10"],
        how: How::Own(|ask, beyond| Box::pin(from_a_pull(ask, beyond, "budget"))),
    },
];

/// Makes a call again without the rule that alone refused it.
async fn past(ask: Ask, beyond: Arc<Beyond>, call: &str, rule: &str) -> Reply {
    let reply = beyond.ask(&ask).await;
    learn(&ask, &reply, &beyond.memory);
    if ask.is("POST /v1/workers/register") && reply.status == 200 {
        beyond.memory.set(reply.json()["token"].as_str().unwrap_or_default(), ask.json());
    }
    let reasons = reply.json()["reasons"].as_array().cloned().unwrap_or_default();
    if !ask.is(call) || reply.status != 409 || reasons.len() != 1 || reasons[0]["rule"] != rule {
        return reply;
    }
    bend(&ask, &beyond, rule, true).await;
    let reply = beyond.ask(&ask).await;
    bend(&ask, &beyond, rule, false).await;
    reply
}

/// The same for what has a pull request, and for no other task.
async fn from_a_pull(ask: Ask, beyond: Arc<Beyond>, rule: &str) -> Reply {
    let path = ask.path.clone();
    let delivered = ask.is(STATUS) && ask.json()["status"] == "pr_opened";
    let rule = if beyond.memory.knows(&path) { rule } else { "none" };
    let reply = past(ask, beyond.clone(), STATUS, rule).await;
    if delivered && reply.status == 200 {
        beyond.memory.set(path, true);
    }
    reply
}

/// Takes a rule away from the task or the worker of a call, or puts it back.
async fn bend(ask: &Ask, beyond: &Beyond, rule: &str, away: bool) {
    let mut repo = beyond.memory.get(&beyond.memory.get(ask.id())["repo"].to_string());
    let worker = beyond.memory.get(ask.token());
    let (method, path, body) = match (rule, away) {
        ("budget" | "area_lock", _) => {
            if away {
                repo["max_open_prs"] = json!(100);
                repo["area_locks_enabled"] = json!(false);
            }
            beyond.admin("/v1/admin/repos", &repo).await;
            return;
        }
        ("worker_status", true) => (Method::POST, "heartbeat", json!({ "status": "idle" })),
        ("worker_status", false) => (Method::POST, "heartbeat", json!({ "status": "paused" })),
        (_, true) => (Method::PATCH, "me", json!({ "capacity_points": 100, "max_concurrent_tasks": 20 })),
        (_, false) => (Method::PATCH, "me", limits(&worker)),
    };
    let mut call = ask.clone();
    call.method = method;
    call.path = format!("/v1/workers/{path}");
    call.body = Bytes::from(body.to_string());
    beyond.ask(&call).await;
}

fn limits(worker: &Value) -> Value {
    json!({ "capacity_points": worker["capacity_points"], "max_concurrent_tasks": worker["max_concurrent_tasks"] })
}
