//! Hostile texts over HTTP: what was sent comes back letter by letter in well-formed JSON, on every face that shows it; the
//! dashboard shows it as text.

use crate::protocol::sse::{Stream, numbered, operator};
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, REPO, Worker};
use owp_pool::text::{is_hidden, tidy_line};
use owp_testing::hostile::corpus;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

on_both!(hostile_texts_come_back_letter_by_letter, the_pages_show_hostile_texts_as_text);

/// A task that carries one of the texts, as it was sent.
struct Sent {
    name: &'static str,
    task: String,
    title: String,
    description: String,
}

/// Adds a task for every text that may be sent; the others are refused and say why.
async fn send_all(pool: &Pool) -> Vec<Sent> {
    pool.repo(json!({ "max_open_prs": 100 })).await;
    let mut sent = Vec::new();
    for (name, text) in corpus() {
        let (title, description): (String, String) = (text.chars().take(300).collect(), text);
        let body = json!({ "repo": REPO, "title": title, "description": description });
        let answer = pool.admin("tasks", body).await;
        if title.trim().is_empty() || description.contains('\0') {
            let problem = answer.problem(422, "invalid-value");
            assert!(["title", "description"].contains(&problem["errors"][0]["field"].as_str().unwrap()), "{problem}");
            continue;
        }
        let task = answer.ok()["task_id"].as_str().unwrap().to_owned();
        sent.push(Sent { name, task, title, description });
    }
    assert!(sent.len() >= 80, "{}", sent.len());
    sent
}

async fn hostile_texts_come_back_letter_by_letter(db: Db) {
    let pool = Pool::start(db).await;
    let sent = send_all(&pool).await;
    let by_id: BTreeMap<&str, &Sent> = sent.iter().map(|sent| (sent.task.as_str(), sent)).collect();
    for one in &sent {
        let shown = well_formed(&pool.get(&format!("/v1/tasks/{}", one.task)).await.text);
        assert_eq!(
            (&shown["title"], &shown["description"]),
            (&json!(one.title), &json!(one.description)),
            "{}",
            one.name
        );
    }
    let (mut listed, mut cursor) = (0, String::new());
    loop {
        let page = well_formed(&pool.get(&format!("/v1/tasks?limit=20{cursor}")).await.text);
        for task in page["tasks"].as_array().unwrap() {
            let one = by_id[task["id"].as_str().or(task["task_id"].as_str()).unwrap()];
            assert_eq!(task["title"], one.title, "{}", one.name);
            listed += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, sent.len());
    let said = work_through(&pool, &by_id).await;
    assert_eq!(said.len(), sent.len(), "every task was handed out");
    told_in_events(&pool, &said).await;
}

/// Workers with hostile names take every task, and say hostile things of it. What was said, by task.
async fn work_through(pool: &Pool, by_id: &BTreeMap<&str, &Sent>) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    while said.len() < by_id.len() {
        let name: String = by_id.values().nth(said.len()).unwrap().title.chars().take(120).collect();
        let worker = pool.worker(json!({ "name": name, "capacity_points": 100, "max_concurrent_tasks": 20 })).await;
        let me = well_formed(&pool.as_worker(&worker, "GET", "/v1/workers/me", Value::Null).await.text);
        assert_eq!(me["name"], name);
        let work = well_formed(&pool.as_worker(&worker, "GET", "/v1/work", Value::Null).await.text);
        let leases = work["leases"].as_array().unwrap();
        assert!(!leases.is_empty(), "{} of {} tasks were handed out", said.len(), by_id.len());
        for lease in leases {
            let one = by_id[lease["task_id"].as_str().unwrap()];
            assert_eq!(
                (&lease["title"], &lease["description"]),
                (&json!(one.title), &json!(one.description)),
                "{}",
                one.name
            );
            said.insert(one.task.clone(), report(pool, &worker, one).await);
        }
    }
    said
}

async fn report(pool: &Pool, worker: &Worker, one: &Sent) -> String {
    let message: String = one.description.chars().take(4_000).collect();
    let report = json!({ "status": "in_progress", "message": message });
    pool.report(worker, &one.task, report).await.ok();
    pool.report(worker, &one.task, json!({ "status": "merged" })).await.ok();
    message
}

