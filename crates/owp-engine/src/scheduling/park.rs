//! Parked pulls: workers that wait for work, woken only by changes that can help them.

use crate::Scheduler;
use owp_pool::notification::Notification;
use owp_pool::worker::Worker;
use owp_pool::{Person, WorkerId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// Limits on parked pulls; further ones are answered at once.
const ALL: usize = 6_000;
const PER_ADDRESS: usize = 500;
const PER_PERSON: usize = 20;
const PER_WORKER: usize = 4;
/// Limit for unlinked workers where only linked ones are served. They get nothing until they are linked, which is what
/// they wait for.
const HOPELESS: usize = 200;

/// A group whose parked pulls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ParkGroup {
    All,
    Hopeless,
    Address(Vec<u8>),
    Person(String),
    Worker(WorkerId),
}

impl ParkGroup {
    fn limit(&self) -> usize {
        match self {
            Self::All => ALL,
            Self::Hopeless => HOPELESS,
            Self::Address(_) => PER_ADDRESS,
            Self::Person(_) => PER_PERSON,
            Self::Worker(_) => PER_WORKER,
        }
    }
}

/// Number of parked pulls by group.
#[derive(Debug, Default)]
pub(crate) struct Parking(Mutex<BTreeMap<ParkGroup, usize>>);

impl Parking {
    fn enter(&self, counted: &[ParkGroup]) -> bool {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.iter().any(|who| parked.get(who).is_some_and(|n| *n >= who.limit())) {
            return false;
        }
        for who in counted {
            *parked.entry(who.clone()).or_default() += 1;
        }
        true
    }

    fn leave(&self, counted: &[ParkGroup]) {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for who in counted {
            match parked.get_mut(who) {
                Some(n) if *n > 1 => *n -= 1,
                _ => drop(parked.remove(who)),
            }
        }
    }
}

/// A place to wait. It is freed when dropped, also when the client disconnects.
pub struct Parked {
    parking: Arc<Parking>,
    counted: Vec<ParkGroup>,
    notifications: broadcast::Receiver<Notification>,
}

impl Parked {
    /// Waits for a commit that can help a parked worker.
    pub async fn notified(&mut self) -> Notification {
        let mut most = match self.notifications.recv().await {
            Ok(notification) => notification,
            // Too many commits to follow: anything may have changed.
            Err(RecvError::Lagged(_)) => Notification::Worker,
            Err(RecvError::Closed) => std::future::pending().await,
        };
        // One attempt covers everything committed before it.
        while let Ok(more) = self.notifications.try_recv() {
            most = most.max(more);
        }
        most
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.parking.leave(&self.counted);
    }
}

impl Scheduler<'_> {
    /// Reserves a place to wait for work. Returns `None` above a limit: in total, per worker, contributor or address,
    /// or for workers that can get nothing yet.
    #[must_use]
    pub fn park(&self, worker: &Worker, address: Option<Vec<u8>>) -> Option<Parked> {
        let parking = Arc::clone(&self.inner().parking);
        let notifications = self.store().notifications();
        let hopeless = !worker.person.is_linked() && !self.settings().open_registration;
        let counted = counted(worker, address, hopeless);
        parking.enter(&counted).then(|| Parked { parking, counted, notifications })
    }
}

fn counted(worker: &Worker, address: Option<Vec<u8>>, hopeless: bool) -> Vec<ParkGroup> {
    let person = match &worker.person {
        Person::Unlinked(_) => None,
        linked @ Person::GitHub(_) => Some(ParkGroup::Person(linked.key())),
    };
    [ParkGroup::All, ParkGroup::Worker(worker.id.clone())]
        .into_iter()
        .chain(hopeless.then_some(ParkGroup::Hopeless))
        .chain(address.map(ParkGroup::Address))
        .chain(person)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_so_many_places_and_gets_them_back() {
        let parking = Parking::default();
        let of = |name: &str| [ParkGroup::All, ParkGroup::Worker(WorkerId::new(name))];
        assert!((0..PER_WORKER).all(|_| parking.enter(&of("w_ada"))));
        assert!(!parking.enter(&of("w_ada")));
        assert!(parking.enter(&of("w_bo")));
        parking.leave(&of("w_ada"));
        assert!(parking.enter(&of("w_ada")));
    }

    #[test]
    fn strangers_take_no_place_that_others_could_use() {
        let parking = Parking::default();
        let stranger = |n: usize, address: u8| {
            [
                ParkGroup::All,
                ParkGroup::Hopeless,
                ParkGroup::Address(vec![address]),
                ParkGroup::Worker(WorkerId::new(format!("w_{n}"))),
            ]
        };
        let parked = (0..500).filter(|n| (0..PER_WORKER).all(|_| parking.enter(&stranger(*n, 1)))).count();
        assert_eq!(parked * PER_WORKER, HOPELESS);
        let known = |n: usize, address: u8| {
            [
                ParkGroup::All,
                ParkGroup::Address(vec![address]),
                ParkGroup::Person(format!("gh:{n}")),
                ParkGroup::Worker(WorkerId::new("w_x")),
            ]
        };
        assert!(parking.enter(&known(1, 2)));
        let parking = Parking::default();
        let one_address = |n: usize| {
            [ParkGroup::All, ParkGroup::Address(vec![1]), ParkGroup::Worker(WorkerId::new(format!("w_{n}")))]
        };
        assert_eq!((0..ALL).filter(|n| parking.enter(&one_address(*n))).count(), PER_ADDRESS);
        assert!(parking.enter(&known(1, 2)), "another address still has places");
        assert!(!parking.enter(&known(1, 1)));
    }
}
