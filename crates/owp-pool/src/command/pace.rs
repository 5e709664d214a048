//! Rate limit on the commands of one contributor. Commands beyond it are rejected before any request to GitHub.

use super::super::Span;

/// Maximum number of commands of one contributor in [`MINUTE`].
pub const PER_MINUTE: i64 = 10;
/// Maximum number of commands of one contributor in [`HOUR`]; maintainers are exempt.
pub const PER_HOUR: i64 = 60;
/// Maximum number of commands of one maintainer in [`MINUTE`].
const PER_MINUTE_OF_MAINTAINERS: i64 = 30;

/// Short window of the rate limit.
pub const MINUTE: Span = Span::minutes(1);
/// Long window of the rate limit.
pub const HOUR: Span = Span::hours(1);

/// Decision on the commands of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// They run.
    Steady,
    /// They run only if the author is a maintainer.
    Fast,
    /// They do not run.
    TooFast,
}

/// Judges a comment with `fresh` commands, given its author's commands in the last minute and hour.
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
