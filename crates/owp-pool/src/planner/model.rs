//! The snapshot as numbers: which worker could take which task, and what each grant would use up.
//!
//! Admission is asked with everything a plan changes taken away (load, live claims, slots, areas), so its answer holds
//! for the whole plan. It is asked once per worker, repository and tier; required skills are looked up. A task that is
//! set apart ([`super::apart`]) is checked for each worker.

use super::super::admission::{self, Case, RepoFacts, TaskFacts};
use super::super::budget::Budget;
use super::super::claims;
use super::super::worker::{Load, Standing, Worker};
use super::super::{Person, RepoId, TaskId, Timestamp};
use super::apart::is_apart;
use super::bits::Bits;
use super::{Asker, Snapshot, aged_priority};
use std::collections::BTreeMap;

/// Index that stands for none.
pub(super) const NONE: usize = usize::MAX;

/// Indices of the claim quotas of a worker in a repository: its contributor's here, the one newcomers share here, and
/// its contributor's overall; [`NONE`] without a quota.
pub(super) type Rooms = [usize; 3];
/// Position of the overall quota: grants in one repository count in the others.
pub(super) const EVERYWHERE: usize = 2;

/// Worth of granting a task: its aged priority in the high bits, then one per task, then the time it has waited beyond
/// full hours. Sums compare in that order.
pub(super) type Worth = i128;
const VALUE_BITS: u32 = 56;
const COUNT_BITS: u32 = 40;
/// Maximum value, so that the sum of a whole plan fits into [`Worth`] for any priorities.
pub(super) const VALUE_MAX: i64 = 1 << 54;

/// A task.
#[derive(Debug)]
pub(super) struct Item {
    pub repo: usize,
    /// The area lock it takes; [`NONE`] without one.
    pub area: usize,
    pub estimate: i64,
    pub worth: Worth,
    /// Index of the set of workers that could take it.
    pub class: usize,
    /// Index of its group; tasks of one group differ only in worth.
    pub group: usize,
    /// Its index in the snapshot.
    source: usize,
}

/// A worker that asks for tasks.
#[derive(Debug)]
pub(super) struct Seat {
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
    pub items: Vec<Item>,
    /// Workers by id.
    pub seats: Vec<Seat>,
    askers: Vec<&'s Asker>,
    /// The smallest estimate; a worker with fewer points left can take nothing.
    pub least: i64,
    /// Free slots by repository.
    pub slots: Vec<i64>,
    pub areas: usize,
    /// Remaining claims of each quota.
    pub rooms: Vec<i64>,
    /// Quotas that apply to each worker in each repository.
    rooms_of: Vec<Rooms>,
    /// Overall quotas of each worker's contributor: one for each limit that repositories set.
    everywhere: Vec<Vec<usize>>,
    /// Workers that could take each class of tasks.
    pub able: Vec<Bits>,
    /// Items of each group, in order.
    pub groups: Vec<Vec<usize>>,
}

