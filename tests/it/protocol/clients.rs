//! Clients that repeat themselves, vanish, share a token or say odd things.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

on_both!(
    two_clients_with_one_token_are_one_worker,
    long_polls_that_are_opened_and_left_give_their_places_back,
    skills_are_compared_without_case_and_spaces_and_may_be_anything_else,
    a_server_that_stops_answers_whoever_waits,
    what_a_worker_gave_back_or_lost_is_offered_to_others_first,
    what_people_say_of_their_work_is_kept,
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

async fn a_server_that_stops_answers_whoever_waits(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let worker = pool.worker(json!({})).await;
    let Pool { running, client, .. } = pool;
    let url = format!("{}/v1/work?wait=60", running.url());
    let waiting = tokio::spawn(client.get(url).bearer_auth(&worker.token).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Ten seconds is when what does not end is cut off.
    tokio::time::timeout(Duration::from_secs(8), running.stop()).await.expect("nobody is waited for");
    let answer = waiting.await.unwrap().expect("an answer and no broken connection");
    assert_eq!(answer.status(), 200);
}

async fn what_a_worker_gave_back_or_lost_is_offered_to_others_first(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    let task = pool.task("Parse dates", json!({})).await;
    let (ada, bo) = (pool.worker(json!({})).await, pool.worker(json!({})).await);
    let lease = pool.work(&ada).await[0]["lease_id"].as_str().unwrap().to_owned();
    pool.admin(&format!("leases/{lease}/revoke"), json!({ "reason": "no sign of work" })).await.ok();
    assert!(pool.work(&ada).await.is_empty(), "a lease that was taken away is not handed back at once");
    let claim = format!("/v1/tasks/{task}/claim");
    let refused = pool.as_worker(&ada, "POST", &claim, json!({})).await.problem(409, "refused");
    assert_eq!(refused["reasons"][0]["rule"], "declined", "{refused}");
    assert_eq!(pool.work_ids(&bo).await, std::slice::from_ref(&task));
    let lease = pool.work(&bo).await[0]["lease_id"].as_str().unwrap().to_owned();
    pool.as_worker(&bo, "POST", &format!("/v1/leases/{lease}/release"), json!({ "reason": "too hard" })).await.ok();
    assert!(pool.work(&bo).await.is_empty());
    pool.clock.advance_ms(3_600_000);
    assert_eq!(pool.work_ids(&ada).await, [task], "after an hour it is anybody's");
}

async fn what_people_say_of_their_work_is_kept(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 10 })).await;
    let (one, two) = (pool.task("One", json!({})).await, pool.task("Two", json!({ "priority": 5 })).await);
    let worker = pool.worker(json!({ "name": "ada" })).await;
    let held = pool.work(&worker).await;
    let artifact = json!({ "pr_url": "https://example.org/pull/7", "commit_sha": "abc123" });
    pool.report(&worker, &one, json!({ "status": "pr_opened", "message": "Done.", "artifact": artifact })).await.ok();
    let odd = json!({ "status": "pr_opened", "artifact": { "pr_url": "javascript:alert(1)" } });
    let problem = pool.report(&worker, &two, odd).await.problem(422, "invalid-value");
    assert_eq!(problem["errors"][0]["field"], "artifact.pr_url");
    let lease = held[1]["lease_id"].as_str().unwrap();
    pool.as_worker(&worker, "POST", &format!("/v1/leases/{lease}/nack"), json!({ "reason": "not my field" }))
        .await
        .ok();
    let audit = pool.send("GET", &format!("/v1/admin/audit?repo={REPO}"), &[("X-Admin-Token", ADMIN)], "").await.text;
    let events: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| events.iter().find(|event| event["kind"] == kind).cloned().unwrap_or_default()["payload"].clone();
    let reported = of("task.reported");
    assert_eq!((&reported["status"], &reported["message"]), (&json!("pr_opened"), &json!("Done.")), "{audit}");
    assert_eq!(reported["artifact"]["pr_url"], "https://example.org/pull/7");
    let ended: Vec<&Value> = events.iter().filter(|e| e["kind"] == "lease.ended").map(|e| &e["payload"]).collect();
    assert!(ended.iter().any(|ended| ended["words"] == "not my field"), "{audit}");
}
