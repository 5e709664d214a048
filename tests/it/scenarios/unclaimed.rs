//! Pull requests of people who claimed nothing: what they take is bounded, and their authors can make the tasks theirs.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;

on_both!(
    drafts_of_an_outsider_stop_nobody,
    of_an_outsiders_pull_requests_the_first_counts_and_holds_its_task,
    the_author_of_a_pull_request_claims_its_task_and_delivers_it,
    a_claim_by_the_author_of_a_draft_starts_the_work,
    an_authors_claim_needs_no_second_slot,
    a_client_claims_what_its_person_has_opened,
    a_task_assigned_to_the_author_of_its_pull_request_is_delivered,
    a_maintainer_sets_a_pull_request_aside_and_takes_that_back,
    what_answers_a_claim_is_not_set_aside,
    whoever_named_the_author_as_their_agent_claims_the_task,
    giving_tasks_back_does_not_leave_drafts_that_count,
    each_author_is_told_once_by_name,
);

async fn five_tasks(w: &World) -> Vec<u64> {
    let mut issues = Vec::new();
    for n in 1..=5 {
        issues.push(w.task(&format!("Issue {n}"), &[]).await);
    }
    issues
}

async fn drafts_of_an_outsider_stop_nobody(db: Db) {
    let w = World::new(db).await;
    let issues = five_tasks(&w).await;
    for issue in &issues {
        w.open_pr_with("eve", &format!("Fixes #{issue}"), true).await;
    }
    assert_eq!(w.slots().await, (0, 5));
    let told = w.only(issues[0], "@eve, about your pull request");
    assert!(told.contains("As a draft it takes no review slot. Others can claim the task meanwhile."), "{told}");
    w.say("ada", issues[0], "/owp claim").await;
    assert_eq!((w.state(issues[0]).await, w.slots().await), ("leased", (1, 5)));
    let client = w.client("bo", issues[1], &[]).await;
    assert_eq!(w.engine.workers().pull_work(&client).await.unwrap().items.len(), 1);
    let told = w.only(issues[0], "@eve, about your pull request");
    assert!(told.contains("which ada holds. As a draft it takes no review slot."), "{told}");
    w.next_count().await;
    assert_eq!(w.slots().await, (2, 5), "a count sees it the same way");
    w.check_promises().await;
}

async fn of_an_outsiders_pull_requests_the_first_counts_and_holds_its_task(db: Db) {
    let w = World::new(db).await;
    let issues = five_tasks(&w).await;
    let mut pulls = Vec::new();
    for issue in &issues[..3] {
        pulls.push(w.open_pr("eve", *issue).await);
    }
    assert_eq!(w.slots().await, (1, 5), "as many as a newcomer may claim");
    assert!(w.only(issues[1], "@eve").contains("reached the limit of unclaimed pull requests that count"));
    w.say("ada", issues[0], "/owp claim").await;
    assert!(w.last(issues[0]).contains(&format!("Pull request #{} by eve is open", pulls[0])), "{}", w.last(issues[0]));
    w.say("ada", issues[1], "/owp claim").await;
    assert_eq!(w.state(issues[1]).await, "leased");
    // When the first one ends, the next that answers a free task counts, and its author hears so.
    w.github.as_user("eve").close_pr(REPO, pulls[0]).unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (2, 5));
    assert!(w.only(issues[1], "@eve").contains("It takes one review slot."), "{:#?}", w.ours(issues[1]));
    // One that names every task keeps one of them.
    let names: Vec<String> = issues.iter().map(|issue| format!("Fixes #{issue}")).collect();
    w.open_pr_with("cy", &names.join("\n"), false).await;
    assert_eq!(w.slots().await, (3, 5));
    w.say("bo", issues[3], "/owp claim").await;
    assert_eq!(w.state(issues[3]).await, "leased");
    w.policy("budget: { count: all }").await;
    assert_eq!(w.slots().await, (5, 5), "the policy counts everything");
    w.check_promises().await;
}

