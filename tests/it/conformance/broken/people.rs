//! Servers that break how workers come to be, give signs of life, and see and change themselves.

use crate::conformance::proxy::{Ask, Beyond, How, Reply};
use crate::conformance::table::Broken;
use axum::body::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "names workers without `w_`",
        fails: &["REG-1"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                if ask.is("POST /v1/admin/workers/*/revoke") {
                    ask.path = ask.path.replace("/workers/", "/workers/w_");
                }
                let mut reply = beyond.ask(&ask).await;
                reply.change(|body| {
                    if let Some(id) = body["worker_id"].as_str().map(|id| id.trim_start_matches("w_").to_owned()) {
                        body["worker_id"] = json!(id);
                    }
                });
                reply
            })
        }),
    },
    Broken {
        name: "gives out tokens that can be guessed",
        fails: &["REG-1"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                if let Some(token) = beyond.memory.get(ask.token()).as_str() {
                    ask.put("authorization", &format!("Bearer {token}"));
                }
                let mut reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/workers/register") && reply.status == 200 {
                    let short = format!("{:07}", beyond.memory.count("workers") * 7919);
                    reply.change(|body| {
                        beyond.memory.set(&short, body["token"].take());
                        body["token"] = json!(short);
                    });
                }
                reply
            })
        }),
    },
    Broken {
        name: "registers nobody without skills",
        fails: &["REG-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/workers/register") && reply.status == 200 && ask.json().get("skills").is_none() {
                *reply = Reply::problem(422);
            }
        }),
    },
    Broken {
        name: "welcomes whoever has a name, on a page",
        fails: &["REG-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/workers/register") && reply.status == 200 && ask.json().get("skills").is_none() {
                reply.kind("text/html");
                reply.body = Bytes::from("<h1>Welcome</h1>");
            }
        }),
    },
    Broken {
        name: "takes more points than there are for all there are",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["capacity_points"] == 101 {
                    body["capacity_points"] = json!(100);
                }
            });
        }),
    },
    Broken {
        name: "cuts names that are too long",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/workers/register") {
                ask.change(|body| {
                    if let Some(name) = body["name"].as_str().filter(|name| name.len() > 120) {
                        body["name"] = json!(name[..120]);
                    }
                });
            }
        }),
    },
    Broken {
        name: "counts a name's bytes",
        fails: &["REG-3"],
        how: How::Instead(|ask, _| {
            let long = ask.json()["name"].as_str().is_some_and(|name| name.len() > 120);
            (ask.is("POST /v1/workers/register") && long).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "counts a skill in units of UTF-16",
        fails: &["REG-3"],
        how: How::Instead(|ask, _| {
            let long = |skill: &Value| skill.as_str().is_some_and(|skill| skill.encode_utf16().count() > 64);
            ask.json()["skills"].as_array()?.iter().any(long).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "takes any number of skills",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| skills(ask, |skills| skills.truncate(64))),
    },
    Broken {
        name: "cuts skills that are too long",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| {
            skills(ask, |skills| {
                for skill in skills {
                    *skill = json!(skill.as_str().unwrap_or_default().chars().take(64).collect::<String>());
                }
            });
        }),
    },
    Broken {
        name: "takes two skills with a comma for one",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| {
            skills(ask, |skills| {
                for skill in skills {
                    *skill = json!(skill.as_str().unwrap_or_default().replace(',', " "));
                }
            });
        }),
    },
    Broken {
        name: "takes any text for a login",
        fails: &["REG-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/workers/register") && ask.json()["github_handle"].is_string() {
                ask.change(|body| body["github_handle"] = json!("octocat"));
            }
        }),
    },
    Broken {
        name: "takes two workers of one name for one",
        fails: &["REG-4", "IDEM-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let name = ask.json()["name"].to_string();
                let reply = beyond.ask(&ask).await;
                if !ask.is("POST /v1/workers/register") || reply.status != 200 {
                    return reply;
                }
                if !beyond.memory.knows(&name) {
                    beyond.memory.set(&name, reply.json());
                }
                Reply::of(200, &beyond.memory.get(&name))
            })
        }),
    },
    Broken {
        name: "keeps the answer of a registration for its repetition",
        fails: &["IDEM-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let key = ask.header("idempotency-key").to_owned();
                if !ask.is("POST /v1/workers/register") || key.is_empty() {
                    return beyond.ask(&ask).await;
                }
                if !beyond.memory.knows(&key) {
                    beyond.memory.set(&key, beyond.ask(&ask).await.json());
                }
                Reply::of(200, &beyond.memory.get(&key))
            })
        }),
    },
    Broken {
        name: "answers a heartbeat without `ok`",
        fails: &["BEAT-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("POST /v1/workers/heartbeat") {
                reply.lacks("ok");
            }
        }),
    },
    Broken {
        name: "cuts notes that are too long",
        fails: &["BEAT-2"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if let Some(note) = body["note"].as_str().filter(|note| note.len() > 500) {
                    body["note"] = json!(note[..500]);
                }
            });
        }),
    },
    Broken {
        name: "takes a status it does not know for idle",
        fails: &["BEAT-2"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["status"] == "asleep" {
                    body["status"] = json!("idle");
                }
            });
        }),
    },
    Broken {
        name: "counts nobody as online",
        fails: &["BEAT-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/admin/state") {
                reply.change(|state| state["workers_online"] = json!(0));
            }
        }),
    },
    Broken {
        name: "forgets the skills of a worker that changes its name",
        fails: &["ME-1"],
        how: How::Ask(|ask, _| {
            if ask.is("PATCH /v1/workers/me") {
                ask.change(|body| body["skills"] = json!([]));
            }
        }),
    },
    Broken {
        name: "lets nobody go",
        fails: &["ME-2"],
        how: How::Instead(|ask, _| ask.is("DELETE /v1/workers/me").then(Reply::ok)),
    },
    Broken {
        name: "takes the old token after a rotation for ever",
        fails: &["ME-3"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                let old = ask.token().to_owned();
                if let Some(token) = beyond.memory.get(&old).as_str() {
                    ask.put("authorization", &format!("Bearer {token}"));
                }
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/workers/me/token") {
                    beyond.memory.set(old, reply.json()["token"].clone());
                }
                reply
            })
        }),
    },
    Broken {
        name: "ends the old token with the rotation",
        fails: &["ME-3"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/workers/me/token") {
                    let mut first = ask.clone();
                    first.method = axum::http::Method::GET;
                    first.path = "/v1/workers/me".to_owned();
                    first.put("authorization", &format!("Bearer {}", reply.json()["token"].as_str().unwrap()));
                    beyond.ask(&first).await;
                }
                reply
            })
        }),
    },
    Broken {
        name: "drops what a task brings of its own",
        fails: &["ME-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/tasks") {
                ask.change(|body| body.as_object_mut().unwrap().retain(|field, _| !field.starts_with("x_")));
            }
        }),
    },
    Broken {
        name: "keeps whatever a worker says",
        fails: &["ME-4"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let mut reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/workers/register") && reply.status == 200 {
                    let token = reply.json()["token"].as_str().unwrap_or_default().to_owned();
                    beyond.memory.set(token, ask.json()["colour"].clone());
                }
                let colour = beyond.memory.get(ask.token());
                if ask.is("GET /v1/workers/me") && !colour.is_null() {
                    reply.change(|me| me["colour"] = colour);
                }
                reply
            })
        }),
    },
    Broken {
        name: "frees what a worker that leaves had blocked",
        fails: &["ME-6"],
        how: How::Own(|ask, beyond| Box::pin(freed(ask, beyond))),
    },
    Broken {
        name: "lets anybody confirm a link code",
        fails: &["ME-7"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if !ask.is("POST /v1/workers/me/confirm") {
                    return reply;
                }
                Reply::of(200, &json!({ "worker_id": "w_06bg3qk4c5v2j0a1b2c3d4e5f6", "name": "linked" }))
            })
        }),
    },
    Broken {
        name: "has one link code for everybody",
        fails: &["ME-5"],
        how: How::Own(|ask, beyond| {
            Box::pin(async move {
                let reply = beyond.ask(&ask).await;
                if !ask.is("POST /v1/workers/me/link") {
                    return reply;
                }
                if !beyond.memory.knows("link") {
                    beyond.memory.set("link", reply.json());
                }
                Reply::of(200, &beyond.memory.get("link"))
            })
        }),
    },
];

