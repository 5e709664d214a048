//! The operator's pages over HTTP: imports, deliveries that were given up, audit logs, and nothing of it for others.

use super::sign_in::{Bench, Browser, Shown};
use crate::protocol::sse::meddle;
use serde_json::json;
use std::time::Duration;

const FILE: &str = "repo: acme/attic\r\ntasks:\r\n  - id: a\r\n    title: <b>Sweep</b>\r\n  - id: b\r\n    title: Dust\r\n    tier: 1\r\n";

async fn operator() -> (Bench, Browser) {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.until_served().await;
    bench.pool.admin("repos", json!({ "repo": "acme/attic", "max_open_prs": 5 })).await.ok();
    let browser = bench.browser();
    browser.sign_in_as_operator().await;
    (bench, browser)
}

/// Sends the form of the import.
async fn import(browser: &Browser, text: &str, what: &str) -> Shown {
    let form = browser.form_value("/").await;
    browser.post("/import", &[("form", &form), ("text", text), ("repo", ""), ("do", what)]).await
}

async fn titles(bench: &Bench) -> Vec<String> {
    let tasks = bench.pool.get("/v1/tasks?repo=acme/attic&limit=100").await.ok();
    tasks["tasks"].as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tasks_of_a_file_are_shown_before_they_are_added_and_added_once() {
    let (bench, browser) = operator().await;
    let shown = import(&browser, FILE, "preview").await;
    assert!(shown.status == 200 && shown.text.contains("2 new tasks"), "{}", shown.text);
    assert!(shown.text.contains("&lt;b&gt;Sweep&lt;/b&gt;") && shown.text.contains("Add 2 tasks"), "{}", shown.text);
    assert!(titles(&bench).await.is_empty(), "a preview adds nothing");

    let added = import(&browser, FILE, "add").await;
    assert_eq!((added.status, added.location.as_str()), (303, "/tasks?repo=acme%2Fattic"), "{}", added.text);
    let told = browser.get(&added.location).await.text;
    assert!(told.contains("2 tasks were added to acme/attic. Tier 1 has no effect in this repository"), "{told}");
    assert_eq!(titles(&bench).await.len(), 2);

    let again = import(&browser, &format!("{FILE}  - {{ id: c, title: Air }}\r\n"), "preview").await.text;
    assert!(again.contains("1 new task<") && again.contains("2 tasks are there already and do not change"), "{again}");
    let told = browser.get(&import(&browser, FILE, "add").await.location).await.text;
    assert!(told.contains("0 tasks were added to acme/attic; 2 were there already."), "{told}");

    let many: String = (0..1_100).map(|n| format!("  - {{ id: n{n}, title: Number {n} }}\n")).collect();
    let told = browser.get(&import(&browser, &format!("repo: acme/attic\ntasks:\n{many}"), "add").await.location).await;
    assert!(told.text.contains("1100 tasks were added"), "more than one call takes: {}", told.text);
}

#[tokio::test]
async fn what_was_entered_for_an_import_is_shown_again_with_every_error() {
    let (bench, browser) = operator().await;
    let keeps = |shown: &Shown, status: u16, why: &str| {
        assert!(shown.status == status && shown.text.contains(why), "{} {}", shown.status, shown.text);
        assert!(shown.text.contains("mine, unsaved"), "{}", shown.text);
    };
    let fault = "repo: acme/attic\r\ntasks:\r\n  - id: a\r\n    title: mine, unsaved\r\n    tier: 9\r\n";
    let shown = import(&browser, fault, "add").await;
    keeps(&shown, 422, "line 5, column 11: <code>tasks[0].tier</code> must be a whole number from 0 to 3");
    let good = |repo: &str| format!("repo: {repo}\ntasks: [{{ id: a, title: 'mine, unsaved' }}]\n");
    keeps(&import(&browser, &good("acme/none"), "add").await, 422, "names no repository of this pool");
    keeps(&import(&browser, &good("acme/rocket"), "add").await, 422, "is served by the GitHub App");

    let form = [("form", "made-up"), ("text", &good("acme/attic")), ("do", "add")];
    keeps(&browser.post("/import", &form).await, 403, "The form was from an earlier session");
    let large = format!("# {}\n", "mine, unsaved".repeat(100_000));
    keeps(&import(&browser, &large, "preview").await, 413, "larger than this page takes (1 MiB)");
    let huge = "x".repeat(4 * 1024 * 1024);
    let refused = import(&browser, &huge, "preview").await;
    assert!(refused.status == 413 && refused.text.contains("Go back in the browser"), "{}", refused.text);
    let many: String = (0..2_001).map(|n| format!("  - {{ id: n{n}, title: t }}\n")).collect();
    let refused = import(&browser, &format!("repo: acme/attic\ntasks:\n{many}"), "add").await;
    assert!(refused.status == 422 && refused.text.contains("this page takes 2000"), "{}", refused.text);

    meddle(&bench.pool, "DELETE FROM sessions").await;
    let form = [("form", "any"), ("text", &good("acme/attic")), ("do", "add")];
    keeps(&browser.post("/import", &form).await, 401, "Your session has ended. Nothing was changed.");
    assert!(titles(&bench).await.is_empty(), "none of them added anything");
}
