//! Days in which nobody runs the pool and GitHub delivers into the void: afterwards everything stands as it would had the
//! pool been there all the time, nobody was granted too much, and nothing is said twice.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::{ReadAccess, Settings};
use owp_github::render::find_key;
use owp_pool::task::TaskState;
use owp_pool::{Rule, Span};
use owp_sandbox::{PrSpec, Sandbox};
use std::collections::BTreeSet;

on_both!(
    three_days_of_silence_end_in_githubs_own_state,
    four_days_of_silence_end_there_too_although_github_forgot,
    a_command_that_was_taken_back_before_it_was_heard_is_not_obeyed,
);

/// The repository is renamed while nobody listens.
const RENAMED: &str = "acme/comet";
const RULES: &str = "version: 1\nclaims: { per_worker: 5, newcomers: 5, newcomers_total: 20, cooldown: 0s }\nbudget: { max_open_prs: 9 }\n";

/// Issues and pull requests as people know them.
struct Cast {
    repo: &'static str,
    issues: Vec<u64>,
    pulls: Vec<u64>,
    remark: u64,
}

impl Cast {
    fn say(&self, github: &Sandbox, login: &str, issue: usize, body: &str) -> u64 {
        github.as_user(login).comment(self.repo, self.issues[issue], body).unwrap()
    }

    fn open_pull(&mut self, github: &Sandbox, login: &str, issue: usize) {
        let body = format!("Fixes #{}", self.issues[issue]);
        let spec = PrSpec { head: format!("work-{issue}"), title: "Work".into(), body, ..PrSpec::default() };
        self.pulls.push(github.as_user(login).open_pr(self.repo, spec).unwrap());
    }
}

// The issues by what becomes of them.
const ANSWERED: usize = 0;
const MERGED: usize = 1;
const CLAIMED: usize = 2;
const UNLABELLED: usize = 3;
const TURNED_DOWN: usize = 4;
const A_STRANGERS: usize = 5;
const DELETED: usize = 6;
const CLAIMED_BY_EDIT: usize = 7;
const CLOSED: usize = 8;
const NEW: usize = 9;

/// Acts of people during the outage, by hour.
type Deed = (i64, fn(&Sandbox, &mut Cast));

const DEEDS: &[Deed] = &[
    (1, |g, c| {
        c.say(g, "bo", CLAIMED, "This one is for me.\n\n/owp claim");
    }),
    (5, |g, c| c.remark = c.say(g, "eve", CLAIMED_BY_EDIT, "I wonder.")),
    (6, |g, c| g.as_user("eve").edit_comment(c.repo, c.remark, "I wonder.\n\n/owp claim").unwrap()),
    (8, |g, c| g.as_user("mona").unlabel(c.repo, c.issues[UNLABELLED], "pool:ready").unwrap()),
    (15, |g, c| g.as_user("mona").delete_issue(c.repo, c.issues[DELETED]).unwrap()),
    (16, |g, c| g.as_user("mona").close(c.repo, c.issues[CLOSED]).unwrap()),
    (18, |g, c| c.open_pull(g, "ada", ANSWERED)),
    (22, |g, c| drop(g.as_user("mona").merge(c.repo, c.pulls[0]).unwrap())),
    (25, |g, c| {
        let new = g.as_user("mona").open_issue(c.repo, "A new one", "Please.", &["pool:ready", "estimate:3"]);
        c.issues.push(new.unwrap());
    }),
    (30, |g, c| c.open_pull(g, "eve", A_STRANGERS)),
    (33, |g, c| g.as_user("mona").close_pr(c.repo, c.pulls[1]).unwrap()),
    (36, |g, c| {
        g.as_user("mona").rename_repo(c.repo, "comet").unwrap();
        c.repo = RENAMED;
    }),
    (40, |g, c| g.as_user("mona").retitle(c.repo, c.issues[CLAIMED], "Parse dates, all of them").unwrap()),
    (41, |g, c| g.as_user("mona").label(c.repo, c.issues[TURNED_DOWN], "priority:high").unwrap()),
    (45, |g, c| {
        c.say(g, "bo", CLAIMED, "/owp extend");
    }),
    (50, |g, c| {
        let rules = RULES.replace("max_open_prs: 9", "max_open_prs: 4");
        g.as_user("mona").put_file(c.repo, ".github/owp.yml", &rules).unwrap();
    }),
    (55, |g, c| {
        c.say(g, "cy", NEW, "/owp why");
    }),
];

