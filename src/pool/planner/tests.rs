//! What plans must do, in small stories; what they must never do stands in `properties.rs`.

use super::*;
use crate::pool::admission::TaskFacts;
use crate::pool::fixtures::{NOW, repo, task, worker};
use crate::pool::policy::Policy;
use crate::pool::worker::Worker;
use crate::pool::{Rule, Span};
use std::collections::BTreeMap;

fn manual(limit: i64, tasks: Vec<TaskFacts>, workers: Vec<Worker>) -> Snapshot {
    let mut facts = repo();
    facts.linked_only = false;
    facts.policy = Policy::manual(limit, true);
    facts.budget.limit = limit;
    let askers = workers
        .into_iter()
        .map(|worker| Asker { worker, load: Load::default(), standings: BTreeMap::new() })
        .collect();
    Snapshot { repos: BTreeMap::from([(facts.id.clone(), facts)]), tasks, askers }
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
    let mut able = worker("w_able", 1);
    able.skills = vec!["go".into(), "rust".into()];
    able.max_concurrent = 1;
    let mut narrow = worker("w_narrow", 2);
    narrow.max_concurrent = 1;
    let tasks = vec![
        with("t_1", |t| {
            t.task.spec.skills = vec!["rust".into()];
            t.task.spec.priority = 90;
        }),
        with("t_2", |t| t.task.spec.skills = vec!["go".into()]),
    ];
    let plan = picked(&manual(5, tasks, vec![able, narrow]));
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
    turned.askers.reverse();
    assert_eq!(picked(&first), picked(&turned));
}
