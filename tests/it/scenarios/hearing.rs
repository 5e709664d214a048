//! Commands that are found by looking, and those that must not be: history, and what cannot be obeyed.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_pool::pull::PullFacts;
use owp_sandbox::{Fault, FaultKind};
use owp_store::{PullRow, Scope, StoreError};

on_both!(
    what_was_written_before_the_app_was_there_is_history,
    what_was_written_while_the_app_was_away_is_history,
    what_was_written_after_a_return_that_nobody_saw_is_heard,
    a_comment_that_cannot_be_obeyed_stops_neither_counts_nor_grants,
    a_compare_that_fails_is_no_failed_count,
    a_pull_request_github_does_not_show_any_more_gives_its_slot_back,
);

async fn what_was_written_before_the_app_was_there_is_history(db: Db) {
    let w = World::before_start(db).await;
    w.engine.operator().upsert_repo(REPO, 5, true).await.unwrap();
    w.advance(Span::days(1));
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.github.take_deliveries();
    w.advance(Span::days(1));
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "the operator's ceiling was there before the App");
    w.check_promises().await;
}

async fn what_was_written_while_the_app_was_away_is_history(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.uninstall(w.installation().await).unwrap();
    w.settle().await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.github.take_deliveries();
    w.advance(Span::days(20));
    for _ in 0..2 {
        w.advance(Span::hours(1));
        w.engine.intake().step_installations().await.unwrap();
    }
    w.github.install(&[REPO]).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn what_was_written_after_a_return_that_nobody_saw_is_heard(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let installation = w.installation().await;
    w.github.add_repo("acme/other").unwrap();
    w.github.change_installation(installation, &["acme/other"], &[REPO]).unwrap();
    w.settle().await;
    assert_eq!(w.events("repo.removed").await, 1);
    w.github.fault(Fault::next(FaultKind::BadCredentials).on("GET", "/app/installations").times(100_000));
    for hour in 0..30 {
        w.advance(Span::hours(1));
        w.engine.intake().step_installations().await.unwrap_err();
        match hour {
            10 => w.github.change_installation(installation, &[REPO], &[]).unwrap(),
            12 => drop(w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap()),
            _ => {}
        }
        w.github.take_deliveries();
    }
    w.github.clear_faults();
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased", "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_comment_that_cannot_be_obeyed_stops_neither_counts_nor_grants(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::BadCredentials).on("GET", "/collaborators/eve/permission").times(100_000));
    w.say("eve", issue, "/owp budget 100").await;
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 0);
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 0);
    w.check_promises().await;
}

async fn a_compare_that_fails_is_no_failed_count(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/issues/comments").times(3));
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 0, "the pull requests were counted");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_pull_request_github_does_not_show_any_more_gives_its_slot_back(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp status").await;
    let repo = w.store().read(|tx| Box::pin(async move { tx.repos().by_name(REPO).await })).await.unwrap().unwrap();
    let shown = PullRow {
        facts: PullFacts { number: 999, author: Some(1), open: true, ..PullFacts::default() },
        author_login: Some("spam".into()),
        issues: vec![i64::try_from(issue).unwrap()],
        ..PullRow::default()
    };
    let id = repo.id.clone();
    let task = w.task_of(issue).await.unwrap();
    w.store()
        .write(Scope::repo(&repo.id), move |tx| {
            Box::pin(async move {
                tx.pulls().save(&id, &shown).await?;
                tx.pulls().link(&id, 999, &task.id, false).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    assert_eq!(w.slots().await.0, 1);
    w.next_count().await;
    assert_eq!(w.slots().await.0, 1, "one look is not believed");
    for _ in 0..3 {
        w.advance(Span::secs(30));
        w.settle().await;
    }
    assert_eq!(w.slots().await.0, 0, "an account that was taken down takes its pull requests along");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}
