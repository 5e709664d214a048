//! The beginning of every history: two repositories with the App, two contributors with linked workers, some issues.

use super::{Contributor, Repo, calls, people, policies};
use crate::process::Step;
use crate::world::World;
use owp_sandbox::Role;

pub(crate) const MAINTAINER: &str = "mona";
pub(crate) const TRIAGER: &str = "tri";
pub(crate) const STRANGER: &str = "eve";
/// A mark in everything that belongs to the private repository.
pub(crate) const SECRET: &str = "zqvault";

pub(crate) fn set(world: &mut World) {
    let rocket = world.github.add_repo("acme/rocket").expect("the name is free");
    let vault = world.github.add_repo(&format!("acme/{SECRET}")).expect("the name is free");
    for login in [MAINTAINER, TRIAGER, STRANGER, "ada", "bo", "cy"] {
        world.github.add_user(login);
    }
    let names = ["acme/rocket".to_owned(), format!("acme/{SECRET}")];
    for name in &names {
        world.github.add_collaborator(name, MAINTAINER, Role::Admin).expect("the repository exists");
        world.github.add_collaborator(name, TRIAGER, Role::Triage).expect("the repository exists");
    }
    world.github.add_collaborator(&names[1], "ada", Role::Read).expect("the repository exists");
    world.github.as_user(MAINTAINER).set_private(&names[1], true).expect("a maintainer may");
    world.cast.repos = [(rocket, false), (vault, true)]
        .map(|(id, secret)| Repo {
            id,
            label: "pool:ready".to_owned(),
            secret,
            installed: true,
            archived: false,
            label_at: 0,
            away_at: 0,
            back_at: 0,
            policy: None,
        })
        .to_vec();
    world.cast.contributors =
        ["ada", "bo", "cy"].map(|login| Contributor { login: login.to_owned(), worker: None, code: None }).to_vec();
    for name in &names {
        let (policy, budget) = policies::useful(world);
        world.github.set_file(name, ".github/owp.yml", policy).expect("the repository exists");
        if let Some(repo) =
            world.cast.repos.iter_mut().find(|repo| world.github.repo_name(repo.id).as_ref() == Some(name))
        {
            repo.policy = Some((true, budget));
        }
    }
    world.cast.installation = world.github.install(&[&names[0], &names[1]]).expect("the repositories exist");
    world.github.take_deliveries();
    let processes = match world.below(10) {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    for _ in 0..processes {
        world.add_slot();
    }
    for at in 0..processes {
        world.start(at);
    }
    world.run_step(0, Step::Installations);
    world.run_loops(0);
    for repo in [0, 0, 1] {
        people::open_ready_issue(world, repo);
    }
    for who in 0..2 {
        calls::register(world, who, 0);
        people::link(world, who);
    }
    world.collect_mail();
    while !world.mail.is_empty() && world.violation.is_none() {
        let letter = world.mail.remove(0);
        calls::deliver(world, 0, letter);
    }
    world.run_loops(0);
    world.cast.weather = [(2, 4), (4, 9), (4, 9), (6, 20), (12, 35)][world.below(5)];
    world.cast.silence = [1, 3, 3, 8][world.below(4)];
    world.say("the stage is set");
}
