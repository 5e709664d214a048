//! The log: on stderr, in words or as JSON lines. Nothing that is logged anywhere in the program holds a secret.

use crate::config::{ConfigError, LogConfig};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts logging for the whole process. Where somebody started it before, that stays.
pub(super) fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| ConfigError::new(format!("OWP_LOG_FILTER: `{}`: {error}", config.filter)))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = if config.json {
        log.json().flatten_event(true).try_init()
    } else if stderr().is_terminal() {
        log.with_target(false).try_init()
    } else {
        log.with_target(false).with_ansi(false).try_init()
    };
    drop(started);
    Ok(())
}
