//! Servers that break the operator's calls.

use super::calls::as_stands;
use crate::conformance::proxy::{How, Reply};
use crate::conformance::table::Broken;
use axum::body::Bytes;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "does not name the repository it made",
        fails: &["REPO-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/admin/repos") {
                reply.lacks("repo");
            }
        }),
    },
    Broken {
        name: "keeps settings that a repository is made without",
        fails: &["REPO-2"],
        how: How::Ask(|ask, memory| {
            if ask.is("POST /v1/admin/repos") {
                ask.change(|body| {
                    let name = body["repo"].to_string();
                    let mut settings = memory.get(&name).as_object().cloned().unwrap_or_default();
                    settings.extend(body.as_object().cloned().unwrap_or_default());
                    *body = Value::from(settings);
                    memory.set(name, body.clone());
                });
            }
        }),
    },
    Broken {
        name: "takes a budget above all bounds for the largest",
        fails: &["REPO-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["max_open_prs"] == 101 {
                    body["max_open_prs"] = json!(100);
                }
            });
        }),
    },
    Broken {
        name: "takes a repository without a name to see",
        fails: &["REPO-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/repos") && ask.json()["repo"] == " " {
                ask.change(|body| body["repo"] = json!("nameless"));
            }
        }),
    },
    Broken {
        name: "knows a repository only as it was written",
        fails: &["REPO-4"],
        how: How::Instead(|ask, _| {
            (ask.is("POST /v1/admin/tasks") && is_shouted(&ask.json()["repo"])).then(|| Reply::problem(400))
        }),
    },
    Broken {
        name: "makes another repository of a name in capitals",
        fails: &["REPO-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/repos") && is_shouted(&ask.json()["repo"]) {
                ask.change(|body| body["repo"] = json!(format!("{}-2", body["repo"].as_str().unwrap())));
            }
        }),
    },
    Broken {
        name: "answers a new task without `ok`",
        fails: &["TASK-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/admin/tasks") {
                reply.lacks("ok");
            }
        }),
    },
    Broken {
        name: "makes the repository of a task when there is none",
        fails: &["TASK-2"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if !ask.is("POST /v1/admin/tasks") || reply.status != 400 {
                    return reply;
                }
                beyond.admin("/v1/admin/repos", &json!({ "repo": ask.json()["repo"] })).await;
                beyond.ask(&ask).await
            })
        }),
    },
    Broken {
        name: "says that an unknown repository cannot be found",
        fails: &["TASK-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/admin/tasks") && reply.status == 400 {
                *reply = Reply::problem(404);
            }
        }),
    },
    Broken {
        name: "takes a priority above all bounds for the highest",
        fails: &["TASK-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["priority"] == 1001 {
                    body["priority"] = json!(1000);
                }
            });
        }),
    },
    Broken {
        name: "has tiers without an end",
        fails: &["TASK-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["tier"] == 4 {
                    body["tier"] = json!(3);
                }
            });
        }),
    },
    Broken {
        name: "takes a task without a title to see",
        fails: &["TASK-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["title"] == " " {
                    body["title"] = json!("untitled");
                }
            });
        }),
    },
    Broken {
        name: "takes a task for important when nothing is said",
        fails: &["TASK-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks") && ask.json().get("priority").is_none() {
                ask.change(|body| body["priority"] = json!(50));
            }
        }),
    },
    Broken {
        name: "takes a task for large when nothing is said",
        fails: &["TASK-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks") && ask.json().get("estimate_points").is_none() {
                ask.change(|body| body["estimate_points"] = json!(8));
            }
        }),
    },
    Broken {
        name: "does not count blocked tasks",
        fails: &["STATE-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/admin/state") {
                reply.lacks("tasks_blocked");
            }
        }),
    },
    Broken {
        name: "counts tasks once and remembers how many they were",
        fails: &["STATE-2"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/admin/state") && reply.status == 200 {
                reply.change(|state| {
                    if !memory.knows("ready") {
                        memory.set("ready", state["tasks_ready"].clone());
                    }
                    state["tasks_ready"] = memory.get("ready");
                });
            }
        }),
    },
    Broken {
        name: "answers tasks in bulk in another order",
        fails: &["BULK-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/admin/tasks/bulk") && reply.status == 200 {
                reply.change(|body| body["task_ids"].as_array_mut().unwrap().reverse());
            }
        }),
    },
    Broken {
        name: "adds what is right of tasks in bulk",
        fails: &["BULK-2"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/admin/tasks/bulk") && reply.status == 422 {
                    let body = ask.json();
                    for mut task in body["tasks"].as_array().cloned().unwrap_or_default().into_iter().take(5) {
                        task["repo"] = body["repo"].clone();
                        beyond.admin("/v1/admin/tasks", &task).await;
                    }
                }
                reply
            })
        }),
    },
    Broken {
        name: "makes a task anew whatever it is called elsewhere",
        fails: &["BULK-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| drop(body.as_object_mut().unwrap().remove("external_id")));
        }),
    },
    Broken {
        name: "adds as many tasks in bulk as it may and drops the rest",
        fails: &["BULK-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks/bulk") {
                ask.change(|body| body["tasks"].as_array_mut().unwrap().truncate(500));
            }
        }),
    },
    Broken {
        name: "passes over the keys of a policy that it does not know",
        fails: &["POLICY-1"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/policy") {
                ask.change(|body| {
                    body["policy"].as_object_mut().unwrap().remove("no_such_key");
                    if let Some(leases) = body["policy"]["leases"].as_object_mut() {
                        leases.remove("no_such_key");
                    }
                });
            }
        }),
    },
    Broken {
        name: "pauses until it is told to go on, whatever time was named",
        fails: &["PAUSE-1"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/pause") {
                ask.change(|body| drop(body.as_object_mut().unwrap().remove("secs")));
            }
        }),
    },
    Broken {
        name: "pauses for no time at all",
        fails: &["PAUSE-1"],
        how: How::Instead(|ask, _| (ask.is("POST /v1/admin/pause") && ask.json()["secs"].is_number()).then(Reply::ok)),
    },
    Broken {
        name: "pauses no repository",
        fails: &["PAUSE-1"],
        how: How::Instead(|ask, _| ask.is("POST /v1/admin/pause").then(Reply::ok)),
    },
    Broken {
        name: "resumes no repository",
        fails: &["PAUSE-1"],
        how: How::Instead(|ask, _| ask.is("POST /v1/admin/resume").then(Reply::ok)),
    },
    Broken {
        name: "closes no task",
        fails: &["CLOSE-1", "CLOSE-2", "CLOSE-3"],
        how: How::Instead(|ask, _| ask.is("POST /v1/admin/tasks/*/close").then(Reply::ok)),
    },
    Broken {
        name: "lets the lease of a closed task be renewed",
        fails: &["CLOSE-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/work") {
                for lease in reply.json()["leases"].as_array().into_iter().flatten() {
                    memory.set(lease["lease_id"].as_str().unwrap_or_default(), lease["task_id"].clone());
                }
            }
            if ask.is("POST /v1/admin/tasks/*/close") {
                memory.set(format!("closed {}", ask.path.split('/').nth(4).unwrap_or_default()), true);
            }
            let task = memory.get(ask.id());
            let closed = memory.knows(&format!("closed {}", task.as_str().unwrap_or_default()));
            if ask.is("POST /v1/leases/*/renew") && reply.status == 409 && closed {
                *reply = Reply::ok();
            }
        }),
    },
    Broken {
        name: "reopens no task",
        fails: &["CLOSE-2"],
        how: How::Instead(|ask, _| ask.is("POST /v1/admin/tasks/*/reopen").then(Reply::ok)),
    },
    Broken {
        name: "believes that a closed task is merged",
        fails: &["CLOSE-3"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                if ask.json()["status"] != "merged" {
                    return beyond.ask(&ask).await;
                }
                as_stands(ask, beyond, 409, json!("closed"), 200).await
            })
        }),
    },
    Broken {
        name: "revokes no lease",
        fails: &["REVOKE-1"],
        how: How::Instead(|ask, _| (ask.path.contains("/leases/") && ask.path.ends_with("/revoke")).then(Reply::ok)),
    },
    Broken {
        name: "revokes no worker",
        fails: &["REVOKE-2"],
        how: How::Instead(|ask, _| ask.is("POST /v1/admin/workers/*/revoke").then(Reply::ok)),
    },
    Broken {
        name: "exports events and does not say whether they are whole",
        fails: &["AUDIT-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/admin/audit") {
                let text = String::from_utf8_lossy(&reply.body).trim_end().to_owned();
                reply.body =
                    Bytes::from(text.rsplit_once('\n').map(|(events, _)| events.to_owned()).unwrap_or_default());
            }
        }),
    },
    Broken {
        name: "loses an event of its export",
        fails: &["AUDIT-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/admin/audit") {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                reply.body = Bytes::from(text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default());
            }
        }),
    },
];

fn is_shouted(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.chars().any(char::is_uppercase))
}
