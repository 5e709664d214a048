//! Deliveries that come twice, late, out of order, or about what is not ours; installations and repositories that
//! change under us.

use crate::scenarios::faults::ten_minutes;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_pool::Span;
use owp_sandbox::{Chaos, Role};
use serde_json::json;

on_both!(
    disorder_ends_in_the_same_state_as_order,
    deliveries_about_foreign_repositories_have_no_effect,
    a_suspended_installation_hands_out_nothing_and_comes_back,
    an_uninstalled_app_stops_and_a_new_installation_goes_on,
    a_renamed_repository_goes_on,
    an_archived_or_private_repository_hands_out_nothing_by_pull,
    who_may_read_a_private_repository_is_asked_under_their_present_name,
);

async fn disorder_ends_in_the_same_state_as_order(db: Db) {
    for chaos in [
        Chaos { duplicate: 0.5, reorder: 0.5, ..Chaos::default() },
        Chaos { lost: 0.4, duplicate: 0.3, reorder: 0.3, ..Chaos::default() },
        Chaos { lost: 0.2, server_error: 0.1, lost_answer: 0.1, reorder: 0.5, ..Chaos::default() },
    ] {
        let w = World::new(db).await;
        w.github.chaos(chaos);
        let mona = w.github.as_user("mona");
        let issue = mona.open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
        mona.label_all(REPO, issue, &["estimate:2", "pool:ready", "area:docs"]).unwrap();
        w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
        for _ in 0..3 {
            ten_minutes(&w).await;
        }
        assert_eq!(w.state(issue).await, "leased", "{chaos:?}");
        let pull = w.open_pr("ada", issue).await;
        w.github.as_user("ada").push(REPO, pull).unwrap();
        mona.unlabel(REPO, issue, "area:docs").unwrap();
        mona.merge(REPO, pull).unwrap();
        let gone = mona.open_issue(REPO, "Not this", "Please.", &["pool:ready"]).unwrap();
        mona.close(REPO, gone).unwrap();
        for _ in 0..3 {
            ten_minutes(&w).await;
        }
        w.github.clear_faults();
        for _ in 0..2 {
            ten_minutes(&w).await;
        }
        assert_eq!(w.state(issue).await, "merged", "{chaos:?}");
        assert!(["closed", "none"].contains(&w.state(gone).await), "{chaos:?}");
        assert_eq!(w.events("lease.granted").await, 1, "{chaos:?}");
        assert_eq!(w.events("task.merged").await, 1, "{chaos:?}");
        let credits = w.ours(issue).into_iter().filter(|c| c.contains("Co-authored-by")).count();
        assert_eq!(credits, 1, "{chaos:?}: {:#?}", w.ours(issue));
        w.check_promises().await;
    }
}

async fn deliveries_about_foreign_repositories_have_no_effect(db: Db) {
    let w = World::new(db).await;
    w.github.add_repo("evil/corp").unwrap();
    let installation = w.installation().await;
    let id = w.github.as_user("mona").open_issue("evil/corp", "Mine", "Please.", &[]).unwrap();
    let repository = json!({ "id": 424_242, "full_name": "evil/corp", "name": "corp", "owner": { "login": "evil" } });
    for installation in [json!({ "id": installation }), json!({ "id": 999_999 }), json!(null)] {
        let issue = json!({ "id": 1, "number": id, "title": "Mine", "state": "open", "labels": [{ "name": "pool:ready" }],
            "user": { "id": 7, "login": "eve", "type": "User" } });
        let payload = json!({ "action": "labeled", "issue": issue, "label": { "name": "pool:ready" },
            "repository": repository, "installation": installation, "sender": { "id": 7, "login": "eve" } });
        w.github.deliver("issues", &payload);
        let comment =
            json!({ "id": 5, "body": "/owp budget 100", "user": { "id": 7, "login": "eve", "type": "User" } });
        let payload = json!({ "action": "created", "issue": issue, "comment": comment, "repository": repository,
            "installation": installation, "sender": { "id": 7, "login": "eve" } });
        w.github.deliver("issue_comment", &payload);
    }
    ten_minutes(&w).await;
    let overview = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    assert_eq!(overview.repos.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), [REPO]);
    assert!(overview.totals.tasks.iter().all(|(_, n)| *n == 0));
    assert_eq!(overview.totals.pending_deliveries, 0);
    w.check_promises().await;
}

