//! The state of a task, for `/owp status`.

use super::safe::{code, prose, safe_inline};
use owp_pool::Timestamp;

/// The review budget of a repository in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetLine {
    /// Slots in use.
    pub used: i64,
    /// The effective `max_open_prs`.
    pub limit: i64,
    /// Users of the slots, as text; empty when there are none.
    pub taken_by: String,
    /// Source of the limit: "limit from the policy file", "the default of 5".
    pub source: String,
    /// Reason why nothing is granted now, if any: not counted yet, paused.
    pub stopped: Option<String>,
}

impl BudgetLine {
    pub(super) fn line(&self) -> String {
        let taken_by = if self.taken_by.is_empty() { String::new() } else { format!("{}; ", prose(&self.taken_by)) };
        let line = format!("{} of {} review slots taken ({taken_by}{}).", self.used, self.limit, prose(&self.source));
        match &self.stopped {
            Some(why) => format!("{line} Nothing is handed out now: {}", prose(why)),
            None if self.limit == 0 => {
                let left = if self.used > 0 { format!("; {} are still under way", self.used) } else { String::new() };
                format!("{line} Nothing is handed out until a maintainer raises it{left}.")
            }
            None if self.used >= self.limit => format!("{line} Nothing is handed out until one is free."),
            None => line,
        }
    }
}

/// Formats a number with its noun: `1 task`, `2 tasks`.
pub(super) fn counted(n: i64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The state's name: `ready`, `leased`, …
    pub state: String,
    /// Reason why a ready task is held, if it is.
    pub held: Option<String>,
    /// Login of the holder.
    pub holder: Option<String>,
    /// Deadline of the lease.
    pub until: Option<Timestamp>,
    /// Login and end of a reservation.
    pub reserved: Option<(String, Timestamp)>,
    /// Pull request number.
    pub pull: Option<i64>,
    /// Estimate in points.
    pub estimate: i64,
    /// Priority, 0 to 1000.
    pub priority: i64,
    /// Risk tier, 0 to 3.
    pub tier: i64,
    /// Required skills.
    pub skills: Vec<String>,
    /// The area it locks.
    pub area: Option<String>,
    /// The repository's review budget.
    pub budget: BudgetLine,
}

impl TaskStatus {
    pub(super) fn text(&self) -> String {
        let mut task = format!("**Task:** {}", code(&self.state));
        if let Some(holder) = &self.holder {
            task.push_str(&format!(", held by {}", safe_inline(holder)));
        }
        if let Some(until) = self.until {
            task.push_str(&format!(" until {}", until.human()));
        }
        if let Some(pull) = self.pull {
            task.push_str(&format!(", pull request #{pull}"));
        }
        task.push('.');
        if let Some((login, until)) = &self.reserved {
            task.push_str(&format!(" Reserved for {} until {}.", safe_inline(login), until.human()));
        }
        if let Some(held) = &self.held {
            task.push_str(&format!(" Not offered: {}.", prose(held).trim_end_matches('.')));
        }
        let mut needs = format!("**Size:** estimate {}, priority {}, tier {}", self.estimate, self.priority, self.tier);
        if !self.skills.is_empty() {
            let skills: Vec<String> = self.skills.iter().take(20).map(|skill| code(skill)).collect();
            needs.push_str(&format!(", skills {}", skills.join(" ")));
        }
        if let Some(area) = &self.area {
            needs.push_str(&format!(", area {}", code(area)));
        }
        format!("- {task}\n- {needs}.\n- **Budget:** {}", self.budget.line())
    }
}
