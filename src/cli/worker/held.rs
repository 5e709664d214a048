//! A task of the worker, as returned by `GET /v1/work` and by a claim. Fields that older servers omit are optional.

use crate::cli::failure::Failure;
use crate::cli::print::{read, task, time, word};
use crate::cli::untrusted::visible_line;
use owp_client::Client;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Upper bound of a lease, whatever the pool says.
const YEAR_SECS: u64 = 365 * 24 * 60 * 60;

/// A task of the worker.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Held {
    /// Its id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// Untrusted text.
    pub title: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    lease_state: Option<String>,
    /// The last lease on it; older servers omit it.
    #[serde(default)]
    pub lease_id: Option<String>,
    #[serde(default)]
    lease_expires_at: Option<String>,
    #[serde(default)]
    lease_expires_in_secs: Option<i64>,
    #[serde(default)]
    contract: Option<Contract>,
    #[serde(default)]
    waits_because: Option<String>,
    /// The whole object as received.
    #[serde(skip)]
    pub raw: Value,
}

/// The repository's requirements for the work.
#[derive(Debug, Clone, Deserialize)]
struct Contract {
    closes: String,
    branch: String,
}

impl Held {
    /// Parses a task of a response.
    pub(super) fn read(client: &Client, raw: &Value) -> Result<Self, Failure> {
        Ok(Self { raw: raw.clone(), ..read::<Self>(client, raw)? })
    }

    /// Parses all tasks of a `GET /v1/work` response; skips invalid ones.
    pub(super) fn read_all(client: &Client, answer: &Value) -> Result<Vec<Self>, Failure> {
        #[derive(Deserialize)]
        struct Work {
            leases: Vec<Value>,
        }
        let work: Work = read(client, answer)?;
        Ok(work.leases.iter().filter_map(|raw| Self::read(client, raw).ok()).collect())
    }

    /// Returns true if the task has a live lease.
    pub(super) fn is_live(&self) -> bool {
        self.lease_state.as_deref().is_none_or(|state| state != "ended")
    }

    /// Returns true if the lease is an offer to be accepted.
    pub(super) fn is_offered(&self) -> bool {
        self.lease_state.as_deref() == Some("offered")
    }

    /// Returns true if the task belongs to a GitHub repository, where only GitHub determines its state.
    pub(super) fn is_managed(&self) -> bool {
        self.contract.is_some()
    }

    /// Returns the seconds left of a live lease: 0 if overdue, at most a year.
    pub(super) fn secs_left(&self) -> Option<u64> {
        let secs = self.lease_expires_in_secs.filter(|_| self.is_live())?;
        Some(u64::try_from(secs).unwrap_or(0).min(YEAR_SECS))
    }

    /// Returns the time left of a live lease.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.secs_left().map(Duration::from_secs)
    }

    /// Returns its state, in the protocol's terms.
    pub(super) fn state(&self) -> String {
        if self.is_offered() {
            return "offered".to_owned();
        }
        word(self.state.as_deref().unwrap_or("leased"))
    }

    /// Returns its name for users: `t_… acme/rocket "Title"`.
    pub(super) fn name(&self) -> String {
        task(&self.task_id, &self.repo, &self.title)
    }

    /// Returns the end of its lease, for users.
    pub(super) fn until(&self) -> String {
        self.lease_expires_at.as_deref().map_or_else(|| "its lease runs out".to_owned(), time)
    }

    /// Returns further notes for users, one line each.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let id = word(&self.task_id);
        if let Some(Contract { closes, branch }) = &self.contract {
            let (closes, branch) = (visible_line(closes), visible_line(branch));
            notes.push(format!("{id}: open the pull request from the branch {branch}, with \"{closes}\" in its text."));
        }
        if let Some(why) = &self.waits_because {
            notes.push(format!("{id}: the repository is not served at the moment: {}", visible_line(why)));
        }
        notes
    }

    /// Returns the command that accepts the offer.
    pub(super) fn offer(&self) -> Option<String> {
        let lease = self.lease_id.as_ref().filter(|_| self.is_offered())?;
        Some(format!("{}: an offer; `owp worker ack {}` accepts it.", word(&self.task_id), word(lease)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_server_of_the_first_version_answers_is_enough() {
        let old =
            json!({ "task_id": "t_1", "repo": "a/b", "title": "T", "description": null, "lease_expires_at": null });
        let held = Held::deserialize(&old).unwrap();
        assert_eq!((held.is_live(), held.is_offered(), held.is_managed()), (true, false, false));
        assert_eq!((held.state().as_str(), held.until().as_str()), ("leased", "its lease runs out"));
        assert_eq!(held.name(), "t_1 a/b \"T\"");
    }

    #[test]
    fn a_lease_nobody_could_mean_is_bounded_or_left_out() {
        let client = Client::new("http://pool", owp_client::Auth::None).unwrap();
        let of = |secs: Value| {
            let raw = json!({ "task_id": "t_1", "repo": "a/b", "title": "T", "lease_expires_in_secs": secs });
            Held::read_all(&client, &json!({ "leases": [raw, { "task_id": 7 }] })).unwrap()
        };
        assert_eq!(of(json!(-1))[0].secs_left(), Some(0));
        assert_eq!(of(json!(i64::MAX))[0].secs_left(), Some(YEAR_SECS));
        assert!(of(json!(u64::MAX)).is_empty());
        assert!(Held::read_all(&client, &json!({})).is_err());
    }

    #[test]
    fn what_a_repository_asks_of_the_work_is_told() {
        let raw = json!({ "task_id": "t_1", "repo": "a/b", "title": "T", "lease_state": "offered", "lease_id": "l_1",
            "contract": { "closes": "Fixes #7", "branch": "owp/7-t\u{7}" }, "waits_because": "The App is suspended." });
        let held = Held::deserialize(&raw).unwrap();
        assert!(held.is_managed() && held.is_live());
        assert_eq!(
            held.notes(),
            [
                r#"t_1: open the pull request from the branch owp/7-t\u{7}, with "Fixes #7" in its text."#,
                "t_1: the repository is not served at the moment: The App is suspended."
            ]
        );
        assert_eq!(held.offer().unwrap(), "t_1: an offer; `owp worker ack l_1` accepts it.");
    }
}
