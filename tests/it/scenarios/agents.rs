//! Agents: accounts that open pull requests for whoever named them, and where what was merged came from.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World, opened};
use owp_engine::ProfileChange;
use owp_pool::Span;
use owp_sandbox::PrSpec;
use serde_json::{Value, json};

on_both!(
    an_agents_pull_request_is_the_work_of_whoever_named_it,
    an_agent_named_later_answers_from_then_on,
    an_agents_draft_shares_the_slot_and_its_pushes_renew,
    when_an_agents_pull_request_is_closed_its_person_has_first_refusal,
    a_person_is_nobodys_agent,
    a_client_may_report_what_its_agent_opened,
    a_client_names_agents_for_its_person,
    the_audit_log_keeps_where_merged_work_came_from,
    credit_follows_people_who_rename_themselves,
);

const BOT: &str = "copilot-swe-agent[bot]";

impl World {
    /// The details of the newest event of a kind.
    async fn newest(&self, kind: &str) -> Value {
        let events = self.store().read(|tx| Box::pin(async move { tx.events().recent(1_000).await })).await.unwrap();
        events.into_iter().filter(|event| event.kind == kind).max_by_key(|event| event.seq).unwrap().payload
    }
}

async fn an_agents_pull_request_is_the_work_of_whoever_named_it(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    assert!(w.last(issue).contains(&format!("Pull requests by `{BOT}` for tasks you hold count as yours.")));
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr(BOT, issue).await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    let linked = w.only(issue, &format!("owp:key=pull:{pull}"));
    assert!(linked.contains(&format!("#{pull} by {BOT}, for ada, who took this task")), "{linked}");
    let id = w.github.add_user("ada").id;
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    let lease = w.only(issue, "owp:key=lease");
    assert!(lease.contains(&format!("Co-authored-by: ada <{id}+ada@users.noreply.github.com>")), "{lease}");
    let next = [w.task("One", &[]).await, w.task("Two", &[]).await];
    for issue in next {
        w.say("ada", issue, "/owp claim").await;
    }
    assert_eq!(w.live_leases(&next).await, 2, "the merge was ada's: she is no newcomer any more");
    w.check_promises().await;
}

async fn an_agent_named_later_answers_from_then_on(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr(BOT, issue).await;
    assert_eq!((w.state(issue).await, w.slots().await), ("leased", (2, 5)), "it may be anybody's");
    let notes = w.only(issue, "owp:key=notes");
    let hint = format!("If it was made for ada, they can declare that with `/owp join agents:@{BOT}`");
    assert!(notes.contains(&format!("#{pull} by {BOT} answers this task")) && notes.contains(&hint), "{notes}");
    w.say("bo", issue, &format!("/owp join agents:@{BOT}")).await;
    assert_eq!(w.state(issue).await, "leased", "bo does not hold the task");
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    assert_eq!((w.state(issue).await, w.slots().await), ("pr_opened", (1, 5)));
    assert!(w.only(issue, "owp:key=notes").contains("resolved"));
    w.check_promises().await;
}

async fn an_agents_draft_shares_the_slot_and_its_pushes_renew(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr_with(BOT, &format!("Fixes #{issue}"), true).await;
    assert_eq!((w.state(issue).await, w.slots().await), ("in_progress", (1, 5)));
    for _ in 0..2 {
        w.advance(Span::days(2));
        w.github.as_user(BOT).push(REPO, pull).unwrap();
        w.settle().await;
    }
    assert_eq!(w.state(issue).await, "in_progress", "its pushes are ada's signs of life");
    w.say("ada", issue, "/owp join agents:none").await;
    assert!(w.last(issue).contains("No other account's pull requests count as yours."));
    assert_eq!(w.slots().await, (1, 5), "it is a stranger's draft again");
    w.github.as_user(BOT).ready_for_review(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "in_progress");
    assert!(w.only(issue, "owp:key=notes").contains("which ada holds"));
    w.check_promises().await;
}

async fn when_an_agents_pull_request_is_closed_its_person_has_first_refusal(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    w.say("ada", issue, "/owp claim").await;
    let by_bot = w.open_pr(BOT, issue).await;
    let own = w.open_pr("ada", issue).await;
    w.github.as_user("mona").close_pr(REPO, by_bot).unwrap();
    w.settle().await;
    assert_eq!(w.task_of(issue).await.unwrap().pull, i64::try_from(own).ok(), "her own takes over");
    w.github.as_user("mona").close_pr(REPO, own).unwrap();
    w.settle().await;
    w.say("bo", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "ready");
    assert!(w.last(issue).contains("The task is reserved for ada until"), "{}", w.last(issue));
    w.github.as_user("mona").reopen(REPO, by_bot).unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened");
    assert!(w.only(issue, "owp:key=lease").contains(&format!("@ada delivered #{by_bot}")));
    w.check_promises().await;
}

async fn a_person_is_nobodys_agent(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("bo", issue, "/owp join skills:rust").await;
    for (login, why) in [
        ("nobody-here", "GitHub knows no account `nobody-here`"),
        ("ada", "you need not name yourself"),
        ("bo", "`bo` is a person"),
        ("cy", "`cy` is a person"),
    ] {
        w.say("ada", issue, &format!("/owp join agents:@{login}")).await;
        assert!(w.last(issue).contains(why), "{}", w.last(issue));
    }
    w.say("ada", issue, "/owp claim").await;
    w.open_pr("cy", issue).await;
    assert_eq!((w.state(issue).await, w.slots().await.0), ("leased", 2), "cy's pull request is cy's own");
    assert!(w.only(issue, "@cy, about your pull request").contains("Please talk to each other"));
    w.check_promises().await;
}

