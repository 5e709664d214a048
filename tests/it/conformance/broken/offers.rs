//! Servers that break offers and what a worker says it can do.

use super::leases::later;
use crate::conformance::proxy::{How, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "asks everybody to acknowledge",
        fails: &["OFFER-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases.iter_mut().filter(|lease| lease["lease_state"] == "active") {
                        lease["ack_by"] = lease["lease_expires_at"].clone();
                    }
                });
            }
        }),
    },
    Broken {
        name: "believes that whoever opens pull requests acknowledges",
        fails: &["OFFER-1", "OFFER-7"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["capabilities"].is_object() {
                    body["capabilities"]["ack"] = json!(true);
                }
            });
        }),
    },
    Broken {
        name: "does not say until when an offer stands",
        fails: &["OFFER-2", "OFFER-9"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.iter_mut().for_each(|lease| lease["ack_by"] = Value::Null));
            }
        }),
    },
    Broken {
        name: "says that an acknowledged lease is still an offer",
        fails: &["OFFER-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/leases/*/ack") && reply.status == 200 {
                reply.change(|lease| lease["lease_state"] = json!("offered"));
            }
        }),
    },
    Broken {
        name: "refuses a second acknowledgement",
        fails: &["OFFER-3"],
        how: How::Instead(|ask, memory| {
            (ask.is("POST /v1/leases/*/ack") && memory.count(ask.id()) > 1).then(|| Reply::problem(409))
        }),
    },
    Broken {
        name: "gives a declined task back some time later",
        fails: &["OFFER-4"],
        how: How::Own(|ask, beyond| Box::pin(later(ask, beyond, "POST /v1/leases/*/nack"))),
    },
    Broken {
        name: "does not count offers against the budget",
        fails: &["OFFER-6"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/admin/repos") && reply.status == 200 {
                    beyond.memory.set(ask.json()["repo"].to_string(), ask.json());
                }
                let leases = reply.json()["leases"].as_array().cloned().unwrap_or_default();
                for lease in leases.iter().filter(|lease| lease["lease_state"] == "offered") {
                    let mut repo = beyond.memory.get(&lease["repo"].to_string());
                    repo["max_open_prs"] = json!(repo["max_open_prs"].as_i64().unwrap_or(3) + 1);
                    beyond.admin("/v1/admin/repos", &repo).await;
                }
                reply
            })
        }),
    },
    Broken {
        name: "believes that everybody acknowledges",
        fails: &["OFFER-7"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/workers/me") {
                reply.change(|me| me["capabilities"]["ack"] = json!(true));
            }
        }),
    },
    Broken {
        name: "forgets which tools a worker can drive",
        fails: &["OFFER-7"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["capabilities"]["supports_tool"].is_array() {
                    body["capabilities"]["supports_tool"] = json!([]);
                }
            });
        }),
    },
    Broken {
        name: "waits for the acknowledgement of what was begun",
        fails: &["OFFER-8"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/tasks/*/status") && reply.status == 200 && memory.get(ask.id()) == "offered" {
                memory.set(format!("begun {}", ask.id()), true);
            }
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        let task = lease["task_id"].as_str().unwrap_or_default().to_owned();
                        if memory.knows(&format!("begun {task}")) {
                            lease["lease_state"] = json!("offered");
                        }
                        memory.set(task, lease["lease_state"].clone());
                    }
                });
            }
        }),
    },
    Broken {
        name: "lets an offer stand for as long as its worker is alive",
        fails: &["OFFER-9"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("POST /v1/workers/heartbeat") && reply.status == 200 {
                memory.count(ask.token());
            }
            if ask.is("GET /v1/work") {
                let more = chrono::TimeDelta::seconds(memory.get(ask.token()).as_i64().unwrap_or(0));
                reply.leases(|leases| {
                    for lease in leases {
                        let by = lease["ack_by"].as_str().and_then(|by| chrono::DateTime::parse_from_rfc3339(by).ok());
                        if let Some(by) = by {
                            lease["ack_by"] = json!((by + more).to_rfc3339());
                        }
                    }
                });
            }
        }),
    },
    Broken {
        name: "takes the renewal of an offer for its acknowledgement",
        fails: &["OFFER-9"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                if ask.is("POST /v1/leases/*/renew") && ask.json()["epoch"].is_null() {
                    let mut ack = ask.clone();
                    ack.path = ask.path.replace("/renew", "/ack");
                    beyond.ask(&ack).await;
                }
                beyond.ask(&ask).await
            })
        }),
    },
];
