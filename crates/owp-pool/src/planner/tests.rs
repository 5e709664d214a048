//! Stories about what plans must do; `properties.rs` has what they must never do.

use super::*;
use crate::Span;
use crate::admission::TaskFacts;
use crate::fixtures::{NOW, repo, task, worker};
use crate::policy::Policy;
use crate::task::Assignee;
use crate::worker::Worker;
use std::collections::BTreeMap;

fn manual(limit: i64, tasks: Vec<TaskFacts>, workers: Vec<Worker>) -> Snapshot {
    let mut facts = repo();
    facts.linked_only = false;
    facts.policy = Policy::manual(limit, true);
    facts.budget.limit = limit;
    let workers = workers
        .into_iter()
        .map(|worker| WorkerFacts { worker, load: Load::default(), standings: BTreeMap::new() })
        .collect();
    Snapshot { repos: BTreeMap::from([(facts.id.clone(), facts)]), tasks, workers }
}

fn with(id: &str, change: impl FnOnce(&mut TaskFacts)) -> TaskFacts {
    let mut facts = task(id);
    change(&mut facts);
    facts
}

fn picked(snapshot: &Snapshot) -> Vec<(String, String)> {
    plan(snapshot, NOW).into_iter().map(|p| (p.worker.to_string(), p.task.to_string())).collect()
}

#[test]
fn the_most_important_task_goes_first_when_slots_are_short() {
    let tasks = vec![with("t_low", |t| t.task.spec.priority = 20), with("t_high", |t| t.task.spec.priority = 80)];
    assert_eq!(picked(&manual(1, tasks, vec![worker("w_1", 1)])), [("w_1".into(), "t_high".into())]);
}

#[test]
fn waiting_long_enough_outranks_importance() {
    let tasks = vec![
        with("t_old", |t| {
            t.task.spec.priority = 20;
            t.task.ready_since = NOW - Span::hours(81);
        }),
        with("t_new", |t| t.task.spec.priority = 100),
    ];
    assert_eq!(picked(&manual(1, tasks, vec![worker("w_1", 1)])), [("w_1".into(), "t_old".into())]);
}

#[test]
fn a_worker_that_can_take_little_is_not_robbed_by_one_that_can_take_anything() {
    let mut eligible = worker("w_able", 1);
    eligible.skills = vec!["go".into(), "rust".into()];
    eligible.max_concurrent = 1;
    let mut narrow = worker("w_narrow", 2);
    narrow.max_concurrent = 1;
    let tasks = vec![
        with("t_1", |t| {
            t.task.spec.skills = vec!["rust".into()];
            t.task.spec.priority = 90;
        }),
        with("t_2", |t| t.task.spec.skills = vec!["go".into()]),
    ];
    let plan = picked(&manual(5, tasks, vec![eligible, narrow]));
    assert_eq!(plan, [("w_narrow".into(), "t_1".into()), ("w_able".into(), "t_2".into())]);
}

#[test]
fn a_plan_never_passes_budget_area_capacity_or_concurrency() {
    let tasks = (0..10)
        .map(|n| {
            with(&format!("t_{n}"), |t| {
                t.task.spec.estimate = 2;
                t.task.spec.area = (n % 2 == 0).then(|| "auth".to_owned());
            })
        })
        .collect();
    let workers = (0..4).map(|n| worker(&format!("w_{n}"), n)).collect();
    let plan = picked(&manual(4, tasks, workers));
    assert_eq!(plan.len(), 4, "the budget is full");
    let in_area = plan.iter().filter(|(_, t)| t[2..].parse::<i64>().unwrap() % 2 == 0).count();
    assert_eq!(in_area, 1, "one holder per area");
}

#[test]
fn a_worker_is_filled_up_to_its_capacity() {
    let tasks = (0..3).map(|n| with(&format!("t_{n}"), |t| t.task.spec.estimate = 2)).collect();
    assert_eq!(picked(&manual(9, tasks, vec![worker("w_1", 1)])).len(), 2, "5 points hold two tasks of 2");
}

