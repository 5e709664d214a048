//! GitHub's rate limits: requests per hour and token holder, content creation per minute and hour and installation.

use std::collections::{BTreeMap, VecDeque};

const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Hourly quota without credentials. GitHub counts by IP address; the sandbox has one quota for all anonymous callers.
const ANONYMOUS_PER_HOUR: u64 = 60;

/// Holder name of requests without credentials.
pub(super) const ANONYMOUS: &str = "anonymous";

/// The remaining quota of a holder in this hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) limit: u64,
    pub(super) used: u64,
    /// Reset time, in Unix seconds.
    pub(super) reset: i64,
}

/// The limits and their current use.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    per_hour: u64,
    /// Content creation limit per installation: per minute, per hour.
    content: Option<(usize, usize)>,
    windows: BTreeMap<String, (i64, u64)>,
    written: BTreeMap<u64, VecDeque<i64>>,
}

impl Limits {
    pub(super) fn new(per_hour: u64, content: Option<(usize, usize)>) -> Self {
        Self { per_hour, content, windows: BTreeMap::new(), written: BTreeMap::new() }
    }

    /// Counts one request. `used` may exceed `limit`; then the request is rejected.
    pub(super) fn count(&mut self, holder: &str, now: i64) -> Budget {
        let window = self.windows.entry(holder.to_owned()).or_insert((now, 0));
        if now - window.0 >= HOUR_MS {
            *window = (now, 0);
        }
        window.1 += 1;
        let (start, used) = *window;
        Budget { limit: self.limit(holder), used, reset: (start + HOUR_MS) / 1_000 }
    }

    /// Returns the quota without counting a request.
    pub(super) fn peek(&self, holder: &str, now: i64) -> Budget {
        let (start, used) = self.windows.get(holder).copied().unwrap_or((now, 0));
        Budget { limit: self.limit(holder), used, reset: (start + HOUR_MS) / 1_000 }
    }

    fn limit(&self, holder: &str) -> u64 {
        if holder == ANONYMOUS { self.per_hour.min(ANONYMOUS_PER_HOUR) } else { self.per_hour }
    }

    /// Returns one request to the quota: conditional requests with a 304 response are free.
    pub(super) fn refund(&mut self, holder: &str) {
        if let Some(window) = self.windows.get_mut(holder) {
            window.1 = window.1.saturating_sub(1);
        }
    }

    /// Counts one piece of content; over the limit it returns the seconds to wait.
    pub(super) fn write(&mut self, installation: u64, now: i64) -> Result<(), i64> {
        let Some((minute, hour)) = self.content else { return Ok(()) };
        let written = self.written.entry(installation).or_default();
        while written.front().is_some_and(|at| now - at >= HOUR_MS) {
            written.pop_front();
        }
        let recent = written.iter().rev().take_while(|at| now - **at < MINUTE_MS).count();
        if recent >= minute || written.len() >= hour {
            return Err(60);
        }
        written.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_limited_by_the_minute_and_by_the_hour() {
        let mut limits = Limits::new(5_000, Some((2, 3)));
        assert_eq!([limits.write(1, 0), limits.write(1, 1), limits.write(1, 2)], [Ok(()), Ok(()), Err(60)]);
        assert_eq!(limits.write(1, MINUTE_MS + 1), Ok(()));
        assert_eq!(limits.write(1, 3 * MINUTE_MS), Err(60));
        assert_eq!(limits.write(2, 3 * MINUTE_MS), Ok(()));
        assert_eq!(limits.write(1, HOUR_MS + 2), Ok(()));
    }

    #[test]
    fn a_new_hour_starts_a_new_window() {
        let mut limits = Limits::new(1, None);
        assert_eq!(limits.count("a", 0).used, 1);
        assert_eq!(limits.count("a", 1).used, 2);
        assert_eq!(limits.count("a", HOUR_MS).used, 1);
    }

    #[test]
    fn without_credentials_there_is_less() {
        let mut limits = Limits::new(5_000, None);
        assert_eq!((limits.count(ANONYMOUS, 0).limit, limits.count("app", 0).limit), (60, 5_000));
        assert_eq!(Limits::new(3, None).peek(ANONYMOUS, 0).limit, 3);
    }
}
