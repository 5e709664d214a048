//! The snapshot as numbers: which worker could take which task, and what each grant would use up.
//!
//! Admission is asked with everything a plan changes taken away (load, live claims, slots, areas), so its answer holds
//! for the whole plan. It is asked once per worker and [`Criteria`]; required skills are looked up. A task that is
//! set apart ([`super::apart`]) is checked for each worker.

use super::super::admission::{self, Case, RepoFacts, TaskFacts};
use super::super::budget::Budget;
use super::super::claims;
use super::super::worker::{Load, Standing, Worker};
use super::super::{Person, RepoId, TaskId, Timestamp};
use super::apart::is_apart;
use super::bitset::BitSet;
use super::{Snapshot, WorkerFacts, aged_priority};
use std::collections::BTreeMap;

/// Index that stands for none.
pub(super) const NONE: usize = usize::MAX;

/// Indices of the claim quotas of a worker in a repository: its contributor's here, the one newcomers share here, and
/// its contributor's overall; [`NONE`] without a quota.
pub(super) type QuotaIds = [usize; 3];
/// Position of the overall quota: grants in one repository count in the others.
pub(super) const OVERALL: usize = 2;

/// Score of granting a task: its aged priority in the high bits, then one per task, then the time it has waited beyond
/// full hours. Sums compare in that order.
pub(super) type Score = i128;
const VALUE_BITS: u32 = 56;
const COUNT_BITS: u32 = 40;
/// Maximum value, so that the sum of a whole plan fits into [`Score`] for any priorities.
pub(super) const VALUE_MAX: i64 = 1 << 54;

/// A task that could be granted.
#[derive(Debug)]
pub(super) struct Candidate {
    pub repo: usize,
    /// The area lock it takes; [`NONE`] without one.
    pub area: usize,
    pub estimate: i64,
    pub score: Score,
    /// Index of its eligibility class: the workers that may take it.
    pub class: usize,
    /// Index of its equivalence group; tasks of one group differ only in score.
    pub group: usize,
    /// Its index in the snapshot.
    source: usize,
}

/// The free capacity of a worker that asks for tasks, and its rank among the workers.
#[derive(Debug)]
pub(super) struct WorkerCapacity {
    pub points: i64,
    pub leases: i64,
    /// Points it holds already.
    pub load: i64,
    /// Number of tasks it could take by itself.
    pub flexibility: usize,
    /// Sum of the rarities of its skills among the workers that ask.
    pub rarity: usize,
}

/// All inputs of a plan, as numbers.
#[derive(Debug)]
pub(super) struct Model<'s> {
    snapshot: &'s Snapshot,
    /// Tasks some worker could take, the most valuable first, then the oldest, then by id.
    pub candidates: Vec<Candidate>,
    /// Workers by id.
    pub workers: Vec<WorkerCapacity>,
    entries: Vec<&'s WorkerFacts>,
    /// The smallest estimate; a worker with fewer points left can take nothing.
    pub min_estimate: i64,
    /// Free slots by repository.
    pub slots: Vec<i64>,
    pub areas: usize,
    /// Remaining claims of each quota.
    pub quotas: Vec<i64>,
    /// Quotas that apply to each worker in each repository.
    quotas_of: Vec<QuotaIds>,
    /// Overall quotas of each worker's contributor: one for each limit that repositories set.
    overall: Vec<Vec<usize>>,
    /// Workers eligible for each class of tasks.
    pub eligible: Vec<BitSet>,
    /// Candidates of each group, in order.
    pub groups: Vec<Vec<usize>>,
}

