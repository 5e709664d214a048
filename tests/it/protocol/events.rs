//! The event feed as pages: order, places, filters, who sees what, and that its page for people knows every kind.

use crate::protocol::sse::{bearer, each, meddle, numbered, operator};
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO, Worker};
use owp_engine::{FeedSettings, Settings};
use owp_pool::event::EventKind;
use serde_json::{Value, json};
use std::path::Path;

on_both!(
    the_feed_is_read_page_by_page_and_goes_on_where_it_ended,
    a_page_from_now_is_empty_and_the_next_tells_what_came_since,
    a_page_of_the_last_begins_so_many_events_before_the_end,
    events_are_found_by_repository_kind_and_task,
    a_page_goes_on_past_what_its_filters_hide,
    a_cursor_that_was_made_up_or_belongs_to_other_filters_is_refused,
    a_cursor_that_is_too_old_is_gone_and_says_how_to_go_on,
    everybody_sees_what_is_public_a_worker_itself_and_the_operator_all,
    what_turns_private_is_gone_from_the_feed,
);

const KEYS: [&str; 10] = ["at", "cursor", "data", "id", "kind", "lease_id", "repo", "seq", "task_id", "worker_id"];

async fn page(pool: &Pool, query: &str, headers: &[(String, String)]) -> Value {
    numbered(pool).await;
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pool.send("GET", &format!("/v1/events?{query}"), &headers, "").await.ok()
}

async fn events(pool: &Pool, query: &str, headers: &[(String, String)]) -> Vec<Value> {
    let page = page(pool, query, headers).await;
    assert_eq!(page["more"], false, "{page}");
    page["events"].as_array().unwrap().clone()
}

async fn kinds(pool: &Pool, query: &str, headers: &[(String, String)]) -> Vec<String> {
    each(&events(pool, query, headers).await, "kind")
}

/// A repository with a task that a worker took and finished.
async fn story(pool: &Pool) -> (Worker, String) {
    pool.repo(json!({})).await;
    let task = pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    pool.says(&worker, &task, "merged").await;
    (worker, task)
}

async fn the_feed_is_read_page_by_page_and_goes_on_where_it_ended(db: Db) {
    let pool = Pool::start(db).await;
    let (worker, task) = story(&pool).await;
    let all = events(&pool, "", &operator()).await;
    assert_eq!(
        each(&all, "kind"),
        ["budget.set", "task.created", "worker.registered", "lease.granted", "lease.ended", "task.merged"]
    );
    for event in &all {
        let mut keys: Vec<&String> = event.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, KEYS, "{event}");
    }
    assert_eq!((&all[2]["repo"], &all[2]["seq"], &all[2]["worker_id"]), (&Value::Null, &json!(1), &json!(worker.id)));
    assert_eq!((&all[3]["repo"], &all[3]["seq"], &all[3]["task_id"]), (&json!(REPO), &json!(3), &json!(task)));
    assert_eq!((&all[3]["at"], &all[3]["data"]["epoch"]), (&json!("2026-11-21T03:09:00Z"), &json!(1)), "{}", all[3]);
    assert!(all[3]["lease_id"].as_str().unwrap().starts_with("l_"));

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = page(&pool, &format!("limit=2{cursor}"), &operator()).await;
        seen.extend(page["events"].as_array().unwrap().clone());
        assert_eq!(page["more"], seen.len() < 6, "{page}");
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, all);
    let end = page(&pool, &cursor[1..], &operator()).await;
    assert_eq!((&end["events"], &end["more"]), (&json!([]), &json!(false)));
    assert_eq!(format!("&cursor={}", end["next_cursor"].as_str().unwrap()), cursor);
    pool.task("Two", json!({})).await;
    assert_eq!(kinds(&pool, &cursor[1..], &operator()).await, ["task.created"]);
    let after_third = format!("cursor={}", all[2]["cursor"].as_str().unwrap());
    assert_eq!(events(&pool, &after_third, &operator()).await[0], all[3], "every event is a place to go on from");
}

async fn a_page_from_now_is_empty_and_the_next_tells_what_came_since(db: Db) {
    let pool = Pool::start(db).await;
    story(&pool).await;
    let now = page(&pool, "from=now", &[]).await;
    assert_eq!((&now["events"], &now["more"]), (&json!([]), &json!(false)));
    pool.task("Two", json!({})).await;
    let since = events(&pool, &format!("cursor={}", now["next_cursor"].as_str().unwrap()), &[]).await;
    assert_eq!(each(&since, "kind"), ["task.created"]);
    let problem = pool.get("/v1/events?from=then").await.problem(422, "invalid-value");
    assert_eq!(problem["errors"][0]["field"], "from");
}

