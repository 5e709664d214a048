//! State of a plan in the making: the grants so far, and what is left. Every step can be undone.

use super::Pick;
use super::bits::Bits;
use super::model::{Model, NONE, Worth};
use std::cmp::Reverse;

/// Preference among the workers that could take a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The least flexible, then the least loaded, then the one with the least rare skills.
    Fair,
    /// The one with the fewest points left.
    Tight,
    /// The one with the most points left.
    Wide,
}

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Ledger<'m> {
    pub model: &'m Model<'m>,
    /// Worker of each item; [`NONE`] without one.
    seat_of: Vec<usize>,
    /// Items granted to each worker.
    held: Vec<Vec<usize>>,
    /// Items granted in each repository.
    given: Vec<Vec<usize>>,
    points: Vec<i64>,
    leases: Vec<i64>,
    slots: Vec<i64>,
    rooms: Vec<i64>,
    holders: Vec<usize>,
    /// Workers that could take one more lease of the smallest estimate.
    open: Bits,
    worth: Worth,
    /// Undo log, as (item, worker before).
    steps: Vec<(usize, usize)>,
    /// Number of questions asked. It bounds the effort instead of time, so that plans are reproducible.
    pub asked: u64,
}

/// Limits that keep a worker from an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Obstacles {
    pub area: bool,
    pub seat: bool,
    /// One for each claim quota, in their order.
    pub rooms: [bool; 3],
    pub slot: bool,
}

impl Obstacles {
    pub(super) fn any(self) -> bool {
        self.area || self.seat || self.slot || self.rooms.contains(&true)
    }
}

