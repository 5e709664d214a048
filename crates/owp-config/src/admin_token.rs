//! The admin token, and the checks that reject a weak one for a pool that other machines can reach.

use super::{ConfigError, Environment, for_a_header};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

/// The length of twelve random bytes in hexadecimal.
const LEAST_CHARS: usize = 24;
/// A token with fewer distinct characters is a repeated word.
const LEAST_DIFFERENT: usize = 8;
/// Words used in examples, ours and others'.
const EXAMPLES: [&str; 7] =
    ["only-for-trying", "dev-admin-token", "changeme", "change-me", "replace-me", "example", "your-token"];

/// Reads the admin token.
///
/// # Errors
/// If the token cannot be read or is not a valid header value.
pub fn admin_token(env: &Environment) -> Result<Option<SecretString>, ConfigError> {
    for_a_header(env, "OWP_ADMIN_TOKEN")
}

/// Returns, as a clause, why a token can be guessed; `None` if it looks random.
#[must_use]
pub fn weakness(token: &SecretString) -> Option<&'static str> {
    let token = token.expose_secret();
    let lower = token.to_lowercase();
    if EXAMPLES.iter().any(|example| lower.contains(example)) {
        Some("it comes from an example")
    } else if token.chars().count() < LEAST_CHARS {
        Some("it has fewer than 24 characters")
    } else if lower.chars().collect::<BTreeSet<_>>().len() < LEAST_DIFFERENT {
        Some("it repeats a few characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_is_weak_and_what_openssl_makes_is_not() {
        let weak = |token: &str| weakness(&token.to_owned().into());
        assert_eq!(weak("short"), Some("it has fewer than 24 characters"));
        assert_eq!(weak("5f1c9a03b7e24d68a0c1e5f"), Some("it has fewer than 24 characters"));
        for example in
            ["only-for-trying-it-out", "dev-admin-token", "CHANGEME-changeme-ChangeMe", "change-me-please-0123456789"]
        {
            assert_eq!(weak(example), Some("it comes from an example"), "{example}");
        }
        assert_eq!(weak("abababababababababababababab"), Some("it repeats a few characters"));
        assert_eq!(weak("5f1c9a03b7e24d68a0c1e5f2"), None);
        assert_eq!(weak("9b2e7d0c4f6a81533bd1c8e97f20a46c5de18b73f0942ac6e571d38b40fa92cd"), None);
    }
}
