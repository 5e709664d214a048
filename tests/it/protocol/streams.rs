//! The event feed as streams: live, resumed, reset, silent, shut down, too many, on two replicas.

use crate::protocol::sse::{Stream, bearer, each, meddle, numbered, operator, resuming};
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{ADMIN, Pool, REPO};
use owp::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::Entropy;
use owp_engine::{FeedSettings, Settings};
use owp_pool::Span;
use owp_store::{Store, StoreOptions};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(
    a_stream_begins_now_and_tells_what_happens_in_order,
    a_stream_that_breaks_goes_on_without_gap_or_repetition,
    a_client_that_is_far_behind_catches_up_from_the_database,
    an_id_that_leads_nowhere_is_answered_by_a_reset,
    a_place_that_is_too_old_is_answered_by_a_reset,
    a_silent_stream_shows_that_it_lives_and_moves_its_place_past_what_is_hidden,
    streams_end_when_the_server_stops,
    so_many_streams_are_open_and_no_more,
    a_stream_shows_what_its_client_may_see_at_that_moment,
    a_worker_whose_access_is_taken_away_is_shown_out,
);

async fn with(db: Db, feed: FeedSettings) -> Pool {
    Pool::start_as(db, None, Some(ADMIN), Settings { feed, ..Settings::default() }).await
}

/// Returns the same events as a page shows them.
async fn all(pool: &Pool) -> Vec<Value> {
    numbered(pool).await;
    pool.send("GET", "/v1/events?limit=100", &[("X-Admin-Token", ADMIN)], "").await.ok()["events"]
        .as_array()
        .unwrap()
        .clone()
}

async fn a_stream_begins_now_and_tells_what_happens_in_order(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    numbered(&pool).await;
    let url = pool.running.url();
    let (mut everything, mut leases) =
        (Stream::open(&url, "", &operator()).await, Stream::open(&url, "kind=lease.*&stream=1", &[]).await);
    let task = pool.task("One", json!({})).await;
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    pool.says(&worker, &task, "merged").await;
    let told = everything.events(5).await;
    assert_eq!(
        each(&told, "kind"),
        ["task.created", "worker.registered", "lease.granted", "lease.ended", "task.merged"]
    );
    assert_eq!(told, all(&pool).await[1..], "the same as pages tell");
    assert_eq!(each(&leases.events(2).await, "kind"), ["lease.granted", "lease.ended"]);
    let mut oldest = Stream::open(&url, "from=oldest", &operator()).await;
    assert_eq!(oldest.events(6).await[1..], told);
    let page = pool.send("GET", "/v1/events?stream=0", &[("Accept", "text/event-stream")], "").await;
    assert_eq!(page.header("content-type"), "application/json");
}

async fn a_stream_that_breaks_goes_on_without_gap_or_repetition(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    numbered(&pool).await;
    let url = pool.running.url();
    let first = Stream::open(&url, "", &[]).await;
    let writes = async {
        for n in 0..40 {
            pool.task(&format!("Task {n}"), json!({})).await;
        }
    };
    let reads = async {
        let (mut stream, mut seen) = (first, Vec::new());
        while seen.len() < 40 {
            seen.extend(stream.events((40 - seen.len()).min(7)).await);
            // It hangs up in the middle of things; in a browser the id comes back by itself.
            let last = std::mem::take(&mut stream.last_id);
            drop(stream);
            stream = Stream::open(&url, "", &resuming(&last)).await;
        }
        (seen, stream.last_id)
    };
    let ((), (seen, last_id)) = futures_util::future::join(writes, reads).await;
    assert_eq!(seen, all(&pool).await[1..]);
    let mut by_query = Stream::open(&url, &format!("cursor={}", seen[37]["cursor"].as_str().unwrap()), &[]).await;
    assert_eq!(by_query.events(2).await, seen[38..]);
    let both = format!("cursor={}", seen[0]["cursor"].as_str().unwrap());
    let mut stream = Stream::open(&url, &both, &resuming(&last_id)).await;
    pool.task("The next", json!({})).await;
    assert_eq!(stream.events(1).await[0]["seq"], 42, "what was read last outweighs where it began");
}

