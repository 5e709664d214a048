//! Servers that break how calls are made and answered: JSON, errors, tokens, and what a server says of itself.

use crate::conformance::proxy::{Ask, Beyond, How, Reply};
use crate::conformance::server::ADMIN;
use crate::conformance::table::Broken;
use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "answers JSON as plain text",
        fails: &["HTTP-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/work") && reply.status == 200 {
                reply.kind("text/plain");
            }
        }),
    },
    Broken {
        name: "says nothing in its errors",
        fails: &["HTTP-2"],
        how: How::Reply(|_, reply, _| {
            if reply.status >= 400 {
                reply.change(|problem| problem["detail"] = json!(""));
            }
        }),
    },
    Broken {
        name: "calls the detail of an error something else",
        fails: &["HTTP-2", "PROB-1"],
        how: How::Reply(|_, reply, _| {
            if reply.status >= 400 {
                reply.change(|problem| problem["error"] = problem["detail"].take());
                reply.lacks("detail");
            }
        }),
    },
    Broken {
        name: "takes null for a heartbeat",
        fails: &["HTTP-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/workers/heartbeat") && ask.body == "null" {
                ask.body = Bytes::from("{}");
            }
        }),
    },
    Broken {
        name: "takes a list for a heartbeat",
        fails: &["HTTP-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/workers/heartbeat") && ask.body == "[]" {
                ask.body = Bytes::from("{}");
            }
        }),
    },
    Broken {
        name: "refuses heartbeats with fields it does not know",
        fails: &["HTTP-4"],
        how: How::Instead(|ask, _| {
            let body = ask.json();
            let unknown = body.as_object()?.keys().any(|field| !matches!(field.as_str(), "status" | "note"));
            (ask.is("POST /v1/workers/heartbeat") && unknown).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "refuses null where a field may be left out",
        fails: &["HTTP-5"],
        how: How::Instead(|ask, _| {
            let null = ask.json().as_object()?.values().any(Value::is_null);
            (ask.is("POST /v1/workers/heartbeat") && null).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "refuses a status whose message is null",
        fails: &["HTTP-5"],
        how: How::Instead(|ask, _| {
            let null = ask.json().get("message").is_some_and(Value::is_null);
            (ask.is("POST /v1/tasks/*/status") && null).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "refuses a repository whose settings are null",
        fails: &["HTTP-5"],
        how: How::Instead(|ask, _| {
            let null = ask.json().get("max_open_prs").is_some_and(Value::is_null);
            (ask.is("POST /v1/admin/repos") && null).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "reads numbers out of texts",
        fails: &["HTTP-6"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if let Some(number) = body["capacity_points"].as_str().and_then(|text| text.parse::<i64>().ok()) {
                    body["capacity_points"] = json!(number);
                }
            });
        }),
    },
    Broken {
        name: "rounds numbers",
        fails: &["HTTP-6"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["capacity_points"].is_f64() {
                    body["capacity_points"] = json!(2);
                }
            });
        }),
    },
    Broken {
        name: "takes no number with a point",
        fails: &["HTTP-6"],
        how: How::Instead(|ask, _| ask.json()["capacity_points"].is_f64().then(|| Reply::problem(422))),
    },
    Broken {
        name: "is alive in plain text",
        fails: &["HTTP-7"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /healthz") {
                reply.body = Bytes::from("OK");
            }
        }),
    },
    Broken {
        name: "looks at a body before it looks who sends it",
        fails: &["HTTP-8"],
        how: How::Instead(|ask, _| {
            let wrong = ask.is("POST /v1/tasks/*/status") && ask.json()["status"].is_null();
            (wrong && ask.token().is_empty()).then(|| Reply::problem(422))
        }),
    },
    Broken {
        name: "looks for the task before it looks who asks",
        fails: &["HTTP-8"],
        how: How::Own(|ask, beyond| Box::pin(as_stands(ask, beyond, 401, Value::Null, 404))),
    },
    Broken {
        name: "looks for the task before it looks at the body",
        fails: &["HTTP-8"],
        how: How::Own(|ask, beyond| Box::pin(as_stands(ask, beyond, 422, Value::Null, 404))),
    },
    Broken {
        name: "looks at a task's state before it looks whose it is",
        fails: &["HTTP-8"],
        how: How::Own(|ask, beyond| Box::pin(as_stands(ask, beyond, 403, json!("merged"), 409))),
    },
    Broken {
        name: "looks for the repository of a task before it looks at the rest",
        fails: &["HTTP-8"],
        how: How::Instead(|ask, _| {
            let body = ask.json();
            let nowhere = body["repo"].as_str().is_some_and(|repo| repo.contains("nobody")) && body["title"] == "";
            (ask.is("POST /v1/admin/tasks") && nowhere).then(|| Reply::problem(400))
        }),
    },
    Broken {
        name: "takes heartbeats from nobody",
        fails: &["AUTH-1"],
        how: How::Instead(|ask, _| (ask.is("POST /v1/workers/heartbeat") && ask.token().is_empty()).then(Reply::ok)),
    },
    Broken {
        name: "knows a token by its beginning",
        fails: &["AUTH-2"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                let token = ask.token().to_owned();
                let known = beyond.memory.all("token ").into_iter().map(|(known, _)| known);
                if let Some(whole) = known.into_iter().find(|whole| token.len() > 12 && whole.starts_with(&token)) {
                    ask.put("authorization", &format!("Bearer {whole}"));
                }
                let reply = beyond.ask(&ask).await;
                if ask.is("POST /v1/workers/register") {
                    beyond.memory.set(format!("token {}", reply.json()["token"].as_str().unwrap_or_default()), true);
                }
                reply
            })
        }),
    },
    Broken {
        name: "takes a worker's id for its token",
        fails: &["AUTH-2"],
        how: How::Own(|mut ask, beyond| {
            Box::pin(async move {
                if let Some(token) = beyond.memory.get(ask.token()).as_str() {
                    ask.put("authorization", &format!("Bearer {token}"));
                }
                let reply = beyond.ask(&ask).await;
                if let (true, Some(id)) = (ask.is("POST /v1/workers/register"), reply.json()["worker_id"].as_str()) {
                    beyond.memory.set(id, reply.json()["token"].clone());
                }
                reply
            })
        }),
    },
    Broken {
        name: "lets everybody make repositories",
        fails: &["AUTH-3"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/repos") && ask.header("x-admin-token").is_empty() {
                ask.put("x-admin-token", ADMIN);
            }
        }),
    },
    Broken {
        name: "compares only the beginning of the admin token",
        fails: &["AUTH-3"],
        how: How::Ask(|ask, _| {
            if ask.header("x-admin-token").starts_with(ADMIN) {
                ask.put("x-admin-token", ADMIN);
            }
        }),
    },
    Broken {
        name: "shows its state to workers",
        fails: &["AUTH-4"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/admin/state") && !ask.token().is_empty() {
                ask.put("x-admin-token", ADMIN);
            }
        }),
    },
    Broken {
        name: "takes tokens from addresses",
        fails: &["AUTH-5"],
        how: How::Ask(|ask, _| {
            if let Some(token) = ask.asked("access_token").map(str::to_owned) {
                ask.put("authorization", &format!("Bearer {token}"));
                ask.without("access_token");
            }
        }),
    },
    Broken {
        name: "takes a worker's token for an API key",
        fails: &["AUTH-5"],
        how: How::Ask(|ask, _| {
            if let Some(token) = ask.asked("api_key").map(str::to_owned) {
                ask.put("authorization", &format!("Bearer {token}"));
                ask.without("api_key");
            }
        }),
    },
    Broken {
        name: "takes the admin token from addresses",
        fails: &["AUTH-5"],
        how: How::Ask(|ask, _| {
            if let Some(token) = ask.asked("admin_token").map(str::to_owned) {
                ask.put("x-admin-token", &token);
                ask.without("admin_token");
            }
        }),
    },
    Broken {
        name: "does not tell its limits",
        fails: &["DISC-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /.well-known/owp") {
                reply.lacks("limits");
            }
        }),
    },
    Broken {
        name: "speaks the newest version alone",
        fails: &["DISC-2"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /.well-known/owp") {
                reply.change(|said| said["versions"] = json!(["1.0"]));
            }
        }),
    },
    Broken {
        name: "announces a feature twice",
        fails: &["DISC-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /.well-known/owp") {
                reply.change(|said| said["features"].as_array_mut().unwrap().push(json!("offers")));
            }
        }),
    },
    Broken {
        name: "has features that are no names",
        fails: &["DISC-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /.well-known/owp") {
                reply.change(|said| said["features"].as_array_mut().unwrap().push(json!({ "name": "magic" })));
            }
        }),
    },
    Broken {
        name: "calls problems JSON like any other",
        fails: &["PROB-1"],
        how: How::Reply(|_, reply, _| {
            if reply.status >= 400 {
                reply.kind("application/json");
            }
        }),
    },
    Broken {
        name: "tells one fault at a time",
        fails: &["PROB-2"],
        how: How::Reply(|_, reply, _| {
            if reply.status == 422 {
                reply.change(|problem| {
                    if let Some(errors) = problem["errors"].as_array_mut() {
                        errors.truncate(1);
                    }
                });
            }
        }),
    },
    Broken {
        name: "refuses without reasons",
        fails: &["PROB-3"],
        how: How::Reply(|_, reply, _| {
            if reply.status == 409 {
                reply.lacks("reasons");
            }
        }),
    },
    Broken {
        name: "takes every error for its own fault",
        fails: &["PROB-4"],
        how: How::Reply(|_, reply, _| {
            if reply.status >= 400 {
                reply.change(|problem| problem["type"] = json!("/problems/internal"));
            }
        }),
    },
    Broken {
        name: "says of everything that is not there that its path is unknown",
        fails: &["PROB-4"],
        how: How::Reply(|_, reply, _| {
            if reply.status == 404 {
                reply.change(|problem| problem["type"] = json!("/problems/unknown-path"));
            }
        }),
    },
    Broken {
        name: "announces a limit that it does not keep",
        fails: &["RATE-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /.well-known/owp") {
                announce_limit(reply);
            }
        }),
    },
    Broken {
        name: "holds callers back without saying for how long",
        fails: &["RATE-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /.well-known/owp") {
                announce_limit(reply);
            }
            if ask.is("GET /v1/work") && memory.count(ask.token()) > 60 {
                *reply = Reply::problem(429);
            }
        }),
    },
];

fn announce_limit(reply: &mut Reply) {
    reply.change(|said| {
        said["features"].as_array_mut().unwrap().push(json!("rate_limits"));
        said["limits"]["calls_at_once"] = json!(20);
        said["limits"]["calls_per_second"] = json!(5);
    });
}

/// Answers `late` where the server said `early` of a status, and the task stands so: null when there is none.
pub(super) async fn as_stands(ask: Ask, beyond: Arc<Beyond>, early: u16, state: Value, late: u16) -> Reply {
    let reply = beyond.ask(&ask).await;
    if !ask.is("POST /v1/tasks/*/status") || reply.status != early {
        return reply;
    }
    let mut look = ask.clone();
    look.method = Method::GET;
    look.path = format!("/v1/tasks/{}", ask.id());
    look.body = Bytes::new();
    look.headers.remove("authorization");
    if beyond.ask(&look).await.json()["state"] == state { Reply::problem(late) } else { reply }
}
