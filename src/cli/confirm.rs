//! Confirmation prompt before a destructive command.

use super::failure::Failure;
use std::io::{BufRead, IsTerminal, Write};

/// Asks for confirmation; `command` is the variant that does not ask.
///
/// # Errors
/// If there is no terminal, or the answer is not yes.
pub(super) fn confirm(question: &str, command: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::usage_error("This needs confirmation, and there is no terminal to ask on.")
            .next(format!("Run `{command}` to skip the confirmation.")));
    }
    let mut stderr = std::io::stderr();
    // If the prompt cannot be written, no answer arrives, which means no.
    drop(write!(stderr, "{question} [y/N] "));
    drop(stderr.flush());
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => Err(Failure::failed("Nothing was changed.")),
    }
}
