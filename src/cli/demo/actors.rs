//! The demo's simulated users: the maintainer, and two contributors who comment. Each is a small loop.

use super::backlog::{self, OpenIssue};
use super::clients;
use super::stage::{BUDGET, CLIENTS, MAINTAINER, PEOPLE, REPOS, Stage};
use owp_pool::task::{Task, TaskState};
use owp_store::transaction;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

pub(super) const BEAT: Duration = Duration::from_millis(300);
/// Time from a pull request to its review.
const REVIEW: Duration = Duration::from_millis(900);
/// Pause of the maintainer, in which budgets become full: in the opening, and later.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LATER_PAUSE: Duration = Duration::from_secs(8);
/// Duration in seconds of the opening, in which the demo shows every feature.
const OPENING_SECS: f64 = 20.0;
/// After an hour nobody watches closely, and the sandbox keeps everything in memory.
const QUIET_AFTER_SECS: f64 = 3_600.0;
/// New issues are opened while fewer tasks than this are waiting.
const BACKLOG: usize = 8;
/// Duration of a task's work as fast as possible, and for viewers.
const WORK: Duration = Duration::from_millis(500);
const LONG_WORK: Duration = Duration::from_millis(2_500);
/// Every nth review closes the pull request unmerged.
const REJECT_EVERY: usize = 7;

/// The demo's speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as possible, until a number of tasks is merged.
    Hurried,
    /// For human viewers.
    Calm,
}

impl Pace {
    /// Returns the duration of a task's work.
    pub(super) fn work(self) -> Duration {
        if self == Self::Hurried { WORK } else { LONG_WORK }
    }

    /// Returns the pause of a client between two pulls: long enough for a viewer to see that a slot is free.
    pub(super) fn next_pull(self) -> Duration {
        if self == Self::Hurried { BEAT } else { Duration::from_millis(1_500) }
    }

    /// Returns the pause of the maintainer after all pull requests are reviewed.
    fn after_reviews(self, seconds: f64) -> Duration {
        match self {
            Self::Hurried => Duration::ZERO,
            Self::Calm if seconds < OPENING_SECS => FIRST_PAUSE,
            Self::Calm => LATER_PAUSE,
        }
    }

    /// Returns the pause of a contributor after a refusal.
    fn after_refusal(self, seconds: f64) -> Duration {
        if self == Self::Hurried || seconds < OPENING_SECS { Duration::ZERO } else { Duration::from_secs(8) }
    }

    fn next_issue(self, seconds: f64) -> Duration {
        match self {
            Self::Hurried => BEAT,
            Self::Calm if seconds < QUIET_AFTER_SECS => Duration::from_secs(3),
            Self::Calm => Duration::from_secs(30),
        }
    }
}

/// Sets up the repositories and starts every simulated user.
pub(super) async fn start(stage: &Arc<Stage>, pace: Pace) -> Result<JoinSet<()>, String> {
    let issues: Vec<OpenIssue> =
        backlog::opening().iter().map(|idea| stage.open_issue(idea)).collect::<Result<_, _>>()?;
    let mut cast = JoinSet::new();
    let maintainer = stage.github.as_user(MAINTAINER);
    for repo in REPOS {
        let first = issues.iter().find(|issue| issue.repo == repo).map_or(1, |issue| issue.number);
        maintainer.comment(repo, first, &format!("/owp budget {BUDGET}")).map_err(|e| e.to_string())?;
    }
    cast.spawn(offer(Arc::clone(stage), issues, pace));
    cast.spawn(review(Arc::clone(stage), pace));
    for member in CLIENTS {
        cast.spawn(clients::run(Arc::clone(stage), member, pace));
    }
    for (login, skills) in PEOPLE {
        cast.spawn(commenter(Arc::clone(stage), login, skills, pace));
    }
    Ok(cast)
}

/// The maintainer labels an issue at each interval, the most urgent first. Later, new issues are opened whenever few
/// tasks are waiting.
async fn offer(stage: Arc<Stage>, issues: Vec<OpenIssue>, pace: Pace) {
    for issue in issues {
        label(&stage, &issue);
        tokio::time::sleep(BEAT).await;
    }
    for n in 0.. {
        while stage.waiting().await >= BACKLOG {
            tokio::time::sleep(BEAT).await;
        }
        match stage.open_issue(&backlog::later(n)) {
            Ok(issue) => label(&stage, &issue),
            Err(error) => tracing::warn!(%error, "could not open an issue"),
        }
        tokio::time::sleep(pace.next_issue(stage.seconds())).await;
    }
}

