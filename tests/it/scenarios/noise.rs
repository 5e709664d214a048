//! Noise, measured: how many notifications the pool sends. GitHub notifies people of comments that are created, never
//! of those that are edited, so what counts is the number of creations in the request journal.

use crate::scenarios::acts::Written;
use crate::scenarios::labels::TEN;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{PrSpec, WebhookRequest};

on_both!(
    a_whole_life_notifies_twice_and_once_for_the_pull_request,
    labelling_a_hundred_good_issues_notifies_nobody,
    ten_labels_at_once_notify_at_most_once,
    relabelling_back_and_forth_notifies_once,
    what_is_mended_before_it_was_said_is_never_said,
    a_warning_that_is_out_of_date_before_it_was_sent_is_never_sent,
    sweeps_redeliveries_and_restarts_notify_nobody,
    many_changes_of_one_comment_are_one_write,
);

async fn a_whole_life_notifies_twice_and_once_for_the_pull_request(db: Db) {
    let w = World::new(db).await;
    let mut told = Vec::new();
    let issue = w.task("Parse dates", &["estimate:3", "priority:high", "area:dates"]).await;
    told.push(("labelled", w.written().created));
    w.say("ada", issue, "/owp claim").await;
    told.push(("claimed", w.written().created));
    w.advance(Span::hours(60));
    w.settle().await;
    told.push(("warned", w.written().created));
    w.say("ada", issue, "/owp extend").await;
    told.push(("extended", w.written().created));
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    told.push(("draft opened", w.written().created));
    w.advance(Span::hours(30));
    w.github.as_user("ada").push(REPO, pull).unwrap();
    w.settle().await;
    told.push(("pushed", w.written().created));
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    told.push(("ready for review", w.written().created));
    w.advance(Span::days(9));
    w.settle().await;
    w.github.as_user("mona").comment(REPO, pull, "Almost. Please add a test.").unwrap();
    w.github.as_user("ada").push(REPO, pull).unwrap();
    w.settle().await;
    told.push(("reviewed", w.written().created));
    w.merge(pull).await;
    told.push(("merged", w.written().created));
    println!("new comments after each step: {told:?}; {:?}", w.written());
    assert_eq!(
        told.iter().map(|(_, created)| *created).collect::<Vec<_>>(),
        [0, 1, 2, 2, 3, 3, 3, 3, 3],
        "the lease, one warning, one link: {told:?}"
    );
    assert_eq!(w.state(issue).await, "merged");
    assert!(
        w.ours(issue)[0].contains("Co-authored-by"),
        "credit is given in the lease's comment: {:#?}",
        w.ours(issue)
    );
    w.check_promises().await;
}

async fn labelling_a_hundred_good_issues_notifies_nobody(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issues: Vec<u64> =
        (0..100).map(|n| mona.open_issue(REPO, &format!("Issue {n}"), "Please.", &[]).unwrap()).collect();
    let sets = [
        vec!["pool:ready"],
        vec!["pool:ready", "bug", "good first issue"],
        vec!["estimate:2", "priority:low", "skill:rust", "area:docs", "tier:1", "pool:ready"],
        vec!["size:XL", "skills:rust,sql", "POOL:READY"],
    ];
    for (n, issue) in issues.iter().enumerate() {
        mona.label_all(REPO, *issue, &sets[n % sets.len()]).unwrap();
    }
    w.settle().await;
    for issue in issues {
        assert_eq!(w.state(issue).await, "ready");
    }
    println!("a hundred labelled issues: {:?}", w.written());
    assert_eq!(w.written(), Written { created: 0, edited: 0 });
    w.check_promises().await;
}

async fn ten_labels_at_once_notify_at_most_once(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    // In one call, in ten calls that are heard together, and in ten of which each is answered before the next.
    let [at_once, together, apart] =
        ["At once", "Together", "Apart"].map(|title| mona.open_issue(REPO, title, "Please.", &[]).unwrap());
    mona.label_all(REPO, at_once, &TEN).unwrap();
    w.settle().await;
    assert_eq!(w.written(), Written { created: 1, edited: 0 });
    for label in TEN {
        mona.label(REPO, together, label).unwrap();
    }
    w.settle().await;
    assert_eq!(w.written(), Written { created: 2, edited: 0 });
    for label in TEN {
        mona.label(REPO, apart, label).unwrap();
        w.settle().await;
    }
    println!("ten labels on each of three issues: {:?}", w.written());
    assert_eq!(w.written().created, 3);
    w.check_promises().await;
}

async fn relabelling_back_and_forth_notifies_once(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let good = w.task("Parse dates", &["estimate:3"]).await;
    let bad = w.task("Parse numbers", &["estimate:many"]).await;
    assert_eq!(w.written().created, 1, "{:#?}", w.ours(bad));
    for _ in 0..6 {
        for issue in [good, bad] {
            mona.unlabel(REPO, issue, "pool:ready").unwrap();
            w.settle().await;
            mona.label(REPO, issue, "pool:ready").unwrap();
            w.settle().await;
        }
        mona.unlabel(REPO, bad, "estimate:many").unwrap();
        w.settle().await;
        mona.label_all(REPO, bad, &["estimate:many", "tier:9"]).unwrap();
        w.settle().await;
        mona.close(REPO, good).unwrap();
        w.settle().await;
        mona.reopen(REPO, good).unwrap();
        w.settle().await;
    }
    println!("two issues relabelled six times: {:?}", w.written());
    assert_eq!(w.written().created, 1);
    assert_eq!((w.ours(good).len(), w.ours(bad).len()), (0, 1));
    w.check_promises().await;
}

