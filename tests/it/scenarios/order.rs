//! Deliveries that arrive out of order or take longer than they should.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::NewTask;
use owp_pool::Span;
use owp_pool::task::TaskSpec;
use owp_sandbox::{Fault, FaultKind};
use std::time::Duration;

on_both!(
    what_a_person_says_later_waits_for_what_they_said_before,
    a_comment_approves_what_it_saw_although_others_have_written_since,
    an_issue_that_takes_long_to_read_is_read_once,
    whoever_waits_for_work_does_not_wait_for_an_answer_about_private_repositories,
);

impl World {
    async fn is_paused(&self) -> bool {
        let row = self.store().read(|tx| Box::pin(async move { tx.repos().by_name(REPO).await })).await.unwrap();
        row.unwrap().pause.is_some()
    }

    /// Returns the end of the hold on the delivery that is being processed.
    async fn held_until(&self) -> Option<i64> {
        self.number("SELECT MAX(taken_until) FROM deliveries WHERE state = 'processing'").await
    }

    /// Returns how often the delivery was taken that was taken most often.
    async fn most_takes(&self) -> Option<i64> {
        self.number("SELECT MAX(takes) FROM deliveries").await
    }

    async fn number(&self, sql: &'static str) -> Option<i64> {
        let outside = sqlx::AnyPool::connect(self.database_url()).await.unwrap();
        let number = sqlx::query_scalar(sql).fetch_one(&outside).await.unwrap();
        outside.close().await;
        number
    }
}

async fn what_a_person_says_later_waits_for_what_they_said_before(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("Parse dates", &[]).await, w.task("Parse times", &[]).await);
    // GitHub cannot show the first issue for a while.
    let shown = Fault::next(FaultKind::ServerError { status: 503 });
    w.github.fault(shown.on("GET", &format!("/repos/{REPO}/issues/{one}")).times(1_000));
    w.github.as_user("mona").comment(REPO, one, "/owp pause").unwrap();
    w.hear().await;
    w.advance(Span(100));
    w.github.as_user("mona").comment(REPO, two, "/owp resume").unwrap();
    w.hear().await;
    w.say("ada", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased", "what somebody else says need not wait");
    w.github.clear_faults();
    w.advance(Span::minutes(2));
    w.settle().await;
    assert!(!w.is_paused().await, "the pause was said first");
    assert!(w.last(two).contains("tasks are handed out here again"), "{}", w.last(two));
    w.check_promises().await;
}

async fn a_comment_approves_what_it_saw_although_others_have_written_since(db: Db) {
    for edited in [false, true] {
        let w = World::new(db).await;
        let eve = w.github.as_user("eve");
        let issue = eve.open_template_issue(REPO, "Coins", "Count them.", &["pool:ready"]).unwrap();
        w.github.take_deliveries();
        w.advance(Span::secs(10));
        w.github.as_user("mona").comment(REPO, issue, "/owp approve").unwrap();
        let approval = w.github.take_deliveries();
        w.advance(Span::secs(10));
        if edited {
            eve.rewrite(REPO, issue, "Count mine.").unwrap();
        }
        w.github.as_user("bo").comment(REPO, issue, "Nice.").unwrap();
        w.github.take_deliveries();
        for webhook in &approval {
            w.accept(webhook).await;
        }
        w.settle().await;
        assert_eq!(w.task_of(issue).await.unwrap().hold.is_some(), edited, "{}", w.last(issue));
        assert_eq!(w.last(issue).contains("may have been changed after your comment"), edited, "{}", w.last(issue));
        w.check_promises().await;
    }
}

async fn an_issue_that_takes_long_to_read_is_read_once(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = mona.open_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    let slow = Fault::next(FaultKind::Slow { ms: 900 });
    w.github.fault(slow.on("GET", &format!("/repos/{REPO}/issues/{issue}")).times(100));
    w.receive().await;
    // The answers take minutes, and all the time somebody else looks for something to do. Time goes on only once the
    // delivery was held for longer: how long that takes is up to the machine.
    let mut looks = 0;
    loop {
        let intake = w.engine.intake();
        let reading = intake.step_inbox();
        tokio::pin!(reading);
        let did_something = 'reading: loop {
            let held = w.held_until().await;
            w.advance(Span::secs(100));
            while w.held_until().await <= held {
                let pause = tokio::time::sleep(Duration::from_millis(10));
                tokio::select! { done = &mut reading => break 'reading done.unwrap(), () = pause => {} }
            }
            if w.engine.intake().step_inbox().await.unwrap() {
                // The one in work was just finished, and this was the next one.
                break 'reading reading.await.unwrap();
            }
            looks += 1;
        };
        if !did_something {
            break;
        }
    }
    assert!(looks > 1, "longer than a delivery is held without a sign");
    assert_eq!(w.most_takes().await, Some(1), "nobody takes what is being worked on");
    w.github.clear_faults();
    assert_eq!((w.state(issue).await, w.events("task.created").await), ("ready", 1));
    w.check_promises().await;
}

async fn whoever_waits_for_work_does_not_wait_for_an_answer_about_private_repositories(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let bo = w.client("bo", issue, &[]).await;
    w.github.as_user("mona").set_private(REPO, true).unwrap();
    w.settle().await;
    w.engine.operator().upsert_repo("by/hand", 5, false).await.unwrap();
    let task = NewTask {
        title: "One".to_owned(),
        description: String::new(),
        spec: TaskSpec::default(),
        external_id: None,
        extra: Default::default(),
    };
    w.engine.operator().add_tasks("by/hand", vec![task], None).await.unwrap();
    w.github.fault(Fault::next(FaultKind::Slow { ms: 3_600_000 }).on("GET", "/collaborators/bo/"));
    let pulled = w.engine.workers().pull_work(&bo).await.unwrap();
    assert_eq!(pulled.items[0].repo, "by/hand");
    assert_eq!(w.state(issue).await, "ready", "what is not known is not offered");
    w.github.clear_faults();
}
