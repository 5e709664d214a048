//! What must hold in the end, when faults have stopped: the pool shows what GitHub shows, and everybody was answered.

use super::grants::{has_pull_for, limit};
use crate::acts::{self, Client, Repo, mishaps};
use crate::process::Step;
use crate::rows::{DeliveryRow, RepoRow, Rows, TaskRow, WantedRow, WorkerRow};
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::PullView;
use std::collections::{BTreeMap, BTreeSet};

/// Time between two rounds in which the processes do what is due.
const PAUSE: Span = Span::minutes(8);
/// Rounds after which everything must have come to rest.
const ROUNDS: usize = 30;
/// Rounds in an hour.
const HOURLY: usize = 7;
/// Rounds in which every timer had its turn: the longest is a quarter of an hour.
const LEAST: usize = 2;

pub(crate) fn check(world: &mut World) {
    settle(world);
    let checks: [fn(&mut World, &Rows); 9] =
        [repositories, leases, tasks, pulls, comments, commands, feed, privacy, grants];
    let rows = world.look_at_everything();
    for check in checks {
        if world.violation.is_some() {
            return;
        }
        check(world, &rows);
    }
}

/// Faults stop, everything on its way arrives, and time passes until nothing is left to do.
fn settle(world: &mut World) {
    world.say("faults stop");
    world.github.set_down(false);
    world.set_skew(0);
    for at in 0..world.slots.len() {
        if world.slots[at].process.is_none() {
            world.start(at);
        }
        world.calm_down(at);
        mishaps::thaw(world, at);
        world.release(at);
        world.answer_all_held(at);
    }
    for round in 0..ROUNDS {
        deliver_all(world);
        for at in world.awake() {
            if round % HOURLY == HOURLY - 1 {
                world.run_step(at, Step::Installations);
            }
            world.run_loops(at);
        }
        send_comments(world);
        if world.violation.is_some() {
            return;
        }
        let rows = world.look_at_everything();
        if round == LEAST {
            returned(world, &rows);
        }
        if round >= LEAST && world.mail.is_empty() && unrest(world, &rows).is_empty() {
            return;
        }
        // Tasks wait a day for a label that many issues lost at once.
        let waits = world.checks.last().repos.iter().any(|repo| repo.unlabelled_until.is_some());
        world.pass(if round >= LEAST && waits { Span::hours(25) } else { PAUSE });
    }
    let rows = world.look_at_everything();
    let what = unrest(world, &rows);
    world.violate("rest", format!("not at rest after {ROUNDS} rounds without a fault: {what:?}"));
}

fn deliver_all(world: &mut World) {
    world.collect_mail();
    while !world.mail.is_empty() && world.violation.is_none() {
        let Some(at) = world.awake().first().copied() else { return };
        let letter = world.mail.remove(0);
        acts::deliver(world, at, letter);
    }
}

