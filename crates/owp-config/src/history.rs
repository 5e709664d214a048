//! How long history is kept.

use crate::{ConfigError, Environment};
use std::path::PathBuf;

/// Fewer days would cut off what the pool's rules look back at.
const DAYS_LEAST: i64 = 30;
const DAYS_MOST: i64 = 36_500;

/// The removal of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Age in days from which on history is removed.
    pub days: i64,
    /// Folder that gets what is removed; `None` to archive nothing.
    pub archive: Option<PathBuf>,
}

impl History {
    /// Merges flags and environment; `None` if everything is kept.
    ///
    /// # Errors
    /// If the number of days is invalid, or a folder is given without it.
    pub fn load(env: &Environment, days: Option<&str>, archive: Option<PathBuf>) -> Result<Option<Self>, ConfigError> {
        let days = days.map(|text| ("--history-days", text.to_owned()));
        let days = days.or_else(|| env.get("OWP_HISTORY_DAYS").map(|text| ("OWP_HISTORY_DAYS", text)));
        let archive = archive.or_else(|| env.get("OWP_HISTORY_ARCHIVE").map(PathBuf::from));
        match (days, archive) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ConfigError::new(
                "OWP_HISTORY_ARCHIVE names a folder for history that is removed, and everything is kept: set \
                 OWP_HISTORY_DAYS too",
            )),
            (Some((name, text)), archive) => {
                let days = text.parse().ok().filter(|days| (DAYS_LEAST..=DAYS_MOST).contains(days));
                let days = days.ok_or_else(|| {
                    ConfigError::new(format!(
                        "{name}: `{text}` is not a number of days from {DAYS_LEAST} to {DAYS_MOST}"
                    ))
                })?;
                Ok(Some(Self { days, archive }))
            }
        }
    }
}
