//! Tie-breaking: selects, among plans of equal worth, the one that the tie rules prefer.

use super::improve;
use super::ledger::{Choice, Ledger};

/// Maximum number of rounds of moves between workers; each improves the plan by the tie rules.
const ROUNDS: usize = 8;

/// Moves grants to the workers the tie rules prefer, and uses what that makes possible.
pub(super) fn settle(ledger: &mut Ledger<'_>) {
    oldest_first(ledger);
    for _ in 0..ROUNDS {
        let moved = move_over(ledger);
        if !improve::polish(ledger) && !moved {
            break;
        }
    }
    oldest_first(ledger);
}

/// Moves the grants of a group to its first tasks, which have the same requirements and are worth no less.
fn oldest_first(ledger: &mut Ledger<'_>) {
    for group in &ledger.model.groups {
        let granted: Vec<usize> = group.iter().copied().filter(|&item| ledger.seat_of(item).is_some()).collect();
        if granted.iter().zip(group).all(|(a, b)| a == b) {
            continue;
        }
        let seats: Vec<usize> = granted.iter().filter_map(|&item| ledger.seat_of(item)).collect();
        for item in granted {
            ledger.remove(item);
        }
        for (&item, seat) in group.iter().zip(seats) {
            ledger.place(item, seat);
        }
    }
}

/// Moves each grant once to the worker greedy would prefer now; returns true when one moved.
fn move_over(ledger: &mut Ledger<'_>) -> bool {
    let mut moved = false;
    for item in 0..ledger.model.items.len() {
        let Some(seat) = ledger.seat_of(item) else { continue };
        ledger.remove(item);
        let better = ledger.choose(item, Choice::Fair).filter(|other| {
            *other != seat && ledger.preference(*other, Choice::Fair) < ledger.preference(seat, Choice::Fair)
        });
        ledger.place(item, better.unwrap_or(seat));
        moved |= better.is_some();
    }
    moved
}
