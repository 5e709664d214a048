//! Flag value parsers with this program's own error messages; clap's would quote the standard library's.

use std::net::SocketAddr;
use std::time::Duration;

/// Parses a whole number within bounds.
pub fn whole<const FROM: i64, const TO: i64>(text: &str) -> Result<i64, String> {
    let number = text.trim().parse().ok().filter(|number| (FROM..=TO).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {FROM} to {TO}"))
}

/// Parses a duration such as 30s, 5m or 2h.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "must be a duration such as 30s, 5m or 2h".to_owned())
}

/// Parses an address to listen on.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8787".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_without_a_librarys_words() {
        assert_eq!(whole::<1, 100>("7"), Ok(7));
        for odd in ["abc", "", "0", "101", "1.5", "99999999999999999999"] {
            assert_eq!(whole::<1, 100>(odd), Err("must be a whole number from 1 to 100".to_owned()), "{odd}");
        }
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").unwrap_err().contains("such as 30s"));
        assert!(listen("127.0.0.1:0").is_ok() && listen("foo").unwrap_err().contains("127.0.0.1:8787"));
    }
}
