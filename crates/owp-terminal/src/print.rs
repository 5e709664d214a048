//! Output that every program prints alike: JSON with its version, counts, and the warning about unencrypted tokens.

use super::failure::{print_error, print_line, versioned};
use super::untrusted::{visible_json, visible_line};
use owp_client::Client;
use serde_json::Value;

/// Prints a response as JSON with the output version.
pub fn as_json(answer: &Value) {
    print_line(&visible_json(&versioned(answer.clone()), true));
}

/// Prints an event as JSON on one line, with the output version.
pub fn as_json_line(event: Value) {
    print_line(&visible_json(&versioned(event), false));
}

/// Formats a number with its noun: `1 task`, `2 tasks`.
pub fn count(number: impl TryInto<i64>, one: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// Warns that the token is sent unencrypted.
pub fn warn_if_unencrypted(client: &Client) {
    if client.is_unencrypted() {
        print_error(&format!(
            "warning: {} is not encrypted: others can read the token on its way. Ask for an https:// address.",
            visible_line(client.base())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_else_are_several() {
        assert_eq!([count(0, "task"), count(1, "task"), count(2_usize, "task")], ["0 tasks", "1 task", "2 tasks"]);
        assert_eq!(count(u64::MAX, "task"), format!("{} tasks", i64::MAX));
    }
}