impl<'s> Model<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, now: Timestamp) -> Self {
        let mut model = Self::whole(snapshot, now);
        model.drop_infeasible();
        model.trim();
        model.count_flexibility();
        model
    }

    /// Builds the model with every task whose repository is known, including tasks no worker could take.
    pub(super) fn whole(snapshot: &'s Snapshot, now: Timestamp) -> Self {
        let mut entries: Vec<&WorkerFacts> = snapshot.workers.iter().collect();
        entries.sort_by(|a, b| a.worker.id.cmp(&b.worker.id));
        entries.dedup_by(|a, b| a.worker.id == b.worker.id);
        let repos: Vec<&RepoFacts> = snapshot.repos.values().collect();
        let Limits { quotas, quotas_of, overall } = limits(&entries, &repos);
        let mut classes = Classes::new(&entries, &repos, now);
        let (mut areas, mut groups) = (BTreeMap::new(), BTreeMap::new());
        let mut candidates = Vec::new();
        for (source, repo) in in_order(snapshot, now) {
            let facts = &snapshot.tasks[source];
            let spec = &facts.task.spec;
            let class = classes.of(source, facts, repo);
            let area = spec.area.as_deref().filter(|_| repos[repo].policy.area_locks);
            let next = areas.len();
            let area = area.map_or(NONE, |area| *areas.entry((repo, area)).or_insert(next));
            let next = groups.len();
            let group = *groups.entry((class, spec.estimate, area)).or_insert(next);
            candidates.push(Candidate {
                repo,
                area,
                estimate: spec.estimate,
                score: score(facts, now),
                class,
                group,
                source,
            });
        }
        let workers = workers(&entries);
        let slots = repos.iter().map(|repo| repo.budget.free()).collect();
        let eligible = classes.eligible;
        let mut model = Self {
            snapshot,
            candidates,
            workers,
            entries,
            min_estimate: 0,
            slots,
            areas: areas.len(),
            quotas,
            quotas_of,
            overall,
            eligible,
            groups: Vec::new(),
        };
        model.regroup();
        model
    }

    pub(super) fn quotas_of(&self, worker: usize, repo: usize) -> QuotaIds {
        self.quotas_of[worker * self.slots.len() + repo]
    }

    /// Returns the quotas that a grant to a worker in a repository uses: those that apply here, and the overall ones.
    pub(super) fn quotas_used(&self, worker: usize, repo: usize) -> impl Iterator<Item = usize> + '_ {
        let quotas = self.quotas_of(worker, repo);
        let overall = if quotas[OVERALL] == NONE { &[] } else { self.overall[worker].as_slice() };
        let here = quotas.into_iter().enumerate().filter(|(kind, quota)| *kind != OVERALL && *quota != NONE);
        here.map(|(_, quota)| quota).chain(overall.iter().copied())
    }

    /// Returns every worker of the same contributor.
    pub(super) fn workers_of_person(&self, worker: usize) -> impl Iterator<Item = usize> + '_ {
        let person = &self.entries[worker].worker.person;
        (0..self.entries.len()).filter(move |other| self.entries[*other].worker.person == *person)
    }

    pub(super) fn eligible(&self, candidate: usize) -> &BitSet {
        &self.eligible[self.candidates[candidate].class]
    }

    pub(super) fn task(&self, candidate: usize) -> &'s TaskFacts {
        &self.snapshot.tasks[self.candidates[candidate].source]
    }

    pub(super) fn entry(&self, worker: usize) -> &'s WorkerFacts {
        self.entries[worker]
    }

    pub(super) fn task_ids(&self) -> Vec<TaskId> {
        (0..self.candidates.len()).map(|candidate| self.task(candidate).task.id.clone()).collect()
    }

    /// Returns true when the candidate's area is held already.
    pub(super) fn area_held(&self, candidate: usize) -> bool {
        let task = &self.task(candidate).task;
        let held = |area| self.snapshot.repos.get(&task.repo).is_some_and(|repo| repo.areas.contains_key(area));
        self.candidates[candidate].area != NONE && task.spec.area.as_ref().is_some_and(held)
    }

    /// Returns true when a worker without new grants could take the candidate.
    pub(super) fn could_take(&self, worker: usize, candidate: usize) -> bool {
        let (facts, it) = (&self.workers[worker], &self.candidates[candidate]);
        let has_quota = |quota: usize| quota == NONE || self.quotas[quota] > 0;
        self.eligible(candidate).contains(worker)
            && facts.leases > 0
            && facts.points >= it.estimate
            && self.quotas_of(worker, it.repo).into_iter().all(has_quota)
    }

    fn drop_infeasible(&mut self) {
        let is_feasible = |group: &Vec<usize>| {
            let has_worker =
                |candidate: usize| self.eligible(candidate).iter().any(|worker| self.could_take(worker, candidate));
            let slots = |candidate: usize| self.slots[self.candidates[candidate].repo] > 0;
            group
                .first()
                .is_some_and(|&candidate| slots(candidate) && !self.area_held(candidate) && has_worker(candidate))
        };
        let feasible: Vec<bool> = self.groups.iter().map(is_feasible).collect();
        self.candidates.retain(|candidate| feasible[candidate.group]);
        self.regroup();
    }

    /// Keeps the best of each group, as many as could be granted together.
    fn trim(&mut self) {
        let useful_count: Vec<usize> = self.groups.iter().map(|group| self.useful_count(group)).collect();
        let mut seen = vec![0; useful_count.len()];
        self.candidates.retain(|candidate| {
            seen[candidate.group] += 1;
            seen[candidate.group] <= useful_count[candidate.group]
        });
        self.regroup();
    }

    fn useful_count(&self, group: &[usize]) -> usize {
        let Some(&first) = group.first() else { return 0 };
        let candidate = &self.candidates[first];
        if candidate.area != NONE {
            return 1;
        }
        let each = |worker: usize| {
            let worker = &self.workers[worker];
            worker.leases.min(worker.points / candidate.estimate.max(1)).max(0)
        };
        let grants = self.eligible(first).iter().fold(0_i64, |sum, worker| sum.saturating_add(each(worker)));
        usize::try_from(grants.min(self.slots[candidate.repo])).unwrap_or(0)
    }

    fn regroup(&mut self) {
        let mut numbers = BTreeMap::new();
        self.min_estimate = self.candidates.iter().map(|candidate| candidate.estimate).min().unwrap_or(0);
        self.groups.clear();
        for (at, candidate) in self.candidates.iter_mut().enumerate() {
            let next = numbers.len();
            candidate.group = *numbers.entry(candidate.group).or_insert(next);
            if candidate.group == next {
                self.groups.push(Vec::new());
            }
            self.groups[candidate.group].push(at);
        }
    }

    fn count_flexibility(&mut self) {
        for worker in 0..self.workers.len() {
            let flexibility = self.groups.iter().filter(|group| self.could_take(worker, group[0])).map(Vec::len).sum();
            self.workers[worker].flexibility = flexibility;
        }
    }
}

