//! Tests that each admission rule refuses alone, with the right message.

use super::*;
use crate::budget::CountState;
use crate::claims::newcomers_left;
use crate::fixtures::{NOW, answer, repo, task, worker};
use crate::policy::ClaimLimits;
use crate::reputation::{OutcomeKind, Reputation};
use crate::task::{Assignee, Reservation};
use crate::{Person, Span, WorkerId};

struct World {
    task: TaskFacts,
    repo: RepoFacts,
    worker: Worker,
    load: Load,
    standing: Standing,
}

fn fine() -> World {
    World {
        task: task("t_1"),
        repo: repo(),
        worker: worker("w_1", 1),
        load: Load::default(),
        standing: Standing::default(),
    }
}

fn refusals_of(world: &World) -> Vec<Refusal> {
    refusals(&Case {
        task: &world.task,
        repo: &world.repo,
        worker: &world.worker,
        load: world.load,
        standing: &world.standing,
        now: NOW,
    })
}

fn holder() -> Holder {
    Holder { name: "grace".into(), until: Some(NOW + Span::hours(1)) }
}

#[test]
fn nothing_stands_in_the_way_of_a_willing_worker_and_a_ready_task() {
    assert_eq!(refusals_of(&fine()), vec![]);
}

/// Breaks exactly one rule.
fn break_rule(rule: Rule, w: &mut World) {
    match rule {
        Rule::TaskState => {
            w.task.task.state = TaskState::Leased;
            w.task.holder = Some(holder());
        }
        Rule::Approval => w.task.task.hold = Some("edited after approval".into()),
        Rule::Reservation => {
            w.task.task.reservation = Some(Reservation { person: Person::GitHub(2), until: NOW + Span::hours(1) });
        }
        Rule::Assigned => w.task.task.assigned_to = vec![Assignee { id: 9, login: "grace".into() }],
        Rule::OpenPull => w.task.answers = vec![answer(12, 2)],
        Rule::RepoActive => w.repo.stop = Some(Inactivity { why: "the App is suspended".into(), until: None }),
        Rule::CountKnown => w.repo.budget.count = CountState::Never,
        Rule::Budget => w.repo.budget.open_pulls = 5,
        Rule::AreaLock => {
            w.task.task.spec.area = Some("auth".into());
            w.repo.areas.insert("auth".into(), holder());
        }
        Rule::WorkerStatus => w.worker.status = WorkerStatus::Paused,
        Rule::Linked => w.worker.person = Person::Unlinked(WorkerId::new("w_1")),
        Rule::Human => w.worker.is_bot = true,
        Rule::Visibility => w.repo.private = true,
        Rule::JoinFirst => {
            w.worker.joined = false;
            w.repo.policy.claims = Some(ClaimLimits { join_first: true, ..ClaimLimits::DEFAULT });
        }
        Rule::Banned => w.standing.trust = super::super::worker::BANNED,
        Rule::Skills => w.task.task.spec.skills = vec!["go".into(), "rust".into()],
        Rule::Tier => w.task.task.spec.tier = 1,
        Rule::Lane => {
            let areas = Some(vec!["docs".to_owned(), "tests".to_owned()]);
            w.repo.policy.lanes = vec![Lane { trust: Some(0), areas, tier: Some(1), ..Lane::default() }];
        }
        Rule::Capacity => w.task.task.spec.estimate = 6,
        Rule::Concurrency => w.load.leases = 2,
        Rule::PersonCap => w.standing.live = 1,
        Rule::NewcomersTotal => {
            w.repo.newcomers = vec![holder(), Holder { name: "bo".into(), until: Some(NOW + Span::hours(2)) }];
        }
        Rule::Declined => w.task.declined = vec![(w.worker.id.clone(), NOW + Span::hours(1))],
        Rule::Cooldown => w.standing.last_lapse = Some(NOW - Span::hours(23)),
    }
}

#[test]
fn every_rule_refuses_alone_and_in_its_own_name() {
    for rule in Rule::ALL {
        let mut world = fine();
        break_rule(rule, &mut world);
        let broken: Vec<_> = refusals_of(&world).into_iter().map(|r| r.rule).collect();
        assert_eq!(broken, vec![rule]);
    }
}

