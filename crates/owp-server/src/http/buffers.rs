//! How many bytes of request bodies are held at once, in all and of one address. Bodies are read before it is known
//! whether their sender may call at all, so strangers must not be able to fill the memory with them. Deliveries and API
//! calls have an allowance each: unsigned deliveries cannot make API calls fail. Bytes count from when they arrive until
//! the body is dropped. They are counted in this process; several replicas hold as many each.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MIB: usize = 1024 * 1024;
/// For deliveries. One address may hold more than the largest delivery, so that one always fits.
pub(super) const WEBHOOKS: Allowance = Allowance { all: 64 * MIB, per_address: 32 * MIB };
/// For API calls. One address may hold eight of the largest bodies, and it takes four addresses to use all of it.
pub(super) const API: Allowance = Allowance { all: 32 * MIB, per_address: 8 * MIB };
/// The first bytes of a body, which are not counted, so that small bodies always fit. The number of connections bounds
/// them.
const UNCOUNTED: usize = 16 * 1024;

/// Bytes that may be held at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    all: usize,
    per_address: usize,
}

/// An allowance, and the bytes of it that are held.
#[derive(Debug)]
pub(super) struct Buffers {
    allowance: Allowance,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: usize,
    by_address: HashMap<Vec<u8>, usize>,
}

/// One body's share; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    buffers: Arc<Buffers>,
    address: Option<Vec<u8>>,
    /// Bytes that may still come without being counted.
    uncounted: usize,
    /// Bytes that are counted.
    bytes: usize,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A body that is held.
#[derive(Debug)]
pub(super) struct Held {
    pub bytes: axum::body::Bytes,
    /// Its bytes count for as long as this lives.
    pub _share: Share,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Buffers {
    /// An allowance of which nothing is held yet.
    pub(super) fn new(allowance: Allowance) -> Arc<Self> {
        Arc::new(Self { allowance, counted: Mutex::default() })
    }

    /// A share without bytes yet.
    pub(super) fn share(self: &Arc<Self>, address: Option<Vec<u8>>) -> Share {
        Share { buffers: Arc::clone(self), address, uncounted: UNCOUNTED, bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Says whether so many more bytes would fit now.
    pub(super) fn fits(&self, more: usize) -> bool {
        let more = more.saturating_sub(self.uncounted);
        self.buffers.lock().fit(self.buffers.allowance, self.address.as_ref(), more)
    }

    /// Takes so many more bytes.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Full> {
        let more = bytes.saturating_sub(self.uncounted);
        let mut counted = self.buffers.lock();
        if !counted.fit(self.buffers.allowance, self.address.as_ref(), more) {
            return Err(Full);
        }
        self.uncounted = self.uncounted.saturating_sub(bytes);
        counted.all += more;
        if let Some(address) = &self.address {
            *counted.by_address.entry(address.clone()).or_default() += more;
        }
        self.bytes += more;
        Ok(())
    }
}

impl Counted {
    fn fit(&self, allowance: Allowance, address: Option<&Vec<u8>>, more: usize) -> bool {
        let of_address = address.and_then(|address| self.by_address.get(address)).copied().unwrap_or(0);
        self.all + more <= allowance.all && of_address + more <= allowance.per_address
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counted = self.buffers.lock();
        counted.all -= self.bytes;
        let Some(address) = &self.address else { return };
        match counted.by_address.get_mut(address) {
            Some(bytes) if *bytes > self.bytes => *bytes -= self.bytes,
            _ => drop(counted.by_address.remove(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Allowance = Allowance { all: 100, per_address: 60 };

    /// A share of an address that counts whatever it takes from now on.
    fn used(buffers: &Arc<Buffers>, address: u8) -> Share {
        let mut share = buffers.share(Some(vec![address]));
        assert_eq!(share.take(UNCOUNTED), Ok(()));
        share
    }

    #[test]
    fn bytes_are_bounded_in_all_and_of_one_address_and_are_given_back() {
        let buffers = Buffers::new(FEW);
        let share = |address| used(&buffers, address);
        let mut one = share(1);
        assert_eq!(one.take(60), Ok(()));
        assert_eq!((one.take(1), share(1).take(1)), (Err(Full), Err(Full)), "one address has its share");
        let mut two = share(2);
        assert_eq!(two.take(40), Ok(()));
        assert!(!share(3).fits(1), "all together have theirs");
        assert!(share(3).fits(0));
        drop(one);
        assert_eq!(share(3).take(60), Ok(()));
        assert_eq!(share(1).take(60), Ok(()));
        drop(two);
        let counted = buffers.lock();
        assert!(counted.all == 0 && counted.by_address.is_empty(), "{counted:?}");
    }

    #[test]
    fn a_small_body_fits_even_when_nothing_else_does() {
        let buffers = Buffers::new(FEW);
        let mut large = used(&buffers, 1);
        assert_eq!(large.take(60), Ok(()));
        let mut small = buffers.share(Some(vec![1]));
        assert!(small.fits(UNCOUNTED) && !small.fits(UNCOUNTED + 1));
        assert_eq!((small.take(UNCOUNTED - 1), small.take(1), small.take(1)), (Ok(()), Ok(()), Err(Full)));
        drop(small);
        assert_eq!(buffers.lock().all, 60, "what was not counted is not given back");
    }
}