/// Returns what is still open.
fn unrest(world: &World, rows: &Rows) -> Vec<String> {
    let active = |repo: &str| rows.repo(repo).is_some_and(|repo| repo.inactive.is_none());
    let mut open: Vec<String> = Vec::new();
    // What arrived from a repository that the App cannot read any more is kept for a while: GitHub may be wrong.
    let away: BTreeSet<String> =
        world.cast.repos.iter().filter(|one| !one.is_served()).map(|one| format!("repo:{}", one.id)).collect();
    open.extend(
        rows.deliveries
            .iter()
            .filter(|one| matches!(one.state.as_str(), "pending" | "processing") && !away.contains(&one.order_key))
            .map(|one| format!("delivery {} is {}: {:?}", one.id, one.state, one.error)),
    );
    // Until the next count a pull request may have come of it.
    let just_now = 0..PAUSE.0;
    let ended = |at: i64| just_now.contains(&(world.now() - at));
    open.extend(
        rows.leases
            .iter()
            .filter(|one| one.ended_at.is_some_and(ended) && active(&one.repo_id))
            .map(|one| format!("lease {} has ended just now", one.id)),
    );
    open.extend(
        rows.wanted
            .iter()
            .filter(|one| one.state == "pending" && active(&one.repo_id))
            .map(|one| format!("comment {} on issue {} is pending: {:?}", one.key, one.issue, one.error)),
    );
    open.extend(
        rows.doubts
            .iter()
            .filter(|one| active(&one.repo_id))
            .map(|one| format!("{} {} is in doubt", one.kind, one.number)),
    );
    open.extend(
        rows.repos
            .iter()
            .filter(|r| r.unlabelled_until.is_some() && r.inactive.is_none())
            .map(|r| format!("{} waits for labels", r.name)),
    );
    for repo in world.cast.repos.iter().filter(|repo| repo.is_served()) {
        let row = row_of(rows, repo);
        if row.is_none_or(|row| row.inactive.is_some()) {
            open.push(format!("repository {} is not served: {:?}", repo.id, row.and_then(|row| row.inactive.clone())));
        }
    }
    open
}

/// Gives the senders some time for what they could not write at once.
fn send_comments(world: &mut World) {
    for _ in 0..8 {
        let rows = world.look_at_everything();
        let waits = |one: &WantedRow| {
            one.state == "pending" && rows.repo(&one.repo_id).is_some_and(|repo| repo.inactive.is_none())
        };
        if world.violation.is_some() || !rows.wanted.iter().any(waits) {
            return;
        }
        world.pass(Span::secs(31));
        for at in world.awake() {
            world.run_step(at, Step::Sender);
            world.run_step(at, Step::Feed);
        }
    }
}

/// A repository that GitHub did not show is asked for every minute in the first hour.
fn returned(world: &mut World, rows: &Rows) {
    for repo in world.cast.repos.clone().iter().filter(|repo| repo.is_served()) {
        let Some(row) = row_of(rows, repo) else { continue };
        let lately = row.inactive_since.is_some_and(|since| world.now() - since < 3_000_000);
        let unseen = row.inactive.as_ref().is_some_and(|why| why.contains("may not see"));
        if lately && unseen {
            world.violate("GitHub's state (8)", format!("{} is visible again, and nobody asks for it", row.name));
        }
    }
}

fn row_of<'r>(rows: &'r Rows, repo: &Repo) -> Option<&'r RepoRow> {
    rows.repos.iter().find(|row| row.github() == Some(repo.id))
}

/// Returns the repositories that the pool should serve, with their rows.
fn served(world: &World, rows: &Rows) -> Vec<(Repo, String, RepoRow)> {
    let on = world.cast.repos.iter().filter(|repo| repo.is_served());
    on.filter_map(|repo| Some((repo.clone(), world.github.repo_name(repo.id)?, row_of(rows, repo)?.clone()))).collect()
}

fn repositories(world: &mut World, rows: &Rows) {
    for repo in world.cast.repos.clone() {
        let Some(row) = row_of(rows, &repo) else {
            world.violate("GitHub's state (8)", format!("the repository {} is not known", repo.id));
            return;
        };
        let name = world.github.repo_name(repo.id).unwrap_or_default();
        if !repo.is_served() {
            if row.inactive.is_none() {
                world.violate("GitHub's state (8)", format!("{name} is served, but is archived or not installed"));
            }
            continue;
        }
        if row.name != name {
            world.violate("GitHub's state (8)", format!("{name} is still called {}", row.name));
        }
        if let Some((valid, budget)) = repo.policy {
            let known = row.policy()["budget"]["max_open_prs"].as_i64();
            if valid != row.policy_error.is_none() || (valid && known != budget) {
                let found = format!(
                    "the policy of {name} is {known:?} with the error {:?}, and should be {budget:?}",
                    row.policy_error
                );
                world.violate("GitHub's state (8)", found);
            }
        }
    }
}

