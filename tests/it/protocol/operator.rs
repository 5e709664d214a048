//! The operator's further calls.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO};
use serde_json::{Value, json};

on_both!(
    tasks_come_in_bulk_all_or_none,
    a_pause_stops_new_work_and_takes_nothing_away,
    a_lease_and_a_worker_can_be_revoked,
    a_task_is_closed_and_opened_again_by_hand,
    trust_is_set_by_login_or_id,
    the_audit_log_is_exported_and_verified,
    the_rules_of_a_repository_are_set_shown_and_followed,
    a_policy_with_a_fault_is_told_all_of_them_and_changes_nothing,
    the_operator_asks_why_for_a_worker,
    every_call_of_the_operator_is_closed_to_others,
    a_manual_repository_nobody_works_in_is_removed_and_its_name_is_free,
    workers_with_access_are_listed_newest_first_in_pages,
);

async fn a_manual_repository_nobody_works_in_is_removed_and_its_name_is_free(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    assert_eq!(pool.work_ids(&worker).await, std::slice::from_ref(&task));
    let waits = pool.task("Two", json!({ "required_skills": ["cobol"] })).await;
    let remove = json!({ "repo": "ACME/rocket" });
    let problem = pool.admin("repos/remove", remove.clone()).await.problem(409, "refused");
    assert!(problem["detail"].as_str().unwrap().starts_with("acme/rocket still has 1 task held"), "{problem}");
    pool.says(&worker, &task, "pr_opened").await;
    pool.admin("repos/remove", remove.clone()).await.problem(409, "refused");
    pool.admin(&format!("tasks/{task}/close"), json!({})).await.ok();
    assert_eq!(pool.admin("repos/remove", remove.clone()).await.ok(), json!({ "ok": true, "tasks_closed": 1 }));
    assert_eq!(pool.get("/v1/repos").await.ok()["repos"], json!([]));
    assert!(!pool.get("/").await.text.contains("slots taken"), "the dashboard shows no budget of it");
    assert_eq!(pool.get(&format!("/v1/tasks/{waits}")).await.ok()["state"], "closed");
    pool.admin("repos/remove", remove).await.problem(400, "unknown-repository");
    // The name is free, and nothing of the old one comes back with it.
    pool.repo(json!({})).await;
    let again = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!(again["tasks"]["closed"], 0);
    let fresh = pool.task("Three", json!({})).await;
    assert_eq!(pool.work_ids(&worker).await, [fresh]);
}

async fn workers_with_access_are_listed_newest_first_in_pages(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({ "required_skills": ["rust"] })).await;
    let first = pool.worker(json!({ "name": "first", "skills": ["rust"] })).await;
    let gone = pool.worker(json!({ "name": "gone" })).await;
    pool.worker(json!({ "name": "last" })).await;
    assert_eq!(pool.work(&first).await.len(), 1);
    pool.as_worker(&gone, "DELETE", "/v1/workers/me", Value::Null).await.ok();
    let page = pool.admin("workers?limit=1", Value::Null).await.ok();
    assert_eq!((&page["workers"][0]["name"], page["workers"].as_array().unwrap().len()), (&json!("last"), 1));
    let next = page["next_cursor"].as_str().unwrap();
    let rest = pool.admin(&format!("workers?limit=1&cursor={next}"), Value::Null).await.ok();
    let shown = &rest["workers"][0];
    assert_eq!(
        (&shown["name"], &shown["load"]["leases"], &rest["next_cursor"]),
        (&json!("first"), &json!(1), &Value::Null)
    );
    assert!(rest["workers"][0].get("token").is_none());
    pool.admin("workers?cursor=made-up", Value::Null).await.problem(422, "invalid-value");
}

