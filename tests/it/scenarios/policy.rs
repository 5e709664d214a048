//! The policy file: read when it changed, followed while it is good, said once when it is not.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::{Engine, NewTask, Pulled, ReadAccess, Registration};
use owp_pool::task::TaskSpec;
use owp_pool::worker::Capabilities;
use owp_pool::{Span, WorkerId};
use owp_sandbox::{Fault, FaultKind, PrSpec, Role};
use owp_store::Extra;
use std::collections::BTreeMap;

on_both!(
    a_policy_is_read_followed_and_forgotten_with_its_file,
    a_claim_is_judged_by_the_file_as_it_is_now,
    a_bad_file_is_said_once_and_the_last_good_one_stays_in_force,
    a_file_that_was_never_good_hands_out_nothing_and_says_why,
    a_file_the_app_may_not_read_hands_out_nothing_and_names_the_remedy,
    while_github_is_away_what_is_known_stays_in_force,
    a_repository_that_hangs_delays_nobody_elsewhere,
    a_file_that_cannot_be_read_is_not_asked_for_by_every_pull,
    a_file_is_read_once_for_all_who_ask_and_only_where_there_is_work_for_them,
    labels_of_ones_own_are_read_and_a_change_of_them_compares_every_issue,
    the_smallest_budget_counts_and_says_whose_it_is,
    a_pause_by_the_clock_begins_and_ends_by_itself,
    the_contract_is_told_to_whoever_takes_a_task,
    a_list_of_names_opens_a_tier_by_id_and_a_team_by_its_members,
    checks_are_refused_without_the_permission_to_see_them,
    an_area_stays_held_until_the_merge_where_the_policy_says_so,
    a_trusted_bot_opts_issues_in,
);

async fn pull(engine: &Engine, worker: &WorkerId) -> Pulled {
    engine.workers().pull_work(worker).await.unwrap()
}

async fn a_policy_is_read_followed_and_forgotten_with_its_file(db: Db) {
    let w = World::new(db).await;
    w.policy("budget: { max_open_prs: 1 }").await;
    assert_eq!(w.slots().await, (0, 1));
    assert_eq!(w.events("policy.set").await, 1);
    let before = w.github.requests().len();
    w.next_count().await;
    let asked: Vec<_> = w.github.requests().split_off(before);
    let read: Vec<u16> = asked.iter().filter(|r| r.path.contains("/contents/")).map(|r| r.status).collect();
    assert!(!read.is_empty() && read.iter().all(|status| *status == 304), "asked for with a condition: {read:?}");
    assert_eq!(w.events("policy.set").await, 1);
    w.github.remove_file(REPO, ".github/owp.yml").unwrap();
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 5), "without a file the defaults count");
    w.check_promises().await;
}

