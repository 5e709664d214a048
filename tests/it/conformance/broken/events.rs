//! Servers that break the event feed, as pages and as streams.

use crate::conformance::proxy::{Ask, How, Memory, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "does not tell what is blocked",
        fails: &["EVENT-1"],
        how: How::Reply(|ask, reply, _| {
            events(ask, reply, |events| events.retain(|event| event["kind"] != "task.blocked"));
        }),
    },
    Broken {
        name: "tells an event twice",
        fails: &["EVENT-1"],
        how: How::Reply(|ask, reply, _| {
            events(ask, reply, |events| {
                if let Some(at) = events.iter().position(|event| event["kind"] == "task.started") {
                    events.insert(at, events[at].clone());
                }
            });
        }),
    },
    Broken {
        name: "leaves out what is empty in an event",
        fails: &["EVENT-2"],
        how: How::Reply(|ask, reply, _| {
            events(ask, reply, |events| {
                for event in events {
                    event.as_object_mut().unwrap().retain(|_, value| !value.is_null());
                }
            });
        }),
    },
    Broken {
        name: "begins a page with the end of the last",
        fails: &["EVENT-3"],
        how: How::Reply(|ask, reply, memory| {
            let next = reply.json()["next_cursor"].as_str().unwrap_or_default().to_owned();
            events(ask, reply, |events| {
                let last = memory.get(ask.asked("cursor").unwrap_or_default());
                if let Some(event) = events.last() {
                    memory.set(next, event.clone());
                }
                if !last.is_null() && !events.is_empty() {
                    events.insert(0, last);
                }
            });
        }),
    },
    Broken {
        name: "passes over an event between pages",
        fails: &["EVENT-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.asked("limit") == Some("2") {
                events(ask, reply, |events| events.truncate(1));
            }
        }),
    },
    Broken {
        name: "knows no families of events",
        fails: &["EVENT-4"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/events") && ask.asked("kind") == Some("lease.*") {
                ask.without("kind");
            }
        }),
    },
    Broken {
        name: "shows the events of all repositories to whoever asks for one",
        fails: &["EVENT-4"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/events") && ask.asked("task").is_some() {
                ask.without("repo");
            }
        }),
    },
    Broken {
        name: "begins the feed anew with a cursor that was made up",
        fails: &["EVENT-5"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/events") && ask.asked("cursor") == Some("made-up") {
                ask.without("cursor");
            }
        }),
    },
    Broken {
        name: "tells whoever looks with which token a task was taken",
        fails: &["EVENT-6"],
        how: How::Reply(|ask, reply, memory| {
            remember_token(ask, reply, memory);
            events(ask, reply, |events| {
                for event in events.iter_mut().filter(|event| event["kind"] == "lease.granted") {
                    event["data"]["with"] = memory.get(event["worker_id"].as_str().unwrap_or_default());
                }
            });
        }),
    },
    Broken {
        name: "tells whoever may see a registration the token it gave out",
        fails: &["EVENT-6"],
        how: How::Reply(|ask, reply, memory| {
            remember_token(ask, reply, memory);
            events(ask, reply, |events| {
                for event in events.iter_mut().filter(|event| event["kind"] == "worker.registered") {
                    event["data"]["token"] = memory.get(event["worker_id"].as_str().unwrap_or_default());
                }
            });
        }),
    },
    Broken {
        name: "tells a worker the token it registered with",
        fails: &["EVENT-6"],
        how: How::Reply(|ask, reply, _| {
            events(ask, reply, |events| {
                for event in events.iter_mut().filter(|event| event["kind"] == "worker.registered") {
                    event["data"]["token"] = json!(ask.token());
                }
            });
        }),
    },
    Broken {
        name: "shows everything where a kind is asked for that it does not know",
        fails: &["EVENT-7"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/events") && ask.asked("kind") == Some("nothing.happened") {
                ask.without("kind");
            }
        }),
    },
    Broken {
        name: "has empty families of events",
        fails: &["EVENT-7"],
        how: How::Ask(|ask, _| {
            if ask.is("GET /v1/events") && ask.asked("kind") == Some("nothing.*") {
                ask.without("kind");
            }
        }),
    },
    Broken {
        name: "streams events without their names",
        fails: &["STREAM-1"],
        how: How::Stream(|chunk| chunk.replace("event: lease.granted", "event: message")),
    },
    Broken {
        name: "streams as plain text",
        fails: &["STREAM-1", "STREAM-2", "STREAM-3"],
        how: How::Reply(|ask, reply, _| {
            if ask.header("accept") == "text/event-stream" {
                reply.kind("text/plain");
            }
        }),
    },
    Broken {
        name: "begins a stream with the oldest event for whoever comes back",
        fails: &["STREAM-2"],
        how: How::Ask(|ask, _| {
            if !matches!(ask.header("last-event-id"), "" | "made-up") {
                ask.headers.remove("last-event-id");
                ask.query.push_str("&from=oldest");
            }
        }),
    },
    Broken {
        name: "goes on in silence after an id that is none",
        fails: &["STREAM-3"],
        how: How::Ask(|ask, _| {
            if ask.header("last-event-id") == "made-up" {
                ask.headers.remove("last-event-id");
                ask.query.push_str("&from=oldest");
            }
        }),
    },
];

/// Changes the events of a page.
fn events(ask: &Ask, reply: &mut Reply, change: impl FnOnce(&mut Vec<Value>)) {
    if ask.is("GET /v1/events") && reply.json()["events"].is_array() {
        reply.change(|page| {
            let mut events = page["events"].as_array().cloned().unwrap_or_default();
            change(&mut events);
            page["events"] = json!(events);
        });
    }
}

/// Remembers a new worker's token by its id.
fn remember_token(ask: &Ask, reply: &Reply, memory: &Memory) {
    if ask.is("POST /v1/workers/register") && reply.status == 200 {
        let worker = reply.json();
        memory.set(worker["worker_id"].as_str().unwrap_or_default(), worker["token"].clone());
    }
}
