//! Tie-breaking: selects, among plans of equal score, the one that the tie rules prefer.

use super::improve;
use super::partial_plan::{PartialPlan, Placement};

/// Maximum number of rounds of moves between workers; each improves the plan by the tie rules.
const ROUNDS: usize = 8;

/// Moves grants to the workers the tie rules prefer, and uses what that makes possible.
pub(super) fn break_ties(plan: &mut PartialPlan<'_>) {
    oldest_first(plan);
    for _ in 0..ROUNDS {
        let moved = reassign(plan);
        if !improve::polish(plan) && !moved {
            break;
        }
    }
    oldest_first(plan);
}

/// Moves the grants of a group to its first tasks, which have the same requirements and score no less.
fn oldest_first(plan: &mut PartialPlan<'_>) {
    for group in &plan.model.groups {
        let granted: Vec<usize> =
            group.iter().copied().filter(|&candidate| plan.worker_of(candidate).is_some()).collect();
        if granted.iter().zip(group).all(|(a, b)| a == b) {
            continue;
        }
        let workers: Vec<usize> = granted.iter().filter_map(|&candidate| plan.worker_of(candidate)).collect();
        for candidate in granted {
            plan.unassign(candidate);
        }
        for (&candidate, worker) in group.iter().zip(workers) {
            plan.put(candidate, worker);
        }
    }
}

/// Moves each grant once to the worker greedy would prefer now; returns true when one moved.
fn reassign(plan: &mut PartialPlan<'_>) -> bool {
    let mut moved = false;
    for candidate in 0..plan.model.candidates.len() {
        let Some(worker) = plan.worker_of(candidate) else { continue };
        let mark = plan.mark();
        plan.unassign(candidate);
        let better = plan.choose(candidate, Placement::Fair).filter(|other| {
            *other != worker && plan.preference(*other, Placement::Fair) < plan.preference(worker, Placement::Fair)
        });
        match better {
            Some(other) => plan.assign(candidate, other),
            None => plan.rollback(mark),
        }
        moved |= better.is_some();
    }
    moved
}
