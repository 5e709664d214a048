//! Limit on blocked tasks: a blocked task stays reserved for its holder, so nobody may hoard tasks by blocking them.

use super::task::Task;
use std::fmt;

/// Maximum number of blocked tasks one contributor may keep reserved in a repository.
pub const MAX_BLOCKED: usize = 2;

/// Refusal to block one more task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooManyBlocked {
    /// Number of blocked tasks reserved for the contributor already.
    pub value: usize,
    /// The maximum.
    pub limit: usize,
    /// Issues of these tasks.
    pub issues: Vec<i64>,
}

impl fmt::Display for TooManyBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issues: Vec<String> = self.issues.iter().map(|issue| format!("#{issue}")).collect();
        write!(
            f,
            "{} blocked tasks are kept for you here already ({}), and one person may keep {}. Give this one back, or ask a maintainer to unblock one.",
            self.value,
            issues.join(", "),
            self.limit
        )
    }
}

/// Decides whether a contributor may block one more task of a repository. `reserved` are its blocked tasks that are
/// reserved for them. Maintainers may block any task, so callers do not ask for them.
///
/// # Errors
/// Returns the refusal when the contributor is at the limit.
pub fn may_block(reserved: &[Task]) -> Result<(), TooManyBlocked> {
    let (value, limit) = (reserved.len(), MAX_BLOCKED);
    if value < limit {
        return Ok(());
    }
    Err(TooManyBlocked { value, limit, issues: reserved.iter().filter_map(|task| task.issue).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::task;

    #[test]
    fn a_contributor_keeps_two_blocked_tasks_and_learns_which() {
        let reserved = |issues: &[i64]| -> Vec<Task> {
            issues.iter().map(|issue| Task { issue: Some(*issue), ..task("t_1").task }).collect()
        };
        // Columns: issues of the blocked tasks, value of the refusal.
        let cases: [(&[i64], Option<usize>); 4] =
            [(&[], None), (&[7], None), (&[7, 9], Some(2)), (&[7, 9, 11], Some(3))];
        for (issues, value) in cases {
            let refusal = may_block(&reserved(issues)).err();
            let expected = value.map(|value| TooManyBlocked { value, limit: 2, issues: issues.to_vec() });
            assert_eq!(refusal, expected, "{issues:?}");
        }
        insta::assert_snapshot!(
            may_block(&reserved(&[7, 9])).unwrap_err(),
            @"2 blocked tasks are kept for you here already (#7, #9), and one person may keep 2. Give this one back, or ask a maintainer to unblock one."
        );
    }
}