async fn a_client_that_is_far_behind_catches_up_from_the_database(db: Db) {
    let pool = Pool::start(db).await;
    let mut slow = Stream::open(&pool.running.url(), "", &[]).await;
    let begin = slow.last_id.clone();
    drop(slow);
    pool.repo(json!({})).await;
    let tasks: Vec<Value> = (0..400).map(|n| json!({ "title": format!("Task {n}") })).collect();
    for _ in 0..3 {
        pool.admin("tasks/bulk", json!({ "repo": REPO, "tasks": tasks })).await.ok();
    }
    numbered(&pool).await;
    slow = Stream::open(&pool.running.url(), "", &resuming(&begin)).await;
    let seqs: Vec<i64> = slow.events(1_201).await.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=1_201).collect::<Vec<_>>());
}

/// Opens a stream that must begin with a reset for this reason, and gives what it tells after it.
async fn reset(pool: &Pool, query: &str, headers: &[(String, String)], reason: &str) -> Vec<Value> {
    let mut stream = Stream::open(&pool.running.url(), query, headers).await;
    let (name, data) = stream.event().await;
    assert_eq!(name, "reset");
    assert_eq!(data, json!({ "reason": reason, "cursor": stream.last_id }));
    pool.task("After the reset", json!({})).await;
    stream.events(1).await
}

async fn an_id_that_leads_nowhere_is_answered_by_a_reset(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    numbered(&pool).await;
    let url = pool.running.url();
    let of_leases = Stream::open(&url, "kind=lease.*", &[]).await.last_id;
    for (query, headers) in
        [("", resuming("made-up")), ("", resuming(&of_leases)), ("cursor=made-up", vec![]), ("cursor=", vec![])]
    {
        numbered(&pool).await;
        let after = reset(&pool, query, &headers, "cursor_unknown").await;
        assert_eq!(after[0]["kind"], "task.created", "it goes on from now");
    }
    let odd = vec![("Last-Event-ID".to_owned(), "\u{e9}".to_owned())];
    reset(&pool, "", &odd, "cursor_unknown").await;
}

async fn a_place_that_is_too_old_is_answered_by_a_reset(db: Db) {
    let pool = with(db, FeedSettings { replay: 5, ..FeedSettings::default() }).await;
    pool.repo(json!({})).await;
    numbered(&pool).await;
    let begin = Stream::open(&pool.running.url(), "", &[]).await.last_id;
    for n in 0..5 {
        pool.task(&format!("Task {n}"), json!({})).await;
    }
    numbered(&pool).await;
    let mut in_time = Stream::open(&pool.running.url(), "", &resuming(&begin)).await;
    assert_eq!(in_time.events(5).await[0]["seq"], 2);
    pool.task("One too many", json!({})).await;
    numbered(&pool).await;
    let after = reset(&pool, "", &resuming(&begin), "cursor_expired").await;
    assert_eq!(after[0]["seq"], 8, "what came between is not shown");
}

