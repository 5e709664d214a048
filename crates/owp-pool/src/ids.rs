//! Identifiers as newtypes, so that a worker id cannot be passed for a task id.
//!
//! The pool's own ids are a prefix and a UUIDv7 in lower-case base32hex, so they sort by time.
//! This crate has no randomness: the caller supplies the sixteen bytes.

use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Prefix of every id of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Builds the id from the sixteen bytes of a UUIDv7.
            #[must_use]
            pub fn from_uuid_bytes(bytes: &[u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, data_encoding::BASE32_DNSSEC.encode(bytes)))
            }

            /// Wraps an id from a request or a row; the store checks that it exists.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the id as written in JSON and rows.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A repository; a rename does not change its id.
    RepoId, "r_"
);
text_id!(
    /// A worker: a registered program, or a contributor who claims by comment.
    WorkerId, "w_"
);
text_id!(
    /// A task.
    TaskId, "t_"
);
text_id!(
    /// A lease; never reused.
    LeaseId, "l_"
);
text_id!(
    /// An audit event.
    EventId, "e_"
);

/// Owner of claim quotas, trust and bans: a GitHub user, or a worker that is not linked to one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// GitHub's numeric user id; logins change, the id does not.
    GitHub(i64),
    /// A worker without a linked GitHub identity.
    Unlinked(WorkerId),
}

impl Person {
    /// Returns the key used in rows: `gh:583231` or `w:w_…`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::GitHub(id) => format!("gh:{id}"),
            Self::Unlinked(worker) => format!("w:{worker}"),
        }
    }

    /// Parses a [`Person::key`]; `None` for anything else.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        if let Some(id) = key.strip_prefix("gh:") {
            return id.parse().ok().map(Self::GitHub);
        }
        key.strip_prefix("w:").map(|w| Self::Unlinked(WorkerId::new(w)))
    }

    /// Returns true when a GitHub identity is linked.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        matches!(self, Self::GitHub(_))
    }
}

/// Number of grants of a task so far; a write that carries an older epoch is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub i64);

impl Epoch {
    /// Returns the epoch of the next grant.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_in_their_uuid() {
        let early = TaskId::from_uuid_bytes(&[0x01; 16]);
        let late = TaskId::from_uuid_bytes(&[0xfe; 16]);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 2 + 26);
    }

    #[test]
    fn a_person_survives_its_row() {
        for person in [Person::GitHub(583_231), Person::Unlinked(WorkerId::new("w_abc"))] {
            assert_eq!(Person::from_key(&person.key()), Some(person));
        }
        assert_eq!(Person::from_key("gh:octocat"), None);
    }
}
