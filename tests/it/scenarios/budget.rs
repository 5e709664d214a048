//! The review budget: never more open pull requests plus work handed out than it allows, and nothing when in doubt.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::{Person, Span};
use owp_sandbox::{Fault, FaultKind, PrSpec};

on_both!(
    claims_and_pulls_together_never_pass_the_budget,
    nothing_is_granted_before_the_first_count,
    a_failed_count_stops_grants_until_one_succeeds,
    a_claim_that_waits_for_a_count_is_served_by_it,
    a_release_keeps_its_slot_until_a_count_has_looked,
    a_pull_request_whose_delivery_was_lost_keeps_the_slot_of_its_lease,
    strangers_pull_requests_do_not_count,
    the_budget_and_its_source_are_always_shown,
    a_restart_counts_before_it_grants,
    every_open_pull_request_counts_where_the_policy_says_so_over_every_page,
    drafts_count_unless_the_policy_says_otherwise_and_their_lease_keeps_its_slot,
);

async fn claims_and_pulls_together_never_pass_the_budget(db: Db) {
    let w = World::new(db).await;
    let mut issues = Vec::new();
    for n in 0..12 {
        issues.push(w.task(&format!("Issue {n}"), &["estimate:1"]).await);
    }
    w.say("mona", issues[0], "/owp budget 4").await;
    let mut workers = Vec::new();
    for login in ["ada", "bo", "cy"] {
        w.seasoned(login).await;
        workers.push(w.client(login, issues[0], &[]).await);
    }
    for round in 0..6 {
        for worker in &workers {
            w.engine.workers().pull_work(worker).await.unwrap();
            assert!(w.slots().await.0 <= 4, "round {round}");
        }
        let claimed = issues[(round * 2) % issues.len()];
        w.say("eve", claimed, "/owp claim").await;
        assert!(w.slots().await.0 <= 4, "round {round}");
        for issue in &issues {
            let task = w.task_of(*issue).await.unwrap();
            if task.state.is_held() && round % 2 == 0 {
                let people = ["ada", "bo", "cy", "eve"];
                let id = |login: &str| Some(Person::GitHub(i64::try_from(w.github.add_user(login).id).unwrap()));
                let login = people.into_iter().find(|login| id(login) == task.last_holder);
                if let Some(login) = login {
                    w.open_pr(login, *issue).await;
                    assert!(w.slots().await.0 <= 4, "round {round}");
                }
            }
        }
        assert!(w.github.open_pulls(REPO).len() <= 4, "round {round}");
        if let Some(pull) = w.github.open_pulls(REPO).first() {
            w.merge(pull.number).await;
        }
        w.next_count().await;
    }
    assert!(w.events("task.merged").await > 5, "work was done");
    w.check_promises().await;
}

async fn nothing_is_granted_before_the_first_count(db: Db) {
    let w = World::before_start(db).await;
    let pulls = || Fault::next(FaultKind::ServerError { status: 503 }).on("GET", "/pulls").times(100_000);
    w.github.fault(pulls());
    w.engine.intake().step_installations().await.unwrap();
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    let worker = w.client("bo", issue, &[]).await;
    w.engine.workers().pull_work(&worker).await.unwrap();
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.only(issue, "@ada").contains("[count_known]"), "{:#?}", w.ours(issue));
    w.github.clear_faults();
    w.next_count().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_failed_count_stops_grants_until_one_succeeds(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    // A list that did not change is not sent again, so something must change for its answer to break.
    w.open_pr_with("eve", "Unrelated", false).await;
    w.github.fault(Fault::next(FaultKind::Truncated).on("GET", "/pulls").times(100_000));
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 1);
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    let refusal = w.only(issue, "@ada");
    assert!(refusal.contains("last count of open pull requests failed"), "{refusal}");
    let worker = w.client("bo", issue, &[]).await;
    w.engine.workers().pull_work(&worker).await.unwrap();
    assert_eq!(w.state(issue).await, "ready");
    w.advance(Span::minutes(30));
    w.settle().await;
    assert_eq!(w.events("count.failed").await, 1, "said once, however often it is tried");

    w.github.clear_faults();
    w.next_count().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_claim_that_waits_for_a_count_is_served_by_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/pulls").times(100_000));
    w.next_count().await;
    assert_eq!(w.events("count.failed").await, 1);
    w.github.clear_faults();
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "whoever asks has it counted");
    w.check_promises().await;
}

async fn a_release_keeps_its_slot_until_a_count_has_looked(db: Db) {
    let w = World::new(db).await;
    let one = w.task("One", &[]).await;
    let two = w.task("Two", &[]).await;
    w.say("mona", one, "/owp budget 1").await;
    w.say("ada", one, "/owp claim").await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/pulls").times(100_000));
    w.say("ada", one, "/owp release").await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready", "nobody has looked whether a pull request came of it");
    w.github.clear_faults();
    w.next_count().await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased");
    w.check_promises().await;
}

