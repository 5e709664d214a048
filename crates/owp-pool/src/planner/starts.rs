//! First plans: greedy in several orders, keeping the best.

use super::improve;
use super::ledger::{Choice, Ledger};
use super::model::{Model, Worth};
use std::cmp::Reverse;

/// Plans greedily: the most valuable task first, to the worker the tie rules prefer.
pub(super) fn greedy(ledger: &mut Ledger<'_>) {
    let order: Vec<usize> = (0..ledger.model.items.len()).collect();
    fill(ledger, &order, Choice::Fair, || false);
}

/// Leaves the best first plan in the ledger, after local search on each.
pub(super) fn best_start(ledger: &mut Ledger<'_>) {
    let mut best = ledger.saved();
    let mut worth = 0;
    for order in orders(ledger.model) {
        for choice in [Choice::Fair, Choice::Tight, Choice::Wide] {
            ledger.clear();
            fill(ledger, &order, choice, || false);
            improve::polish(ledger);
            if ledger.worth() > worth {
                (best, worth) = (ledger.saved(), ledger.worth());
            }
        }
        if worth == improve::most_possible(ledger.model) {
            break;
        }
    }
    ledger.restore(&best);
}

/// Returns the orders in which tasks are tried.
pub(super) fn orders(model: &Model<'_>) -> Vec<Vec<usize>> {
    let by = |cost: &dyn Fn(usize) -> i64| {
        let mut order: Vec<usize> = (0..model.items.len()).collect();
        order.sort_by_key(|&item| Reverse(model.items[item].worth / Worth::from(cost(item).max(1))));
        order
    };
    let takers: Vec<i64> =
        model.able.iter().map(|able| i64::try_from(able.iter().count()).unwrap_or(i64::MAX)).collect();
    let estimate = |item: usize| model.items[item].estimate;
    let rare = |item: usize| takers[model.items[item].class];
    vec![
        by(&|_| 1),
        // Costs are scaled up, so that integer roots keep some precision.
        by(&|item| (estimate(item) * 256).isqrt()),
        by(&estimate),
        by(&|item| (rare(item) * 256).isqrt().isqrt()),
    ]
}

/// Places what fits in `order`, except what `skip` leaves out. Once a task finds no worker, its group is skipped.
pub(super) fn fill(ledger: &mut Ledger<'_>, order: &[usize], choice: Choice, mut skip: impl FnMut() -> bool) {
    let mut stuck = vec![false; ledger.model.groups.len()];
    for &item in order {
        let group = ledger.model.items[item].group;
        if stuck[group] || ledger.seat_of(item).is_some() || skip() {
            continue;
        }
        match ledger.choose(item, choice) {
            Some(seat) => ledger.place(item, seat),
            None => stuck[group] = true,
        }
    }
}