async fn tasks_come_in_bulk_all_or_none(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let tasks = json!([{ "title": "One", "x_row": 1 }, { "title": "Two", "priority": 90 }]);
    let made = pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
    let ids = made["task_ids"].as_array().unwrap();
    assert_eq!(ids.len(), 2);
    let first = pool.get(&format!("/v1/tasks/{}", ids[0].as_str().unwrap())).await.ok();
    assert_eq!((&first["title"], &first["x_row"]), (&json!("One"), &json!(1)));
    let worker = pool.worker(json!({})).await;
    let mine = pool.work(&worker).await;
    assert_eq!(mine.iter().map(|item| &item["x_row"]).collect::<Vec<_>>(), [&Value::Null, &json!(1)], "{mine:?}");
    pool.as_worker(&worker, "DELETE", "/v1/workers/me", Value::Null).await.ok();
    let bad = json!([{ "title": "Three" }, { "title": "", "tier": 9 }]);
    let problem = pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": bad })).await.problem(422, "invalid-value");
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["tasks[1].title", "tasks[1].tier"]);
    assert_eq!(pool.state("tasks_ready").await, 2, "none of them");
    let unknown = json!({ "repo": "acme/none", "tasks": [{ "title": "t" }] });
    pool.admin("tasks/bulk", unknown).await.problem(400, "unknown-repository");
}

async fn a_pause_stops_new_work_and_takes_nothing_away(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({ "max_concurrent_tasks": 5 })).await;
    assert_eq!(pool.work(&worker).await.len(), 1);
    let paused = pool.admin("pause", json!({ "repo": "ACME/rocket", "reason": "freeze" })).await.ok();
    assert_eq!(paused, json!({ "ok": true, "paused_until": null }));
    let shown = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!((&shown["paused"], &shown["paused_until"]), (&json!(true), &Value::Null), "{shown}");
    let reason = &shown["budget"]["reasons"][0];
    assert_eq!(
        reason["message"],
        "acme/rocket hands out nothing at the moment: it is paused until somebody resumes it (freeze)."
    );
    pool.task("Two", json!({})).await;
    assert_eq!(pool.work(&worker).await.len(), 1);
    pool.admin("resume", json!({ "repo": REPO })).await.ok();
    assert_eq!(pool.work(&worker).await.len(), 2);
    let paused = pool.admin("pause", json!({ "repo": REPO, "secs": 3600 })).await.ok();
    assert!(paused["paused_until"].as_str().unwrap().ends_with('Z'), "{paused}");
    let shown = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!(shown["budget"]["reasons"][0]["retry_at"], paused["paused_until"], "{shown}");
    pool.task("Three", json!({})).await;
    assert_eq!(pool.work(&worker).await.len(), 2);
    pool.clock.advance_ms(3_600_000 - 1);
    pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    pool.clock.advance_ms(2);
    assert!(!pool.work(&worker).await.is_empty(), "a pause ends by itself");
    pool.admin("pause", json!({ "repo": "acme/none" })).await.problem(400, "unknown-repository");
    pool.admin("pause", json!({ "repo": REPO, "secs": 0 })).await.problem(422, "invalid-value");
}

async fn a_lease_and_a_worker_can_be_revoked(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    let lease = pool.work(&worker).await[0]["lease_id"].as_str().unwrap().to_owned();
    let revoke = format!("leases/{lease}/revoke");
    pool.admin(&revoke, json!({ "reason": "wrong hands" })).await.ok();
    assert_eq!(pool.state("tasks_ready").await, 1);
    let late = json!({ "status": "in_progress" });
    pool.report(&worker, &task, late).await.problem(403, "not-yours");
    pool.admin(&revoke, json!({})).await.problem(409, "refused");
    pool.admin("leases/l_none/revoke", json!({})).await.problem(404, "unknown-lease");
    assert!(pool.work(&worker).await.is_empty(), "others are asked first");
    pool.clock.advance_ms(3_600_000);
    assert_eq!(pool.work(&worker).await.len(), 1, "later it may have the task again");
    let path = format!("/v1/admin/workers/{}/revoke", worker.id);
    let empty = pool.send("POST", &path, &[("X-Admin-Token", ADMIN)], "").await.ok();
    assert_eq!(empty, json!({ "ok": true, "leases_ended": 1 }), "a reason may be left out, and the body too");
    pool.as_worker(&worker, "GET", "/v1/work", Value::Null).await.problem(401, "unauthorized");
    assert_eq!(pool.state("tasks_ready").await, 1);
    pool.admin("workers/w_none/revoke", json!({})).await.problem(404, "unknown-worker");
}