/// Returns the tasks of known repositories, the most valuable first, without duplicates.
fn in_order(snapshot: &Snapshot, now: Timestamp) -> Vec<(usize, usize)> {
    let numbers: BTreeMap<&RepoId, usize> = snapshot.repos.keys().enumerate().map(|(n, id)| (id, n)).collect();
    let mut order: Vec<_> = snapshot
        .tasks
        .iter()
        .enumerate()
        .filter_map(|(at, facts)| Some((at, *numbers.get(&facts.task.repo)?, score(facts, now))))
        .collect();
    order.sort_by(|(a, _, score_a), (b, _, score_b)| {
        let (a, b) = (&snapshot.tasks[*a].task, &snapshot.tasks[*b].task);
        score_b.cmp(score_a).then_with(|| a.ready_since.cmp(&b.ready_since)).then_with(|| a.id.cmp(&b.id))
    });
    order.dedup_by(|(a, ..), (b, ..)| snapshot.tasks[*a].task.id == snapshot.tasks[*b].task.id);
    order.into_iter().map(|(at, repo, _)| (at, repo)).collect()
}

fn score(facts: &TaskFacts, now: Timestamp) -> Score {
    let task = &facts.task;
    let value = aged_priority(task.spec.priority, task.ready_since, now).clamp(0, VALUE_MAX);
    let hour = super::super::Span::hours(1).0;
    let beyond = now.0.saturating_sub(task.ready_since.0).max(0) % hour;
    (Score::from(value) << VALUE_BITS) + (1 << COUNT_BITS) + Score::from(beyond)
}

