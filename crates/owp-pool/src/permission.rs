//! Access levels of accounts in a repository.

/// Access level of an account in a repository, ordered from lowest to highest, so that `>=` means "at least".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// No access.
    None,
    /// Read access; everybody has it on a public repository.
    Read,
    /// Also manages issues: labels, assignees, closing.
    Triage,
    /// Also pushes and merges.
    Write,
    /// Also manages some of the repository's settings.
    Maintain,
    /// Full access.
    Admin,
}

impl Permission {
    /// Parses a role name; returns `None` for an organisation's custom roles.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "read" | "pull" => Some(Self::Read),
            "triage" => Some(Self::Triage),
            "write" | "push" => Some(Self::Write),
            "maintain" => Some(Self::Maintain),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}
