//! Local search: raises a plan until no insertion, swap, swap with a move, or forced entry raises it further.
//!
//! Every step raises the worth, which is bounded, so the search ends without a limit on effort. `force` places a task
//! that outweighs all it would displace; the bound of [`super::aging`] depends on that.

use super::ledger::{Choice, Ledger, Obstacles};
use super::model::{EVERYWHERE, Model, NONE, Worth};
use super::starts::fill;

/// Raises the plan as far as single steps go; returns true when its worth rose.
pub(super) fn polish(ledger: &mut Ledger<'_>) -> bool {
    let before = ledger.worth();
    let order: Vec<usize> = (0..ledger.model.items.len()).collect();
    loop {
        fill(ledger, &order, Choice::Fair, || false);
        let mut changed = false;
        for group in 0..ledger.model.groups.len() {
            changed |= let_in(ledger, group);
        }
        if !changed {
            return ledger.worth() > before;
        }
    }
}

/// Returns an upper bound on the worth of any plan: the best tasks within all slots, areas and leases.
pub(super) fn most_possible(model: &Model<'_>) -> Worth {
    let mut slots = model.slots.clone();
    let mut areas = vec![false; model.areas];
    let mut leases = model.seats.iter().fold(0_i64, |sum, seat| sum.saturating_add(seat.leases.max(0)));
    let mut sum = 0;
    for item in &model.items {
        let locked = item.area != NONE && areas[item.area];
        if leases > 0 && slots[item.repo] > 0 && !locked {
            leases -= 1;
            slots[item.repo] -= 1;
            sum += item.worth;
            if item.area != NONE {
                areas[item.area] = true;
            }
        }
    }
    sum
}

/// Tries to place the best task of a group that is left out.
fn let_in(ledger: &mut Ledger<'_>, group: usize) -> bool {
    let left_out = ledger.model.groups[group].iter().copied().find(|&item| ledger.seat_of(item).is_none());
    let Some(item) = left_out else { return false };
    if let Some(seat) = ledger.choose(item, Choice::Fair) {
        ledger.place(item, seat);
        return true;
    }
    if is_out_of_reach(ledger, item) {
        return false;
    }
    let seats = takers(ledger, item);
    swap(ledger, item, &seats) || relocate(ledger, item, &seats) || force(ledger, item, &seats)
}

/// Returns true when the holders of the slot or area the item lacks are worth no less; saves checking every worker.
fn is_out_of_reach(ledger: &Ledger<'_>, item: usize) -> bool {
    let it = &ledger.model.items[item];
    let held = it.area != NONE && ledger.holder(it.area) != NONE;
    let locked = held && ledger.model.items[ledger.holder(it.area)].worth >= it.worth;
    locked || (ledger.slots(it.repo) <= 0 && ledger.least(ledger.given(it.repo)) >= it.worth)
}

/// Replaces the least valuable grant that alone blocks the item and is worth less.
fn swap(ledger: &mut Ledger<'_>, item: usize, seats: &[usize]) -> bool {
    let worth = ledger.model.items[item].worth;
    let mut best: Option<(Worth, usize, usize)> = None;
    for &seat in seats {
        for out in in_the_way(ledger, item, seat) {
            let loss = ledger.model.items[out].worth;
            if loss < worth && best.is_none_or(|(least, ..)| loss < least) {
                best = Some((loss, out, seat));
            }
        }
    }
    let Some((_, out, seat)) = best else { return false };
    ledger.remove(out);
    ledger.place(item, seat);
    true
}

/// Places the item where the grant that blocks it can move to another worker.
fn relocate(ledger: &mut Ledger<'_>, item: usize, seats: &[usize]) -> bool {
    // A moved grant keeps its slot and its area, so neither may be what is missing.
    if !ledger.is_open(item) || !ledger.any_open() {
        return false;
    }
    for &seat in seats {
        let movable: Vec<usize> = in_the_way(ledger, item, seat).filter(|&out| ledger.could_move(out, seat)).collect();
        for out in movable {
            let mark = ledger.mark();
            ledger.remove(out);
            ledger.place(item, seat);
            if let Some(other) = ledger.choose(out, Choice::Tight) {
                ledger.place(out, other);
                return true;
            }
            ledger.rollback(mark);
        }
    }
    false
}

/// Removes as many grants as the item needs, when together they are worth less.
fn force(ledger: &mut Ledger<'_>, item: usize, seats: &[usize]) -> bool {
    let worth = ledger.model.items[item].worth;
    let mut best: Option<(Worth, Vec<usize>, usize)> = None;
    for &seat in seats {
        let least = best.as_ref().map_or(worth, |(least, ..)| *least);
        if let Some((loss, out)) = to_send_out(ledger, item, seat, least) {
            best = Some((loss, out, seat));
        }
    }
    let Some((_, out, seat)) = best else { return false };
    for &other in &out {
        ledger.remove(other);
    }
    ledger.place(item, seat);
    for other in out {
        if let Some(seat) = ledger.choose(other, Choice::Tight) {
            ledger.place(other, seat);
        }
    }
    true
}

