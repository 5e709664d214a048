//! Reads files named on the command line, up to a size limit.

use super::failure::Failure;
use std::io::Read;

/// Returns the name of a file, or of standard input for `-`, for use in a sentence.
pub(super) fn called(path: &str) -> &str {
    if path == "-" { "Standard input" } else { path }
}

/// Reads a file, or standard input for `-`, of at most `most` bytes; `too_large` is the advice for a larger one.
///
/// # Errors
/// If it cannot be read, is too large, or is not UTF-8; the error names the line.
pub(super) fn read_file(path: &str, most: usize, too_large: &str) -> Result<String, Failure> {
    let name = called(path);
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::usage_error(format!("{name} cannot be read: {error}.")).next("Check the name of the file.")
    };
    let (bound, mut bytes) = (most as u64 + 1, Vec::new());
    let done = if path == "-" {
        std::io::stdin().lock().take(bound).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes))
    };
    done.map_err(|error| unreadable(&error))?;
    if bytes.len() > most {
        let most = if most < 1 << 20 { format!("{} KiB", most >> 10) } else { format!("{} MiB", most >> 20) };
        return Err(Failure::usage_error(format!("{name} is larger than {most}, the limit.")).next(too_large));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        unreadable(&format!("line {} is not text in UTF-8", line + 1))
    })
}
