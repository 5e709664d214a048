//! While GitHub limits the App, nothing is sent into the limit, whichever part of the pool wants something; what was asked
//! for is done afterwards, once.

use crate::scenarios::faults::commenter;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind};

on_both!(
    a_limit_costs_one_request_however_many_deliveries_wait,
    an_hour_that_is_used_up_is_rested_for,
    a_limit_that_one_repository_met_is_obeyed_for_all_of_its_installation,
    a_limit_of_the_app_is_obeyed_by_redeliveries_and_installations,
    a_limited_installation_hides_no_other,
    failed_attempts_are_no_writes_of_the_hour,
    a_lost_answer_is_looked_for_whatever_fails_meanwhile,
    a_comment_that_was_given_up_in_doubt_is_looked_for_before_it_is_written,
    leases_are_told_however_many_replies_wait,
);

/// The requests that reached GitHub for an installation, tokens included. The list of deliveries is the App's own.
fn requests(w: &World) -> Vec<String> {
    let made = w.github.requests().into_iter().filter(|request| request.by_app());
    made.map(|request| request.path).filter(|path| !path.starts_with("/app/hook")).collect()
}

fn asked(w: &World) -> usize {
    requests(w).len()
}

/// Runs every step until none has anything to do, without moving the clock.
async fn work(w: &World) {
    for _ in 0..2_000 {
        let mut busy = w.receive().await > 0;
        busy |= w.engine.intake().step_inbox().await.unwrap();
        busy |= w.engine.reconciler().step_sync().await.unwrap();
        busy |= w.engine.intake().step_missed().await.unwrap();
        busy |= w.engine.scheduler().step_expiry().await.unwrap();
        busy |= w.engine.comments().step_sender().await.unwrap();
        if !busy {
            return;
        }
    }
    panic!("something is tried again and again");
}

async fn a_limit_costs_one_request_however_many_deliveries_wait(db: Db) {
    for status in [403, 429] {
        let w = World::new(db).await;
        let mut issues = Vec::new();
        for n in 0..5 {
            issues.push(w.task(&format!("Task {n}"), &[]).await);
        }
        for n in 0..20 {
            w.github.as_user("ada").comment(REPO, issues[n % 5], "/owp status").unwrap();
        }
        w.github.fault(Fault::next(FaultKind::SecondaryLimit { status, retry_after: Some(25) }).times(1_000));
        let before = asked(&w);
        for _ in 0..25 {
            work(&w).await;
            w.advance(Span(999));
        }
        assert_eq!(asked(&w) - before, 1, "one request met the limit, and none was sent into it");
        w.github.clear_faults();
        w.advance(Span::secs(1));
        w.settle().await;
        assert_eq!(w.engine.views().totals().await.unwrap().pending_deliveries, 0);
        assert!(issues.iter().all(|issue| !w.ours(*issue).is_empty()), "everybody was answered");
        w.check_promises().await;
    }
}

async fn an_hour_that_is_used_up_is_rested_for(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::PrimaryLimit { status: 403, reset_in_secs: 1_200 }));
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    let before = asked(&w);
    for _ in 0..20 {
        work(&w).await;
        w.advance(Span::minutes(1));
    }
    assert_eq!(asked(&w) - before, 1, "nothing is tried before the reset, though GitHub would answer again");
    w.advance(Span::minutes(1));
    w.settle().await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_limit_that_one_repository_met_is_obeyed_for_all_of_its_installation(db: Db) {
    let w = World::new(db).await;
    let other = "acme/comet";
    w.github.add_repo(other).unwrap();
    w.github.change_installation(w.installation().await, &[other], &[]).unwrap();
    w.settle().await;
    w.github
        .fault(Fault::next(FaultKind::SecondaryLimit { status: 403, retry_after: Some(300) }).on("GET", "/rocket/"));
    w.advance(Span::minutes(6));
    let before = asked(&w);
    for _ in 0..5 {
        work(&w).await;
        w.advance(Span::secs(59));
    }
    let into = requests(&w).split_off(before);
    let last = into.iter().position(|path| path.contains("/rocket/")).expect("one request met the limit");
    assert!(into[last + 1..].is_empty(), "{into:#?}");
    w.advance(Span::minutes(1));
    w.settle().await;
    assert_eq!(w.slots().await, (0, 5));
    w.check_promises().await;
}

async fn a_limit_of_the_app_is_obeyed_by_redeliveries_and_installations(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for n in 0..3 {
        w.github.as_user("ada").comment(REPO, issue, &format!("Remark {n}.")).unwrap();
    }
    w.github.flush().await;
    w.advance(Span::hours(1));
    let app = || w.github.requests().iter().filter(|r| r.path.starts_with("/app/hook")).count();
    let before = app();
    w.github
        .fault(Fault::next(FaultKind::SecondaryLimit { status: 429, retry_after: Some(120) }).on("GET", "/app/hook"));
    for _ in 0..4 {
        work(&w).await;
        assert!(w.engine.intake().step_installations().await.is_err(), "the limit is the App's");
        w.advance(Span::secs(29));
    }
    assert_eq!(app() - before, 1);
    w.advance(Span::secs(4));
    w.settle().await;
    let repeated = w.github.requests().iter().filter(|r| r.path.ends_with("/attempts")).count();
    assert_eq!(repeated, 3);
    w.check_promises().await;
}

