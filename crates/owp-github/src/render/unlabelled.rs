//! The one comment about issues that lost the label in bulk.

use super::safe::code;
use owp_pool::Timestamp;
use owp_pool::document::POLICY_PATH;

/// Builds the comment from the task count and the time the tasks leave the pool; `None` once none lacks the label.
#[must_use]
pub fn unlabelled(waiting: Option<(usize, Timestamp)>, ready: &str) -> String {
    let label = code(ready);
    let Some((tasks, until)) = waiting else {
        return format!("No task of this repository lacks the label {label} any more.");
    };
    let (issues, meanwhile, leave) = if tasks == 1 {
        let meanwhile = "Its task is not handed out for now; a current holder keeps it.";
        ("1 open issue with a task no longer has".to_owned(), meanwhile, "the task leaves")
    } else {
        let meanwhile = "Their tasks are not handed out for now; current holders keep theirs.";
        (format!("{tasks} open issues with tasks no longer have"), meanwhile, "the tasks leave")
    };
    format!(
        "{issues} the label {label}. {meanwhile}\n\nIf this was not intended, set the label again or correct {} in {}. \
         Otherwise {leave} the pool on {}.",
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
        12 open issues with tasks no longer have the label `pool:redy`. Their tasks are not handed out for now; current holders keep theirs.

        If this was not intended, set the label again or correct `labels.ready` in `.github/owp.yml`. Otherwise the tasks leave the pool on 22 Nov 2026, 03:09 UTC.
        ");
        insta::assert_snapshot!(unlabelled(Some((1, until)), "pool:ready"), @r"
        1 open issue with a task no longer has the label `pool:ready`. Its task is not handed out for now; a current holder keeps it.

        If this was not intended, set the label again or correct `labels.ready` in `.github/owp.yml`. Otherwise the task leaves the pool on 22 Nov 2026, 03:09 UTC.
        ");
        insta::assert_snapshot!(unlabelled(None, "pool:ready"), @"No task of this repository lacks the label `pool:ready` any more.");
    }
}