async fn a_task_is_closed_and_opened_again_by_hand(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 1 })).await;
    let (lost, next) = (pool.task("Lost", json!({ "priority": 90 })).await, pool.task("Next", json!({})).await);
    let worker = pool.worker(json!({})).await;
    assert_eq!(pool.work(&worker).await[0]["task_id"], json!(lost));
    pool.says(&worker, &lost, "pr_opened").await;
    let other = pool.worker(json!({})).await;
    assert!(pool.work(&other).await.is_empty(), "the one place is taken, whatever became of the worker");

    let close = format!("tasks/{lost}/close");
    pool.admin(&close, json!({ "reason": "its worker is gone" })).await.ok();
    pool.admin(&close, json!({})).await.ok();
    let shown = pool.get(&format!("/v1/tasks/{lost}")).await.ok();
    assert_eq!(shown["state"], "closed", "{shown}");
    assert_eq!(pool.get(&format!("/v1/repos/{REPO}")).await.ok()["budget"]["used"], 0);
    let told = audit(&pool, &format!("?repo={REPO}")).await;
    let closed: Vec<_> = told.iter().filter(|event| event["kind"] == "task.closed").collect();
    assert_eq!(closed.len(), 1, "closed once: {closed:?}");
    assert_eq!(closed[0]["payload"], json!({ "reason": "its worker is gone", "by": "operator" }));

    let held = pool.work(&other).await;
    assert_eq!(held[0]["task_id"], json!(next));
    pool.admin(&format!("tasks/{next}/reopen"), json!({})).await.problem(409, "refused");
    let path = format!("/v1/admin/tasks/{next}/close");
    pool.send("POST", &path, &[("X-Admin-Token", ADMIN)], "").await.ok();
    pool.admin(&format!("tasks/{next}/close"), json!({ "reason": "too late to say" })).await.ok();
    let beat = pool.as_worker(&other, "POST", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!((&beat["ended"][0]["task_id"], &beat["ended"][0]["reason"]), (&json!(next), &json!("closed")), "{beat}");

    for _ in 0..2 {
        pool.admin(&format!("tasks/{lost}/reopen"), json!({})).await.ok();
    }
    assert_eq!(pool.work(&other).await[0]["task_id"], json!(lost), "it is anybody's again");
    let told = audit(&pool, &format!("?repo={REPO}")).await;
    let opened: Vec<_> = told.iter().filter(|event| event["payload"]["by"] == "operator").collect();
    assert_eq!(opened.iter().filter(|event| event["kind"] == "task.ready").count(), 1, "{opened:?}");
    pool.says(&other, &lost, "merged").await;
    pool.admin(&close, json!({})).await.problem(409, "refused");
    pool.admin("tasks/t_none/close", json!({})).await.problem(404, "unknown-task");
    pool.admin("tasks/t_none/reopen", json!({})).await.problem(404, "unknown-task");
    // The App comes to serve a repository that was made by hand, and whose tasks are no issues.
    crate::protocol::sse::meddle(&pool, "UPDATE repositories SET managed = 1").await;
    pool.admin(&format!("tasks/{next}/reopen"), json!({})).await.ok();
    pool.admin(&format!("tasks/{next}/close"), json!({})).await.ok();
    crate::protocol::sse::meddle(&pool, "UPDATE tasks SET issue = 7 WHERE title = 'Next'").await;
    for call in ["close", "reopen"] {
        let problem = pool.admin(&format!("tasks/{next}/{call}"), json!({})).await.problem(409, "managed-repository");
        assert!(problem["detail"].as_str().unwrap().contains("an issue on GitHub"), "{problem}");
    }
}

async fn trust_is_set_by_login_or_id(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let set = pool.admin("trust", json!({ "repo": REPO, "github_id": 583_231, "level": 3 })).await.ok();
    assert_eq!(set, json!({ "ok": true, "repo": REPO, "github_id": 583_231, "login": null, "level": 3 }));
    let problem = pool.admin("trust", json!({ "repo": REPO, "login": "octocat", "level": 1 })).await;
    assert_eq!(problem.problem(422, "invalid-value")["errors"][0]["field"], "login");
    pool.admin("trust", json!({ "repo": REPO, "github_id": 1, "level": 4 })).await.problem(422, "invalid-value");
    pool.admin("trust", json!({ "repo": "a/b", "github_id": 1, "level": 1 })).await.problem(400, "unknown-repository");
}

