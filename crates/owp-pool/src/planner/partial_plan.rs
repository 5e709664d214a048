//! State of a plan in the making: the grants so far, and what is left. Every step can be undone.

use super::Assignment;
use super::bitset::BitSet;
use super::model::{Model, NONE, Score};
use std::cmp::Reverse;

/// Preference among the workers that could take a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// The least flexible, then the least loaded, then the one with the least rare skills.
    Fair,
    /// The one with the fewest points left.
    BestFit,
    /// The one with the most points left.
    WorstFit,
}

/// A plan in the making.
#[derive(Debug)]
pub(super) struct PartialPlan<'m> {
    pub model: &'m Model<'m>,
    /// Worker of each candidate; [`NONE`] without one.
    worker_of: Vec<usize>,
    /// Candidates granted to each worker.
    held: Vec<Vec<usize>>,
    /// Candidates granted in each repository.
    granted: Vec<Vec<usize>>,
    points: Vec<i64>,
    leases: Vec<i64>,
    slots: Vec<i64>,
    quotas: Vec<i64>,
    area_holders: Vec<usize>,
    /// Workers that could take one more lease of the smallest estimate.
    open: BitSet,
    score: Score,
    /// Undo log, as (candidate, worker before).
    undo_log: Vec<(usize, usize)>,
    /// Number of workers evaluated. It bounds the effort instead of time, so that plans are reproducible.
    pub evaluations: u64,
}

/// Limits that keep a worker from a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Obstacles {
    pub area: bool,
    pub worker: bool,
    /// One for each claim quota, in their order.
    pub quotas: [bool; 3],
    pub slot: bool,
}

impl Obstacles {
    pub(super) fn any(self) -> bool {
        self.area || self.worker || self.slot || self.quotas.contains(&true)
    }
}

