//! Local search: raises a plan until no insertion, swap, swap with a move, or forced entry raises it further.
//!
//! Every step raises the score, which is bounded, so the search ends without a limit on effort. `force` places a task
//! that outweighs all it would displace; the bound of [`super::aging`] depends on that.

use super::model::{Model, NONE, OVERALL, Score};
use super::partial_plan::{Obstacles, PartialPlan, Placement};
use super::starts::fill;

/// Raises the plan as far as single steps go; returns true when its score rose.
pub(super) fn polish(plan: &mut PartialPlan<'_>) -> bool {
    let before = plan.score();
    let order: Vec<usize> = (0..plan.model.candidates.len()).collect();
    loop {
        fill(plan, &order, Placement::Fair, || false);
        let mut changed = false;
        for group in 0..plan.model.groups.len() {
            changed |= insert_best(plan, group);
        }
        if !changed {
            return plan.score() > before;
        }
    }
}

/// Returns an upper bound on the score of any plan: the best tasks within all slots, areas and leases.
pub(super) fn upper_bound(model: &Model<'_>) -> Score {
    let mut slots = model.slots.clone();
    let mut areas = vec![false; model.areas];
    let mut leases = model.workers.iter().fold(0_i64, |sum, worker| sum.saturating_add(worker.leases.max(0)));
    let mut sum = 0;
    for candidate in &model.candidates {
        let locked = candidate.area != NONE && areas[candidate.area];
        if leases > 0 && slots[candidate.repo] > 0 && !locked {
            leases -= 1;
            slots[candidate.repo] -= 1;
            sum += candidate.score;
            if candidate.area != NONE {
                areas[candidate.area] = true;
            }
        }
    }
    sum
}

/// Tries to place the best task of a group that is left out.
fn insert_best(plan: &mut PartialPlan<'_>, group: usize) -> bool {
    let left_out = plan.model.groups[group].iter().copied().find(|&candidate| plan.worker_of(candidate).is_none());
    let Some(candidate) = left_out else { return false };
    if let Some(worker) = plan.choose(candidate, Placement::Fair) {
        plan.assign(candidate, worker);
        return true;
    }
    if is_dominated(plan, candidate) {
        return false;
    }
    let workers = feasible_workers(plan, candidate);
    swap(plan, candidate, &workers) || relocate(plan, candidate, &workers) || force(plan, candidate, &workers)
}

/// Returns true when the holders of the slot or area the candidate lacks score no less; saves checking every worker.
fn is_dominated(plan: &PartialPlan<'_>, candidate: usize) -> bool {
    let it = &plan.model.candidates[candidate];
    let held = it.area != NONE && plan.holder(it.area) != NONE;
    let locked = held && plan.model.candidates[plan.holder(it.area)].score >= it.score;
    locked || (plan.slots(it.repo) <= 0 && plan.min_score(plan.granted(it.repo)) >= it.score)
}

/// Replaces the least valuable grant that alone blocks the candidate and scores less.
fn swap(plan: &mut PartialPlan<'_>, candidate: usize, workers: &[usize]) -> bool {
    let score = plan.model.candidates[candidate].score;
    let mut best: Option<(Score, usize, usize)> = None;
    for &worker in workers {
        for out in blocking_grants(plan, candidate, worker) {
            let loss = plan.model.candidates[out].score;
            if loss < score && best.is_none_or(|(least, ..)| loss < least) {
                best = Some((loss, out, worker));
            }
        }
    }
    let Some((_, out, worker)) = best else { return false };
    exchange(plan, &[out], candidate, worker)
}

/// Removes grants and places the candidate. Returns false, and changes nothing, if that is not enough: a limit per person
/// over all repositories can be exceeded by more than the grants that it blocks.
fn exchange(plan: &mut PartialPlan<'_>, out: &[usize], candidate: usize, worker: usize) -> bool {
    let mark = plan.mark();
    for &other in out {
        plan.unassign(other);
    }
    let fits = plan.fits(candidate, worker);
    if fits {
        plan.assign(candidate, worker);
    } else {
        plan.rollback(mark);
    }
    fits
}

/// Places the candidate where the grant that blocks it can move to another worker.
fn relocate(plan: &mut PartialPlan<'_>, candidate: usize, workers: &[usize]) -> bool {
    // A moved grant keeps its slot and its area, so neither may be what is missing.
    if !plan.is_open(candidate) || !plan.any_open() {
        return false;
    }
    for &worker in workers {
        let movable: Vec<usize> =
            blocking_grants(plan, candidate, worker).filter(|&out| plan.could_move(out, worker)).collect();
        for out in movable {
            let mark = plan.mark();
            if !exchange(plan, &[out], candidate, worker) {
                continue;
            }
            if let Some(other) = plan.choose(out, Placement::BestFit) {
                plan.assign(out, other);
                return true;
            }
            plan.rollback(mark);
        }
    }
    false
}