/// Changes the skills of a registration.
fn skills(ask: &mut Ask, change: impl FnOnce(&mut Vec<Value>)) {
    if ask.is("POST /v1/workers/register") {
        ask.change(|body| {
            if let Some(skills) = body["skills"].as_array_mut() {
                change(skills);
            }
        });
    }
}

/// Makes the tasks that a worker blocked ready again when it leaves.
async fn freed(ask: Ask, beyond: Arc<Beyond>) -> Reply {
    let reply = beyond.ask(&ask).await;
    if ask.is("POST /v1/tasks/*/status") && reply.status == 200 && ask.json()["status"] == "blocked" {
        beyond.memory.set(format!("blocked {} {}", ask.token(), ask.id()), true);
    }
    if ask.is("DELETE /v1/workers/me") && reply.status == 200 {
        for (task, _) in beyond.memory.all(&format!("blocked {} ", ask.token())) {
            let mut look = ask.clone();
            look.method = axum::http::Method::GET;
            look.path = format!("/v1/tasks/{task}");
            look.headers.remove("authorization");
            if beyond.ask(&look).await.json()["state"] == "blocked" {
                beyond.admin(&format!("/v1/admin/tasks/{task}/close"), &json!({})).await;
                beyond.admin(&format!("/v1/admin/tasks/{task}/reopen"), &json!({})).await;
            }
        }
    }
    reply
}