fn workers(entries: &[&WorkerFacts]) -> Vec<WorkerCapacity> {
    let mut skill_counts: BTreeMap<&str, usize> = BTreeMap::new();
    for skill in entries.iter().flat_map(|entry| &entry.worker.skills) {
        *skill_counts.entry(skill).or_default() += 1;
    }
    let rarity = |skills: &[String]| {
        skills
            .iter()
            .filter_map(|skill| skill_counts.get(skill.as_str()))
            .map(|n| 1000 * entries.len() / (*n).max(1))
            .sum()
    };
    entries
        .iter()
        .map(|entry| WorkerCapacity {
            points: entry.worker.capacity.saturating_sub(entry.load.points),
            leases: entry.worker.max_concurrent.saturating_sub(entry.load.leases),
            load: entry.load.points,
            flexibility: 0,
            rarity: rarity(&entry.worker.skills),
        })
        .collect()
}

/// Remaining claims of each quota, and the quotas that apply to each worker in each repository.
struct Limits {
    quotas: Vec<i64>,
    quotas_of: Vec<QuotaIds>,
    overall: Vec<Vec<usize>>,
}

impl Limits {
    /// Returns the index of a quota and lowers its remaining claims to `left`. Workers of one contributor share a
    /// standing and agree; where a snapshot contradicts itself, the strictest value counts.
    fn quota<K: Ord>(&mut self, numbers: &mut BTreeMap<K, usize>, key: K, left: i64) -> usize {
        let quota = *numbers.entry(key).or_insert(self.quotas.len());
        if quota == self.quotas.len() {
            self.quotas.push(left);
        }
        self.quotas[quota] = left.min(self.quotas[quota]);
        quota
    }
}

fn limits(entries: &[&WorkerFacts], repos: &[&RepoFacts]) -> Limits {
    let shared: Vec<Option<i64>> = repos.iter().map(|repo| claims::newcomers_left(repo)).collect();
    // The quotas newcomers share come first, one for each repository, even when unused.
    let quotas: Vec<i64> = shared.iter().map(|left| left.unwrap_or(0)).collect();
    let mut limits = Limits { quotas, quotas_of: Vec::new(), overall: Vec::new() };
    let mut here_numbers: BTreeMap<(&Person, usize), usize> = BTreeMap::new();
    let mut overall_numbers: BTreeMap<(&Person, i64), usize> = BTreeMap::new();
    let unknown = Standing::default();
    for entry in entries {
        let person = &entry.worker.person;
        let mut own = Vec::new();
        for (at, repo) in repos.iter().enumerate() {
            let standing = entry.standings.get(&repo.id).unwrap_or(&unknown);
            let newcomers = if standing.is_newcomer() && shared[at].is_some() { at } else { NONE };
            let here = match claims::claims_left_here(&repo.policy, standing) {
                Some(left) => limits.quota(&mut here_numbers, (person, at), left),
                None => NONE,
            };
            let overall = match claims::claims_left(&repo.policy, standing) {
                Some((limit, left)) => limits.quota(&mut overall_numbers, (person, limit), left),
                None => NONE,
            };
            if overall != NONE && !own.contains(&overall) {
                own.push(overall);
            }
            limits.quotas_of.push([here, newcomers, overall]);
        }
        limits.overall.push(own);
    }
    limits
}

/// Classes of tasks, with the workers that admission lets take them.
struct Classes<'m> {
    entries: &'m [&'m WorkerFacts],
    /// Workers without load and with unlimited capacity.
    free: Vec<Worker>,
    /// Repositories with every slot and area free.
    repos: Vec<RepoFacts>,
    now: Timestamp,
    /// Workers with each skill.
    skilled: BTreeMap<&'m str, BitSet>,
    /// Workers that could take a task without required skills, by the other criteria.
    base: BTreeMap<Criteria, BitSet>,
    numbers: BTreeMap<ClassKey, usize>,
    eligible: Vec<BitSet>,
}

