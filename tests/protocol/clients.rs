//! Clients that repeat themselves, vanish, share a token or say odd things.

use crate::database::Db;
use crate::on_both;
use crate::pool::{Pool, REPO};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

on_both!(
    two_clients_with_one_token_are_one_worker,
    long_polls_that_are_opened_and_left_give_their_places_back,
    skills_are_compared_without_case_and_spaces_and_may_be_anything_else,
);

const WORK: &str = "/v1/work";

async fn two_clients_with_one_token_are_one_worker(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    for n in 0..6 {
        pool.task(&format!("Task {n}"), json!({})).await;
    }
    let worker = pool.worker(json!({ "max_concurrent_tasks": 2, "capabilities": { "ack": true } })).await;
    let pull = || pool.as_worker(&worker, "GET", WORK, Value::Null);
    let pulls = futures_util::future::join_all((0..8).map(|_| pull())).await;
    let ids =
        |work: &Value| work["leases"].as_array().unwrap().iter().map(|l| l["lease_id"].clone()).collect::<Vec<_>>();
    let last = ids(&pull().await.ok());
    assert_eq!(last.len(), 2, "its capacity is the worker's, however many ask with its token");
    for answer in pulls {
        assert!(ids(&answer.ok()).iter().all(|id| last.contains(id)));
    }
    let lease = last[0].as_str().unwrap();
    let act = |act: &str| format!("/v1/leases/{lease}/{act}");
    // Both accept: the second is told the same. One gives back: the other is told that it is over.
    for _ in 0..2 {
        pool.as_worker(&worker, "POST", &act("ack"), json!({})).await.ok();
    }
    pool.as_worker(&worker, "POST", &act("release"), json!({})).await.ok();
    pool.as_worker(&worker, "POST", &act("renew"), json!({})).await.problem(409, "refused");
    pool.as_worker(&worker, "POST", &act("ack"), json!({})).await.problem(409, "refused");
    // The lease that ended is told to whichever of them shows a sign of life first, and once.
    let beat = || pool.as_worker(&worker, "POST", "/v1/workers/heartbeat", json!({ "status": "working" }));
    let told: Vec<usize> = vec![
        beat().await.ok()["ended"].as_array().map_or(0, Vec::len),
        beat().await.ok()["ended"].as_array().map_or(0, Vec::len),
    ];
    assert_eq!(told, [1, 0]);
}

async fn long_polls_that_are_opened_and_left_give_their_places_back(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let worker = pool.worker(json!({})).await;
    let open = async || {
        let mut socket = TcpStream::connect(pool.running.address()).await.unwrap();
        let request =
            format!("GET {WORK}?wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", worker.token);
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    };
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(open().await);
    }
    // A worker has a few places; whoever comes later is answered at once and not left waiting.
    let answered = async || {
        let call = pool.as_worker(&worker, "GET", "/v1/work?wait=60", Value::Null);
        tokio::time::timeout(Duration::from_millis(1_500), call).await.is_ok()
    };
    let mut at_once = false;
    for _ in 0..20 {
        at_once = at_once || answered().await;
    }
    assert!(at_once, "the places are bounded");
    drop(sockets);
    let mut waits = false;
    for _ in 0..20 {
        waits = waits || !answered().await;
    }
    assert!(waits, "places come back when clients leave without a word");
    let state = pool.state("workers_online").await;
    assert_eq!(state, 1);
}

async fn skills_are_compared_without_case_and_spaces_and_may_be_anything_else(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    let task = pool.task("Draw the crab", json!({ "required_skills": [" 🦀 Rust ", "C++"] })).await;
    for (skills, fits) in [
        (json!(["🦀 rust", "c++"]), true),
        (json!([" 🦀 RUST", "C++", "c++ ", "", "   "]), true),
        (json!(["rust", "c++"]), false),
    ] {
        let worker = pool.worker(json!({ "skills": skills })).await;
        let why = pool.as_worker(&worker, "GET", &format!("/v1/tasks/{task}/why"), Value::Null).await.ok();
        assert_eq!(why["may"], fits, "{skills}: {why}");
    }
    let long = "x".repeat(10_000);
    let many: Vec<String> = (0..10_000).map(|n| format!("skill{n}")).collect();
    for skills in [json!([long]), json!(many), json!(["a\u{0}b"]), json!([1]), json!("rust")] {
        let answer = pool.register(json!({ "name": "odd", "skills": skills })).await;
        let problem = answer.json();
        assert_eq!(problem["status"], 422, "{problem}");
        assert!(problem.to_string().len() < 4_000, "what was sent is not sent back whole");
    }
    let unknown = format!("/v1/tasks?skill={}&repo={REPO}", "y".repeat(300));
    assert!([200, 422].contains(&pool.get(&unknown).await.status));
}
