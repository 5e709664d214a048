//! Servers that break leases by their ids.

use crate::proxy::{Ask, Beyond, How, Reply};
use crate::table::Broken;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub const TABLE: &[Broken] = &[
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
];

/// Answers the first call about a lease at once, and makes it some time later. Calls of others than its holder are made
/// as they come.
pub async fn later(ask: Ask, beyond: Arc<Beyond>, call: &str) -> Reply {
    let holder = || beyond.memory.get(ask.id()) == ask.token() && ask.json()["epoch"].is_null();
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
        let may = |lease: &serde_json::Value| !call.ends_with("nack") || lease["lease_state"] == "offered";
        for lease in reply.json()["leases"].as_array().into_iter().flatten().filter(|lease| may(lease)) {
            beyond.memory.set(lease["lease_id"].as_str().unwrap_or_default(), ask.token());
        }
    }
    reply
}
