//! Where the pool is that a command asks: named by a flag, or found as `serve` finds where to listen.

use crate::config::{ConfigError, Environment, listen_address, reachable};

/// The address before every path of the pool: what the flag says, else this machine at the port of `OWP_LISTEN`. It ends
/// in no slash.
///
/// # Errors
/// When `OWP_LISTEN` is needed and is no address.
pub(super) fn base_address(flag: Option<&str>, env: &Environment) -> Result<String, ConfigError> {
    match flag {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => Ok(format!("http://{}", reachable(listen_address(env, None)?))),
    }
}
