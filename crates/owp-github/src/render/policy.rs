//! The one comment about an invalid policy file.

use super::safe::{bullets, code, prose};
use owp_pool::document::POLICY_PATH;

const MAX_FAULTS: usize = 20;

/// Builds the comment from the policy's faults, one per line, and a flag that an earlier version is still in force.
/// `None` means that the file is valid again.
#[must_use]
pub fn policy_trouble(trouble: Option<(&str, bool)>) -> String {
    let path = code(POLICY_PATH);
    let Some((faults, in_force)) = trouble else { return format!("The policy file {path} is valid again.") };
    let meanwhile =
        if in_force { "The previous policy stays in force" } else { "Nothing is handed out in this repository" };
    format!(
        "The policy file {path} has errors. {meanwhile} until they are fixed:\n\n{}\n\nRun {} before you push a change to see the same errors.",
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
        The policy file `.github/owp.yml` has errors. The previous policy stays in force until they are fixed:

        - line 3, column 17: `budget.max_open_prs` must be from 0 to 100, not 500
        - unknown field `@everyone`

        Run `owp policy check FILE` before you push a change to see the same errors.
        "
        );
        insta::assert_snapshot!(policy_trouble(Some(("unknown field `x`", false))), @r"
        The policy file `.github/owp.yml` has errors. Nothing is handed out in this repository until they are fixed:

        - unknown field `x`

        Run `owp policy check FILE` before you push a change to see the same errors.
        ");
        insta::assert_snapshot!(policy_trouble(None), @"The policy file `.github/owp.yml` is valid again.");
    }
}
