//! Wanted comments: the order in which they are sent while GitHub limits the rate of writes.

/// Send order of a repository's wanted comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendRank {
    /// Comments that affect a contributor's time: leases, linked pull requests, expiry warnings, and the single comment
    /// that replaces them in quiet repositories.
    Lease,
    /// Comments about an issue or a repository, such as notes.
    Notes,
    /// Replies to commands; their number is unbounded.
    Reply,
}

impl SendRank {
    /// All ranks, the first to send first.
    pub const ALL: [Self; 3] = [Self::Lease, Self::Notes, Self::Reply];

    /// Returns the rank for a comment key.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        match key.split_once(':').map_or(key, |(kind, _)| kind) {
            "lease" | "pull" | "warn" | "all" => Self::Lease,
            "reply" | "refusal" => Self::Reply,
            _ => Self::Notes,
        }
    }

    /// Returns the number stored in the database; lower goes first.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Lease => 0,
            Self::Notes => 1,
            Self::Reply => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SendRank::{self, Lease, Notes, Reply};

    #[test]
    fn leases_go_before_notes_and_notes_before_replies() {
        for (key, rank) in [
            ("lease:l_1", Lease),
            ("pull:7", Lease),
            ("warn:l_1", Lease),
            ("all", Lease),
            ("notes", Notes),
            ("policy", Notes),
            ("duplicate:5", Notes),
            ("reply:99", Reply),
            ("refusal:5:1", Reply),
            ("leases", Notes),
        ] {
            assert_eq!(SendRank::of_key(key), rank, "{key}");
        }
        assert!(SendRank::ALL.is_sorted_by_key(|rank| rank.code()));
    }
}
