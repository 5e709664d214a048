//! Links between pull requests and tasks, and their end: closing words, branches, reports, forks, moves.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World, opened};
use owp_engine::Report;
use owp_pool::Span;
use owp_sandbox::PrSpec;

on_both!(
    every_keyword_and_spelling_links,
    what_only_mentions_an_issue_links_nothing,
    the_branch_is_named_as_the_rules_say,
    the_text_is_a_later_word_than_the_branch,
    a_client_reports_a_pull_request_that_names_nothing,
    a_fork_may_go_before_the_merge,
    pointing_at_another_branch_changes_nothing,
    a_link_moves_to_another_issue_by_editing,
    links_outlive_a_new_name_of_the_repository,
);

impl World {
    /// Opens a pull request from a branch; its text is `body`.
    async fn open_from(&self, login: &str, head: &str, body: &str) -> u64 {
        let spec = PrSpec { head: head.into(), title: "Work".into(), body: body.into(), ..PrSpec::default() };
        let pull = self.github.as_user(login).open_pr(REPO, spec).unwrap();
        self.settle().await;
        pull
    }
}

async fn every_keyword_and_spelling_links(db: Db) {
    let w = World::new(db).await;
    let words = ["close", "closes", "Closed", "fix", "fixes", "FIXED", "resolve", "resolves", "resolved"];
    let mut bodies: Vec<String> = words.iter().map(|word| format!("{word} #N")).collect();
    bodies.push("Some words.\r\n\r\nFixes: Acme/Rocket#N.".into());
    bodies.push("> closes https://github.com/acme/rocket/issues/N".into());
    for body in bodies {
        let issue = w.task(&body, &[]).await;
        w.say("ada", issue, "/owp claim").await;
        let pull = w.open_pr_with("ada", &body.replace('N', &issue.to_string()), false).await;
        assert_eq!(w.state(issue).await, "pr_opened", "{body}");
        w.merge(pull).await;
        assert_eq!(w.state(issue).await, "merged", "{body}");
        // A contributor has ten commands a minute.
        w.advance(Span::minutes(1));
    }
    w.check_promises().await;
}

async fn what_only_mentions_an_issue_links_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    for body in ["See #N", "fixes acme/other#N", "`fixes #N`", "<!-- fixes #N -->", "fixes # N"] {
        let pull = w.open_pr_with("ada", &body.replace('N', &issue.to_string()), false).await;
        assert_eq!((w.state(issue).await, w.slots().await.0), ("leased", 2), "{body}");
        w.github.as_user("ada").close_pr(REPO, pull).unwrap();
        w.settle().await;
    }
    w.check_promises().await;
}

async fn the_branch_is_named_as_the_rules_say(db: Db) {
    let w = World::new(db).await;
    w.rules("contract: { branch: \"pool/issue-{issue}\" }").await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    assert!(w.last(issue).contains(&format!("comes from the branch `pool/issue-{issue}`")), "{}", w.last(issue));
    let usual = w.open_from("ada", &format!("work/{issue}-parse-dates"), "See the title.").await;
    assert_eq!(w.state(issue).await, "leased", "that name was never asked for here");
    w.github.as_user("ada").close_pr(REPO, usual).unwrap();
    w.open_from("ada", &format!("pool/issue-{issue}"), "See the title.").await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.check_promises().await;
}

async fn the_text_is_a_later_word_than_the_branch(db: Db) {
    let w = World::new(db).await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("ada", two, "/owp claim").await;
    w.open_from("ada", &format!("owp/{one}-one"), &format!("Fixes #{two}")).await;
    assert_eq!((w.state(one).await, w.state(two).await), ("ready", "pr_opened"));
    assert!(w.ours(one).is_empty(), "{:?}", w.ours(one));
    w.check_promises().await;
}

