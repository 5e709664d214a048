//! Short scenes: several things that seldom come together by chance, in the order in which they do harm.

use super::stage::{MAINTAINER, STRANGER, TRIAGER};
use super::{calls, mishaps, people};
use crate::face::{Subject, Wrong};
use crate::process::{Mishap, Step};
use crate::world::World;
use owp_pool::Span;
use owp_sandbox::{ApiError, WebhookRequest};

/// Longest time that a comment stays with a sender that fell silent.
const TAKEN_OVER: Span = Span::secs(125);
/// Time after which a sender looks for a comment whose answer was lost.
const SETTLED: Span = Span::secs(31);

/// Plays a scene; `None` when it is impossible at the moment.
type Scene = fn(&mut World) -> Option<()>;

/// Plays a scene. Some are impossible at the moment.
pub(super) fn act(world: &mut World) {
    const SCENES: [(&str, Scene); 12] = [
        ("a repository blinks", blink),
        ("a photo finish", photo_finish),
        ("something is hidden", hidden),
        ("a create is lost", lost_create),
        ("a create is late", late_create),
        ("a sign of life is late", late_mark),
        ("a judgement is late", late_judgement),
        ("everything restarts", restart),
        ("a command comes twice", said_twice),
        ("a call is repeated", repeated),
        ("a task is assigned", assigned),
        ("a label goes away", label_away),
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

fn one(world: &mut World) -> Option<usize> {
    let awake = world.awake();
    world.pick(&awake)
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

/// A contributor writes a command, a process hears of it, and an answer waits to be written.
fn ask(world: &mut World, at: usize) -> Option<()> {
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id).filter(|_| repo.is_served())?;
    let issues = world.github.issues(&full);
    let issue = world.pick(&issues).filter(|issue| !issue.locked)?.number;
    let who = world.cast.contributors[0].login.clone();
    people::say(world, repo.id, &full, issue, &who, "/owp status").ok()?;
    world.say(format!("{who} writes \"/owp status\" on {full}#{issue}"));
    post(world, at);
    world.run_step(at, Step::Inbox);
    world.slots[at].process.is_some().then_some(())
}

/// The App loses a repository for some minutes, in which nobody hears of it, while an answer waits to be written.
fn blink(world: &mut World) -> Option<()> {
    let at = one(world)?;
    ask(world, at)?;
    let repo = world.cast.repos[0].clone();
    let (full, installation) = (world.github.repo_name(repo.id)?, world.cast.installation);
    world.say(format!("the App loses {full} for some minutes"));
    world.cast.repos[0].away_at = world.now();
    world.github.change_installation(installation, &[], &[&full]).ok()?;
    let steps: &[Step] = match world.below(2) {
        0 => &[Step::Sender],
        _ => &[Step::Sender, Step::Watch, Step::Sync],
    };
    for _ in 0..4 + world.below(12) {
        world.pass(SETTLED);
        for at in world.awake() {
            for step in steps {
                world.run_step(at, *step);
            }
        }
    }
    let _it_was_there = world.github.change_installation(installation, &[&full], &[]);
    if world.chance(50) {
        lose_mail(world);
    }
    Some(())
}

/// A lease runs out, a process notices, and its worker renews it with another process before it is ended.
fn photo_finish(world: &mut World) -> Option<()> {
    let (at, other) = two(world)?;
    let live: Vec<_> = world.checks.last().live().cloned().collect();
    let lease = world.pick(&live).filter(|_| world.skew == 0)?;
    let left = lease.ack_by.unwrap_or(lease.expires_at).min(lease.expires_at) - world.now();
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

/// Something happens that nobody delivers, and GitHub does not show it when a process looks.
fn hidden(world: &mut World) -> Option<()> {
    let at = one(world)?;
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id).filter(|_| repo.is_served())?;
    for _ in 0..1 + world.below(2) {
        let done = match world.choose("hidden", &[4, 2, 2, 2, 1, 1]) {
            0 => people::follow_pull(world, &full),
            1 => people::command(world, &repo, &full),
            2 => people::close_or_reopen(world, &repo, &full),
            3 => people::relabel(world, &repo, &full),
            4 => people::change_comment(world),
            _ => Ok(None),
        };
        if let Ok(Some(told)) = done {
            world.say(told);
        }
    }
    if world.chance(80) {
        lose_mail(world);
    }
    const HIDDEN: [Subject; 6] =
        [Subject::Pull, Subject::Issue, Subject::Comment, Subject::Pulls, Subject::Issues, Subject::Comments];
    for _ in 0..1 + world.below(3) {
        let subject = HIDDEN[world.choose("what is hidden", &[1; HIDDEN.len()])];
        let is_list = matches!(subject, Subject::Pulls | Subject::Issues | Subject::Comments);
        let wrong = if is_list { Wrong::OtherPage } else { Wrong::Status([404, 410][world.below(2)]) };
        world.spoil(subject, wrong);
    }
    post(world, at);
    let span = Span::minutes([0, 1, 6, 16][world.below(4)]);
    world.pass(span);
    for at in world.awake() {
        world.run_loops(at);
    }
    Some(())
}

/// The answer to a create is lost, and so is the list in which a sender looks for the comment.
fn lost_create(world: &mut World) -> Option<()> {
    let at = one(world)?;
    ask(world, at)?;
    const LOST: [Wrong; 3] = [Wrong::LostAfter, Wrong::GatewayAfter, Wrong::Slow];
    const UNSEEN: [Wrong; 5] =
        [Wrong::LostBefore, Wrong::Status(502), Wrong::Status(404), Wrong::Status(401), Wrong::Truncated];
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
fn late_create(world: &mut World) -> Option<()> {
    let (at, other) = two(world)?;
    ask(world, at)?;
    if world.chance(50) {
        let before = u32::try_from(world.below(3)).unwrap_or(0);
        world.plan_hold(at, before);
    } else {
        world.github.expire_tokens();
        let subject = [Subject::Token, Subject::Create, Subject::Comments][world.below(3)];
        world.hush(subject);
    }
    world.say(format!("pool {at} freezes while it writes a comment"));
    world.run_step(at, Step::Sender);
    world.freeze(at);
    world.pass(TAKEN_OVER);
    for _ in 0..3 {
        world.run_step(other, Step::Sender);
        world.pass(SETTLED);
    }
    mishaps::thaw(world, at);
    world.release(at);
    world.answer_held(at);
    Some(())
}

/// The clock jumps while a process writes down that it is alive.
fn late_mark(world: &mut World) -> Option<()> {
    let at = one(world)?;
    let before = u32::try_from(world.below(2)).unwrap_or(0);
    world.plan_hold(at, before);
    world.pass(Span::secs(40));
    world.run_step(at, Step::Expiry);
    let skew = [Span::hours(-24).0, Span::hours(24).0, 0][world.below(3)];
    world.say(format!("the pool's clock jumps meanwhile: it is {} s ahead now", skew / 1000));
    world.set_skew(skew);
    world.say(format!("pool {at} goes on"));
    world.release(at);
    Some(())
}

/// Two processes look at an issue, one before and one after a stranger's edit, and the second look is applied first or
/// last.
fn late_judgement(world: &mut World) -> Option<()> {
    let (first, second) = two(world)?;
    if !world.cast.repos[0].is_served() {
        return None;
    }
    post(world, first);
    // Both loops are due afterwards.
    world.pass(Span::minutes(6));
    for at in world.awake() {
        world.run_step(at, Step::Inbox);
    }
    let (full, number) = open_wish(world).ok()?;
    world.collect_mail();
    for letter in std::mem::take(&mut world.mail) {
        calls::deliver(world, first, letter);
    }
    let before = u32::try_from(world.below(5)).unwrap_or(0);
    world.say(format!("pool {first} looks at {full}#{number}, and is held up"));
    world.plan_hold(first, before);
    world.run_step(first, Step::Inbox);
    edit_wish(world, &full, number).ok()?;
    if world.chance(50) {
        let subject = [Subject::Events, Subject::Issue, Subject::Comments][world.below(3)];
        world.hush(subject);
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
        while world.has_held(at) && world.violation.is_none() {
            world.answer_held(at);
        }
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
fn restart(world: &mut World) -> Option<()> {
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

fn everybody_asks(world: &mut World) {
    for who in 0..world.cast.contributors.len() {
        if let (Some(worker), Some(at)) = (world.cast.contributors[who].worker.clone(), one(world)) {
            calls::ask_for_work(world, at, who, &worker);
        }
    }
}

/// A contributor claims and gives back, and the claim arrives again under another id.
fn said_twice(world: &mut World) -> Option<()> {
    let at = one(world)?;
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
        sent.extend(post(world, at));
        world.run_step(at, Step::Inbox);
        world.pass(Span::secs(2));
    }
    let mut letter = world.pick(&sent)?;
    mishaps::rename(world, &mut letter);
    let at = one(world)?;
    calls::deliver(world, at, letter);
    world.run_step(at, Step::Inbox);
    Some(())
}

/// A process dies in the middle of a worker's call, and the worker calls again.
fn repeated(world: &mut World) -> Option<()> {
    let at = one(world)?;
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
    let at = one(world)?;
    world.say(format!("a client repeats {} at pool {at}", again.told()));
    calls::call(world, at, again);
    Some(())
}

/// A maintainer reserves a task for somebody, and everybody asks for work.
fn assigned(world: &mut World) -> Option<()> {
    let at = one(world)?;
    if !world.cast.repos[0].is_served() {
        return None;
    }
    people::open_ready_issue(world, 0)?;
    let repo = world.cast.repos[0].clone();
    let full = world.github.repo_name(repo.id)?;
    let issue = world.github.issues(&full).into_iter().map(|issue| issue.number).max()?;
    let who = world.below(world.cast.contributors.len());
    let text = format!("/owp assign @{}", world.cast.contributors[who].login);
    people::say(world, repo.id, &full, issue, MAINTAINER, &text).ok()?;
    world.say(format!("{MAINTAINER} writes {text:?} on {full}#{issue}"));
    post(world, at);
    for _ in 0..4 {
        world.run_step(at, Step::Inbox);
    }
    everybody_asks(world);
    Some(())
}

/// The label that offers issues gets another name for a day.
fn label_away(world: &mut World) -> Option<()> {
    let at = one(world)?;
    for _ in 0..2 {
        let full = world.github.repo_name(world.cast.repos[0].id).filter(|_| world.cast.repos[0].is_served())?;
        let told = people::rename_label(world, 0, &full).ok()??;
        world.say(told);
        if world.chance(80) {
            post(world, at);
        } else {
            lose_mail(world);
        }
        for hours in [0, 25] {
            world.pass(Span::minutes(hours * 60 + 16));
            for at in world.awake() {
                world.run_loops(at);
            }
        }
    }
    Some(())
}
