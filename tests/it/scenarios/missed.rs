//! Deliveries that GitHub tried to bring and could not: asked for again, at the start and on a schedule. What only a
//! delivery tells, such as who edited a comment, shows that it was the delivery that came.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use futures_util::future::join_all;
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};
use std::collections::BTreeSet;

on_both!(
    what_could_not_be_delivered_is_asked_for_and_takes_effect,
    every_page_is_read_and_each_failed_attempt_asked_for_once,
    an_attempt_that_fails_again_is_asked_for_again_until_github_forgets,
    a_start_asks_at_once_and_the_schedule_every_hour,
    github_being_away_only_delays_it,
    several_replicas_ask_once,
    a_delivery_that_was_given_up_is_taken_up_anew_when_it_comes_again,
    a_death_between_two_requests_loses_none_and_repeats_none,
);

impl World {
    /// GitHub tries to deliver everything it has, and nobody answers.
    async fn lose_deliveries(&self) -> usize {
        self.github.flush().await
    }

    /// The attempts GitHub was asked to repeat.
    fn asked(&self) -> Vec<String> {
        let asked = |path: &str| path.contains("/app/hook/deliveries/") && path.ends_with("/attempts");
        self.github.requests().into_iter().filter(|r| r.method == "POST" && asked(&r.path)).map(|r| r.path).collect()
    }

    fn lists_read(&self) -> usize {
        self.github.requests().iter().filter(|r| r.method == "GET" && r.route == "/app/hook/deliveries").count()
    }

    /// Time until the schedule comes by, and whatever it leads to.
    async fn next_hour(&self) {
        self.advance(Span::hours(1));
        self.settle().await;
    }

    /// `login` writes a remark and turns it into a command; only the delivery of the edit tells that it was they.
    fn edit_into(&self, login: &str, issue: u64, command: &str) {
        let person = self.github.as_user(login);
        let comment = person.comment(REPO, issue, "I wonder.").unwrap();
        self.github.take_deliveries();
        // GitHub dates to the second, and what was edited within the first looks as if it never was.
        self.advance(Span::secs(1));
        person.edit_comment(REPO, comment, command).unwrap();
    }
}

async fn what_could_not_be_delivered_is_asked_for_and_takes_effect(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.edit_into("ada", issue, "/owp claim");
    assert_eq!(w.lose_deliveries().await, 1);
    w.advance(Span::minutes(6));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "an edit is not found by looking");
    w.next_hour().await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.asked().len(), 1);
    w.next_hour().await;
    assert_eq!(w.asked().len(), 1, "it arrived");
    w.check_promises().await;
}

async fn every_page_is_read_and_each_failed_attempt_asked_for_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let mona = w.github.as_user("mona");
    for n in 0..230 {
        mona.comment(REPO, issue, &format!("Remark {n}.")).unwrap();
    }
    assert_eq!(w.lose_deliveries().await, 230);
    let before = w.lists_read();
    w.next_hour().await;
    assert_eq!(w.lists_read() - before, 3, "three pages");
    let asked = w.asked();
    assert_eq!((asked.len(), asked.iter().collect::<BTreeSet<_>>().len()), (230, 230));
    let asks: Vec<i64> = w.github.requests().iter().filter(|r| r.path.ends_with("/attempts")).map(|r| r.at).collect();
    assert!(asks.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "a second apart");
    assert_eq!(w.engine.views().totals().await.unwrap().pending_deliveries, 0);
    w.check_promises().await;
}

async fn an_attempt_that_fails_again_is_asked_for_again_until_github_forgets(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.edit_into("ada", issue, "/owp claim");
    w.lose_deliveries().await;
    // For four days GitHub repeats what it is asked for, and nobody answers.
    for hour in 0..96 {
        w.advance(Span::hours(1));
        while w.engine.intake().step_missed().await.unwrap() {
            w.advance(Span::secs(1));
        }
        w.lose_deliveries().await;
        assert!(w.asked().len() <= hour + 1);
    }
    let asked = w.asked().len();
    assert!((70..=73).contains(&asked), "once an hour for three days: {asked}");
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}

