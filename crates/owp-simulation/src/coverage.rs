//! Which corners of the pool the histories reach, so that a quiet one shows.

use std::collections::BTreeMap;
use std::fmt;

/// Number of times that each thing was seen, by group and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, BTreeMap<String, u64>>);

impl Coverage {
    pub(crate) fn note(&mut self, group: &'static str, name: impl Into<String>) {
        *self.0.entry(group).or_default().entry(name.into()).or_default() += 1;
    }

    /// Adds what another history reached.
    pub fn add(&mut self, other: &Self) {
        for (group, names) in &other.0 {
            let own = self.0.entry(group).or_default();
            for (name, count) in names {
                *own.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// Returns the groups with the names and counts in each.
    pub fn groups(&self) -> impl Iterator<Item = (&'static str, &BTreeMap<String, u64>)> {
        self.0.iter().map(|(group, names)| (*group, names))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, names) in &self.0 {
            writeln!(f, "{group}:")?;
            for (name, count) in names {
                writeln!(f, "  {count:>9}  {name}")?;
            }
        }
        Ok(())
    }
}
