//! Tasks that have an id elsewhere: added once, however often and from wherever they are sent.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO};
use serde_json::{Value, json};

on_both!(
    a_task_that_is_there_already_is_answered_and_not_added_again,
    many_are_added_where_they_are_not_there_yet,
    calls_at_once_with_one_external_id_end_in_one_task,
    what_cannot_be_an_external_id_is_told_with_its_place,
);

async fn events(pool: &Pool) -> usize {
    pool.admin(&format!("audit?repo={REPO}"), Value::Null).await.text.lines().count()
}

async fn a_task_that_is_there_already_is_answered_and_not_added_again(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let add = async |more: Value| {
        let mut body = json!({ "repo": REPO, "title": "Parse dates", "external_id": "plan#1" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pool.admin("tasks", body).await.ok()
    };
    let first = add(json!({})).await;
    let id = first["task_id"].as_str().unwrap();
    assert_eq!(first, json!({ "ok": true, "task_id": id, "created": true }));
    let before = events(&pool).await;
    let again = add(json!({ "title": "Parse times", "priority": 900, "x_row": 2 })).await;
    assert_eq!(again, json!({ "ok": true, "task_id": id, "created": false }));
    assert_eq!((pool.state("tasks_ready").await, events(&pool).await), (1, before), "nothing happened");
    let shown = pool.get(&format!("/v1/tasks/{id}")).await.ok();
    assert_eq!((&shown["title"], &shown["priority"], shown.get("x_row")), (&json!("Parse dates"), &json!(10), None));
    assert_eq!(shown["external_id"], "plan#1");
    assert_eq!(pool.get("/v1/tasks").await.ok()["tasks"][0]["external_id"], "plan#1");

    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    pool.says(&worker, id, "merged").await;
    assert_eq!(add(json!({})).await["task_id"], id, "what is done is there, too");
    pool.admin("repos", json!({ "repo": "acme/other" })).await.ok();
    let other = add(json!({ "repo": "acme/other" })).await;
    assert_eq!(other["created"], true, "another repository has ids of its own");
    assert_eq!(add(json!({ "external_id": "PLAN#1" })).await["created"], true, "they are compared as they are written");

    for unnamed in [json!({ "external_id": null }), json!({})] {
        let mut body = json!({ "repo": REPO, "title": "Nobody's" });
        body.as_object_mut().unwrap().extend(unnamed.as_object().unwrap().clone());
        let added = pool.admin("tasks", body).await.ok();
        let id = added["task_id"].as_str().unwrap();
        assert_eq!(added, json!({ "ok": true, "task_id": id }), "v0.1 answers no more than it did");
        assert_eq!(pool.get(&format!("/v1/tasks/{id}")).await.ok().get("external_id"), None);
    }
}

async fn many_are_added_where_they_are_not_there_yet(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let bulk = async |tasks: Value| pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await;
    let first = bulk(json!([{ "title": "One", "external_id": "1" }, { "title": "Two" }])).await.ok();
    assert_eq!(first["created"], json!([true, true]));
    let next =
        json!([{ "title": "Zero", "external_id": "0" }, { "title": "One", "external_id": "1" }, { "title": "Two" }]);
    let second = bulk(next).await.ok();
    assert_eq!(second["created"], json!([true, false, true]));
    assert_eq!(second["task_ids"][1], first["task_ids"][0]);
    assert_ne!(second["task_ids"][2], first["task_ids"][1], "what has no id elsewhere is new every time");
    assert_eq!(pool.state("tasks_ready").await, 4);

    let twice = json!([{ "title": "a", "external_id": "7" }, { "title": "b" }, { "title": "c", "external_id": "7" }]);
    let problem = bulk(twice).await.problem(422, "invalid-value");
    assert_eq!(problem["errors"][0]["field"], "tasks[2].external_id", "{problem}");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{problem}");
    assert_eq!(pool.state("tasks_ready").await, 4);
}

async fn calls_at_once_with_one_external_id_end_in_one_task(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let one = json!({ "repo": REPO, "title": "One", "external_id": "1" });
    let many = json!({ "repo": REPO, "tasks": [{ "title": "Two", "external_id": "2" }, { "title": "One", "external_id": "1" }] });
    let calls = (0..20).map(|n| if n % 2 == 0 { ("tasks", one.clone()) } else { ("tasks/bulk", many.clone()) });
    let answers = futures_util::future::join_all(calls.map(|(path, body)| pool.admin(path, body))).await;
    let (mut ids, mut created) = (std::collections::BTreeSet::new(), 0);
    for answer in answers {
        let answer = answer.ok();
        let (id, new) = match answer.get("task_id") {
            Some(id) => (id.clone(), answer["created"].clone()),
            None => (answer["task_ids"][1].clone(), answer["created"][1].clone()),
        };
        ids.insert(id.to_string());
        created += usize::from(new == true);
    }
    assert_eq!((ids.len(), created, pool.state("tasks_ready").await), (1, 1, 2));
}

async fn what_cannot_be_an_external_id_is_told_with_its_place(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    for odd in [json!(""), json!(" "), json!("a\u{0}b"), json!("e".repeat(201))] {
        let body = json!({ "repo": REPO, "title": "t", "external_id": odd });
        let problem = pool.admin("tasks", body.clone()).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "external_id", "{problem}");
        let problem = pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": [body] })).await;
        assert_eq!(problem.problem(422, "invalid-value")["errors"][0]["field"], "tasks[0].external_id");
    }
    let longest = "é".repeat(200);
    let body = json!({ "repo": REPO, "title": "t", "external_id": longest }).to_string();
    let headers = [("X-Admin-Token", ADMIN), ("Idempotency-Key", "k1")];
    let first = pool.send("POST", "/v1/admin/tasks", &headers, body.clone()).await.ok();
    let again = pool.send("POST", "/v1/admin/tasks", &headers, body).await.ok();
    assert_eq!((&first, &first["created"]), (&again, &json!(true)), "a key stands for the first answer");
}
