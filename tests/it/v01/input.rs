//! Bad input: what is refused, with which status, in which order.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Answer, Pool, REPO};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_both!(
    bodies_out_of_bounds_are_refused_and_named,
    what_every_text_may_hold_is_kept_and_given_back,
    who_asks_is_checked_before_what_is_sent,
    unknown_things_have_their_own_answers,
    bodies_that_are_too_large_are_refused_and_the_answer_arrives,
);

async fn raw(pool: &Pool, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    pool.send("POST", path, &[("X-Admin-Token", ADMIN)], body).await
}

async fn bodies_out_of_bounds_are_refused_and_named(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let register = "/v1/workers/register";
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "é".repeat(121) }), "name"),
        (json!({ "name": "a\0b" }), "name"),
        (json!({ "name": "w", "capacity_points": 0 }), "capacity_points"),
        (json!({ "name": "w", "capacity_points": 101 }), "capacity_points"),
        (json!({ "name": "w", "max_concurrent_tasks": 21 }), "max_concurrent_tasks"),
        (json!({ "name": "w", "skills": ["ok", "x".repeat(65)] }), "skills[1]"),
        (json!({ "name": "w", "skills": vec!["s"; 65] }), "skills"),
        (json!({ "name": "w", "github_handle": "no login" }), "github_handle"),
    ] {
        let problem = raw(&pool, register, body.to_string()).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"name\":\"w\"} x",
        r#"{"name":5}"#,
        r#"{"name":"w","capacity_points":"5"}"#,
        r#"{"name":"w","skills":"rust"}"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":null}"#,
        "{}",
    ] {
        raw(&pool, register, body).await.problem(422, "malformed-body");
    }
    let place = raw(&pool, register, "{\n \"name\": 5}").await.problem(422, "malformed-body");
    assert_eq!(place["line"], 2, "{place}");
    raw(&pool, register, b"{\"name\":\"\xff\"}".to_vec()).await.problem(422, "malformed-body");
    raw(&pool, register, b"{\"name\":\"a\0b\"}".to_vec()).await.problem(422, "malformed-body");
    for (path, body) in [
        ("repos", json!({ "repo": "" })),
        ("repos", json!({ "repo": "x".repeat(201) })),
        ("repos", json!({ "repo": REPO, "max_open_prs": 101 })),
        ("tasks", json!({ "repo": REPO, "title": "x".repeat(301) })),
        ("tasks", json!({ "repo": REPO, "title": "t", "tier": 4 })),
        ("tasks", json!({ "repo": REPO, "title": "t", "description": "a\0b" })),
        ("tasks", json!({ "repo": "never heard of", "title": "" })),
    ] {
        pool.admin(path, body).await.problem(422, "invalid-value");
    }
}

async fn what_every_text_may_hold_is_kept_and_given_back(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "repo": REPO })).await;
    let title = "Ü \u{1f680} <b>\"bold\"</b> '; DROP TABLE tasks; -- \u{1}\u{7f}";
    let description = format!("{}\r\n\t{}", "🦀".repeat(100_000), title);
    pool.task(title, json!({ "description": description })).await;
    let worker = pool.worker(json!({ "name": title.repeat(2) })).await;
    let work = pool.work(&worker).await;
    assert_eq!((&work[0]["title"], &work[0]["description"]), (&Value::from(title), &Value::from(description)));
}

async fn who_asks_is_checked_before_what_is_sent(db: Db) {
    let pool = Pool::start(db).await;
    let nonsense = "not even JSON";
    for path in ["/v1/workers/heartbeat", "/v1/tasks/t_none/status"] {
        for headers in [
            &[][..],
            &[("Authorization", "Bearer owp_nobody")],
            &[("Authorization", "Basic dTpw")],
            &[("Authorization", "Bearer ")],
            &[("X-Admin-Token", ADMIN)],
        ] {
            let answer = pool.send("POST", path, headers, nonsense).await;
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
            answer.problem(401, "unauthorized");
        }
    }
    pool.get("/v1/work").await.problem(401, "unauthorized");
    for (method, path) in [("POST", "/v1/admin/repos"), ("POST", "/v1/admin/tasks"), ("GET", "/v1/admin/state")] {
        for headers in [&[][..], &[("X-Admin-Token", "guessed")], &[("X-Admin-Token", "")]] {
            pool.send(method, path, headers, nonsense).await.problem(401, "unauthorized");
        }
    }
    let worker = pool.worker(json!({})).await;
    let bearer = format!("bearer {}", worker.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/plain")];
    pool.send("POST", "/v1/workers/heartbeat", &headers, nonsense).await.problem(422, "malformed-body");
    pool.send("POST", "/v1/workers/heartbeat", &headers, "{}").await.ok();
    pool.send("POST", "/v1/tasks/t_none/status", &headers, nonsense).await.problem(422, "malformed-body");
}

async fn unknown_things_have_their_own_answers(db: Db) {
    let pool = Pool::start(db).await;
    let unknown =
        pool.admin("tasks", json!({ "repo": "acme/none", "title": "t" })).await.problem(400, "unknown-repository");
    assert!(unknown["detail"].as_str().unwrap().contains("acme/none"), "{unknown}");
    let worker = pool.worker(json!({})).await;
    for id in ["t_none", "%00", "%ff", "t_%27%3B--", &"t".repeat(4_000)] {
        pool.report(&worker, id, json!({ "status": "in_progress" })).await.problem(404, "unknown-task");
    }
    pool.repo(json!({})).await;
    let task = pool.task("Nobody's", json!({})).await;
    pool.report(&worker, &task, json!({ "status": "merged" })).await.problem(403, "not-yours");
    pool.get("/v1/nothing").await.problem(404, "unknown-path");
    pool.get("/v1/work/").await.problem(404, "unknown-path");
    for (method, path, allow) in
        [("GET", "/v1/workers/register", "POST"), ("POST", "/v1/work", "GET,HEAD"), ("DELETE", "/healthz", "GET,HEAD")]
    {
        let answer = pool.send(method, path, &[], "").await;
        assert_eq!(answer.header("allow"), allow, "{answer:?}");
        answer.problem(405, "method-not-allowed");
    }
}

async fn bodies_that_are_too_large_are_refused_and_the_answer_arrives(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    for size in [1024 * 1024 + 1, 8 * 1024 * 1024] {
        let body = json!({ "repo": REPO, "title": "t", "description": "d".repeat(size) });
        pool.admin("tasks", body).await.problem(413, "too-large");
    }
    assert!(chunked(&pool, 40).await.starts_with("HTTP/1.1 413"), "without a Content-Length too");
    assert_eq!(pool.state("tasks_ready").await, 0);
}

/// Registers with a body of `chunks` times 64 KiB whose length is told nowhere.
async fn chunked(pool: &Pool, chunks: usize) -> String {
    let mut stream = TcpStream::connect(pool.running.address()).await.unwrap();
    let head =
        "POST /v1/workers/register HTTP/1.1\r\nHost: pool\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..chunks {
        stream.write_all(b"10000\r\n").await.unwrap();
        stream.write_all(&[b'x'; 0x10000]).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
