//! Claims that are refused: each reply names the rule, the value, the limit, the holder, and when to try again.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;

on_both!(
    a_taken_task_names_its_holder_and_the_end,
    a_claim_where_there_is_no_task_says_so,
    bots_and_pull_request_threads_get_no_answer_at_all,
    skills_tier_and_points_are_all_named_in_one_reply,
    a_refusal_that_is_edited_says_when,
    a_person_holds_no_more_than_they_may,
    newcomers_share_two_claims_until_a_first_merge,
    a_full_budget_says_what_takes_it,
    an_area_has_one_holder_at_a_time,
    a_lapse_is_followed_by_a_cooldown,
    refusals_are_edited_while_young_and_three_at_most,
    why_tells_the_same_reasons_without_trying,
);

async fn a_taken_task_names_its_holder_and_the_end(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.say("bo", issue, "/owp claim").await;
    let refusal = w.only(issue, "@bo");
    for words in ["taken", "now leased, needed ready", "Held by ada", "Try again after 24 Nov 2026", "[task_state]"] {
        assert!(refusal.contains(words), "{words} in {refusal}");
    }
    w.say("ada", issue, "/owp claim").await;
    assert!(w.last(issue).contains("you hold this task already"), "{}", w.last(issue));
    assert_eq!(w.events("lease.granted").await, 1);

    let pull = w.open_pr("ada", issue).await;
    w.say("cy", issue, "/owp claim").await;
    assert!(w.last(issue).contains("A pull request already answers the task"), "{}", w.last(issue));
    w.merge(pull).await;
    w.say("eve", issue, "/owp claim").await;
    assert!(w.last(issue).contains("The task is done"), "{}", w.last(issue));
    w.check_promises().await;
}

async fn a_claim_where_there_is_no_task_says_so(db: Db) {
    let w = World::new(db).await;
    let plain = w.github.as_user("mona").open_issue(REPO, "A question", "Why?", &[]).unwrap();
    w.say("ada", plain, "/owp claim").await;
    let refusal = w.only(plain, "@ada");
    assert!(refusal.contains("does not carry the label") && refusal.contains("pool:ready"), "{refusal}");
    assert!(refusal.contains("[task_state]"), "{refusal}");
    assert_eq!(w.state(plain).await, "none");

    let closed = w.task("Parse dates", &[]).await;
    w.github.as_user("mona").close(REPO, closed).unwrap();
    w.say("ada", closed, "/owp claim").await;
    assert!(w.only(closed, "@ada").contains("The task is closed"));
    assert_eq!(w.state(closed).await, "closed");
    w.check_promises().await;
}

async fn bots_and_pull_request_threads_get_no_answer_at_all(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.add_bot("helper[bot]");
    w.say("helper[bot]", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.ours(issue).is_empty(), "{:#?}", w.ours(issue));

    let pull = w.open_pr_with("ada", "Some work", false).await;
    w.say("ada", pull, "/owp claim").await;
    w.say("ada", pull, "/owp help").await;
    assert!(w.ours(pull).is_empty(), "{:#?}", w.ours(pull));
    assert_eq!(w.state(pull).await, "none");
    w.check_promises().await;
}

