//! The process dies at any moment and comes back: nothing is lost and nothing is done twice.
//!
//! The story is told once in calm, and then again for every step with a death after it, or in the middle of it. The
//! end must be the same: states, comments, grants.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, Wait, World};
use owp_engine::ReadAccess;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

on_both!(a_death_after_any_step_changes_nothing, a_death_within_any_step_changes_nothing);

const ACTS: usize = 8;
/// Steps of a round.
const STEPS: usize = 4;

/// Moment at which the process dies: after a step, or after a number of polls.
#[derive(Clone, Copy, Debug)]
struct Death {
    step: usize,
    polls: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct End {
    states: Vec<&'static str>,
    comments: Vec<Vec<String>>,
    grants: usize,
    merges: usize,
    joins: usize,
}

/// Acts of people, one at a time. `0` is the first issue, `1` the second.
fn act(w: &World, number: usize, issues: &mut Vec<u64>, pull: &mut u64) {
    let (mona, ada, bo) = (w.github.as_user("mona"), w.github.as_user("ada"), w.github.as_user("bo"));
    match number {
        0 => {
            let issue = mona.open_issue(REPO, "Parse dates", "Please.", &[]).unwrap();
            mona.label_all(REPO, issue, &["pool:ready", "estimate:3", "skills:rust", "area:auth", "tier:1"]).unwrap();
            issues.push(issue);
            issues.push(mona.open_issue(REPO, "A typo", "Please.", &["pool:ready", "size:huge"]).unwrap());
        }
        1 => drop(ada.comment(REPO, issues[0], "/owp join skills:rust\n/owp claim").unwrap()),
        2 => {
            mona.comment(REPO, issues[0], "/owp trust @ada 1").unwrap();
            bo.comment(REPO, issues[1], "/owp claim").unwrap();
        }
        3 => drop(ada.comment(REPO, issues[0], "/owp claim").unwrap()),
        4 => {
            let body = format!("Fixes #{}", issues[0]);
            let spec = owp_sandbox::PrSpec { head: "dates".into(), title: "Dates".into(), body, ..Default::default() };
            *pull = ada.open_pr(REPO, owp_sandbox::PrSpec { draft: true, ..spec }).unwrap();
        }
        5 => {
            ada.ready_for_review(REPO, *pull).unwrap();
            bo.comment(REPO, issues[1], "/owp release too hard").unwrap();
        }
        6 => drop(mona.merge(REPO, *pull).unwrap()),
        _ => drop(bo.comment(REPO, issues[1], "/owp help").unwrap()),
    }
}

/// One of the loops' steps; false when it had nothing to do.
async fn step(w: &World, kind: usize) -> bool {
    match kind {
        0 => w.engine.intake().step_inbox().await.unwrap(),
        1 => w.engine.reconciler().step_sync().await.unwrap(),
        2 => w.engine.scheduler().step_expiry().await.unwrap(),
        _ => w.engine.comments().step_sender().await.unwrap(),
    }
}

/// Runs a future until it ends or was polled `times`; then it is dropped where it stands. Gives what it answered.
async fn cut<T>(work: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Tells the whole story; which steps had something to do, and how it ended.
async fn tell(db: Db, death: Option<Death>) -> (Vec<usize>, End) {
    let mut w = World::new(db).await;
    let (mut issues, mut pull, mut steps, mut worked) = (Vec::new(), 0, 0, Vec::new());
    for number in 0..ACTS {
        act(&w, number, &mut issues, &mut pull);
        let mut wait = Wait::SHORT;
        for waits in 0.. {
            assert!(waits < 3_000, "{death:?}: the world does not come to rest after act {number}");
            let mut busy = w.receive().await > 0;
            for kind in 0..STEPS {
                steps += 1;
                match death.filter(|death| death.step == steps) {
                    Some(Death { polls: Some(polls), .. }) => {
                        cut(step(&w, kind), polls).await;
                        w = w.restart().await;
                        busy = true;
                    }
                    Some(Death { polls: None, .. }) => {
                        step(&w, kind).await;
                        w = w.restart().await;
                        busy = true;
                    }
                    None if step(&w, kind).await => {
                        worked.push(steps);
                        busy = true;
                    }
                    None => {}
                }
            }
            if busy {
                wait = Wait::SHORT;
                continue;
            }
            let overview = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
            if overview.totals.open_comments == 0 && overview.totals.pending_deliveries == 0 {
                break;
            }
            wait.pass(&w);
        }
    }
    w.check_promises().await;
    let mut states = Vec::new();
    for issue in &issues {
        states.push(w.state(*issue).await);
    }
    let comments = issues.iter().map(|issue| w.ours(*issue).iter().map(|body| plain(body)).collect()).collect();
    let end = End {
        states,
        comments,
        grants: w.events("lease.granted").await,
        merges: w.events("task.merged").await,
        joins: w.events("person.joined").await,
    };
    (worked, end)
}

/// A comment without what may differ from run to run: ids and minutes.
fn plain(body: &str) -> String {
    let (text, key) = body.trim_end().rsplit_once('\n').unwrap_or(("", body));
    let kind = key.split([':', ' ']).nth(2).unwrap_or_default();
    let text: String = text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    format!("{kind} {text}")
}

/// `polls` says, for the number of a step, how far into it the process gets; `None` is to its end. `dies` picks the rounds
/// of steps in which it dies.
async fn dies_everywhere(db: Db, dies: impl Fn(usize) -> bool, polls: impl Fn(usize) -> Option<usize>) {
    let (worked, mut calm) = tell(db, None).await;
    assert_eq!(calm.states, ["merged", "ready"]);
    assert_eq!((calm.grants, calm.merges, calm.joins), (2, 1, 1), "{calm:#?}");
    assert!(worked.len() > 30, "a story of {} steps", worked.len());
    // Which comment of an issue comes first is a matter of time; what is said is not.
    calm.comments.iter_mut().for_each(|said| said.sort());
    for step in worked.into_iter().filter(|step| dies(step / STEPS)) {
        let death = Death { step, polls: polls(step) };
        let (_, mut end) = tell(db, Some(death)).await;
        end.comments.iter_mut().for_each(|said| said.sort());
        assert_eq!(end, calm, "{death:?}");
    }
}

/// The two stories share the rounds; every telling is a world of its own, and on PostgreSQL a database.
fn every(db: Db) -> usize {
    if db == Db::Postgres { 4 } else { 2 }
}

async fn a_death_after_any_step_changes_nothing(db: Db) {
    dies_everywhere(db, |round| round.is_multiple_of(every(db)), |_| None).await;
}

async fn a_death_within_any_step_changes_nothing(db: Db) {
    dies_everywhere(db, |round| round % every(db) == 1, |step| Some([2, 4, 6, 9, 12][step % 5])).await;
}
