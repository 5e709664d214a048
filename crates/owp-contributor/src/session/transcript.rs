//! The transcript of a session: a line of JSON for each message, so that the contributor can read what was said.

use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A transcript; without a file it keeps nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Transcript {
    file: Option<Arc<Mutex<File>>>,
}

impl Transcript {
    /// Appends to the transcript of a folder.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(super) fn open(folder: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        std::fs::create_dir_all(folder)?;
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(folder.join("transcript.jsonl"))?;
        Ok(Self { file: Some(Arc::new(Mutex::new(file))) })
    }

    /// Writes a message. A full disk must not stop the work.
    pub(super) fn add(&self, kind: &str, message: &impl Serialize) {
        let Some(file) = &self.file else { return };
        let line = serde_json::json!({ "kind": kind, "message": message }).to_string();
        drop(writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{line}"));
    }
}
