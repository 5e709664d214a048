//! Servers that break what takes seconds: leases and offers that end by themselves, and asking in vain.

use crate::proxy::{How, Reply};
use crate::table::Broken;
use owp::clock::Clock;
use serde_json::{Value, json};
use std::time::Duration;

pub const TABLE: &[Broken] = &[
    Broken {
        name: "keeps the slot of a lease that expired",
        fails: &["EXPIRY-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/admin/repos") && reply.status == 200 {
                memory.set(ask.json()["repo"].as_str().unwrap_or_default(), ask.json()["max_open_prs"].clone());
            }
            if ask.is("GET /v1/work") {
                let others = |lease: &Value| {
                    let holder = format!("holder {}", lease["task_id"]);
                    if !memory.knows(&holder) {
                        memory.set(&holder, ask.token());
                    }
                    memory.get(lease["repo"].as_str().unwrap_or_default()) == 1 && memory.get(&holder) != ask.token()
                };
                reply.leases(|leases| leases.retain(|lease| !others(lease)));
            }
        }),
    },
    Broken {
        name: "waits for acknowledgements for as long as it takes",
        fails: &["OFFER-5"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["policy"]["leases"]["ack_within"] == "2s" {
                    body["policy"]["leases"]["ack_within"] = json!("10m");
                }
            });
        }),
    },
    Broken {
        name: "does not hear the heartbeats of those who work",
        fails: &["EXPIRY-2"],
        how: How::Instead(|ask, _| {
            let now = chrono::DateTime::from_timestamp_millis(Clock::System.now_ms()).unwrap().to_rfc3339();
            let heard = ask.is("POST /v1/workers/heartbeat") && ask.json() == json!({ "status": "working" });
            heard.then(|| Reply::of(200, &json!({ "ok": true, "server_time": now })))
        }),
    },
    Broken {
        name: "takes the word of whoever held a task once",
        fails: &["EXPIRY-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 403 && ask.json()["status"] == "merged" {
                *reply = Reply::ok();
            }
        }),
    },
    Broken {
        name: "does not tell somebody else's task from none",
        fails: &["STATUS-4", "EXPIRY-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 403 {
                *reply = Reply::problem(404);
            }
        }),
    },
    Broken {
        name: "tells the end of a lease with every heartbeat",
        fails: &["LEASE-9"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/workers/heartbeat") && reply.status == 200 {
                let told = reply.json()["ended"].as_array().is_some_and(|ended| !ended.is_empty());
                if told {
                    memory.set(ask.token(), reply.json()["ended"].clone());
                } else if memory.knows(ask.token()) {
                    reply.change(|beat| beat["ended"] = memory.get(ask.token()));
                }
            }
        }),
    },
    Broken {
        name: "does not say why a lease ended",
        fails: &["LEASE-9"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/workers/heartbeat") {
                reply.change(|beat| {
                    for ended in beat["ended"].as_array_mut().into_iter().flatten() {
                        ended.as_object_mut().unwrap().remove("reason");
                    }
                });
            }
        }),
    },
    Broken {
        name: "lets a worker wait for ten times as long as it said",
        fails: &["WAIT-2"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if ask.asked("wait") == Some("2") {
                    tokio::time::sleep(Duration::from_secs(18)).await;
                }
                reply
            })
        }),
    },
];
