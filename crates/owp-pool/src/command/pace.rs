//! How fast one contributor may write commands. Everything beyond is turned away before GitHub is asked anything.

use super::super::Span;

/// Commands of one contributor in [`MINUTE`].
pub const PER_MINUTE: i64 = 10;
/// Commands of one contributor in [`HOUR`], unless they may write to the repository.
pub const PER_HOUR: i64 = 60;
/// Commands in [`MINUTE`] of somebody who may write to the repository.
const PER_MINUTE_OF_MAINTAINERS: i64 = 30;

/// The shorter span commands are counted in.
pub const MINUTE: Span = Span::minutes(1);
/// The longer one.
pub const HOUR: Span = Span::hours(1);

/// Whether a comment's commands may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Whoever wrote them.
    Steady,
    /// Only those of somebody who may write to the repository.
    Fast,
    /// Nobody's.
    TooFast,
}

/// Judges a comment of `fresh` commands by somebody who wrote so many in the last minute and hour.
#[must_use]
pub fn pace(fresh: i64, last_minute: i64, last_hour: i64) -> Pace {
    if last_minute + fresh > PER_MINUTE_OF_MAINTAINERS {
        Pace::TooFast
    } else if last_minute + fresh > PER_MINUTE || last_hour + fresh > PER_HOUR {
        Pace::Fast
    } else {
        Pace::Steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_command_of_a_minute_and_the_sixty_first_of_an_hour_are_maintainers_alone() {
        for (fresh, minute, hour, expected) in [
            (1, 0, 0, Pace::Steady),
            (5, 5, 55, Pace::Steady),
            (1, 10, 10, Pace::Fast),
            (5, 6, 6, Pace::Fast),
            (1, 0, 60, Pace::Fast),
            (5, 25, 25, Pace::Fast),
            (5, 26, 26, Pace::TooFast),
            (1, 30, 300, Pace::TooFast),
        ] {
            assert_eq!(pace(fresh, minute, hour), expected, "{fresh} after {minute} and {hour}");
        }
    }
}