/// No lease is overdue.
fn leases(world: &mut World, rows: &Rows) {
    let now = world.now();
    let overdue = rows.live().find(|lease| {
        let served = rows.repo(&lease.repo_id).is_some_and(|repo| repo.inactive.is_none());
        served && lease.due_at() < now - 60_000
    });
    if let Some(lease) = overdue {
        world.violate(
            "leases end",
            format!("the lease {} ({}) is overdue by {} s", lease.id, lease.state, (now - lease.expires_at) / 1000),
        );
    }
}

/// Every task is what its issue says, issue by issue.
fn tasks(world: &mut World, rows: &Rows) {
    for (_, name, row) in served(world, rows) {
        let policy = row.policy();
        let label = policy["labels"]["ready"].as_str().unwrap_or("pool:ready");
        let issues: BTreeMap<i64, _> = world
            .github
            .issues(&name)
            .into_iter()
            .map(|issue| (i64::try_from(issue.number).unwrap_or(0), issue))
            .collect();
        let tasks: BTreeMap<i64, &TaskRow> = rows
            .tasks
            .iter()
            .filter(|task| task.repo_id == row.id)
            .filter_map(|task| Some((task.issue?, task)))
            .collect();
        for (number, issue) in &issues {
            let offered = issue.open && issue.labels.iter().any(|one| one.eq_ignore_ascii_case(label));
            let state = tasks.get(number).map_or("missing", |task| task.state.as_str());
            let fits = if offered {
                !matches!(state, "missing" | "closed")
            } else {
                matches!(state, "missing" | "closed" | "merged")
            };
            if !fits {
                let said = if offered { "open and labelled" } else { "not open and labelled" };
                world.violate("GitHub's state (8)", format!("{name}#{number} is {said}, and its task is {state}"));
                return;
            }
            if let Some(task) = tasks.get(number).filter(|task| task.state == "ready" && task.hold.is_none())
                && let Some(found) = super::grants::text(world, &row, task)
            {
                world.violate(found.check, found.found);
                return;
            }
            if let Some(task) = tasks.get(number).filter(|task| task.withheld.is_some() && task.state == "ready") {
                world
                    .violate("GitHub's state (8)", format!("{name}#{number} is withheld at rest: {:?}", task.withheld));
                return;
            }
        }
        for (number, task) in &tasks {
            if !issues.contains_key(number) && !matches!(task.state.as_str(), "closed" | "merged") {
                world.violate("GitHub's state (8)", format!("{name}#{number} is gone, and its task is {}", task.state));
                return;
            }
        }
    }
}

fn pull_state(pull: &PullView) -> &'static str {
    match (pull.open, pull.merged) {
        (true, _) => "open",
        (false, true) => "merged",
        (false, false) => "closed",
    }
}

/// Every pull request is what GitHub shows, one by one.
fn pulls(world: &mut World, rows: &Rows) {
    for (_, name, row) in served(world, rows) {
        let shown: BTreeMap<i64, PullView> =
            world.github.pulls(&name).into_iter().map(|pull| (i64::try_from(pull.number).unwrap_or(0), pull)).collect();
        for (number, pull) in &shown {
            let known = rows.pulls.iter().find(|one| one.repo_id == row.id && one.number == *number);
            let state = known.map_or("unknown", |one| one.state.as_str());
            let fits = state == pull_state(pull) || (state == "unknown" && !pull.open);
            if !fits {
                world.violate(
                    "slots (8)",
                    format!("{name}#{number} is {} on GitHub, and {state} here", pull_state(pull)),
                );
                return;
            }
        }
        for task in rows.tasks.iter().filter(|task| task.repo_id == row.id && task.state == "pr_opened") {
            let open = task.pull.and_then(|number| shown.get(&number)).is_some_and(|pull| pull.open);
            if !open {
                world.violate(
                    "slots (8)",
                    format!("{name}#{:?} waits for the review of {:?}, which is not open", task.issue, task.pull),
                );
                return;
            }
        }
    }
}

