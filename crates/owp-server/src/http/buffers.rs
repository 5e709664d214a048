//! Limits on the request bodies held in memory, in total and per address. Bodies are read before the sender is
//! authorised, so strangers must not be able to fill the memory. Webhook deliveries and API calls have separate
//! allowances: unsigned deliveries cannot make API calls fail. Bytes count from their arrival until the body is
//! dropped. The count is per process; each replica has its own.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MIB: usize = 1024 * 1024;
/// Allowance for deliveries. The share of one address exceeds the largest delivery, so one always fits.
pub(super) const WEBHOOKS: Allowance = Allowance { all: 64 * MIB, per_address: 32 * MIB };
/// Allowance for API calls. One address may hold eight bodies of the maximum size; four addresses can use up the total.
pub(super) const API: Allowance = Allowance { all: 32 * MIB, per_address: 8 * MIB };
/// Bytes at the start of each body that are not counted, so that small bodies always fit. The connection limit bounds
/// their total.
const UNCOUNTED: usize = 16 * 1024;

/// Limits on the bytes held at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    all: usize,
    per_address: usize,
}

/// An allowance and the bytes in use.
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

/// The bytes of one body; released on drop.
#[derive(Debug)]
pub(super) struct ReservedBytes {
    buffers: Arc<Buffers>,
    address: Option<Vec<u8>>,
    /// Bytes that may still arrive uncounted.
    uncounted: usize,
    /// Counted bytes.
    bytes: usize,
}

/// Error: the allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A body in memory.
#[derive(Debug)]
pub(super) struct BufferedBody {
    pub bytes: axum::body::Bytes,
    /// Keeps the body's bytes counted.
    pub _share: ReservedBytes,
}

impl Deref for BufferedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Buffers {
    /// Creates an unused allowance.
    pub(super) fn new(allowance: Allowance) -> Arc<Self> {
        Arc::new(Self { allowance, counted: Mutex::default() })
    }

    /// Creates a share without bytes.
    pub(super) fn share(self: &Arc<Self>, address: Option<Vec<u8>>) -> ReservedBytes {
        ReservedBytes { buffers: Arc::clone(self), address, uncounted: UNCOUNTED, bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReservedBytes {
    /// Returns true if `more` bytes would fit now.
    pub(super) fn fits(&self, more: usize) -> bool {
        let more = more.saturating_sub(self.uncounted);
        self.buffers.lock().fit(self.buffers.allowance, self.address.as_ref(), more)
    }

    /// Adds `bytes` to the share.
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

impl Drop for ReservedBytes {
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

    /// Returns a share of an address without uncounted bytes left.
    fn used(buffers: &Arc<Buffers>, address: u8) -> ReservedBytes {
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
