//! Servers that break leases by their ids.

use crate::conformance::proxy::{Ask, Beyond, How, Memory, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "does not count grants",
        fails: &["LEASE-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.iter_mut().for_each(|lease| lease["epoch"] = json!(1)));
            }
        }),
    },
    Broken {
        name: "gives a lease the id of the one before the last",
        fails: &["LEASE-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        let task = lease["task_id"].as_str().unwrap_or_default().to_owned();
                        let mut grants = memory.get(&task).as_array().cloned().unwrap_or_default();
                        if !grants.contains(&lease["lease_id"]) {
                            grants.push(lease["lease_id"].clone());
                        }
                        if grants.len() > 2 {
                            lease["lease_id"] = grants[0].clone();
                        }
                        memory.set(task, grants);
                    }
                });
            }
        }),
    },
    Broken {
        name: "lets a lease that is over be released",
        fails: &["LEASE-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/leases/*/release") && reply.status == 409 && ask.json()["epoch"].is_null() {
                *reply = Reply::ok();
            }
        }),
    },
    Broken {
        name: "does not look which lease a status is of",
        fails: &["LEASE-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/tasks/*/status") {
                ask.change(|body| drop(body.as_object_mut().unwrap().remove("lease_id")));
            }
        }),
    },
    Broken {
        name: "does not look at epochs",
        fails: &["LEASE-4"],
        how: How::Ask(|ask, _| {
            if ask.path.starts_with("/v1/leases/") {
                ask.change(|body| drop(body.as_object_mut().unwrap().remove("epoch")));
            }
        }),
    },
    Broken {
        name: "does not look at the epoch of what is declined",
        fails: &["LEASE-4"],
        how: How::Ask(|ask, _| without_epoch(ask, "POST /v1/leases/*/nack")),
    },
    Broken {
        name: "does not look at the epoch of what is acknowledged",
        fails: &["LEASE-4"],
        how: How::Ask(|ask, _| without_epoch(ask, "POST /v1/leases/*/ack")),
    },
    Broken {
        name: "does not tell somebody else's lease from none",
        fails: &["LEASE-5"],
        how: How::Reply(|ask, reply, _| {
            if ask.path.starts_with("/v1/leases/") && reply.status == 403 {
                *reply = Reply::problem(404);
            }
        }),
    },
    Broken {
        name: "shortens a lease that is renewed",
        fails: &["LEASE-6"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/leases/*/renew") && reply.status == 200 {
                reply.change(|lease| lease["lease_expires_at"] = json!("2026-01-01T00:00:00Z"));
            }
        }),
    },
    Broken {
        name: "gives a released task back some time later",
        fails: &["LEASE-7"],
        how: How::Own(|ask, beyond| Box::pin(later(ask, beyond, "POST /v1/leases/*/release"))),
    },
    Broken {
        name: "counts a lease's time in milliseconds",
        fails: &["LEASE-8"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        lease["lease_expires_in_secs"] =
                            json!(lease["lease_expires_in_secs"].as_i64().unwrap_or(0) * 1000);
                    }
                });
            }
        }),
    },
    Broken {
        name: "lets nobody release what was only offered",
        fails: &["LEASE-12"],
        how: How::Reply(|ask, reply, memory| refuses_to(ask, reply, memory, "release", "offered")),
    },
    Broken {
        name: "lets nobody decline what is theirs",
        fails: &["LEASE-12"],
        how: How::Reply(|ask, reply, memory| refuses_to(ask, reply, memory, "nack", "active")),
    },
    Broken {
        name: "cuts reasons that are too long",
        fails: &["LEASE-12"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if let Some(reason) = body["reason"].as_str().filter(|reason| reason.len() > 500) {
                    body["reason"] = json!(reason[..500]);
                }
            });
        }),
    },
];

fn without_epoch(ask: &mut Ask, call: &str) {
    if ask.is(call) {
        ask.change(|body| drop(body.as_object_mut().unwrap().remove("epoch")));
    }
}

/// Says no to this end of leases that were listed in this state.
fn refuses_to(ask: &Ask, reply: &mut Reply, memory: &Memory, act: &str, state: &str) {
    if ask.is("GET /v1/work") {
        for lease in reply.json()["leases"].as_array().into_iter().flatten() {
            memory.set(lease["lease_id"].as_str().unwrap_or_default(), lease["lease_state"].clone());
        }
    }
    if ask.is(&format!("POST /v1/leases/*/{act}")) && reply.status == 200 && memory.get(ask.id()) == state {
        *reply = Reply::problem(409);
    }
}

/// Answers the first call about a lease at once, and makes it some time later. Calls of others than its holder are made
/// as they come.
pub(super) async fn later(ask: Ask, beyond: Arc<Beyond>, call: &str) -> Reply {
    let right = |body: Value| body["epoch"].is_null() && body["reason"].as_str().is_none_or(|why| why.len() <= 500);
    let holder = || beyond.memory.get(ask.id()) == ask.token() && right(ask.json());
    if ask.is(call) && holder() && beyond.memory.count(&format!("told {}", ask.id())) == 1 {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            beyond.ask(&ask).await;
        });
        return Reply::ok();
    }
    let reply = beyond.ask(&ask).await;
    if ask.is("GET /v1/work") {
        // What is no offer cannot be declined, so that is not put off either.
        let may = |lease: &Value| !call.ends_with("nack") || lease["lease_state"] == "offered";
        for lease in reply.json()["leases"].as_array().into_iter().flatten().filter(|lease| may(lease)) {
            beyond.memory.set(lease["lease_id"].as_str().unwrap_or_default(), ask.token());
        }
    }
    reply
}