async fn a_page_of_the_last_begins_so_many_events_before_the_end(db: Db) {
    let pool = Pool::start(db).await;
    story(&pool).await;
    let kinds = async |query: &str, headers: &[(String, String)]| kinds(&pool, query, headers).await;
    assert_eq!(kinds("last=2", &[]).await, ["lease.ended", "task.merged"]);
    assert_eq!(
        kinds("last=4", &[]).await,
        ["task.created", "lease.granted", "lease.ended", "task.merged"],
        "not its own"
    );
    assert_eq!(kinds("last=4", &operator()).await[0], "worker.registered");
    assert_eq!(kinds("last=1&kind=lease.*", &[]).await, ["lease.ended"]);
    assert_eq!(kinds("last=100", &operator()).await.len(), 6, "as many as there are");
    let one = page(&pool, "last=3&limit=1", &[]).await;
    assert_eq!((&one["events"][0]["kind"], &one["more"]), (&json!("lease.granted"), &json!(true)));
    let cursor = one["next_cursor"].as_str().unwrap();
    assert_eq!(kinds(&format!("cursor={cursor}"), &[]).await, ["lease.ended", "task.merged"]);

    let tasks: Vec<Value> = (0..500).map(|n| json!({ "title": format!("Task {n}") })).collect();
    for _ in 0..2 {
        pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
    }
    let hidden = page(&pool, "last=1&kind=lease.*", &[]).await;
    assert_eq!(
        (&hidden["events"], &hidden["more"]),
        (&json!([]), &json!(false)),
        "it looks back so far and no further"
    );
    for query in [
        "last=0",
        "last=101",
        "last=x",
        "last=1&from=now",
        "last=1&from=oldest",
        "last=1&cursor=",
        "last=1&stream=1&cursor=x",
    ] {
        let problem = pool.get(&format!("/v1/events?{query}")).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "last", "{query}");
    }
}

