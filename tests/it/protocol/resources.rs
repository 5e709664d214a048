//! Tasks and repositories to look at.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO};
use serde_json::{Value, json};

on_both!(
    tasks_are_listed_newest_first_in_pages,
    tasks_are_found_by_state_repository_and_skill,
    a_cursor_that_was_made_up_or_belongs_elsewhere_is_refused,
    a_task_shows_who_holds_it_and_the_operators_own_fields,
    a_repository_shows_its_budget_and_why_nothing_is_handed_out,
    what_is_private_exists_only_for_the_operator,
);

async fn ids(pool: &Pool, query: &str) -> Vec<String> {
    let page = pool.get(&format!("/v1/tasks?{query}")).await.ok();
    page["tasks"].as_array().unwrap().iter().map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
}

async fn tasks_are_listed_newest_first_in_pages(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.insert(0, pool.task(&format!("Task {n}"), json!({ "description": "long" })).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for page in 0..3 {
        let answer = pool.get(&format!("/v1/tasks?limit=2{cursor}")).await.ok();
        let tasks = answer["tasks"].as_array().unwrap();
        assert!(tasks.iter().all(|task| task.get("description").is_none()), "{answer}");
        seen.extend(tasks.iter().map(|task| task["task_id"].as_str().unwrap().to_owned()));
        assert_eq!(answer["next_cursor"].is_null(), page == 2, "{answer}");
        cursor = format!("&cursor={}", answer["next_cursor"].as_str().unwrap_or_default());
        // What comes in between pages is on none of them twice.
        pool.task("Later", json!({})).await;
    }
    assert_eq!(seen, made);
}

async fn tasks_are_found_by_state_repository_and_skill(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.admin("repos", json!({ "repo": "acme/other" })).await.ok();
    let rust = pool.task("One", json!({ "required_skills": ["Rust", "100%_sure\\"] })).await;
    let plain = pool.task("Two", json!({ "repo": "acme/other" })).await;
    let rusty = pool.task("Three", json!({ "required_skills": ["rusty"] })).await;
    assert_eq!(ids(&pool, "skill=RUST").await, std::slice::from_ref(&rust), "a skill is found whole");
    assert_eq!(
        ids(&pool, "skill=100%25_sure%5C").await,
        std::slice::from_ref(&rust),
        "and its letters stand for themselves"
    );
    assert_eq!(ids(&pool, "skill=100x_sure%5C").await, [""; 0]);
    assert_eq!(ids(&pool, "repo=ACME/other").await, std::slice::from_ref(&plain));
    let parser = pool.task("Four", json!({ "repo": "acme/other", "area": "Parser" })).await;
    assert_eq!(ids(&pool, "area=parser").await, std::slice::from_ref(&parser), "an area is found in any case");
    assert_eq!(ids(&pool, "repo=acme/other&issue=7").await, [""; 0], "nothing by hand is an issue");
    pool.admin(&format!("tasks/{parser}/close"), json!({})).await.ok();
    let worker = pool.worker(json!({ "skills": ["rusty"], "max_concurrent_tasks": 1, "capacity_points": 1 })).await;
    pool.work(&worker).await;
    let held = ids(&pool, "state=leased").await;
    assert_eq!(held.len(), 1);
    assert_eq!(ids(&pool, "state=leased&repo=acme/rocket&skill=rusty").await.len(), usize::from(held == [rusty]));
    assert_eq!(ids(&pool, "repo=&skill=%20").await.len(), 4, "a blank filter is none");
    for (query, field) in [
        ("state=gone", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("repo=%00", "repo"),
        ("issue=x", "issue"),
        ("issue=-1", "issue"),
        ("area=a,b", "area"),
    ] {
        let problem = pool.get(&format!("/v1/tasks?{query}")).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}

async fn a_cursor_that_was_made_up_or_belongs_elsewhere_is_refused(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    pool.task("Two", json!({})).await;
    let page = pool.get("/v1/tasks?limit=1").await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    pool.get(&format!("/v1/tasks?limit=5&cursor={cursor}")).await.ok();
    for path in [
        format!("/v1/tasks?state=ready&cursor={cursor}"),
        format!("/v1/repos?cursor={cursor}"),
        "/v1/tasks?cursor=".to_owned(),
        "/v1/tasks?cursor=abc".to_owned(),
        format!("/v1/tasks?cursor={}", "A".repeat(1_500)),
    ] {
        let problem = pool.get(&path).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "cursor", "{path}");
    }
}

async fn a_task_shows_who_holds_it_and_the_operators_own_fields(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("One", json!({ "description": "All of it", "x_ticket": { "id": 7 }, "ticket": 8 })).await;
    let path = format!("/v1/tasks/{task}");
    let shown = pool.get(&path).await.ok();
    assert_eq!(
        (&shown["state"], &shown["holder"], &shown["description"]),
        (&json!("ready"), &Value::Null, &json!("All of it"))
    );
    assert_eq!((&shown["x_ticket"], shown.get("ticket")), (&json!({ "id": 7 }), None), "{shown}");
    let worker = pool.worker(json!({ "name": "ada" })).await;
    let lease = pool.work(&worker).await[0].clone();
    let shown = pool.as_worker(&worker, "GET", &path, Value::Null).await.ok();
    assert_eq!((&shown["state"], &shown["holder"]), (&json!("leased"), &json!("ada")));
    assert_eq!((&shown["lease_expires_at"], &shown["epoch"]), (&lease["lease_expires_at"], &json!(1)));
    for id in ["t_none", "%00", "%ff"] {
        pool.get(&format!("/v1/tasks/{id}")).await.problem(404, "unknown-task");
    }
    let wrong = [("Authorization", "Bearer owp_wrong")];
    pool.send("GET", &path, &wrong, "").await.problem(401, "unauthorized");
}

async fn a_repository_shows_its_budget_and_why_nothing_is_handed_out(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 1 })).await;
    pool.task("One", json!({})).await;
    pool.task("Two", json!({})).await;
    let shown = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!((&shown["repo"], &shown["budget"]["throttled"]), (&json!(REPO), &json!(false)), "{shown}");
    assert_eq!((&shown["budget"]["source"], &shown["budget"]["free"]), (&json!("operator"), &json!(1)));
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    let shown = pool.get("/v1/repos/ACME/Rocket").await.ok();
    let budget = &shown["budget"];
    assert_eq!(
        (&budget["used"], &budget["breakdown"]["leases"], &budget["throttled"]),
        (&json!(1), &json!(1), &json!(true))
    );
    assert_eq!((&budget["reasons"][0]["rule"], &budget["reasons"][0]["limit"]), (&json!("budget"), &json!("1")));
    assert_eq!(
        (&shown["tasks"]["ready"], &shown["tasks"]["leased"], &shown["tasks"]["merged"]),
        (&json!(1), &json!(1), &json!(0))
    );
    pool.admin("pause", json!({ "repo": REPO, "secs": 60, "reason": "the release" })).await.ok();
    let shown = pool.get(&format!("/v1/repos/{REPO}")).await.ok();
    assert_eq!(shown["budget"]["reasons"][0]["rule"], "repo_active");
    assert!(shown["budget"]["reasons"][0]["message"].as_str().unwrap().contains("the release"), "{shown}");
    pool.get("/v1/repos/acme/none").await.problem(404, "no-such-repository");
}

async fn what_is_private_exists_only_for_the_operator(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let task = pool.task("Secret", json!({})).await;
    let worker = pool.worker(json!({})).await;
    hide(&pool).await;
    let admin = [("X-Admin-Token", ADMIN)];
    for path in [format!("/v1/tasks/{task}"), format!("/v1/repos/{REPO}")] {
        assert_eq!(pool.get(&path).await.status, 404);
        assert_eq!(pool.as_worker(&worker, "GET", &path, Value::Null).await.status, 404);
        pool.send("GET", &path, &admin, "").await.ok();
    }
    for (path, list) in [("/v1/tasks", "tasks"), ("/v1/repos", "repos")] {
        assert_eq!(pool.get(path).await.ok()[list], json!([]));
        assert_eq!(pool.send("GET", path, &admin, "").await.ok()[list].as_array().unwrap().len(), 1);
    }
    pool.send("GET", "/v1/tasks", &[("X-Admin-Token", "guessed")], "").await.problem(401, "unauthorized");
}

/// Makes every repository private, as a webhook would for one of the App's.
async fn hide(pool: &Pool) {
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    sqlx::query("UPDATE repositories SET private = 1").execute(&outside).await.unwrap();
    outside.close().await;
}
