//! Scenes about comments: commands that are heard, and answers that are written.

use super::{SETTLED, hear, post, two};
use crate::acts::{calls, mishaps, people};
use crate::face::{Subject, Wrong};
use crate::process::Step;
use crate::world::World;
use owp_pool::Span;

/// Longest time that a comment stays with a sender that fell silent.
const TAKEN_OVER: Span = Span::secs(125);

/// A contributor writes a command, a process hears of it, and an answer waits to be written.
pub(super) fn ask(world: &mut World, at: usize) -> Option<()> {
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id).filter(|_| repo.is_served())?;
    let issues = world.github.issues(&full);
    let issue = world.pick(&issues).filter(|issue| !issue.locked)?.number;
    let who = world.cast.contributors[0].login.clone();
    write_all(world, at);
    people::say(world, repo.id, &full, issue, &who, "/owp status").ok()?;
    world.say(format!("{who} writes \"/owp status\" on {full}#{issue}"));
    hear(world, at);
    world.slots[at].process.is_some().then_some(())
}

/// A process writes the comments that wait, and afterwards the next one can be written at once.
fn write_all(world: &mut World, at: usize) {
    for _ in 0..8 {
        world.pass(SETTLED);
        world.busy = false;
        if !world.run_step(at, Step::Sender) || !world.busy {
            break;
        }
    }
}

/// The answer to a create is lost, and so is the list in which a sender looks for the comment; or the list leaves it out.
pub(super) fn lost_create(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    ask(world, at)?;
    const LOST: [Wrong; 3] = [Wrong::LostAfter, Wrong::GatewayAfter, Wrong::Slow];
    const UNSEEN: [Wrong; 6] = [
        Wrong::LostBefore,
        Wrong::Status(502),
        Wrong::Status(404),
        Wrong::Status(401),
        Wrong::Truncated,
        Wrong::OtherPage,
    ];
    let (lost, unseen) = (LOST[world.below(LOST.len())], UNSEEN[world.below(UNSEEN.len())]);
    world.spoil(Subject::Create, lost);
    world.run_step(at, Step::Sender);
    world.spoil(Subject::Comments, unseen);
    for _ in 0..4 {
        world.pass(SETTLED);
        for at in world.awake() {
            world.run_step(at, Step::Sender);
        }
    }
    Some(())
}

/// A sender falls silent in the middle of a create, another takes over, and the first goes on.
pub(super) fn late_create(world: &mut World) -> Option<()> {
    let (at, other) = two(world)?;
    ask(world, at)?;
    const HUSHED: [Subject; 3] = [Subject::Token, Subject::Create, Subject::Comments];
    match world.choose("late creates", &[3, 3, 1, 1]) {
        0 => {
            let before = u32::try_from(world.below(3)).unwrap_or(0);
            world.plan_hold(at, before);
        }
        1 => {
            // Tokens live for an hour; the timers do not run in so short a time.
            for _ in 0..2 {
                world.pass(Span::minutes(35));
            }
            world.hush(HUSHED[0]);
        }
        which => world.hush(HUSHED[which - 1]),
    }
    world.say(format!("pool {at} freezes while it writes a comment"));
    world.run_step(at, Step::Sender);
    world.freeze(at);
    world.pass(TAKEN_OVER);
    for _ in 0..5 {
        world.run_step(other, Step::Sender);
        world.pass(SETTLED);
    }
    if world.chance(50) {
        // It reads what has arrived before it looks at its timers.
        let now = world.now();
        world.slots[at].held.iter_mut().for_each(|held| held.since = now);
    }
    mishaps::thaw(world, at);
    world.release(at);
    world.answer_held(at);
    Some(())
}

/// A contributor claims and gives back, and the claim arrives again under another id.
pub(super) fn said_twice(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id).filter(|_| repo.is_served())?;
    let rows = world.checks.last();
    let row = rows.repos.iter().find(|row| row.github() == Some(repo.id))?;
    let ready = rows.tasks.iter().filter(|task| task.repo_id == row.id && task.state == "ready" && task.hold.is_none());
    let ready: Vec<u64> = ready.filter_map(|task| u64::try_from(task.issue?).ok()).collect();
    let issue = world.pick(&ready)?;
    let who = world.below(world.cast.contributors.len());
    let who = world.cast.contributors[who].login.clone();
    let mut sent = Vec::new();
    for text in ["/owp claim", "/owp release"] {
        people::say(world, repo.id, &full, issue, &who, text).ok()?;
        world.say(format!("{who} writes {text:?} on {full}#{issue}"));
        sent.extend(hear(world, at));
        world.pass(Span::secs(2));
    }
    let mut letter = world.pick(&sent)?;
    mishaps::rename(world, &mut letter);
    let at = world.one_awake()?;
    calls::deliver(world, at, letter);
    world.run_step(at, Step::Inbox);
    Some(())
}

/// The delivery of a command comes late, and GitHub does not show the comment when a process looks.
pub(super) fn said_late(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id).filter(|_| repo.is_served())?;
    post(world, at);
    let told = people::command(world, &repo, &full).ok()??;
    world.say(told);
    world.say("its delivery is late");
    world.pass(Span::minutes(16));
    let status = [404, 410][world.below(2)];
    world.spoil(Subject::Comment, Wrong::Status(status));
    hear(world, at);
    Some(())
}