impl<'m> PartialPlan<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Self {
        let points: Vec<i64> = model.workers.iter().map(|worker| worker.points).collect();
        let leases: Vec<i64> = model.workers.iter().map(|worker| worker.leases).collect();
        Self {
            model,
            worker_of: vec![NONE; model.candidates.len()],
            held: vec![Vec::new(); points.len()],
            granted: vec![Vec::new(); model.slots.len()],
            open: BitSet::from_fn(points.len(), |worker| points[worker] >= model.min_estimate && leases[worker] > 0),
            points,
            leases,
            slots: model.slots.clone(),
            quotas: model.quotas.clone(),
            area_holders: vec![NONE; model.areas],
            score: 0,
            undo_log: Vec::new(),
            evaluations: 0,
        }
    }

    pub(super) fn score(&self) -> Score {
        self.score
    }

    pub(super) fn worker_of(&self, candidate: usize) -> Option<usize> {
        Some(self.worker_of[candidate]).filter(|worker| *worker != NONE)
    }

    pub(super) fn held(&self, worker: usize) -> &[usize] {
        &self.held[worker]
    }

    pub(super) fn granted(&self, repo: usize) -> &[usize] {
        &self.granted[repo]
    }

    pub(super) fn holder(&self, area: usize) -> usize {
        self.area_holders[area]
    }

    pub(super) fn points(&self, worker: usize) -> i64 {
        self.points[worker]
    }

    pub(super) fn slots(&self, repo: usize) -> i64 {
        self.slots[repo]
    }

    pub(super) fn leases(&self, worker: usize) -> i64 {
        self.leases[worker]
    }

    /// Returns the points a worker carries, including its load before the plan.
    pub(super) fn load(&self, worker: usize) -> i64 {
        let facts = &self.model.workers[worker];
        facts.load.saturating_add(facts.points.saturating_sub(self.points[worker]))
    }

    /// Returns the limits that keep an eligible worker from the candidate at present.
    pub(super) fn obstacles(&self, candidate: usize, worker: usize) -> Obstacles {
        let it = &self.model.candidates[candidate];
        Obstacles {
            area: it.area != NONE && self.area_holders[it.area] != NONE,
            worker: self.leases[worker] <= 0 || self.points[worker] < it.estimate,
            quotas: self.model.quotas_of(worker, it.repo).map(|quota| !self.has_quota(quota)),
            slot: self.slots[it.repo] <= 0,
        }
    }

    fn has_quota(&self, quota: usize) -> bool {
        quota == NONE || self.quotas[quota] > 0
    }

    pub(super) fn fits(&self, candidate: usize, worker: usize) -> bool {
        self.model.eligible(candidate).contains(worker) && !self.obstacles(candidate, worker).any()
    }

    /// Returns false when no worker could get the candidate now, because its slot or area is taken.
    pub(super) fn is_open(&self, candidate: usize) -> bool {
        let it = &self.model.candidates[candidate];
        self.slots[it.repo] > 0 && (it.area == NONE || self.area_holders[it.area] == NONE)
    }

    /// Returns the preferred worker for a candidate, if one can take it.
    pub(super) fn choose(&mut self, candidate: usize, placement: Placement) -> Option<usize> {
        self.evaluations += 1;
        if !self.is_open(candidate) {
            return None;
        }
        let it = &self.model.candidates[candidate];
        let mut checked = 0;
        let best = self
            .model
            .eligible(candidate)
            .intersection(&self.open)
            .filter(|&worker| {
                checked += 1;
                let quotas = self.model.quotas_of(worker, it.repo);
                self.points[worker] >= it.estimate && quotas.into_iter().all(|quota| self.has_quota(quota))
            })
            .min_by_key(|&worker| self.preference(worker, placement));
        self.evaluations += checked;
        best
    }

    /// Returns the sort key of a worker; smaller is better.
    pub(super) fn preference(&self, worker: usize, placement: Placement) -> (i64, i64, usize, usize) {
        let facts = &self.model.workers[worker];
        let flexibility = i64::try_from(facts.flexibility).unwrap_or(i64::MAX);
        match placement {
            Placement::Fair => (flexibility, self.load(worker), facts.rarity, worker),
            Placement::BestFit => (self.points[worker], flexibility, facts.rarity, worker),
            Placement::WorstFit => (-self.points[worker], flexibility, facts.rarity, worker),
        }
    }

    pub(super) fn assign(&mut self, candidate: usize, worker: usize) {
        debug_assert!(self.fits(candidate, worker), "only an item that fits can be placed");
        self.put(candidate, worker);
    }

    /// Gives a worker a candidate in place of one of the same group that it had. That one may have fitted only before
    /// others: a repository's limit per person counts what its holder got elsewhere since.
    pub(super) fn put(&mut self, candidate: usize, worker: usize) {
        self.undo_log.push((candidate, NONE));
        self.insert(candidate, worker);
    }

    pub(super) fn unassign(&mut self, candidate: usize) {
        let worker = self.worker_of[candidate];
        debug_assert!(worker != NONE, "only a placed item can be removed");
        self.undo_log.push((candidate, worker));
        self.erase(candidate, worker);
    }

    /// Returns a position to roll back to.
    pub(super) fn mark(&self) -> usize {
        self.undo_log.len()
    }

    /// Undoes every step since `mark`.
    pub(super) fn rollback(&mut self, mark: usize) {
        while self.undo_log.len() > mark {
            let Some((candidate, before)) = self.undo_log.pop() else { return };
            let now = self.worker_of[candidate];
            if now != NONE {
                self.erase(candidate, now);
            }
            if before != NONE {
                self.insert(candidate, before);
            }
        }
    }

    /// Returns a copy of the plan, which `restore` accepts at any time.
    pub(super) fn saved(&self) -> Vec<usize> {
        self.worker_of.clone()
    }

    pub(super) fn restore(&mut self, saved: &[usize]) {
        for (candidate, &worker) in saved.iter().enumerate() {
            if self.worker_of[candidate] != NONE && self.worker_of[candidate] != worker {
                self.erase(candidate, self.worker_of[candidate]);
            }
        }
        for (candidate, &worker) in saved.iter().enumerate() {
            if worker != NONE && self.worker_of[candidate] == NONE {
                self.insert(candidate, worker);
            }
        }
        self.undo_log.clear();
    }

    pub(super) fn clear(&mut self) {
        let unassign_all = vec![NONE; self.worker_of.len()];
        self.restore(&unassign_all);
    }

    pub(super) fn assignments(&self) -> Vec<Assignment> {
        let granted = (0..self.worker_of.len()).filter_map(|candidate| Some((candidate, self.worker_of(candidate)?)));
        granted
            .map(|(candidate, worker)| {
                let task = &self.model.task(candidate).task;
                let worker = self.model.entry(worker).worker.id.clone();
                Assignment { worker, task: task.id.clone(), repo: task.repo.clone() }
            })
            .collect()
    }

    /// Returns the candidate with the lowest score; among equals the last, so that ties are deterministic.
    pub(super) fn cheapest(&self, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        candidates.min_by_key(|&candidate| (self.model.candidates[candidate].score, Reverse(candidate)))
    }

    /// Returns the lowest score among `candidates`; the maximum when there are none.
    pub(super) fn min_score(&self, candidates: &[usize]) -> Score {
        candidates.iter().map(|&candidate| self.model.candidates[candidate].score).min().unwrap_or(Score::MAX)
    }

    /// Returns true when some worker could take one more lease of the smallest estimate.
    pub(super) fn any_open(&self) -> bool {
        self.open.iter().next().is_some()
    }

    /// Returns true when another worker than `worker` may take the candidate and has the points.
    pub(super) fn could_move(&self, candidate: usize, worker: usize) -> bool {
        let estimate = self.model.candidates[candidate].estimate;
        self.model
            .eligible(candidate)
            .intersection(&self.open)
            .any(|other| other != worker && self.points[other] >= estimate)
    }

    fn insert(&mut self, candidate: usize, worker: usize) {
        let it = &self.model.candidates[candidate];
        self.worker_of[candidate] = worker;
        self.held[worker].push(candidate);
        self.granted[it.repo].push(candidate);
        if it.area != NONE {
            self.area_holders[it.area] = candidate;
        }
        self.score += it.score;
        self.charge(candidate, worker, 1);
    }

    fn erase(&mut self, candidate: usize, worker: usize) {
        let it = &self.model.candidates[candidate];
        self.worker_of[candidate] = NONE;
        self.held[worker].retain(|other| *other != candidate);
        self.granted[it.repo].retain(|other| *other != candidate);
        if it.area != NONE {
            self.area_holders[it.area] = NONE;
        }
        self.score -= it.score;
        self.charge(candidate, worker, -1);
    }

    fn charge(&mut self, candidate: usize, worker: usize, sign: i64) {
        let it = &self.model.candidates[candidate];
        self.points[worker] -= sign * it.estimate;
        self.leases[worker] -= sign;
        self.slots[it.repo] -= sign;
        for quota in self.model.quotas_used(worker, it.repo) {
            self.quotas[quota] -= sign;
        }
        self.open.set(worker, self.points[worker] >= self.model.min_estimate && self.leases[worker] > 0);
    }
}
