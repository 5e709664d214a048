//! Early ends of a check, and its assertions.

/// The reason a check stopped early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckError {
    /// The server violates the requirement.
    Fail(String),
    /// The check could not be completed: the server is unreachable, or a prerequisite does not work.
    Error(String),
    /// The server does not announce the feature, lacks a prerequisite, or is too slow to judge.
    Skip(String),
}

/// The result of a check.
pub(super) type CheckResult<T = ()> = Result<T, CheckError>;

/// Requires a precondition, or ends the check in an error: comparing nothing with nothing proves nothing.
pub(super) fn require(holds: bool, what: &str) -> CheckResult {
    if holds { Ok(()) } else { Err(CheckError::Error(format!("the check needs {what}, but there is none"))) }
}

/// Asserts the requirement, or fails the check with the observation.
pub(super) fn must(holds: bool, otherwise: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(CheckError::Fail(otherwise())) }
}