async fn a_suspended_installation_hands_out_nothing_and_comes_back(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    w.say("mona", issue, "/owp budget 1").await;
    w.say("ada", issue, "/owp join").await;
    let installation = w.installation().await;
    w.github.suspend(installation, true).unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    ten_minutes(&w).await;
    // Meanwhile somebody of the pool opens a pull request, and nobody may tell us.
    let spec = owp_sandbox::PrSpec { head: "work".into(), title: "Work".into(), ..Default::default() };
    let pull = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.github.take_deliveries();
    w.github.suspend(installation, false).unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    assert!(
        w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty(),
        "it is counted before anything is granted"
    );
    w.settle().await;
    assert_eq!(w.slots().await, (1, 1));
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    w.github.as_user("mona").close_pr(REPO, pull).unwrap();
    w.settle().await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    w.check_promises().await;
}

async fn an_uninstalled_app_stops_and_a_new_installation_goes_on(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    w.github.uninstall(w.installation().await).unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    ten_minutes(&w).await;
    assert_eq!(w.state(issue).await, "ready");
    w.github.install(&[REPO]).unwrap();
    ten_minutes(&w).await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    assert!(w.last(issue).contains("this task is yours until"), "{:#?}", w.ours(issue));
    w.check_promises().await;
}

async fn a_renamed_repository_goes_on(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    w.github.as_user("ada").comment(REPO, issue, "/owp claim").unwrap();
    w.receive().await;
    while w.engine.intake().step_inbox().await.unwrap() {}
    // The comment of the lease was not written yet when the name changed, and nobody told us.
    w.github.as_user("mona").rename_repo(REPO, "comet").unwrap();
    w.github.take_deliveries();
    w.settle().await;
    w.next_count().await;
    let renamed = "acme/comet";
    let ours = w.github.comments(renamed, issue).into_iter().filter(|c| c.via_app).count();
    assert_eq!(ours, 1);
    w.github.as_user("ada").comment(renamed, issue, "/owp release").unwrap();
    w.settle().await;
    let ours: Vec<_> = w.github.comments(renamed, issue).into_iter().filter(|c| c.via_app).collect();
    assert!(ours.len() == 1 && ours[0].body.contains("gave this task back"), "{ours:#?}");
    assert_eq!(w.engine.views().overview(1, ReadAccess::public()).await.unwrap().repos.len(), 1);
    w.check_promises().await;
}

async fn an_archived_or_private_repository_hands_out_nothing_by_pull(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    let issue = w.task("Parse dates", &[]).await;
    let worker = w.client("bo", issue, &[]).await;
    mona.set_archived(REPO, true).unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty());
    w.next_count().await;
    mona.set_archived(REPO, false).unwrap();
    w.settle().await;
    w.engine.intake().step_installations().await.unwrap();
    w.settle().await;
    mona.set_private(REPO, true).unwrap();
    w.settle().await;
    assert!(w.engine.workers().pull_work(&worker).await.unwrap().items.is_empty(), "who may read it is not known");
    w.github.add_collaborator(REPO, "ada", Role::Read).unwrap();
    w.say("ada", issue, "/owp claim").await;
    assert_eq!(w.state(issue).await, "leased", "whoever can comment there can read it");
    w.say("ada", issue, "/owp release").await;
    mona.set_private(REPO, false).unwrap();
    w.settle().await;
    w.advance(Span::minutes(6));
    w.settle().await;
    assert_eq!(w.engine.workers().pull_work(&worker).await.unwrap().items.len(), 1);
    w.settle().await;
    w.check_promises().await;
}

async fn who_may_read_a_private_repository_is_asked_under_their_present_name(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    let (bo, cy) = (w.client("bo", issue, &[]).await, w.client("cy", issue, &[]).await);
    w.github.as_user("mona").set_private(REPO, true).unwrap();
    w.github.add_collaborator(REPO, "bo", Role::Read).unwrap();
    w.settle().await;
    // Nobody tells us that bo is called otherwise now, and that somebody who may read nothing has the old name.
    w.github.rename_user("bo", "bo-the-second").unwrap();
    w.github.add_user("bo");
    w.advance(Span::minutes(11));
    w.settle().await;
    assert!(w.engine.workers().pull_work(&cy).await.unwrap().items.is_empty());
    assert_eq!(w.engine.workers().pull_work(&bo).await.unwrap().items.len(), 1);
    assert_eq!(w.worker(&bo).await.login.as_deref(), Some("bo-the-second"));
    w.settle().await;
    w.check_promises().await;
}
