//! Text that takes long to make, such as an RSA key: made by the first test that needs it and kept beside the test
//! programs, because every test is a process of its own.

use std::path::PathBuf;
use std::{env, fs, process};

/// Returns the text kept under `name`, or makes and keeps it. Two tests that come first at once may each use their own.
///
/// # Panics
/// Panics when the folder of the test programs cannot be written.
#[must_use]
pub fn kept(name: &str, make: impl FnOnce() -> String) -> String {
    let programs = env::current_exe().unwrap_or_default();
    let path: PathBuf = programs.with_file_name(format!("kept-{name}"));
    if let Ok(text) = fs::read_to_string(&path) {
        return text;
    }
    let text = make();
    // Renamed into place, so that nobody reads a part of it.
    let own = path.with_extension(process::id().to_string());
    let written = fs::write(&own, &text).and_then(|()| fs::rename(&own, &path));
    assert!(written.is_ok(), "cannot write {}: {written:?}", path.display());
    text
}
