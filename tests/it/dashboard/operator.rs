//! The operator's pages over HTTP: imports, deliveries that were given up, audit logs, and nothing of it for others.

use super::sign_in::{Bench, Browser, Shown};
use crate::protocol::sse::meddle;
use serde_json::{Value, json};
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

async fn events(bench: &Bench, kind: &str) -> Vec<Value> {
    let page = bench.pool.admin(&format!("audit?kind={kind}"), Value::Null).await;
    let lines = page.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
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

#[tokio::test]
async fn a_delivery_that_was_given_up_is_processed_again_by_the_operator_alone() {
    let (bench, browser) = operator().await;
    let unreadable = "INSERT INTO deliveries (id, event, order_key, payload, received_at, state, due_at)
        SELECT 'd-1', 'issues', 'repo:' || github_id, 'no JSON', 0, 'pending', 0 FROM repositories WHERE name = 'acme/rocket'";
    meddle(&bench.pool, unreadable).await;
    let given_up = async |times: usize| {
        for _ in 0..600 {
            if events(&bench, "delivery.dead").await.len() == times {
                return browser.get("/operations").await.text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it was not given up {times} times");
    };
    let listed = given_up(1).await;
    assert!(listed.contains("Process again") && listed.contains("<code>d-1</code>"), "{listed}");
    assert!(browser.get("/").await.text.contains("/operations#deliveries"), "the overview leads there");

    let mona = bench.browser();
    mona.get(&mona.at_github("mona").await).await;
    let delivery = [("delivery", "d-1")];
    let refused = mona.act_with("", "/", "process-again", &delivery).await.text;
    assert!(refused.contains("Only the operator can do that."), "{refused}");
    let stranger = bench.browser().act_with("", "/", "process-again", &delivery).await;
    assert_eq!(stranger.status, 401, "{}", stranger.text);
    assert!(events(&bench, "delivery.retried").await.is_empty());

    let done = browser.act_with("", "/operations", "process-again", &delivery).await.text;
    assert!(done.contains("The delivery <code>issues</code> is processed again"), "{done}");
    given_up(2).await;
    let retried = events(&bench, "delivery.retried").await;
    let payload = json!({ "delivery": "d-1", "event": "issues", "repo": "acme/rocket", "by": "operator" });
    assert_eq!((retried.len(), &retried[0]["payload"]), (1, &payload));

    meddle(&bench.pool, "UPDATE deliveries SET payload = NULL WHERE id = 'd-1'").await;
    let gone = browser.act_with("", "/operations", "process-again", &delivery).await.text;
    assert!(gone.contains("The content of this delivery is not stored any more."), "{gone}");
    let unknown = browser.act_with("", "/operations", "process-again", &[("delivery", "d-2")]).await.text;
    assert!(unknown.contains("not among those that were given up any more"), "{unknown}");
}

#[tokio::test]
async fn an_audit_log_is_verified_and_exported_on_the_pages() {
    let (bench, browser) = operator().await;
    import(&browser, FILE, "add").await;
    let shown = browser.get("/events?repo=acme/attic").await.text;
    assert!(shown.contains("Audit log of acme/attic") && shown.contains("<b>3 events</b>"), "{shown}");
    let whole = browser.get("/events/verify?repo=acme/attic").await.text;
    assert!(
        whole.contains("✓ The audit log of acme/attic verifies.") && whole.contains("3 events were checked"),
        "{whole}"
    );
    let exported = browser.get("/events/export?repo=acme/attic").await;
    let by_token = bench.pool.admin("audit?repo=acme/attic", Value::Null).await;
    assert_eq!((exported.status, &exported.text), (200, &by_token.text), "the same as by the admin call");
    assert!(browser.get("/events/verify").await.text.contains("✓ The audit log of the pool itself verifies."));
    assert_eq!(browser.get("/events/verify?repo=acme/none").await.status, 404);
    assert!(!browser.get("/events?repo=acme/none").await.text.contains("Audit log of"));

    let tamper = "UPDATE events SET payload = '{}' WHERE seq = 2 AND chain IN (SELECT id FROM repositories WHERE name = 'acme/attic')";
    meddle(&bench.pool, tamper).await;
    let broken = browser.get("/events/verify?repo=acme/attic").await.text;
    assert!(broken.contains("▲ The audit log of acme/attic breaks at event 2."), "{broken}");
    meddle(
        &bench.pool,
        "DELETE FROM events WHERE seq >= 2 AND chain IN (SELECT id FROM repositories WHERE name = 'acme/attic')",
    )
    .await;
    let cut = browser.get("/events/verify?repo=acme/attic").await.text;
    assert!(cut.contains("does not end where it was sealed"), "{cut}");
}

#[tokio::test]
async fn older_events_are_pages_that_leave_none_out() {
    let (bench, browser) = operator().await;
    let many: String = (0..250).map(|n| format!("  - {{ id: n{n}, title: Number {n} }}\n")).collect();
    import(&browser, &format!("repo: acme/attic\ntasks:\n{many}"), "add").await;
    for reader in [&browser, &bench.browser()] {
        let (mut page, mut seen, mut pages) = ("/events?kind=task.*&repo=acme/attic".to_owned(), Vec::new(), 0);
        loop {
            let text = reader.get(&page).await.text;
            seen.extend(text.split(">Number ").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
            pages += 1;
            let older = text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(older) = older else { break };
            page = older.replace("&amp;", "&");
        }
        let expected: Vec<String> = (0..250).rev().map(|n| n.to_string()).collect();
        assert_eq!(seen, expected);
        assert!((3..=4).contains(&pages), "{pages} pages");
    }
    assert_eq!(browser.get("/events?cursor=made-up").await.status, 422);
}

#[tokio::test]
async fn the_first_steps_say_what_a_pool_has_and_what_is_next() {
    let (bench, browser) = operator().await;
    let shown = browser.get("/start").await.text;
    let says = |text: &str| assert!(shown.contains(text), "{text}: {shown}");
    says("OWP_ADMIN_TOKEN</code> to it");
    says("The pool works as App ");
    says("On <a href=\"/repos/acme/rocket\">acme/rocket</a>.");
    says("In all GitHub repositories.");
    says("the defaults apply");
    says("Label an issue <code>pool:ready</code>");
    import(&browser, FILE, "add").await;
    bench.pool.worker(json!({})).await;
    let shown = browser.get("/start").await.text;
    assert!(shown.contains("2 tasks</a>") && shown.contains("1 worker is registered, none linked"), "{shown}");
}

#[tokio::test]
async fn the_operators_pages_lead_everybody_else_to_the_sign_in() {
    let (bench, _) = operator().await;
    let (stranger, mona) = (bench.browser(), bench.browser());
    mona.get(&mona.at_github("mona").await).await;
    for reader in [&stranger, &mona] {
        for page in
            ["/start", "/import", "/events/verify", "/events/export", "/events/export?repo=acme/attic", "/operations"]
        {
            let shown = reader.get(page).await;
            assert_eq!((shown.status, shown.location.as_str()), (303, "/signin"), "{page}: {}", shown.text);
        }
        let events = reader.get("/events?repo=acme/attic").await.text;
        assert!(!events.contains("Audit log") && !events.contains("/events/export"), "{events}");
        let form = reader.form_value("/").await;
        for what in ["preview", "add"] {
            let refused = reader.post("/import", &[("form", &form), ("text", FILE), ("do", what)]).await;
            assert!(refused.status == 401 && refused.text.contains("Only the operator"), "{}", refused.text);
        }
    }
    assert!(titles(&bench).await.is_empty());
}
