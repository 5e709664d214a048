//! Explains why a worker did not get a task, from `GET /v1/work?explain=1`.

use crate::cli::failure::Failure;
use crate::cli::print::{read, task, title, word};
use crate::cli::rephrase;
use crate::cli::untrusted::visible_line;
use owp_client::{Client, Reason};
use serde::Deserialize;
use serde_json::Value;

/// A waiting task and the result of every rule.
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
    /// Parses the explanations of a response; empty if none were requested.
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

    /// Returns the task's name for users.
    pub(super) fn name(&self) -> String {
        task(&self.task_id, &self.repo, &self.title)
    }

    /// Returns every rule that does not hold, and the reasons that apply to everyone.
    pub(super) fn reasons(&self) -> Vec<String> {
        let broken = self.rules.iter().filter(|rule| !rule.holds).map(|rule| {
            let why = rule.reason.as_ref().map_or_else(|| "it does not hold".to_owned(), rephrase::reason);
            format!("{}: {}", word(&rule.rule), visible_line(&why))
        });
        broken.chain(self.notes.iter().map(|note| visible_line(note))).collect()
    }
}

/// Returns a sentence on why there is no work: the first reason of the first task.
pub(super) fn hint(waiting: &[Why]) -> String {
    let Some(first) = waiting.first() else { return "No task waits to be handed out.".to_owned() };
    let broken = first.rules.iter().find(|rule| !rule.holds).and_then(|rule| rule.reason.as_ref());
    match broken {
        Some(reason) => format!("\"{}\" waits: {}", title(&first.title), visible_line(&rephrase::reason(reason))),
        None => format!("\"{}\" waits, and others come first.", title(&first.title)),
    }
}
