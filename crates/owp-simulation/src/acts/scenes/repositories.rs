//! Scenes about what GitHub shows: repositories that blink, and things that are hidden.

use super::comments::ask;
use super::{SETTLED, hear, lose_mail, post};
use crate::acts::people;
use crate::face::{Subject, Wrong};
use crate::process::Step;
use crate::world::World;
use owp_pool::Span;

/// Why a repository is not served that GitHub does not show.
const UNSEEN: &str = "the App may not see the repository any more";

/// The App loses a repository for some minutes, in which nobody hears of it, while an answer waits to be written.
pub(super) fn blink(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    ask(world, at)?;
    let repo = world.cast.repos[0].clone();
    let (full, installation) = (world.github.repo_name(repo.id)?, world.cast.installation);
    world.say(format!("the App loses {full} for some minutes"));
    world.github.change_installation(installation, &[], &[&full]).ok()?;
    world.cast.repos[0].away_at = world.now();
    world.cast.repos[0].installed = false;
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
    world.cast.repos[0].installed = true;
    world.cast.repos[0].back_at = world.now();
    world.say(format!("the App has {full} again"));
    if world.chance(50) {
        lose_mail(world);
        comes_back(world, repo.id);
    }
    Some(())
}

/// A repository that the pool could not see for some minutes is served again soon, although nobody told the pool. (One
/// that it was told of is back with the hourly list.)
fn comes_back(world: &mut World, repo: u64) {
    let (weather, silence) = (world.cast.weather, world.cast.silence);
    (world.cast.weather, world.cast.silence) = ((0, 0), 0);
    world.github.set_down(false);
    let is_away = |world: &World| {
        let mut rows = world.checks.last().repos.iter();
        rows.any(|row| row.github() == Some(repo) && row.inactive.as_deref() == Some(UNSEEN))
    };
    // What a process that died held is taken over within ten minutes.
    for _ in 0..20 {
        if !is_away(world) || world.violation.is_some() || world.awake().is_empty() {
            break;
        }
        world.pass(Span::secs(61));
        for at in world.awake() {
            world.answer_all_held(at);
            world.run_step(at, Step::Sync);
        }
    }
    if is_away(world) && !world.awake().is_empty() && world.skew == 0 {
        world.violate("repositories come back", format!("the repository {repo} is not served, although it is back"));
    }
    (world.cast.weather, world.cast.silence) = (weather, silence);
}

/// Something happens that nobody delivers, and GitHub does not show it when a process looks.
pub(super) fn hidden(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
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
    match world.below(5) {
        0..=2 => lose_mail(world),
        3 => {
            world.say("deliveries are late");
            world.pass(Span::minutes(16));
        }
        _ => {}
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

/// GitHub shows a pull request neither in its list nor by itself, once; or it is closed, and nobody hears of it.
pub(super) fn hidden_pull(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
    let full = world.github.repo_name(world.cast.repos[0].id).filter(|_| world.cast.repos[0].is_served())?;
    if world.chance(50) || !world.github.pulls(&full).iter().any(|pull| pull.open) {
        let told = people::open_pull(world, &full).ok()??;
        world.say(told);
    }
    hear(world, at);
    world.pass(Span::minutes(6));
    world.run_step(at, Step::Sync);
    if world.chance(50) {
        let told = people::follow_pull(world, &full).ok()??;
        world.say(told);
        lose_mail(world);
    } else {
        world.spoil(Subject::Pulls, Wrong::OtherPage);
        let status = [404, 410][world.below(2)];
        world.spoil(Subject::Pull, Wrong::Status(status));
    }
    for minutes in [3, 6, 16] {
        world.pass(Span::minutes(minutes));
        world.run_loops(at);
    }
    Some(())
}

/// The label that offers issues gets another name for a day.
pub(super) fn label_away(world: &mut World) -> Option<()> {
    let at = world.one_awake()?;
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
