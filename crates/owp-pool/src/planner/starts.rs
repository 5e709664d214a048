//! First plans: greedy in several orders, keeping the best.

use super::improve;
use super::model::{Model, Score};
use super::partial_plan::{PartialPlan, Placement};
use std::cmp::Reverse;

/// Plans greedily: the most valuable task first, to the worker the tie rules prefer.
pub(super) fn greedy(plan: &mut PartialPlan<'_>) {
    let order: Vec<usize> = (0..plan.model.candidates.len()).collect();
    fill(plan, &order, Placement::Fair, || false);
}

/// Leaves the best first plan in `plan`, after local search on each.
pub(super) fn best_start(plan: &mut PartialPlan<'_>) {
    let mut best = plan.saved();
    let mut score = 0;
    for order in orders(plan.model) {
        for placement in [Placement::Fair, Placement::BestFit, Placement::WorstFit] {
            plan.clear();
            fill(plan, &order, placement, || false);
            improve::polish(plan);
            if plan.score() > score {
                (best, score) = (plan.saved(), plan.score());
            }
        }
        if score == improve::upper_bound(plan.model) {
            break;
        }
    }
    plan.restore(&best);
}

/// Returns the orders in which tasks are tried.
pub(super) fn orders(model: &Model<'_>) -> Vec<Vec<usize>> {
    let by = |cost: &dyn Fn(usize) -> i64| {
        let mut order: Vec<usize> = (0..model.candidates.len()).collect();
        order
            .sort_by_key(|&candidate| Reverse(model.candidates[candidate].score / Score::from(cost(candidate).max(1))));
        order
    };
    let feasible_workers: Vec<i64> =
        model.eligible.iter().map(|eligible| i64::try_from(eligible.iter().count()).unwrap_or(i64::MAX)).collect();
    let estimate = |candidate: usize| model.candidates[candidate].estimate;
    let rare = |candidate: usize| feasible_workers[model.candidates[candidate].class];
    vec![
        by(&|_| 1),
        // Costs are scaled up, so that integer roots keep some precision.
        by(&|candidate| (estimate(candidate) * 256).isqrt()),
        by(&estimate),
        by(&|candidate| (rare(candidate) * 256).isqrt().isqrt()),
    ]
}

/// Places what fits in `order`, except what `skip` leaves out. Once a task finds no worker, its group is skipped.
pub(super) fn fill(plan: &mut PartialPlan<'_>, order: &[usize], placement: Placement, mut skip: impl FnMut() -> bool) {
    let mut stuck = vec![false; plan.model.groups.len()];
    for &candidate in order {
        let group = plan.model.candidates[candidate].group;
        if stuck[group] || plan.worker_of(candidate).is_some() || skip() {
            continue;
        }
        match plan.choose(candidate, placement) {
            Some(worker) => plan.assign(candidate, worker),
            None => stuck[group] = true,
        }
    }
}
