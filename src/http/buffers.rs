//! How many bytes of request bodies are held at once, in all and of one address. Bodies are read before it is known
//! whether their sender may call at all, so whoever comes must not be able to fill the memory with them. Bytes count from
//! when they arrive until the body is dropped. They are counted in this process; several replicas hold as many each.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

const ALL: usize = 64 * 1024 * 1024;
/// More than the largest delivery, so that one always fits.
const PER_ADDRESS: usize = 32 * 1024 * 1024;

/// The bytes that are held.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Counted>);

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
    /// A share without bytes yet.
    pub(super) fn share(self: &Arc<Self>, address: Option<Vec<u8>>) -> Share {
        Share { buffers: Arc::clone(self), address, bytes: 0 }
    }
}

impl Share {
    /// Says whether so many more bytes would fit now.
    pub(super) fn fits(&self, more: usize) -> bool {
        let counted = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.fit(self.address.as_ref(), more)
    }

    /// Counts so many more bytes.
    pub(super) fn take(&mut self, more: usize) -> Result<(), Full> {
        let mut counted = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counted.fit(self.address.as_ref(), more) {
            return Err(Full);
        }
        counted.all += more;
        if let Some(address) = &self.address {
            *counted.by_address.entry(address.clone()).or_default() += more;
        }
        self.bytes += more;
        Ok(())
    }
}

impl Counted {
    fn fit(&self, address: Option<&Vec<u8>>, more: usize) -> bool {
        let of_address = address.and_then(|address| self.by_address.get(address)).copied().unwrap_or(0);
        self.all + more <= ALL && of_address + more <= PER_ADDRESS
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counted = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[test]
    fn bytes_are_bounded_in_all_and_of_one_address_and_are_given_back() {
        let buffers = Arc::new(Buffers::default());
        let share = |address: u8| buffers.share(Some(vec![address]));
        let mut one = share(1);
        assert_eq!(one.take(PER_ADDRESS), Ok(()));
        assert_eq!((one.take(1), share(1).take(1)), (Err(Full), Err(Full)), "one address has its share");
        let mut two = share(2);
        assert_eq!(two.take(ALL - PER_ADDRESS), Ok(()));
        assert!(!share(3).fits(1), "all together have theirs");
        assert!(share(3).fits(0));
        drop(one);
        assert_eq!(share(3).take(PER_ADDRESS), Ok(()));
        assert_eq!(share(1).take(PER_ADDRESS), Ok(()));
        drop(two);
        let counted = buffers.0.lock().unwrap();
        assert!(counted.all == 0 && counted.by_address.is_empty(), "{counted:?}");
    }
}