async fn the_author_of_a_pull_request_claims_its_task_and_delivers_it(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr("eve", issue).await;
    let told = w.only(issue, "@eve, about your pull request");
    assert!(told.contains("Nobody else can claim the task while it is open. Comment `/owp claim`"), "{told}");
    let created = w.written().created;
    w.say("eve", issue, "/owp claim").await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    assert_eq!(w.written().created, created + 1, "one comment says it: {:#?}", w.ours(issue));
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@eve delivered #{pull} for this task")));
    assert!(w.only(issue, "owp:key=author:").contains("resolved"));
    assert_eq!((w.events("lease.granted").await, w.events("task.pr_opened").await), (1, 1));
    w.merge(pull).await;
    let thanks = w.only(issue, "Thank you, @eve!");
    assert!(thanks.contains("Co-authored-by: eve"), "{thanks}");
    let next = [w.task("One", &[]).await, w.task("Two", &[]).await];
    for issue in next {
        w.say("eve", issue, "/owp claim").await;
    }
    assert_eq!(w.live_leases(&next).await, 2, "eve is no newcomer any more");
    w.check_promises().await;
}

async fn a_claim_by_the_author_of_a_draft_starts_the_work(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr_with("eve", &format!("Fixes #{issue}"), true).await;
    w.say("eve", issue, "/owp claim").await;
    assert_eq!((w.state(issue).await, w.slots().await), ("in_progress", (1, 5)));
    assert!(w.only(issue, "owp:key=lease").contains("this task is yours until"));
    assert!(w.only(issue, &format!("owp:key=pull:{pull}")).contains("waits for: leaving draft"));
    w.github.as_user("eve").ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    w.check_promises().await;
}

async fn an_authors_claim_needs_no_second_slot(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("mona", one, "/owp budget 1").await;
    let draft = w.open_pr_with("cy", &format!("Fixes #{two}"), true).await;
    let pull = w.open_pr("eve", one).await;
    w.say("cy", two, "/owp claim").await;
    let refusal = w.last(two);
    let words = format!("The only review slot is taken (limit set with `/owp budget`): pull request #{pull} by eve.");
    assert!(refusal.contains(&words) && !refusal.contains("Try again after"), "#{draft} has no slot: {refusal}");
    w.say("eve", one, "/owp claim").await;
    assert_eq!((w.state(one).await, w.slots().await), ("pr_opened", (1, 1)));
    w.check_promises().await;
}

async fn a_client_claims_what_its_person_has_opened(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let client = w.client("eve", issue, &[]).await;
    let pull = w.open_pr("eve", issue).await;
    let (worker, task) = (w.worker(&client).await, w.task_of(issue).await.unwrap());
    let item = w.engine.scheduler().claim(&worker, &task.id, None).await.unwrap();
    assert_eq!((item.task.state.name(), item.task.pull), ("pr_opened", i64::try_from(pull).ok()));
    w.settle().await;
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@eve delivered #{pull}")));
    assert_eq!(w.slots().await, (1, 5));
    w.check_promises().await;
}

async fn a_task_assigned_to_the_author_of_its_pull_request_is_delivered(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr("eve", issue).await;
    w.say("mona", issue, "/owp assign @eve").await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    let answer = w.only(issue, "@mona");
    assert!(answer.contains(&format!("pull request #{pull} is delivered for it and waits for review")), "{answer}");
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(w.only(issue, &format!("owp:key=pull:{pull}")).contains("Thank you, eve!"));
    w.check_promises().await;
}

