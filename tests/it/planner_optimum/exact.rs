//! The exact optimum of an instance, as an integer program solved by `microlp`: for tests alone.

use super::instances::NOW;
use super::world;
use good_lp::{Expression, Solution, SolverModel, Variable, microlp, variable, variables};
use owp_pool::planner::{Snapshot, aged_priority};
use std::collections::BTreeMap;

/// The sum of aged priorities no plan can pass.
pub(crate) fn optimum(snapshot: &Snapshot) -> i64 {
    let mut vars = variables!();
    let mut limits: BTreeMap<String, (i64, Expression)> = BTreeMap::new();
    let mut sum = Expression::from(0);
    let mut pairs: Vec<(Variable, i64)> = Vec::new();
    for (t, facts) in snapshot.tasks.iter().enumerate() {
        let (task, repo) = (&facts.task, &snapshot.repos[&facts.task.repo]);
        let value = aged_priority(task.spec.priority, task.ready_since, NOW);
        for (w, entry) in snapshot.workers.iter().enumerate() {
            if !world::refusals(snapshot, w, t).is_empty() {
                continue;
            }
            let var = vars.add(variable().binary());
            pairs.push((var, value));
            sum += value as f64 * var;
            let mut limit = |name: String, most: i64, each: i64| {
                let (_, used) = limits.entry(name).or_insert((most, Expression::from(0)));
                *used += each as f64 * var;
            };
            limit(format!("task {t}"), 1, 1);
            limit(format!("points {w}"), entry.worker.capacity - entry.load.points, task.spec.estimate);
            limit(format!("leases {w}"), entry.worker.max_concurrent - entry.load.leases, 1);
            limit(format!("slots {}", repo.id), repo.budget.limit - repo.budget.used(), 1);
            if let Some(area) = task.spec.area.as_ref().filter(|_| repo.policy.area_locks) {
                limit(format!("area {} {area}", repo.id), 1, 1);
            }
            if let Some(claims) = repo.policy.claims {
                let standing = entry.standings.get(&repo.id).cloned().unwrap_or_default();
                if standing.merged == 0 {
                    let held = repo.newcomers.len() as i64;
                    limit(format!("newcomers {}", repo.id), claims.newcomers_total - held, 1);
                }
                let person = entry.worker.person.key();
                if standing.merged == 0 {
                    limit(format!("claims {} {person}", repo.id), claims.newcomer - standing.live, 1);
                }
                limit(format!("claims {person}"), claims.per_person - standing.live_everywhere, 1);
            }
        }
    }
    let mut problem = vars.maximise(&sum).using(microlp);
    for (most, used) in limits.into_values() {
        problem = problem.with(used.leq(most as f64));
    }
    let solution = problem.solve().expect("the empty plan is feasible");
    pairs.iter().filter(|(var, _)| solution.value(*var) > 0.5).map(|(_, value)| value).sum()
}