fn label(stage: &Stage, issue: &OpenIssue) {
    let all: Vec<&str> = ["pool:ready"].into_iter().chain(issue.labels.iter().map(String::as_str)).collect();
    if let Err(error) = stage.github.as_user(MAINTAINER).label_all(issue.repo, issue.number, &all) {
        tracing::warn!(%error, "could not label an issue");
    }
}

/// The maintainer reviews the pull requests of one repository after the other, oldest first, and merges most of them.
async fn review(stage: Arc<Stage>, pace: Pace) {
    let mut reviews = 0;
    loop {
        for repo in REPOS {
            // As many as were open at first: others come while these are reviewed.
            for _ in 0..BUDGET {
                tokio::time::sleep(REVIEW).await;
                let Some(pull) = stage.github.open_pulls(repo).into_iter().next() else { break };
                reviews += 1;
                decide(&stage, repo, pull.number, reviews);
            }
        }
        tokio::time::sleep(pace.after_reviews(stage.seconds())).await;
    }
}

fn decide(stage: &Stage, repo: &str, pull: u64, nth: usize) {
    let maintainer = stage.github.as_user(MAINTAINER);
    let done = if nth.is_multiple_of(REJECT_EVERY) {
        maintainer.close_pr(repo, pull)
    } else {
        maintainer.merge(repo, pull).map(drop)
    };
    if let Err(error) = done {
        tracing::warn!(%error, "could not review a pull request");
    }
}

/// A contributor who comments: joins after the first refusal says how, then claims suitable tasks one at a time.
async fn commenter(stage: Arc<Stage>, login: &'static str, skills: &'static [&'static str], pace: Pace) {
    let person = stage.github.as_user(login);
    let mut asked: BTreeSet<(&str, i64)> = BTreeSet::new();
    let (mut joined, mut trusted) = (false, false);
    loop {
        tokio::time::sleep(BEAT * 3).await;
        let Some((repo, task)) = next_free(&stage, &asked, skills).await else {
            asked.clear();
            continue;
        };
        let issue = task.issue.unwrap_or_default();
        let number = u64::try_from(issue).unwrap_or_default();
        if person.comment(repo, number, "/owp claim").is_err() {
            continue;
        }
        asked.insert((repo, issue));
        if wait_for_grant(&stage, &task, login).await {
            tokio::time::sleep(pace.work()).await;
            if let Err(error) = stage.open_pull(login, repo, issue, &task.title) {
                tracing::warn!(%error, "could not open a pull request");
            }
            continue;
        }
        let help = if !joined {
            joined = true;
            person.comment(repo, number, &format!("/owp join skills:{}", skills.join(",")))
        } else if task.spec.tier > 0 && !trusted {
            trusted = true;
            let trust = format!("/owp trust @{login} {}", task.spec.tier);
            stage.github.as_user(MAINTAINER).comment(repo, number, &trust)
        } else {
            tokio::time::sleep(pace.after_refusal(stage.seconds())).await;
            continue;
        };
        if help.is_ok() {
            asked.remove(&(repo, issue));
        }
    }
}

/// Returns the most important ready task that needs no other skills and was not claimed before.
async fn next_free(
    stage: &Stage,
    asked: &BTreeSet<(&'static str, i64)>,
    skills: &[&str],
) -> Option<(&'static str, Task)> {
    for repo in REPOS {
        let ready = stage
            .store
            .read(transaction!(|tx| {
                match tx.repos().by_name(repo).await? {
                    Some(row) => tx.tasks().ready(&row.id, 20).await,
                    None => Ok(Vec::new()),
                }
            }))
            .await
            .ok()?;
        let fits = |task: &Task| {
            let fresh = task.issue.is_some_and(|issue| !asked.contains(&(repo, issue)));
            fresh && task.spec.skills.iter().all(|skill| skills.contains(&skill.as_str()))
        };
        if let Some(task) = ready.into_iter().find(fits) {
            return Some((repo, task));
        }
    }
    None
}

/// Waits briefly for the result of a claim.
async fn wait_for_grant(stage: &Stage, task: &Task, login: &str) -> bool {
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (id, login) = (task.id.clone(), login.to_owned());
        let holder = stage.store.read(transaction!(|tx| {
            let Some(task) = tx.tasks().get(&id).await?.filter(|t| t.state == TaskState::Leased) else {
                return Ok(None);
            };
            let Some(worker) = task.assignee else { return Ok(None) };
            tx.workers().get(&worker).await
        }));
        let holder: Result<_, owp_store::StoreError> = holder.await;
        if holder.ok().flatten().is_some_and(|worker| worker.display_name() == login) {
            return true;
        }
    }
    false
}