async fn what_is_mended_before_it_was_said_is_never_said(db: Db) {
    let w = World::new(db).await;
    let issue = w.mended_unsaid().await;
    // A problem that comes back is said, and from then on the comment is there to be edited.
    w.mar_and_mend(issue).await;
    assert_eq!(w.written(), Written { created: 1, edited: 1 });
    assert!(w.only(issue, "resolved").contains("Everything noted here is resolved"));
    w.check_promises().await;
}

async fn a_warning_that_is_out_of_date_before_it_was_sent_is_never_sent(db: Db) {
    let w = World::new(db).await;
    let mut issues = Vec::new();
    for (login, words) in [("ada", "/owp extend"), ("bo", "/owp release no time")] {
        let issue = w.task(&format!("A task for {login}"), &[]).await;
        w.say(login, issue, "/owp claim").await;
        issues.push((login, issue, words));
    }
    w.advance(Span::hours(60));
    while w.engine.scheduler().step_expiry().await.unwrap() {}
    assert_eq!(w.events("lease.warned").await, 2);
    for (login, issue, words) in &issues {
        w.github.as_user(login).comment(REPO, *issue, words).unwrap();
    }
    w.hear().await;
    w.settle().await;
    assert_eq!(w.written().created, 2, "the leases alone: {:#?}", w.ours(issues[0].1));
    assert!(w.last(issues[1].1).contains("gave this task back"));
    w.check_promises().await;
}

/// Everything GitHub ever delivered, so that it can come again.
async fn receive_and_keep(w: &World, kept: &mut Vec<WebhookRequest>) {
    for webhook in w.github.take_deliveries() {
        deliver(w, &webhook, "").await;
        kept.push(webhook);
    }
}

/// Brings a parcel to the door; with `again`, as a delivery of its own that says the same.
async fn deliver(w: &World, webhook: &WebhookRequest, again: &str) {
    let header = |name: &str| {
        webhook.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let id = format!("{}{again}", header("X-GitHub-Delivery").unwrap());
    let (event, kind) = (header("X-GitHub-Event").unwrap(), header("Content-Type"));
    w.engine.intake().accept_delivery(&id, event, kind, header("X-Hub-Signature-256"), &webhook.body).await.unwrap();
}

async fn sweeps_redeliveries_and_restarts_notify_nobody(db: Db) {
    let mut w = World::new(db).await;
    let (mut kept, people) = (Vec::new(), ["ada", "bo", "cy", "eve"].map(|login| w.github.as_user(login)));
    let [ada, bo, cy, eve] = &people;
    let mona = w.github.as_user("mona");
    let titles = ["Leased", "Bad labels", "Blocked", "Under review", "Fine"];
    let issues = titles.map(|title| mona.open_issue(REPO, title, "Please.", &["pool:ready"]).unwrap());
    let held = eve.open_template_issue(REPO, "Held", "Please.", &["pool:ready"]).unwrap();
    mona.label_all(REPO, issues[1], &["estimate:many", "tier:9"]).unwrap();
    // Everybody has to be known here before two of them can hold something at once.
    receive_and_keep(&w, &mut kept).await;
    w.settle().await;
    for (person, issue, words) in [
        (ada, issues[0], "/owp claim"),
        (bo, issues[2], "/owp claim\n/owp block waits for a decision"),
        (cy, issues[3], "/owp claim"),
        (eve, issues[0], "/owp claim"),
        (eve, issues[4], "/owp clam\n/owp status"),
    ] {
        person.comment(REPO, issue, words).unwrap();
        receive_and_keep(&w, &mut kept).await;
        w.settle().await;
    }
    for (person, body) in [(cy, format!("Fixes #{}", issues[3])), (eve, format!("Fixes #{}", issues[4]))] {
        let spec = PrSpec { head: format!("work-{}", body.len()), title: "Work".into(), body, ..PrSpec::default() };
        person.open_pr(REPO, spec).unwrap();
        receive_and_keep(&w, &mut kept).await;
        w.settle().await;
    }
    let before = w.written();
    println!("seven kinds of issues: {before:?}");
    assert!(before.created >= 7 && !w.ours(held).is_empty(), "{before:?}");

    // A day of counting, comparing and listening.
    for _ in 0..(24 * 60 / 6) {
        w.advance(Span::minutes(6));
        w.settle().await;
    }
    assert_eq!(w.written(), before, "sweeps say nothing new");
    // Everything comes again: as GitHub redelivers, and as if it had all happened once more.
    for again in ["", "-again"] {
        for webhook in kept.iter().rev() {
            deliver(&w, webhook, again).await;
        }
        w.settle().await;
        assert_eq!(w.written(), before, "redeliveries say nothing new");
    }
    for _ in 0..3 {
        w = w.restart().await;
        w.settle().await;
        w.advance(Span::minutes(20));
        w.settle().await;
    }
    assert_eq!(w.written(), before, "restarts say nothing new");
    w.check_promises().await;
}

async fn many_changes_of_one_comment_are_one_write(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.written(), Written { created: 1, edited: 0 });
    for hours in 1..=20 {
        w.advance(Span::hours(1));
        w.github.as_user("ada").comment(REPO, issue, &format!("/owp extend\n\nThe {hours}th time.")).unwrap();
        w.hear().await;
    }
    w.github.as_user("ada").comment(REPO, issue, "/owp release enough").unwrap();
    w.hear().await;
    w.settle().await;
    assert_eq!(w.written(), Written { created: 1, edited: 1 }, "{:#?}", w.ours(issue));
    assert!(w.last(issue).contains("“enough”"), "the latest is what is said: {}", w.last(issue));
    w.check_promises().await;
}
