//! Throttles addresses that recently sent deliveries with wrong signatures or incomplete bodies. Each attempt costs
//! memory for a body and perhaps a hash, so an address has a quota per minute. GitHub stays below it: single
//! connections may break, but not thirty in a minute. The count is per process; each replica has its own.

use owp_base::net::is_near;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limits::neighbourhood;

/// Failed deliveries allowed per address and period.
const TRIES: u32 = 30;
const SPAN: Duration = Duration::from_secs(60);
/// Number of addresses above which expired entries are removed.
const MANY: usize = 20_000;

/// Start of the period and number of failed deliveries, per address.
#[derive(Debug, Default)]
pub(super) struct Distrust(Mutex<HashMap<Vec<u8>, (Duration, u32)>>);

impl Distrust {
    /// Returns how long an address must wait, if it must.
    pub(super) fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, failed) = spans.get(&neighbourhood(address))?;
        let over = (*began + SPAN).saturating_sub(now);
        (*failed >= TRIES && over > Duration::ZERO).then_some(over)
    }

    /// Records a failed delivery. A near address is exempt: it is more likely an undeclared proxy than the sender, and
    /// throttling it after thirty bad requests a minute would block GitHub.
    pub(super) fn note(&self, address: IpAddr, now: Duration) {
        if is_near(address) {
            return;
        }
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() >= MANY {
            spans.retain(|_, (began, _)| *began + SPAN > now);
        }
        let (began, failed) = spans.entry(neighbourhood(address)).or_insert((now, 0));
        if *began + SPAN <= now {
            (*began, *failed) = (now, 0);
        }
        *failed = failed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_tries_a_minute_and_one_nearby_any_number() {
        let (distrust, begin) = (Distrust::default(), Duration::from_secs(7));
        let far: IpAddr = "203.0.113.9".parse().unwrap();
        for _ in 0..TRIES {
            assert_eq!(distrust.wait(far, begin), None);
            distrust.note(far, begin);
        }
        assert_eq!(distrust.wait(far, begin + Duration::from_secs(10)), Some(Duration::from_secs(50)));
        assert_eq!(distrust.wait("203.0.113.10".parse().unwrap(), begin), None);
        let after = begin + SPAN;
        assert_eq!(distrust.wait(far, after), None);
        distrust.note(far, after);
        assert_eq!(distrust.wait(far, after), None, "a new minute begins");
        let near: IpAddr = "10.0.0.1".parse().unwrap();
        (0..100).for_each(|_| distrust.note(near, begin));
        assert_eq!(distrust.wait(near, begin), None);
    }
}
