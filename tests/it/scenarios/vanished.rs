//! Pull requests and repositories that GitHub does not show, once or for good: one answer is not the truth, and the
//! review budget is never passed meanwhile.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::{Span, Timestamp};
use owp_sandbox::{Fault, FaultKind, PrSpec};

on_both!(
    one_404_for_a_pull_request_changes_nothing,
    a_pull_request_that_github_does_not_show_yet_takes_a_slot,
    a_list_without_the_pull_request_changes_nothing,
    every_wrong_answer_about_pull_requests_is_survived,
    a_hidden_pull_request_ends_after_several_looks_and_is_told_truly,
    a_hidden_pull_request_that_is_shown_again_keeps_its_task,
    a_merge_that_only_the_delivery_shows_is_a_merge,
    one_404_for_the_repository_leaves_it_in_service,
    one_answer_about_the_installation_leaves_its_repositories_in_service,
    a_repository_that_is_gone_is_stopped_after_several_looks_and_goes_on_when_it_is_back,
    a_removal_that_comes_late_stops_no_repository_that_is_back,
    a_removal_is_believed_at_once_when_github_agrees,
);

fn not_found() -> FaultKind {
    FaultKind::Refused { status: 404 }
}

/// The one pull request with this number.
fn look(number: u64) -> String {
    format!("/repos/*/pulls/{number}")
}

/// The list of pull requests, and the repository itself.
const LIST: &str = "/repos/*/pulls";
const REPOSITORY: &str = "/repos/acme/*rocket";

/// A budget of one, which the pull request of ada takes; bo would like the other task. Both tasks and the pull request.
async fn one_slot(db: Db) -> (World, u64, u64, u64) {
    let w = World::new(db).await;
    let (one, two) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    w.say("mona", one, "/owp budget 1").await;
    w.say("ada", one, "/owp claim").await;
    let pull = w.open_pr("ada", one).await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.next_count().await;
    (w, one, two, pull)
}

/// Time passes in steps of half a minute, and in each of them everything that is due is done.
async fn pass(w: &World, span: Span) {
    for _ in 0..span.0 / 30_000 {
        w.advance(Span::secs(30));
        w.settle().await;
    }
}

async fn one_404_for_a_pull_request_changes_nothing(db: Db) {
    let (w, one, two, pull) = one_slot(db).await;
    w.github.fault(Fault::next(not_found()).on("GET", &look(pull)));
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", LIST));
    w.github.as_user("ada").retitle(REPO, pull, "Work, all of it").unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready", "the slot is taken");
    pass(&w, Span::minutes(8)).await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    assert!(!w.ours(one).iter().any(|body| body.contains("was closed") || body.contains("does not show")));
    // What ends it is GitHub's own word.
    w.merge(pull).await;
    assert_eq!((w.state(one).await, w.slots().await), ("merged", (0, 1)));
    w.check_promises().await;
}

async fn a_pull_request_that_github_does_not_show_yet_takes_a_slot(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    // One whom the pool knows, so that a pull request of theirs counts.
    w.seasoned("ada").await;
    w.next_count().await;
    w.say("mona", issue, "/owp budget 1").await;
    let spec = PrSpec { head: "work".into(), title: "Work".into(), body: "Something".into(), ..PrSpec::default() };
    let pull = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.github.fault(Fault::next(not_found()).on("GET", &look(pull)));
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", LIST));
    w.hear().await;
    assert_eq!(w.slots().await, (1, 1), "nobody has seen it, and it may be there");
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    pass(&w, Span::minutes(2)).await;
    assert_eq!(w.slots().await, (1, 1), "it is there");
    w.github.as_user("ada").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (0, 1));

    // One that is opened and hidden at once is never seen; its slot is free again when that is believed.
    let spec = PrSpec { head: "more".into(), title: "More".into(), body: "Something".into(), ..PrSpec::default() };
    let hidden = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.github.hide(REPO, hidden).unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (1, 1));
    pass(&w, Span::minutes(3)).await;
    assert_eq!(w.slots().await, (0, 1));
    w.check_promises().await;
}

