//! The number of connections of each far client.

use super::limits::neighbourhood;
use owp_base::net::is_near;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections per far client, by [`neighbourhood`].
#[derive(Debug, Default)]
pub(super) struct ConnectionCounts(Mutex<HashMap<Vec<u8>, usize>>);

/// A counted connection; released on drop.
pub(super) struct CountedConnection(Option<(Arc<ConnectionCounts>, Vec<u8>)>);

impl ConnectionCounts {
    /// Counts a connection, unless the client has as many as it may. Near clients are not counted.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<CountedConnection> {
        if is_near(address) {
            return Some(CountedConnection(None));
        }
        let client = neighbourhood(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(CountedConnection(Some((Arc::clone(self), client))))
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let Some((counts, client)) = &self.0 else { return };
        let mut open = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(client) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(open.remove(client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_ipv6_has_a_64_and_one_of_ipv4_an_address() {
        let counts = Arc::new(ConnectionCounts::default());
        let enter = |address: &str| counts.enter(address.parse().unwrap(), 1);
        let seats = ["2001:db8:0:1::1", "2001:db8:0:2::1", "203.0.113.9", "::ffff:203.0.113.10"].map(enter);
        assert!(seats.iter().all(Option::is_some), "four clients");
        for same in ["2001:db8:0:1:ffff::2", "::ffff:203.0.113.9", "203.0.113.10"] {
            assert!(enter(same).is_none(), "{same}");
        }
        drop(seats);
        assert!(counts.0.lock().unwrap().is_empty());
    }

    #[test]
    fn one_far_address_has_so_many_connections() {
        let counts = Arc::new(ConnectionCounts::default());
        let far: IpAddr = "203.0.113.9".parse().unwrap();
        let counted = counts.enter(far, 1);
        assert!(counted.is_some() && counts.enter(far, 1).is_none());
        assert!(counts.enter("203.0.113.10".parse().unwrap(), 1).is_some());
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let proxied = [counts.enter(near, 1), counts.enter(near, 1)];
        assert!(proxied.iter().all(Option::is_some));
        drop(counted);
        assert!(counts.enter(far, 1).is_some());
        assert!(counts.0.lock().unwrap().is_empty());
    }
}
