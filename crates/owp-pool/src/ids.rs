//! Identifiers as newtypes, so that a worker can never be passed where a task is meant.
//!
//! Ours are a prefix and a UUIDv7 in lower-case base32hex, which sorts by time. The pool has no randomness:
//! the caller brings the sixteen bytes.

use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The letters every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Builds the id from the sixteen bytes of a UUIDv7.
            #[must_use]
            pub fn from_uuid_bytes(bytes: &[u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, data_encoding::BASE32_DNSSEC.encode(bytes)))
            }

            /// Takes an id as a caller or a row spelled it; whether it exists is for the store to say.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as it is written in JSON and rows.
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
    /// A repository, whatever its name is today.
    RepoId, "r_"
);
text_id!(
    /// A worker: one client, or one person claiming by comment.
    WorkerId, "w_"
);
text_id!(
    /// A task.
    TaskId, "t_"
);
text_id!(
    /// A lease; never used twice.
    LeaseId, "l_"
);
text_id!(
    /// An audit event.
    EventId, "e_"
);

/// Whom caps, trust and bans belong to: a GitHub user id, or a worker nobody has linked to one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// GitHub's numeric user id; logins change, this does not.
    GitHub(i64),
    /// A worker that has not proven who it is.
    Unlinked(WorkerId),
}

impl Person {
    /// The key rows use: `gh:583231` or `w:w_…`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::GitHub(id) => format!("gh:{id}"),
            Self::Unlinked(worker) => format!("w:{worker}"),
        }
    }

    /// Reads [`Person::key`] back; `None` for anything else.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        if let Some(id) = key.strip_prefix("gh:") {
            return id.parse().ok().map(Self::GitHub);
        }
        key.strip_prefix("w:").map(|w| Self::Unlinked(WorkerId::new(w)))
    }

    /// True once a GitHub identity stands behind this person.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        matches!(self, Self::GitHub(_))
    }
}

/// How often a task has been granted; a write that carries an older value is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub i64);

impl Epoch {
    /// The epoch of the next grant.
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
