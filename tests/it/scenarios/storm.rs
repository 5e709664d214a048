//! The storm: a long history whose deliveries come up to five times, in any order, late or never, while every second
//! write meets an error or a limit. In the end everything stands as if each had come once, in its order.

mod history;

use crate::support::database::{Db, on_both};
use crate::support::world::{REPO, World};
use futures_util::future::join_all;
use history::{Act, Numbers, PEOPLE, waves};
use owp_pool::Span;
use owp_sandbox::{Fault, FaultKind, WebhookRequest};
use owp_store::StoreError;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Nobody is refused for what others did at the same time.
const RULES: &str = "version: 1\nbudget: { max_open_prs: 100 }\nclaims: { per_worker: 20, newcomers: 20, newcomers_total: 100, cooldown: 0s }\n";

/// Size of a history, and the number of deliveries it makes at least.
const ISSUES: usize = 42;
const TALK: usize = 350;
const DELIVERIES: usize = 900;
/// More than the time between two comparisons of all tasks with their issues.
const NEXT_COMPARISON: Span = Span::minutes(11);

on_both!(a_storm_ends_as_calm_weather);

async fn a_storm_ends_as_calm_weather(db: Db) {
    let waves = waves(7, ISSUES, TALK);
    let (calm, (storm, seen)) = futures_util::join!(calm(db, &waves), Storm::tell(db, &waves));
    assert!(seen.deliveries >= DELIVERIES, "{seen:?}");
    assert!(seen.lost * 25 >= seen.deliveries && seen.copies >= seen.deliveries * 2, "{seen:?}");
    assert!(seen.failed_writes * 3 >= seen.writes, "{seen:?}");
    calm.is_no_trifle();
    assert_eq!(storm.tasks, calm.tasks);
    assert_eq!(storm.counts, calm.counts);
    for (issue, said) in &calm.comments {
        assert_eq!(&storm.comments[issue], said, "the comments of #{issue}");
    }
    assert_eq!(storm.comments.len(), calm.comments.len());
}

/// Final state of a history.
struct End {
    /// State, holder, pull request and more of every task.
    tasks: BTreeMap<u64, String>,
    /// Grants, merges, and slots taken.
    counts: [i64; 4],
    /// Our comments by issue: kinds and bodies, without times.
    comments: BTreeMap<u64, Vec<String>>,
}

impl End {
    async fn of(w: &World, numbers: &Numbers) -> Self {
        let (mut tasks, mut comments) = (BTreeMap::new(), BTreeMap::new());
        for (issue, pull) in numbers.issues.iter().zip(&numbers.pulls) {
            let task = w.task_of(*issue).await.unwrap();
            let says = format!(
                "{} by {:?} with {:?} and {:?}, reserved for {:?}, held back for {:?}: {}",
                task.state,
                task.last_holder,
                task.pull,
                task.spec,
                task.reservation.map(|r| r.person),
                task.hold,
                task.title
            );
            tasks.insert(*issue, says);
            for number in [Some(*issue), *pull].into_iter().flatten() {
                let mut said: Vec<String> = w.ours(number).iter().map(|body| without_moments(body)).collect();
                said.sort();
                comments.insert(number, said);
            }
        }
        let (grants, merges) = (w.events("lease.granted").await, w.events("task.merged").await);
        let (used, limit) = w.slots().await;
        let counts = [i64::try_from(grants).unwrap(), i64::try_from(merges).unwrap(), used, limit];
        Self { tasks, counts, comments }
    }

    fn is_no_trifle(&self) {
        let said: usize = self.comments.values().map(Vec::len).sum();
        assert!(said >= ISSUES && self.counts[0] >= 40 && self.counts[1] >= 20, "{said} comments, {:?}", self.counts);
        for state in ["merged", "closed", "ready", "leased", "pr_opened"] {
            assert!(self.tasks.values().any(|task| task.starts_with(state)), "no task is {state}");
        }
    }
}

/// A comment without its ids and without the moments in it: the two runs live at different times.
fn without_moments(body: &str) -> String {
    let (text, key) = body.trim_end().rsplit_once('\n').unwrap_or(("", body));
    let kind = key.split([':', ' ', '=']).nth(3).unwrap_or(key);
    let (mut masked, mut rest) = (format!("{kind}\n"), text);
    while let Some(at) = rest.find(" UTC") {
        let front = &rest[..at];
        let moment = front.rmatch_indices(' ').nth(3).map_or(0, |(space, _)| space + 1);
        masked.push_str(&front[..moment]);
        masked.push_str("THEN");
        rest = &rest[at + " UTC".len()..];
    }
    masked + rest
}

/// Outcome of a storm.
#[derive(Debug, Default)]
struct Seen {
    deliveries: usize,
    copies: usize,
    lost: usize,
    writes: usize,
    failed_writes: usize,
}

async fn stage(db: Db) -> World {
    let w = World::new(db).await;
    for login in PEOPLE {
        w.github.add_user(login);
    }
    w.github.set_file(REPO, ".github/owp.yml", RULES).unwrap();
    w.next_count().await;
    assert_eq!(w.slots().await, (0, 100));
    w.settle().await;
    w
}