/// State before the outage is noticed.
async fn before(w: &World) -> Cast {
    w.github.set_file(REPO, ".github/owp.yml", RULES).unwrap();
    w.next_count().await;
    let mut cast = Cast { repo: REPO, issues: vec![], pulls: vec![], remark: 0 };
    for n in 0..9 {
        cast.issues.push(w.task(&format!("Task {n}"), &["estimate:1"]).await);
    }
    for (login, issue) in [("ada", ANSWERED), ("bo", MERGED), ("cy", TURNED_DOWN)] {
        w.say(login, cast.issues[issue], "/owp claim").await;
    }
    cast.open_pull(&w.github, "bo", MERGED);
    cast.open_pull(&w.github, "cy", TURNED_DOWN);
    w.settle().await;
    assert_eq!(w.slots().await, (3, 9));
    cast
}

impl World {
    async fn state_in(&self, cast: &Cast, issue: usize) -> &'static str {
        self.task_in(cast.repo, cast.issues[issue]).await.map_or("none", |task| task.state.name())
    }
}

/// Every task and the repository, as they stand.
async fn state_of(w: &World, cast: &Cast) -> Vec<String> {
    let repo = cast.repo;
    let mut found = Vec::new();
    for issue in &cast.issues {
        found.push(match w.task_in(repo, *issue).await {
            None => format!("#{issue} is no task"),
            Some(t) => {
                // Who held it before is history, which nobody can tell who was away.
                let holder = t.last_holder.filter(|_| t.state != TaskState::Ready);
                format!("#{issue} {} by {holder:?} with {:?}, {:?}, {:?}: {}", t.state, t.pull, t.spec, t.hold, t.title)
            }
        });
    }
    let view = w.engine.views().overview(1, ReadAccess::public()).await.unwrap();
    let repo = view.repos.iter().find(|one| one.name == repo).unwrap();
    let stopped = repo.throttled_by.iter().find(|refusal| refusal.rule == Rule::RepoActive);
    found.push(format!("{} of {}, {stopped:?}", repo.budget.used(), repo.budget.limit));
    found
}

/// The same deeds, with the pool there all the time.
async fn never_away(db: Db, hours: i64) -> Vec<String> {
    let w = World::new(db).await;
    let mut cast = before(&w).await;
    let began = w.clock.now_ms();
    for (at, deed) in DEEDS {
        w.advance(Span(began + at * hours * 3_600_000 / 72 - w.clock.now_ms()));
        w.settle().await;
        deed(&w.github, &mut cast);
        w.settle().await;
    }
    w.advance(Span(began + hours * 3_600_000 - w.clock.now_ms()));
    w.settle().await;
    w.advance(Span::minutes(20));
    w.settle().await;
    state_of(&w, &cast).await
}