/// Returns the workers that could take the item if they had no new grants.
fn takers(ledger: &mut Ledger<'_>, item: usize) -> Vec<usize> {
    let model = ledger.model;
    let takers: Vec<usize> = model.able(item).iter().filter(|&seat| model.could(seat, item)).collect();
    ledger.asked += takers.len() as u64;
    takers
}

/// Returns the granted items that alone block a worker from an item.
fn in_the_way<'a>(ledger: &'a Ledger<'_>, item: usize, seat: usize) -> impl Iterator<Item = usize> + 'a {
    let model = ledger.model;
    let it = &model.items[item];
    let obstacles = ledger.obstacles(item, seat);
    let rooms = model.rooms_of(seat, it.repo);
    let clears = move |out: &usize| {
        let other = &model.items[*out];
        let holder = ledger.seat_of(*out).unwrap_or(NONE);
        let here = other.repo == it.repo;
        (!obstacles.seat || (holder == seat && ledger.points(seat) + other.estimate >= it.estimate))
            && (!obstacles.area || ledger.holder(it.area) == *out)
            && (0..rooms.len()).all(|kind| !obstacles.rooms[kind] || shares(ledger, kind, rooms[kind], item, *out))
            && (!obstacles.slot || here)
    };
    let among = match obstacles {
        Obstacles { seat: true, .. } => ledger.held(seat).to_vec(),
        Obstacles { rooms, .. } if rooms[EVERYWHERE] => held_by_person(ledger, seat),
        any if any.any() => ledger.given(it.repo).to_vec(),
        _ => Vec::new(),
    };
    among.into_iter().filter(clears)
}

/// Returns true when a granted item uses the quota of this kind that blocks an item's worker.
fn shares(ledger: &Ledger<'_>, kind: usize, room: usize, item: usize, out: usize) -> bool {
    let model = ledger.model;
    let repo = model.items[out].repo;
    let near = kind == EVERYWHERE || repo == model.items[item].repo;
    near && ledger.seat_of(out).is_some_and(|holder| model.rooms_taken(holder, repo).any(|taken| taken == room))
}

/// Returns all items granted to a worker's contributor.
fn held_by_person(ledger: &Ledger<'_>, seat: usize) -> Vec<usize> {
    ledger.model.seats_of_person(seat).flat_map(|seat| ledger.held(seat)).copied().collect()
}

/// Returns the cheapest set found whose removal admits the item, if it is worth less than `limit`: the area's holder,
/// then items that free the worker, the quotas and the slot, least worth first.
fn to_send_out(ledger: &Ledger<'_>, item: usize, seat: usize, limit: Worth) -> Option<(Worth, Vec<usize>)> {
    let model = ledger.model;
    let it = &model.items[item];
    let Obstacles { area, rooms, slot, .. } = ledger.obstacles(item, seat);
    let mut out = Vec::new();
    let mut loss = 0;
    if area {
        out.push(ledger.holder(it.area));
        loss += model.items[out[0]].worth;
    }
    let (mut points, mut leases) = (ledger.points(seat), ledger.leases(seat));
    if out.first().is_some_and(|&first| ledger.seat_of(first) == Some(seat)) {
        points += model.items[out[0]].estimate;
        leases += 1;
    }
    while points < it.estimate || leases <= 0 {
        if loss >= limit {
            return None;
        }
        let rest = || ledger.held(seat).iter().copied().filter(|other| !out.contains(other));
        let enough = |other: &usize| points + model.items[*other].estimate >= it.estimate;
        let next = ledger.cheapest(rest().filter(enough)).or_else(|| ledger.cheapest(rest()))?;
        points += model.items[next].estimate;
        leases += 1;
        loss += model.items[next].worth;
        out.push(next);
    }
    let own = model.rooms_of(seat, it.repo);
    let given = || ledger.given(it.repo).iter().copied();
    for kind in (0..own.len()).filter(|kind| rooms[*kind]) {
        let shares = |other: &usize| shares(ledger, kind, own[kind], item, *other);
        if loss < limit && !out.iter().any(&shares) {
            let among = if kind == EVERYWHERE { held_by_person(ledger, seat) } else { given().collect() };
            let next = ledger.cheapest(among.into_iter().filter(shares))?;
            loss += model.items[next].worth;
            out.push(next);
        }
    }
    if slot && loss < limit && !out.iter().any(|&other| model.items[other].repo == it.repo) {
        let next = ledger.cheapest(given())?;
        loss += model.items[next].worth;
        out.push(next);
    }
    (loss < limit).then_some((loss, out))
}