#[test]
fn the_same_snapshot_gives_the_same_plan() {
    let tasks: Vec<_> = (0..20).map(|n| with(&format!("t_{n:02}"), |t| t.task.spec.priority = n % 3)).collect();
    let workers: Vec<_> = (0..5).map(|n| worker(&format!("w_{n}"), n)).collect();
    let first = manual(7, tasks.clone(), workers.clone());
    let mut turned = manual(7, tasks, workers);
    turned.tasks.reverse();
    turned.workers.reverse();
    assert_eq!(picked(&first), picked(&turned));
}

#[test]
fn two_small_tasks_beat_a_larger_one_they_outweigh_together() {
    let sized = |id, estimate, priority| {
        with(id, |t| {
            t.task.spec.estimate = estimate;
            t.task.spec.priority = priority;
        })
    };
    let tasks = vec![sized("t_big", 5, 60), sized("t_a", 2, 50), sized("t_b", 3, 50)];
    let plan = picked(&manual(5, tasks, vec![worker("w_1", 1)]));
    assert_eq!(plan.iter().map(|(_, task)| task.as_str()).collect::<Vec<_>>(), ["t_a", "t_b"]);
}

#[test]
fn a_task_moves_to_another_worker_when_that_lets_one_more_in() {
    let mut eligible = worker("w_able", 1);
    eligible.skills = vec!["go".into(), "rust".into()];
    let narrow = worker("w_narrow", 2);
    let skilled = |id, skill: &str, estimate| {
        with(id, |t| {
            t.task.spec.skills = vec![skill.into()];
            t.task.spec.estimate = estimate;
        })
    };
    let tasks =
        vec![skilled("t_1", "rust", 3), skilled("t_2", "go", 3), skilled("t_3", "rust", 2), skilled("t_4", "go", 2)];
    assert_eq!(picked(&manual(9, tasks, vec![eligible, narrow])).len(), 4);
}

#[test]
fn workers_of_equal_fit_are_served_in_turn() {
    let tasks: Vec<_> = (0..4).map(|n| with(&format!("t_{n}"), |_| {})).collect();
    let mut busy = manual(9, tasks, vec![worker("w_1", 1), worker("w_2", 2)]);
    let uses_quota = |plan: &[(String, String)]| plan.iter().filter(|(worker, _)| worker == "w_1").count();
    assert_eq!(uses_quota(&picked(&busy)), 2);
    busy.workers[0].load = Load { points: 2, leases: 0 };
    busy.tasks.truncate(2);
    assert_eq!(uses_quota(&picked(&busy)), 0, "who carries something already waits");
}

#[test]
fn of_equal_workers_the_one_whose_other_skills_are_common_is_used() {
    let mut tasks = vec![with("t_1", |t| t.task.spec.skills = vec!["rust".into()])];
    let (mut rare, mut common) = (worker("w_1", 1), worker("w_2", 2));
    rare.skills = vec!["rust".into(), "zig".into()];
    common.skills = vec!["docs".into(), "rust".into()];
    let mut third = worker("w_3", 3);
    third.skills = vec!["docs".into()];
    third.max_concurrent = 0;
    assert_eq!(picked(&manual(5, tasks.clone(), vec![rare, common, third])), [("w_2".into(), "t_1".into())]);
    tasks.clear();
    assert!(picked(&manual(5, tasks, vec![worker("w_1", 1)])).is_empty());
}

#[test]
fn what_somebody_just_declined_goes_to_somebody_else_or_to_nobody() {
    let refused = with("t_1", |t| t.declined = vec![(WorkerId::new("w_1"), NOW + Span::minutes(5))]);
    let both = manual(5, vec![refused.clone()], vec![worker("w_1", 1), worker("w_2", 2)]);
    assert_eq!(picked(&both), [("w_2".into(), "t_1".into())]);
    let alone = manual(5, vec![refused], vec![worker("w_1", 1)]);
    assert!(picked(&alone).is_empty());
    assert_eq!(plan(&alone, NOW + Span::minutes(5)).len(), 1, "a refusal does not last for ever");
}

#[test]
fn one_person_with_many_clients_has_one_limit() {
    let mut snapshot = manual(9, (0..6).map(|n| with(&format!("t_{n}"), |_| {})).collect(), Vec::new());
    let facts = snapshot.repos.values_mut().next().unwrap();
    facts.policy = Policy::managed();
    let workers = (0..3).map(|n| WorkerFacts {
        worker: worker(&format!("w_{n}"), 7),
        load: Load::default(),
        standings: BTreeMap::new(),
    });
    snapshot.workers = workers.collect();
    assert_eq!(picked(&snapshot).len(), 1, "newcomers hold one thing at a time");
}

