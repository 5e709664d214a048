//! Ruin and rebuild: removes some grants, refills in another order, and keeps a plan that is better, or at first
//! slightly worse. Effort is counted in questions and the random numbers are seeded, so plans are reproducible.

use super::improve;
use super::ledger::{Choice, Ledger};
use super::model::{NONE, Worth};
use super::starts::{fill, orders};

/// Limit on questions: a base, plus an amount for each worker and each candidate.
const EFFORT: u64 = 60_000;
const EFFORT_EACH: u64 = 500;
const EFFORT_MOST: u64 = 2_000_000;

/// Improves the plan as far as the effort allows; afterwards no single swap raises it.
pub(super) fn explore(ledger: &mut Ledger<'_>) {
    let most = improve::most_possible(ledger.model);
    if ledger.worth() < most {
        search(ledger, most);
    }
    improve::polish(ledger);
}

fn search(ledger: &mut Ledger<'_>, most: Worth) {
    let orders = orders(ledger.model);
    let size = (ledger.model.seats.len() + ledger.model.items.len()) as u64;
    let effort = (EFFORT + EFFORT_EACH * size).min(EFFORT_MOST);
    let scan = ledger.model.items.len() as u64 / 4 + 8;
    let mut dice = Dice(0x5eed);
    let (mut best, mut best_worth) = (ledger.saved(), ledger.worth());
    let placed = (0..ledger.model.items.len()).filter(|&item| ledger.seat_of(item).is_some()).count().max(1);
    let warmth = best_worth / Worth::try_from(placed).unwrap_or(1) / 2;
    ledger.asked = 0;
    while ledger.asked < effort && best_worth < most {
        let (before, mark) = (ledger.worth(), ledger.mark());
        ruin(ledger, &mut dice);
        let order = &orders[dice.below(orders.len())];
        let choice = [Choice::Fair, Choice::Tight, Choice::Wide][dice.below(3)];
        fill(ledger, order, choice, || dice.below(16) == 0);
        ledger.asked += scan;
        let left = Worth::from(effort.saturating_sub(ledger.asked)) * 1024 / Worth::from(effort);
        let allowance = warmth * left / 1024 * dice.below(1024) as Worth / 1024 * left / 1024;
        if ledger.worth() + allowance < before {
            ledger.rollback(mark);
        }
        if ledger.worth() > best_worth {
            (best, best_worth) = (ledger.saved(), ledger.worth());
        }
    }
    ledger.restore(&best);
}

fn ruin(ledger: &mut Ledger<'_>, dice: &mut Dice) {
    match dice.below(4) {
        0 => ruin_some(ledger, dice),
        1 => ruin_repo(ledger, dice),
        2 => ruin_seats(ledger, dice),
        _ => ruin_for(ledger, dice),
    }
}

/// Removes a few grants anywhere.
fn ruin_some(ledger: &mut Ledger<'_>, dice: &mut Dice) {
    for _ in 0..2 + dice.below(5) {
        let seat = dice.below(ledger.model.seats.len());
        if let Some(&item) = dice.one_of(ledger.held(seat)) {
            ledger.remove(item);
        }
    }
}

/// Removes some grants of one repository.
fn ruin_repo(ledger: &mut Ledger<'_>, dice: &mut Dice) {
    let repo = dice.below(ledger.model.slots.len());
    for _ in 0..1 + dice.below(6) {
        if let Some(&item) = dice.one_of(ledger.given(repo)) {
            ledger.remove(item);
        }
    }
}

/// Removes all grants of a few workers that could take the same tasks.
fn ruin_seats(ledger: &mut Ledger<'_>, dice: &mut Dice) {
    let class = dice.below(ledger.model.able.len());
    let able: Vec<usize> = ledger.model.able[class].iter().collect();
    for _ in 0..2 + dice.below(2) {
        if let Some(&seat) = dice.one_of(&able) {
            empty(ledger, seat);
        }
    }
}

/// Removes what blocks one left-out task at one worker, and places the task there.
fn ruin_for(ledger: &mut Ledger<'_>, dice: &mut Dice) {
    let model = ledger.model;
    let left_out: Vec<usize> = (0..model.items.len()).filter(|&item| ledger.seat_of(item).is_none()).collect();
    let Some(&item) = dice.one_of(&left_out) else { return };
    let able: Vec<usize> = model.able(item).iter().filter(|&seat| model.could(seat, item)).collect();
    let Some(&seat) = dice.one_of(&able) else { return };
    empty(ledger, seat);
    let it = &model.items[item];
    if it.area != NONE && ledger.holder(it.area) != NONE {
        ledger.remove(ledger.holder(it.area));
    }
    for _ in 0..1 + dice.below(2) {
        if let Some(&other) = dice.one_of(ledger.given(it.repo)) {
            ledger.remove(other);
        }
    }
    if ledger.fits(item, seat) {
        ledger.place(item, seat);
    }
}

fn empty(ledger: &mut Ledger<'_>, seat: usize) {
    while let Some(&item) = ledger.held(seat).last() {
        ledger.remove(item);
    }
}

/// Deterministic pseudo-random numbers (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
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

    fn one_of<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.below(among.len()))
    }
}
