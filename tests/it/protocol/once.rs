//! Idempotency keys.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Answer, Pool, REPO};
use serde_json::{Value, json};

on_both!(
    the_same_key_and_body_have_one_effect_and_one_answer,
    a_key_belongs_to_a_token_and_a_route_and_one_body,
    calls_that_come_at_once_under_one_key_have_one_effect,
    a_refusal_is_repeated_too_and_a_call_nobody_may_make_reserves_nothing,
    no_answer_that_holds_a_token_is_kept,
    an_answer_that_was_never_given_may_be_asked_for_again,
    a_key_is_its_workers_own_whatever_else_is_sent_along,
    an_effect_and_its_answer_are_kept_together_or_not_at_all,
    answers_are_forgotten_after_a_day_without_a_github_app,
    a_worker_that_left_and_did_not_hear_it_is_told_again,
    a_client_that_hangs_up_leaves_no_key_that_is_stuck,
);

async fn add(pool: &Pool, key: &str, body: &Value) -> Answer {
    let headers = [("X-Admin-Token", ADMIN), ("Idempotency-Key", key)];
    pool.send("POST", "/v1/admin/tasks", &headers, body.to_string()).await
}

fn task(title: &str) -> Value {
    json!({ "repo": REPO, "title": title })
}

async fn the_same_key_and_body_have_one_effect_and_one_answer(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let first = add(&pool, "k1", &task("One")).await;
    let again = add(&pool, "\"k1\"", &task("One")).await;
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(first.ok(), again.ok());
    assert_eq!(pool.state("tasks_ready").await, 1);
    pool.clock.advance_ms(24 * 3_600_000 - 1_000);
    add(&pool, "k1", &task("One")).await.ok();
    assert_eq!(pool.state("tasks_ready").await, 1);
    pool.clock.advance_ms(2_000);
    add(&pool, "k1", &task("One")).await.ok();
    assert_eq!(pool.state("tasks_ready").await, 2, "a day later it is a new call");
}

async fn a_key_belongs_to_a_token_and_a_route_and_one_body(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    add(&pool, "k1", &task("One")).await.ok();
    add(&pool, "k1", &task("Two")).await.problem(422, "idempotency-key-reused");
    let headers = [("X-Admin-Token", ADMIN), ("Idempotency-Key", "k1")];
    let resume = json!({ "repo": REPO }).to_string();
    pool.send("POST", "/v1/admin/resume", &headers, resume).await.ok();
    for name in ["a", "b"] {
        let worker = pool.worker(json!({ "name": name })).await;
        let bearer = format!("Bearer {}", worker.token);
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
        let change = json!({ "x_from": name }).to_string();
        let changed = pool.send("PATCH", "/v1/workers/me", &headers, change).await.ok();
        assert_eq!((&changed["name"], &changed["x_from"]), (&json!(name), &json!(name)));
    }
    for odd in ["", "a b", &"k".repeat(256)] {
        let problem = add(&pool, odd, &task("One")).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    }
    assert_eq!(pool.state("tasks_ready").await, 1);
}

async fn calls_that_come_at_once_under_one_key_have_one_effect(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let body = task("One");
    let answers = futures_util::future::join_all((0..20).map(|_| add(&pool, "k1", &body))).await;
    let (done, busy): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    for answer in busy {
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0, "{answer:?}");
        answer.problem(409, "idempotency-key-in-use");
    }
    let ids: std::collections::BTreeSet<String> = done.iter().map(|answer| answer.text.clone()).collect();
    assert_eq!((ids.len(), pool.state("tasks_ready").await), (1, 1));
}

async fn a_refusal_is_repeated_too_and_a_call_nobody_may_make_reserves_nothing(db: Db) {
    let pool = Pool::start(db).await;
    let refused = add(&pool, "k1", &task("One")).await.problem(400, "unknown-repository");
    pool.repo(json!({})).await;
    assert_eq!(add(&pool, "k1", &task("One")).await.problem(400, "unknown-repository"), refused);
    let headers = [("X-Admin-Token", "guessed"), ("Idempotency-Key", "k2")];
    for _ in 0..2 {
        let answer = pool.send("POST", "/v1/admin/tasks", &headers, task("One").to_string()).await;
        answer.problem(401, "unauthorized");
    }
    assert_eq!(kept(&pool).await.len(), 1);
}

