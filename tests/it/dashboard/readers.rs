//! Who sees what on the pages: readers of private repositories, pools that want a sign-in, and sessions that end.

use super::sign_in::Bench;
use crate::protocol::sse::meddle;
use crate::support::github::wrong_answers;
use owp_engine::Settings;
use owp_sandbox::{Fault, FaultTarget, Role};
use std::time::Duration;

const REPO: &str = "acme/rocket";
const PAGES: [&str; 4] = ["/", "/tasks", "/leases", "/events"];

/// A pool whose repository turned private, with a task in it.
async fn with_a_private_repository() -> (Bench, String) {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.until_served().await;
    let issue = bench.github.as_user("mona").open_issue(REPO, "Hidden plan", "A secret.", &["pool:ready"]).unwrap();
    bench.github.as_user("mona").comment(REPO, issue, "/owp claim").unwrap();
    let task = bench.until_a_task_is_held().await;
    bench.github.add_user("olga");
    bench.github.add_collaborator(REPO, "olga", Role::Admin).unwrap();
    bench.github.as_user("olga").set_private(REPO, true).unwrap();
    bench.until_hidden().await;
    (bench, task)
}

#[tokio::test]
async fn a_private_repository_is_on_the_pages_of_those_who_may_read_it_and_of_nobody_else() {
    let (bench, task) = with_a_private_repository().await;
    let (stranger, mona, ada) = (bench.browser(), bench.browser(), bench.browser());
    mona.sign_in("mona").await;
    ada.sign_in("ada").await;
    let alone = [format!("/repos/{REPO}"), format!("/tasks/{task}"), format!("/v1/tasks/{task}")];
    for page in PAGES.iter().map(|page| (*page).to_owned()).chain(alone.clone()) {
        let shown = mona.get(&page).await;
        assert!(shown.status == 200 && shown.text.contains(REPO), "{page}: {}", shown.text);
        for other in [&stranger, &ada] {
            let shown = other.get(&page).await;
            // A problem repeats the name that was asked for.
            let names_it = shown.text.contains(REPO) && shown.status != 404;
            assert!(!shown.text.contains("Hidden plan") && !names_it, "{page}: {}", shown.text);
        }
    }
    for page in &alone {
        assert_eq!((stranger.get(page).await.status, ada.get(page).await.status), (404, 404), "{page}");
    }
    let paused = mona.act(&format!("/repos/{REPO}"), "pause", &[("reason", "the release")]).await.text;
    assert!(paused.contains("Nothing is handed out here until"), "{paused}");

    // Whoever loses access on GitHub loses it here, once the answer is old.
    bench.github.remove_collaborator(REPO, "mona").unwrap();
    meddle(&bench.pool, "UPDATE readers SET checked_at = 0").await;
    assert_eq!(mona.get(&format!("/tasks/{task}")).await.status, 404);
    assert!(!mona.get("/tasks").await.text.contains("Hidden plan"));
}

#[tokio::test]
async fn while_github_does_not_say_who_may_read_a_private_repository_it_stays_hidden() {
    let (bench, task) = with_a_private_repository().await;
    let page = format!("/tasks/{task}");
    for kind in wrong_answers(4_000) {
        meddle(&bench.pool, "DELETE FROM readers").await;
        let mona = bench.browser();
        mona.sign_in("mona").await;
        bench.github.clear_faults();
        let path = format!("/repos/{REPO}/collaborators/mona/permission");
        bench.github.fault(Fault::next(kind.clone()).times(u32::MAX).on("GET", &path).victim(FaultTarget::Any));
        // GitHub is asked again after a while.
        bench.pool.clock.advance_ms(20_000);
        assert_eq!(mona.get(&page).await.status, 404, "{kind:?}");
        bench.github.clear_faults();
        // GitHub is asked again after a while.
        bench.pool.clock.advance_ms(20_000);
        assert_eq!(mona.get(&page).await.status, 200, "{kind:?}: the next answer counts");
    }
}

#[tokio::test]
async fn a_pool_that_wants_a_sign_in_shows_nothing_to_strangers() {
    let settings = Settings { sign_in_required: true, open_registration: false, ..Settings::default() };
    let bench = Bench::with(Duration::from_secs(5), settings).await;
    let (stranger, ada) = (bench.browser(), bench.browser());
    for page in PAGES.into_iter().chain([
        "/repos/acme/rocket",
        "/tasks/t_1",
        "/workers/w_1",
        "/insights",
        "/leaderboard",
        "/bulk?verb=close",
    ]) {
        let shown = stranger.get(page).await;
        assert_eq!((shown.status, shown.location.as_str()), (303, "/signin"), "{page}");
    }
    for list in
        ["/v1/tasks", "/v1/repos", "/v1/events", "/v1/events?stream=1", "/v1/tasks/t_1", "/v1/repos/acme/rocket"]
    {
        let shown = stranger.get(list).await;
        assert!(shown.status == 401 && shown.text.contains("/signin"), "{list}: {} {}", shown.status, shown.text);
    }
    assert_eq!((stranger.get("/signin").await.status, stranger.get("/livez").await.status), (200, 200));
    ada.sign_in("ada").await;
    for page in PAGES.into_iter().chain(["/v1/tasks", "/v1/repos"]) {
        assert_eq!(ada.get(page).await.status, 200, "{page}");
    }
    // Anybody can register a worker, so that alone opens nothing where strangers' workers get no work either.
    let worker = bench.pool.worker(serde_json::json!({})).await;
    let unlinked = bench.pool.as_worker(&worker, "GET", "/v1/tasks", serde_json::json!({})).await;
    assert_eq!(unlinked.status, 401);
    let worker = bench.pool.worker(serde_json::json!({})).await;
    meddle(&bench.pool, "UPDATE workers SET person = 'gh:4711'").await;
    assert_eq!(bench.pool.as_worker(&worker, "GET", "/v1/tasks", serde_json::json!({})).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_by_itself_and_the_page_says_so() {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.until_served().await;
    let mona = bench.browser();
    mona.sign_in("mona").await;
    let page = format!("/repos/{REPO}");
    assert!(mona.get(&page).await.text.contains("action=\"/act\""));
    let form = mona.form_value(&page).await;
    bench.pool.clock.advance_ms(7 * 24 * 3_600_000 - 60_000);
    assert!(mona.get(&page).await.text.contains("Sign out"), "a minute is left");
    bench.pool.clock.advance_ms(60_000);
    let ended = mona.get(&page).await.text;
    assert!(ended.contains("Your session has ended.") && !ended.contains("action=\"/act\""), "{ended}");
    let late = mona.send_act(&form, &[("verb", "pause"), ("repo", REPO), ("back", &page)]).await;
    assert!(late.status == 401 && late.text.contains("Nothing was changed"), "{} {}", late.status, late.text);
}