#[test]
fn a_limit_per_person_that_one_repository_sets_is_used_up_by_work_in_others() {
    let mut snapshot = manual(9, Vec::new(), Vec::new());
    let mut strict = snapshot.repos.values().next().unwrap().clone();
    strict.policy = Policy::managed();
    let mut lenient = strict.clone();
    lenient.id = crate::RepoId::new("r_2");
    for (repo, per_person) in [(&mut strict, 1), (&mut lenient, 4)] {
        let claims = repo.policy.claims.as_mut().unwrap();
        (claims.newcomer, claims.newcomers_total, claims.per_person) = (9, 9, per_person);
    }
    let ids = (strict.id.clone(), lenient.id.clone());
    let tasks = (0..4).map(|n| {
        with(&format!("t_{n}"), |facts| {
            facts.task.repo = if n == 0 { ids.0.clone() } else { ids.1.clone() };
            facts.task.spec.priority = 90 - n;
        })
    });
    snapshot.tasks = tasks.collect();
    snapshot.repos = BTreeMap::from([(ids.0, strict), (ids.1, lenient)]);
    let one = Worker { capacity: 20, max_concurrent: 4, ..worker("w_0", 7) };
    let one = WorkerFacts { worker: one, load: Load::default(), standings: BTreeMap::new() };
    snapshot.workers = vec![one];
    let tasks: Vec<String> = picked(&snapshot).into_iter().map(|(_, task)| task).collect();
    assert_eq!(tasks, ["t_0", "t_1", "t_2", "t_3"], "the strict one first, while nothing else is held");
}

#[test]
fn a_plan_looks_at_no_more_alike_tasks_than_could_be_granted() {
    let tasks: Vec<_> = (0..500).map(|n| with(&format!("t_{n:03}"), |t| t.task.spec.priority = n % 90)).collect();
    let snapshot = manual(3, tasks, vec![worker("w_1", 1), worker("w_2", 2)]);
    assert_eq!(candidates(&snapshot, NOW).len(), 3);
    let leases = snapshot.workers.iter().map(|entry| entry.worker.free_leases(entry.load)).sum();
    assert_eq!(useful_per_class(9, leases), 4, "two workers with room for two");
    assert_eq!(useful_per_class(3, leases), 3);
}

#[test]
fn of_many_tasks_assigned_to_one_person_a_plan_looks_at_as_many_as_they_could_hold() {
    let of = |n: usize, id| {
        with(&format!("t_{n:03}"), |t| t.task.assigned_to = vec![Assignee { id, login: format!("user{id}") }])
    };
    let tasks: Vec<_> = (0..400).map(|n| of(n, if n < 200 { 1 } else { 3 })).collect();
    let snapshot = manual(9, tasks, vec![worker("w_1", 1), worker("w_2", 2)]);
    assert_eq!(candidates(&snapshot, NOW).len(), 2, "those of the one who asks");
    assert_eq!(picked(&snapshot), [("w_1".into(), "t_000".into()), ("w_1".into(), "t_001".into())]);
}

/// Small, fresh, urgent tasks arrive faster than they can be done, while a large task of priority 0 waits.
#[test]
fn a_large_unimportant_task_is_granted_in_the_end_whatever_arrives() {
    let small = |n: usize, now| {
        with(&format!("t_small{n}"), |t| {
            t.task.spec.priority = 1000;
            t.task.ready_since = now;
        })
    };
    let large = with("t_large", |t| {
        t.task.spec.estimate = 5;
        t.task.spec.priority = 0;
    });
    let mut eligible = worker("w_1", 1);
    eligible.max_concurrent = 9;
    let granted_after = (0..2_500).step_by(20).find(|&hours| {
        let now = NOW + Span::hours(hours);
        let mut tasks: Vec<_> = (0..5).map(|n| small(n, now)).collect();
        tasks.push(large.clone());
        plan(&manual(9, tasks, vec![eligible.clone()]), now).iter().any(|assignment| assignment.task == large.task.id)
    });
    assert!(granted_after.is_some_and(|hours| (1_000..1_700).contains(&hours)), "{granted_after:?}");
}
