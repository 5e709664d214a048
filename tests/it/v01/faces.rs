//! Health, the overview and its files, and what every answer carries.

use crate::support::database::Db;
use crate::support::pool::{ADMIN, Pool};
use serde_json::json;

#[tokio::test]
async fn the_server_says_that_it_lives_and_is_ready() {
    let pool = Pool::start(Db::Sqlite).await;
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(pool.get(path).await.ok(), json!({ "ok": true }), "{path}");
    }
}

#[tokio::test]
async fn without_an_admin_token_admin_calls_are_closed_and_say_how_to_open_them() {
    let pool = Pool::start_with(Db::Sqlite, None, None).await;
    for token in [ADMIN, ""] {
        let answer = pool.send("GET", "/v1/admin/state", &[("X-Admin-Token", token)], "").await;
        let problem = answer.problem(401, "unauthorized");
        assert!(problem["detail"].as_str().unwrap().contains("OWP_ADMIN_TOKEN"), "{problem}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_headers_that_protect_a_browser() {
    let pool = Pool::start(Db::Sqlite).await;
    for path in ["/", "/healthz", "/nothing"] {
        let answer = pool.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
    let answer = pool.send("GET", "/healthz", &[("X-Request-Id", "from-the-proxy-1")], "").await;
    assert_eq!(answer.header("x-request-id"), "from-the-proxy-1");
    let answer = pool.send("GET", "/healthz", &[("X-Request-Id", "<script>")], "").await;
    assert_eq!(answer.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn the_overview_shows_the_pool_and_escapes_what_people_wrote() {
    let pool = Pool::start(Db::Sqlite).await;
    assert!(pool.page().await.text.contains("No repository yet"));
    pool.admin("repos", json!({ "repo": "acme/<script>alert(1)</script>", "max_open_prs": 1 })).await.ok();
    let task = json!({ "repo": "acme/<script>alert(1)</script>", "title": "t" });
    pool.admin("tasks", task.clone()).await.ok();
    pool.admin("tasks", task).await.ok();
    let worker = pool.worker(json!({})).await;
    pool.work(&worker).await;
    let page = pool.page().await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let text = &page.text;
    assert!(text.contains("acme/&lt;script&gt;") && !text.contains("<script>alert"), "{text}");
    assert!(text.contains("1 of 1 slots taken") && text.contains("1 lease without a pull request"), "{text}");
    assert!(text.contains("● Full") && text.contains("The only review slot is taken"), "{text}");
    assert!(text.contains("<dt>workers online</dt><dd>1</dd>"), "{text}");
    assert!(text.contains("Handed out ("), "{text}");
    assert!(!text.contains("worker registered"), "what belongs to no repository is the operator's: {text}");
    assert!(text.contains("http-equiv=\"refresh\""), "{text}");
    assert!(!text.contains(&worker.token), "a token is shown to nobody else");
}

#[tokio::test]
async fn the_pages_files_are_there_and_so_is_the_page_behind_a_problem() {
    let pool = Pool::start(Db::Sqlite).await;
    let page = pool.page().await.text;
    let mut seen = 0;
    for address in page.split('"').filter(|part| part.starts_with("/static/")) {
        let file = pool.get(address).await;
        assert_eq!(file.status, 200, "{address}");
        assert!(file.header("cache-control").contains("immutable"), "{file:?}");
        let again = pool.send("GET", address, &[("If-None-Match", file.header("etag"))], "").await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        seen += 1;
    }
    assert_eq!(seen, 3);
    pool.get("/static/../Cargo.toml").await.problem(404, "unknown-path");
    pool.get("/static/none.css").await.problem(404, "unknown-path");
    let problem = pool.get("/v1/work").await.problem(401, "unauthorized");
    let explained = pool.get(problem["type"].as_str().unwrap()).await;
    assert!(explained.status == 200 && explained.text.contains("Authorization: Bearer"), "{explained:?}");
    pool.get("/problems/none").await.problem(404, "unknown-path");
}

#[tokio::test]
async fn people_are_shown_a_page_where_programs_get_a_problem() {
    let pool = Pool::start(Db::Sqlite).await;
    let browser = [("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    for (path, status) in [("/nothing/<b>here</b>", 404), ("/v1/tasks/t_none", 404), ("/v1/work", 401)] {
        let page = pool.send("GET", path, &browser, "").await;
        assert_eq!((page.status, page.header("content-type")), (status, "text/html; charset=utf-8"), "{path}");
        assert!(page.text.contains("<h1>") && page.text.contains("href=\"/\""), "{}", page.text);
        assert!(!page.text.contains("<b>"), "what was asked for is escaped: {}", page.text);
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{page:?}");
        for program in [&[][..], &[("Accept", "*/*")], &[("Accept", "application/json")]] {
            let answer = pool.send("GET", path, program, "").await;
            assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{path}");
        }
    }
    let posted = pool.send("POST", "/v1/workers/register", &browser, "[]").await;
    posted.problem(422, "malformed-body");
}
