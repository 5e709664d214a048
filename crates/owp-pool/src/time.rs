//! Timestamps and spans in whole milliseconds; the current time is always passed in.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in time, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A duration in milliseconds; never negative in practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl Span {
    /// Creates a span of whole seconds.
    #[must_use]
    pub const fn secs(n: i64) -> Self {
        Self(n * 1000)
    }
    /// Creates a span of whole minutes.
    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self::secs(n * 60)
    }
    /// Creates a span of whole hours.
    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n * 60)
    }
    /// Creates a span of whole days.
    #[must_use]
    pub const fn days(n: i64) -> Self {
        Self::hours(n * 24)
    }
}

impl std::ops::Mul<i64> for Span {
    type Output = Self;
    fn mul(self, times: i64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl std::ops::Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl std::ops::Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// Formats the time as RFC 3339 in UTC, to the second: `2026-11-21T03:09:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0).map_or_else(
            || "1970-01-01T00:00:00Z".to_owned(),
            |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        )
    }

    /// Parses an RFC 3339 time; `None` for any other text.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Self(at.timestamp_millis()))
    }

    /// Formats the time for people: `21 Nov 2026, 03:09 UTC`.
    #[must_use]
    pub fn human(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0)
            .map_or_else(String::new, |at| at.format("%-d %b %Y, %H:%M UTC").to_string())
    }

    /// Formats its day in UTC for people: `21 Nov 2026`.
    #[must_use]
    pub fn date(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0)
            .map_or_else(String::new, |at| at.format("%-d %b %Y").to_string())
    }
}

impl Span {
    /// Parses numbers with units in lower case, one after another: `90s`, `30m`, `1d12h`. Months and years are not
    /// accepted because their length is ambiguous.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut total = 0_i64;
        let mut rest = text;
        while !rest.is_empty() {
            let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
            let (unit, later) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
            let unit = match unit {
                "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
                "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
                "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
                "d" | "day" | "days" => 86_400_000,
                "w" | "week" | "weeks" => 7 * 86_400_000,
                _ => return None,
            };
            total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
            rest = later;
        }
        (!text.is_empty()).then_some(Self(total))
    }

    /// Formats the span in the notation of [`Span::parse`], to the second: `4h`, `1d12h`, `0s`.
    #[must_use]
    pub fn compact(self) -> String {
        let secs = self.0.max(0) / 1000;
        let parts = [(secs / 86_400, 'd'), (secs / 3600 % 24, 'h'), (secs / 60 % 60, 'm'), (secs % 60, 's')];
        let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

impl fmt::Display for Span {
    /// Formats the two largest units: `2 h 5 min`, `45 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.max(0) / 1000;
        let parts = [(secs / 86_400, "d"), (secs / 3600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
        let Some(first) = parts.iter().position(|(n, _)| *n > 0) else { return f.write_str("0 s") };
        write!(f, "{} {}", parts[first].0, parts[first].1)?;
        match parts.get(first + 1) {
            Some((n, unit)) if *n > 0 => write!(f, " {n} {unit}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_a_person_says_them() {
        assert_eq!(Span::secs(45).to_string(), "45 s");
        assert_eq!(Span::minutes(125).to_string(), "2 h 5 min");
        assert_eq!(Span::days(3).to_string(), "3 d");
        assert_eq!(Span(-5).to_string(), "0 s");
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, secs) in [("30m", 1_800), ("2h", 7_200), ("1d12h", 129_600), ("90s", 90), ("2weeks", 1_209_600)] {
            let span = Span::parse(text);
            assert_eq!(span, Some(Span::secs(secs)), "{text}");
            assert_eq!(Span::parse(&Span::secs(secs).compact()), span);
        }
        for bad in ["", "h", "2", "2x", "h2", "2h3", "1.5h", "99999999999999999999h", "9223372036854775807w"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
        assert_eq!([Span(0).compact(), Span::hours(36).compact()], ["0s", "1d12h"]);
    }

    #[test]
    fn times_round_trip_through_rfc3339() {
        let at = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z").unwrap();
        assert_eq!(at.rfc3339(), "2026-11-21T03:09:00Z");
        assert_eq!(at.human(), "21 Nov 2026, 03:09 UTC");
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }
}
