//! Nothing is taken away without a cause that GitHub shows: one wrong answer is no proof.

use super::broken;
use crate::acts::Repo;
use crate::rows::{RepoRow, Rows};
use crate::story::Violation;
use crate::world::World;
use serde_json::Value;

/// Changes on GitHub that are younger than this may have been seen halfway.
const SETTLED: i64 = 120_000;
/// A process that was held up may act on what it read before.
const FRESH: i64 = 180_000;

pub(super) fn check(world: &World, rows: &Rows) -> Option<Violation> {
    let now = world.now();
    let waits = (0..world.slots.len()).any(|at| world.is_waiting(at));
    if waits || world.skew != 0 || now - world.held_up_at < FRESH {
        return None;
    }
    for repo in world.cast.repos.iter().filter(|repo| repo.is_served() && now - repo.label_at > SETTLED) {
        let Some(row) =
            rows.repos.iter().find(|row| row.github_id.and_then(|id| u64::try_from(id).ok()) == Some(repo.id))
        else {
            continue;
        };
        let found = served(world, repo, row)
            .or_else(|| tasks(world, rows, repo, row))
            .or_else(|| pulls(world, rows, repo, row));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Returns the label that the policy in force asks for.
pub(super) fn label(row: &RepoRow) -> String {
    let file: Option<Value> = row.policy_file.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let label = file.and_then(|file| file["labels"]["ready"].as_str().map(str::to_owned));
    label.unwrap_or_else(|| "pool:ready".to_owned())
}

fn served(world: &World, repo: &Repo, row: &RepoRow) -> Option<Violation> {
    let why = row.inactive.as_ref()?;
    let was_served = world.checks.last().repo(&row.id).is_some_and(|old| old.inactive.is_none());
    if was_served && world.now() - repo.back_at > SETTLED {
        let found = format!("{} left the pool ({why}), although GitHub lists it all the time", row.name);
        return broken("causes", found);
    }
    None
}

fn tasks(world: &World, rows: &Rows, repo: &Repo, row: &RepoRow) -> Option<Violation> {
    let (full, label) = (world.github.repo_name(repo.id)?, label(row));
    for task in rows.tasks.iter().filter(|task| task.repo_id == row.id && task.state == "closed") {
        let was_open = world.checks.last().task(&task.id).is_some_and(|old| old.state != "closed");
        let Some(issue) = task.issue.and_then(|number| u64::try_from(number).ok()).filter(|_| was_open) else {
            continue;
        };
        let Ok(view) = world.github.issue(&full, issue) else { continue };
        let offered = view.open && view.labels.iter().any(|one| one.eq_ignore_ascii_case(&label));
        if offered && world.now() - view.updated_at > SETTLED {
            let found =
                format!("{full}#{issue} left the pool, although GitHub shows it open and labelled all the time");
            return broken("causes", found);
        }
    }
    None
}

fn pulls(world: &World, rows: &Rows, repo: &Repo, row: &RepoRow) -> Option<Violation> {
    let full = world.github.repo_name(repo.id)?;
    for pull in rows.pulls.iter().filter(|pull| pull.repo_id == row.id && pull.state != "open") {
        let same = |old: &&crate::rows::PullRow| old.repo_id == pull.repo_id && old.number == pull.number;
        let was_open = world.checks.last().pulls.iter().find(same).is_some_and(|old| old.state == "open");
        let Some(number) = u64::try_from(pull.number).ok().filter(|_| was_open) else { continue };
        let is_open = world.github.pull(&full, number).is_ok_and(|view| view.open);
        let since = world.github.issue(&full, number).map_or(i64::MAX, |view| view.updated_at);
        if is_open && world.now() - since > SETTLED {
            return broken(
                "causes",
                format!("{full}#{number} counts as {}, although GitHub shows it open", pull.state),
            );
        }
    }
    None
}