async fn skills_tier_and_points_are_all_named_in_one_reply(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Rewrite the parser", &["estimate:8", "skills:rust,sql", "tier:2"]).await;
    w.say("ada", issue, "/owp join skills:rust capacity:5").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    let refusal = w.only(issue, "you cannot claim this task now");
    for words in [
        "needs the skill `sql`",
        "now rust, needed rust, sql",
        "[skills]",
        "risk tier 2",
        "now trust 0, 0 merged, no score, needed trust 2, or 5 merged and reputation 0.80",
        "[tier]",
        "8 points do not fit",
        "now 8, limit 5",
        "[capacity]",
    ] {
        assert!(refusal.contains(words), "{words} in {refusal}");
    }
    w.say("ada", issue, "/owp join skills:rust,sql capacity:8").await;
    w.say("mona", issue, "/owp trust @ada 2").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn a_refusal_that_is_edited_says_when(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Rewrite the parser", &["tier:2"]).await;
    w.say("ada", issue, "/owp claim").await;
    assert!(!w.only(issue, "cannot claim this task now").contains("Updated"));
    w.advance(Span::hours(2));
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.only(issue, "cannot claim this task now");
    assert!(refusal.contains("Updated on 21 Nov 2026, 0") && refusal.contains("after your last claim"), "{refusal}");
    w.check_promises().await;
}

async fn a_person_holds_no_more_than_they_may(db: Db) {
    let w = World::new(db).await;
    let first = w.task("One", &[]).await;
    let second = w.task("Two", &[]).await;
    let third = w.task("Three", &[]).await;
    w.say("ada", first, "/owp claim").await;
    w.say("ada", second, "/owp claim").await;
    let refusal = w.last(second);
    assert!(
        refusal.contains("Until your first pull request is merged here") && refusal.contains("now 1, limit 1"),
        "{refusal}"
    );
    assert!(refusal.contains("[person_cap]"), "{refusal}");

    // Under review costs nothing; and after the first merge the limit rises to two.
    let pull = w.open_pr("ada", first).await;
    w.say("ada", second, "/owp claim").await;
    assert_eq!(w.state(second).await, "leased");
    w.merge(pull).await;
    w.say("ada", third, "/owp claim").await;
    assert_eq!(w.state(third).await, "leased");
    let fourth = w.task("Four", &[]).await;
    w.say("ada", fourth, "/owp join concurrent:5").await;
    w.say("ada", fourth, "/owp claim").await;
    let refusal = w.last(fourth);
    assert!(
        refusal.contains("as many tasks as one contributor may hold") && refusal.contains("now 2, limit 2"),
        "{refusal}"
    );

    // A client of the same person adds no more.
    let worker = w.client("ada", fourth, &[]).await;
    w.engine.workers().pull_work(&worker).await.unwrap();
    assert_eq!(w.state(fourth).await, "ready");
    w.check_promises().await;
}

async fn newcomers_share_two_claims_until_a_first_merge(db: Db) {
    let w = World::new(db).await;
    w.seasoned("eve").await;
    let mut issues = Vec::new();
    for title in ["One", "Two", "Three", "Four"] {
        issues.push(w.task(title, &[]).await);
    }
    w.say("ada", issues[0], "/owp claim").await;
    w.say("bo", issues[1], "/owp claim").await;
    w.say("mona", issues[2], "/owp trust @cy 3").await;
    w.say("cy", issues[2], "/owp claim").await;
    assert_eq!(w.state(issues[2]).await, "ready", "trust opens tiers; it makes nobody known here");
    let refusal = w.only(issues[2], "@cy, you cannot claim this task now");
    for words in [
        "Contributors without a merged pull request here share a limit",
        "now 2, limit 2",
        "Held by ada and bo",
        "Try again after 24 Nov 2026",
        "[newcomers_total]",
    ] {
        assert!(refusal.contains(words), "{words} in {refusal}");
    }
    assert!(!refusal.contains("[person_cap]"), "cy holds nothing: {refusal}");
    let client = w.client("cy", issues[2], &[]).await;
    assert!(w.engine.workers().pull_work(&client).await.unwrap().items.is_empty(), "a pull is held to it as well");

    w.say("eve", issues[2], "/owp claim").await;
    assert_eq!(w.state(issues[2]).await, "leased", "who had something merged is counted no more");

    // What is under review leaves room for the next newcomer.
    w.open_pr("ada", issues[0]).await;
    let given = w.engine.workers().pull_work(&client).await.unwrap().items;
    assert_eq!(given.iter().map(|item| item.task.title.as_str()).collect::<Vec<_>>(), ["Four"]);
    assert_eq!(w.live_leases(&issues).await, 3);
    w.check_promises().await;
}

async fn a_full_budget_says_what_takes_it(db: Db) {
    let w = World::new(db).await;
    let first = w.task("One", &[]).await;
    let second = w.task("Two", &[]).await;
    let third = w.task("Three", &[]).await;
    w.say("mona", first, "/owp budget 2").await;
    w.say("ada", first, "/owp claim").await;
    let pull = w.open_pr("ada", first).await;
    w.say("bo", second, "/owp claim").await;
    w.say("cy", third, "/owp claim").await;
    assert_eq!(w.state(third).await, "ready");
    let refusal = w.last(third);
    for words in [
        "All 2 review slots are taken (limit set with `/owp budget`): bo until 24 Nov 2026, ",
        &format!("on #{second}; and pull request #{pull} by ada."),
        "Try again after 24 Nov 2026, ",
        "[budget]",
    ] {
        assert!(refusal.contains(words), "{words} in {refusal}");
    }
    w.say("mona", third, "/owp budget 0").await;
    w.say("eve", third, "/owp claim").await;
    assert!(w.last(third).contains("The review budget is 0"), "{}", w.last(third));
    w.check_promises().await;
}

async fn an_area_has_one_holder_at_a_time(db: Db) {
    let w = World::new(db).await;
    let first = w.task("One", &["area:auth"]).await;
    let second = w.task("Two", &["area:auth"]).await;
    w.say("ada", first, "/owp claim").await;
    w.say("bo", second, "/owp claim").await;
    let refusal = w.last(second);
    for words in ["The area `auth`", "Held by ada", "Try again after 24 Nov 2026", "[area_lock]"] {
        assert!(refusal.replace('\\', "").contains(words), "{words} in {refusal}");
    }
    assert_eq!(w.state(second).await, "ready");
    w.open_pr("ada", first).await;
    w.say("bo", second, "/owp claim").await;
    assert_eq!(w.state(second).await, "leased", "the lock ends with the pull request");
    w.check_promises().await;
}

async fn a_lapse_is_followed_by_a_cooldown(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    w.advance(Span::days(3));
    w.settle().await;
    assert_eq!(w.state(issue).await, "ready");
    assert_eq!(w.ours(issue).iter().filter(|c| c.contains("expired without")).count(), 1, "{:#?}", w.ours(issue));
    w.say("ada", issue, "/owp claim").await;
    let refusal = w.last(issue);
    assert!(refusal.contains("ran out") && refusal.contains("[cooldown]"), "{refusal}");
    assert!(refusal.contains("claim again after 25 Nov 2026"), "{refusal}");
    w.advance(Span::hours(25));
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.check_promises().await;
}

async fn refusals_are_edited_while_young_and_three_at_most(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Rewrite the parser", &["tier:2"]).await;
    let refusals = || w.ours(issue).iter().filter(|c| c.contains("@ada")).count();
    w.say("ada", issue, "/owp claim").await;
    w.advance(Span::hours(1));
    w.say("ada", issue, "/owp claim").await;
    w.say("ada", issue, "/owp claim\n/owp claim").await;
    assert_eq!(refusals(), 1, "{:#?}", w.ours(issue));
    // A new reason is edited in.
    w.say("mona", issue, "/owp pause 30d holidays").await;
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(refusals(), 1);
    assert!(w.only(issue, "@ada").contains("holidays"));
    for _ in 0..6 {
        w.advance(Span::hours(25));
        w.settle().await;
        w.say("ada", issue, "/owp claim").await;
    }
    assert_eq!(refusals(), 3, "{:#?}", w.ours(issue));
    w.say("bo", issue, "/owp claim").await;
    assert!(w.last(issue).contains("@bo"), "another person has three of their own");
    w.check_promises().await;
}

async fn why_tells_the_same_reasons_without_trying(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Rewrite the parser", &["tier:1"]).await;
    w.say("ada", issue, "/owp why").await;
    let why = w.last(issue);
    w.say("ada", issue, "/owp claim").await;
    let line = |text: &str| text.lines().find(|l| l.contains("[tier]")).map(str::to_owned);
    assert!(line(&why).is_some(), "{why}");
    assert_eq!(line(&why), line(&w.last(issue)));
    w.say("mona", issue, "/owp trust @ada 1").await;
    w.say("ada", issue, "/owp why").await;
    assert!(w.last(issue).contains("no rule keeps you from this task"));
    assert_eq!(w.state(issue).await, "ready");
    w.check_promises().await;
}