async fn the_audit_log_is_exported_and_verified(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    for n in 0..600 {
        // More than one page.
        if n % 300 == 0 {
            let tasks: Vec<Value> = (0..300).map(|n| json!({ "title": format!("Task {n}") })).collect();
            pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
        }
    }
    let lines = audit(&pool, &format!("?repo={REPO}")).await;
    let verdict = &lines[lines.len() - 1];
    assert_eq!(verdict, &json!({ "verified": true, "events": lines.len() - 1, "broken_at": null, "removed": 0 }));
    assert!(lines.len() > 600 && lines[0]["seq"] == 1, "{}", lines.len());
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert!(kinds.contains(&"budget.set") && kinds.contains(&"task.created"));
    let global = audit(&pool, "").await;
    assert_eq!(global[global.len() - 1]["verified"], true);
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    sqlx::query("UPDATE events SET payload = '{}' WHERE kind = 'budget.set'").execute(&outside).await.unwrap();
    outside.close().await;
    let lines = audit(&pool, &format!("?repo={REPO}")).await;
    let verdict = &lines[lines.len() - 1];
    assert_eq!((&verdict["verified"], &verdict["broken_at"]), (&json!(false), &json!(1)));
    pool.admin("audit?repo=acme/none", Value::Null).await.problem(404, "no-such-repository");
}

async fn audit(pool: &Pool, query: &str) -> Vec<Value> {
    let answer = pool.admin(&format!("audit{query}"), Value::Null).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn every_call_of_the_operator_is_closed_to_others(db: Db) {
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    for path in [
        "tasks/bulk",
        "pause",
        "resume",
        "trust",
        "leases/l_1/revoke",
        "workers/w_1/revoke",
        "tasks/t_1/close",
        "tasks/t_1/reopen",
        "repos/remove",
    ] {
        let answer = pool.as_worker(&worker, "POST", &format!("/v1/admin/{path}"), json!({})).await;
        answer.problem(401, "unauthorized");
    }
    for path in ["audit", "workers", "tasks/t_1/why?worker=w_1"] {
        let answer = pool.as_worker(&worker, "GET", &format!("/v1/admin/{path}"), Value::Null).await;
        answer.problem(401, "unauthorized");
    }
}

async fn the_rules_of_a_repository_are_set_shown_and_followed(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 4 })).await;
    let headers = [("X-Admin-Token", ADMIN)];
    let shown = || async { pool.send("GET", &format!("/v1/admin/policy?repo={REPO}"), &headers, "").await.ok() };
    let before = shown().await;
    assert_eq!((&before["set"], &before["policy"]["leases"]["ttl"]), (&Value::Null, &json!("30m")), "{before}");

    let policy = json!({
        "budget": { "max_open_prs": 9 },
        "leases": { "ttl": "2h" },
        "claims": { "newcomers": 2, "newcomers_total": 3 },
        "tiers": { "1": { "trust": 1 }, "2": { "merged": 1, "reputation": 0.7 } },
    });
    let set = pool.admin("policy", json!({ "repo": "ACME/rocket", "policy": policy })).await.ok();
    assert_eq!(
        set["policy"]["claims"],
        json!({ "per_worker": 2, "newcomers": 2, "newcomers_total": 3, "cooldown": "1d", "join_first": false })
    );
    assert_eq!(shown().await, set);
    let repo = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!(repo["budget"]["max_open_prs"], 4, "a policy never raises what the operator's call allowed");

    let worker = pool.worker(json!({ "max_concurrent_tasks": 5 })).await;
    for (title, tier) in [("One", 0), ("Two", 0), ("Three", 0), ("Hard", 2)] {
        pool.task(title, json!({ "tier": tier, "priority": 50 - 10 * tier })).await;
    }
    let held = pool.work(&worker).await;
    assert_eq!(held.len(), 2, "a newcomer's limit");
    assert!((7_100..=7_200).contains(&held[0]["lease_expires_in_secs"].as_i64().unwrap()), "{held:?}");
    pool.says(&worker, held[0]["task_id"].as_str().unwrap(), "merged").await;
    pool.as_worker(&worker, "PATCH", "/v1/workers/me", json!({ "reputation": true })).await.ok();
    let release = format!("/v1/leases/{}/release", held[1]["lease_id"].as_str().unwrap());
    pool.as_worker(&worker, "POST", &release, json!({})).await.ok();
    let titles = |work: Vec<Value>| work.iter().map(|item| item["title"].clone()).collect::<Vec<_>>();
    let work = titles(pool.work(&worker).await);
    assert!(!work.contains(&json!("Hard")), "one merged and one given back are a score of 0.66, but {work:?}");

    let back = pool.admin("policy", json!({ "repo": REPO, "policy": null })).await.ok();
    assert_eq!((&back["set"], &back["policy"]["claims"]), (&Value::Null, &Value::Null));
    assert!(titles(pool.work(&worker).await).contains(&json!("Hard")), "tiers are open in a manual repository");
    pool.admin("policy", json!({ "repo": "acme/none", "policy": null })).await.problem(400, "unknown-repository");
    pool.send("GET", "/v1/admin/policy?repo=acme/none", &headers, "").await.problem(404, "no-such-repository");
    pool.send("GET", "/v1/admin/policy", &headers, "").await.problem(422, "invalid-value");
}

