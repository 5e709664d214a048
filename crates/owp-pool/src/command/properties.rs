//! Properties of the command grammar that hold for any comment.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn whatever_is_written_commands_are_lines_of_the_body(body in prop_oneof![
        "\\PC{0,200}",
        "(/owp|/OWP| {0,4}|\\r?\\n|`{1,4}|~~~|>|- |<!--|-->|</?(div|details|code|b)>|\\||claim|trust|@a|[0-9]|:|\u{0}|\u{202e}|\\[|\\]|\\(|\\)|\\$|\\*|a| ){0,40}",
    ]) {
        let lines: Vec<_> = lines::physical_lines(&body).map(|(_, line)| line.trim()).collect();
        let commands = parse_comment(&body);
        prop_assert!(commands.len() <= MAX_COMMANDS + 1);
        prop_assert!(commands.windows(2).all(|pair| pair[0].line < pair[1].line));
        for command in &commands {
            prop_assert_eq!(lines.get(command.line - 1), Some(&command.text.as_str()));
            prop_assert!(command.text[..4].eq_ignore_ascii_case("/owp"));
        }
        prop_assert!(parse_edited(&body, &body).is_empty());
        prop_assert_eq!(parse_edited("", &body), commands);
    }

    #[test]
    fn any_line_is_a_command_or_an_error_that_can_be_shown(rest in "\\PC{0,80}") {
        if let Err(error) = parse_line(&format!("/owp {rest}")) {
            let said = error.to_string();
            prop_assert!(said.chars().count() < 400 && !said.contains('\n'), "{}", said);
        }
    }
}