async fn a_claim_is_judged_by_the_file_as_it_is_now(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    let bo = w.client("bo", one, &[]).await;
    w.github.as_user("mona").put_file(REPO, ".github/owp.yml", "budget: { max_open_prs: 0 }").unwrap();
    w.advance(Span::secs(61));
    w.say("ada", one, "/owp claim").await;
    assert_eq!(w.state(one).await, "ready");
    assert!(w.last(one).contains("budget is 0"), "{}", w.last(one));
    assert!(!pull(&w.engine, &bo).await.granted);
    w.github.as_user("mona").put_file(REPO, ".github/owp.yml", "budget: { max_open_prs: 1 }").unwrap();
    w.advance(Span::secs(61));
    // What a pull finds by the old file is judged again by the new one before it is given.
    w.say("ada", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased");
    assert!(!pull(&w.engine, &bo).await.granted);
    w.check_promises().await;
}

async fn a_bad_file_is_said_once_and_the_last_good_one_stays_in_force(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.policy("budget: { max_open_prs: 2 }").await;
    w.policy("budget: { max_open_prs: 2 }\nleases: { ttl: soon }\nbudgets: 3\n").await;
    assert_eq!(w.slots().await, (0, 2), "the last good file stays in force");
    let said = w.only(issue, "has errors");
    assert!(said.contains("line 2, column 16") && said.contains("stays in force"), "{said}");
    let page = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    let trouble = page.repos[0].policy_error.clone().unwrap();
    assert!(trouble.contains("line 2"), "{trouble}");
    for _ in 0..30 {
        w.next_count().await;
    }
    w.task("Another", &[]).await;
    assert_eq!(w.ours(issue).len(), 1, "once, and not again each time it is looked at");
    assert_eq!(w.events("policy.refused").await, 1);
    w.policy("budget: { max_open_prs: 3 }\nleases: { ttl: 99y }\n").await;
    assert!(w.only(issue, "has errors").contains("line 2"), "the same comment says what is wrong now");
    w.policy("budget: { max_open_prs: 3 }\n").await;
    assert!(w.only(issue, "policy file").contains("is valid again"));
    assert_eq!((w.slots().await, w.ours(issue).len()), ((0, 3), 1));
    w.check_promises().await;
}

async fn a_file_that_was_never_good_hands_out_nothing_and_says_why(db: Db) {
    let w = World::before_start(db).await;
    w.github.set_file(REPO, ".github/owp.yml", "budget: { max_open_prs: one }").unwrap();
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready", "what it asks for is not known, and may be less than the default");
    let refusal = w.only(issue, "cannot claim this task now");
    assert!(refusal.contains("line 1, column 25") && refusal.contains("[repo_active]"), "{refusal}");
    w.next_count().await;
    assert!(w.only(issue, "Nothing is handed out").contains("line 1, column 25"));
    w.policy("budget: { max_open_prs: 1 }").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_file_the_app_may_not_read_hands_out_nothing_and_names_the_remedy(db: Db) {
    let w = World::before_start(db).await;
    let installation = w.github.install(&[REPO]).unwrap();
    let granted = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
        list.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect()
    };
    let least = [("issues", "write"), ("pull_requests", "read"), ("metadata", "read")];
    w.github.grant(installation, granted(&least)).unwrap();
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.last(issue).contains("contents: read"), "{}", w.last(issue));
    w.github.grant(installation, granted(&[&least[..], &[("contents", "read")]].concat())).unwrap();
    w.next_count().await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn while_github_is_away_what_is_known_stays_in_force(db: Db) {
    let w = World::new(db).await;
    w.policy("budget: { max_open_prs: 1 }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/contents").times(1_000));
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 1));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "the count is known and the policy was read");
    w.check_promises().await;
}

/// A worker nobody knows, who may have what manual repositories offer.
async fn stranger(w: &World, skills: &[&str]) -> WorkerId {
    let registration = Registration {
        name: "somebody".into(),
        github_handle: None,
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        capacity: 5,
        max_concurrent: 2,
        capabilities: Capabilities::default(),
        extra: Extra::new(),
    };
    w.engine.workers().register(registration).await.unwrap().worker
}

/// Counts the requests for the policy file.
fn reads(w: &World) -> usize {
    w.github.requests().iter().filter(|request| request.path.contains("/contents/")).count()
}

async fn a_repository_that_hangs_delays_nobody_elsewhere(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let ada = w.client("ada", issue, &[]).await;
    w.engine.operator().upsert_repo("by/hand", 5, false).await.unwrap();
    let task = |title: &str| NewTask {
        title: title.to_owned(),
        description: String::new(),
        spec: TaskSpec::default(),
        external_id: None,
        extra: Extra::new(),
    };
    w.advance(Span::minutes(2));
    w.github.fault(Fault::next(FaultKind::Slow { ms: 60_000 }).on("GET", "/contents/"));
    let asking = tokio::spawn({
        let (engine, ada) = (w.engine.clone(), ada.clone());
        async move { pull(&engine, &ada).await }
    });
    while !w.github.faults().is_empty() {
        tokio::task::yield_now().await;
    }
    // The file is asked for, and GitHub does not answer.
    let bo = stranger(&w, &[]).await;
    w.engine.operator().add_tasks("by/hand", vec![task("One")], None).await.unwrap();
    assert!(pull(&w.engine, &bo).await.granted);
    assert!(!asking.is_finished(), "the grant waited for nobody");
    w.engine.operator().add_tasks("by/hand", vec![task("Two")], None).await.unwrap();
    let pulled = asking.await.unwrap();
    let repos: Vec<&str> = pulled.items.iter().map(|item| item.repo.as_str()).collect();
    assert_eq!(repos, ["by/hand"], "whoever could have had the task gets another one instead of waiting longer");
    w.check_promises().await;
}

