//! Servers that break lists and single things to look at, and waiting for work.

use crate::conformance::proxy::{How, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "passes over the first of every further page",
        fails: &["LIST-1"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks") && ask.asked("cursor").is_some() {
                reply.change(|page| {
                    if let Some(tasks) = page["tasks"].as_array_mut().filter(|tasks| !tasks.is_empty()) {
                        tasks.remove(0);
                    }
                });
            }
        }),
    },
    Broken {
        name: "has no end of pages",
        fails: &["LIST-1"],
        how: How::Reply(|ask, reply, memory| {
            if ask.is("GET /v1/tasks") && reply.status == 200 {
                let (repo, next) = (ask.asked("repo").unwrap_or_default(), reply.json()["next_cursor"].clone());
                match next {
                    Value::Null => reply.change(|page| page["next_cursor"] = memory.get(repo)),
                    next => memory.set(repo, next),
                }
            }
        }),
    },
    Broken {
        name: "begins anew with a cursor that was made up",
        fails: &["LIST-2"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/tasks") && ask.asked("cursor") == Some("made-up") {
                ask.without("cursor");
            }
        }),
    },
    Broken {
        name: "takes cursors of other lists",
        fails: &["LIST-2"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/tasks") && ask.asked("state").is_some() {
                ask.without("cursor");
            }
        }),
    },
    Broken {
        name: "takes a limit above all bounds for the largest",
        fails: &["LIST-3"],
        how: How::Ask(|ask, _| {
            if ask.asked("limit") == Some("101") {
                ask.without("limit");
            }
        }),
    },
    Broken {
        name: "makes every page as long as it likes",
        fails: &["LIST-3"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/tasks") && ask.asked("limit") == Some("3") {
                ask.without("limit");
            }
        }),
    },
    Broken {
        name: "has words of its own for a task's state",
        fails: &["LIST-4"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks/*") && reply.json()["state"] == "leased" {
                reply.change(|task| task["state"] = json!("assigned"));
            }
        }),
    },
    Broken {
        name: "shows tasks that never were",
        fails: &["LIST-4"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks/*") && reply.status == 404 {
                *reply = Reply::of(200, &json!({ "task_id": ask.id(), "state": "ready" }));
            }
        }),
    },
    Broken {
        name: "lists the oldest task first",
        fails: &["LIST-6"],
        how: How::Reply(|ask, reply, _| {
            if ask.is("GET /v1/tasks") && reply.status == 200 {
                reply.change(|page| page["tasks"].as_array_mut().unwrap().reverse());
            }
        }),
    },
    Broken {
        name: "does not show what takes the budget",
        fails: &["LIST-5"],
        how: How::Reply(|ask, reply, _| {
            if ask.path.starts_with("/v1/repos/") && reply.status == 200 {
                reply.change(|repo| repo["budget"]["used"] = json!(0));
            }
        }),
    },
    Broken {
        name: "looks for work once in a long wait",
        fails: &["WAIT-1"],
        how: How::Ask(|ask, _| {
            if ask.asked("wait") == Some("45") {
                ask.without("wait");
            }
        }),
    },
    Broken {
        name: "takes a wait that is no number for none",
        fails: &["WAIT-3"],
        how: How::Ask(|ask, _| {
            if ask.asked("wait").is_some_and(|wait| wait.parse::<i64>().is_err()) {
                ask.without("wait");
            }
        }),
    },
    Broken {
        name: "takes a wait that is too long for none",
        fails: &["WAIT-3"],
        how: How::Ask(|ask, _| {
            if ask.asked("wait").is_some_and(|wait| wait.parse::<i64>().is_ok_and(|wait| wait > 60)) {
                ask.without("wait");
            }
        }),
    },
];
