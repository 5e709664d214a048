//! Who does what in a step.

mod calls;
pub(crate) mod mishaps;
mod people;
mod policies;
mod scenes;
pub(crate) mod stage;

pub(crate) use calls::{Client, answered, call, deliver, no_answer};

use crate::process::{LOOPS, Step};
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::WebhookRequest;
use std::collections::{BTreeMap, BTreeSet};

/// A repository on GitHub.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    pub(crate) id: u64,
    /// The label that opts issues in, as it is called on GitHub.
    pub(crate) label: String,
    /// True if it was private from the beginning: its name must never reach a stranger.
    pub(crate) secret: bool,
    pub(crate) installed: bool,
    pub(crate) archived: bool,
    /// Last time that the label was renamed.
    pub(crate) label_at: i64,
    /// Last time that it was archived or left the installation.
    pub(crate) away_at: i64,
    /// Last time that it was unarchived or came back to the installation.
    pub(crate) back_at: i64,
    /// True if the policy file is valid, and the budget that it sets; `None` before it was first written.
    pub(crate) policy: Option<(bool, Option<i64>)>,
}

impl Repo {
    /// Returns true if the pool should serve it.
    pub(crate) fn is_served(&self) -> bool {
        self.installed && !self.archived
    }
}

/// A worker, as its contributor knows it.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) token: String,
    /// Leases that it heard of, with their tasks; oldest first.
    pub(crate) leases: Vec<(String, String)>,
    /// Tasks that it heard of.
    pub(crate) tasks: Vec<String>,
}

impl Worker {
    /// Remembers a lease, if there is one, and its task.
    pub(crate) fn hears_of(&mut self, lease: String, task: String) {
        if !self.tasks.contains(&task) {
            self.tasks.push(task.clone());
        }
        if !lease.is_empty() && !self.leases.iter().any(|(known, _)| *known == lease) {
            self.leases.push((lease, task));
        }
    }
}

/// An account with its worker, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Contributor {
    pub(crate) login: String,
    pub(crate) worker: Option<Worker>,
    /// The code that links the worker to the account.
    pub(crate) code: Option<String>,
}

/// A command that somebody wrote on an issue.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) repo: u64,
    pub(crate) issue: u64,
    pub(crate) comment: u64,
    pub(crate) by: String,
    pub(crate) text: String,
    pub(crate) at: i64,
    /// True if the pool was to hear of it when it was written.
    pub(crate) served: bool,
    /// True once the comment was edited or deleted.
    pub(crate) changed: bool,
    /// Number of lines that its author wrote, at first and in edits.
    pub(crate) lines: usize,
}

/// Everybody outside of the pool, and what they did that matters later.
#[derive(Debug, Default)]
pub(crate) struct Cast {
    pub(crate) repos: Vec<Repo>,
    pub(crate) installation: u64,
    pub(crate) contributors: Vec<Contributor>,
    /// Texts that somebody with the right to do so offered, by repository and issue.
    pub(crate) approved: BTreeMap<(u64, u64), BTreeSet<(String, String)>>,
    pub(crate) said: Vec<Said>,
    /// Number of claims that somebody wrote, by repository, issue and account.
    pub(crate) claims: BTreeMap<(u64, u64, u64), usize>,
    pub(crate) serial: u32,
    /// Calls whose answer was lost, to be repeated.
    pub(crate) again: Vec<Client>,
    /// Answers by idempotency key, with their times.
    pub(crate) kept: BTreeMap<String, (u16, String, i64)>,
    /// Cursor of a reader of the event feed.
    pub(crate) cursor: Option<String>,
    /// How often GitHub is wrong about a read and about a write, in percent.
    pub(crate) weather: (u32, u32),
    /// How often GitHub lets a process wait, in percent.
    pub(crate) silence: u32,
    /// Deliveries that arrived, oldest first: GitHub can send them again.
    pub(crate) arrived: Vec<WebhookRequest>,
    /// Keys under which somebody tried to end a lease.
    pub(crate) enders: BTreeMap<String, BTreeSet<String>>,
}

impl Cast {
    pub(crate) fn next(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }
}

/// One step of a history: something happens somewhere.
pub(crate) fn step(world: &mut World) {
    match world.choose("steps", &[24, 9, 12, 10, 26, 7, 7, 5, 14]) {
        0 => people::act(world),
        1 => mishaps::deliver(world),
        2 => goes_on(world),
        3 => work(world),
        4 => calls::act(world),
        5 => time_passes(world),
        6 => mishaps::act(world),
        7 => mishaps::race(world),
        _ if world.calm => {}
        _ => scenes::act(world),
    }
}

/// An ordinary moment: what is on its way arrives, and every process does what there is to do.
fn goes_on(world: &mut World) {
    world.say("the pool goes on");
    for _ in 0..2 {
        mishaps::deliver(world);
    }
    for at in world.awake() {
        world.run_loops(at);
    }
}

/// A process does what there is to do, or one step of it.
fn work(world: &mut World) {
    let Some(at) = world.one_awake() else { return };
    if world.is_waiting(at) && world.chance(60) {
        world.say(format!("pool {at}: the transaction that waited begins"));
        world.release(at);
        return;
    }
    if world.has_held(at) && world.chance(50) {
        world.answer_held(at);
        return;
    }
    if world.chance(50) {
        world.say(format!("pool {at} runs its loops"));
        world.run_loops(at);
        return;
    }
    let which = world.below(LOOPS.len() + 4);
    // The inbox and the sender have the most to do.
    let step =
        LOOPS.get(which).map_or(if which.is_multiple_of(2) { Step::Inbox } else { Step::Sender }, |(step, _)| *step);
    world.say(format!("pool {at} runs a step of its {} loop", step.name()));
    world.run_step(at, step);
}

fn time_passes(world: &mut World) {
    let span = match world.below(20) {
        0..=7 => Span(i64::try_from(world.below(5_000)).unwrap_or(0)),
        8..=12 => Span::secs(20 + i64::try_from(world.below(70)).unwrap_or(0)),
        13..=17 => Span::minutes(5 + i64::try_from(world.below(20)).unwrap_or(0)),
        18 => Span::hours(1 + i64::try_from(world.below(5)).unwrap_or(0)),
        _ => Span::hours(20 + i64::try_from(world.below(60)).unwrap_or(0)),
    };
    world.say(format!("{} s pass", span.0 / 1000));
    world.pass(span);
}
