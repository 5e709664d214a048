//! Ruin and recreate: removes some grants, refills in another order, and keeps a plan that is better, or at first
//! slightly worse. Effort is counted in evaluations and the random numbers are seeded, so plans are reproducible.

use super::improve;
use super::model::{NONE, Score};
use super::partial_plan::{PartialPlan, Placement};
use super::starts::{fill, orders};

/// Limit on evaluations: a base, plus an amount for each worker and each candidate.
const EVALUATIONS_BASE: u64 = 60_000;
const EVALUATIONS_EACH: u64 = 500;
const EVALUATIONS_MAX: u64 = 2_000_000;

/// Improves the plan as far as the effort allows; afterwards no single swap raises it.
pub(super) fn explore(plan: &mut PartialPlan<'_>) {
    let bound = improve::upper_bound(plan.model);
    if plan.score() < bound {
        search(plan, bound);
    }
    improve::polish(plan);
}

fn search(plan: &mut PartialPlan<'_>, bound: Score) {
    let orders = orders(plan.model);
    let size = (plan.model.workers.len() + plan.model.candidates.len()) as u64;
    let effort = (EVALUATIONS_BASE + EVALUATIONS_EACH * size).min(EVALUATIONS_MAX);
    let scan = plan.model.candidates.len() as u64 / 4 + 8;
    let mut rng = SplitMix64(0x5eed);
    let (mut best, mut best_score) = (plan.saved(), plan.score());
    let placed =
        (0..plan.model.candidates.len()).filter(|&candidate| plan.worker_of(candidate).is_some()).count().max(1);
    let temperature = best_score / Score::try_from(placed).unwrap_or(1) / 2;
    plan.evaluations = 0;
    while plan.evaluations < effort && best_score < bound {
        let (before, mark) = (plan.score(), plan.mark());
        ruin(plan, &mut rng);
        let order = &orders[rng.below(orders.len())];
        let placement = [Placement::Fair, Placement::BestFit, Placement::WorstFit][rng.below(3)];
        fill(plan, order, placement, || rng.below(16) == 0);
        plan.evaluations += scan;
        let left = Score::from(effort.saturating_sub(plan.evaluations)) * 1024 / Score::from(effort);
        let allowance = temperature * left / 1024 * rng.below(1024) as Score / 1024 * left / 1024;
        if plan.score() + allowance < before {
            plan.rollback(mark);
        }
        if plan.score() > best_score {
            (best, best_score) = (plan.saved(), plan.score());
        }
    }
    plan.restore(&best);
}

fn ruin(plan: &mut PartialPlan<'_>, rng: &mut SplitMix64) {
    match rng.below(4) {
        0 => ruin_some(plan, rng),
        1 => ruin_repo(plan, rng),
        2 => ruin_workers(plan, rng),
        _ => ruin_for(plan, rng),
    }
}

/// Removes a few grants anywhere.
fn ruin_some(plan: &mut PartialPlan<'_>, rng: &mut SplitMix64) {
    for _ in 0..2 + rng.below(5) {
        let worker = rng.below(plan.model.workers.len());
        if let Some(&candidate) = rng.choose(plan.held(worker)) {
            plan.unassign(candidate);
        }
    }
}

/// Removes some grants of one repository.
fn ruin_repo(plan: &mut PartialPlan<'_>, rng: &mut SplitMix64) {
    let repo = rng.below(plan.model.slots.len());
    for _ in 0..1 + rng.below(6) {
        if let Some(&candidate) = rng.choose(plan.granted(repo)) {
            plan.unassign(candidate);
        }
    }
}

/// Removes all grants of a few workers that could take the same tasks.
fn ruin_workers(plan: &mut PartialPlan<'_>, rng: &mut SplitMix64) {
    let class = rng.below(plan.model.eligible.len());
    let eligible: Vec<usize> = plan.model.eligible[class].iter().collect();
    for _ in 0..2 + rng.below(2) {
        if let Some(&worker) = rng.choose(&eligible) {
            unassign_all(plan, worker);
        }
    }
}

/// Removes what blocks one left-out task at one worker, and places the task there.
fn ruin_for(plan: &mut PartialPlan<'_>, rng: &mut SplitMix64) {
    let model = plan.model;
    let left_out: Vec<usize> =
        (0..model.candidates.len()).filter(|&candidate| plan.worker_of(candidate).is_none()).collect();
    let Some(&candidate) = rng.choose(&left_out) else { return };
    let eligible: Vec<usize> =
        model.eligible(candidate).iter().filter(|&worker| model.could_take(worker, candidate)).collect();
    let Some(&worker) = rng.choose(&eligible) else { return };
    unassign_all(plan, worker);
    let it = &model.candidates[candidate];
    if it.area != NONE && plan.holder(it.area) != NONE {
        plan.unassign(plan.holder(it.area));
    }
    for _ in 0..1 + rng.below(2) {
        if let Some(&other) = rng.choose(plan.granted(it.repo)) {
            plan.unassign(other);
        }
    }
    if plan.fits(candidate, worker) {
        plan.assign(candidate, worker);
    }
}

fn unassign_all(plan: &mut PartialPlan<'_>, worker: usize) {
    while let Some(&candidate) = plan.held(worker).last() {
        plan.unassign(candidate);
    }
}

/// Deterministic pseudo-random numbers (splitmix64).
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`; 0 when `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn choose<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.below(among.len()))
    }
}
