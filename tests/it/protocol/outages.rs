//! The database on a bad day: locked by somebody who does not let go, away, not there yet, or holding what this version
//! cannot read.

use crate::protocol::sse::meddle;
use crate::support::database::on_both;
use crate::support::database::{Db, TestDatabase};
use crate::support::outage::Wire;
use crate::support::pool::{ADMIN, Pool, Worker};
use crate::support::program::{free_port, owp};
use owp_base::clock::{Clock, Entropy};
use owp_engine::Settings;
use owp_server::wire::cursor;
use owp_store::{Scope, Store, StoreError, StoreOptions};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

on_both!(rules_that_cannot_be_read_stop_their_repository_alone, a_cursor_that_was_made_up_is_refused);

const BROWSER: [(&str, &str); 1] = [("Accept", "text/html")];
/// Waits for what must come; how soon it comes on a quiet machine is told where it matters.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two repositories, each with a task and a worker for it alone.
async fn two_repositories(pool: &Pool) -> [Worker; 2] {
    let mut workers = Vec::new();
    for name in ["rocket", "lander"] {
        pool.admin("repos", json!({ "repo": format!("acme/{name}") })).await.ok();
        for n in 0..2 {
            let task =
                json!({ "repo": format!("acme/{name}"), "title": format!("Task {n}"), "required_skills": [name] });
            pool.admin("tasks", task).await.ok();
        }
        workers.push(pool.worker(json!({ "skills": [name], "max_concurrent_tasks": 1 })).await);
    }
    workers.try_into().unwrap_or_else(|_| unreachable!("two"))
}

