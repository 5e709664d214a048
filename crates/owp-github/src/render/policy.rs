//! The one comment about an invalid policy file.

use super::safe::{bullets, code, prose};
use owp_pool::document::POLICY_PATH;

const MAX_FAULTS: usize = 20;

/// Builds the comment from the policy's faults, one per line, and a flag that an earlier version is still in force.
/// `None` means that the file is valid again.
#[must_use]
pub fn policy_trouble(trouble: Option<(&str, bool)>) -> String {
    let path = code(POLICY_PATH);
    let Some((faults, in_force)) = trouble else { return format!("The policy file {path} is followed again.") };
    let meanwhile =
        if in_force { "What was in force before stays in force" } else { "Nothing is handed out in this repository" };
    format!(
        "The policy file {path} cannot be followed as it reads now. {meanwhile} until that is mended:\n\n{}\n\n{} shows the same before a change is pushed.",
        bullets(faults.lines().map(prose), MAX_FAULTS),
        code("owp policy check FILE")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_with_its_places_and_nothing_in_it_acts() {
        insta::assert_snapshot!(
            policy_trouble(Some(("line 3, column 17: `budget.max_open_prs` must be from 0 to 100, not 500\nunknown field `@everyone`", true))),
            @r"
        The policy file `.github/owp.yml` cannot be followed as it reads now. What was in force before stays in force until that is mended:

        - line 3, column 17: `budget.max_open_prs` must be from 0 to 100, not 500
        - unknown field `@everyone`

        `owp policy check FILE` shows the same before a change is pushed.
        "
        );
        assert!(policy_trouble(Some(("x", false))).contains("Nothing is handed out"));
        assert!(policy_trouble(None).contains("followed again"));
    }
}
