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
pub enum RateDecision {
    /// They run.
    Allowed,
    /// They run only if the author is a maintainer.
    MaintainersOnly,
    /// They do not run.
    Rejected,
}

/// Judges a comment with `fresh` commands, given its author's commands in the last minute and hour.
#[must_use]
pub fn decide_rate(fresh: i64, last_minute: i64, last_hour: i64) -> RateDecision {
    if last_minute + fresh > PER_MINUTE_OF_MAINTAINERS {
        RateDecision::Rejected
    } else if last_minute + fresh > PER_MINUTE || last_hour + fresh > PER_HOUR {
        RateDecision::MaintainersOnly
    } else {
        RateDecision::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_command_of_a_minute_and_the_sixty_first_of_an_hour_are_maintainers_alone() {
        for (fresh, minute, hour, expected) in [
            (1, 0, 0, RateDecision::Allowed),
            (5, 5, 55, RateDecision::Allowed),
            (1, 10, 10, RateDecision::MaintainersOnly),
            (5, 6, 6, RateDecision::MaintainersOnly),
            (1, 0, 60, RateDecision::MaintainersOnly),
            (5, 25, 25, RateDecision::MaintainersOnly),
            (5, 26, 26, RateDecision::Rejected),
            (1, 30, 300, RateDecision::Rejected),
        ] {
            assert_eq!(decide_rate(fresh, minute, hour), expected, "{fresh} after {minute} and {hour}");
        }
    }
}
