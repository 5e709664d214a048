//! Permissions are asked once for many acts, and never believed for an act that came after the response.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind, Role};

on_both!(
    many_labels_by_one_person_cost_one_permission_request,
    a_label_set_after_the_permission_was_withdrawn_offers_nothing,
    a_permission_granted_a_moment_ago_counts,
    a_permission_that_github_does_not_tell_approves_nothing,
);

fn permission_requests(w: &World, from: usize) -> usize {
    let requests = w.github.requests().split_off(from);
    requests.iter().filter(|r| r.by_app() && r.path.contains("/collaborators/")).count()
}

async fn many_labels_by_one_person_cost_one_permission_request(db: Db) {
    let w = World::new(db).await;
    let mona = w.github.as_user("mona");
    for n in 0..30 {
        mona.open_issue(REPO, &format!("Issue {n}"), "Please.", &["pool:ready"]).unwrap();
    }
    w.advance(Span::secs(10));
    let before = w.github.requests().len();
    w.settle().await;
    assert_eq!(w.events("task.created").await, 30);
    assert_eq!(permission_requests(&w, before), 1);
    w.check_promises().await;
}

async fn a_label_set_after_the_permission_was_withdrawn_offers_nothing(db: Db) {
    let w = World::new(db).await;
    w.github.add_collaborator(REPO, "tess", Role::Triage).unwrap();
    let tess = w.github.as_user("tess");
    let first = tess.open_template_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    w.advance(Span::secs(10));
    w.settle().await;
    assert_eq!(w.task_of(first).await.unwrap().hold, None);
    w.github.add_collaborator(REPO, "tess", Role::Read).unwrap();
    // A template sets its labels for anybody.
    let second = tess.open_template_issue(REPO, "Buy my coins", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    let hold = w.task_of(second).await.unwrap().hold.unwrap();
    assert!(hold.contains("no triage permission"), "{hold}");
    w.check_promises().await;
}

async fn a_permission_granted_a_moment_ago_counts(db: Db) {
    let w = World::new(db).await;
    let eve = w.github.as_user("eve");
    let first = eve.open_template_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    w.advance(Span::secs(10));
    w.settle().await;
    assert!(w.task_of(first).await.unwrap().hold.is_some());
    w.github.add_collaborator(REPO, "eve", Role::Triage).unwrap();
    let second = eve.open_template_issue(REPO, "Parse numbers", "Please.", &["pool:ready"]).unwrap();
    w.settle().await;
    assert_eq!(w.task_of(second).await.unwrap().hold, None);
    w.check_promises().await;
}

async fn a_permission_that_github_does_not_tell_approves_nothing(db: Db) {
    let w = World::new(db).await;
    let faults = [
        FaultKind::ServerError { status: 502 },
        FaultKind::Refused { status: 403 },
        FaultKind::BadCredentials,
        FaultKind::Truncated,
        FaultKind::LostAnswer { as_502: false },
        FaultKind::SecondaryLimit { status: 403, retry_after: Some(5) },
    ];
    for kind in faults {
        let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
        w.advance(Span::secs(70));
        w.github.fault(Fault::next(kind.clone()).on("GET", "/collaborators/").times(1_000));
        w.settle().await;
        assert!(w.task_of(issue).await.is_none(), "no task before GitHub could be asked: {kind:?}");
        w.github.clear_faults();
        w.advance(Span::minutes(20));
        w.settle().await;
        assert_eq!(w.task_of(issue).await.unwrap().hold, None, "asked again: {kind:?}");
    }
    // A missing account is an answer: whoever set the label may not offer issues, and the next issue is asked about anew.
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
    w.advance(Span::secs(70));
    w.github.fault(Fault::next(FaultKind::Refused { status: 404 }).on("GET", "/collaborators/").times(2));
    w.settle().await;
    assert!(w.task_of(issue).await.unwrap().hold.is_some());
    w.github.clear_faults();
    let next = w.github.as_user("mona").open_issue(REPO, "Parse numbers", "Please.", &["pool:ready"]).unwrap();
    w.advance(Span::secs(10));
    w.settle().await;
    assert_eq!(w.task_of(next).await.unwrap().hold, None);
    w.check_promises().await;
}
