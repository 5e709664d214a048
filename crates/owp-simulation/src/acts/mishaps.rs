//! What goes wrong between GitHub and the pool, and in the pool's machines.

use super::{calls, people};
use crate::process::{Mishap, Step};
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::WebhookRequest;

/// A delivery arrives: the next one or any, perhaps twice, perhaps under another id, perhaps never.
pub(super) fn deliver(world: &mut World) {
    world.collect_mail();
    let (Some(at), false) = (world.one_awake(), world.mail.is_empty()) else { return };
    let most = 1 + world.below(4);
    for _ in 0..most {
        if world.mail.is_empty() || world.violation.is_some() || world.slots[at].process.is_none() {
            return;
        }
        let which = if world.calm || world.chance(70) { 0 } else { world.below(world.mail.len()) };
        if !world.calm && world.chance(6) {
            let lost = world.mail.remove(which);
            let told = lost.webhook.guid.clone();
            if world.chance(50) {
                world.github.record_failure(&lost.webhook, 0);
                world.coverage.note("faults of deliveries", "failed");
                world.say(format!("delivery {told} of {} fails", lost.webhook.event));
            } else {
                world.coverage.note("faults of deliveries", "lost");
                world.say(format!("delivery {told} of {} is lost", lost.webhook.event));
            }
            continue;
        }
        let mut letter = world.mail.remove(which);
        if which > 0 {
            world.coverage.note("faults of deliveries", "out of order");
        }
        if !world.calm && world.chance(8) {
            world.coverage.note("faults of deliveries", "doubled");
            world.mail.push(letter.clone());
        }
        if !world.calm && world.chance(8) {
            rename(world, &mut letter);
            world.coverage.note("faults of deliveries", "another id");
        }
        calls::deliver(world, at, letter);
    }
}

/// A process, its clock, its database or its connection to GitHub has a bad day.
pub(super) fn act(world: &mut World) {
    let at = world.below(world.slots.len());
    let dead = world.slots[at].process.is_none();
    let frozen_at = world.slots[at].frozen_at;
    if dead {
        world.say(format!("pool {at} starts again"));
        world.start(at);
        return;
    }
    if world.calm {
        return;
    }
    let frozen = frozen_at.is_some();
    match world.choose("mishaps", &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]) {
        13 => send_again(world, at),
        12 => {
            let before = u32::try_from(world.below(6)).unwrap_or(0);
            world.coverage.note("faults of processes", "transaction waits");
            world.say(format!("pool {at}: a transaction will wait before it begins ({before} before it)"));
            world.plan_hold(at, before);
        }
        0 => {
            world.coverage.note("faults of processes", "killed");
            world.say(format!("pool {at} is killed"));
            world.kill(at);
        }
        1..=4 => {
            const MISHAPS: [(Mishap, &str); 4] = [
                (Mishap::DieBefore, "will die before a commit"),
                (Mishap::DieAfter, "will die after a commit"),
                (Mishap::Refused, "will have a commit refused"),
                (Mishap::AnswerLost, "will not hear of a commit"),
            ];
            let (mishap, told) = MISHAPS[world.below(MISHAPS.len())];
            let before = u32::try_from(world.below(8)).unwrap_or(0);
            world.coverage.note("faults of processes", told);
            world.say(format!("pool {at} {told} ({before} before it)"));
            world.plan_mishap(at, before, mishap);
        }
        5 | 6 if frozen => thaw(world, at),
        5 | 6 if world.awake().len() > 1 || world.chance(30) => {
            world.say(format!("pool {at} freezes"));
            world.freeze(at);
        }
        7 => {
            world.coverage.note("faults of GitHub", "tokens expired");
            world.say("GitHub's tokens expire");
            world.github.expire_tokens();
        }
        8 => {
            let skew = match world.below(6) {
                0 => Span::hours(24).0,
                1 => -Span::hours(24).0,
                2 => 90_000,
                3 => -30_000,
                _ => 0,
            };
            world.coverage.note("faults of clocks", if skew == 0 { "right again" } else { "jump" });
            world.say(format!("the pool's clock jumps: it is {} s ahead now", skew / 1000));
            world.set_skew(skew);
        }
        9 => {
            world.coverage.note("faults of GitHub", "down");
            world.say("GitHub goes down");
            world.github.set_down(true);
        }
        10 => {
            world.say("GitHub is up");
            world.github.set_down(false);
        }
        _ => world.answer_held(at),
    }
}

/// GitHub sends something again that arrived long ago, perhaps under another id.
fn send_again(world: &mut World, at: usize) {
    let comments: Vec<_> =
        world.cast.arrived.iter().filter(|one| one.webhook.event == "issue_comment").cloned().collect();
    let all = if world.chance(70) { comments } else { world.cast.arrived.clone() };
    let Some(mut letter) = world.pick(&all) else { return };
    if world.slots[at].frozen_at.is_some() {
        return;
    }
    if world.chance(70) {
        rename(world, &mut letter);
    }
    world.coverage.note("faults of deliveries", "again");
    calls::deliver(world, at, letter);
}

/// Gives a delivery another id.
pub(super) fn rename(world: &mut World, letter: &mut WebhookRequest) {
    let serial = world.cast.next();
    let renamed = format!("{}-{serial}", letter.webhook.guid);
    for (_, value) in letter.headers.iter_mut().filter(|(name, _)| name == "X-GitHub-Delivery") {
        value.clone_from(&renamed);
    }
    letter.webhook.guid = renamed;
}

/// A process is held up in the middle of something, others act meanwhile, and it goes on.
pub(super) fn race(world: &mut World) {
    let Some(at) = world.one_awake() else { return };
    if world.calm {
        return;
    }
    let before = u32::try_from(world.choose("race before", &[4, 3, 1, 1])).unwrap_or(0);
    world.coverage.note("faults of processes", "race");
    world.say(format!("pool {at}: a race begins ({before} transactions before it)"));
    world.plan_hold(at, before);
    const STEPS: [Step; 6] = [Step::Expiry, Step::Inbox, Step::Sender, Step::Sync, Step::Watch, Step::Feed];
    let step = STEPS[world.choose("race", &[2, 3, 2, 1, 1, 1])];
    world.run_step(at, step);
    for _ in 0..1 + world.below(3) {
        if world.violation.is_some() {
            return;
        }
        match world.choose("race meanwhile", &[4, 2, 1, 2]) {
            0 => calls::act(world),
            1 => deliver(world),
            2 => people::act(world),
            _ => {
                let others: Vec<usize> = world.awake().into_iter().filter(|other| *other != at).collect();
                if let Some(other) = world.pick(&others) {
                    world.say(format!("pool {other} runs its loops meanwhile"));
                    world.run_loops(other);
                }
            }
        }
    }
    world.say(format!("pool {at} goes on"));
    world.release(at);
}

/// A frozen process goes on as if nothing had been.
pub(crate) fn thaw(world: &mut World, at: usize) {
    let Some(since) = world.slots[at].frozen_at.take() else { return };
    world.held_up_at = world.now();
    world.say(format!("pool {at} wakes up"));
    let away = Span(world.now() - since);
    // What arrived meanwhile may be read before its timer is.
    for held in 0..world.slots[at].held.len() {
        if world.chance(50) {
            world.slots[at].held[held].since = world.now();
        }
    }
    if let Some(process) = &mut world.slots[at].process {
        process.pass(away);
    }
    world.run(at);
    // Its timers are the first to notice.
    for _ in 0..2 {
        world.run_step(at, Step::Expiry);
    }
}