impl<'m> Ledger<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Self {
        let points: Vec<i64> = model.seats.iter().map(|seat| seat.points).collect();
        let leases: Vec<i64> = model.seats.iter().map(|seat| seat.leases).collect();
        Self {
            model,
            seat_of: vec![NONE; model.items.len()],
            held: vec![Vec::new(); points.len()],
            given: vec![Vec::new(); model.slots.len()],
            open: Bits::from_fn(points.len(), |seat| points[seat] >= model.least && leases[seat] > 0),
            points,
            leases,
            slots: model.slots.clone(),
            rooms: model.rooms.clone(),
            holders: vec![NONE; model.areas],
            worth: 0,
            steps: Vec::new(),
            asked: 0,
        }
    }

    pub(super) fn worth(&self) -> Worth {
        self.worth
    }

    pub(super) fn seat_of(&self, item: usize) -> Option<usize> {
        Some(self.seat_of[item]).filter(|seat| *seat != NONE)
    }

    pub(super) fn held(&self, seat: usize) -> &[usize] {
        &self.held[seat]
    }

    pub(super) fn given(&self, repo: usize) -> &[usize] {
        &self.given[repo]
    }

    pub(super) fn holder(&self, area: usize) -> usize {
        self.holders[area]
    }

    pub(super) fn points(&self, seat: usize) -> i64 {
        self.points[seat]
    }

    pub(super) fn slots(&self, repo: usize) -> i64 {
        self.slots[repo]
    }

    pub(super) fn leases(&self, seat: usize) -> i64 {
        self.leases[seat]
    }

    /// Returns the points a worker carries, including its load before the plan.
    pub(super) fn load(&self, seat: usize) -> i64 {
        let facts = &self.model.seats[seat];
        facts.load.saturating_add(facts.points.saturating_sub(self.points[seat]))
    }

    /// Returns the limits that keep an eligible worker from the item at present.
    pub(super) fn obstacles(&self, item: usize, seat: usize) -> Obstacles {
        let it = &self.model.items[item];
        Obstacles {
            area: it.area != NONE && self.holders[it.area] != NONE,
            seat: self.leases[seat] <= 0 || self.points[seat] < it.estimate,
            rooms: self.model.rooms_of(seat, it.repo).map(|room| !self.has_room(room)),
            slot: self.slots[it.repo] <= 0,
        }
    }

    fn has_room(&self, room: usize) -> bool {
        room == NONE || self.rooms[room] > 0
    }

    pub(super) fn fits(&self, item: usize, seat: usize) -> bool {
        self.model.able(item).has(seat) && !self.obstacles(item, seat).any()
    }

    /// Returns false when no worker could get the item now, because its slot or area is taken.
    pub(super) fn is_open(&self, item: usize) -> bool {
        let it = &self.model.items[item];
        self.slots[it.repo] > 0 && (it.area == NONE || self.holders[it.area] == NONE)
    }

    /// Returns the preferred worker for an item, if one can take it.
    pub(super) fn choose(&mut self, item: usize, choice: Choice) -> Option<usize> {
        self.asked += 1;
        if !self.is_open(item) {
            return None;
        }
        let it = &self.model.items[item];
        let mut questions = 0;
        let best = self
            .model
            .able(item)
            .both(&self.open)
            .filter(|&seat| {
                questions += 1;
                let rooms = self.model.rooms_of(seat, it.repo);
                self.points[seat] >= it.estimate && rooms.into_iter().all(|room| self.has_room(room))
            })
            .min_by_key(|&seat| self.preference(seat, choice));
        self.asked += questions;
        best
    }

    /// Returns the sort key of a worker; smaller is better.
    pub(super) fn preference(&self, seat: usize, choice: Choice) -> (i64, i64, usize, usize) {
        let facts = &self.model.seats[seat];
        let flexibility = i64::try_from(facts.flexibility).unwrap_or(i64::MAX);
        match choice {
            Choice::Fair => (flexibility, self.load(seat), facts.rarity, seat),
            Choice::Tight => (self.points[seat], flexibility, facts.rarity, seat),
            Choice::Wide => (-self.points[seat], flexibility, facts.rarity, seat),
        }
    }

    pub(super) fn place(&mut self, item: usize, seat: usize) {
        debug_assert!(self.fits(item, seat), "only an item that fits can be placed");
        self.steps.push((item, NONE));
        self.enter(item, seat);
    }

    pub(super) fn remove(&mut self, item: usize) {
        let seat = self.seat_of[item];
        debug_assert!(seat != NONE, "only a placed item can be removed");
        self.steps.push((item, seat));
        self.cross_out(item, seat);
    }

    /// Returns a position to roll back to.
    pub(super) fn mark(&self) -> usize {
        self.steps.len()
    }

    /// Undoes every step since `mark`.
    pub(super) fn rollback(&mut self, mark: usize) {
        while self.steps.len() > mark {
            let Some((item, before)) = self.steps.pop() else { return };
            let now = self.seat_of[item];
            if now != NONE {
                self.cross_out(item, now);
            }
            if before != NONE {
                self.enter(item, before);
            }
        }
    }

    /// Returns a copy of the plan, which `restore` accepts at any time.
    pub(super) fn saved(&self) -> Vec<usize> {
        self.seat_of.clone()
    }

    pub(super) fn restore(&mut self, saved: &[usize]) {
        for (item, &seat) in saved.iter().enumerate() {
            if self.seat_of[item] != NONE && self.seat_of[item] != seat {
                self.cross_out(item, self.seat_of[item]);
            }
        }
        for (item, &seat) in saved.iter().enumerate() {
            if seat != NONE && self.seat_of[item] == NONE {
                self.enter(item, seat);
            }
        }
        self.steps.clear();
    }

    pub(super) fn clear(&mut self) {
        let empty = vec![NONE; self.seat_of.len()];
        self.restore(&empty);
    }

    pub(super) fn picks(&self) -> Vec<Pick> {
        let given = (0..self.seat_of.len()).filter_map(|item| Some((item, self.seat_of(item)?)));
        given
            .map(|(item, seat)| {
                let task = &self.model.task(item).task;
                let worker = self.model.asker(seat).worker.id.clone();
                Pick { worker, task: task.id.clone(), repo: task.repo.clone() }
            })
            .collect()
    }

    /// Returns the item of least worth; among equals the last, so that ties are deterministic.
    pub(super) fn cheapest(&self, items: impl Iterator<Item = usize>) -> Option<usize> {
        items.min_by_key(|&item| (self.model.items[item].worth, Reverse(item)))
    }

    /// Returns the least worth among `items`; the maximum when there are none.
    pub(super) fn least(&self, items: &[usize]) -> Worth {
        items.iter().map(|&item| self.model.items[item].worth).min().unwrap_or(Worth::MAX)
    }

    /// Returns true when some worker could take one more lease of the smallest estimate.
    pub(super) fn any_open(&self) -> bool {
        self.open.iter().next().is_some()
    }

    /// Returns true when another worker than `seat` may take the item and has the points.
    pub(super) fn could_move(&self, item: usize, seat: usize) -> bool {
        let estimate = self.model.items[item].estimate;
        self.model.able(item).both(&self.open).any(|other| other != seat && self.points[other] >= estimate)
    }

    fn enter(&mut self, item: usize, seat: usize) {
        let it = &self.model.items[item];
        self.seat_of[item] = seat;
        self.held[seat].push(item);
        self.given[it.repo].push(item);
        if it.area != NONE {
            self.holders[it.area] = item;
        }
        self.worth += it.worth;
        self.book(item, seat, 1);
    }

    fn cross_out(&mut self, item: usize, seat: usize) {
        let it = &self.model.items[item];
        self.seat_of[item] = NONE;
        self.held[seat].retain(|other| *other != item);
        self.given[it.repo].retain(|other| *other != item);
        if it.area != NONE {
            self.holders[it.area] = NONE;
        }
        self.worth -= it.worth;
        self.book(item, seat, -1);
    }

    fn book(&mut self, item: usize, seat: usize, sign: i64) {
        let it = &self.model.items[item];
        self.points[seat] -= sign * it.estimate;
        self.leases[seat] -= sign;
        self.slots[it.repo] -= sign;
        for room in self.model.rooms_taken(seat, it.repo) {
            self.rooms[room] -= sign;
        }
        self.open.set(seat, self.points[seat] >= self.model.least && self.leases[seat] > 0);
    }
}
