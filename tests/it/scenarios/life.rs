//! The life of an installation, its repositories and issues: whatever their owners do with them, nothing is handed out
//! that should not be, nobody loses work to it, and what comes back goes on.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_pool::{Span, Timestamp, WorkerId};
use std::collections::BTreeMap;

on_both!(
    claims_wait_for_a_suspended_installation,
    a_repository_that_was_removed_keeps_its_holders_and_goes_on_when_it_is_back,
    a_lease_waits_two_weeks_for_an_app_that_was_uninstalled,
    comments_wait_for_a_permission_and_lost_commands_are_found_when_it_is_granted,
    a_repository_goes_on_with_an_owner_who_has_the_app_and_waits_with_one_who_has_not,
    claims_wait_for_an_archived_repository,
    a_repository_that_turned_private_is_shown_to_nobody,
    a_transferred_issue_ends_here_and_begins_there,
    a_transferred_issue_brings_its_notes_along,
    what_could_not_be_said_in_a_locked_conversation_is_said_when_it_is_unlocked,
    pinning_changes_nothing_and_a_discussion_is_no_task,
);

async fn expires_at(w: &World, issue: u64) -> Timestamp {
    let lease = w.task_of(issue).await.unwrap().last_lease.unwrap();
    w.store().read(move |tx| Box::pin(async move { tx.leases().get(&lease).await })).await.unwrap().unwrap().expires_at
}

/// Returns the time left of the lease on an issue.
async fn left(w: &World, issue: u64) -> Span {
    expires_at(w, issue).await - Timestamp(w.clock.now_ms())
}

fn about(a: Span, b: Span) -> bool {
    (a.0 - b.0).abs() < 60_000
}

/// The one thing a worker holds, and why it waits.
async fn waits(w: &World, worker: &WorkerId) -> Option<String> {
    let items = w.engine.workers().work_of(worker).await.unwrap();
    assert_eq!(items.len(), 1);
    items[0].waits.clone()
}

fn comment_writes(w: &World) -> usize {
    w.github.requests().iter().filter(|r| r.is_write() && r.path.contains("/comments")).count()
}

fn granted(levels: &[(&str, &str)]) -> BTreeMap<String, String> {
    levels.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect()
}

async fn claims_wait_for_a_suspended_installation(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    w.say("ada", issue, "/owp claim").await;
    let worker = w.client("bo", issue, &[]).await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    w.advance(Span::hours(1));
    w.github.suspend(w.installation().await, true).unwrap();
    w.settle().await;
    let (ada, bo) = (left(&w, issue).await, left(&w, other).await);
    w.advance(Span::days(10));
    w.settle().await;
    assert_eq!((w.state(issue).await, w.state(other).await), ("leased", "leased"));
    assert!(waits(&w, &worker).await.unwrap().contains("suspended"));
    w.github.suspend(w.installation().await, false).unwrap();
    w.settle().await;
    assert_eq!(waits(&w, &worker).await, None);
    assert!(about(left(&w, issue).await, ada) && about(left(&w, other).await, bo), "{:?}", left(&w, issue).await);
    let until = expires_at(&w, issue).await.human();
    assert!(w.ours(issue).iter().any(|body| body.contains(&until)), "{:#?}", w.ours(issue));
    w.advance(Span::hours(4));
    w.settle().await;
    assert_eq!((w.state(issue).await, w.state(other).await), ("leased", "ready"));
    w.advance(Span::days(3));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn a_repository_that_was_removed_keeps_its_holders_and_goes_on_when_it_is_back(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let worker = w.client("bo", issue, &[]).await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    // The claim is in the books, its comment is not written yet.
    w.github.as_user("ada").comment(REPO, other, "/owp claim").unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    let free = w.task("Parse names", &[]).await;
    let installation = w.installation().await;
    w.github.add_repo("acme/other").unwrap();
    w.github.change_installation(installation, &["acme/other"], &[REPO]).unwrap();
    let writes = comment_writes(&w);
    w.settle().await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1, "nothing new");
    assert!(waits(&w, &worker).await.unwrap().contains("removed"));
    w.advance(Span::days(5));
    w.settle().await;
    assert_eq!(comment_writes(&w), writes, "nothing is written where the App may not");
    assert_eq!(w.engine.views().totals().await.unwrap().dead_comments, 0);
    w.github.change_installation(installation, &[REPO], &[]).unwrap();
    w.settle().await;
    assert_eq!(waits(&w, &worker).await, None);
    assert_eq!(w.live_leases(&[issue, other]).await, 2);
    w.say("ada", other, "/owp release").await;
    w.say("cy", free, "/owp claim").await;
    assert_eq!(w.state(free).await, "leased", "{:#?}", w.ours(free));
    assert!(comment_writes(&w) > writes);
    w.check_promises().await;
}

