//! Short scenes: several things that seldom come together by chance, in the order in which they do harm.

mod comments;
mod races;
mod repositories;

use super::calls;
use crate::process::Step;
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::WebhookRequest;

/// Time after which a sender looks for a comment whose answer was lost.
const SETTLED: Span = Span::secs(31);

/// Plays a scene; `None` when it is impossible at the moment.
type Scene = fn(&mut World) -> Option<()>;

/// Plays a scene. Some are impossible at the moment.
pub(super) fn act(world: &mut World) {
    const SCENES: [(&str, Scene); 15] = [
        ("a repository blinks", repositories::blink),
        ("a photo finish", races::photo_finish),
        ("something is hidden", repositories::hidden),
        ("a create is lost", comments::lost_create),
        ("a create is late", comments::late_create),
        ("a sign of life is late", races::late_mark),
        ("a judgement is late", races::late_judgement),
        ("everything restarts", races::restart),
        ("a command comes twice", comments::said_twice),
        ("a command comes late", comments::said_late),
        ("a call is repeated", races::repeated),
        ("a task is assigned", races::assigned),
        ("a label goes away", repositories::label_away),
        ("a lease is prolonged", races::prolonged),
        ("a pull request is hidden", repositories::hidden_pull),
    ];
    for _ in 0..4 {
        let (name, play) = SCENES[world.choose("scenes", &[1; SCENES.len()])];
        if play(world).is_some() {
            world.coverage.note("scenes", name);
            break;
        }
    }
    world.forget_plans();
}

/// Returns two different processes that can run.
fn two(world: &mut World) -> Option<(usize, usize)> {
    let mut awake = world.awake();
    if awake.len() < 2 {
        return None;
    }
    let first = awake.remove(world.below(awake.len()));
    Some((first, world.pick(&awake)?))
}

/// Delivers what is on its way, and returns it.
fn post(world: &mut World, at: usize) -> Vec<WebhookRequest> {
    world.collect_mail();
    let letters = std::mem::take(&mut world.mail);
    for letter in &letters {
        if world.slots[at].process.is_some() && world.violation.is_none() {
            calls::deliver(world, at, letter.clone());
        }
    }
    letters
}

fn lose_mail(world: &mut World) {
    world.collect_mail();
    if !world.mail.is_empty() {
        world.coverage.note("faults of deliveries", "lost");
        world.say(format!("{} deliveries are lost", world.mail.len()));
        world.mail.clear();
    }
}

/// A process gets what is on its way, and acts on it.
fn hear(world: &mut World, at: usize) -> Vec<WebhookRequest> {
    let letters = post(world, at);
    for _ in 0..10 {
        world.busy = false;
        if !world.run_step(at, Step::Inbox) || !world.busy {
            break;
        }
    }
    letters
}

fn everybody_asks(world: &mut World) {
    for who in 0..world.cast.contributors.len() {
        if let (Some(worker), Some(at)) = (world.cast.contributors[who].worker.clone(), world.one_awake()) {
            calls::ask_for_work(world, at, who, &worker);
        }
    }
}
