//! How much the App writes: never faster than GitHub takes it.

use crate::database::Db;
use crate::stories;
use crate::world::{REPO, World};
use owp::pool::Span;
use owp::store::{Scope, StoreError};

stories!(an_hour_sees_no_more_writes_than_github_takes);

async fn an_hour_sees_no_more_writes_than_github_takes(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    let began = writes(&w);
    for n in 0..600 {
        want(&w, issue, n).await;
        w.advance(Span::secs(2));
        while w.engine.step_sender().await.unwrap() {}
    }
    let within_the_hour = writes(&w) - began;
    assert!((440..=450).contains(&within_the_hour), "{within_the_hour} writes in twenty minutes");
    w.advance(Span::hours(1));
    w.settle().await;
    let last = w.github.comments(REPO, issue).pop().unwrap().body;
    assert!(last.contains("version 599"), "what waited says the latest: {last}");
    w.check_promises().await;
}

fn writes(w: &World) -> usize {
    w.github.requests().iter().filter(|r| r.method != "GET" && r.route.contains("/comments")).count()
}

/// Wants one comment to say something new.
async fn want(w: &World, issue: u64, version: u32) {
    let issue = i64::try_from(issue).unwrap();
    w.store()
        .write(Scope::global(), move |tx| {
            Box::pin(async move {
                let repo = tx.repo_by_name(REPO).await?.unwrap();
                let body = owp::github::render::with_key("quota", &format!("version {version}"));
                tx.want_comment(&repo.id, issue, "quota", &body).await.map(drop)
            })
        })
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
}
