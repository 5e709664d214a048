//! Servers that break claims, explanations, and calls that are repeated with a key.

use crate::conformance::proxy::{Ask, How, Memory, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "does not say how long a claimed lease lasts",
        fails: &["CLAIM-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/claim") {
                reply.lacks("lease_expires_at");
            }
        }),
    },
    Broken {
        name: "forbids what a rule forbids",
        fails: &["CLAIM-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/claim") && reply.status == 409 {
                reply.status = 403;
                reply.change(|problem| problem["status"] = json!(403));
            }
        }),
    },
    Broken {
        name: "keeps a task from everybody once it was refused",
        fails: &["CLAIM-2"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                if !ask.is("POST /v1/tasks/*/claim") || !ask.header("idempotency-key").is_empty() {
                    return beyond.ask(&ask).await;
                }
                if beyond.memory.knows(ask.id()) {
                    return Reply::problem(409);
                }
                let reply = beyond.ask(&ask).await;
                if reply.status == 409 {
                    beyond.memory.set(ask.id(), true);
                }
                reply
            })
        }),
    },
    Broken {
        name: "refuses a claim of what one holds",
        fails: &["CLAIM-3"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let held = format!("{} {}", ask.token(), ask.id());
                if ask.is("POST /v1/tasks/*/claim") && beyond.memory.knows(&held) {
                    return Reply::problem(409);
                }
                let reply = beyond.ask(&ask).await;
                remember_held(&ask, &reply, &beyond.memory);
                reply
            })
        }),
    },
    Broken {
        name: "says no and not why",
        fails: &["WHY-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks/*/why") {
                reply.change(|why| {
                    for rule in why["rules"].as_array_mut().into_iter().flatten() {
                        rule["reason"] = Value::Null;
                    }
                });
            }
        }),
    },
    Broken {
        name: "says that a worker may whatever the rules say",
        fails: &["WHY-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks/*/why") {
                reply.change(|why| why["may"] = json!(true));
            }
        }),
    },
    Broken { name: "does not explain what waits", fails: &["WHY-3"], how: How::Ask(|ask, _| ask.without("explain")) },
    Broken {
        name: "does not look at keys",
        fails: &["IDEM-1", "IDEM-2", "IDEM-5"],
        how: How::Ask(|ask, _| drop(ask.headers.remove("idempotency-key"))),
    },
    Broken {
        name: "answers a repeated call in other words",
        fails: &["IDEM-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/admin/tasks") && memory.count(ask.header("idempotency-key")) > 1 {
                reply.change(|body| {
                    if body["ok"] == true && !ask.header("idempotency-key").is_empty() {
                        body["again"] = json!(true);
                    }
                });
            }
        }),
    },
    Broken {
        name: "does not look what a key comes with",
        fails: &["IDEM-2"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let (key, call) = (ask.header("idempotency-key"), format!("{} {}", ask.path, ask.token()));
                let key = format!("{call} {key}");
                let mut as_first = ask.clone();
                if beyond.memory.knows(&key) {
                    as_first.body = beyond.memory.get(&key).to_string().into();
                } else if !ask.header("idempotency-key").is_empty() {
                    beyond.memory.set(&key, ask.json());
                    as_first.body = ask.json().to_string().into();
                }
                beyond.ask(&as_first).await
            })
        }),
    },
    Broken {
        name: "shares keys among all workers",
        fails: &["IDEM-3"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let key = claimed_with(&ask);
                if beyond.memory.knows(&key) {
                    return Reply::of(200, &beyond.memory.get(&key));
                }
                let reply = beyond.ask(&ask).await;
                if !key.is_empty() && reply.status == 200 {
                    beyond.memory.set(key, reply.json());
                }
                reply
            })
        }),
    },
    Broken {
        name: "shares a worker's keys among its calls",
        fails: &["IDEM-3"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let (token, key) = (ask.token(), ask.header("idempotency-key"));
                if token.is_empty() || key.is_empty() {
                    return beyond.ask(&ask).await;
                }
                let known = format!("{token} {key}");
                if beyond.memory.knows(&known) {
                    return Reply::of(200, &beyond.memory.get(&known));
                }
                let reply = beyond.ask(&ask).await;
                if reply.status == 200 {
                    beyond.memory.set(known, reply.json());
                }
                reply
            })
        }),
    },
    Broken {
        name: "tries again what it refused",
        fails: &["IDEM-5"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/tasks/*/claim") {
                ask.headers.remove("idempotency-key");
            }
        }),
    },
];

/// The key of a claim, if any.
fn claimed_with(ask: &Ask) -> String {
    let key = if ask.is("POST /v1/tasks/*/claim") { ask.header("idempotency-key") } else { "" };
    key.to_owned()
}

/// Remembers who had which tasks, as `TOKEN TASK`.
pub(super) fn remember_held(ask: &Ask, reply: &Reply, memory: &Memory) {
    if ask.is("GET /v1/work") {
        for lease in reply.json()["leases"].as_array().into_iter().flatten() {
            let task = lease["task_id"].as_str().unwrap_or_default();
            memory.set(format!("{} {task}", ask.token()), true);
        }
    }
}
