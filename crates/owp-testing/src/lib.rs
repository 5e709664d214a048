//! Test helpers shared by several crates.

pub mod hostile;
pub mod kept;
pub mod postgres;

use std::env;
use std::str::FromStr;

/// Returns a number of rounds: that of the environment variable for longer runs, if it is set.
pub fn rounds<N: FromStr>(variable: &str, default: N) -> N {
    env::var_os(variable).and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(default)
}
