//! The OpenAPI description: it is the committed one, it lists every route, and every example of it works against the
//! running server and is answered as described.

use crate::protocol::sse::meddle;
use crate::support::database::Db;
use crate::support::pool::{ADMIN, Answer, Pool, REPO, Worker};
use serde_json::{Value, json};
use std::path::Path;

/// Pages and files for people, the tools for AI, and what GitHub alone calls.
const NOT_OF_THE_API: [&str; 10] = [
    "/",
    "/static/{name}",
    "/problems/{name}",
    "/setup",
    "/setup/done",
    "/docs",
    "/openapi.json",
    "/schemas/{name}",
    "/github/webhooks",
    "/mcp",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

#[tokio::test]
async fn the_committed_description_is_the_servers_own() {
    let pool = Pool::start(Db::Sqlite).await;
    let served = pool.get("/openapi.json").await;
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    std::fs::write(&fresh, &served.text).unwrap();
    assert!(
        served.text == read("docs/openapi.json"),
        "docs/openapi.json is not what the server answers at /openapi.json: cp {} docs/openapi.json",
        fresh.display()
    );
}

/// True when a described path is served by a route, part by part.
fn serves(route: &str, path: &str) -> bool {
    let (mut parts, mut wanted) = (path.split('/'), route.split('/'));
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(any), Some(_)) if any.starts_with("{*") => return true,
            (Some(any), Some(part)) if any == part || any.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else_is() {
    let pool = Pool::start(Db::Sqlite).await;
    let described: Vec<(String, String)> = operations(&pool.get("/openapi.json").await.ok())
        .into_iter()
        .map(|operation| (operation.method, operation.path))
        .collect();
    let source = read("crates/owp-server/src/http/mod.rs");
    let mut routes = Vec::new();
    for route in source.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').unwrap();
        let method = rest.trim_start_matches([',', ' ', '\n']).split('(').next().unwrap();
        if !NOT_OF_THE_API.contains(&path) {
            routes.push((method.to_owned(), path.to_owned()));
        }
    }
    assert!(routes.len() > 20, "{routes:?}");
    for (method, route) in &routes {
        let found = described.iter().any(|(m, path)| m == method && serves(route, path));
        assert!(
            found,
            "{method} {route} is not in the description: add it to a table in crates/owp-server/src/http/openapi/"
        );
    }
    for (method, path) in &described {
        let found = routes.iter().any(|(m, route)| m == method && serves(route, path));
        assert!(found, "{method} {path} is described, and no route serves it");
    }
    assert!(serves("/v1/repos/{*name}", "/v1/repos/{owner}/{name}") && !serves("/v1/tasks", "/v1/tasks/{id}"));
}

struct Described {
    method: String,
    path: String,
    operation: Value,
}

fn operations(description: &Value) -> Vec<Described> {
    let mut found = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push(Described { method: method.clone(), path: path.clone(), operation: operation.clone() });
        }
    }
    found
}

/// A pool with something behind every id the examples name.
struct Stage {
    pool: Pool,
    worker: Worker,
    task: String,
    lease: String,
    free: String,
}

/// A comment that can be tried again.
const GIVEN_UP: &str =
    "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, error, died_at)
    SELECT id, 12, 'notes', 'Said on 12', 1, 'dead', 0, 0, 'refused', 1 FROM repositories";

/// The worker is octocat's, and the example's code was given to it once more; the digest is the code's SHA-256.
const TO_CONFIRM: [&str; 3] = [
    "INSERT INTO people (person, github_id, login) VALUES ('gh:7', 7, 'octocat')",
    "UPDATE workers SET person = 'gh:7'",
    "INSERT INTO link_codes (code_hash, worker_id, handle_key, expires_at)
        SELECT '4481fb99776405e5b89252d8c063f16ad9d2fdbdcdc749dcd32189c7bc57e0cc', id, 'octocat', 9000000000000 FROM workers",
];

impl Stage {
    async fn set() -> Self {
        let pool = Pool::start(Db::Sqlite).await;
        pool.repo(json!({})).await;
        let task = pool.task("Parse dates", json!({ "x_ticket": 1 })).await;
        let worker = pool.worker(json!({})).await;
        let lease = pool.work(&worker).await[0]["lease_id"].as_str().unwrap().to_owned();
        let free = pool.task("Nobody's yet", json!({})).await;
        meddle(&pool, GIVEN_UP).await;
        pool.admin("repos", json!({ "repo": "acme/attic" })).await.ok();
        Self { pool, worker, task, lease, free }
    }