async fn outage(db: Db, hours: i64) {
    // So that the minutes by which this story moves the clock are no outage.
    let w = World::with(db, Settings { downtime_after: Span::minutes(30), ..Settings::default() }).await;
    let mut cast = before(&w).await;
    let began = w.clock.now_ms();
    let stopped = w.stop();
    for (at, deed) in DEEDS {
        stopped.clock.advance_ms(began + at * hours * 3_600_000 / 72 - stopped.clock.now_ms());
        deed(&stopped.github, &mut cast);
        // Nobody answers.
        stopped.github.flush().await;
    }
    stopped.clock.advance_ms(began + hours * 3_600_000 - stopped.clock.now_ms());
    let failed: BTreeSet<String> =
        stopped.github.deliveries().into_iter().filter(|one| one.status != "OK").map(|one| one.webhook.guid).collect();
    let w = stopped.start().await;
    let slots = |w: &World| {
        let (engine, repo) = (w.engine.clone(), cast.repo);
        async move {
            let view = engine.views().overview(1, ReadAccess::public()).await.unwrap();
            view.repos.into_iter().find(|one| one.name == repo).map(|one| (one.budget.used(), one.budget.limit))
        }
    };
    w.engine.intake().step_installations().await.unwrap();
    // One step at a time: whatever is granted, it is within what the repository takes now.
    let mut grants = w.events("lease.granted").await;
    for _ in 0..2_000 {
        let mut busy = w.receive().await > 0;
        busy |= w.engine.intake().step_missed().await.unwrap();
        busy |= w.engine.reconciler().step_sync().await.unwrap();
        busy |= w.engine.intake().step_inbox().await.unwrap();
        busy |= w.engine.scheduler().step_expiry().await.unwrap();
        let now = w.events("lease.granted").await;
        if now > grants {
            let (used, limit) = slots(&w).await.unwrap();
            assert!(used <= limit, "{used} of {limit} after a grant");
            grants = now;
        }
        if !busy {
            break;
        }
    }
    w.settle().await;
    w.advance(Span::minutes(20));
    w.settle().await;
    for _ in 0..3 {
        // A deleted issue whose delivery is forgotten is asked for more than once before that is believed.
        w.advance(Span::secs(30));
        w.settle().await;
    }
    assert_eq!(w.events("pool.resumed").await, 1);
    let asked = w.github.requests().iter().filter(|r| r.path.ends_with("/attempts")).count();
    if hours == 72 {
        assert_eq!(asked, failed.len(), "each delivery is asked for once");
    } else {
        assert!(asked > 0 && asked < failed.len(), "{asked} of {}: GitHub has forgotten some", failed.len());
    }
    let edited = w.state_in(&cast, CLAIMED_BY_EDIT).await;
    assert_eq!(edited, if hours == 72 { "leased" } else { "ready" }, "what was edited is told by deliveries alone");
    assert_eq!(state_of(&w, &cast).await, never_away(db, hours).await);
    for issue in cast.issues.iter().chain(&cast.pulls) {
        let ours: Vec<String> =
            w.github.comments(cast.repo, *issue).into_iter().filter(|c| c.via_app).map(|c| c.body).collect();
        let keys: BTreeSet<&str> = ours.iter().filter_map(|body| find_key(body)).collect();
        assert_eq!(keys.len(), ours.len(), "something is said twice on #{issue}: {ours:#?}");
    }
    w.check_promises().await;
}

async fn three_days_of_silence_end_in_githubs_own_state(db: Db) {
    outage(db, 72).await;
}

async fn four_days_of_silence_end_there_too_although_github_forgot(db: Db) {
    outage(db, 96).await;
}

async fn a_command_that_was_taken_back_before_it_was_heard_is_not_obeyed(db: Db) {
    let w = World::with(db, Settings::default()).await;
    let (issue, other) = (w.task("Parse dates", &[]).await, w.task("Parse numbers", &[]).await);
    let stopped = w.stop();
    let (ada, bo) = (stopped.github.as_user("ada"), stopped.github.as_user("bo"));
    let deleted = ada.comment(REPO, issue, "/owp claim").unwrap();
    let rewritten = bo.comment(REPO, other, "/owp claim").unwrap();
    stopped.clock.advance_ms(3_600_000);
    ada.delete_comment(REPO, deleted).unwrap();
    bo.edit_comment(REPO, rewritten, "Sorry, I have no time after all.").unwrap();
    stopped.github.flush().await;
    stopped.clock.advance_ms(3_600_000);
    let w = stopped.start().await;
    w.settle().await;
    assert!(w.github.requests().iter().any(|r| r.path.ends_with("/attempts")), "the deliveries came after all");
    assert_eq!((w.state(issue).await, w.state(other).await), ("ready", "ready"));
    assert!(w.ours(issue).is_empty() && w.ours(other).is_empty());
    w.check_promises().await;
}
