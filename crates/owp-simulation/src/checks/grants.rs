//! Grants: nothing beyond the budget, nobody who may not, no text that nobody approved.

use super::broken;
use crate::rows::{LeaseRow, RepoRow, Rows, TaskRow};
use crate::story::Violation;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// A count may have begun so much before it read the list.
const COUNT_SLACK: i64 = 60_000;

pub(super) fn check(world: &World, rows: &Rows) -> Option<Violation> {
    let known = |lease: &LeaseRow| world.checks.leases.contains_key(&lease.id);
    let granted: Vec<&LeaseRow> = rows.live().filter(|lease| !known(lease)).collect();
    if let Some(found) = claims(world, rows).or_else(|| words(world, rows)).or_else(|| offers(world, rows)) {
        return Some(found);
    }
    for lease in granted {
        let (Some(task), Some(repo)) = (rows.task(&lease.task_id), rows.repo(&lease.repo_id)) else { continue };
        // Whoever's pull request is open already takes no slot more.
        let adds = !has_pull_for(rows, task, &lease.person);
        let found = adds
            .then(|| budget(world, rows, repo))
            .flatten()
            .or_else(|| capacity(rows, lease))
            .or_else(|| eligible(world, rows, repo, task, lease))
            .or_else(|| text(world, repo, task));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Returns true if somebody has an open pull request that names the task.
pub(super) fn has_pull_for(rows: &Rows, task: &TaskRow, person: &str) -> bool {
    let named = |number: i64| {
        rows.links.iter().any(|link| link.task_id == task.id && link.number == number && link.repo_id == task.repo_id)
    };
    rows.pulls.iter().any(|pull| {
        let author = pull.author_id.map(|id| format!("gh:{id}"));
        pull.repo_id == task.repo_id && pull.state == "open" && named(pull.number) && author.as_deref() == Some(person)
    })
}

/// A claim by comment is worth one lease: nobody has more of them than they wrote claims on the issue.
fn claims(world: &World, rows: &Rows) -> Option<Violation> {
    let mut taken: BTreeMap<(u64, u64, u64), usize> = BTreeMap::new();
    for lease in rows.leases.iter().filter(|lease| lease.via == "comment") {
        let (Some(task), Some(repo)) = (rows.task(&lease.task_id), rows.repo(&lease.repo_id)) else { continue };
        let issue = task.issue.and_then(|issue| u64::try_from(issue).ok());
        let account = lease.person.strip_prefix("gh:").and_then(|id| id.parse().ok());
        let (Some(github_id), Some(issue), Some(account)) = (repo.github(), issue, account) else { continue };
        *taken.entry((github_id, issue, account)).or_default() += 1;
    }
    for ((repo, issue, account), taken) in taken {
        let said = world.cast.claims.get(&(repo, issue, account)).copied().unwrap_or(0);
        if taken > said {
            let found = format!("gh:{account} got issue {issue} {taken} times, by {said} claims");
            return broken("commands run once (8)", found);
        }
    }
    None
}

/// Nobody's words are run as another's: a comment has no more commands than its author wrote lines.
fn words(world: &World, rows: &Rows) -> Option<Violation> {
    for said in &world.cast.said {
        let comment = i64::try_from(said.comment).unwrap_or(0);
        let ran = rows.commands.iter().filter(|command| command.comment_id == comment).count();
        if ran > said.lines {
            let found = format!("{ran} commands of the comment {comment} ran; {} wrote {}", said.by, said.lines);
            return broken("words of others", found);
        }
    }
    None
}

/// Returns the budget in force.
pub(super) fn limit(repo: &RepoRow) -> i64 {
    let file = repo.policy()["budget"]["max_open_prs"].as_i64();
    let asked = repo.command_budget.or(file).unwrap_or(5);
    repo.ceiling.map_or(asked, |ceiling| ceiling.min(asked))
}

/// Work that certainly takes a slot: tasks that are held or under review, each once, and leases that ended without a
/// pull request since the last count.
fn budget(world: &World, rows: &Rows, repo: &RepoRow) -> Option<Violation> {
    // It can be lowered in the commit after the grant.
    let before = world.checks.last().repo(&repo.id).map_or(0, limit);
    let limit = limit(repo).max(before);
    let mut used: BTreeSet<String> =
        rows.live().filter(|lease| lease.repo_id == repo.id).map(|l| l.task_id.clone()).collect();
    let Some(counted_at) = repo.counted_at else {
        return broken("budget (4)", format!("a grant in {} while its open pull requests are not counted", repo.name));
    };
    if repo.count_failed_at.is_some() {
        return broken("budget (4)", format!("a grant in {} although the last count failed", repo.name));
    }
    if world.alone_since.is_some_and(|since| counted_at < since) {
        return broken("budget (4)", format!("a grant in {} by a count from before the restart", repo.name));
    }
    let is_open =
        |number: i64| rows.pulls.iter().any(|p| p.repo_id == repo.id && p.number == number && p.state == "open");
    for task in rows.tasks.iter().filter(|task| task.repo_id == repo.id && task.state == "pr_opened") {
        if task.pull.is_some_and(is_open) {
            used.insert(task.id.clone());
        }
    }
    for lease in rows.leases.iter().filter(|lease| lease.repo_id == repo.id) {
        let open_end = !matches!(lease.state.as_str(), "delivered" | "merged");
        if lease.ended_at.is_some_and(|at| at >= counted_at) && open_end {
            used.insert(format!("ended {}", lease.id));
        }
    }
    let taken = i64::try_from(used.len()).unwrap_or(i64::MAX);
    if taken > limit {
        let moves: Vec<String> = used.iter().map(|task| told_move(world, rows, task)).collect();
        let found = format!("a grant in {} takes {taken} slots of {limit}: {}", repo.name, moves.join(", "));
        return broken("budget (4)", found);
    }
    on_github(world, rows, repo, counted_at, limit)
}

/// Names a task and its move.
fn told_move(world: &World, rows: &Rows, task: &str) -> String {
    let state = |rows: &Rows| rows.task(task).map_or("none", |task| task.state.as_str()).to_owned();
    let issue = rows.task(task).and_then(|task| task.issue).unwrap_or_default();
    format!("{task} of issue {issue} ({} → {})", state(world.checks.last()), state(rows))
}

/// The same by what GitHub really shows: open pull requests of contributors from before the last count are known.
fn on_github(world: &World, rows: &Rows, repo: &RepoRow, counted_at: i64, limit: i64) -> Option<Violation> {
    if world.skew != 0 {
        return None;
    }
    let github_id = repo.github()?;
    let full = world.github.repo_name(github_id)?;
    let path = format!("/repos/{full}/pulls");
    let lied = world.face.lied_about_pulls.iter().filter(|(at, _)| at.starts_with(&path)).map(|(_, at)| *at).max();
    if lied.is_some_and(|at| at >= counted_at - COUNT_SLACK) {
        return None;
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    for lease in rows.live().filter(|lease| lease.repo_id == repo.id) {
        used.insert(lease.task_id.clone());
    }
    for pull in world.github.open_pulls(&full) {
        let number = i64::try_from(pull.number).unwrap_or(0);
        let since = world.github.issue(&full, pull.number).map_or(i64::MAX, |view| view.updated_at);
        if pull.draft || since + COUNT_SLACK > counted_at {
            continue;
        }
        let under_review =
            rows.tasks.iter().find(|t| t.repo_id == repo.id && t.pull == Some(number) && t.state == "pr_opened");
        if let Some(task) = under_review {
            used.insert(task.id.clone());
        }
    }
    let taken = i64::try_from(used.len()).unwrap_or(i64::MAX);
    if taken > limit {
        return broken("budget (4)", format!("a grant in {full}: GitHub shows {taken} of {limit}: {used:?}"));
    }
    None
}

fn capacity(rows: &Rows, lease: &LeaseRow) -> Option<Violation> {
    let worker = rows.worker(&lease.worker_id)?;
    let held: Vec<&LeaseRow> = rows.live().filter(|one| one.worker_id == lease.worker_id).collect();
    let points: i64 = held.iter().map(|one| one.estimate).sum();
    let count = i64::try_from(held.len()).unwrap_or(i64::MAX);
    if points > worker.capacity || count > worker.max_concurrent {
        let found = format!(
            "the worker of {} holds {count} leases of {} and {points} points of {}",
            lease.person, worker.max_concurrent, worker.capacity
        );
        return broken("capacity (5)", found);
    }
    None
}

fn eligible(world: &World, rows: &Rows, repo: &RepoRow, task: &TaskRow, lease: &LeaseRow) -> Option<Violation> {
    let refuse =
        |why: String| broken("eligibility (12)", format!("{} got issue {:?} although {why}", lease.person, task.issue));
    let worker = rows.worker(&lease.worker_id)?;
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
    let skills = list(&worker.skills);
    if let Some(missing) = list(&task.skills).into_iter().find(|skill| !skills.contains(skill)) {
        return refuse(format!("the worker lacks the skill {missing}"));
    }
    if worker.revoked != 0 {
        return refuse("the worker is revoked".to_owned());
    }
    if let Some(hold) = &task.hold {
        return refuse(format!("the task waits for a maintainer: {hold}"));
    }
    // It can leave in the commit after the grant.
    let before = world.checks.last().repo(&repo.id).and_then(|before| before.inactive.as_ref());
    if let (Some(why), Some(_)) = (&repo.inactive, before) {
        return refuse(format!("the repository is not served: {why}"));
    }
    if repo.managed == 1 && lease.person.starts_with("w:") {
        return refuse("the worker is not linked".to_owned());
    }
    let level = rows.trust.iter().find(|t| t.repo_id == repo.id && t.person == lease.person).map_or(0, |t| t.level);
    if level < 0 {
        return refuse("the contributor is banned".to_owned());
    }
    if task.tier > 0 && level < task.tier && merged(rows, repo, lease) < 5 {
        return refuse(format!("the task has tier {} and the contributor trust {level}", task.tier));
    }
    let now = lease.granted_at;
    // The grant uses the reservation up.
    let before = world.checks.last().task(&task.id).unwrap_or(task);
    let reserved = before.reserved_person.as_ref().filter(|_| before.reserved_until.is_some_and(|until| until > now));
    if reserved.is_some_and(|person| *person != lease.person) {
        return refuse(format!("it is reserved for {reserved:?}"));
    }
    let paused = repo.pause_reason.is_some() && repo.paused_until.is_none_or(|until| until > now);
    // A pause can be set in the commit after the grant; it is looked at when it was there before.
    let paused_before = world
        .checks
        .last
        .repo(&repo.id)
        .is_some_and(|before| before.pause_reason.is_some() && before.paused_until.is_none_or(|until| until > now));
    if paused && paused_before {
        return refuse("the repository is paused".to_owned());
    }
    None
}

fn merged(rows: &Rows, repo: &RepoRow, lease: &LeaseRow) -> usize {
    let theirs = |task: &&TaskRow| task.repo_id == repo.id && task.last_holder.as_ref() == Some(&lease.person);
    rows.tasks.iter().filter(theirs).filter(|task| task.state == "merged").count()
}

/// A task that anybody could be given now has a text that somebody approved.
fn offers(world: &World, rows: &Rows) -> Option<Violation> {
    let offered = rows.tasks.iter().filter(|task| task.state == "ready" && task.hold.is_none());
    let is_new = |task: &&TaskRow| {
        let before = world.checks.last().task(&task.id);
        before.is_none_or(|old| {
            (&old.state, &old.hold, &old.title, &old.description)
                != (&task.state, &task.hold, &task.title, &task.description)
        })
    };
    offered.filter(is_new).find_map(|task| text(world, rows.repo(&task.repo_id)?, task))
}

/// The text that is handed out was offered by somebody who may.
pub(super) fn text(world: &World, repo: &RepoRow, task: &TaskRow) -> Option<Violation> {
    let (github_id, issue) = (repo.github()?, u64::try_from(task.issue?).ok()?);
    let approved = world.cast.approved.get(&(github_id, issue));
    let given = (task.title.clone(), task.description.clone());
    if approved.is_none_or(|approved| !approved.contains(&given)) {
        let found =
            format!("issue {issue} is handed out with a text that nobody approved: {given:?}; approved: {approved:?}");
        return broken("approved text", found);
    }
    None
}
