//! Ageing: the priority a task gains by waiting, and the proof that no task starves.
//!
//! A task gains [`POINTS_PER_HOUR`] per hour, so the order of two tasks never changes while they wait, and an index can
//! keep it: `ready_since - priority * 3,600,000`, ascending. Up to 1000, the maximum of a fresh task, that sum is the
//! aged priority. Beyond, each [`DOUBLING`] points count twice as much as those before.
//!
//! **The bound.** Take a task that fits the free capacity of a worker that asks. No plan leaves it out while it is
//! worth more than the tasks it would displace: at most as many as it has points, and one each for its slot, its area,
//! its contributor's quota and the quota newcomers share. So whatever is granted in its place is worth at least
//! 1/(points + 4) of it. Because worth doubles, only tasks that have waited nearly as long can be. Their number is
//! finite, however many fresh tasks arrive and however important they are. After 1,700 hours (10 weeks), a task of one
//! point and priority 0 can lose only to tasks within 300 hours of its waiting time and priority; one of 100 points,
//! after 2,100 hours (13 weeks), only within 800. `properties.rs` tests the property this rests on.
//!
//! The doubling ends at 5,000 hours (7 months). From there worth grows linearly: older still means more, and a task
//! loses only where as many tasks as it would displace have waited past that end too.

use super::super::{Span, Timestamp};

/// Priority points a task gains per hour of waiting.
const POINTS_PER_HOUR: i64 = 1;
/// Maximum priority of a fresh task; points beyond it count progressively more.
const MAX_FRESH_PRIORITY: i64 = 1000;
/// Points after which each further point counts twice as much.
const DOUBLING: i64 = 100;
/// Maximum number of doublings, which keeps the sums of a plan far from overflow.
const DOUBLINGS: i64 = 40;

/// Returns a number that orders tasks like their aged priority, lowest first, and does not change while they wait. The
/// database computes the same in the column `rank`.
#[must_use]
pub fn rank(priority: i64, ready_since: Timestamp) -> i64 {
    ready_since.0.saturating_sub(priority.saturating_mul(Span::hours(1).0 / POINTS_PER_HOUR))
}

/// Returns the priority after waiting until `now`.
#[must_use]
pub fn aged_priority(priority: i64, ready_since: Timestamp, now: Timestamp) -> i64 {
    let waited = now.0.saturating_sub(ready_since.0).max(0) / Span::hours(1).0;
    let points = priority.saturating_add(waited.saturating_mul(POINTS_PER_HOUR));
    if points <= MAX_FRESH_PRIORITY {
        points
    } else {
        MAX_FRESH_PRIORITY.saturating_add(with_doublings(points - MAX_FRESH_PRIORITY))
    }
}

/// Counts 100 points once, the next 100 twice, the next 100 four times, and so on.
fn with_doublings(points: i64) -> i64 {
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
