//! Servers that break what a holder tells of its task.

use super::areas::{learn, more_on, place};
use super::calls::as_stands;
use super::claims::remember_held;
use crate::conformance::proxy::{How, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "answers a status with nothing",
        fails: &["STATUS-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 200 {
                *reply = Reply::of(200, &json!({}));
            }
        }),
    },
    Broken {
        name: "refuses a status that was told before",
        fails: &["STATUS-2"],
        how: How::Instead(|ask, memory| {
            let again = || memory.count(&format!("{} {}", ask.path, ask.json()["status"])) > 1;
            (ask.is("POST /v1/tasks/*/status") && again()).then(|| Reply::problem(409))
        }),
    },
    Broken {
        name: "gives a task up when its pull request is told twice",
        fails: &["STATUS-2"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == "pr_opened" {
                memory.count(ask.id());
            }
            if ask.is("GET /v1/work") {
                let twice = |lease: &Value| memory.get(lease["task_id"].as_str().unwrap_or_default()) == 2;
                reply.leases(|leases| leases.retain(|lease| !twice(lease)));
            }
        }),
    },
    Broken {
        name: "forbids a status of a task that never was",
        fails: &["STATUS-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 404 {
                *reply = Reply::problem(403);
            }
        }),
    },
    Broken {
        name: "lets everybody block a task",
        fails: &["STATUS-4"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 403 && ask.json()["status"] == "blocked" {
                *reply = Reply::ok();
            }
        }),
    },
    Broken {
        name: "says that a task which is ready is in no state for that",
        fails: &["STATUS-4"],
        how: How::Own(|ask, beyond| Box::pin(as_stands(ask, beyond, 403, json!("ready"), 409))),
    },
    Broken {
        name: "says so to whoever held the task before",
        fails: &["STATUS-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let held = format!("{} {}", ask.token(), ask.id());
                if beyond.memory.knows(&held) {
                    return as_stands(ask, beyond, 403, json!("ready"), 409).await;
                }
                let reply = beyond.ask(&ask).await;
                remember_held(&ask, &reply, &beyond.memory);
                reply
            })
        }),
    },
    Broken {
        name: "believes everybody that a task which is ready is merged",
        fails: &["STATUS-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                if ask.json()["status"] != "merged" {
                    return beyond.ask(&ask).await;
                }
                as_stands(ask, beyond, 403, json!("ready"), 200).await
            })
        }),
    },
    Broken {
        name: "cuts messages that are too long",
        fails: &["STATUS-5"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if let Some(message) = body["message"].as_str().filter(|message| message.len() > 4000) {
                    body["message"] = json!(message[..4000]);
                }
            });
        }),
    },
    Broken {
        name: "knows more statuses than there are",
        fails: &["STATUS-5"],
        how: How::Instead(|ask, _| {
            (ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == "done").then(Reply::ok)
        }),
    },
    Broken {
        name: "does not list tasks with a pull request",
        fails: &["STATUS-6"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.retain(|lease| lease["state"] != "pr_opened"));
            }
        }),
    },
    Broken {
        name: "lets tasks with a pull request take capacity",
        fails: &["STATUS-7"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/workers/register") && reply.status == 200 {
                memory.set(reply.json()["token"].as_str().unwrap_or_default(), ask.json()["capacity_points"].clone());
            }
            if ask.is("GET /v1/work") {
                // Others have room for more than what they have delivered.
                let mut left = memory.get(ask.token()).as_i64().filter(|points| *points == 1).unwrap_or(100);
                reply.leases(|leases| {
                    left -= points(leases.iter().filter(|lease| lease["state"] == "pr_opened"));
                    leases.retain(|lease| lease["state"] == "pr_opened" || points([lease]) <= left);
                });
            }
        }),
    },
    Broken {
        name: "does not list blocked tasks",
        fails: &["STATUS-8"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.retain(|lease| lease["state"] != "blocked"));
            }
        }),
    },
    Broken {
        name: "lets nobody go on with a blocked task",
        fails: &["STATUS-9"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 200 {
                if memory.get(ask.id()) == "blocked" && ask.json()["status"] == "in_progress" {
                    *reply = Reply::problem(409);
                }
                memory.set(ask.id(), ask.json()["status"].clone());
            }
        }),
    },
    Broken {
        name: "lists merged tasks for ever",
        fails: &["STATUS-10"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == "merged" && reply.status == 200 {
                memory.set(format!("merged {} {}", ask.token(), ask.id()), memory.get(ask.id()));
            }
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in &*leases {
                        memory.set(lease["task_id"].as_str().unwrap_or_default(), lease.clone());
                    }
                    leases.extend(memory.all(&format!("merged {} ", ask.token())).into_iter().map(|(_, lease)| lease));
                });
            }
        }),
    },
    Broken {
        name: "lets a merged task be begun again",
        fails: &["STATUS-11"],
        how: How::Reply(|ask, reply, memory| {
            if !ask.is("POST /v1/tasks/*/status") {
                return;
            }
            match reply.status {
                200 => memory.set(ask.id(), ask.json()["status"].clone()),
                409 if memory.get(ask.id()) == "merged" && ask.json()["status"] == "in_progress" => {
                    *reply = Reply::ok();
                }
                _ => {}
            }
        }),
    },
    Broken {
        name: "refuses artifacts with anything of their own",
        fails: &["STATUS-12"],
        how: How::Instead(|ask, _| (!ask.json()["artifact"]["extra"].is_null()).then(|| Reply::problem(422))),
    },
    Broken {
        name: "lets a task with a pull request be blocked",
        fails: &["STATUS-13"],
        how: How::Reply(|ask, reply, memory| {
            let said = ask.json();
            if !ask.is("POST /v1/tasks/*/status") || !said["lease_id"].is_null() {
                return;
            }
            match reply.status {
                200 => memory.set(ask.id(), said["status"].clone()),
                409 if memory.get(ask.id()) == "pr_opened" && said["status"] == "blocked" => *reply = Reply::ok(),
                _ => {}
            }
        }),
    },
    Broken {
        name: "takes no notice of work that goes on after a pull request",
        fails: &["STATUS-13"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/tasks/*/status") && reply.status == 200 {
                    let said = ask.json()["status"].clone();
                    if beyond.memory.get(ask.id()) == "pr_opened" && said == "in_progress" {
                        let mut back = ask.clone();
                        back.change(|body| body["status"] = json!("pr_opened"));
                        return beyond.ask(&back).await;
                    }
                    beyond.memory.set(ask.id(), said);
                }
                reply
            })
        }),
    },
    Broken {
        name: "counts blocked tasks against the budget",
        fails: &["STATUS-14"],
        how: How::Own(|ask, beyond| Box::pin(more_on(ask, beyond, "blocked", -1))),
    },
    Broken {
        name: "keeps the area of a blocked task from whoever blocked it",
        fails: &["STATUS-14"],
        how: How::Reply(|ask, reply, memory| {
            learn(ask, reply, memory);
            let blocked = |task: &Value| format!("blocked {} {}", ask.token(), place(task));
            if ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == "blocked" && reply.status == 200 {
                memory.set(blocked(&memory.get(ask.id())), true);
            }
            if ask.is("GET /v1/work") {
                let locked = |lease: &Value| lease["area"].is_string() && memory.knows(&blocked(lease));
                reply.leases(|leases| leases.retain(|lease| lease["state"] == "blocked" || !locked(lease)));
            }
        }),
    },
    Broken {
        name: "lets a blocked task take all that a worker of one point has",
        fails: &["STATUS-14"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/workers/register") && reply.status == 200 {
                memory.set(reply.json()["token"].as_str().unwrap_or_default(), ask.json()["capacity_points"].clone());
            }
            if ask.is("GET /v1/work") && memory.get(ask.token()) == 1 {
                let blocked = |lease: &Value| lease["state"] == "blocked";
                reply.leases(|leases| {
                    if leases.iter().any(blocked) {
                        leases.retain(blocked);
                    }
                });
            }
        }),
    },
];

fn points<'a>(leases: impl IntoIterator<Item = &'a Value>) -> i64 {
    leases.into_iter().filter_map(|lease| lease["estimate_points"].as_i64()).sum()
}