async fn a_file_that_cannot_be_read_is_not_asked_for_by_every_pull(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let ada = w.client("ada", issue, &[]).await;
    w.advance(Span::minutes(2));
    w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/contents/").times(1_000));
    let before = reads(&w);
    for _ in 0..5 {
        assert!(!pull(&w.engine, &ada).await.granted, "a grant needs the file as it is");
        w.advance(Span::secs(1));
    }
    assert_eq!(reads(&w) - before, 1);
    let (ada_now, task) = (w.worker(&ada).await, w.task_of(issue).await.unwrap().id);
    let notes = w.engine.scheduler().why(&ada_now, &task).await.unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("policy file of acme/rocket")), "{notes:?}");
    w.advance(Span::secs(6));
    assert!(!pull(&w.engine, &ada).await.granted);
    assert_eq!(reads(&w) - before, 2, "asked again after some seconds");
    w.github.clear_faults();
    w.advance(Span::secs(11));
    assert!(pull(&w.engine, &ada).await.granted);
    assert!(w.engine.scheduler().why(&ada_now, &task).await.unwrap().notes.is_empty());
    w.check_promises().await;
}

async fn a_file_is_read_once_for_all_who_ask_and_only_where_there_is_work_for_them(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("One", &["skills:rust"]).await, w.task("Two", &["skills:rust"]).await);
    let (ada, bo) = (w.client("ada", one, &["rust"]).await, w.client("bo", two, &["rust"]).await);
    let cy = w.client("cy", one, &["go"]).await;
    w.advance(Span::minutes(2));
    let before = reads(&w);
    assert!(!pull(&w.engine, &cy).await.granted);
    assert_eq!(reads(&w) - before, 0, "a plan that no grant follows costs nothing");
    let pulled = futures_util::future::join_all([&ada, &bo, &ada, &bo].map(|id| pull(&w.engine, id))).await;
    assert!(pulled.iter().any(|one| one.granted));
    assert_eq!((w.live_leases(&[one, two]).await, reads(&w) - before), (2, 1));
    w.check_promises().await;
}

async fn labels_of_ones_own_are_read_and_a_change_of_them_compares_every_issue(db: Db) {
    let w = World::new(db).await;
    let usual = w.task("As usual", &["estimate:3"]).await;
    let own = w.github.as_user("mona").open_issue(REPO, "In our own words", "Please.", &[]).unwrap();
    w.github.as_user("mona").label_all(REPO, own, &["help wanted", "points:5", "estimate:8"]).unwrap();
    w.settle().await;
    assert_eq!(w.state(own).await, "none");
    w.policy("labels: { ready: help wanted, estimate: [points] }").await;
    assert_eq!((w.state(own).await, w.state(usual).await), ("ready", "ready"), "it waits a day for the new label");
    assert!(w.task_of(usual).await.unwrap().withheld.is_some(), "and nobody is given it meanwhile");
    assert_eq!(w.task_of(own).await.unwrap().spec.estimate, 5);
    w.github.as_user("mona").label(REPO, usual, "help wanted").unwrap();
    w.settle().await;
    assert!(w.task_of(usual).await.unwrap().withheld.is_none());
    assert_eq!(w.task_of(usual).await.unwrap().spec.estimate, 1, "`estimate:` means nothing here any more");
    w.check_promises().await;
}