async fn events_are_found_by_repository_kind_and_task(db: Db) {
    let pool = Pool::start(db).await;
    let (_, task) = story(&pool).await;
    pool.admin("repos", json!({ "repo": "Acme/Other" })).await.ok();
    let other = pool.task("Elsewhere", json!({ "repo": "acme/other" })).await;
    assert_eq!(kinds(&pool, "repo=ACME/other", &[]).await, ["budget.set", "task.created"]);
    assert_eq!(kinds(&pool, "kind=lease.*", &[]).await, ["lease.granted", "lease.ended"]);
    assert_eq!(kinds(&pool, "kind=task.created", &[]).await, ["task.created", "task.created"]);
    assert_eq!(
        kinds(&pool, &format!("task={task}"), &[]).await,
        ["task.created", "lease.granted", "lease.ended", "task.merged"]
    );
    assert_eq!(each(&events(&pool, "kind=task.*&repo=acme/other", &[]).await, "task_id"), [other]);
    assert_eq!(kinds(&pool, "task=t_none&repo=%20", &[]).await, [""; 0]);
    for (query, field) in [
        ("kind=lease", "kind"),
        ("kind=*", "kind"),
        ("kind=lease.gone", "kind"),
        ("limit=0", "limit"),
        ("stream=yes", "stream"),
        ("repo=%00", "repo"),
    ] {
        let problem = pool.get(&format!("/v1/events?{query}")).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let stream = [("Accept", "text/event-stream")];
    pool.send("GET", "/v1/events?kind=gone", &stream, "").await.problem(422, "invalid-value");
}

async fn a_page_goes_on_past_what_its_filters_hide(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let tasks: Vec<Value> = (0..400).map(|n| json!({ "title": format!("Task {n}") })).collect();
    for _ in 0..3 {
        pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
    }
    pool.admin("repos", json!({ "repo": "acme/other" })).await.ok();
    let first = page(&pool, "repo=acme/other", &[]).await;
    assert_eq!((&first["events"], &first["more"]), (&json!([]), &json!(true)), "a call looks at so many and no more");
    let next = format!("repo=acme/other&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(kinds(&pool, &next, &[]).await, ["budget.set"]);
}

async fn a_cursor_that_was_made_up_or_belongs_to_other_filters_is_refused(db: Db) {
    let pool = Pool::start(db).await;
    story(&pool).await;
    let first = page(&pool, "kind=task.*&limit=1", &[]).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    page(&pool, &format!("kind=task.*&limit=9&cursor={cursor}"), &operator()).await;
    for query in [
        format!("cursor={cursor}"),
        format!("kind=lease.*&cursor={cursor}"),
        format!("kind=task.*&repo={REPO}&cursor={cursor}"),
        "cursor=".to_owned(),
        "cursor=12".to_owned(),
        format!("cursor={}", "A".repeat(1_500)),
    ] {
        let problem = pool.get(&format!("/v1/events?{query}")).await.problem(422, "invalid-value");
        assert_eq!(problem["errors"][0]["field"], "cursor", "{query}");
    }
}

async fn a_cursor_that_is_too_old_is_gone_and_says_how_to_go_on(db: Db) {
    let feed = FeedSettings { replay: 3, ..FeedSettings::default() };
    let pool = Pool::start_as(db, None, Some(ADMIN), Settings { feed, ..Settings::default() }).await;
    let before = page(&pool, "from=now", &[]).await;
    pool.repo(json!({})).await;
    for n in 0..3 {
        pool.task(&format!("Task {n}"), json!({})).await;
    }
    numbered(&pool).await;
    let old = format!("/v1/events?cursor={}", before["next_cursor"].as_str().unwrap());
    let problem = pool.get(&old).await.problem(410, "cursor-expired");
    assert!(problem["detail"].as_str().unwrap().contains("from=now"), "{problem}");
    assert_eq!(pool.get("/problems/cursor-expired").await.status, 200);
    assert_eq!(kinds(&pool, "", &[]).await, ["task.created"; 3], "the oldest that are kept");
    let said = pool.get("/.well-known/owp").await.ok();
    assert_eq!(said["limits"]["events_replay"], 3);
    assert!(said["features"].as_array().unwrap().contains(&json!("events")));
    // A place that never was, as after a database was put back from a copy.
    let end = page(&pool, "from=now", &[]).await["next_cursor"].as_str().unwrap().to_owned();
    pool.get(&format!("/v1/events?cursor={end}")).await.ok();
    meddle(&pool, "UPDATE feed SET head = head - 1").await;
    pool.get(&format!("/v1/events?cursor={end}")).await.problem(410, "cursor-expired");
}

async fn everybody_sees_what_is_public_a_worker_itself_and_the_operator_all(db: Db) {
    let pool = Pool::start(db).await;
    let (worker, _) = story(&pool).await;
    let other = pool.worker(json!({})).await;
    meddle(&pool, "UPDATE repositories SET private = 1").await;
    pool.admin("repos", json!({ "repo": "acme/open" })).await.ok();
    assert_eq!(each(&events(&pool, "", &[]).await, "repo"), ["acme/open"]);
    let own = events(&pool, "", &bearer(&worker.token)).await;
    assert_eq!(each(&own, "kind"), ["worker.registered", "lease.granted", "lease.ended", "budget.set"]);
    assert_eq!(each(&own, "repo"), ["null", REPO, REPO, "acme/open"]);
    assert_eq!(kinds(&pool, "", &bearer(&other.token)).await, ["worker.registered", "budget.set"]);
    assert_eq!(kinds(&pool, &format!("repo={REPO}"), &[]).await, [""; 0], "as if there were none");
    assert_eq!(events(&pool, "", &operator()).await.len(), 8);
    for headers in [[("X-Admin-Token", "guessed")], [("Authorization", "Bearer owp_wrong")]] {
        pool.send("GET", "/v1/events", &headers, "").await.problem(401, "unauthorized");
    }
}

async fn what_turns_private_is_gone_from_the_feed(db: Db) {
    let pool = Pool::start(db).await;
    story(&pool).await;
    assert_eq!(events(&pool, "", &[]).await.len(), 5);
    meddle(&pool, "UPDATE repositories SET private = 1").await;
    let hidden = page(&pool, "", &[]).await;
    assert_eq!((&hidden["events"], &hidden["more"]), (&json!([]), &json!(false)));
    meddle(&pool, "UPDATE repositories SET private = 0").await;
    assert_eq!(events(&pool, "", &[]).await.len(), 5);
}

#[test]
fn the_page_about_events_tells_of_every_kind_once_and_of_no_other() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).unwrap();
    let told: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(kind, _)| kind)
        .filter(|kind| kind.contains('.'))
        .collect();
    let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(told, known, "left: docs/events.md, right: pool::event::EventKind");
}