async fn a_list_without_the_pull_request_changes_nothing(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    w.say("mona", one, "/owp budget 1").await;
    w.say("ada", one, "/owp claim").await;
    w.next_count().await;
    let pull = w.open_pr("ada", one).await;
    // The list as it was before, and then besides a look that shows nothing either.
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", LIST).times(2));
    w.next_count().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.github.clear_faults();
    w.github.fault(Fault::next(FaultKind::Stale).on("GET", LIST).times(2));
    w.github.fault(Fault::next(not_found()).on("GET", &look(pull)).times(2));
    w.next_count().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready");
    pass(&w, Span::minutes(6)).await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.check_promises().await;
}

async fn every_wrong_answer_about_pull_requests_is_survived(db: Db) {
    let (w, one, two, pull) = one_slot(db).await;
    let kinds = [
        not_found(),
        FaultKind::Refused { status: 410 },
        FaultKind::Refused { status: 403 },
        FaultKind::Refused { status: 451 },
        FaultKind::BadCredentials,
        FaultKind::ServerError { status: 502 },
        FaultKind::LostAnswer { as_502: false },
        FaultKind::Truncated,
        FaultKind::Stale,
    ];
    let mut turn = 0;
    for place in [look(pull).as_str(), LIST, REPOSITORY] {
        for kind in db.some(&kinds) {
            turn += 1;
            // Twice, because a refused token is replaced once without anybody's noticing.
            w.github.fault(Fault::next(kind.clone()).on("GET", place).times(2));
            w.github.as_user("ada").retitle(REPO, pull, &format!("Work {turn}")).unwrap();
            w.settle().await;
            assert_eq!(w.slots().await, (1, 1), "{kind:?} on {place}");
            w.next_count().await;
            w.github.as_user("bo").comment(REPO, two, "/owp claim").unwrap();
            w.settle().await;
            assert_eq!(w.slots().await, (1, 1), "{kind:?} on {place}");
            assert_eq!(w.state(two).await, "ready", "{kind:?} on {place}");
            w.github.clear_faults();
            pass(&w, Span::minutes(1)).await;
            assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)), "{kind:?} on {place}");
        }
    }
    w.next_count().await;
    w.merge(pull).await;
    w.next_count().await;
    assert_eq!((w.state(one).await, w.slots().await), ("merged", (0, 1)));
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased");
    w.check_promises().await;
}

async fn a_hidden_pull_request_ends_after_several_looks_and_is_told_truly(db: Db) {
    let (w, one, two, pull) = one_slot(db).await;
    w.github.hide(REPO, pull).unwrap();
    w.next_count().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    pass(&w, Span::minutes(2)).await;
    assert_eq!((w.state(one).await, w.slots().await), ("ready", (0, 1)));
    let told = w.only(one, "owp:key=lease");
    assert!(told.contains(&format!("does not show #{pull} any more")) && !told.contains("closed"), "{told}");
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased");
    w.check_promises().await;
}

async fn a_hidden_pull_request_that_is_shown_again_keeps_its_task(db: Db) {
    let (w, one, two, pull) = one_slot(db).await;
    w.github.hide(REPO, pull).unwrap();
    w.next_count().await;
    w.github.unhide(REPO, pull).unwrap();
    pass(&w, Span::minutes(3)).await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    // Hidden for longer, it comes back as what it was.
    w.github.hide(REPO, pull).unwrap();
    w.next_count().await;
    pass(&w, Span::minutes(2)).await;
    assert_eq!(w.state(one).await, "ready");
    w.github.unhide(REPO, pull).unwrap();
    w.next_count().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready");
    w.check_promises().await;
}

async fn a_merge_that_only_the_delivery_shows_is_a_merge(db: Db) {
    let (w, one, _, pull) = one_slot(db).await;
    w.github.as_user("mona").merge(REPO, pull).unwrap();
    w.github.hide(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.slots().await), ("merged", (0, 1)));
    w.check_promises().await;
}

