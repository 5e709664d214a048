//! Why a check ends before its end, and the one assertion there is.

/// Why a check stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The server does not do what the requirement says.
    Fail(String),
    /// The check could not come so far: the server cannot be reached, or something it builds on does not work.
    Error(String),
    /// The server does not claim to have what is checked, lacks what the check needs, or is too slow to tell.
    Skip(String),
}

/// How a check ends.
pub(super) type Verdict<T = ()> = Result<T, Stop>;

/// What a check needs in order to say anything is there, or it ends in error: nothing compared with nothing proves nothing.
pub(super) fn given(holds: bool, what: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::Error(format!("the check needs {what}, and there is none"))) }
}

/// The requirement holds, or the check fails with what was seen instead.
pub(super) fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::Fail(otherwise())) }
}