/// Every wanted comment is on GitHub once, as wanted, or was given up for a reason that still holds.
fn comments(world: &mut World, rows: &Rows) {
    for (_, name, row) in served(world, rows) {
        // The text that replaces a duplicate has a key of its own.
        let of_repo = |wanted: &&WantedRow| wanted.repo_id == row.id && !wanted.key.starts_with("duplicate:");
        for wanted in rows.wanted.iter().filter(of_repo) {
            let Ok(number) = u64::try_from(wanted.issue) else { continue };
            let Ok(view) = world.github.issue(&name, number) else { continue };
            if wanted.state == "dead" {
                let told = wanted.error.clone().unwrap_or_default();
                if !view.locked && wanted.rewritten == 0 {
                    world.violate("comments (9)", format!("{} on {name}#{number} was given up: {told}", wanted.key));
                    return;
                }
                continue;
            }
            let line = format!("<!-- owp:key={} -->", wanted.key);
            let ours: Vec<_> = world
                .github
                .comments(&name, number)
                .into_iter()
                .filter(|one| one.via_app && one.body.contains(&line))
                .collect();
            let id = wanted.comment_id.and_then(|id| u64::try_from(id).ok());
            let removed = id.is_some_and(|id| world.checks.is_deleted(id));
            if ours.len() > 1 {
                world.violate("comments (9)", format!("{} is on {name}#{number} {} times", wanted.key, ours.len()));
                return;
            }
            match ours.first() {
                None if removed => {}
                Some(comment) if comment.body.trim_end() == wanted.body.trim_end() => {}
                found => {
                    let found =
                        format!("{} on {name}#{number} is not as wanted ({}): {found:?}", wanted.key, wanted.state);
                    world.violate("comments (9)", found);
                    return;
                }
            }
        }
    }
}

/// Every command was heard, unless GitHub was away for the whole day in which the pool tries.
fn commands(world: &mut World, rows: &Rows) {
    let long_ago = world.now() - Span::hours(24).0;
    let given_up = |one: &&DeliveryRow| {
        one.state == "dead"
            && world
                .cast
                .said
                .iter()
                .any(|said| i64::try_from(said.comment).ok() == one.comment_id && said.at < long_ago)
    };
    let mut heard: BTreeSet<i64> = rows.commands.iter().map(|one| one.comment_id).collect();
    heard.extend(rows.deliveries.iter().filter(given_up).filter_map(|one| one.comment_id));
    for (repo, name, _) in served(world, rows) {
        for said in world.cast.said.clone() {
            // What was written before the App left may never have been read.
            let here = said.repo == repo.id && !said.changed && said.served && said.at > repo.away_at;
            let there = world.github.issue(&name, said.issue).is_ok_and(|view| !view.locked);
            let still = world.github.comments(&name, said.issue).iter().any(|one| one.id == said.comment);
            if here && there && still && !heard.contains(&i64::try_from(said.comment).unwrap_or(0)) {
                let found =
                    format!("{}'s {:?} on {name}#{} had no effect and no answer", said.by, said.text, said.issue);
                world.violate("everybody is answered", found);
                return;
            }
        }
    }
}

/// A reader of the feed has seen every event, once; and every chain verifies.
fn feed(world: &mut World, _: &Rows) {
    let Some(at) = world.awake().first().copied() else { return };
    for _ in 0..60 {
        let Some(answer) = world.ask(at, Client::events(world.cast.cursor.as_deref())) else { return };
        if answer["more"].as_bool() != Some(true) {
            break;
        }
    }
    if world.violation.is_some() {
        return;
    }
    let (read, all) = (world.checks.events_read(), world.checks.all_events());
    if let Some(missing) = all.difference(&read).next() {
        let found = format!("{} of {} events were read; {missing} was skipped", read.len(), all.len());
        world.violate("the feed (13)", found);
        return;
    }
    if let Err(why) = world.verify(at) {
        world.violate("chains verify (11)", why);
    }
}