    /// The example of an operation as a caller would send it, with ids that exist.
    async fn run(&self, described: &Described) -> Answer {
        let (mut path, mut query) = (described.path.clone(), String::new());
        for param in described.operation["parameters"].as_array().into_iter().flatten() {
            let name = param["name"].as_str().unwrap();
            let example = match &param["example"] {
                Value::String(text) => text.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            let known = match (name, &example[..example.len().min(2)]) {
                ("id", "t_") if path.ends_with("/claim") || path.ends_with("/reopen") => &self.free,
                ("id", "t_") => &self.task,
                ("id", "l_") => &self.lease,
                ("id" | "worker", "w_") => &self.worker.id,
                _ => &example,
            };
            match param["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), known),
                "query" => query.push_str(&format!("&{name}={known}")),
                other => panic!("an example of a parameter in {other}"),
            }
        }
        let body = &described.operation["requestBody"]["content"]["application/json"]["example"];
        let bearer = format!("Bearer {}", self.worker.token);
        let security = described.operation["security"].as_array().unwrap();
        let headers = match security.as_slice() {
            [one] if one.get("worker").is_some() => vec![("Authorization", bearer.as_str())],
            [one] if one.get("operator").is_some() => vec![("X-Admin-Token", ADMIN)],
            _ => vec![],
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.pool.send(&described.method.to_uppercase(), &format!("{path}?{query}"), &headers, body).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_works_and_is_answered_as_described() {
    let stage = Stage::set().await;
    let description = stage.pool.get("/openapi.json").await.ok();
    let all = operations(&description);
    assert!(all.len() > 20, "{}", all.len());
    for described in &all {
        let name = format!("{} {}", described.method, described.path);
        // A stage of its own, because some calls end what others need.
        let stage = Stage::set().await;
        if described.path.ends_with("/confirm") {
            for sql in TO_CONFIRM {
                meddle(&stage.pool, sql).await;
            }
        }
        let body = &described.operation["requestBody"]["content"]["application/json"];
        if !body.is_null() {
            matches(&description, &body["schema"], &body["example"], &name);
        }
        let answer = stage.run(described).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let content = described.operation["responses"]["200"]["content"].as_object().unwrap();
        let (media_type, described) = content.iter().next().unwrap();
        assert!(answer.header("content-type").starts_with(media_type.as_str()), "{name}: {answer:?}");
        match media_type.as_str() {
            "application/json" => matches(&description, &described["schema"], &answer.json(), &name),
            "application/x-ndjson" => {
                let line = answer.text.lines().next().unwrap();
                matches(&description, &described["schema"], &serde_json::from_str(line).unwrap(), &name);
            }
            _ => assert!(!answer.text.is_empty(), "{name}"),
        }
    }
}

/// Asserts that a value is of a schema of the description.
fn matches(description: &Value, schema: &Value, value: &Value, name: &str) {
    let mut whole = schema.as_object().unwrap().clone();
    whole.insert("components".to_owned(), description["components"].clone());
    let validator = jsonschema::validator_for(&Value::Object(whole)).unwrap();
    let wrong: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{name}: {value} is not as described: {wrong:?}");
}

#[tokio::test]
async fn what_is_wrong_is_answered_as_described_too() {
    let pool = Pool::start(Db::Sqlite).await;
    let description = pool.get("/openapi.json").await.ok();
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    for answer in [
        pool.get("/v1/work").await,
        pool.get(&format!("/v1/repos/{REPO}")).await,
        pool.register(json!({ "name": "" })).await,
        pool.register(json!({ "name": 5 })).await,
    ] {
        assert!(answer.status >= 400);
        matches(&description, &problem, &answer.json(), "a problem");
    }
}

#[tokio::test]
async fn what_the_description_forbids_is_refused() {
    let pool = Pool::start(Db::Sqlite).await;
    pool.repo(json!({})).await;
    let description = pool.get("/openapi.json").await.ok();
    let operator = [("X-Admin-Token", ADMIN)];
    for path in [
        "/v1/tasks?state=",
        "/v1/tasks?cursor=",
        "/v1/tasks?limit=",
        "/v1/events?stream=",
        "/v1/events?from=",
        "/v1/events?last=",
        "/v1/admin/comments?state=",
        "/v1/admin/policy",
        "/v1/admin/policy?repo=",
        "/v1/admin/audit?repo=%00",
        "/v1/admin/tasks/t_1/why",
    ] {
        pool.send("GET", path, &operator, "").await.problem(422, "invalid-value");
        let described = match path.split('?').next().unwrap() {
            "/v1/admin/tasks/t_1/why" => "/v1/admin/tasks/{id}/why",
            path => path,
        };
        assert!(!description["paths"][described]["get"]["responses"]["422"].is_null(), "{path}");
    }
    for (path, name) in [("/v1/admin/policy", "repo"), ("/v1/admin/tasks/{id}/why", "worker")] {
        let params = description["paths"][path]["get"]["parameters"].as_array().unwrap();
        assert!(params.iter().any(|param| param["name"] == name && param["required"] == true), "{path}");
    }
    for capabilities in [json!([]), json!([true]), json!({ "supports_tool": [" "] })] {
        let answer = pool.register(json!({ "name": "w", "capabilities": capabilities })).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    let array = json!({ "repo": REPO, "policy": [] });
    pool.admin("policy", array).await.problem(422, "malformed-body");
    let report = json!({ "status": "in_progress", "artifact": [] });
    let worker = pool.worker(json!({})).await;
    pool.report(&worker, "t_1", report).await.problem(422, "malformed-body");
}

#[tokio::test]
async fn people_read_the_same_on_a_page_and_programs_every_shape() {
    let pool = Pool::start(Db::Sqlite).await;
    let page = pool.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let description = pool.get("/openapi.json").await.ok();
    for described in operations(&description) {
        let heading = format!("{} {}", described.method.to_uppercase(), described.path);
        assert!(page.text.contains(&heading), "{heading}");
    }
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "nothing comes from elsewhere");
    for name in description["components"]["schemas"].as_object().unwrap().keys() {
        let schema = pool.get(&format!("/schemas/{name}")).await.ok();
        assert!(jsonschema::validator_for(&schema).is_ok(), "{name}");
    }
    pool.get("/schemas/none").await.problem(404, "unknown-path");
}
