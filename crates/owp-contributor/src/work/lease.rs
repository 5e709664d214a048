//! A lease as the work sees it: its time, and whether it is lost. Whoever sends the heartbeats keeps it up to date.

use std::time::Duration;
use tokio::time::Instant;

/// Interval at which a working agent's lease is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(5 * 60);
/// A lease with less time left is about to end, if heartbeats do not move its end.
const SHORT: Duration = Duration::from_secs(5 * 60);

/// The state of a lease. Times are those of this machine's monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct LeaseState {
    /// Why the lease is lost, once it is.
    pub lost: Option<String>,
    /// Begin of the work under this lease.
    pub begun: Option<Instant>,
    /// End of the lease, unless heartbeats move it.
    pub until: Option<Instant>,
    /// The longest time that was left of it.
    pub longest: Duration,
}

/// The time of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTime {
    /// Time since the work under it began.
    pub used: Duration,
    /// Time left.
    pub left: Duration,
    /// True if little is left, and heartbeats do not move the end.
    pub ends_soon: bool,
}

impl LeaseState {
    /// Notes that so much time is left.
    pub fn set_left(&mut self, left: Duration, now: Instant) {
        self.until = now.checked_add(left);
        self.longest = self.longest.max(left);
    }

    /// Notes a heartbeat sent at this moment, which the pool accepted: it renews the lease.
    pub fn renewed(&mut self, sent: Instant) {
        self.until = self.until.max(sent.checked_add(self.longest).filter(|_| !self.longest.is_zero()));
    }

    /// Returns true if its time is over.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// Returns its time; `None` if the pool did not tell its end.
    #[must_use]
    pub fn time(&self, now: Instant) -> Option<LeaseTime> {
        let left = self.until?.saturating_duration_since(now);
        let used = self.begun.map(|begun| now.saturating_duration_since(begun)).unwrap_or_default();
        // Heartbeats keep a lease above half of its time, also one of a minute.
        Some(LeaseTime { used, left, ends_soon: left < SHORT && left < self.longest / 2 })
    }
}

/// Decides when the time of a lease is shown: at the begin, at an interval, and once when it is about to end.
#[derive(Debug, Default)]
pub(super) struct Reminder {
    shown: Option<Instant>,
    warned: bool,
}

impl Reminder {
    /// Interval at which it should be asked.
    pub(super) const ASKED_EVERY: Duration = Duration::from_secs(10);

    /// Returns the time to show now, if any.
    pub(super) fn due(&mut self, lease: &LeaseState, now: Instant) -> Option<LeaseTime> {
        let time = lease.time(now)?;
        let is_news = time.ends_soon && !self.warned;
        self.warned = time.ends_soon;
        let is_due = self.shown.is_none_or(|shown| now.saturating_duration_since(shown) >= SHOWN_EVERY);
        (is_news || is_due).then(|| {
            self.shown = Some(now);
            time
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A lease of so many minutes that began now.
    fn lease(minutes: u32) -> (LeaseState, Instant) {
        let now = Instant::now();
        let mut lease = LeaseState { begun: Some(now), ..LeaseState::default() };
        lease.set_left(MINUTE * minutes, now);
        (lease, now)
    }

    #[test]
    fn the_time_is_shown_at_the_begin_and_every_five_minutes() {
        let (lease, now) = lease(120);
        let mut reminder = Reminder::default();
        let shown: Vec<u32> =
            (0..=12).filter(|minute| reminder.due(&lease, now + MINUTE * *minute).is_some()).collect();
        assert_eq!(shown, [0, 5, 10]);
        let time = lease.time(now + MINUTE * 12).unwrap();
        assert_eq!(time, LeaseTime { used: MINUTE * 12, left: MINUTE * 108, ends_soon: false });
        assert_eq!(Reminder::default().due(&LeaseState::default(), now), None, "a pool that tells no end");
    }

    #[test]
    fn a_lease_that_heartbeats_do_not_move_is_warned_of_once() {
        let (mut lease, now) = lease(120);
        let mut reminder = Reminder::default();
        let soon = |reminder: &mut Reminder, lease: &LeaseState, minute| {
            reminder.due(lease, now + MINUTE * minute).map(|time| time.ends_soon)
        };
        assert_eq!(soon(&mut reminder, &lease, 115), Some(false));
        assert_eq!(soon(&mut reminder, &lease, 116), Some(true));
        assert_eq!(soon(&mut reminder, &lease, 117), None);
        lease.set_left(MINUTE * 120, now + MINUTE * 118);
        assert_eq!(soon(&mut reminder, &lease, 118), None);
        assert!(!lease.is_over(now + MINUTE * 237) && lease.is_over(now + MINUTE * 238));
        assert_eq!(soon(&mut reminder, &lease, 237), Some(true));
    }

    #[test]
    fn a_short_lease_that_heartbeats_keep_is_no_reason_to_warn() {
        let (mut lease, now) = lease(1);
        lease.set_left(MINUTE, now + MINUTE / 3);
        assert!(!lease.time(now + MINUTE * 2 / 3).unwrap().ends_soon);
        assert!(lease.time(now + MINUTE).unwrap().ends_soon);
    }
}