async fn one_404_for_the_repository_leaves_it_in_service(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(not_found()).on("GET", REPOSITORY));
    w.next_count().await;
    assert_eq!(w.events("repo.removed").await, 0);
    let worker = w.client("bo", issue, &[]).await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty(), "its last count failed");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "whoever asks has it counted");
    // Twice in a row is no more than once.
    w.github.fault(Fault::next(not_found()).on("GET", REPOSITORY).times(2));
    pass(&w, Span::minutes(6)).await;
    assert_eq!(w.events("repo.removed").await, 0);
    w.say("ada", issue, "/owp release").await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn one_answer_about_the_installation_leaves_its_repositories_in_service(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for kind in [not_found(), FaultKind::Refused { status: 403 }, FaultKind::BadCredentials] {
        for path in ["/app/installations/*/access_tokens", "/installation/repositories", "/app/installations"] {
            w.github.expire_tokens();
            let method = if path.ends_with("access_tokens") { "POST" } else { "GET" };
            w.github.fault(Fault::next(kind.clone()).on(method, path));
            // The hourly look and a count meet it, whichever comes first.
            let _ = w.engine.intake().step_installations().await;
            w.github.expire_tokens();
            w.next_count().await;
            w.github.clear_faults();
            assert_eq!(w.events("repo.removed").await, 0, "{kind:?} on {path}");
        }
    }
    pass(&w, Span::minutes(1)).await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_repository_that_is_gone_is_stopped_after_several_looks_and_goes_on_when_it_is_back(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    w.say("ada", issue, "/owp claim").await;
    let installation = w.installation().await;
    w.github.add_repo("acme/other").unwrap();
    w.github.change_installation(installation, &["acme/other"], &[REPO]).unwrap();
    w.github.take_deliveries();
    w.github.expire_tokens();
    w.next_count().await;
    assert_eq!(w.events("repo.removed").await, 0, "one look is not believed");
    pass(&w, Span::minutes(2)).await;
    assert_eq!(w.events("repo.removed").await, 1);
    let stopped_at = Timestamp(w.clock.now_ms());
    let before = expires_at(&w, issue).await;
    // People go on, and nobody tells of it.
    w.advance(Span::minutes(40));
    w.github.as_user("bo").comment(REPO, other, "/owp claim").unwrap();
    w.github.take_deliveries();
    pass(&w, Span::minutes(3)).await;
    assert_eq!((w.state(issue).await, w.state(other).await), ("leased", "ready"));
    w.github.change_installation(installation, &[REPO], &[]).unwrap();
    w.github.take_deliveries();
    pass(&w, Span::minutes(2)).await;
    assert_eq!(w.state(other).await, "leased", "what bo wrote meanwhile was heard: {:#?}", w.ours(other));
    let away = Timestamp(w.clock.now_ms()) - stopped_at;
    let given = expires_at(&w, issue).await - before;
    assert!(given > Span::minutes(40) && given <= away, "{given:?} of {away:?}");
    w.say("ada", issue, "/owp release").await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn expires_at(w: &World, issue: u64) -> Timestamp {
    let lease = w.task_of(issue).await.unwrap().last_lease.unwrap();
    w.store().read(move |tx| Box::pin(async move { tx.leases().get(&lease).await })).await.unwrap().unwrap().expires_at
}

async fn a_removal_that_comes_late_stops_no_repository_that_is_back(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let installation = w.installation().await;
    w.github.add_repo("acme/other").unwrap();
    w.github.change_installation(installation, &["acme/other"], &[REPO]).unwrap();
    let late = w.github.take_deliveries();
    w.github.change_installation(installation, &[REPO], &[]).unwrap();
    w.settle().await;
    for delivery in &late {
        w.accept(delivery).await;
    }
    w.settle().await;
    assert_eq!(w.events("repo.removed").await, 0);
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_removal_is_believed_at_once_when_github_agrees(db: Db) {
    let w = World::new(db).await;
    w.task("Parse dates", &[]).await;
    let installation = w.installation().await;
    w.github.add_repo("acme/other").unwrap();
    w.github.change_installation(installation, &["acme/other"], &[REPO]).unwrap();
    let lists = "/installation/repositories";
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", lists).times(2));
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    assert_eq!(w.events("repo.removed").await, 0, "nobody could ask GitHub");
    w.advance(Span::minutes(2));
    while w.engine.intake().step_inbox().await.unwrap() {}
    assert_eq!(w.events("repo.removed").await, 1);
}