/// Criteria of admission beside skills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Criteria {
    repo: usize,
    tier: i64,
    /// Area and estimate, where there are lanes.
    laned: Option<(Option<String>, i64)>,
    /// GitHub ids of those it is assigned to.
    assigned_to: Vec<i64>,
}

/// Identity of a class; it includes the task when that is set apart.
type ClassKey = (Criteria, Vec<String>, Option<usize>);

impl<'m> Classes<'m> {
    fn new(entries: &'m [&'m WorkerFacts], repos: &[&RepoFacts], now: Timestamp) -> Self {
        let mut skilled: BTreeMap<&str, BitSet> = BTreeMap::new();
        for (worker, entry) in entries.iter().enumerate() {
            for skill in &entry.worker.skills {
                skilled.entry(skill).or_insert_with(|| BitSet::empty(entries.len())).set(worker, true);
            }
        }
        let free = entries.iter().map(|entry| without_load(&entry.worker)).collect();
        let repos = repos.iter().map(|repo| with_everything_free(repo)).collect();
        let (base, numbers) = (BTreeMap::new(), BTreeMap::new());
        Self { entries, free, repos, now, skilled, base, numbers, eligible: Vec::new() }
    }

    fn of(&mut self, source: usize, facts: &TaskFacts, repo: usize) -> usize {
        let apart = is_apart(facts, self.now);
        let spec = &facts.task.spec;
        let has_lanes = !self.repos[repo].policy.lanes.is_empty();
        let laned = has_lanes.then(|| (spec.area.clone(), spec.estimate));
        let assigned_to = facts.task.assigned_to.iter().map(|assignee| assignee.id).collect();
        let criteria = Criteria { repo, tier: spec.tier, laned, assigned_to };
        let key = (criteria.clone(), spec.skills.clone(), apart.then_some(source));
        if let Some(&class) = self.numbers.get(&key) {
            return class;
        }
        let eligible =
            if apart { self.eligible_workers(facts, repo) } else { self.eligible_by_skills(facts, &criteria) };
        self.eligible.push(eligible);
        self.numbers.insert(key, self.eligible.len() - 1);
        self.eligible.len() - 1
    }

    fn eligible_by_skills(&mut self, facts: &TaskFacts, criteria: &Criteria) -> BitSet {
        if !self.base.contains_key(criteria) {
            let mut undemanding = facts.clone();
            undemanding.task.spec.skills.clear();
            let bits = self.eligible_workers(&undemanding, criteria.repo);
            self.base.insert(criteria.clone(), bits);
        }
        let mut eligible = self.base[criteria].clone();
        for skill in &facts.task.spec.skills {
            match self.skilled.get(skill.as_str()) {
                Some(skilled) => eligible.intersect_with(skilled),
                None => return BitSet::empty(self.entries.len()),
            }
        }
        eligible
    }

    fn eligible_workers(&self, facts: &TaskFacts, repo: usize) -> BitSet {
        let repo = &self.repos[repo];
        BitSet::from_fn(self.entries.len(), |worker| {
            let known = self.entries[worker].standings.get(&repo.id).cloned().unwrap_or_default();
            let standing = Standing { live: i64::MIN, live_everywhere: i64::MIN, ..known };
            let (worker, load) = (&self.free[worker], Load::default());
            admission::admits(&Case { task: facts, repo, worker, load, standing: &standing, now: self.now })
        })
    }
}

fn without_load(worker: &Worker) -> Worker {
    Worker { capacity: i64::MAX, max_concurrent: i64::MAX, ..worker.clone() }
}

fn with_everything_free(repo: &RepoFacts) -> RepoFacts {
    let (limit, count, source) = (i64::MAX, repo.budget.count, repo.budget.source);
    let budget = Budget { limit, source, open_pulls: 0, leases: 0, uncounted: 0, count, occupants: Vec::new() };
    RepoFacts { budget, areas: BTreeMap::new(), newcomers: Vec::new(), ..repo.clone() }
}