/// The audit export, the pages and the stream of events all tell what was said.
async fn told_in_events(pool: &Pool, said: &BTreeMap<String, String>) {
    numbered(pool).await;
    let export = pool.admin(&format!("audit?repo={REPO}"), Value::Null).await.text;
    let lines: Vec<Value> = export.trim_end().split('\n').map(well_formed).collect();
    assert_eq!(lines.last().unwrap()["verified"], true);
    let told = |events: &[Value], data: &str| -> BTreeMap<String, String> {
        let reports = events.iter().filter(|event| event["kind"] == "task.reported");
        let words = |event: &Value| (text(&event["task_id"]), text(&event[data]["message"]));
        reports.map(words).filter(|(_, message)| !message.is_empty()).collect()
    };
    let expected: BTreeMap<String, String> = said
        .iter()
        .filter(|(_, message)| !message.is_empty())
        .map(|(task, said)| (task.clone(), said.clone()))
        .collect();
    assert_eq!(told(&lines, "payload"), expected);

    let header = operator();
    let header: Vec<(&str, &str)> = header.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = pool.send("GET", "/v1/events?kind=task.reported&limit=100", &header, "").await;
    let page = well_formed(&page.text);
    assert_eq!(page["more"], false);
    assert_eq!(told(page["events"].as_array().unwrap(), "data"), expected);
    let mut stream = Stream::open(&pool.running.url(), "kind=task.reported&from=oldest", &operator()).await;
    let streamed = stream.events(page["events"].as_array().unwrap().len()).await;
    assert_eq!(told(&streamed, "data"), expected);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// JSON without a raw control character.
fn well_formed(text: &str) -> Value {
    assert!(!text.chars().any(|c| c.is_ascii_control()), "{text:?}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

async fn the_pages_show_hostile_texts_as_text(db: Db) {
    let pool = Pool::start(db).await;
    pool.repo(json!({ "max_open_prs": 100 })).await;
    // What a page of plain texts is made of, with and without a free slot.
    let tasks = [pool.task("One", json!({ "description": "A text" })).await, pool.task("Two", json!({})).await];
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    let mut plain = tags(&pool.page().await.text);
    let mut plain_task = BTreeSet::new();
    for task in &tasks {
        plain_task.extend(tags(&pool.get(&format!("/tasks/{task}")).await.text));
    }
    pool.repo(json!({ "max_open_prs": 0 })).await;
    plain.extend(tags(&pool.page().await.text));
    for task in &tasks {
        pool.says(&worker, task, "merged").await;
    }
    plain.extend(tags(&pool.page().await.text));
    let sent = send_all(&pool).await;
    let names: BTreeMap<&str, &Sent> = sent.iter().map(|sent| (sent.task.as_str(), sent)).collect();
    let mut seen = BTreeSet::new();
    // The page shows the last thirty events: a few tasks are taken at a time, and the page is read in between.
    while seen.len() < names.len() {
        let worker = pool.worker(json!({ "capacity_points": 10, "max_concurrent_tasks": 10 })).await;
        let taken = pool.work_ids(&worker).await;
        let page = pool.page().await.text;
        for task in &taken {
            let one = names[task.as_str()];
            let shown = format!(r#"href="/tasks/{task}">{}</a>"#, escaped(&tidy_line(&one.title, 80)));
            assert!(page.contains(&shown), "{}: {shown} in {page}", one.name);
            let alone = pool.get(&format!("/tasks/{task}")).await.text;
            let title = format!("<h1>{}</h1>", escaped(&tidy_line(&one.title, 150)));
            assert!(alone.contains(&title), "{}: {title} in {alone}", one.name);
            assert!(!alone.chars().any(|c| is_hidden(c) && c != '\n'), "{alone:?}");
            assert_eq!(tags(&alone).difference(&plain_task).next(), None, "{}", one.name);
            seen.insert(task.clone());
        }
        assert!(!page.chars().any(|c| is_hidden(c) && c != '\n'), "{page:?}");
        let (found, strange) = (tags(&page), "a tag that plain texts do not have");
        assert_eq!(found.difference(&plain).next(), None, "{strange}");
        for task in taken {
            pool.says(&worker, &task, "merged").await;
        }
    }
}

/// Every tag of a page, as its name and the names of its attributes; their values may hold anything.
fn tags(page: &str) -> BTreeSet<String> {
    let shape = |tag: &str| {
        // Odd pieces between quotation marks are values.
        let names: String = tag.split('"').step_by(2).collect();
        names.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    page.split('<').skip(1).map(|rest| shape(rest.split('>').next().unwrap_or_default())).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
