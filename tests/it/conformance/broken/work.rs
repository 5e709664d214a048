//! Servers that break what a worker is given when it asks for work.

use crate::conformance::proxy::{Ask, Beyond, How, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "leaves out what is empty in a lease",
        fails: &["WORK-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        lease.as_object_mut().unwrap().retain(|_, value| !value.is_null());
                    }
                });
            }
        }),
    },
    Broken {
        name: "shows an empty description as an empty text",
        fails: &["WORK-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.iter_mut().for_each(|lease| lease["description"] = json!("")));
            }
        }),
    },
    Broken {
        name: "gives every worker as many points as there are",
        fails: &["WORK-2", "LEASE-10", "CLAIM-4"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["capacity_points"].as_i64().is_some_and(|points| (1..100).contains(&points)) {
                    body["capacity_points"] = json!(100);
                }
            });
        }),
    },
    Broken {
        name: "gives every worker as many tasks as it has points for",
        fails: &["WORK-3", "LEASE-10", "CLAIM-4"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["max_concurrent_tasks"].as_i64().is_some_and(|tasks| (1..20).contains(&tasks)) {
                    body["max_concurrent_tasks"] = json!(20);
                }
            });
        }),
    },
    Broken {
        name: "gives a worker one task less than it takes",
        fails: &["WORK-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["max_concurrent_tasks"] == 2 {
                    body["max_concurrent_tasks"] = json!(1);
                }
            });
        }),
    },
    Broken {
        name: "grants what is held anew when asked again",
        fails: &["WORK-4"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        let times = memory.count(lease["lease_id"].as_str().unwrap_or_default());
                        lease["epoch"] = json!(lease["epoch"].as_u64().unwrap_or(0) + times - 1);
                    }
                });
            }
        }),
    },
    Broken {
        name: "lists the least important first",
        fails: &["WORK-5"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.reverse());
            }
        }),
    },
    Broken {
        name: "lists what came first first",
        fails: &["WORK-5"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| leases.sort_by_key(|lease| lease["task_id"].to_string()));
            }
        }),
    },
    Broken {
        name: "gives paused workers more",
        fails: &["WORK-6", "CLAIM-5"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["status"] == "paused" {
                    body["status"] = json!("idle");
                }
            });
        }),
    },
    Broken {
        name: "lets answers be stored",
        fails: &["WORK-7"],
        how: How::Reply(|_, reply, _| drop(reply.headers.remove("cache-control"))),
    },
    Broken {
        name: "gives a task to all who ask at once",
        // There are more leases than the budget allows, too.
        fails: &["WORK-8", "BUDGET-1"],
        how: How::Own(|ask, beyond| Box::pin(shared(ask, beyond))),
    },
    Broken {
        name: "gives out leases that are over",
        fails: &["WORK-9"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.leases(|leases| {
                    for lease in leases {
                        let past = chrono::DateTime::UNIX_EPOCH + ago();
                        lease["lease_expires_at"] = json!(past.to_rfc3339());
                        lease["lease_expires_in_secs"] = json!(-60);
                    }
                });
            }
        }),
    },
    Broken {
        name: "does not say who asked",
        fails: &["WORK-10"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") {
                reply.lacks("worker_id");
            }
        }),
    },
    Broken {
        name: "asks for one skill of several",
        fails: &["SKILL-1"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks") {
                ask.change(|body| {
                    if let Some(skills) = body["required_skills"].as_array_mut() {
                        skills.truncate(1);
                    }
                });
            }
        }),
    },
    Broken {
        name: "knows a worker by one of its skills",
        fails: &["SKILL-1"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/workers/register") {
                ask.change(|body| {
                    if let Some(skills) = body["skills"].as_array_mut().filter(|skills| skills.len() == 2) {
                        skills.truncate(1);
                    }
                });
            }
        }),
    },
    Broken {
        name: "compares skills as they are written",
        fails: &["SKILL-2"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks") {
                ask.change(|body| {
                    for skill in body["required_skills"].as_array_mut().into_iter().flatten() {
                        as_written(skill);
                    }
                });
            }
        }),
    },
];

/// A minute ago, since 1970.
fn ago() -> Duration {
    let now = owp_base::clock::Clock::System.now_ms();
    Duration::from_millis(u64::try_from(now).unwrap()) - Duration::from_secs(60)
}

/// A text that would be another if it were not compared without case and space, made another.
pub(super) fn as_written(text: &mut Value) {
    let written = text.as_str().unwrap_or_default().to_owned();
    if !written.trim().is_empty() && written.trim().to_lowercase() != written {
        *text = json!(format!("{} as written", written.trim()));
    }
}

/// Answers a worker that gets nothing with what was given, while it asked, to another of the same skills.
async fn shared(ask: Ask, beyond: Arc<Beyond>) -> Reply {
    if !ask.is("GET /v1/work") {
        let reply = beyond.ask(&ask).await;
        if ask.is("POST /v1/workers/register") && reply.status == 200 {
            let token = reply.json()["token"].as_str().unwrap_or_default().to_owned();
            beyond.memory.set(format!("skills {token}"), ask.json()["skills"].clone());
        }
        return reply;
    }
    let began = beyond.memory.count("moment");
    let mut reply = beyond.ask(&ask).await;
    let given = reply.json()["leases"].as_array().cloned().unwrap_or_default();
    for lease in &given {
        let skills = lease["required_skills"].to_string();
        beyond.memory.set(format!("given {skills}"), json!([beyond.memory.count("moment"), lease]));
    }
    // Until those that asked at the same time have their answers.
    tokio::time::sleep(Duration::from_millis(200)).await;
    if given.is_empty() {
        let skills = beyond.memory.get(&format!("skills {}", ask.token())).to_string();
        let other = beyond.memory.get(&format!("given {skills}"));
        if other[0].as_u64().is_some_and(|moment| moment > began) {
            reply.leases(|leases| leases.push(other[1].clone()));
        }
    }
    reply
}