impl<'s> Model<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, now: Timestamp) -> Self {
        let mut model = Self::whole(snapshot, now);
        model.drop_hopeless();
        model.trim();
        model.measure();
        model
    }

    /// Builds the model with every task whose repository is known, including tasks no worker could take.
    pub(super) fn whole(snapshot: &'s Snapshot, now: Timestamp) -> Self {
        let mut askers: Vec<&Asker> = snapshot.askers.iter().collect();
        askers.sort_by(|a, b| a.worker.id.cmp(&b.worker.id));
        askers.dedup_by(|a, b| a.worker.id == b.worker.id);
        let repos: Vec<&RepoFacts> = snapshot.repos.values().collect();
        let Limits { rooms, rooms_of, everywhere } = limits(&askers, &repos);
        let mut classes = Classes::new(&askers, &repos, now);
        let (mut areas, mut groups) = (BTreeMap::new(), BTreeMap::new());
        let mut items = Vec::new();
        for (source, repo) in in_order(snapshot, now) {
            let facts = &snapshot.tasks[source];
            let spec = &facts.task.spec;
            let class = classes.of(source, facts, repo);
            let area = spec.area.as_deref().filter(|_| repos[repo].policy.area_locks);
            let next = areas.len();
            let area = area.map_or(NONE, |area| *areas.entry((repo, area)).or_insert(next));
            let next = groups.len();
            let group = *groups.entry((class, spec.estimate, area)).or_insert(next);
            items.push(Item { repo, area, estimate: spec.estimate, worth: worth(facts, now), class, group, source });
        }
        let seats = seats(&askers);
        let slots = repos.iter().map(|repo| repo.budget.free()).collect();
        let able = classes.able;
        let mut model = Self {
            snapshot,
            items,
            seats,
            askers,
            least: 0,
            slots,
            areas: areas.len(),
            rooms,
            rooms_of,
            everywhere,
            able,
            groups: Vec::new(),
        };
        model.regroup();
        model
    }

    pub(super) fn rooms_of(&self, seat: usize, repo: usize) -> Rooms {
        self.rooms_of[seat * self.slots.len() + repo]
    }

    /// Returns the quotas that a grant to a worker in a repository uses: those that apply here, and the overall ones.
    pub(super) fn rooms_taken(&self, seat: usize, repo: usize) -> impl Iterator<Item = usize> + '_ {
        let rooms = self.rooms_of(seat, repo);
        let everywhere = if rooms[EVERYWHERE] == NONE { &[] } else { self.everywhere[seat].as_slice() };
        let here = rooms.into_iter().enumerate().filter(|(kind, room)| *kind != EVERYWHERE && *room != NONE);
        here.map(|(_, room)| room).chain(everywhere.iter().copied())
    }

    /// Returns every worker of the same contributor.
    pub(super) fn seats_of_person(&self, seat: usize) -> impl Iterator<Item = usize> + '_ {
        let person = &self.askers[seat].worker.person;
        (0..self.askers.len()).filter(move |other| self.askers[*other].worker.person == *person)
    }

    pub(super) fn able(&self, item: usize) -> &Bits {
        &self.able[self.items[item].class]
    }

    pub(super) fn task(&self, item: usize) -> &'s TaskFacts {
        &self.snapshot.tasks[self.items[item].source]
    }

    pub(super) fn asker(&self, seat: usize) -> &'s Asker {
        self.askers[seat]
    }

    pub(super) fn task_ids(&self) -> Vec<TaskId> {
        (0..self.items.len()).map(|item| self.task(item).task.id.clone()).collect()
    }

    /// Returns true when the item's area is held already.
    pub(super) fn area_held(&self, item: usize) -> bool {
        let task = &self.task(item).task;
        let held = |area| self.snapshot.repos.get(&task.repo).is_some_and(|repo| repo.areas.contains_key(area));
        self.items[item].area != NONE && task.spec.area.as_ref().is_some_and(held)
    }

    /// Returns true when a worker without new grants could take the item.
    pub(super) fn could(&self, seat: usize, item: usize) -> bool {
        let (facts, it) = (&self.seats[seat], &self.items[item]);
        let has_room = |room: usize| room == NONE || self.rooms[room] > 0;
        self.able(item).has(seat)
            && facts.leases > 0
            && facts.points >= it.estimate
            && self.rooms_of(seat, it.repo).into_iter().all(has_room)
    }

    fn drop_hopeless(&mut self) {
        let hope = |group: &Vec<usize>| {
            let takers = |item: usize| self.able(item).iter().any(|seat| self.could(seat, item));
            let slots = |item: usize| self.slots[self.items[item].repo] > 0;
            group.first().is_some_and(|&item| slots(item) && !self.area_held(item) && takers(item))
        };
        let hopeful: Vec<bool> = self.groups.iter().map(hope).collect();
        self.items.retain(|item| hopeful[item.group]);
        self.regroup();
    }

    /// Keeps the best of each group, as many as could be granted together.
    fn trim(&mut self) {
        let useful: Vec<usize> = self.groups.iter().map(|group| self.useful(group)).collect();
        let mut seen = vec![0; useful.len()];
        self.items.retain(|item| {
            seen[item.group] += 1;
            seen[item.group] <= useful[item.group]
        });
        self.regroup();
    }

    fn useful(&self, group: &[usize]) -> usize {
        let Some(&first) = group.first() else { return 0 };
        let item = &self.items[first];
        if item.area != NONE {
            return 1;
        }
        let each = |seat: usize| {
            let seat = &self.seats[seat];
            seat.leases.min(seat.points / item.estimate.max(1)).max(0)
        };
        let takers = self.able(first).iter().fold(0_i64, |sum, seat| sum.saturating_add(each(seat)));
        usize::try_from(takers.min(self.slots[item.repo])).unwrap_or(0)
    }

    fn regroup(&mut self) {
        let mut numbers = BTreeMap::new();
        self.least = self.items.iter().map(|item| item.estimate).min().unwrap_or(0);
        self.groups.clear();
        for (at, item) in self.items.iter_mut().enumerate() {
            let next = numbers.len();
            item.group = *numbers.entry(item.group).or_insert(next);
            if item.group == next {
                self.groups.push(Vec::new());
            }
            self.groups[item.group].push(at);
        }
    }

    fn measure(&mut self) {
        for seat in 0..self.seats.len() {
            let could = self.groups.iter().filter(|group| self.could(seat, group[0])).map(Vec::len).sum();
            self.seats[seat].flexibility = could;
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
        .filter_map(|(at, facts)| Some((at, *numbers.get(&facts.task.repo)?, worth(facts, now))))
        .collect();
    order.sort_by(|(a, _, worth_a), (b, _, worth_b)| {
        let (a, b) = (&snapshot.tasks[*a].task, &snapshot.tasks[*b].task);
        worth_b.cmp(worth_a).then_with(|| a.ready_since.cmp(&b.ready_since)).then_with(|| a.id.cmp(&b.id))
    });
    order.dedup_by(|(a, ..), (b, ..)| snapshot.tasks[*a].task.id == snapshot.tasks[*b].task.id);
    order.into_iter().map(|(at, repo, _)| (at, repo)).collect()
}

fn worth(facts: &TaskFacts, now: Timestamp) -> Worth {
    let task = &facts.task;
    let value = aged_priority(task.spec.priority, task.ready_since, now).clamp(0, VALUE_MAX);
    let hour = super::super::Span::hours(1).0;
    let beyond = now.0.saturating_sub(task.ready_since.0).max(0) % hour;
    (Worth::from(value) << VALUE_BITS) + (1 << COUNT_BITS) + Worth::from(beyond)
}

fn seats(askers: &[&Asker]) -> Vec<Seat> {
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for skill in askers.iter().flat_map(|asker| &asker.worker.skills) {
        *holders.entry(skill).or_default() += 1;
    }
    let rarity = |skills: &[String]| {
        skills.iter().filter_map(|skill| holders.get(skill.as_str())).map(|n| 1000 * askers.len() / (*n).max(1)).sum()
    };
    askers
        .iter()
        .map(|asker| Seat {
            points: asker.worker.capacity.saturating_sub(asker.load.points),
            leases: asker.worker.max_concurrent.saturating_sub(asker.load.leases),
            load: asker.load.points,
            flexibility: 0,
            rarity: rarity(&asker.worker.skills),
        })
        .collect()
}

/// Remaining claims of each quota, and the quotas that apply to each worker in each repository.
struct Limits {
    rooms: Vec<i64>,
    rooms_of: Vec<Rooms>,
    everywhere: Vec<Vec<usize>>,
}

impl Limits {
    /// Returns the index of a quota and lowers its remaining claims to `left`. Workers of one contributor share a
    /// standing and agree; where a snapshot contradicts itself, the strictest value counts.
    fn room<K: Ord>(&mut self, numbers: &mut BTreeMap<K, usize>, key: K, left: i64) -> usize {
        let room = *numbers.entry(key).or_insert(self.rooms.len());
        if room == self.rooms.len() {
            self.rooms.push(left);
        }
        self.rooms[room] = left.min(self.rooms[room]);
        room
    }
}

fn limits(askers: &[&Asker], repos: &[&RepoFacts]) -> Limits {
    let shared: Vec<Option<i64>> = repos.iter().map(|repo| claims::newcomers_left(repo)).collect();
    // The quotas newcomers share come first, one for each repository, even when unused.
    let rooms: Vec<i64> = shared.iter().map(|left| left.unwrap_or(0)).collect();
    let mut limits = Limits { rooms, rooms_of: Vec::new(), everywhere: Vec::new() };
    let mut here_numbers: BTreeMap<(&Person, usize), usize> = BTreeMap::new();
    let mut everywhere_numbers: BTreeMap<(&Person, i64), usize> = BTreeMap::new();
    let unknown = Standing::default();
    for asker in askers {
        let person = &asker.worker.person;
        let mut own = Vec::new();
        for (at, repo) in repos.iter().enumerate() {
            let standing = asker.standings.get(&repo.id).unwrap_or(&unknown);
            let crowd = if standing.is_newcomer() && shared[at].is_some() { at } else { NONE };
            let here = match claims::claims_left_here(&repo.policy, standing) {
                Some(left) => limits.room(&mut here_numbers, (person, at), left),
                None => NONE,
            };
            let everywhere = match claims::claims_left(&repo.policy, standing) {
                Some((limit, left)) => limits.room(&mut everywhere_numbers, (person, limit), left),
                None => NONE,
            };
            if everywhere != NONE && !own.contains(&everywhere) {
                own.push(everywhere);
            }
            limits.rooms_of.push([here, crowd, everywhere]);
        }
        limits.everywhere.push(own);
    }
    limits
}

/// Classes of tasks, with the workers that admission lets take them.
struct Classes<'m> {
    askers: &'m [&'m Asker],
    /// Workers without load and with unlimited capacity.
    free: Vec<Worker>,
    /// Repositories with every slot and area free.
    repos: Vec<RepoFacts>,
    now: Timestamp,
    /// Workers with each skill.
    skilled: BTreeMap<&'m str, Bits>,
    /// Workers that could take a task without required skills, by the other criteria.
    base: BTreeMap<Kind, Bits>,
    numbers: BTreeMap<ClassKey, usize>,
    able: Vec<Bits>,
}