async fn a_start_asks_at_once_and_the_schedule_every_hour(db: Db) {
    let w = World::new(db).await;
    assert_eq!(w.lists_read(), 1, "at the start");
    let issue = w.task("Parse dates", &[]).await;
    w.advance(Span::minutes(7));
    w.settle().await;
    assert_eq!(w.lists_read(), 1, "it is 03:16");
    w.advance(Span::minutes(1));
    w.settle().await;
    assert_eq!(w.lists_read(), 2, "it is 03:17");
    w.edit_into("ada", issue, "/owp claim");
    w.lose_deliveries().await;
    let w = w.restart().await;
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn github_being_away_only_delays_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.edit_into("ada", issue, "/owp claim");
    w.lose_deliveries().await;
    let (list, ask) = (("GET", "/app/hook/deliveries"), ("POST", "/attempts"));
    w.github.fault(Fault::next(FaultKind::ServerError { status: 503 }).on(list.0, list.1));
    w.github.fault(Fault::next(FaultKind::SecondaryLimit { status: 403, retry_after: Some(300) }).on(list.0, list.1));
    w.github.fault(Fault::next(FaultKind::SecondaryLimit { status: 429, retry_after: Some(200) }).on(ask.0, ask.1));
    let before = w.lists_read();
    w.advance(Span::minutes(8));
    w.settle().await;
    assert_eq!(w.lists_read() - before, 1);
    w.advance(Span::secs(61));
    w.settle().await;
    w.advance(Span::secs(200));
    w.settle().await;
    assert_eq!(w.lists_read() - before, 2, "what GitHub says about when to come back is heeded");
    w.advance(Span::secs(120));
    w.settle().await;
    assert_eq!(w.lists_read() - before, 3);
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    assert_eq!(w.asked().len(), 2);
    w.check_promises().await;
}

async fn several_replicas_ask_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for n in 0..5 {
        w.github.as_user("mona").comment(REPO, issue, &format!("Remark {n}.")).unwrap();
    }
    w.lose_deliveries().await;
    let before = w.lists_read();
    w.advance(Span::hours(1));
    let intake = w.engine.intake();
    for _ in 0..12 {
        for done in join_all((0..4).map(|_| intake.step_missed())).await {
            done.unwrap();
        }
        w.advance(Span::secs(1));
    }
    assert_eq!(w.lists_read() - before, 1);
    assert_eq!((w.asked().len(), w.asked().iter().collect::<BTreeSet<_>>().len()), (5, 5));
    w.settle().await;
    w.check_promises().await;
}

async fn a_delivery_that_was_given_up_is_taken_up_anew_when_it_comes_again(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let installation = w.installation().await;
    let all = [("issues", "write"), ("pull_requests", "read"), ("metadata", "read"), ("single_file", "read")];
    let some = |names: &[(&str, &str)]| names.iter().map(|(n, l)| ((*n).to_owned(), (*l).to_owned())).collect();
    w.github.grant(installation, some(&all[2..])).unwrap();
    w.github.expire_tokens();
    w.github.take_deliveries();
    w.edit_into("ada", issue, "/owp claim");
    for _ in 0..70 {
        w.advance(Span::minutes(30));
        // Nothing is sent: comments wait for their permission as long as it takes.
        w.hear().await;
    }
    assert_eq!((w.state(issue).await, w.events("delivery.dead").await), ("ready", 1));
    w.github.grant(installation, some(&all)).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready", "it was given up after a day without a permission");
    let edit = w.github.deliveries().into_iter().rev().find(|d| d.webhook.action.as_deref() == Some("edited")).unwrap();
    // Somebody presses "Redeliver" on the App's page.
    let app = &w.engine.github().unwrap().client;
    app.redeliver(i64::try_from(edit.webhook.id).unwrap()).await.unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    app.redeliver(i64::try_from(edit.webhook.id).unwrap()).await.unwrap();
    w.settle().await;
    assert_eq!(w.events("lease.granted").await, 1, "what took effect does so once");
    w.check_promises().await;
}

async fn a_death_between_two_requests_loses_none_and_repeats_none(db: Db) {
    let mut w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for n in 0..6 {
        w.github.as_user("mona").comment(REPO, issue, &format!("Remark {n}.")).unwrap();
    }
    w.lose_deliveries().await;
    w.advance(Span::hours(1));
    for _ in 0..6 {
        // A start reads the list anew; then one is asked for.
        assert!(w.engine.intake().step_missed().await.unwrap() && w.engine.intake().step_missed().await.unwrap());
        w = w.restart().await;
        w.advance(Span::secs(1));
    }
    assert_eq!((w.asked().len(), w.asked().iter().collect::<BTreeSet<_>>().len()), (6, 6));
    w.settle().await;
    assert_eq!(w.asked().len(), 6);
    w.check_promises().await;
}
