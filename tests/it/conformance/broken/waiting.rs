//! Servers that break what takes seconds: leases and offers that end by themselves, and asking in vain.

use crate::conformance::proxy::{How, Reply};
use crate::conformance::table::Broken;
use axum::body::Bytes;
use axum::http::Method;
use owp_base::clock::Clock;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const TABLE: &[Broken] = &[
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
        name: "begins a lease's time anew when its worker asks for work",
        fails: &["EXPIRY-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                let leases = reply.json()["leases"].as_array().cloned().unwrap_or_default();
                let mut renewed = false;
                for lease in leases.iter().filter(|lease| lease["lease_state"] == "active") {
                    let id = lease["lease_id"].as_str().unwrap_or_default();
                    if ask.is("GET /v1/work") && beyond.memory.count(id) > 1 {
                        let mut renew = ask.clone();
                        renew.method = Method::POST;
                        renew.path = format!("/v1/leases/{id}/renew");
                        renew.body = Bytes::from("{}");
                        renewed |= beyond.ask(&renew).await.status == 200;
                    }
                }
                if renewed { beyond.ask(&ask).await } else { reply }
            })
        }),
    },
    Broken {
        name: "takes no status for a sign of life",
        fails: &["EXPIRY-5"],
        how: How::Reply(|ask, reply, memory| {
            let signs = format!("signs {}", ask.token());
            if (ask.is("POST /v1/workers/heartbeat") || ask.is("POST /v1/leases/*/renew")) && reply.status == 200 {
                memory.count(&signs);
            }
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        let known = format!("{} {} {}", ask.token(), memory.get(&signs), lease["lease_id"]);
                        if !memory.knows(&known) {
                            memory.set(&known, lease["lease_expires_at"].clone());
                        }
                        lease["lease_expires_at"] = memory.get(&known);
                    }
                });
            }
        }),
    },
    Broken {
        name: "takes a status for a sign of life when it is news",
        fails: &["EXPIRY-5"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let said = format!("{} {}", ask.path, ask.json()["status"]);
                let again = ask.is("POST /v1/tasks/*/status") && beyond.memory.count(&said) > 1;
                if again && ask.json()["status"] == "in_progress" { Reply::ok() } else { beyond.ask(&ask).await }
            })
        }),
    },
    Broken {
        name: "renews nothing",
        fails: &["LEASE-11"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                if ask.is("POST /v1/leases/*/renew") && beyond.memory.get(ask.id()) == "active" {
                    ask.path = ask.path.replace("/renew", "/ack");
                }
                let reply = beyond.ask(&ask).await;
                if ask.is("GET /v1/work") {
                    for lease in reply.json()["leases"].as_array().into_iter().flatten() {
                        let id = lease["lease_id"].as_str().unwrap_or_default();
                        beyond.memory.set(id, lease["lease_state"].clone());
                    }
                }
                reply
            })
        }),
    },
    Broken {
        name: "says only of what expired that it ended",
        fails: &["LEASE-9"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/workers/heartbeat") {
                reply.change(|beat| {
                    if let Some(ended) = beat["ended"].as_array_mut() {
                        ended.retain(|ended| ended["reason"] == "expired");
                    }
                });
            }
        }),
    },
    Broken {
        name: "takes the word of whoever held a task once",
        fails: &["EXPIRY-3"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/work") {
                for lease in reply.json()["leases"].as_array().into_iter().flatten() {
                    memory.set(format!("{} {}", ask.token(), lease["task_id"].as_str().unwrap_or_default()), true);
                }
            }
            let once = memory.knows(&format!("{} {}", ask.token(), ask.id()));
            if ask.is("POST /v1/tasks/*/status") && reply.status == 403 && ask.json()["status"] == "merged" && once {
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
