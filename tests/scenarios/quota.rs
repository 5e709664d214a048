//! How much the App writes: never faster than GitHub takes it.

use crate::database::Db;
use crate::stories;
use crate::world::{REPO, World};
use owp::pool::Span;

stories!(an_hour_sees_no_more_writes_than_github_takes, a_noisy_repository_leaves_the_others_their_part_of_the_hour);

async fn an_hour_sees_no_more_writes_than_github_takes(db: Db) {
    let w = World::new(db).await;
    let issue = w.github.as_user("mona").open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
    let began = writes(&w);
    for n in 0..600 {
        w.want(REPO, issue, "lease:quota", &format!("version {n}")).await;
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

async fn a_noisy_repository_leaves_the_others_their_part_of_the_hour(db: Db) {
    let w = World::new(db).await;
    let other = "acme/comet";
    w.github.add_repo(other).unwrap();
    w.github.change_installation(w.installation().await, &[other], &[]).unwrap();
    w.settle().await;
    let noisy = w.github.as_user("mona").open_issue(REPO, "Noisy", "Please.", &[]).unwrap();
    w.github.add_collaborator(other, "mona", owp::sandbox::Role::Admin).unwrap();
    let quiet = w.github.as_user("mona").open_issue(other, "Quiet", "Please.", &[]).unwrap();
    w.settle().await;
    for n in 0..700 {
        w.want(REPO, noisy, &format!("lease:{n}"), "noise").await;
    }
    let minute = || async {
        for _ in 0..60 {
            w.advance(Span::secs(1));
            while w.engine.step_sender().await.unwrap() {}
        }
    };
    for _ in 0..5 {
        minute().await;
    }
    let so_far = w.github.comments(REPO, noisy).len();
    assert_eq!(so_far, 225, "half of the hour's 450 writes, with 700 waiting");
    // The noise goes on; what the other repository says is said at once, to the last of many.
    for n in 0..100 {
        w.want(other, quiet, &format!("lease:{n}"), "a word").await;
    }
    minute().await;
    minute().await;
    assert_eq!(w.github.comments(other, quiet).len(), 100);
    w.check_promises().await;
}

fn writes(w: &World) -> usize {
    w.github.requests().iter().filter(|r| r.method != "GET" && r.route.contains("/comments")).count()
}