#[test]
fn refusals_read_well() {
    let said: Vec<String> = Rule::ALL
        .into_iter()
        .map(|rule| {
            let mut world = fine();
            break_rule(rule, &mut world);
            refusals_of(&world)[0].to_string()
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    The task is taken; it is free again when the lease ends. Held by grace. Try again after 14 Nov 2023, 23:13 UTC. (now leased, needed ready) [task_state]
    The task waits for a maintainer: edited after approval. A maintainer can approve it with `/owp approve`, or by setting the label again. [approval]
    The task is reserved for another contributor until 14 Nov 2023, 23:13 UTC. [reservation]
    The issue is assigned to grace on GitHub; the task is free when nobody is assigned. [assigned]
    Pull request #12 by user2 is open and names the issue; the task is free again when it is closed. [open_pull]
    acme/rocket hands out nothing at the moment: the App is suspended. [repo_active]
    The pool has not counted this repository's open pull requests yet, so it hands out nothing; it is counting now. [count_known]
    All 5 review slots are taken (limit from the policy file): 5 open pull requests. A slot is free again when a pull request is merged or closed, or a lease ends. (now 5, limit 5) [budget]
    The area `auth` is locked: it has one holder at a time. Held by grace. Try again after 14 Nov 2023, 23:13 UTC. (now 1, limit 1) [area_lock]
    The worker is paused. Run `owp worker resume`, or set `paused` to false with `PATCH /v1/workers/me`. (now paused, needed idle or working) [worker_status]
    The worker is not linked to a GitHub account. Run `owp worker link` for a code, then comment `/owp link CODE` on an issue you take part in. [linked]
    Only people can claim tasks; this account is a bot. [human]
    The repository is private, and GitHub has not confirmed recently that you may read it. The pool asks again within ten minutes. [visibility]
    A maintainer of this repository has banned this account from its pool. [banned]
    This repository asks contributors to introduce themselves first: comment `/owp join skills:a,b` with the skills you have. [join_first]
    This task needs the skill `go`. If you have it, add it: comment `/owp join skills:rust,go`, or run `owp worker set --add-skill go`. (now rust, needed go, rust) [skills]
    The task is of risk tier 1; a maintainer can comment `/owp trust @user1 1`. (now trust 0, needed trust 1) [tier]
    With trust 0 you may take only some tasks here; a maintainer can comment `/owp trust`. (now no area, tier 0, estimate 1, needed areas docs, tests, tier up to 1) [lane]
    The task's 6 points do not fit: 0 of the 5 points you take on at once are in use. Change the number with `/owp join capacity:N`, or with `owp worker set --capacity N`. (now 6, limit 5) [capacity]
    You hold as many tasks as you take on at once. Change the number with `/owp join concurrent:N`, or with `owp worker set --concurrent N`. (now 2, limit 2) [concurrency]
    Until your first pull request is merged here you can hold one task at a time. Tasks under review and blocked tasks do not count. (now 1, limit 1) [person_cap]
    Contributors without a merged pull request here share a limit, and it is reached. Tasks under review and blocked tasks do not count. Held by bo and grace. Try again after 14 Nov 2023, 23:13 UTC. (now 2, limit 2) [newcomers_total]
    Your time for a task here ran out without a pull request; you may claim again after 14 Nov 2023, 23:13 UTC. [cooldown]
    Your worker declined this task, gave it back or lost it less than an hour ago, so others are asked first. Try again after 14 Nov 2023, 23:13 UTC. [declined]
    "#);
}

#[test]
fn all_reasons_are_given_not_only_the_first() {
    let mut world = fine();
    break_rule(Rule::Skills, &mut world);
    break_rule(Rule::Budget, &mut world);
    assert_eq!(refusals_of(&world).len(), 2);
}

#[test]
fn the_findings_name_every_rule_once_whether_it_holds_or_not() {
    let mut world = fine();
    break_rule(Rule::Budget, &mut world);
    let (task, repo, worker, standing) = (&world.task, &world.repo, &world.worker, &world.standing);
    let found = findings(&Case { task, repo, worker, load: world.load, standing, now: NOW });
    assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), Rule::ALL);
    let broken: Vec<_> = found.iter().filter(|f| f.refusal.is_some()).map(|f| f.rule).collect();
    assert_eq!(broken, [Rule::Budget]);
}

#[test]
fn trust_or_a_record_opens_a_tier() {
    let mut world = fine();
    world.task.task.spec.tier = 2;
    assert_eq!(refusals_of(&world)[0].rule, Rule::Tier);
    world.standing = Standing { trust: 2, ..Standing::default() };
    assert_eq!(refusals_of(&world), vec![]);
    let with = |merges, lapses| {
        let merged = [(OutcomeKind::Merged, NOW)].repeat(merges);
        let lapsed = [(OutcomeKind::Expired, NOW)].repeat(lapses);
        let reputation = Some(Reputation::of(&[merged, lapsed].concat(), NOW));
        Standing { merged: i64::try_from(merges).unwrap(), reputation, ..Standing::default() }
    };
    world.standing = with(5, 0);
    assert_eq!(refusals_of(&world), vec![]);
    world.standing = with(5, 2);
    let refusal = &refusals_of(&world)[0];
    assert_eq!(
        refusal.to_string(),
        "The task is of risk tier 2; a maintainer can comment `/owp trust @user1 2`, or it opens with your record here: 5 merged (5.00 after decay), 2 expired (2.00 after decay). (now trust 0, 5 merged, reputation 0.68, needed trust 2, or 5 merged and reputation 0.80) [tier]"
    );
    world.standing = with(4, 0);
    assert_eq!(refusals_of(&world)[0].rule, Rule::Tier, "too few, however good");
    // A contributor who did not ask for a score has none.
    world.standing = Standing { merged: 50, ..Standing::default() };
    assert!(refusals_of(&world)[0].message.contains("`/owp join reputation:on`"));
}

