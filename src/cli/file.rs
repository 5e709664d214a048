//! Files that people name on the command line, read whole when they are not too large.

use super::failure::Failure;
use std::io::Read;

/// What a file, or `-` for standard input, is called in a sentence.
pub(super) fn called(path: &str) -> &str {
    if path == "-" { "Standard input" } else { path }
}

/// The whole text of a file, or of standard input for `-`, of at most so many bytes; `too_large` says what to do about more.
///
/// # Errors
/// When it cannot be read, is larger, or is not text in UTF-8, with the line.
pub(super) fn read_file(path: &str, most: usize, too_large: &str) -> Result<String, Failure> {
    let name = called(path);
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::asked_wrongly(format!("{name} cannot be read: {error}.")).next("Is this the file you meant?")
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
        return Err(
            Failure::asked_wrongly(format!("{name} is larger than {most}, the most that is read.")).next(too_large)
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        unreadable(&format!("line {} is not text in UTF-8", line + 1))
    })
}