async fn a_silent_stream_shows_that_it_lives_and_moves_its_place_past_what_is_hidden(db: Db) {
    let pool = with(db, FeedSettings { heartbeat: Span(200), ..FeedSettings::default() }).await;
    let mut stream = Stream::open(&pool.running.url(), "kind=lease.*", &[]).await;
    let begin = stream.last_id.clone();
    let beat = stream.block().await.unwrap();
    assert!(beat.is_comment && beat.id.is_none() && beat.data.is_none(), "{beat:?}");
    pool.repo(json!({})).await;
    let began = Instant::now();
    while stream.last_id == begin {
        let beat = stream.block().await.unwrap();
        assert!(beat.is_comment && beat.event.is_none() && beat.data.is_none(), "{beat:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "the place does not move");
    }
    let page = pool.get(&format!("/v1/events?kind=lease.*&cursor={}", stream.last_id)).await.ok();
    assert_eq!(page["more"], false);
}

async fn streams_end_when_the_server_stops(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let url = pool.running.url();
    let mut streams = [Stream::open(&url, "", &[]).await, Stream::open(&url, "kind=lease.*", &operator()).await];
    let Pool { running, .. } = pool;
    let ends = async {
        for stream in &mut streams {
            while stream.block().await.is_some() {}
        }
    };
    let stopped = tokio::time::timeout(Duration::from_secs(5), futures_util::future::join(running.stop(), ends)).await;
    assert!(stopped.is_ok(), "the server hangs on open streams");
}

async fn so_many_streams_are_open_and_no_more(db: Db) {
    let most = FeedSettings { streams: 4, streams_per_token: 1, streams_per_address: 3, ..FeedSettings::default() };
    let pool = with(db, most).await;
    let worker = pool.worker(json!({})).await;
    let url = pool.running.url();
    let mine = Stream::open(&url, "", &bearer(&worker.token)).await;
    let refused = async |headers: Vec<(String, String)>| {
        let answer = Stream::ask(&url, "", &headers).await;
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "15");
        let status = answer.status().as_u16();
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, problem["type"].as_str().unwrap().to_owned(), problem["detail"].as_str().unwrap().to_owned())
    };
    let (status, kind, detail) = refused(bearer(&worker.token)).await;
    assert_eq!((status, kind.as_str()), (429, "/problems/too-many-streams"));
    assert!(detail.contains("One token may have 1 event stream"), "{detail}");
    let others = [Stream::open(&url, "", &operator()).await, Stream::open(&url, "", &[]).await];
    assert!(refused(vec![]).await.2.contains("One address may have 3 event streams"));
    pool.as_worker(&worker, "GET", "/v1/events", Value::Null).await.ok();
    // A client that leaves is noticed.
    drop((mine, others));
    let began = Instant::now();
    while Stream::ask(&url, "", &bearer(&worker.token)).await.status() != 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "its place is still taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_stream_shows_what_its_client_may_see_at_that_moment(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({})).await;
    let worker = pool.worker(json!({})).await;
    numbered(&pool).await;
    let url = pool.running.url();
    let (mut anybody, mut own, mut everything) = (
        Stream::open(&url, "", &[]).await,
        Stream::open(&url, "", &bearer(&worker.token)).await,
        Stream::open(&url, "", &operator()).await,
    );
    let begin = anybody.last_id.clone();
    let task = pool.task("Public still", json!({})).await;
    pool.work(&worker).await;
    for stream in [&mut anybody, &mut own, &mut everything] {
        assert_eq!(each(&stream.events(2).await, "kind"), ["task.created", "lease.granted"]);
    }
    meddle(&pool, "UPDATE repositories SET private = 1").await;
    // The server looks every second at what others changed in its database.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    pool.says(&worker, &task, "merged").await;
    pool.admin("repos", json!({ "repo": "acme/open" })).await.ok();
    assert_eq!(each(&anybody.events(1).await, "repo"), ["acme/open"]);
    assert_eq!(each(&own.events(2).await, "kind"), ["lease.ended", "budget.set"]);
    assert_eq!(each(&everything.events(3).await, "kind"), ["lease.ended", "task.merged", "budget.set"]);
    let mut again = Stream::open(&url, "", &resuming(&begin)).await;
    assert_eq!(each(&again.events(1).await, "repo"), ["acme/open"], "nor is what was public remembered for anybody");
}

async fn a_worker_whose_access_is_taken_away_is_shown_out(db: Db) {
    let pool = Pool::start(db).await;
    let worker = pool.worker(json!({})).await;
    numbered(&pool).await;
    let mut stream = Stream::open(&pool.running.url(), "kind=lease.*", &bearer(&worker.token)).await;
    pool.as_worker(&worker, "DELETE", "/v1/workers/me", Value::Null).await.ok();
    assert_eq!(stream.block().await, None, "though its filter hides the reason");
    let answer = Stream::ask(&pool.running.url(), "", &bearer(&worker.token)).await;
    assert_eq!(answer.status(), 401);
}

/// A second server on the same database.
async fn replica(pool: &Pool) -> Running {
    let options =
        StoreOptions { url: pool.database.url.clone(), clock: pool.clock.clone(), entropy: Entropy::system() };
    let started = start(ServeOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        store: Store::open(options).await.unwrap(),
        github: None,
        settings: Settings::default(),
        admin_token: Some(ADMIN.into()),
        demo: None,
    });
    started.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_one_replica_tells_what_another_wrote() {
    let pool = Pool::start(Db::Postgres).await;
    pool.repo(json!({})).await;
    numbered(&pool).await;
    let other = replica(&pool).await;
    let mut stream = Stream::open(&other.url(), "", &[]).await;
    let tasks = async {
        for n in 0..20 {
            pool.task(&format!("Task {n}"), json!({})).await;
        }
    };
    let ((), told) = futures_util::future::join(tasks, stream.events(20)).await;
    assert_eq!(told, all(&pool).await[1..], "each once, in order");
    // And goes on there where it was here.
    let mut moved = Stream::open(&pool.running.url(), "", &resuming(told[14]["cursor"].as_str().unwrap())).await;
    assert_eq!(moved.events(5).await, told[15..]);
    drop((stream, moved));
    other.stop().await;
}