async fn a_limited_installation_hides_no_other(db: Db) {
    let w = World::new(db).await;
    w.github.fault(Fault::next(FaultKind::SecondaryLimit { status: 403, retry_after: Some(600) }).on("GET", "/rocket"));
    w.advance(Span::minutes(6));
    work(&w).await;
    for repo in ["able/one", "zeta/two"] {
        w.github.add_repo(repo).unwrap();
        w.github.install(&[repo]).unwrap();
    }
    w.github.take_deliveries();
    assert!(w.engine.intake().step_installations().await.is_err(), "the limited one could not be read");
    work(&w).await;
    let view = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    let served: Vec<&str> = view.repos.iter().map(|repo| repo.name.as_str()).collect();
    assert_eq!(served, ["able/one", REPO, "zeta/two"]);
    w.check_promises().await;
}

async fn failed_attempts_are_no_writes_of_the_hour(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::Refused { status: 422 }).on("POST", "/comments").times(10_000));
    for n in 0..500 {
        w.want(REPO, issue, &format!("lease:{n}"), "text").await;
        w.advance(Span::secs(1));
        while w.engine.comments().step_sender().await.unwrap() {}
    }
    // Each is asked for twice before its refusal is believed.
    for _ in 0..600 {
        w.advance(Span::secs(1));
        while w.engine.comments().step_sender().await.unwrap() {}
    }
    w.github.clear_faults();
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.ours(issue).len(), 1, "in the same hour, though 1,000 attempts failed");
    assert!(w.last(issue).contains("this task is yours until"));
}

async fn a_lost_answer_is_looked_for_whatever_fails_meanwhile(db: Db) {
    let limit = FaultKind::SecondaryLimit { status: 403, retry_after: None };
    for (kind, times) in [
        (FaultKind::BadCredentials, 2),
        (FaultKind::Refused { status: 403 }, 1),
        (FaultKind::Refused { status: 404 }, 1),
        (FaultKind::ServerError { status: 502 }, 1),
        (FaultKind::Truncated, 1),
        (limit, 1),
    ] {
        let w = World::new(db).await;
        let issue = w.task("Parse dates", &[]).await;
        w.github.fault(Fault::next(FaultKind::LostAnswer { as_502: true }).on("POST", "/comments"));
        w.github.fault(Fault::next(kind.clone()).on("GET", &format!("/issues/{issue}/comments")).times(times));
        w.say("ada", issue, "/owp claim").await;
        for _ in 0..30 {
            w.advance(Span::secs(30));
            work(&w).await;
        }
        let letters = w.engine.comments().dead_letters(None, 10).await.unwrap();
        for letter in letters {
            w.engine.comments().retry_comment(&letter.repo_name, letter.issue, letter.key, None).await.unwrap();
        }
        w.settle().await;
        let written =
            w.github.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/comments")).count();
        assert_eq!((written, w.ours(issue).len()), (1, 1), "{kind:?}");
        w.check_promises().await;
    }
}

async fn a_comment_that_was_given_up_in_doubt_is_looked_for_before_it_is_written(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::Reset).on("POST", "/comments"));
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.hear().await;
    w.engine.comments().step_sender().await.unwrap();
    // The look does not show it, then nobody may write, and it lands after all.
    mona.lock(REPO, issue).unwrap();
    w.advance(Span::secs(31));
    w.settle().await;
    let letters = w.engine.comments().dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    mona.unlock(REPO, issue).unwrap();
    commenter(&w).await.create(i64::try_from(issue).unwrap(), &letters[0].body).await.unwrap();
    w.github.take_deliveries();
    w.settle().await;
    w.advance(Span::minutes(20));
    w.settle().await;
    assert!(w.engine.comments().dead_letters(None, 10).await.unwrap().is_empty());
    assert_eq!(w.ours(issue).len(), 1, "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn leases_are_told_however_many_replies_wait(db: Db) {
    let w = World::new(db).await;
    let (noisy, issue) = (w.task("Noisy", &[]).await, w.task("Parse dates", &[]).await);
    for n in 0..500 {
        w.want(REPO, noisy, &format!("reply:{n}"), "text").await;
    }
    let minutes = |minutes: i64| {
        let w = &w;
        async move {
            for _ in 0..minutes * 60 {
                w.advance(Span::secs(1));
                while w.engine.comments().step_sender().await.unwrap() {}
            }
        }
    };
    minutes(1).await;
    assert!(w.ours(noisy).len() > 50);
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.hear().await;
    let before = w.ours(noisy).len();
    w.advance(Span::secs(1));
    w.engine.comments().step_sender().await.unwrap();
    assert!(w.last(issue).contains("this task is yours until"), "the next comment is the lease's");
    assert_eq!(w.ours(noisy).len(), before);

    minutes(8).await;
    let replies = w.ours(noisy).len();
    assert!((350..=360).contains(&replies), "{replies} replies, and no more in this hour");
    w.github.as_user("ada").comment(REPO, issue, "/owp release").unwrap();
    w.hear().await;
    minutes(1).await;
    assert!(w.last(issue).contains("gave this task back"), "{}", w.last(issue));
    assert_eq!(w.ours(noisy).len(), replies);
    w.check_promises().await;
}