async fn a_client_reports_a_pull_request_that_names_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let client = w.client("ada", issue, &[]).await;
    w.engine.workers().pull_work(&client).await.unwrap();
    let pull = w.open_pr_with("ada", "See the title.", true).await;
    assert_eq!(w.state(issue).await, "leased");
    let (report, worker) = (opened(pull), w.worker(&client).await);
    let task = w.task_of(issue).await.unwrap().id;
    w.engine.workers().report_status(&worker, &task, report.clone(), None).await.unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, w.slots().await.0), ("in_progress", 1), "a draft is not delivered by a word");
    assert!(w.only(issue, &format!("owp:key=pull:{pull}")).contains("waits for: leaving draft"));
    w.github.as_user("ada").ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");

    let other = Report { pr_url: Some("https://github.com/acme/other/pull/1".into()), ..report.clone() };
    w.github.as_user("ada").close_pr(REPO, pull).unwrap();
    w.settle().await;
    for (wrong, why) in [(other, "not a pull request of acme/rocket"), (report, "is not open")] {
        w.engine.workers().pull_work(&worker.id).await.unwrap();
        let refused = w.engine.workers().report_status(&worker, &task, wrong, None).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    w.check_promises().await;
}

async fn a_fork_may_go_before_the_merge(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_from("ada", &format!("owp/{issue}-dates"), "See the branch.").await;
    assert_eq!(w.state(issue).await, "pr_opened");
    w.github.as_user("ada").delete_repo("ada/rocket").unwrap();
    w.next_count().await;
    w.github.as_user("mona").retitle(REPO, pull, "Dates").unwrap();
    w.settle().await;
    assert_eq!((w.state(issue).await, w.slots().await.0), ("pr_opened", 1));
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    assert!(w.only(issue, "owp:key=lease").contains("Co-authored-by: ada"));
    w.check_promises().await;
}

async fn pointing_at_another_branch_changes_nothing(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    let ours = w.ours(issue);
    w.github.as_user("ada").retarget(REPO, pull, "next").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert_eq!(w.ours(issue), ours);
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_link_moves_to_another_issue_by_editing(db: Db) {
    let w = World::new(db).await;
    w.seasoned("ada").await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("ada", one, "/owp claim").await;
    w.say("ada", two, "/owp claim").await;
    let pull = w.open_pr("ada", one).await;
    assert_eq!((w.state(one).await, w.state(two).await, w.slots().await.0), ("pr_opened", "leased", 2));
    w.github.as_user("ada").rewrite(REPO, pull, &format!("Fixes #{two}, not the other.")).unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.state(two).await, w.slots().await.0), ("ready", "pr_opened", 1));
    w.say("bo", one, "/owp claim").await;
    assert!(w.last(one).contains("The task is reserved for ada until"), "{}", w.last(one));
    w.github.as_user("ada").rewrite(REPO, pull, &format!("Fixes #{two} and fixes #{one}.")).unwrap();
    w.settle().await;
    assert_eq!((w.state(one).await, w.state(two).await), ("pr_opened", "pr_opened"));
    w.merge(pull).await;
    assert_eq!((w.state(one).await, w.state(two).await), ("merged", "merged"));
    w.check_promises().await;
}

async fn links_outlive_a_new_name_of_the_repository(db: Db) {
    let w = World::new(db).await;
    w.seasoned("ada").await;
    let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
    w.say("ada", one, "/owp claim").await;
    w.say("ada", two, "/owp claim").await;
    let before = w.open_pr_with("ada", &format!("Fixes acme/rocket#{one}"), false).await;
    w.github.as_user("mona").rename_repo(REPO, "booster").unwrap();
    w.next_count().await;
    let spec = PrSpec {
        head: "two".into(),
        title: "Two".into(),
        body: format!("Fixes acme/booster#{two}"),
        ..PrSpec::default()
    };
    let after = w.github.as_user("ada").open_pr("acme/booster", spec).unwrap();
    w.settle().await;
    let states = |w: &World| {
        let ids = [one, two].map(|n| i64::try_from(n).unwrap());
        let store = w.store().clone();
        async move {
            let read = store.read(move |tx| {
                Box::pin(async move {
                    let repo = tx.repos().by_name("acme/booster").await?.unwrap();
                    let mut states = Vec::new();
                    for issue in ids {
                        states.push(tx.tasks().by_issue(&repo.id, issue).await?.unwrap().state.name());
                    }
                    Ok::<_, owp_store::StoreError>(states)
                })
            });
            read.await.unwrap()
        }
    };
    assert_eq!(states(&w).await, ["pr_opened", "pr_opened"]);
    for pull in [before, after] {
        w.github.as_user("mona").merge("acme/booster", pull).unwrap();
    }
    w.settle().await;
    assert_eq!(states(&w).await, ["merged", "merged"]);
    w.check_promises().await;
}
