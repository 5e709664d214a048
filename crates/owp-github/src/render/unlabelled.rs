//! The one comment about issues that lost the label in bulk.

use super::safe::code;
use owp_pool::Timestamp;
use owp_pool::document::POLICY_PATH;

/// Builds the comment from the task count and the time the tasks leave the pool; `None` once none lacks the label.
#[must_use]
pub fn unlabelled(waiting: Option<(usize, Timestamp)>, ready: &str) -> String {
    let label = code(ready);
    let Some((tasks, until)) = waiting else {
        return format!("No task of this repository waits for the label {label} any more.");
    };
    let issues = if tasks == 1 {
        "1 open issue with a task does".to_owned()
    } else {
        format!("{tasks} open issues with tasks do")
    };
    format!(
        "{issues} not carry the label {label} any more. Their tasks are handed to nobody for now; whoever holds one \
         keeps it.\n\nIf that was not meant, set the label again or correct {} in {}: the pool then goes on as \
         before. Otherwise the tasks leave the pool on {}.",
        code("labels.ready"),
        code(POLICY_PATH),
        until.human()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_the_label_and_the_time_are_told() {
        let until = Timestamp::parse_rfc3339("2026-11-22T03:09:00Z").unwrap();
        insta::assert_snapshot!(unlabelled(Some((12, until)), "pool:redy"), @r"
        12 open issues with tasks do not carry the label `pool:redy` any more. Their tasks are handed to nobody for now; whoever holds one keeps it.

        If that was not meant, set the label again or correct `labels.ready` in `.github/owp.yml`: the pool then goes on as before. Otherwise the tasks leave the pool on 22 Nov 2026, 03:09 UTC.
        ");
        assert!(unlabelled(Some((1, until)), "x").starts_with("1 open issue with a task does not"));
        insta::assert_snapshot!(unlabelled(None, "pool:ready"), @"No task of this repository waits for the label `pool:ready` any more.");
    }
}
