//! What must hold after every commit, and of every answer. The numbers are those of docs/ARCHITECTURE.md.

mod causes;
pub(crate) mod end;
mod grants;

use crate::rows::{LeaseRow, Rows};
use crate::story::Violation;
use crate::world::World;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Moves of a task that one commit can make: those of the table, and two of them together.
fn may_move(from: &str, to: &str) -> bool {
    match (from, to) {
        _ if from == to => true,
        ("ready" | "blocked", "leased" | "in_progress") => true,
        ("leased", "in_progress") => true,
        ("leased" | "in_progress", "ready" | "pr_opened" | "blocked") => true,
        ("ready" | "blocked", "pr_opened") => true,
        ("blocked", "ready") => true,
        ("pr_opened", "ready") => true,
        ("ready", "blocked") => true,
        (_, "merged") => true,
        (from, "closed") => from != "merged",
        ("closed" | "merged", "ready") => true,
        // Offered again, and answered by a pull request that is open already.
        ("closed" | "merged", "pr_opened" | "leased" | "in_progress") => true,
        ("pr_opened", "leased" | "in_progress" | "blocked") => true,
        _ => false,
    }
}

/// The memory of the checks.
#[derive(Default)]
pub(crate) struct Checks {
    last: Rows,
    commits: Option<(u32, u64)>,
    /// Every lease that was ever seen.
    leases: BTreeMap<String, LeaseRow>,
    /// Live leases during each call that is not answered yet.
    live_during: BTreeMap<u64, BTreeSet<String>>,
    /// Deliveries that were acknowledged, and must be there.
    acknowledged: BTreeMap<String, i64>,
    /// Creates of comments on GitHub: the key with the issue's path, and whether a list was read since.
    created: BTreeMap<String, bool>,
    deleted: BTreeSet<u64>,
    /// The id of every event.
    events: BTreeSet<String>,
    /// The last number of each chain.
    last_seq: BTreeMap<String, i64>,
    /// Comments whose commands ran.
    run: BTreeSet<i64>,
    /// The ids of the events that the reader of the feed has seen.
    read: BTreeSet<String>,
    pub(crate) found: Option<Violation>,
}

impl Checks {
    /// Returns true if something was committed since the last time.
    pub(crate) fn has_news(&mut self, commits: u32, births: u64) -> bool {
        self.commits.replace((commits, births)) != Some((commits, births))
    }

    fn find(&mut self, check: &'static str, found: String) {
        self.found.get_or_insert(Violation { check, found });
    }

    pub(crate) fn live_leases(&self) -> Vec<String> {
        self.last.live().map(|lease| lease.id.clone()).collect()
    }

    pub(crate) fn call_begins(&mut self, id: u64) {
        let live = self.last.live().map(|lease| lease.id.clone()).collect();
        self.live_during.insert(id, live);
    }

    pub(crate) fn call_ends(&mut self, id: u64) {
        self.live_during.remove(&id);
    }

    pub(crate) fn acknowledged(&mut self, guid: &str, event: &str, now: i64) {
        if matches!(event, "issues" | "issue_comment" | "pull_request") && !self.last.deliveries.is_empty() {
            self.acknowledged.entry(guid.to_owned()).or_insert(now);
        }
    }

    pub(crate) fn comment_deleted(&mut self, comment: u64) {
        self.deleted.insert(comment);
        // It may be written again once.
        self.created.clear();
    }

