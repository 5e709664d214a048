//! Ageing: what a task gains by waiting, and why nothing starves.
//!
//! A task gains [`POINTS_PER_HOUR`] for each hour, so that the order of two tasks never changes while they wait, and
//! an index can keep it: `ready_since - priority * 3,600,000`, ascending. Up to 1000, the highest a fresh task can
//! have, that sum is the aged priority. Beyond, each [`DOUBLING`] points count twice as much as those before.
//!
//! **The bound.** Beside a task that fits what an asker has free, a plan is never left as it is while the task is worth
//! more than what would have to make room: at most as many tasks as it has points, and one each for its slot, its
//! area, its person's limit and the one newcomers share. So whatever is granted in its place is worth at least
//! 1/(points + 4) of it, and because worth
//! doubles, that can only be tasks that wait nearly as long: of these there is a finite number, however many fresh
//! ones arrive and however important they are. A task of one point and priority 0 can lose, after 1,700 hours
//! (10 weeks), only to tasks that have waited, or are important, like it but for 300 hours; one of 100 points, after
//! 2,100 hours (13 weeks), but for 800. The property that carries this is tested in [`super::properties`].
//!
//! The doubling ends at 5,000 hours (7 months); from there worth grows evenly, older still means more, and a task loses
//! only where as many as it would displace have waited past that end too.

use super::super::{Span, Timestamp};

/// Priority points a task gains for each hour it waits.
const POINTS_PER_HOUR: i64 = 1;
/// The most a fresh task can have; what has aged past it counts more and more.
const FRESH: i64 = 1000;
/// Points after which a further point is worth twice as much.
const DOUBLING: i64 = 100;
/// Doublings at most, so that sums of a plan's priorities stay far from overflowing.
const DOUBLINGS: i64 = 40;

/// The priority after waiting until `now`.
#[must_use]
pub fn aged_priority(priority: i64, ready_since: Timestamp, now: Timestamp) -> i64 {
    let waited = now.0.saturating_sub(ready_since.0).max(0) / Span::hours(1).0;
    let points = priority.saturating_add(waited.saturating_mul(POINTS_PER_HOUR));
    if points <= FRESH { points } else { FRESH.saturating_add(grown(points - FRESH)) }
}

/// 100 points count once, the next 100 twice, the next four times …
fn grown(points: i64) -> i64 {
    let doublings = (points / DOUBLING).min(DOUBLINGS);
    let rest = points - doublings * DOUBLING;
    let whole = ((1_i64 << doublings) - 1) * DOUBLING;
    whole.saturating_add(rest.saturating_mul(1 << doublings))
}

#[cfg(test)]
mod tests {
    use super::super::model::VALUE_MAX;
    use super::*;

    fn waited(priority: i64, hours: i64) -> i64 {
        aged_priority(priority, Timestamp(0), Timestamp(Span::hours(hours).0))
    }

    #[test]
    fn an_hour_is_a_point_until_no_fresh_task_could_have_as_many() {
        assert_eq!([waited(50, 0), waited(20, 81), waited(0, 1000)], [50, 101, 1000]);
        assert_eq!([waited(0, 1100), waited(0, 1101), waited(0, 1200)], [1100, 1102, 1300]);
        assert_eq!(waited(100, 1100), waited(0, 1200), "an hour and a point stay the same thing");
    }

    #[test]
    fn waiting_never_lowers_and_nothing_overflows() {
        let mut last = 0;
        for hours in 0..20_000 {
            let next = waited(0, hours);
            assert!(next > last || hours == 0, "{hours}");
            last = next;
        }
        assert!(last < VALUE_MAX, "two years and more are told apart");
        assert!(aged_priority(i64::MAX, Timestamp(i64::MIN), Timestamp(i64::MAX)) > last);
        assert_eq!(aged_priority(50, Timestamp(5), Timestamp(0)), 50, "a task from the future has not waited");
    }

    #[test]
    fn one_task_that_waited_outweighs_all_it_could_displace_unless_they_waited_nearly_as_long() {
        for (points, after, less) in [(1, 1_700, 300), (5, 1_800, 400), (100, 2_100, 800)] {
            for hours in after..4_900 {
                assert!(waited(0, hours) > (points + 4) * waited(0, hours - less), "{points} points, {hours} h");
            }
        }
    }
}