/// Removes as many grants as the candidate needs, when their scores add up to less.
fn force(plan: &mut PartialPlan<'_>, candidate: usize, workers: &[usize]) -> bool {
    let score = plan.model.candidates[candidate].score;
    let mut best: Option<(Score, Vec<usize>, usize)> = None;
    for &worker in workers {
        let least = best.as_ref().map_or(score, |(least, ..)| *least);
        if let Some((loss, out)) = cheapest_eviction(plan, candidate, worker, least) {
            best = Some((loss, out, worker));
        }
    }
    let Some((_, out, worker)) = best else { return false };
    if !exchange(plan, &out, candidate, worker) {
        return false;
    }
    for other in out {
        if let Some(worker) = plan.choose(other, Placement::BestFit) {
            plan.assign(other, worker);
        }
    }
    true
}

/// Returns the workers that could take the candidate if they had no new grants.
fn feasible_workers(plan: &mut PartialPlan<'_>, candidate: usize) -> Vec<usize> {
    let model = plan.model;
    let feasible_workers: Vec<usize> =
        model.eligible(candidate).iter().filter(|&worker| model.could_take(worker, candidate)).collect();
    plan.evaluations += feasible_workers.len() as u64;
    feasible_workers
}

/// Returns the granted candidates that alone block a worker from a candidate.
fn blocking_grants<'a>(plan: &'a PartialPlan<'_>, candidate: usize, worker: usize) -> impl Iterator<Item = usize> + 'a {
    let model = plan.model;
    let it = &model.candidates[candidate];
    let obstacles = plan.obstacles(candidate, worker);
    let quotas = model.quotas_of(worker, it.repo);
    let clears = move |out: &usize| {
        let other = &model.candidates[*out];
        let holder = plan.worker_of(*out).unwrap_or(NONE);
        let here = other.repo == it.repo;
        (!obstacles.worker || (holder == worker && plan.points(worker) + other.estimate >= it.estimate))
            && (!obstacles.area || plan.holder(it.area) == *out)
            && (0..quotas.len())
                .all(|kind| !obstacles.quotas[kind] || uses_quota(plan, kind, quotas[kind], candidate, *out))
            && (!obstacles.slot || here)
    };
    let among = match obstacles {
        Obstacles { worker: true, .. } => plan.held(worker).to_vec(),
        Obstacles { quotas, .. } if quotas[OVERALL] => granted_to_person(plan, worker),
        any if any.any() => plan.granted(it.repo).to_vec(),
        _ => Vec::new(),
    };
    among.into_iter().filter(clears)
}

/// Returns true when a granted candidate uses the quota of this kind that blocks a candidate's worker.
fn uses_quota(plan: &PartialPlan<'_>, kind: usize, quota: usize, candidate: usize, out: usize) -> bool {
    let model = plan.model;
    let repo = model.candidates[out].repo;
    let near = kind == OVERALL || repo == model.candidates[candidate].repo;
    near && plan.worker_of(out).is_some_and(|holder| model.quotas_used(holder, repo).any(|taken| taken == quota))
}

/// Returns all candidates granted to a worker's contributor.
fn granted_to_person(plan: &PartialPlan<'_>, worker: usize) -> Vec<usize> {
    plan.model.workers_of_person(worker).flat_map(|worker| plan.held(worker)).copied().collect()
}

/// Returns the cheapest set found whose removal admits the candidate, if it scores less than `limit`: the area's holder,
/// then candidates that free the worker, the quotas and the slot, lowest score first.
fn cheapest_eviction(
    plan: &PartialPlan<'_>,
    candidate: usize,
    worker: usize,
    limit: Score,
) -> Option<(Score, Vec<usize>)> {
    let model = plan.model;
    let it = &model.candidates[candidate];
    let Obstacles { area, quotas, slot, .. } = plan.obstacles(candidate, worker);
    let mut out = Vec::new();
    let mut loss = 0;
    if area {
        out.push(plan.holder(it.area));
        loss += model.candidates[out[0]].score;
    }
    let (mut points, mut leases) = (plan.points(worker), plan.leases(worker));
    if out.first().is_some_and(|&first| plan.worker_of(first) == Some(worker)) {
        points += model.candidates[out[0]].estimate;
        leases += 1;
    }
    while points < it.estimate || leases <= 0 {
        if loss >= limit {
            return None;
        }
        let rest = || plan.held(worker).iter().copied().filter(|other| !out.contains(other));
        let enough = |other: &usize| points + model.candidates[*other].estimate >= it.estimate;
        let next = plan.cheapest(rest().filter(enough)).or_else(|| plan.cheapest(rest()))?;
        points += model.candidates[next].estimate;
        leases += 1;
        loss += model.candidates[next].score;
        out.push(next);
    }
    let own = model.quotas_of(worker, it.repo);
    let granted = || plan.granted(it.repo).iter().copied();
    for kind in (0..own.len()).filter(|kind| quotas[*kind]) {
        let uses_quota = |other: &usize| uses_quota(plan, kind, own[kind], candidate, *other);
        if loss < limit && !out.iter().any(&uses_quota) {
            let among = if kind == OVERALL { granted_to_person(plan, worker) } else { granted().collect() };
            let next = plan.cheapest(among.into_iter().filter(uses_quota))?;
            loss += model.candidates[next].score;
            out.push(next);
        }
    }
    if slot && loss < limit && !out.iter().any(|&other| model.candidates[other].repo == it.repo) {
        let next = plan.cheapest(granted())?;
        loss += model.candidates[next].score;
        out.push(next);
    }
    (loss < limit).then_some((loss, out))
}