async fn until_work(pool: &Pool, worker: &Worker) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = pool.as_worker(worker, "GET", "/v1/work", Value::Null).await;
        if answer.status == 200 && !answer.json()["leases"].as_array().unwrap().is_empty() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "no work comes: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_somebody_has_locked_holds_up_no_other() {
    let pool = Pool::start(Db::Postgres).await;
    let [rocket, lander] = two_repositories(&pool).await;
    // Whoever this is sets no timeouts, as a person at a terminal does not.
    let mut somebody = AnyConnection::connect(&pool.database.url).await.unwrap();
    let lock = "BEGIN; SELECT id FROM repositories WHERE name = 'acme/rocket' FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut somebody).await.unwrap();
    let begun = Instant::now();
    let (stuck, served) = tokio::join!(
        pool.as_worker(&rocket, "GET", "/v1/work", Value::Null),
        pool.as_worker(&lander, "GET", "/v1/work", Value::Null),
    );
    assert!(begun.elapsed() < Duration::from_secs(25), "everybody is answered: {:?}", begun.elapsed());
    let shares_the_writer = served.status != 200;
    if !shares_the_writer {
        assert_eq!(served.ok()["leases"][0]["repo"], "acme/lander");
    } else {
        // One repository in eight shares the writer that waits for the lock. Its workers are asked to come back.
        served.problem(503, "unavailable");
        let waited = until_work(&pool, &lander).await;
        assert!(waited < Duration::from_secs(25), "other repositories are served meanwhile: {waited:?}");
    }
    assert!(!stuck.header("retry-after").is_empty(), "{stuck:?}");
    stuck.problem(503, "unavailable");
    // From then on the repository is left out, and whoever asks there is not kept waiting either.
    let other = pool.worker(json!({ "skills": ["lander"] })).await;
    let waited = until_work(&pool, &other).await;
    let limit = Duration::from_secs(if shares_the_writer { 25 } else { 5 });
    assert!(waited < limit, "{waited:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    until_work(&pool, &rocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_freezes_in_a_transaction_is_cut_off() {
    let pool = Pool::start(Db::Postgres).await;
    let [rocket, lander] = two_repositories(&pool).await;
    let url = pool.database.url.clone();
    let options = StoreOptions { url, clock: pool.clock.clone(), entropy: Entropy::system() };
    let frozen = Store::open(options).await.unwrap();
    let row =
        frozen.read(|tx| Box::pin(async move { tx.repos().by_name("acme/rocket").await })).await.unwrap().unwrap();
    let (held, holds) = tokio::sync::oneshot::channel();
    // A process that is stopped looks the same to the database: it holds the lock, and says nothing.
    let freeze = frozen.write(Scope::repo(&row.id), move |_| {
        Box::pin(async move {
            held.send(()).unwrap();
            std::future::pending::<Result<(), StoreError>>().await
        })
    });
    tokio::select! {
        _ = freeze => unreachable!("it never goes on"),
        locked = holds => locked.unwrap(),
    }
    assert_eq!(pool.get("/readyz").await.status, 200);
    let waited = until_work(&pool, &lander).await;
    assert!(waited < Duration::from_secs(25), "other repositories are served meanwhile: {waited:?}");
    until_work(&pool, &rocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_told_at_once_and_to_people_on_a_page() {
    let database = TestDatabase::make(Db::Postgres).await;
    let mut wire = Wire::to(&database.url, free_port());
    wire.mend().await;
    let pool = Pool::start_over(database, &wire.url, None, Some(ADMIN), Settings::default()).await;
    assert_eq!(pool.get("/readyz").await.status, 200);
    wire.cut().await;
    let begun = Instant::now();
    let unready = pool.get("/readyz").await;
    // It takes 1.5 seconds where the machine has nothing else to do; health checks wait for five.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    unready.problem(503, "unavailable");
    assert_eq!(pool.get("/livez").await.status, 200);
    let page = pool.send("GET", "/", &BROWSER, "").await;
    assert_eq!((page.status, page.header("content-type")), (503, "text/html; charset=utf-8"));
    assert!(page.text.contains("does not answer at the moment"), "{}", page.text);
    pool.get("/").await.problem(503, "unavailable");
    wire.mend().await;
    let begun = Instant::now();
    while pool.get("/readyz").await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_a_database_server_that_comes_later() {
    let database = TestDatabase::make(Db::Postgres).await;
    let port = free_port();
    let mut wire = Wire::to(&database.url, port);
    let folder = tempfile::tempdir().unwrap();
    let (log, listen) = (folder.path().join("log"), format!("127.0.0.1:{}", free_port()));
    let mut child = owp(&["serve", "--listen", &listen])
        .env("OWP_DATABASE_URL", &wire.url)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    while !said().contains("trying again") {
        assert!(begun.elapsed() < PATIENCE, "{}", said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let name = database.url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    for part in [&format!("127.0.0.1:{port}"), name, "refused", "OWP_DATABASE_URL"] {
        assert!(said().contains(part), "{part}: {}", said());
    }
    wire.mend().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    while !client.get(format!("http://{listen}/readyz")).send().await.is_ok_and(|answer| answer.status() == 200) {
        assert!(begun.elapsed() < PATIENCE, "{}", said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "{}", said());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_the_password() {
    let port = free_port();
    let url = format!("postgres://somebody:hush@127.0.0.1:{port}/the_pool");
    let options = StoreOptions { url, clock: Clock::System, entropy: Entropy::system() };
    let error = Store::open(options).await.err().unwrap().to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("the_pool"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}

async fn rules_that_cannot_be_read_stop_their_repository_alone(db: Db) {
    let pool = Pool::start(db).await;
    let [rocket, lander] = two_repositories(&pool).await;
    let unreadable = r#"UPDATE repositories SET policy = '{"from_the_future":1}' WHERE name = 'acme/rocket'"#;
    meddle(&pool, unreadable).await;
    assert_eq!(pool.work(&rocket).await.len(), 0);
    assert_eq!(pool.work(&lander).await.len(), 1);
    assert_eq!(pool.get("/metrics").await.status, 200);
    let page = pool.page().await;
    assert!(page.status == 200 && page.text.contains("cannot be read by this version"), "{page:?}");
    let shown = pool.get("/v1/repos/acme/rocket").await.ok();
    let reasons = shown["budget"]["reasons"].to_string();
    assert!(shown["budget"]["throttled"] == true && reasons.contains("/v1/admin/policy"), "{shown}");
    assert_eq!(pool.get("/v1/repos").await.ok()["repos"].as_array().map(Vec::len), Some(2));
    pool.admin("policy", json!({ "repo": "acme/rocket", "policy": null })).await.ok();
    assert_eq!(pool.work(&rocket).await.len(), 1);
}

async fn a_cursor_that_was_made_up_is_refused(db: Db) {
    let pool = Pool::start(db).await;
    let tasks = "tasks None None None None None None";
    for (path, list, after) in [
        ("/v1/tasks", tasks, "t_\0"),
        ("/v1/repos", "repos", "acme/\0"),
        ("/v1/admin/comments", "comments dead", "5 r_1 7 no\0tes"),
        ("/v1/events", "events None None None", "\0"),
    ] {
        let path = format!("{path}?cursor={}", cursor::write(list, after));
        let answer = pool.send("GET", &path, &[("X-Admin-Token", ADMIN)], "").await;
        let problem = answer.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "cursor", "{problem}");
    }
    // The list's name is the right one: a cursor without NUL is one of its own.
    pool.get(&format!("/v1/tasks?cursor={}", cursor::write(tasks, "t_5"))).await.ok();
}
