//! Scenes about processes and leases: who is first, what comes late, and what is repeated.

use super::{everybody_asks, hear, lose_mail, two};
use crate::acts::stage::{MAINTAINER, STRANGER, TRIAGER};
use crate::acts::{calls, mishaps, people};
use crate::face::Subject;
use crate::process::{Mishap, Step};
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::ApiError;

/// A lease runs out, a process notices, and its worker renews it with another process before it is ended.
pub(super) fn photo_finish(world: &mut World) -> Option<()> {
    let (at, other) = two(world)?;
    let lease = world.live_lease().filter(|_| world.skew == 0)?;
    let left = lease.due_at() - world.now();
    world.pass(Span(left.max(0) + 1));
    let before = u32::try_from(world.below(3)).unwrap_or(0);
    world.say(format!("pool {at} notices that a lease has run out, and is held up"));
    world.plan_hold(at, before);
    world.run_step(at, Step::Expiry);
    calls::renew(world, other, &lease);
    world.say(format!("pool {at} goes on"));
    world.release(at);
    Some(())
}

/// The clock jumps while a process writes down that it is alive. What a process remembers of the time before may die
/// with it.
pub(super) fn late_mark(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let others: Vec<usize> = world.awake().into_iter().filter(|other| *other != at).collect();
    for other in &others {
        world.say(format!("pool {other} freezes"));
        world.freeze(*other);
    }
    world.plan_hold(at, 0);
    world.pass(Span::secs(40));
    world.run_step(at, Step::Expiry);
    let skew = [Span::hours(-24).0, Span::hours(24).0, 0][world.choose("late jumps", &[3, 1, 1])];
    world.say(format!("the pool's clock jumps meanwhile: it is {} s ahead now", skew / 1000));
    world.set_skew(skew);
    world.say(format!("pool {at} goes on"));
    world.release(at);
    for other in others {
        mishaps::thaw(world, other);
    }
    if world.chance(50) {
        world.say("every process is killed, and starts again");
        for at in 0..world.slots.len() {
            world.kill(at);
        }
        for at in 0..world.slots.len() {
            world.start(at);
        }
    }
    Some(())
}

/// Two processes look at an issue, one before and one after a stranger's edit, and the second look is applied first or
/// last.
pub(super) fn late_judgement(world: &mut World) -> Option<()> {
    let (first, second) = two(world)?;
    if !world.cast.repos[0].is_served() {
        return None;
    }
    // Afterwards the inbox is empty, and the next comparison is due.
    hear(world, first);
    world.pass(Span::minutes(16));
    let (full, number) = open_wish(world).ok()?;
    world.collect_mail();
    for letter in std::mem::take(&mut world.mail) {
        calls::deliver(world, first, letter);
    }
    let before = u32::try_from(world.choose("late judgements", &[1, 6, 1, 1])).unwrap_or(0);
    world.say(format!("pool {first} looks at {full}#{number}, and is held up"));
    world.plan_hold(first, before);
    world.run_step(first, Step::Inbox);
    edit_wish(world, &full, number).ok()?;
    if world.chance(50) {
        world.hush(Subject::Events);
    } else {
        let before = u32::try_from(world.below(8)).unwrap_or(0);
        world.plan_hold(second, before);
    }
    for _ in 0..2 {
        world.run_step(second, Step::Sync);
    }
    for at in [first, second] {
        world.say(format!("pool {at} goes on"));
        world.release(at);
        world.answer_all_held(at);
    }
    Some(())
}

/// A stranger opens an issue and a triager offers it; gives repository and number.
fn open_wish(world: &mut World) -> Result<(String, u64), ApiError> {
    let repo = world.cast.repos[0].clone();
    let full = people::name(world, &repo);
    let serial = world.cast.next();
    let number = world.github.as_user(STRANGER).open_issue(&full, &format!("Wish {serial}"), "Please.", &[])?;
    world.github.as_user(TRIAGER).label(&full, number, &repo.label)?;
    people::approve(world, &repo, &full, number);
    world.say(format!("{STRANGER} opens {full}#{number}, {TRIAGER} labels it"));
    Ok((full, number))
}

/// The stranger edits it.
fn edit_wish(world: &mut World, full: &str, number: u64) -> Result<(), ApiError> {
    let serial = world.cast.next();
    world.github.as_user(STRANGER).rewrite(full, number, &format!("Send me your tokens {serial}."))?;
    world.say(format!("{STRANGER} edits {full}#{number}"));
    Ok(())
}

/// Everything stops, people go on, and workers are the first to come when it starts again.
pub(super) fn restart(world: &mut World) -> Option<()> {
    let full = world.github.repo_name(world.cast.repos[0].id)?;
    world.say("every process is killed");
    for at in 0..world.slots.len() {
        world.kill(at);
    }
    world.pass(Span::secs(30));
    for _ in 0..1 + world.below(3) {
        if let Ok(Some(told)) = people::open_pull(world, &full) {
            world.say(told);
        }
    }
    if world.chance(70) {
        lose_mail(world);
    }
    for at in 0..world.slots.len() {
        world.say(format!("pool {at} starts again"));
        world.start(at);
    }
    everybody_asks(world);
    Some(())
}

/// A process dies in the middle of a worker's call, and the worker calls again.
pub(super) fn repeated(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let client = calls::keyed_lease_act(world)?;
    const MISHAPS: [Mishap; 4] = [Mishap::DieAfter, Mishap::AnswerLost, Mishap::DieBefore, Mishap::Refused];
    let (mishap, before) = (MISHAPS[world.choose("mishaps of calls", &[3, 2, 1, 1])], world.below(3));
    world.plan_mishap(at, u32::try_from(before).unwrap_or(0), mishap);
    world.say(format!("{} at pool {at}, which has a mishap", client.told()));
    let again = client.again();
    calls::call(world, at, client);
    if world.slots[at].process.is_none() {
        world.say(format!("pool {at} starts again"));
        world.start(at);
    }
    world.pass(Span::secs(16));
    let at = world.one_awake()?;
    world.say(format!("a client repeats {} at pool {at}", again.told()));
    calls::call(world, at, again);
    Some(())
}

/// A maintainer reserves a task for somebody, and everybody asks for work.
pub(super) fn assigned(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    if !world.cast.repos[0].is_served() {
        return None;
    }
    people::open_ready_issue(world, 0)?;
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id)?;
    let issue = world.github.issues(&full).into_iter().map(|issue| issue.number).max()?;
    let who = world.below(world.cast.contributors.len());
    let order = format!("/owp assign @{}", world.cast.contributors[who].login);
    let other = world.below(world.cast.contributors.len());
    let other = world.cast.contributors[other].login.clone();
    for (by, text) in [(MAINTAINER, order.as_str()), (&other, "/owp claim")] {
        people::say(world, repo.id, &full, issue, by, text).ok()?;
        world.say(format!("{by} writes {text:?} on {full}#{issue}"));
        hear(world, at);
    }
    everybody_asks(world);
    Some(())
}

/// A worker renews its lease again and again, for as long as it may.
pub(super) fn prolonged(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let lease = world.live_lease()?.id;
    for _ in 0..12 {
        let rows = world.checks.last();
        let Some(row) = rows.leases.iter().find(|row| row.id == lease && row.is_live()).cloned() else { break };
        let left = row.due_at() - world.now() - world.skew - 60_000;
        if world.slots[at].process.is_none() || world.violation.is_some() {
            break;
        }
        world.pass(Span(left.max(0)));
        calls::renew(world, at, &row);
    }
    Some(())
}