async fn a_maintainer_sets_a_pull_request_aside_and_takes_that_back(db: Db) {
    let w = World::new(db).await;
    let (issue, elsewhere) = (w.task("Parse dates", &[]).await, w.task("Elsewhere", &[]).await);
    let pull = w.open_pr("eve", issue).await;
    w.say("mona", elsewhere, &format!("/owp ignore #{pull}")).await;
    let answer = w.only(elsewhere, "@mona");
    assert!(answer.contains(&format!("pull request #{pull} is set aside")), "{answer}");
    assert_eq!((w.slots().await, w.events("pull.ignored").await), ((0, 5), 1));
    let told = w.only(issue, "@eve");
    assert!(told.contains("A maintainer set it aside, so it takes no review slot. Others can claim"), "{told}");
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 5), "a count leaves it aside");
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased");
    w.say("ada", issue, "/owp release").await;
    w.next_count().await;
    w.say("mona", elsewhere, &format!("/owp ignore off #{pull}")).await;
    assert_eq!(w.slots().await, (1, 5));
    w.say("mona", elsewhere, &format!("/owp ignore #{pull}")).await;
    w.say("eve", issue, "/owp claim").await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)), "a claim makes it count");
    for (said, answer) in [("ignore off #77", "knows no open pull request #77"), ("ignore", "needs a pull request")] {
        w.say("mona", elsewhere, &format!("/owp {said}")).await;
        assert!(w.last(elsewhere).contains(answer), "{}", w.last(elsewhere));
    }
    w.check_promises().await;
}

async fn what_answers_a_claim_is_not_set_aside(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with("ada", &format!("Fixes #{issue}"), true).await;
    let set_aside = format!("/owp ignore #{pull}");
    w.say("mona", issue, &set_aside).await;
    assert!(w.last(issue).contains("answers a task that its author claimed"), "{}", w.last(issue));
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.say("mona", issue, &set_aside).await;
    assert_eq!((w.slots().await, w.events("pull.ignored").await), ((1, 5), 0));
    w.github.as_user("ada").convert_to_draft(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.slots().await, (1, 5), "what was delivered counts");
    w.check_promises().await;
}

async fn whoever_named_the_author_as_their_agent_claims_the_task(db: Db) {
    const BOT: &str = "copilot-swe-agent[bot]";
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    let pull = w.open_pr(BOT, issue).await;
    assert!(w.only(issue, "owp:key=notes").contains(&format!("declares it with `/owp join agents:@{BOT}`")));
    w.say("ada", issue, "/owp claim").await;
    assert!(w.last(issue).contains(&format!("Pull request #{pull} by {BOT} is open")), "{}", w.last(issue));
    w.say("ada", issue, &format!("/owp join agents:@{BOT}\n/owp claim")).await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@ada delivered #{pull}")));
    w.check_promises().await;
}

async fn giving_tasks_back_does_not_leave_drafts_that_count(db: Db) {
    let w = World::new(db).await;
    let issues = five_tasks(&w).await;
    for issue in &issues[..3] {
        w.say("eve", *issue, "/owp claim").await;
        w.open_pr_with("eve", &format!("Fixes #{issue}"), true).await;
        w.say("eve", *issue, "/owp release").await;
        w.next_count().await;
    }
    assert_eq!(w.slots().await, (0, 5));
    w.say("ada", issues[0], "/owp claim").await;
    assert_eq!(w.state(issues[0]).await, "leased");
    w.check_promises().await;
}

async fn each_author_is_told_once_by_name(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &["estimate:many"]).await;
    assert!(w.sole(issue).contains("estimate:many"), "there is a comment with notes already");
    let (first, second) = (w.open_pr("eve", issue).await, w.open_pr("eve", issue).await);
    w.open_pr("bo", issue).await;
    assert_eq!(w.written().created, 3, "notes, eve's and bo's: {:#?}", w.ours(issue));
    let told = w.only(issue, "@eve, about your pull requests");
    assert!(told.contains(&format!("#{first} by eve")) && told.contains(&format!("#{second} by eve")), "{told}");
    w.only(issue, "@bo, about your pull request");
    for pull in [first, second] {
        w.github.as_user("eve").close_pr(REPO, pull).unwrap();
        w.settle().await;
    }
    w.advance(Span::minutes(20));
    w.settle().await;
    assert_eq!(w.written().created, 3);
    w.only(issue, "Everything noted here is resolved");
    w.check_promises().await;
}