async fn no_answer_that_holds_a_token_is_kept(db: Db) {
    let pool = Pool::start(db).await;
    let key = [("Idempotency-Key", "k1")];
    let body = json!({ "name": "w" }).to_string();
    let one = pool.send("POST", "/v1/workers/register", &key, body.clone()).await.ok();
    let two = pool.send("POST", "/v1/workers/register", &key, body).await.ok();
    assert_ne!(one["worker_id"], two["worker_id"], "registration takes no key");
    let bearer = format!("Bearer {}", one["token"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
    let rotated = pool.send("POST", "/v1/workers/me/token", &headers, "").await.ok();
    let again = pool.send("POST", "/v1/workers/me/token", &headers, "").await.ok();
    assert_ne!(rotated, again);
    pool.send("POST", "/v1/workers/heartbeat", &headers, "{}").await.ok();
    let kept = kept(&pool).await;
    assert!(kept.len() == 1 && !kept[0].contains("owp_"), "{kept:?}");
}

async fn an_answer_that_was_never_given_may_be_asked_for_again(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    add(&pool, "k1", &task("One")).await.ok();
    // As if the process had died after it reserved the key.
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    sqlx::query("UPDATE idempotency SET status = NULL, answer = NULL").execute(&outside).await.unwrap();
    add(&pool, "k1", &task("One")).await.problem(409, "idempotency-key-in-use");
    pool.clock.advance_ms(60_000);
    add(&pool, "k1", &task("One")).await.ok();
    let again = add(&pool, "k1", &task("One")).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    outside.close().await;
}

async fn a_key_is_its_workers_own_whatever_else_is_sent_along(db: Db) {
    let pool = Pool::start(db).await;
    for admin in [ADMIN, "guessed"] {
        for name in ["a", "b"] {
            let worker = pool.worker(json!({ "name": name })).await;
            for (scheme, replayed) in [("Bearer", ""), ("bearer ", "true")] {
                let bearer = format!("{scheme} {}", worker.token);
                let headers = [("X-Admin-Token", admin), ("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
                let answer = pool.send("PATCH", "/v1/workers/me", &headers, r#"{"x_from":1}"#).await;
                assert_eq!(answer.header("idempotency-replayed"), replayed, "{admin} {name} {scheme}");
                assert_eq!(answer.ok()["worker_id"], worker.id, "{admin}");
            }
        }
    }
}

/// Every call whose repetition would be told something else: where its answer cannot be kept, nothing happens.
async fn an_effect_and_its_answer_are_kept_together_or_not_at_all(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let worker = pool.worker(json!({ "capabilities": { "ack": true } })).await;
    let task = pool.task("One", json!({})).await;
    let bearer = format!("Bearer {}", worker.token);
    let call = async |key: &str, path: &str, body: Value| {
        let headers = [("X-Admin-Token", ADMIN), ("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        pool.send("POST", path, &headers, body.to_string()).await
    };
    let claim = format!("/v1/tasks/{task}/claim");
    let full = FullDisk::new(&pool, db).await;
    full.begin().await;
    assert!(call("k1", &claim, json!({})).await.status >= 500);
    assert_eq!(pool.state("tasks_ready").await, 1, "a claim");
    full.end().await;
    pool.clock.advance_ms(60_000);
    let claimed = call("k1", &claim, json!({})).await.ok();
    let lease = claimed["lease_id"].as_str().unwrap().to_owned();
    for (path, body) in [
        (format!("/v1/leases/{lease}/ack"), json!({})),
        (format!("/v1/tasks/{task}/status"), json!({ "status": "in_progress" })),
        (format!("/v1/leases/{lease}/release"), json!({})),
        (format!("/v1/admin/leases/{lease}/revoke"), json!({})),
    ] {
        let now = || async {
            let of = pool.get(&format!("/v1/tasks/{task}")).await.ok();
            let work = pool.work(&worker).await;
            (of["state"].clone(), work.first().map(|held| held["lease_state"].clone()))
        };
        let before = now().await;
        full.begin().await;
        assert!(call(&path, &path, body).await.status >= 500, "{path}");
        full.end().await;
        assert_eq!(now().await, before, "{path}");
        if path.ends_with("ack") {
            call("ack", &path, json!({})).await.ok();
        }
    }
    let released = call("k2", &format!("/v1/leases/{lease}/release"), json!({})).await.ok();
    let again = call("k2", &format!("/v1/leases/{lease}/release"), json!({})).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", released));
    let again = call("k1", &claim, json!({})).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", claimed), "also when it is over");
    assert_eq!(pool.state("tasks_ready").await, 1, "and nothing is granted anew");
    full.begin().await;
    assert!(call("k3", "/v1/workers/heartbeat", json!({})).await.status >= 500);
    full.end().await;
    let beat = call("k4", "/v1/workers/heartbeat", json!({})).await.ok();
    assert_eq!(beat["ended"][0]["lease_id"], lease.as_str(), "what was not told is told later");
    assert_eq!(call("k4", "/v1/workers/heartbeat", json!({})).await.json(), beat);
}

async fn a_worker_that_left_and_did_not_hear_it_is_told_again(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    let bearer = format!("Bearer {}", worker.token);
    let leave = async |key: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        pool.send("DELETE", "/v1/workers/me", &headers, "").await
    };
    let left = leave("k1").await.ok();
    assert_eq!(left["leases_ended"], 1);
    let again = leave("k1").await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", left));
    leave("k2").await.problem(401, "unauthorized");
    leave("").await.problem(401, "unauthorized");
}

/// A database that takes anything but answers.
struct FullDisk {
    outside: sqlx::AnyPool,
    db: Db,
}

impl FullDisk {
    async fn new(pool: &Pool, db: Db) -> Self {
        Self { outside: sqlx::AnyPool::connect(&pool.database.url).await.unwrap(), db }
    }

    async fn run(&self, on_sqlite: &'static str, on_postgres: &'static str) {
        let sql = if self.db == Db::Sqlite { on_sqlite } else { on_postgres };
        sqlx::raw_sql(sql).execute(&self.outside).await.unwrap();
    }

    async fn begin(&self) {
        let sqlite = "CREATE TRIGGER full BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'full'); END";
        self.run(sqlite, "ALTER TABLE idempotency ADD CONSTRAINT nothing CHECK (status IS NULL) NOT VALID").await;
    }

    async fn end(&self) {
        self.run("DROP TRIGGER full", "ALTER TABLE idempotency DROP CONSTRAINT nothing").await;
    }
}

async fn answers_are_forgotten_after_a_day_without_a_github_app(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    add(&pool, "k1", &task("One")).await.ok();
    assert_eq!(kept(&pool).await.len(), 1);
    pool.clock.advance_ms(25 * 3_600_000);
    for _ in 0..100 {
        if kept(&pool).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("an answer stays for ever");
}

/// Every answer that is kept.
async fn kept(pool: &Pool) -> Vec<String> {
    use sqlx::Row;
    let outside = sqlx::AnyPool::connect(&pool.database.url).await.unwrap();
    let rows = sqlx::query("SELECT answer FROM idempotency").fetch_all(&outside).await.unwrap();
    outside.close().await;
    rows.iter().map(|row| row.try_get::<Option<String>, _>(0).unwrap().unwrap_or_default()).collect()
}

async fn a_client_that_hangs_up_leaves_no_key_that_is_stuck(db: Db) {
    use tokio::io::AsyncWriteExt;
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let calls = 30;
    for n in 0..calls {
        let body = task("One").to_string();
        let head = format!(
            "POST /v1/admin/tasks HTTP/1.1\r\nHost: x\r\nX-Admin-Token: {ADMIN}\r\nIdempotency-Key: k{n}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut socket = tokio::net::TcpStream::connect(pool.running.address()).await.unwrap();
        socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        // From at once to some milliseconds later: in the middle of everything the call does.
        tokio::time::sleep(std::time::Duration::from_micros(n * 150)).await;
        drop(socket);
    }
    for n in 0..calls {
        let mut answer = add(&pool, &format!("k{n}"), &task("One")).await;
        // The clock stands still, so that a key which is stuck would be so for ever.
        for _ in 0..100 {
            if answer.status != 409 {
                break;
            }
            assert_eq!(answer.header("retry-after"), "1");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            answer = add(&pool, &format!("k{n}"), &task("One")).await;
        }
        answer.ok();
    }
    assert_eq!(pool.state("tasks_ready").await, i64::try_from(calls).unwrap(), "one effect for each key");
}