async fn a_lease_waits_two_weeks_for_an_app_that_was_uninstalled(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    let writes = comment_writes(&w);
    w.github.uninstall(w.installation().await).unwrap();
    w.settle().await;
    w.advance(Span::days(13));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    w.advance(Span::days(2));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "bo has the room for other work again");
    assert!(w.engine.workers().work_of(&worker).await.unwrap().is_empty());
    let ended = w.store().read(|tx| Box::pin(async move { tx.events().recent(50).await })).await.unwrap();
    let ended = ended.iter().find(|event| event.kind == "lease.ended").unwrap().payload.clone();
    assert_eq!((&ended["reason"], &ended["words"]), (&"revoked".into(), &"the App was uninstalled".into()));
    assert_eq!(comment_writes(&w), writes);
    w.github.install(&[REPO]).unwrap();
    w.settle().await;
    // It was no lapse: nobody waits for a cooldown. What a client lost goes to others first, for an hour.
    w.advance(Span::hours(2));
    w.settle().await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    w.check_promises().await;
}

async fn comments_wait_for_a_permission_and_lost_commands_are_found_when_it_is_granted(db: Db) {
    let w = World::new(db).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let installation = w.installation().await;
    let all = granted(&[("issues", "write"), ("pull_requests", "read"), ("metadata", "read"), ("single_file", "read")]);
    let kept = |w: &World| {
        let (store, id) = (w.store().clone(), i64::try_from(installation).unwrap());
        async move { store.read(move |tx| Box::pin(async move { tx.installations().permissions(id).await })).await.unwrap() }
    };
    assert_eq!(kept(&w).await, all);

    let reads = BTreeMap::from_iter(all.keys().map(|name| (name.clone(), "read".to_owned())));
    w.github.grant(installation, reads.clone()).unwrap();
    w.github.expire_tokens();
    w.receive().await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    // It cannot come to rest: a comment waits.
    for _ in 0..20 {
        w.receive().await;
        while w.engine.intake().step_inbox().await.unwrap() | w.engine.comments().step_sender().await.unwrap() {}
        w.advance(Span::secs(30));
    }
    assert_eq!(kept(&w).await, reads);
    assert_eq!((w.state(issue).await, w.ours(issue).len()), ("leased", 0));
    let overview = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    assert_eq!((overview.totals.open_comments, overview.totals.dead_comments), (1, 0), "it waits and is not given up");

    w.github.grant(installation, granted(&[("metadata", "read")])).unwrap();
    w.github.expire_tokens();
    w.github.as_user("bo").comment(REPO, other, "/owp claim").unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    assert_eq!(w.state(other).await, "ready");

    w.github.grant(installation, all).unwrap();
    w.settle().await;
    w.next_count().await;
    assert_eq!((w.state(issue).await, w.state(other).await), ("leased", "leased"));
    w.only(issue, "@ada, this task is yours until");
    w.only(other, "@bo, this task is yours until");
    w.check_promises().await;
}

async fn a_repository_goes_on_with_an_owner_who_has_the_app_and_waits_with_one_who_has_not(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.github.add_repo("zeta/moon").unwrap();
    w.github.install(&["zeta/moon"]).unwrap();
    w.settle().await;
    mona.transfer_repo(REPO, "zeta").unwrap();
    w.settle().await;
    w.advance(Span::minutes(6));
    w.settle().await;
    let there = "zeta/rocket";
    w.github.as_user("ada").comment(there, issue, "/owp release").unwrap();
    w.settle().await;
    assert_eq!(w.task_in(there, issue).await.unwrap().state.name(), "ready", "the task went along");
    w.github.as_user("bo").comment(there, issue, "/owp claim").unwrap();
    w.settle().await;
    let said = w.github.comments(there, issue).into_iter().filter(|c| c.via_app).count();
    assert_eq!(said, 2, "one for each lease");

    mona.transfer_repo(there, "nobody-else").unwrap();
    w.settle().await;
    let view = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    let stopped = &view.repos.iter().find(|repo| repo.name.ends_with("/rocket")).unwrap().throttled_by[0];
    assert!(stopped.message.contains("removed"), "{stopped:?}");
    w.advance(Span::days(9));
    w.settle().await;
    mona.transfer_repo("nobody-else/rocket", "acme").unwrap();
    w.settle().await;
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased", "bo's time stood still");
    w.say("bo", issue, "/owp release").await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(
        w.engine.views().overview(1, ReadAccess::public()).await.unwrap().repos.len(),
        2,
        "it is one repository through all of it"
    );
    w.check_promises().await;
}