/// Works until nothing is left to do; waits where GitHub said to wait.
async fn work(w: &World) {
    let mut waits = 0;
    loop {
        while w.engine.intake().step_inbox().await.unwrap() {}
        if w.engine.reconciler().step_sync().await.unwrap() | w.engine.comments().step_sender().await.unwrap() {
            continue;
        }
        w.engine.scheduler().step_expiry().await.unwrap();
        let open = w.store().read(|tx| {
            Box::pin(async move {
                Ok::<_, StoreError>(tx.comments().count_open().await? + tx.deliveries().count_pending().await?)
            })
        });
        if open.await.unwrap() == 0 {
            return;
        }
        waits += 1;
        assert!(waits < 5_000, "the storm does not end");
        w.advance(Span::secs(10));
    }
}

/// Every delivery comes once, in its order, and is processed as it comes.
async fn calm(db: Db, waves: &[Vec<Act>]) -> End {
    let w = stage(db).await;
    let mut numbers = Numbers::default();
    for wave in waves {
        for act in wave {
            numbers.play(&w, act);
            w.receive().await;
            while w.engine.intake().step_inbox().await.unwrap() {}
        }
        w.advance(NEXT_COMPARISON);
        w.receive().await;
        work(&w).await;
    }
    w.settle().await;
    w.check_promises().await;
    End::of(&w, &numbers).await
}

/// The same acts, and everything that can happen to deliveries and writes.
struct Storm {
    w: World,
    rng: StdRng,
    seen: Seen,
    /// Copies that are still on their way.
    late: Vec<WebhookRequest>,
}

impl Storm {
    async fn tell(db: Db, waves: &[Vec<Act>]) -> (End, Seen) {
        let w = stage(db).await;
        let mut storm = Self { w, rng: StdRng::seed_from_u64(11), seen: Seen::default(), late: Vec::new() };
        let mut numbers = Numbers::default();
        let before = storm.w.github.requests().len();
        for wave in waves {
            for act in wave {
                numbers.play(&storm.w, act);
            }
            storm.blow(0.6).await;
            // Whatever was lost is found by the comparison that comes by.
            storm.w.advance(NEXT_COMPARISON);
            work(&storm.w).await;
        }
        storm.blow(1.0).await;
        let Self { w, mut seen, .. } = storm;
        work(&w).await;
        let requests = w.github.requests();
        let comments = |r: &&owp_sandbox::RecordedRequest| r.is_write() && r.path.contains("/comments");
        let writes: Vec<_> = requests[before..].iter().filter(comments).collect();
        seen.writes = writes.len();
        seen.failed_writes = writes.iter().filter(|r| r.fault.as_deref().is_some_and(|f| !f.contains("slow"))).count();
        w.github.clear_faults();
        w.advance(Span::minutes(20));
        w.settle().await;
        w.check_promises().await;
        (End::of(&w, &numbers).await, seen)
    }

    /// Brings a part of what is on its way to the door, in any order, and does what can be done about it.
    async fn blow(&mut self, part: f64) {
        self.spoil_writes();
        for webhook in self.w.github.take_deliveries() {
            self.seen.deliveries += 1;
            if self.rng.random_bool(0.05) {
                self.seen.lost += 1;
                continue;
            }
            let copies = self.rng.random_range(1..=5);
            self.seen.copies += copies;
            self.late.extend(std::iter::repeat_n(webhook, copies));
        }
        self.late.shuffle(&mut self.rng);
        let now = (self.late.len() as f64 * part).ceil() as usize;
        let arriving: Vec<WebhookRequest> = self.late.drain(..now).collect();
        for some in arriving.chunks(64) {
            join_all(some.iter().map(|webhook| self.w.accept(webhook))).await;
            // What came is worked on while more comes.
            self.w.engine.intake().step_inbox().await.unwrap();
        }
        work(&self.w).await;
    }

    /// Every second write of a comment fails, in one way or another.
    fn spoil_writes(&mut self) {
        self.w.github.clear_faults();
        let limit = |status, retry_after| FaultKind::SecondaryLimit { status, retry_after };
        let ways = [
            FaultKind::ServerError { status: 500 },
            limit(403, Some(5)),
            FaultKind::ServerError { status: 502 },
            FaultKind::LostAnswer { as_502: true },
            limit(429, Some(9)),
            FaultKind::ServerError { status: 503 },
            FaultKind::Truncated,
            limit(403, None),
            FaultKind::LostAnswer { as_502: false },
            FaultKind::PrimaryLimit { status: 403, reset_in_secs: 20 },
        ];
        for method in ["POST", "PATCH"] {
            for _ in 0..150 {
                let kind = ways[self.rng.random_range(0..ways.len())].clone();
                self.w.github.fault(Fault::next(kind).on(method, "/comments"));
                self.w.github.fault(Fault::next(FaultKind::Slow { ms: 0 }).on(method, "/comments"));
            }
        }
    }
}