async fn a_pull_request_whose_delivery_was_lost_keeps_the_slot_of_its_lease(db: Db) {
    let w = World::new(db).await;
    let one = w.task("One", &[]).await;
    let two = w.task("Two", &[]).await;
    w.say("mona", one, "/owp budget 1").await;
    w.say("ada", one, "/owp claim").await;
    let spec = owp_sandbox::PrSpec { head: "work".into(), title: "Work".into(), ..Default::default() };
    w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.github.take_deliveries();
    w.say("ada", one, "/owp release").await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready", "the pull request is there, whoever told of it");
    w.next_count().await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready");
    assert_eq!(w.slots().await, (1, 1));
    w.check_promises().await;
}

async fn strangers_pull_requests_do_not_count(db: Db) {
    let w = World::new(db).await;
    w.github.add_user("stranger");
    let issue = w.task("Parse dates", &[]).await;
    w.say("mona", issue, "/owp budget 1").await;
    let pull = w.open_pr_with("stranger", "Unrelated", false).await;
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 1));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    // Who opened it joins the pool: from then on it counts.
    w.github.as_user("stranger").comment(REPO, issue, "/owp join skills:rust").unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (2, 1), "people can pass the budget, the pool cannot");
    w.github.as_user("mona").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (1, 1));
    w.check_promises().await;
}

async fn the_budget_and_its_source_are_always_shown(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp status").await;
    assert!(w.last(issue).contains("0 of 5"), "{}", w.last(issue));
    w.say("mona", issue, "/owp budget 7").await;
    assert!(w.last(issue).contains("review budget is now 7"), "{}", w.last(issue));
    w.engine.operator().upsert_repo(REPO, 2, true).await.unwrap();
    w.say("ada", issue, "/owp status").await;
    let status = w.last(issue);
    assert!(status.contains("0 of 2") && status.contains("operator"), "{status}");
    w.say("mona", issue, "/owp budget 9").await;
    assert!(w.last(issue).contains("review budget is now 2"), "{}", w.last(issue));
    w.say("mona", issue, "/owp budget file").await;
    w.engine.operator().upsert_repo(REPO, 50, true).await.unwrap();
    assert_eq!(w.slots().await, (0, 5));
    w.say("mona", issue, "/owp budget 101").await;
    assert!(w.last(issue).contains("from 0 to 100"), "{}", w.last(issue));
    w.check_promises().await;
}

async fn a_restart_counts_before_it_grants(db: Db) {
    let w = World::new(db).await;
    let one = w.task("One", &[]).await;
    let two = w.task("Two", &[]).await;
    w.say("mona", one, "/owp budget 1").await;
    let worker = w.client("bo", two, &[]).await;
    w.say("ada", one, "/owp join").await;
    // While nobody listens, ada opens a pull request.
    let spec = owp_sandbox::PrSpec { head: "work".into(), title: "Work".into(), ..Default::default() };
    w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.github.take_deliveries();
    let w = w.restart().await;
    if db == Db::Sqlite {
        w.engine.workers().pull_work(&worker).await.unwrap();
        assert_eq!(w.state(two).await, "ready", "not counted yet");
    }
    w.settle().await;
    w.engine.workers().pull_work(&worker).await.unwrap();
    assert_eq!((w.state(one).await, w.state(two).await), ("ready", "ready"));
    assert_eq!(w.slots().await, (1, 1));
    w.check_promises().await;
}

async fn every_open_pull_request_counts_where_the_policy_says_so_over_every_page(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let eve = w.github.as_user("eve");
    let mut pulls = Vec::new();
    for n in 0..130 {
        let spec = PrSpec { head: format!("idea-{n}"), title: format!("Idea {n}"), ..PrSpec::default() };
        pulls.push(eve.open_pr(REPO, spec).unwrap());
    }
    // Not one delivery arrives.
    w.github.take_deliveries();
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 5), "they are nobody's of the pool");
    w.policy("budget: { count: all, max_open_prs: 100 }").await;
    assert_eq!(w.slots().await, (130, 100));
    w.say("ada", issue, "/owp claim").await;
    assert!(w.only(issue, "cannot claim this task now").contains("130 of 100 review slots are taken"));
    for pull in &pulls[..31] {
        w.github.as_user("mona").close_pr(REPO, *pull).unwrap();
    }
    w.github.take_deliveries();
    w.next_count().await;
    assert_eq!(w.slots().await, (99, 100), "those that left the list were looked at one by one");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!((w.state(issue).await, w.slots().await), ("leased", (100, 100)));
    w.check_promises().await;
}

async fn drafts_count_unless_the_policy_says_otherwise_and_their_lease_keeps_its_slot(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("ada", one, "/owp claim").await;
    let draft = w.open_pr_with("ada", &format!("Fixes #{one}"), true).await;
    let idea = w.open_pr_with("eve", &format!("Fixes #{two}"), true).await;
    assert_eq!(w.slots().await, (1, 5), "a lease and its draft are one, a stranger's draft takes none");
    w.policy("budget: { drafts: false }").await;
    assert_eq!(w.slots().await, (1, 5), "the draft does not count, so its lease does");
    w.github.as_user("ada").ready_for_review(REPO, draft).unwrap();
    w.github.as_user("eve").ready_for_review(REPO, idea).unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (2, 5)));
    w.github.as_user("ada").convert_to_draft(REPO, draft).unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 5)), "what fails later moves nothing");
    w.check_promises().await;
}