    /// GitHub did what a request asked. A comment whose answer was lost is looked for before it is created again.
    pub(crate) fn github_did(&mut self, request: &Request<Bytes>) {
        let path = request.uri().path();
        if !path.ends_with("/comments") {
            return;
        }
        if *request.method() == Method::GET {
            let of_issue = |key: &String| key.starts_with(path);
            self.created.iter_mut().filter(|(key, _)| of_issue(key)).for_each(|(_, looked)| *looked = true);
            return;
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        let text = body["body"].as_str().unwrap_or_default();
        let Some(key) = text.trim_end().lines().next_back().filter(|line| line.contains("owp:key=")) else {
            self.find("comments", format!("a comment without a key at {path}: {text}"));
            return;
        };
        let key = format!("{path} {key}");
        if self.created.get(&key) == Some(&false) {
            self.find("comments (9)", format!("{key} is created a second time, without looking for the first"));
        }
        self.created.insert(key, false);
    }

    /// Every task that an answer lists as held was held by then.
    pub(crate) fn work_is_true(&mut self, call: u64, body: &Value) {
        let live = self.live_during.get(&call).cloned().unwrap_or_default();
        for held in body["leases"].as_array().into_iter().flatten() {
            let lease = held["lease_id"].as_str().unwrap_or_default();
            if matches!(held["lease_state"].as_str(), Some("offered" | "active")) && !live.contains(lease) {
                self.find("answers", format!("GET /v1/work lists the lease {lease}, which was not live meanwhile"));
            }
        }
    }

    pub(crate) fn lease_act_is_true(&mut self, call: u64, lease: &str, act: &str, worker: &str) {
        let live = self.live_during.get(&call).is_some_and(|live| live.contains(lease));
        let known = self.leases.get(lease);
        if known.is_none_or(|known| known.worker_id != worker) {
            self.find("answers", format!("{act} of {lease} by {worker}, whose lease it is not, succeeded"));
        } else if !live && matches!(act, "renew" | "ack") {
            self.find("stale writes (3)", format!("{act} of the lease {lease}, which had ended before, succeeded"));
        }
    }

    pub(crate) fn claim_is_true(&mut self, lease: &str, task: &str) {
        let known = self.leases.get(lease);
        if known.is_none_or(|known| known.task_id != task) {
            self.find("answers", format!("a claim of {task} was answered with the lease {lease}, which is not of it"));
        }
    }

    /// An event is read from the feed: once, and after its predecessors.
    pub(crate) fn event_read(&mut self, id: &str, seq: i64, repo: &str) {
        if !self.read.insert(id.to_owned()) {
            self.find("the feed (13)", format!("the event {id} (number {seq} of {repo}) was read twice"));
        }
    }

    pub(crate) fn events_read(&self) -> BTreeSet<String> {
        self.read.clone()
    }

    pub(crate) fn all_events(&self) -> BTreeSet<String> {
        self.events.clone()
    }

    pub(crate) fn forget_read(&mut self) {
        self.read.clear();
    }

    pub(crate) fn is_deleted(&self, comment: u64) -> bool {
        self.deleted.contains(&comment)
    }

    pub(crate) fn last(&self) -> &Rows {
        &self.last
    }
}

/// Checks the rows after a commit.
pub(crate) fn after_commit(world: &mut World, rows: Rows) {
    note_coverage(world, &rows);
    let broken = leases_and_tasks(world, &rows)
        .or_else(|| events(world, &rows))
        .or_else(|| merges(&rows))
        .or_else(|| counts(&rows))
        .or_else(|| deliveries(world, &rows))
        .or_else(|| grants::check(world, &rows))
        .or_else(|| causes::check(world, &rows));
    let checks = &mut world.checks;
    // One that is new was live for a moment, even if it has ended by now.
    let seen = |lease: &&LeaseRow| lease.is_live() || !checks.leases.contains_key(&lease.id);
    let live_now: Vec<String> = rows.leases.iter().filter(seen).map(|lease| lease.id.clone()).collect();
    for lease in rows.leases.iter() {
        checks.leases.insert(lease.id.clone(), lease.clone());
    }
    checks.run.extend(rows.commands.iter().map(|command| command.comment_id));
    for live in checks.live_during.values_mut() {
        live.extend(live_now.iter().cloned());
    }
    checks.last = rows;
    if let Some(Violation { check, found }) = broken.or_else(|| world.checks.found.take()) {
        world.violate(check, found);
    }
}

fn note_coverage(world: &mut World, rows: &Rows) {
    for event in &rows.events {
        world.coverage.note("events", event.kind.clone());
    }
    let moves: Vec<(String, String)> = rows
        .tasks
        .iter()
        .map(|task| {
            let before = world.checks.last.task(&task.id).map_or("none", |before| before.state.as_str());
            (before.to_owned(), task.state.clone())
        })
        .filter(|(before, after)| before != after)
        .collect();
    for (before, after) in moves {
        world.coverage.note("moves of tasks", format!("{before} → {after}"));
    }
    let ended: Vec<String> = rows
        .leases
        .iter()
        .filter(|lease| !lease.is_live() && world.checks.leases.get(&lease.id).is_none_or(LeaseRow::is_live))
        .map(|lease| lease.state.clone())
        .collect();
    for reason in ended {
        world.coverage.note("ends of leases", reason);
    }
}

fn broken(check: &'static str, found: String) -> Option<Violation> {
    Some(Violation { check, found })
}

fn leases_and_tasks(world: &World, rows: &Rows) -> Option<Violation> {
    let before = &world.checks.last;
    let mut holders: BTreeMap<&str, &LeaseRow> = BTreeMap::new();
    for lease in rows.live() {
        if let Some(other) = holders.insert(&lease.task_id, lease) {
            return broken("one live lease (1)", format!("{} and {} are live for one task", other.id, lease.id));
        }
    }
    for task in rows.tasks.iter() {
        let held = matches!(task.state.as_str(), "leased" | "in_progress");
        if held != holders.contains_key(task.id.as_str()) {
            let found =
                format!("the task of issue {:?} is {}, and has a live lease: {}", task.issue, task.state, !held);
            return broken("held tasks have leases (6)", found);
        }
        if let Some(old) = before.task(&task.id) {
            if task.epoch < old.epoch {
                return broken("epochs rise (3)", format!("the epoch of {} fell to {}", task.id, task.epoch));
            }
            // One commit can hold the end of a lease and the next grant.
            let granted_anew =
                task.epoch > old.epoch && may_move(&old.state, "ready") && may_move("ready", &task.state);
            if !granted_anew && !may_move(&old.state, &task.state) {
                return broken(
                    "moves (7)",
                    format!("the task of issue {:?} went from {} to {}", task.issue, old.state, task.state),
                );
            }
        }
    }
    for lease in rows.leases.iter() {
        let Some(old) = world.checks.leases.get(&lease.id) else { continue };
        if (&old.task_id, &old.worker_id, old.epoch) != (&lease.task_id, &lease.worker_id, lease.epoch) {
            return broken("lease ids (3)", format!("the lease {} changed its task, worker or epoch", lease.id));
        }
        if !old.is_live() && (lease.is_live() || old.state != lease.state || old.expires_at != lease.expires_at) {
            return broken("stale writes (3)", format!("the ended lease {} changed: {old:?} → {lease:?}", lease.id));
        }
        let due = match lease.state.as_str() {
            "expired" => Some(lease.expires_at),
            "ack_timeout" => old.ack_by,
            _ => None,
        };
        if old.is_live() && due.is_some_and(|due| lease.ended_at.is_some_and(|at| at < due)) {
            return broken("leases end", format!("the lease {} is {} before its time", lease.id, lease.state));
        }
        let ends_too_late = lease.is_live() && lease.expires_at > lease.max_until && lease.expires_at > old.expires_at;
        if ends_too_late {
            return broken("lease lifetime", format!("the lease {} lasts beyond its maximum", lease.id));
        }
    }
    areas(rows)
}

/// An area that a live lease locked is held by its task, and by one task alone.
fn areas(rows: &Rows) -> Option<Violation> {
    let mut held: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for area in rows.areas.iter() {
        if held.insert((&area.repo_id, &area.area), &area.task_id).is_some() {
            return broken("areas (2)", format!("the area {} has two holders", area.area));
        }
    }
    for lease in rows.live() {
        let Some(area) = &lease.area else { continue };
        if held.get(&(lease.repo_id.as_str(), area.as_str())) != Some(&lease.task_id.as_str()) {
            return broken("areas (2)", format!("the lease {} does not hold its area {area}", lease.id));
        }
    }
    for area in rows.areas.iter() {
        let task = rows.task(&area.task_id);
        if task.is_none_or(|task| !matches!(task.state.as_str(), "leased" | "in_progress" | "pr_opened")) {
            let state = task.map_or("gone", |task| task.state.as_str());
            return broken("areas (2)", format!("the area {} is held by a task that is {state}", area.area));
        }
    }
    None
}

/// The merged tasks of each contributor are as many as were counted.
fn merges(rows: &Rows) -> Option<Violation> {
    let mut merged: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for task in rows.tasks.iter().filter(|task| task.state == "merged") {
        if let Some(person) = &task.last_holder {
            *merged.entry((person, &task.repo_id)).or_default() += 1;
        }
    }
    let counted = rows.merges.iter().filter(|row| row.tasks != 0);
    let counted: BTreeMap<_, _> = counted.map(|row| ((row.person.as_str(), row.repo_id.as_str()), row.tasks)).collect();
    if merged == counted { None } else { broken("merges are counted", format!("{merged:?}, counted {counted:?}")) }
}

/// Tasks and ended leases are as many as were counted.
fn counts(rows: &Rows) -> Option<Violation> {
    let mut found: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for task in rows.tasks.iter() {
        *found.entry((&task.repo_id, &task.state)).or_default() += 1;
    }
    for lease in rows.leases.iter().filter(|lease| !lease.is_live()) {
        *found.entry((&lease.repo_id, &lease.state)).or_default() += 1;
    }
    let tasks = rows.task_counts.iter().map(|row| ((row.repo_id.as_str(), row.state.as_str()), row.tasks));
    let leases = rows.lease_ends.iter().map(|row| ((row.repo_id.as_str(), row.reason.as_str()), row.leases));
    let mut counted: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (what, count) in tasks.chain(leases).filter(|(_, count)| *count != 0) {
        *counted.entry(what).or_default() += count;
    }
    if found == counted {
        None
    } else {
        broken("tasks and leases are counted", format!("{found:?}, counted {counted:?}"))
    }
}

/// Every change of a task has its event, and chains have no gaps.
fn events(world: &mut World, rows: &Rows) -> Option<Violation> {
    for event in &rows.events {
        let last = world.checks.last_seq.entry(event.chain.clone()).or_default();
        if event.seq != *last + 1 {
            let found = format!("event {} follows {last} in the chain {}", event.seq, event.chain);
            return broken("chains have no gaps (11)", found);
        }
        *last = event.seq;
        world.checks.events.insert(event.id.clone());
    }
    let about: BTreeSet<&str> = rows.events.iter().filter_map(|event| event.task_id.as_deref()).collect();
    for task in rows.tasks.iter() {
        let old = world.checks.last.task(&task.id);
        let changed = old.is_none_or(|old| (&old.state, old.epoch) != (&task.state, task.epoch));
        if changed && !about.contains(task.id.as_str()) {
            let from = old.map_or("nothing", |old| old.state.as_str());
            let found =
                format!("the task of issue {:?} went from {from} to {} without an event", task.issue, task.state);
            return broken("every change has its event (11)", found);
        }
    }
    let leases: BTreeSet<&str> = rows.events.iter().filter_map(|event| event.lease_id.as_deref()).collect();
    for lease in rows.leases.iter() {
        let was_live = world.checks.leases.get(&lease.id).map(LeaseRow::is_live);
        if was_live != Some(lease.is_live()) && !leases.contains(lease.id.as_str()) {
            return broken(
                "every change has its event (11)",
                format!("the lease {} changed without an event", lease.id),
            );
        }
    }
    None
}

/// What was acknowledged is there.
fn deliveries(world: &World, rows: &Rows) -> Option<Violation> {
    let stored: BTreeSet<&str> = rows.deliveries.iter().map(|one| one.id.as_str()).collect();
    // After a week no delivery can come again, and the pool forgets its id. Its clock may be a day ahead.
    let recent = world.now() - 5 * 86_400_000;
    let mut known = world.checks.acknowledged.iter().filter(|(_, at)| **at > recent);
    let lost = known.find(|(guid, _)| !stored.contains(guid.as_str())).map(|(guid, _)| guid);
    // The effect of a command and the end of its delivery are one commit.
    let run =
        |comment: i64| !world.checks.run.contains(&comment) && rows.commands.iter().any(|c| c.comment_id == comment);
    // A comment can arrive twice: one of its deliveries ends with the effect.
    let ended = |comment: i64| rows.deliveries.iter().any(|d| d.comment_id == Some(comment) && d.state == "done");
    let is_half = |comment: i64| run(comment) && !ended(comment);
    let half = rows.deliveries.iter().find(|one| one.state == "processing" && one.comment_id.is_some_and(is_half));
    if let Some(half) = half {
        return broken("effects are done once (8)", format!("the delivery {} has its effect and is not done", half.id));
    }
    let lost = lost?;
    broken("acknowledged means durable (8)", format!("the delivery {lost} was acknowledged and is not stored"))
}