/// Criteria of admission beside skills: repository and tier, and with lanes also area and estimate.
type Kind = (usize, i64, Option<(Option<String>, i64)>);

/// Identity of a class; it includes the task when that is set apart.
type ClassKey = (Kind, Vec<String>, Option<usize>);

impl<'m> Classes<'m> {
    fn new(askers: &'m [&'m Asker], repos: &[&RepoFacts], now: Timestamp) -> Self {
        let mut skilled: BTreeMap<&str, Bits> = BTreeMap::new();
        for (seat, asker) in askers.iter().enumerate() {
            for skill in &asker.worker.skills {
                skilled.entry(skill).or_insert_with(|| Bits::none(askers.len())).set(seat, true);
            }
        }
        let free = askers.iter().map(|asker| unburdened(&asker.worker)).collect();
        let repos = repos.iter().map(|repo| untaken(repo)).collect();
        let (base, numbers) = (BTreeMap::new(), BTreeMap::new());
        Self { askers, free, repos, now, skilled, base, numbers, able: Vec::new() }
    }

    fn of(&mut self, source: usize, facts: &TaskFacts, repo: usize) -> usize {
        let apart = is_apart(facts, self.now);
        let spec = &facts.task.spec;
        let laned = !self.repos[repo].policy.lanes.is_empty();
        let kind = (repo, spec.tier, laned.then(|| (spec.area.clone(), spec.estimate)));
        let key = (kind.clone(), spec.skills.clone(), apart.then_some(source));
        if let Some(&class) = self.numbers.get(&key) {
            return class;
        }
        let able = if apart { self.ask(facts, repo) } else { self.plain(facts, &kind) };
        self.able.push(able);
        self.numbers.insert(key, self.able.len() - 1);
        self.able.len() - 1
    }

    fn plain(&mut self, facts: &TaskFacts, kind: &Kind) -> Bits {
        if !self.base.contains_key(kind) {
            let mut undemanding = facts.clone();
            undemanding.task.spec.skills.clear();
            let bits = self.ask(&undemanding, kind.0);
            self.base.insert(kind.clone(), bits);
        }
        let mut able = self.base[kind].clone();
        for skill in &facts.task.spec.skills {
            match self.skilled.get(skill.as_str()) {
                Some(skilled) => able.keep(skilled),
                None => return Bits::none(self.askers.len()),
            }
        }
        able
    }

    fn ask(&self, facts: &TaskFacts, repo: usize) -> Bits {
        let repo = &self.repos[repo];
        Bits::from_fn(self.askers.len(), |seat| {
            let known = self.askers[seat].standings.get(&repo.id).cloned().unwrap_or_default();
            let standing = Standing { live: i64::MIN, live_everywhere: i64::MIN, ..known };
            let (worker, load) = (&self.free[seat], Load::default());
            admission::admits(&Case { task: facts, repo, worker, load, standing: &standing, now: self.now })
        })
    }
}

fn unburdened(worker: &Worker) -> Worker {
    Worker { capacity: i64::MAX, max_concurrent: i64::MAX, ..worker.clone() }
}

fn untaken(repo: &RepoFacts) -> RepoFacts {
    let (limit, count, source) = (i64::MAX, repo.budget.count, repo.budget.source);
    let budget = Budget { limit, source, open_pulls: 0, leases: 0, uncounted: 0, count, occupants: Vec::new() };
    RepoFacts { budget, areas: BTreeMap::new(), newcomers: Vec::new(), ..repo.clone() }
}
