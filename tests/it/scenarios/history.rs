//! History: what is older than the operator keeps is archived and removed, and nothing that people rely on goes with it.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use data_encoding::HEXLOWER;
use owp_engine::{AuditRow, EngineError, FeedPage, FeedStart, FeedView, HistorySettings, Settings};
use owp_pool::Span;
use owp_sandbox::PrSpec;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

on_both!(
    a_finished_story_is_archived_and_the_rest_of_its_chain_verifies,
    a_merged_task_whose_issue_is_still_open_and_labelled_stays_and_is_not_offered_again,
    an_archive_that_cannot_be_written_keeps_everything,
    everything_is_kept_unless_the_operator_says_so,
);

const KEPT: Span = Span::days(30);

async fn world(db: Db, archive: Option<&Path>) -> World {
    let history = HistorySettings { keep: KEPT, archive: archive.map(Path::to_owned) };
    World::with(db, Settings { history: Some(history), downtime_after: Span::days(10_000), ..Settings::default() })
        .await
}

/// An issue is claimed, answered by a pull request, and merged, which closes it.
async fn story(w: &World) -> u64 {
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    let pull = w.open_pr("ada", issue).await;
    w.merge(pull).await;
    assert_eq!(w.state(issue).await, "merged");
    issue
}

async fn remove(w: &World) {
    while w.engine.feed().step_feed().await.unwrap() {}
    while w.engine.history().step_history().await.unwrap() {}
}

async fn export(w: &World) -> (Vec<AuditRow>, bool) {
    let mut audit = w.engine.operator().audit(Some(REPO.to_owned())).await.unwrap();
    let mut rows = Vec::new();
    loop {
        let page = w.engine.operator().audit_page(&mut audit).await.unwrap();
        if page.is_empty() {
            return (rows, audit.is_at_its_seal());
        }
        rows.extend(page);
    }
}

fn archived(folder: &Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Verifies lines of an archive like somebody who has nothing else; returns the last position and its hash.
fn verify(chain: &str, lines: &[Value]) -> (i64, String) {
    let mut previous = String::new();
    for (place, line) in (1..).zip(lines) {
        assert_eq!(line["seq"], place);
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let (seq, at) = (line["seq"].to_string(), line["at_ms"].to_string());
        let (id, kind, task, worker) = (text("id"), text("kind"), text("task_id"), text("worker_id"));
        let parts =
            [previous.as_str(), chain, &seq, &id, &kind, &task, &worker, &text("lease_id"), &at, &text("digest")];
        previous = HEXLOWER.encode(&Sha256::digest(parts.join("\n").as_bytes()));
        assert_eq!(line["hash"], json!(previous), "event {seq}");
    }
    (i64::try_from(lines.len()).unwrap(), previous)
}

async fn a_finished_story_is_archived_and_the_rest_of_its_chain_verifies(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    let w = world(db, Some(folder.path())).await;
    let issue = story(&w).await;
    let task = w.task_of(issue).await.unwrap();
    w.advance(Span::days(29));
    remove(&w).await;
    assert_eq!(w.task_of(issue).await, Some(task.clone()), "it is too young");
    let before = export(&w).await.0.len();
    w.advance(Span::days(100));
    let open = w.task("Format dates", &[]).await;
    remove(&w).await;

    let chain = task.repo.as_str();
    let lines = archived(folder.path(), &format!("events-{chain}"));
    assert!(lines.len() >= before, "{} of {before}", lines.len());
    let (last, hash) = verify(chain, &lines);
    let (rows, sealed) = export(&w).await;
    assert!(sealed && !rows.is_empty() && rows.iter().all(|row| row.intact));
    assert_eq!(rows[0].event.seq, last + 1, "archive and export are one chain");
    let name = chain.to_owned();
    let anchor = w.store().read(|tx| Box::pin(async move { tx.audit().anchor(&name).await })).await.unwrap();
    assert_eq!(anchor, (last, hash));

    assert_eq!(w.task_of(issue).await, None);
    assert_eq!(archived(folder.path(), "tasks")[0]["id"], task.id.as_str());
    assert_eq!(archived(folder.path(), "leases")[0]["task_id"], task.id.as_str());
    assert!(!folder.path().join("outcomes.jsonl").exists(), "a reputation is computed from them for longer");
    assert_eq!(w.state(open).await, "ready");

    // A client of the feed that stopped before is told so; one that begins gets what is there.
    let page = async |start| w.engine.feed().feed_page(FeedView::default(), start, 100).await.unwrap();
    assert!(matches!(page(FeedStart::After(1)).await, FeedPage::Stale(_)));
    match page(FeedStart::Oldest).await {
        FeedPage::Page(seen, false) => assert!(!seen.events.is_empty()),
        other => panic!("{other:?}"),
    }

    // The issue comes back as a new task, and once.
    w.github.as_user("mona").reopen(REPO, issue).unwrap();
    w.settle().await;
    let back = w.task_of(issue).await.expect("it is offered again");
    assert_ne!(back.id, task.id);
}

async fn a_merged_task_whose_issue_is_still_open_and_labelled_stays_and_is_not_offered_again(db: Db) {
    let w = world(db, None).await;
    let issue = w.task("Parse dates", &[]).await;
    w.say("ada", issue, "/owp claim").await;
    // The branch links it, and no keyword closes the issue.
    let spec =
        PrSpec { head: format!("owp/{issue}-dates"), title: "Work".into(), body: "Done.".into(), ..PrSpec::default() };
    let pull = w.github.as_user("ada").open_pr(REPO, spec).unwrap();
    w.settle().await;
    w.merge(pull).await;
    let task = w.task_of(issue).await.unwrap();
    assert_eq!(task.state.name(), "merged");
    w.advance(Span::days(200));
    w.settle().await;
    remove(&w).await;
    w.settle().await;
    assert_eq!(w.task_of(issue).await, Some(task));
    w.github.as_user("mona").close(REPO, issue).unwrap();
    w.settle().await;
    w.advance(Span::days(31));
    remove(&w).await;
    assert_eq!(w.task_of(issue).await, None, "now nobody offers it any more");
}

async fn an_archive_that_cannot_be_written_keeps_everything(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let w = world(db, Some(&file)).await;
    let issue = story(&w).await;
    w.advance(Span::days(200));
    let events = export(&w).await.0.len();
    while w.engine.feed().step_feed().await.unwrap() {}
    let failed = w.engine.history().step_history().await;
    assert!(matches!(failed, Err(EngineError::Archive { .. })), "{failed:?}");
    assert_eq!(export(&w).await.0.len(), events);
    assert!(w.task_of(issue).await.is_some());
    w.check_promises().await;
}

async fn everything_is_kept_unless_the_operator_says_so(db: Db) {
    let w = World::new(db).await;
    let issue = story(&w).await;
    w.advance(Span::days(2_000));
    remove(&w).await;
    assert!(w.task_of(issue).await.is_some());
    w.check_promises().await;
}
