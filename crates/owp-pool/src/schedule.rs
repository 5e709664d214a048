//! Recurring times in cron syntax: minute, hour, day of month, month, day of week, in UTC.
//!
//! A schedule only answers questions about times; nothing here waits.

use super::Timestamp;
use chrono::{DateTime, Utc};
use std::fmt;
use std::str::FromStr;

/// Minutes searched for the end of a matching stretch: a little more than a week.
const LOOK_AHEAD_MINUTES: i64 = 8 * 24 * 60;
const MINUTE_MS: i64 = 60_000;
const WEEK: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A five-field cron expression. Two are equal when their text is equal.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    times: cron::Schedule,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Schedule {
    /// Parses a five-field expression as described in `crontab(5)`; names of days and months are allowed.
    ///
    /// # Errors
    /// Returns the problem, as words that follow the setting's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "must have five fields (minute, hour, day of month, month, day of week), not {}",
                fields.len()
            ));
        };
        let seconds_first = format!("0 {minute} {hour} {day} {month} {}", weekdays(weekday)?);
        let times = cron::Schedule::from_str(&seconds_first)
            .map_err(|_| "is not a cron expression such as `0 22 * * MON-FRI`".to_owned())?;
        Ok(Self { text: fields.join(" "), times })
    }

    /// Returns true when the minute of `at` is included.
    #[must_use]
    pub fn includes(&self, at: Timestamp) -> bool {
        whole_minute(at).is_some_and(|minute| self.times.includes(minute))
    }

    /// Returns the first minute after `at` that is not included, if one comes within eight days.
    #[must_use]
    pub fn next_gap(&self, at: Timestamp) -> Option<Timestamp> {
        let minute = at.0.div_euclid(MINUTE_MS);
        (minute + 1..=minute + LOOK_AHEAD_MINUTES).map(|m| Timestamp(m * MINUTE_MS)).find(|at| !self.includes(*at))
    }

    /// Returns the first included minute after `at`.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let from = DateTime::<Utc>::from_timestamp_millis(at.0)?;
        self.times.after(&from).next().map(|next| Timestamp(next.timestamp_millis()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn whole_minute(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at.0.div_euclid(MINUTE_MS) * MINUTE_MS)
}

/// Rewrites the day of week with names: crontab counts Sunday as 0 (and 7), the library as 1.
fn weekdays(field: &str) -> Result<String, String> {
    let (days, step) = field.split_once('/').map_or((field, None), |(days, step)| (days, Some(step)));
    let name = |word: &str| match word.parse::<usize>() {
        Ok(number @ 0..=7) => Ok(WEEK[number % 7].to_owned()),
        Ok(_) => Err("has a day of week above 7"),
        Err(_) => Ok(word.to_uppercase()),
    };
    let mut parts = Vec::new();
    for part in days.split(',') {
        let ends: Vec<String> = part.split('-').map(name).collect::<Result<_, _>>()?;
        match &ends[..] {
            // The library rejects ranges that wrap around the end of the week.
            [from, to] => parts.push(span(from, to)?),
            _ => parts.push(ends.join("-")),
        }
    }
    let days = parts.join(",");
    Ok(step.map_or(days.clone(), |step| format!("{days}/{step}")))
}

fn span(from: &str, to: &str) -> Result<String, String> {
    let place = |day: &str| {
        let short: String = day.chars().take(3).collect();
        WEEK.iter().position(|name| *name == short).ok_or_else(|| format!("has no day of week `{day}`"))
    };
    let (from, to) = (place(from)?, place(to)?);
    let days: Vec<&str> = (0..=(to + 7 - from) % 7).map(|step| WEEK[(from + step) % 7]).collect();
    Ok(days.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 21 November 2026, 03:09 UTC.
    const SATURDAY: Timestamp = Timestamp(1_795_230_540_000);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_weekend_holds_from_its_first_minute_to_its_last() {
        for text in ["* * * * SAT,SUN", "* * * * 6,0", "* * * * 6-7", "*  * * *  sat-sun"] {
            let weekend = Schedule::parse(text).unwrap();
            assert!(weekend.includes(SATURDAY), "{text}");
            assert!(weekend.includes(at("2026-11-21T00:00:00Z")) && !weekend.includes(at("2026-11-20T23:59:59Z")));
            assert_eq!(weekend.next_gap(SATURDAY), Some(at("2026-11-23T00:00:00Z")), "{text}");
        }
    }

    #[test]
    fn a_stretch_without_an_end_has_none() {
        let always = Schedule::parse("* * * * *").unwrap();
        assert!(always.includes(SATURDAY));
        assert_eq!(always.next_gap(SATURDAY), None);
        let nights = Schedule::parse("* 22-23,0-5 * * *").unwrap();
        assert_eq!(nights.next_gap(SATURDAY), Some(at("2026-11-21T06:00:00Z")));
        assert_eq!(nights.next_after(at("2026-11-21T12:30:30Z")), Some(at("2026-11-21T22:00:00Z")));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (text, word) in [
            ("* * * *", "five fields"),
            ("0 * * * * *", "not 6"),
            ("61 * * * *", "cron expression"),
            ("* * * * 8", "above 7"),
            ("* * * * SAT-FUN", "no day of week"),
            ("every weekend", "five fields"),
        ] {
            assert!(Schedule::parse(text).unwrap_err().contains(word), "{text}");
        }
    }
}
