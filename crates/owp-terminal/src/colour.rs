//! Colours in the terminal. `NO_COLOR` and output that is not a terminal are handled by `anstream`.

/// The flag that turns colours off.
const NO_COLOR: &str = "--no-color";

/// Turns colours off if the command line asks for it, and returns true then. Programs call it before they parse the
/// command line, because the parser prints help and errors.
#[must_use]
pub fn is_off() -> bool {
    let plain = std::env::args_os().any(|arg| arg == NO_COLOR);
    if plain {
        anstream::ColorChoice::Never.write_global();
    }
    plain
}
