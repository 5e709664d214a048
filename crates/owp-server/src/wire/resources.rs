//! `GET /v1/tasks`, `GET /v1/tasks/{id}`, `GET /v1/repos` and `GET /v1/repos/{owner}/{name}`.

use super::problem::Reason;
use super::work::Contract;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A page of tasks, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks, without their descriptions.
    pub tasks: Vec<TaskView>,
    /// What to ask for next as `cursor`; null on the last page. One call looks at about a thousand tasks, so a page may be
    /// short or empty before the last.
    pub next_cursor: Option<String>,
}

/// A task.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskView {
    /// Its id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// The GitHub issue it stands for; null in manual repositories.
    pub issue: Option<i64>,
    /// The web page of that issue; left out of lists, and in manual repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue_url: Option<String>,
    /// Its id elsewhere, where whoever added it by hand gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Untrusted text.
    pub title: String,
    /// Untrusted text; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `ready`, `leased`, `in_progress`, `pr_opened`, `blocked`, `merged` or `closed`.
    pub state: &'static str,
    /// 1–100.
    pub estimate_points: i64,
    /// 0–1000.
    pub priority: i64,
    /// The area it belongs to.
    pub area: Option<String>,
    /// 0–3.
    pub tier: i64,
    /// Lower-case, sorted.
    pub required_skills: Vec<String>,
    /// How often it was granted.
    pub epoch: i64,
    /// Who holds it, or whose block or pull request it waits on: a login or a worker's name.
    pub holder: Option<String>,
    /// When the holder's lease runs out (RFC 3339), while one lives.
    pub lease_expires_at: Option<String>,
    /// The pull request that answers it.
    pub pull_request: Option<i64>,
    /// Every pull request that names it, oldest first; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_requests: Option<Vec<PullView>>,
    /// What the repository asks of the work; left out of lists, and in manual repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Why it waits for a maintainer's approval, when it does.
    pub held_because: Option<String>,
    /// Why it is blocked, when it is.
    pub blocked_because: Option<String>,
    /// Until when somebody has first refusal (RFC 3339).
    pub reserved_until: Option<String>,
    /// When it came to be (RFC 3339).
    pub created_at: String,
    /// The operator's own fields, their names beginning with `x_`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A pull request that names a task.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PullRequest")]
pub struct PullView {
    /// Its number.
    pub number: i64,
    /// `open`, `merged` or `closed`.
    pub state: &'static str,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its author's login; null when the account is gone.
    pub author: Option<String>,
    /// The branch it wants to change.
    pub base: String,
    /// The commit it stands at.
    pub head_sha: String,
    /// Where its branch lives, `owner/name`; null once that was deleted.
    pub head_repo: Option<String>,
    /// On how many of its commits GitHub verified a signature: `all`, `some`, `none`; null when nobody looked.
    pub verified: Option<&'static str>,
    /// What it lacks to pass the repository's gates; empty when it passes.
    pub waits_for: Vec<String>,
}

/// A page of repositories, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RepoPage {
    /// The repositories.
    pub repos: Vec<RepoView>,
    /// What to ask for next as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
}

/// A repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Repository")]
pub struct RepoView {
    /// `owner/name`.
    pub repo: String,
    /// True when the GitHub App is installed there.
    pub managed: bool,
    /// True when only the operator sees it.
    pub private: bool,
    /// Whether an area has one holder at a time.
    pub area_locks_enabled: bool,
    /// The review budget and what takes it.
    pub budget: BudgetView,
    /// Whether nothing is handed out there because somebody paused it.
    pub paused: bool,
    /// Until when (RFC 3339); null when it is not paused, or until somebody resumes it.
    pub paused_until: Option<String>,
    /// Tasks in each state, every state listed.
    pub tasks: BTreeMap<&'static str, i64>,
}

/// The review budget of a repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
pub struct BudgetView {
    /// The limit in force.
    pub max_open_prs: i64,
    /// Where the limit comes from: `policy`, `command` or `operator`.
    pub source: &'static str,
    /// Slots taken.
    pub used: i64,
    /// Slots a grant may take.
    pub free: i64,
    /// What takes the slots.
    pub breakdown: Breakdown,
    /// When open pull requests were last counted against GitHub (RFC 3339); null where there is nothing to count.
    pub counted_at: Option<String>,
    /// True while nothing is handed out there.
    pub throttled: bool,
    /// Every rule that keeps the repository from handing out anything now, in the words of every refusal.
    pub reasons: Vec<Reason>,
}

/// What takes the slots of a budget.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Breakdown {
    /// Open pull requests that count.
    pub open_prs: i64,
    /// Live leases whose holder has no counting pull request for the task.
    pub leases: i64,
    /// Leases that ended without a pull request since the last count began.
    pub uncounted: i64,
}