async fn a_policy_with_a_fault_is_told_all_of_them_and_changes_nothing(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let policy = json!({ "leases": { "ttl": "0s" }, "claims": { "per_worker": 0 }, "tiers": { "1": { "trust": 0 } } });
    let problem = pool.admin("policy", json!({ "repo": REPO, "policy": policy })).await.problem(422, "invalid-value");
    let told: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| (&e["field"], &e["message"])).collect();
    assert_eq!(
        told,
        [
            (&json!("policy.leases.ttl"), &json!("must be from 1s to 30d, not 0s")),
            (&json!("policy.claims.per_worker"), &json!("must be from 1 to 20, not 0")),
        ]
    );
    // A key nothing obeys is an error with its place, not a rule that nobody keeps.
    pool.admin("policy", json!({ "repo": REPO, "policy": { "leases": { "ttl": "45m" } } })).await.ok();
    let misspelled = pool.admin("policy", json!({ "repo": REPO, "polcy": {} })).await;
    let problem = misspelled.problem(422, "malformed-body");
    assert!(problem["detail"].as_str().unwrap().contains("`policy`"), "{problem}");
    let body = format!("{{ \"repo\": \"{REPO}\",\n  \"policy\": {{ \"lane\": [] }} }}");
    let problem = pool.send("POST", "/v1/admin/policy", &[("X-Admin-Token", ADMIN)], body).await;
    let problem = problem.problem(422, "malformed-body");
    assert_eq!(problem["line"], 2, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("unknown field `lane`"), "{problem}");
    let shown = pool.send("GET", &format!("/v1/admin/policy?repo={REPO}"), &[("X-Admin-Token", ADMIN)], "").await.ok();
    assert_eq!(shown["set"]["leases"]["ttl"], "45m", "nothing was changed");
    pool.send("GET", &format!("/v1/admin/policy?repo={REPO}"), &[], "").await.problem(401, "unauthorized");
}

async fn the_operator_asks_why_for_a_worker(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("One", json!({ "required_skills": ["go"] })).await;
    let (able, unable) = (pool.worker(json!({ "skills": ["go"] })).await, pool.worker(json!({})).await);
    for (worker, may) in [(&able, true), (&unable, false)] {
        let told = pool.admin(&format!("tasks/{task}/why?worker={}", worker.id), Value::Null).await.ok();
        assert_eq!(told["may"], may, "{told}");
        let own = pool.as_worker(worker, "GET", &format!("/v1/tasks/{task}/why"), Value::Null).await.ok();
        assert_eq!(told, own, "in the words the worker itself is told");
    }
    let why = async |task: &str, query: &str| pool.admin(&format!("tasks/{task}/why{query}"), Value::Null).await;
    why(&task, "?worker=w_none").await.problem(404, "unknown-worker");
    why("t_none", &format!("?worker={}", able.id)).await.problem(404, "unknown-task");
    for query in ["", "?worker=", "?workers=w_1"] {
        let problem = why(&task, query).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "worker", "{problem}");
    }
    // A task of a private repository, which the worker may not see.
    let hide = "UPDATE repositories SET private = 1, managed = 1";
    crate::protocol::sse::meddle(&pool, hide).await;
    let own = pool.as_worker(&able, "GET", &format!("/v1/tasks/{task}/why"), Value::Null).await;
    own.problem(404, "unknown-task");
    let told = why(&task, &format!("?worker={}", able.id)).await.ok();
    let broken = told["rules"].as_array().unwrap().iter().filter(|rule| rule["holds"] == false);
    assert!(broken.clone().count() > 0 && told["may"] == false, "{told}");
}
