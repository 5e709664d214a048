//! Why a worker does not have a task: what `GET /v1/work?explain=1` tells, in words.

use crate::cli::failure::Failure;
use crate::cli::place;
use crate::cli::print::{read, task, title, word};
use crate::cli::untrusted::visible_line;
use owp_client::{Client, Reason};
use serde::Deserialize;
use serde_json::Value;

/// One task that waits, and what every rule says of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Why {
    task_id: String,
    repo: String,
    title: String,
    rules: Vec<Rule>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Rule {
    rule: String,
    holds: bool,
    reason: Option<Reason>,
}

impl Why {
    /// What an answer explains; nothing when it was not asked to.
    ///
    /// # Errors
    /// When it explains in another shape.
    pub(super) fn read_all(client: &Client, answer: &Value) -> Result<Vec<Self>, Failure> {
        match answer.get("explain") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(explain) => read(client, explain),
        }
    }

    /// Returns whether every rule holds.
    pub(super) fn may(&self) -> bool {
        self.rules.iter().all(|rule| rule.holds)
    }

    /// The task for people.
    pub(super) fn name(&self) -> String {
        task(&self.task_id, &self.repo, &self.title)
    }

    /// Every rule that does not hold, and what is true of everybody.
    pub(super) fn reasons(&self) -> Vec<String> {
        let broken = self.rules.iter().filter(|rule| !rule.holds).map(|rule| {
            let why = rule.reason.as_ref().map_or_else(|| "it does not hold".to_owned(), place::reason);
            format!("{}: {}", word(&rule.rule), visible_line(&why))
        });
        broken.chain(self.notes.iter().map(|note| visible_line(note))).collect()
    }
}

/// Why there is nothing, in a sentence: the first reason of the first task.
pub(super) fn hint(waiting: &[Why]) -> String {
    let Some(first) = waiting.first() else { return "No task waits to be handed out.".to_owned() };
    let broken = first.rules.iter().find(|rule| !rule.holds).and_then(|rule| rule.reason.as_ref());
    match broken {
        Some(reason) => format!("\"{}\" waits: {}", title(&first.title), visible_line(&place::reason(reason))),
        None => format!("\"{}\" waits, and others come first.", title(&first.title)),
    }
}
