//! Servers that break areas and review budgets.

use super::work::as_written;
use crate::conformance::proxy::{How, Memory, Reply};
use crate::conformance::table::Broken;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const TABLE: &[Broken] = &[
    Broken {
        name: "has no area locks",
        fails: &["REPO-2", "AREA-1", "AREA-3", "LEASE-10", "CLAIM-4"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/repos") {
                ask.change(|body| body["area_locks_enabled"] = json!(false));
            }
        }),
    },
    Broken {
        name: "locks whole repositories",
        fails: &["AREA-1"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["area"] == "search" {
                    body["area"] = json!("auth");
                }
            });
        }),
    },
    Broken {
        name: "always locks areas",
        fails: &["AREA-2"],
        how: How::Ask(|ask, _| {
            if ask.is("POST /v1/admin/repos") {
                ask.change(|body| body["area_locks_enabled"] = json!(true));
            }
        }),
    },
    Broken {
        name: "compares areas as they are written",
        fails: &["AREA-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["area"].is_string() {
                    as_written(&mut body["area"]);
                }
            });
        }),
    },
    Broken {
        name: "takes an empty area for one",
        fails: &["AREA-3"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["area"].as_str().is_some_and(|area| area.trim().is_empty()) {
                    body["area"] = json!("none");
                }
            });
        }),
    },
    Broken {
        name: "keeps the area of a merged task locked",
        fails: &["AREA-4"],
        how: How::Reply(|ask, reply, memory| {
            learn(ask, reply, memory);
            if ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == "merged" {
                memory.set(format!("merged {}", place(&memory.get(ask.id()))), true);
            }
            if ask.is("GET /v1/work") {
                let locked =
                    |lease: &Value| lease["area"].is_string() && memory.knows(&format!("merged {}", place(lease)));
                reply.leases(|leases| leases.retain(|lease| !locked(lease)));
            }
        }),
    },
    Broken {
        name: "allows one pull request more than the budget",
        fails: &["BUDGET-1", "BUDGET-2", "LEASE-10", "OFFER-6", "CLAIM-4", "LIST-5"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if let Some(most) = body["max_open_prs"].as_i64().filter(|most| (1..100).contains(most)) {
                    body["max_open_prs"] = json!(most + 1);
                }
            });
        }),
    },
    Broken {
        name: "forgets pull requests that were opened",
        fails: &["BUDGET-2"],
        how: How::Own(|ask, beyond| Box::pin(more_on(ask, beyond, "pr_opened", 1))),
    },
    Broken {
        name: "counts pull requests that were merged",
        fails: &["BUDGET-3"],
        how: How::Own(|ask, beyond| Box::pin(more_on(ask, beyond, "merged", -1))),
    },
    Broken {
        name: "takes a budget of 0 for none",
        fails: &["BUDGET-4"],
        how: How::Ask(|ask, _| {
            ask.change(|body| {
                if body["max_open_prs"] == 0 {
                    body["max_open_prs"] = json!(50);
                }
            });
        }),
    },
    Broken {
        name: "takes work away when the budget is lowered",
        fails: &["BUDGET-5"],
        how: How::Reply(|ask, reply, memory| {
            learn(ask, reply, memory);
            if ask.is("GET /v1/work") {
                let most = |repo: &str| memory.get(repo)["max_open_prs"].as_u64().unwrap_or(100);
                let mut live = BTreeMap::<String, u64>::new();
                reply.leases(|leases| {
                    leases.retain(|lease| {
                        let repo = lease["repo"].to_string();
                        let count = live.entry(repo.clone()).or_default();
                        *count += u64::from(lease["state"] == "leased");
                        *count <= most(&repo)
                    });
                });
            }
        }),
    },
];

/// Remembers repositories by their names and tasks by their ids.
pub(super) fn learn(ask: &crate::conformance::proxy::Ask, reply: &Reply, memory: &Memory) {
    if ask.is("POST /v1/admin/repos") && reply.status == 200 {
        memory.set(ask.json()["repo"].to_string().to_lowercase(), ask.json());
    }
    if ask.is("POST /v1/admin/tasks") && reply.status == 200 {
        memory.set(reply.json()["task_id"].as_str().unwrap_or_default(), ask.json());
    }
}

pub(super) fn place(task: &Value) -> String {
    format!("{} {}", task["repo"], task["area"])
}

/// Raises the budget of a task's repository when this status is told of it for the first time.
pub(super) async fn more_on(
    ask: crate::conformance::proxy::Ask,
    beyond: std::sync::Arc<crate::conformance::proxy::Beyond>,
    status: &str,
    more: i64,
) -> Reply {
    let reply = beyond.ask(&ask).await;
    learn(&ask, &reply, &beyond.memory);
    let told = ask.is("POST /v1/tasks/*/status") && ask.json()["status"] == status && reply.status == 200;
    let mut repo = beyond.memory.get(&beyond.memory.get(ask.id())["repo"].to_string());
    // What is told of a repository whenever a task is blocked would disturb whoever reads its events.
    let felt = status != "blocked" || repo["max_open_prs"] == 1;
    if told && felt && beyond.memory.count(&format!("told {}", ask.id())) == 1 {
        repo["max_open_prs"] = json!(repo["max_open_prs"].as_i64().unwrap_or(3) + more);
        beyond.admin("/v1/admin/repos", &repo).await;
    }
    reply
}
