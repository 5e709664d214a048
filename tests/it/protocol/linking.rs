//! A worker that is there already asks for a code that ties it to a GitHub account.

use crate::protocol::sse::meddle;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, Worker};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

on_both!(
    a_worker_asks_for_a_code_and_its_older_ones_stop_working,
    a_worker_that_is_linked_is_told_to_whom,
    a_handle_is_read_as_at_the_registration,
    a_code_is_kept_in_no_answer,
    asking_for_a_code_never_waits_in_a_circle,
    a_worker_that_is_linked_confirms_the_code_of_another,
);

const LINK: &str = "/v1/workers/me/link";

async fn ask(pool: &Pool, worker: &Worker, handle: &str) -> Value {
    pool.as_worker(worker, "POST", LINK, json!({ "github_handle": handle })).await.ok()
}

/// Every code the pool knows, as the hash, the handle and the worker.
async fn codes(pool: &Pool) -> BTreeSet<(String, String, String)> {
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    let rows = sqlx::query_as("SELECT code_hash, handle_key, worker_id FROM link_codes").fetch_all(&outside).await;
    outside.close().await;
    rows.unwrap().into_iter().collect()
}

fn known(link: &Value, handle: &str, worker: &Worker) -> (String, String, String) {
    let hash = HEXLOWER.encode(&Sha256::digest(link["code"].as_str().unwrap()));
    (hash, handle.to_owned(), worker.id.clone())
}

async fn a_worker_asks_for_a_code_and_its_older_ones_stop_working(db: Db) {
    let pool = Pool::start(db).await;
    let registered = pool.register(json!({ "name": "w", "github_handle": "octocat" })).await.ok();
    let text = |key: &str| registered[key].as_str().unwrap().to_owned();
    let worker = Worker { id: text("worker_id"), token: text("token") };
    let other = pool.worker(json!({})).await;
    let others = ask(&pool, &other, "octocat").await;

    let link = ask(&pool, &worker, "Mona").await;
    let code = link["code"].as_str().unwrap();
    let expected = json!({ "code": code, "command": format!("/owp link {code}"), "expires_at": link["expires_at"] });
    assert_eq!(link, expected);
    assert_eq!(link["expires_at"], registered["link"]["expires_at"], "the clock did not move: 15 minutes");
    assert_ne!(registered["link"]["code"], code);
    let now = codes(&pool).await;
    assert_eq!(now, BTreeSet::from([known(&link, "mona", &worker), known(&others, "octocat", &other)]));
    pool.send("POST", LINK, &[], r#"{"github_handle":"mona"}"#).await.problem(401, "unauthorized");
}

async fn a_worker_that_is_linked_is_told_to_whom(db: Db) {
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    meddle(&pool, "INSERT INTO people (person, github_id, login) VALUES ('gh:7', 7, 'Octocat')").await;
    meddle(&pool, "UPDATE workers SET person = 'gh:7'").await;
    let refused = pool.as_worker(&worker, "POST", LINK, json!({ "github_handle": "mona" })).await;
    let detail = refused.problem(409, "refused")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("linked to @Octocat already") && detail.contains("`/owp unlink`"), "{detail}");
    assert!(codes(&pool).await.is_empty());
}

async fn a_handle_is_read_as_at_the_registration(db: Db) {
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    let link = ask(&pool, &worker, " @Octo-Cat ").await;
    assert_eq!(codes(&pool).await, BTreeSet::from([known(&link, "octo-cat", &worker)]));
    for odd in ["", " ", "not a login", "@"] {
        let problem = pool.as_worker(&worker, "POST", LINK, json!({ "github_handle": odd })).await;
        let problem = problem.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "github_handle", "{problem}");
    }
    for body in [json!({}), json!({ "github_handle": null }), json!({ "github_handle": 7 })] {
        pool.as_worker(&worker, "POST", LINK, body).await.problem(422, "malformed-body");
    }
}

async fn a_code_is_kept_in_no_answer(db: Db) {
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    let bearer = format!("Bearer {}", worker.token);
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
    let body = json!({ "github_handle": "octocat" }).to_string();
    let one = pool.send("POST", LINK, &headers, body.clone()).await.ok();
    let two = pool.send("POST", LINK, &headers, body).await.ok();
    assert_ne!(one["code"], two["code"], "the call takes no key");
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    let kept: Vec<(String,)> = sqlx::query_as("SELECT scope FROM idempotency").fetch_all(&outside).await.unwrap();
    outside.close().await;
    assert!(kept.is_empty());
}

/// `/owp link` holds the worker's row and goes on to its codes.
async fn asking_for_a_code_never_waits_in_a_circle(db: Db) {
    if db == Db::Sqlite {
        return; // One writer, no row locks.
    }
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    ask(&pool, &worker, "octocat").await;
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    let mut linking = outside.begin().await.unwrap();
    let lock = "SELECT id FROM workers WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(&worker.id).execute(&mut *linking).await.unwrap();
    let link = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        sqlx::query("UPDATE link_codes SET expires_at = 0").execute(&mut *linking).await.unwrap();
        linking.commit().await.unwrap();
    };
    let (one, two, ()) = tokio::join!(ask(&pool, &worker, "octocat"), ask(&pool, &worker, "octocat"), link);
    let now = codes(&pool).await;
    let last = [&one, &two].into_iter().any(|link| now == BTreeSet::from([known(link, "octocat", &worker)]));
    assert!(last, "of two that ask at once, one code is left: {now:?}");
    outside.close().await;
}

async fn a_worker_that_is_linked_confirms_the_code_of_another(db: Db) {
    const CONFIRM: &str = "/v1/workers/me/confirm";
    let pool = Pool::start(db).await;
    let first = pool.worker(json!({})).await;
    meddle(&pool, "INSERT INTO people (person, github_id, login) VALUES ('gh:7', 7, 'Octocat')").await;
    meddle(&pool, "UPDATE workers SET person = 'gh:7'").await;
    let next = pool.worker(json!({ "name": "next" })).await;
    let code = ask(&pool, &next, "octocat").await["code"].clone();

    let refused = pool.as_worker(&next, "POST", CONFIRM, json!({ "code": code })).await.problem(409, "refused");
    assert!(refused["detail"].as_str().unwrap().contains("not linked"), "{refused}");
    for odd in [json!(""), json!("M5 I"), json!("x".repeat(101))] {
        let problem = pool.as_worker(&first, "POST", CONFIRM, json!({ "code": odd })).await;
        assert_eq!(problem.problem(422, "invalid-value")["errors"][0]["field"], "code");
    }
    pool.as_worker(&first, "POST", CONFIRM, json!({})).await.problem(422, "malformed-body");
    pool.send("POST", CONFIRM, &[], r#"{"code":"M5IJPSOQXGUG"}"#).await.problem(401, "unauthorized");

    let bearer = format!("Bearer {}", first.token);
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
    let body = json!({ "code": code }).to_string();
    let one = pool.send("POST", CONFIRM, &headers, body.clone()).await.ok();
    assert_eq!(one, json!({ "worker_id": next.id, "name": "next" }));
    assert_eq!(pool.send("POST", CONFIRM, &headers, body).await.ok(), one, "a repeated call is answered alike");
    let me = pool.as_worker(&next, "GET", "/v1/workers/me", json!({})).await.ok();
    assert_eq!(me["github_login"], "Octocat");
}
