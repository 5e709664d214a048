//! Sets of workers as bits, which make intersections cheap.

/// A set of small numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BitSet(Vec<u64>);

impl BitSet {
    pub(super) fn empty(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    pub(super) fn from_fn(size: usize, mut member: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::empty(size);
        for n in (0..size).filter(|n| member(*n)) {
            bits.set(n, true);
        }
        bits
    }

    pub(super) fn set(&mut self, n: usize, member: bool) {
        let bit = 1 << (n % 64);
        if member {
            self.0[n / 64] |= bit;
        } else {
            self.0[n / 64] &= !bit;
        }
    }

    pub(super) fn contains(&self, n: usize) -> bool {
        self.0[n / 64] >> (n % 64) & 1 == 1
    }

    pub(super) fn intersect_with(&mut self, other: &Self) {
        for (word, mask) in self.0.iter_mut().zip(&other.0) {
            *word &= mask;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        ones(self.0.iter().copied())
    }

    /// Iterates over the intersection, in ascending order.
    pub(super) fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        ones(self.0.iter().zip(&other.0).map(|(a, b)| a & b))
    }
}

fn ones(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(at, mut word)| {
        std::iter::from_fn(move || {
            if word == 0 {
                return None;
            }
            let bit = word.trailing_zeros() as usize;
            word &= word - 1;
            Some(at * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_in_order() {
        let (mut thirds, evens) = (BitSet::from_fn(130, |n| n % 3 == 0), BitSet::from_fn(130, |n| n % 2 == 0));
        assert!(thirds.contains(129) && !thirds.contains(128));
        assert!(thirds.intersection(&evens).eq((0..130).step_by(6)));
        thirds.intersect_with(&evens);
        thirds.set(0, false);
        assert!(thirds.iter().eq((6..130).step_by(6)));
    }
}