async fn a_client_may_report_what_its_agent_opened(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    let client = w.client("ada", issue, &[]).await;
    w.engine.workers().pull_work(&client).await.unwrap();
    assert_eq!(w.state(issue).await, "leased");
    let (by_bot, by_eve) =
        (w.open_pr_with(BOT, "See the title.", false).await, w.open_pr_with("eve", "Mine.", false).await);
    let worker = w.worker(&client).await;
    let task = w.task_of(issue).await.unwrap().id;
    for pull in [by_bot, by_eve] {
        let refused =
            w.engine.workers().report_status(&worker, &task, opened(pull), None).await.unwrap_err().to_string();
        assert!(refused.contains("nor by an agent they named with `/owp join agents:@login`"), "{refused}");
    }
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    w.engine.workers().report_status(&worker, &task, opened(by_bot), None).await.unwrap();
    assert_eq!(w.state(issue).await, "pr_opened");
    w.github.as_user(BOT).rewrite(REPO, by_bot, "Still no word of it.").unwrap();
    w.settle().await;
    assert_eq!(w.state(issue).await, "pr_opened", "a reported link outlives an edit of the text");
    w.merge(by_bot).await;
    assert_eq!(w.state(issue).await, "merged");
    w.check_promises().await;
}

async fn a_client_names_agents_for_its_person(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    let client = w.client("ada", issue, &[]).await;
    w.engine.workers().pull_work(&client).await.unwrap();
    let by_bot = w.open_pr(BOT, issue).await;
    assert_eq!(w.state(issue).await, "leased");
    let naming = async |worker: &owp_pool::WorkerId, logins: &[&str]| {
        let agents = Some(logins.iter().map(|login| (*login).to_owned()).collect());
        w.engine.workers().change_worker(worker, ProfileChange { agents, ..ProfileChange::default() }).await
    };
    for (logins, why) in [(["no-such"], "GitHub knows no account `no-such`"), (["ada"], "need not name yourself")] {
        let refused = naming(&client, &logins).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    w.github.add_bot("other-agent");
    let mut named = naming(&client, &[BOT, "other-agent", "OTHER-Agent"]).await.unwrap().agents;
    named.sort();
    assert_eq!(named, [BOT, "other-agent"]);
    w.next_count().await;
    assert_eq!((w.state(issue).await, w.slots().await.0), ("pr_opened", 1), "{by_bot}");
    assert!(naming(&client, &[]).await.unwrap().agents.is_empty());
    w.check_promises().await;
}

async fn the_audit_log_keeps_where_merged_work_came_from(db: Db) {
    let w = World::new(db).await;
    w.github.add_bot(BOT);
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, &format!("/owp join agents:@{BOT}")).await;
    w.say("ada", issue, "/owp claim").await;
    let body = format!("Fixes #{issue}");
    let spec = PrSpec { head: "dates".into(), title: "Work".into(), body, signed: true, ..PrSpec::default() };
    let pull = w.github.as_user(BOT).open_pr(REPO, spec).unwrap();
    w.settle().await;
    let bot = w.github.add_bot(BOT).id;
    let head = w.github.pull(REPO, pull).unwrap().head_sha;
    let fork = format!("{BOT}/rocket");
    let delivered = json!({
        "head_sha": head, "head_repo": fork, "fork": true, "base": "main", "author": BOT, "author_id": bot,
        "for": "ada", "commits": 1, "verified": "all",
    });
    assert_eq!(w.newest("task.pr_opened").await["from"], delivered);

    let pushed = w.github.as_user(BOT).push(REPO, pull).unwrap();
    w.github.as_user(BOT).delete_repo(&fork).unwrap();
    w.merge(pull).await;
    let merged = w.newest("task.merged").await;
    assert_eq!((&merged["pull"], &merged["from"]["head_sha"]), (&json!(pull), &json!(pushed)));
    assert_eq!((&merged["from"]["verified"], &merged["from"]["commits"]), (&json!("some"), &json!(2)));
    assert_eq!((&merged["from"]["head_repo"], &merged["from"]["fork"]), (&json!(null), &json!(true)));

    let own = w.task("Parse numbers", &[]).await;
    let spec = PrSpec { head: "n".into(), title: "N".into(), body: format!("Fixes #{own}"), ..PrSpec::default() };
    let pull = w.github.as_user("mona").open_pr(REPO, spec).unwrap();
    w.settle().await;
    w.merge(pull).await;
    let from = w.newest("task.merged").await["from"].clone();
    assert_eq!((&from["head_repo"], &from["fork"]), (&json!(REPO), &json!(false)));
    assert_eq!((&from["for"], &from["verified"]), (&json!("mona"), &json!("none")));
    w.check_promises().await;
}

async fn credit_follows_people_who_rename_themselves(db: Db) {
    let w = World::new(db).await;
    let id = w.github.add_user("ada").id;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.github.rename_user("ada", "ada-lovelace").unwrap();
    w.merge(pull).await;
    let lease = w.only(issue, "owp:key=lease");
    let credit = format!("Co-authored-by: ada-lovelace <{id}+ada-lovelace@users.noreply.github.com>");
    assert!(lease.contains(&credit) && lease.contains("Thank you, @ada-lovelace!"), "{lease}");
    w.check_promises().await;
}