async fn claims_wait_for_an_archived_repository(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let before = left(&w, issue).await;
    w.github.as_user("mona").set_archived(REPO, true).unwrap();
    w.settle().await;
    w.advance(Span::days(7));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    w.github.as_user("mona").set_archived(REPO, false).unwrap();
    w.settle().await;
    assert!(about(left(&w, issue).await, before));
    w.say("ada", issue, "/owp release").await;
    assert!(w.last(issue).contains("gave this task back"), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_repository_that_turned_private_is_shown_to_nobody(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    let task = w.task_of(issue).await.unwrap().id;
    let shown = w.engine.views().show_task(task.clone(), ReadAccess::public()).await.unwrap();
    assert!(
        shown.page.is_some_and(|page| page.ends_with(&format!("/{REPO}/issues/{issue}"))),
        "where the issue is seen"
    );
    assert!(shown.terms.is_some(), "what the repository asks of the work");
    mona.set_private(REPO, true).unwrap();
    w.settle().await;
    let view = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    assert!(view.repos.is_empty() && view.events.is_empty() && view.titles.is_empty(), "{view:?}");
    assert!(w.engine.views().show_task(task.clone(), ReadAccess::public()).await.is_err());
    assert!(w.engine.views().show_task(task.clone(), ReadAccess::everything()).await.is_ok(), "the operator sees it");
    mona.set_private(REPO, false).unwrap();
    w.settle().await;
    assert_eq!(w.engine.views().overview(1, ReadAccess::public()).await.unwrap().repos.len(), 1);
    assert!(w.engine.views().show_task(task, ReadAccess::public()).await.is_ok());
    w.check_promises().await;
}

/// Adds a second repository to the pool, in which these labels are known.
pub(crate) async fn another_repository(w: &World, labels: &[&str]) -> &'static str {
    let (mona, there) = (w.github.as_user("mona"), "acme/docs");
    w.github.add_repo(there).unwrap();
    w.github.add_collaborator(there, "mona", owp_sandbox::Role::Admin).unwrap();
    w.github.install(&[there]).unwrap();
    let issue = mona.open_issue(there, "So that the labels are known there", "", labels).unwrap();
    mona.close(there, issue).unwrap();
    w.settle().await;
    there
}

async fn a_transferred_issue_brings_its_notes_along(db: Db) {
    let w = World::new(db).await;
    let labels = ["pool:ready", "estimate:huge"];
    let (mona, there) = (w.github.as_user("mona"), another_repository(&w, &labels).await);
    let issue = w.task("Parse dates", &["estimate:huge"]).await;
    let noted = w.only(issue, "owp:key=notes");
    w.advance(Span::days(3));
    let new = mona.transfer_issue(REPO, issue, there).unwrap();
    w.settle().await;
    assert_eq!(w.task_in(there, new).await.unwrap().state.name(), "ready");
    let there: Vec<_> = w.github.comments(there, new).into_iter().map(|comment| comment.body).collect();
    assert_eq!(there, [noted], "they are not written a second time");
}

async fn a_transferred_issue_ends_here_and_begins_there(db: Db) {
    let w = World::new(db).await;
    let (mona, there) = (w.github.as_user("mona"), another_repository(&w, &["pool:ready"]).await);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let new = mona.transfer_issue(REPO, issue, there).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    assert_eq!(w.live_leases(&[issue]).await, 0);
    assert_eq!(w.slots().await.0, 1, "until a count has shown that no pull request came of it");
    w.next_count().await;
    assert_eq!(w.slots().await.0, 0);
    assert_eq!(w.task_in(there, new).await.unwrap().state.name(), "ready", "with the label, it is a task there");
    w.github.as_user("ada").comment(there, new, "/owp claim").unwrap();
    w.settle().await;
    assert_eq!(w.task_in(there, new).await.unwrap().state.name(), "leased");
    w.check_promises().await;
}

async fn what_could_not_be_said_in_a_locked_conversation_is_said_when_it_is_unlocked(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    mona.lock(REPO, issue).unwrap();
    // Somebody with write access may still comment, and what we said before may be edited; nothing new may be said.
    w.say("mona", issue, "/owp revoke @ada\n/owp help").await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.events("comment.dead").await, 1);
    assert_eq!(w.ours(issue).len(), 1);
    assert!(!w.only(issue, "@ada").contains("this task is yours until"), "{:#?}", w.ours(issue));
    mona.unlock(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.ours(issue).len(), 2);
    w.only(issue, "/owp extend");
    assert_eq!(w.engine.views().totals().await.unwrap().dead_comments, 0);
    w.check_promises().await;
}

async fn pinning_changes_nothing_and_a_discussion_is_no_task(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    mona.pin_issue(REPO, issue).unwrap();
    w.settle().await;
    w.say("ada", issue, "/owp claim").await;
    let said = w.ours(issue);
    mona.unpin_issue(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, w.ours(issue)), ("leased", said));
    mona.convert_to_discussion(REPO, issue).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "closed");
    assert!(w.only(issue, "@ada").contains("closed"), "{:#?}", w.ours(issue));
    w.next_count().await;
    assert_eq!(w.slots().await.0, 0);
    w.check_promises().await;
}
