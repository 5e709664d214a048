//! When something is done again and again, told as cron tells it.

use super::ConfigError;
use std::str::FromStr;

/// Moments that come again and again, in UTC.
#[derive(Debug, Clone)]
pub struct Schedule(cron::Schedule);

/// A little after the hour, when few others ask GitHub.
const USUAL: &str = "17 * * * *";

impl Schedule {
    /// Reads the five fields of cron: minute, hour, day of the month, month, day of the week.
    ///
    /// # Errors
    /// When it is not that, or never comes.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let odd = |why: &str| {
            ConfigError::new(format!(
                "{name}: `{text}` {why}; five fields are wanted: minute, hour, day of the month, month, day of the week by name, such as `{USUAL}`"
            ))
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [_, _, _, _, days] = fields[..] else { return Err(odd("does not have five fields")) };
        if days.contains(|c: char| c.is_ascii_digit()) {
            return Err(odd("numbers the days of the week, where one cron begins with Sunday and another with Monday"));
        }
        let schedule = Self(cron::Schedule::from_str(&format!("0 {text}")).map_err(|_| odd("is not a cron schedule"))?);
        schedule.after(0).map(|_| schedule).ok_or_else(|| odd("never comes"))
    }

    /// The first moment after `ms`, both in Unix milliseconds.
    #[must_use]
    pub fn after(&self, ms: i64) -> Option<i64> {
        let from = chrono::DateTime::from_timestamp_millis(ms)?;
        self.0.after(&from).next().map(|at| at.timestamp_millis())
    }
}

impl Default for Schedule {
    fn default() -> Self {
        // The text is ours and known to be right; a test holds that.
        Self::parse("the default", USUAL).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 21 November 2026, 03:09 UTC, a Saturday.
    const NOW: i64 = 1_795_230_540_000;
    const MINUTE: i64 = 60_000;

    #[test]
    fn a_schedule_tells_the_next_moment() {
        assert_eq!(Schedule::default().after(NOW), Some(NOW + 8 * MINUTE));
        assert_eq!(Schedule::default().after(NOW + 8 * MINUTE), Some(NOW + 68 * MINUTE));
        assert_eq!(Schedule::parse("X", "9 3 * * SUN").unwrap().after(NOW), Some(NOW + 24 * 60 * MINUTE));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_an_example() {
        for odd in ["", "17", "17 * * *", "0 17 * * * *", "61 * * * *", "x * * * *", "0 0 30 2 *", "0 0 * * 1"] {
            let error = Schedule::parse("OWP_REDELIVER_AT", odd).unwrap_err().to_string();
            assert!(error.contains("OWP_REDELIVER_AT") && error.contains("17 * * * *"), "{odd}: {error}");
        }
    }
}