/// Nobody without a token sees the private repository, wherever they look.
fn privacy(world: &mut World, _: &Rows) {
    let Some(at) = world.awake().first().copied() else { return };
    for path in Client::PUBLIC {
        if world.ask(at, Client::read(path)).is_none() {
            return;
        }
    }
}

/// What is eligible is granted, and every rule that refuses is right to do so.
fn grants(world: &mut World, _: &Rows) {
    let Some(at) = world.awake().first().copied() else { return };
    let workers: Vec<acts::Worker> = world.cast.contributors.iter().filter_map(|one| one.worker.clone()).collect();
    for worker in &workers {
        if world.ask(at, Client::work(worker)).is_none() {
            return;
        }
    }
    let rows = world.look_at_everything();
    let ready: Vec<TaskRow> = rows.tasks.iter().filter(|task| task.state == "ready").cloned().collect();
    for worker in &workers {
        let Some(row) = rows.worker(&worker.id).cloned() else { continue };
        for task in &ready {
            let Some(answer) = world.ask(at, Client::why(worker, &task.id)) else { return };
            // Whoever has opened the pull request already can claim the task; it is not handed out to them.
            if answer["may"].as_bool() == Some(true) && !has_pull_for(&rows, task, &row.person) {
                let found = format!(
                    "issue {:?} is not granted to the worker of {}, and no rule is against it",
                    task.issue, row.person
                );
                world.violate("what is eligible is granted", found);
                return;
            }
            for rule in answer["rules"].as_array().into_iter().flatten() {
                let name = rule["rule"].as_str().unwrap_or_default();
                if rule["holds"].as_bool() == Some(false) {
                    world.coverage.note("refusals at rest", name);
                    if let Some(found) = wrong_refusal(world, &rows, task, &row, name) {
                        let told = format!("{name} for {:?} ({}): {found}", task.issue, rule["reason"]["message"]);
                        world.violate("refusals are true", told);
                        return;
                    }
                }
            }
        }
    }
}

/// Returns why a refusal is wrong, by the rows alone.
fn wrong_refusal(world: &World, rows: &Rows, task: &TaskRow, worker: &WorkerRow, rule: &str) -> Option<String> {
    let repo = rows.repo(&task.repo_id)?;
    let truth = world.cast.repos.iter().find(|one| Some(one.id) == repo.github())?;
    if !truth.is_served() {
        return None;
    }
    match rule {
        "budget" => {
            let name = world.github.repo_name(truth.id)?;
            let open = world.github.open_pulls(&name).len();
            let held = rows.live().filter(|lease| lease.repo_id == repo.id).count();
            let limit = limit(repo);
            (i64::try_from(open + held).unwrap_or(i64::MAX) < limit)
                .then(|| format!("{open} pull requests and {held} leases are below the limit of {limit}"))
        }
        "count_known" => Some("nothing keeps the pool from counting".to_owned()),
        "area_lock" => {
            let area = task.area.as_ref()?;
            let holds = |other: &TaskRow| {
                other.repo_id == repo.id && matches!(other.state.as_str(), "leased" | "in_progress" | "pr_opened")
            };
            (!rows.tasks.iter().any(holds)).then(|| format!("nobody works in {area}"))
        }
        "capacity" | "concurrency" => (!rows.live().any(|lease| lease.worker_id == worker.id)
            && task.estimate <= worker.capacity)
            .then(|| "the worker holds nothing".to_owned()),
        "skills" => {
            let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
            let has = list(&worker.skills);
            list(&task.skills).iter().all(|skill| has.contains(skill)).then(|| "the worker has them all".to_owned())
        }
        "approval" => task.hold.is_none().then(|| "the task is not held".to_owned()),
        _ => None,
    }
}
