//! Rate limits, and the proxies whose client addresses are trusted.

use super::ConfigError;
use ipnet::IpNet;
use std::net::IpAddr;

/// Rate limit of one token. An address, which many clients may share, gets ten times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sustained calls per second.
    pub per_second: u32,
    /// Burst size.
    pub burst: u32,
}

impl RateLimit {
    /// The default.
    pub const USUAL: Self = Self { per_second: 20, burst: 100 };

    /// Parses `20/100` (calls per second and burst) or `off`.
    ///
    /// # Errors
    /// If the text is neither.
    pub fn parse(text: &str) -> Result<Option<Self>, ConfigError> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(None);
        }
        let numbers = text.split_once('/').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        match numbers {
            Some((per_second, burst)) if per_second > 0 && burst >= per_second && burst <= 1_000_000 => {
                Ok(Some(Self { per_second, burst }))
            }
            _ => Err(ConfigError::new(format!(
                "OWP_RATE_LIMIT: `{text}` is neither `off` nor a rate and a burst, such as 20/100 calls per second; the \
                 burst must be at least the rate"
            ))),
        }
    }
}

/// Addresses that share a prefix, such as `10.0.0.0/8`; a single address is a range too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange(IpNet);

impl IpRange {
    /// Parses a comma-separated list.
    ///
    /// # Errors
    /// If an entry is neither an address nor a range.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ConfigError> {
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let range = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        range.map(Self).map_err(|_| {
            ConfigError::new(format!(
                "OWP_TRUSTED_PROXIES: `{text}` is neither an address nor a range such as 10.0.0.0/8 or fd00::/8"
            ))
        })
    }

    /// Returns true if the range contains `address`, which may be an IPv4 address in its IPv6 form.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_calls_per_second_and_at_once_or_off() {
        assert_eq!(RateLimit::parse("20/100"), Ok(Some(RateLimit::USUAL)));
        assert_eq!(RateLimit::parse("Off"), Ok(None));
        for odd in ["20", "0/10", "20/10", "a/b", "-1/5", "1/9999999"] {
            assert!(RateLimit::parse(odd).unwrap_err().to_string().contains("OWP_RATE_LIMIT"), "{odd}");
        }
    }

    #[test]
    fn a_range_holds_the_addresses_that_begin_like_it() {
        let ranges = IpRange::parse_list("10.0.0.0/8, 192.0.2.7,fd00::/8,0.0.0.0/0").unwrap();
        let within = |n: usize, address: &str| ranges[n].contains(address.parse().unwrap());
        assert!(within(0, "10.200.3.4") && !within(0, "11.0.0.1") && within(0, "::ffff:10.1.1.1"));
        assert!(within(1, "192.0.2.7") && !within(1, "192.0.2.8"));
        assert!(within(2, "fd12::1") && !within(2, "fe80::1") && !within(2, "10.0.0.1"));
        assert!(within(3, "8.8.8.8"));
        let host = IpRange::parse_list("10.1.2.3/8,::/0").unwrap();
        assert!(host[0].contains("10.9.9.9".parse().unwrap()), "the part behind the prefix is ignored");
        assert!(host[1].contains("2001:db8::1".parse().unwrap()) && !host[1].contains("8.8.8.8".parse().unwrap()));
        for odd in ["here", "10.0.0.0/33", "::/129", "10.0.0.0/x"] {
            assert!(IpRange::parse_list(odd).is_err(), "{odd}");
        }
    }
}