async fn the_smallest_budget_counts_and_says_whose_it_is(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.policy("budget: { max_open_prs: 4 }").await;
    w.say("mona", issue, "/owp budget 7").await;
    assert_eq!(w.slots().await.1, 7, "a command wins over the file");
    w.engine.operator().upsert_repo(REPO, 6, true).await.unwrap();
    assert_eq!(w.slots().await.1, 6, "the operator's ceiling wins over both");
    let document = serde_json::from_str(r#"{ "budget": { "max_open_prs": 5 } }"#).unwrap();
    w.engine.policies().set_policy(REPO, Some(document)).await.unwrap();
    assert_eq!(w.slots().await.1, 5);
    w.say("mona", issue, "/owp budget file").await;
    assert_eq!(w.slots().await.1, 4, "the file asks for less than anybody allows");
    w.say("ada", issue, "/owp status").await;
    assert!(w.only(issue, "the task's status").contains("limit from the policy file"));
    w.check_promises().await;
}

/// The stage begins on a Saturday.
async fn a_pause_by_the_clock_begins_and_ends_by_itself(db: Db) {
    let w = World::new(db).await;
    w.policy("pause: { schedule: \"* * * * SAT,SUN\" }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.only(issue, "cannot claim this task now");
    assert!(refusal.contains("paused until 23 Nov 2026, 00:00 UTC") && refusal.contains("SAT,SUN"), "{refusal}");
    w.say("mona", issue, "/owp resume").await;
    assert!(w.last(issue).contains("but the policy pauses it"), "{}", w.last(issue));
    w.advance(Span::hours(45));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "it is Monday");
    w.check_promises().await;
}

async fn the_contract_is_told_to_whoever_takes_a_task(db: Db) {
    let w = World::new(db).await;
    w.policy("contract: { setup: make deps, test: make test, lint: make lint, branch: \"pool/{issue}/{slug}\" }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let lease = w.only(issue, "is yours until");
    for words in ["`make deps`", "`make test`", "`make lint`", &format!("`pool/{issue}/parse-dates`")] {
        assert!(lease.contains(words), "{words} in {lease}");
    }
    let head = format!("pool/{issue}/parse-dates");
    let spec = PrSpec { head, title: "Work".into(), body: "Done.".into(), ..PrSpec::default() };
    w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "the branch of the contract leads to its issue");
    w.check_promises().await;
}

async fn a_list_of_names_opens_a_tier_by_id_and_a_team_by_its_members(db: Db) {
    let w = World::new(db).await;
    let installation = w.installation().await;
    let permissions = [
        ("issues", "write"),
        ("pull_requests", "read"),
        ("metadata", "read"),
        ("single_file", "read"),
        ("members", "read"),
    ];
    let granted = permissions.map(|(name, level)| (name.to_owned(), level.to_owned()));
    w.github.add_team_member("acme", "core", "bo");
    let issue = w.task("Parse dates", &["tier:3"]).await;
    w.policy("tiers: { 3: { allow: [ada, acme/core] } }").await;
    assert!(w.only(issue, "has errors").contains("members: read"), "teams need a permission of their own");
    w.github.grant(installation, granted.into()).unwrap();
    w.next_count().await;
    assert!(w.only(issue, "policy file").contains("is valid again"));
    w.say("eve", issue, "/owp claim").await;
    assert!(w.only(issue, "risk tier 3").contains("one of ada, acme/core"));
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "a member of the team");
    w.say("bo", issue, "/owp release").await;
    // The name is somebody else's by now; the one who was meant keeps their place.
    w.github.rename_user("ada", "adele").unwrap();
    w.github.add_user("ada");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    w.say("adele", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.policy("tiers: { 3: { allow: [nobody-has-this-name] } }").await;
    assert!(w.only(issue, "has errors").contains("knows no such account"));
    w.check_promises().await;
}

async fn checks_are_refused_without_the_permission_to_see_them(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.policy("gates: { checks: [ci/test] }").await;
    let said = w.only(issue, "has errors");
    assert!(said.contains("checks: read") && said.contains("statuses: read"), "{said}");
    let permissions = [
        ("issues", "write"),
        ("pull_requests", "read"),
        ("metadata", "read"),
        ("single_file", "read"),
        ("checks", "read"),
        ("statuses", "read"),
    ];
    let granted = permissions.map(|(name, level)| (name.to_owned(), level.to_owned()));
    w.github.grant(w.installation().await, granted.into()).unwrap();
    w.next_count().await;
    assert!(w.only(issue, "policy file").contains("is valid again"));
    w.check_promises().await;
}

async fn an_area_stays_held_until_the_merge_where_the_policy_says_so(db: Db) {
    let w = World::new(db).await;
    w.policy("area_locks: { until: merged }").await;
    let (one, two) = (w.task("One", &["area:auth"]).await, w.task("Two", &["area:auth"]).await);
    w.say("ada", one, "/owp claim").await;
    let pull = w.open_pr("ada", one).await;
    assert_eq!(w.state(one).await, "pr_opened");
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "ready");
    assert!(w.only(two, "cannot claim this task now").contains("[area_lock]"));
    w.github.as_user("ada").push(REPO, pull).unwrap();
    w.settle().await;
    w.merge(pull).await;
    w.say("bo", two, "/owp claim").await;
    assert_eq!(w.state(two).await, "leased");
    w.check_promises().await;
}

async fn a_trusted_bot_opts_issues_in(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot("triage[bot]");
    w.github.add_collaborator(REPO, "triage[bot]", Role::Triage).unwrap();
    let open = |title: &str| w.github.as_user("eve").open_issue(REPO, title, "Please.", &[]).unwrap();
    let before = open("Before");
    w.github.as_user("triage[bot]").label(REPO, before, "pool:ready").unwrap();
    w.settle().await;
    assert!(w.task_of(before).await.unwrap().hold.unwrap().contains("bot triage[bot]"));
    w.policy("labels: { bots: [\"triage[bot]\"] }").await;
    let after = open("After");
    w.github.as_user("triage[bot]").label(REPO, after, "pool:ready").unwrap();
    w.settle().await;
    assert_eq!(w.task_of(after).await.unwrap().hold, None);
    w.check_promises().await;
}