#[test]
fn a_blocked_task_is_open_to_the_person_it_is_reserved_for() {
    let mut world = fine();
    world.task.task.state = TaskState::Blocked;
    assert_eq!(refusals_of(&world)[0].rule, Rule::TaskState);
    world.task.task.reservation = Some(Reservation { person: Person::GitHub(1), until: NOW + Span::hours(1) });
    assert_eq!(refusals_of(&world), vec![]);
}

#[test]
fn newcomers_share_a_limit_that_a_first_merge_lifts_and_trust_does_not() {
    let mut world = fine();
    world.repo.newcomers = vec![holder()];
    assert_eq!(newcomers_left(&world.repo), Some(1));
    assert_eq!(refusals_of(&world), vec![]);
    world.repo.newcomers.push(holder());
    world.standing.trust = 3;
    let refusal = &refusals_of(&world)[0];
    assert_eq!((refusal.rule, refusal.holder.as_deref()), (Rule::NewcomersTotal, Some("grace")));
    world.standing = Standing { merged: 1, ..Standing::default() };
    assert_eq!(refusals_of(&world), vec![]);
    world.standing = Standing::default();
    world.repo.newcomers.clear();
    world.repo.policy.claims.as_mut().unwrap().newcomers_total = 0;
    let refusal = &refusals_of(&world)[0];
    assert_eq!((refusal.rule, refusal.holder.as_deref()), (Rule::NewcomersTotal, None));
}

#[test]
fn manual_repositories_know_no_claim_limits_and_serve_unlinked_workers() {
    let mut world = fine();
    world.repo.linked_only = false;
    world.repo.policy = Policy::manual(3, true);
    world.worker.person = Person::Unlinked(WorkerId::new("w_1"));
    world.standing = Standing { live: 9, last_lapse: Some(NOW), ..Standing::default() };
    world.task.task.spec.tier = 3;
    assert_eq!(refusals_of(&world), vec![]);
}

#[test]
fn the_author_of_an_open_pull_request_may_claim_its_task_without_a_further_slot() {
    let mut world = fine();
    break_rule(Rule::Budget, &mut world);
    world.task.answers = vec![answer(12, 1)];
    assert_eq!(refusals_of(&world), vec![], "the pull request has the slot");
    world.task.answers[0].counts = false;
    assert_eq!(refusals_of(&world).iter().map(|r| r.rule).collect::<Vec<_>>(), [Rule::Budget]);
    world.task.answers = vec![answer(12, 1)];
    world.repo.budget.limit = 0;
    assert_eq!(refusals_of(&world)[0].rule, Rule::Budget, "a budget of 0 hands out nothing");
    break_rule(Rule::OpenPull, &mut world);
    assert_eq!(refusals_of(&world)[0].rule, Rule::OpenPull, "somebody else's");
    world.task.answers[0].keeps = false;
    assert_eq!(refusals_of(&world)[0].rule, Rule::Budget, "a draft keeps nobody away");
}

#[test]
fn a_task_taken_from_somebody_is_not_theirs_to_claim_until_the_time_is_over_or_it_is_reserved_for_them() {
    let mut world = fine();
    let person = world.worker.person.clone();
    world.task.barred = vec![(Person::GitHub(77), NOW + Span::hours(9)), (person.clone(), NOW + Span::hours(2))];
    let refusal = refusals_of(&world).remove(0);
    assert_eq!((refusal.rule, refusal.retry_at), (Rule::Cooldown, Some(NOW + Span::hours(2))));
    world.task.task.reservation = Some(Reservation { person: person.clone(), until: NOW + Span::days(3) });
    assert_eq!(refusals_of(&world), vec![]);
    world.task.task.reservation = None;
    world.task.barred = vec![(person, NOW)];
    assert_eq!(refusals_of(&world), vec![]);
}

#[test]
fn three_tasks_given_back_in_an_hour_make_the_next_claim_wait_as_long_as_the_policy_allows() {
    let mut world = fine();
    let ago = |minutes| NOW - Span::minutes(minutes);
    world.standing.releases = vec![ago(20), ago(30), ago(40)];
    let refusal = refusals_of(&world).remove(0);
    assert_eq!((refusal.rule, refusal.retry_at), (Rule::Cooldown, Some(ago(20) + Span::hours(1))));
    assert!(refusal.message.contains("You gave back 3 tasks here within an hour"), "{}", refusal.message);
    world.repo.policy.claims = Some(ClaimLimits { cooldown: Span::minutes(20), ..ClaimLimits::DEFAULT });
    assert_eq!(refusals_of(&world), vec![]);
    world.repo.policy.claims = Some(ClaimLimits { cooldown: Span::minutes(21), ..ClaimLimits::DEFAULT });
    assert_eq!(refusals_of(&world).len(), 1);
    world.repo.policy.claims = None;
    assert_eq!(refusals_of(&world), vec![]);
}
