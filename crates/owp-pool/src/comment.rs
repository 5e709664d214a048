//! Comments the pool wants to exist: which of them is written first when GitHub takes only so many.

/// The order in which the comments of a repository are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendRank {
    /// Comments somebody's time depends on: leases, linked pull requests, expiry warnings, and the one comment that quiet
    /// repositories fold them into.
    Lease,
    /// Comments about an issue or a repository, such as notes.
    Notes,
    /// Answers to what people typed. There may be any number of these.
    Reply,
}

impl SendRank {
    /// Every rank, the first to be written first.
    pub const ALL: [Self; 3] = [Self::Lease, Self::Notes, Self::Reply];

    /// The rank of a comment, by its key.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        match key.split_once(':').map_or(key, |(kind, _)| kind) {
            "lease" | "pull" | "warn" | "all" => Self::Lease,
            "reply" | "refusal" => Self::Reply,
            _ => Self::Notes,
        }
    }

    /// Its number in the database; lower ones go first.
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
