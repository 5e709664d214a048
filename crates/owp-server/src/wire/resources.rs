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
    /// Tasks, without their descriptions.
    pub tasks: Vec<TaskView>,
    /// Value of `cursor` for the next page; null on the last page. One request examines about a thousand tasks, so a
    /// page can be short or empty before the last one.
    pub next_cursor: Option<String>,
}

/// A task.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskView {
    /// Task id.
    pub task_id: String,
    /// `owner/name`.
    pub repo: String,
    /// GitHub issue the task was made from; null in manual repositories.
    pub issue: Option<i64>,
    /// Web page of that issue; absent in lists and in manual repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue_url: Option<String>,
    /// Id in another system, if the operator gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Title. Untrusted text.
    pub title: String,
    /// Description. Untrusted text; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `ready`, `leased`, `in_progress`, `pr_opened`, `blocked`, `merged` or `closed`.
    pub state: &'static str,
    /// Estimate in points, 1–100.
    pub estimate_points: i64,
    /// Priority, 0–1000.
    pub priority: i64,
    /// Area of the task.
    pub area: Option<String>,
    /// Risk tier, 0–3.
    pub tier: i64,
    /// Required skills in lower case, sorted.
    pub required_skills: Vec<String>,
    /// Number of times the task was granted.
    pub epoch: i64,
    /// Login or worker name of the holder, or of the assignee whose block or pull request the task waits on.
    pub holder: Option<String>,
    /// Expiry time of the holder's lease (RFC 3339), while one is live.
    pub lease_expires_at: Option<String>,
    /// Pull request that answers the task.
    pub pull_request: Option<i64>,
    /// Pull requests that name the task, oldest first; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_requests: Option<Vec<PullView>>,
    /// Contract of the repository; absent in lists and in manual repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Reason the task waits for a maintainer's approval, if it does.
    pub held_because: Option<String>,
    /// Reason the task is blocked, if it is.
    pub blocked_because: Option<String>,
    /// Why a ready or blocked task waits; absent in lists and in other states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// Time until which only one contributor can take the task (RFC 3339).
    pub reserved_until: Option<String>,
    /// Creation time (RFC 3339).
    pub created_at: String,
    /// The operator's own fields, their names beginning with `x_`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Why a task waits.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Waiting")]
pub struct WaitingView {
    /// Rules that refuse every worker, with the same messages as in every refusal.
    pub reasons: Vec<Reason>,
    /// Who of the workers online can take the task, in one sentence; null while a rule refuses every worker.
    pub prospects: Option<String>,
    /// Number of workers online that were looked at, at most 40.
    pub workers_online: usize,
    /// Number of those that may take the task.
    pub workers_able: usize,
}

/// A pull request that names a task.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PullRequest")]
pub struct PullView {
    /// Number of the pull request.
    pub number: i64,
    /// `open`, `merged` or `closed`.
    pub state: &'static str,
    /// True for a draft.
    pub draft: bool,
    /// Login of the author; null if the account no longer exists.
    pub author: Option<String>,
    /// Target branch.
    pub base: String,
    /// Commit at the head of the pull request.
    pub head_sha: String,
    /// Repository of the head branch, `owner/name`; null if it was deleted.
    pub head_repo: Option<String>,
    /// Commits with a signature that GitHub verified: `all`, `some` or `none`; null if not checked.
    pub verified: Option<&'static str>,
    /// Gates of the repository that the pull request does not pass yet; empty if it passes.
    pub waits_for: Vec<String>,
}

/// A page of repositories, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RepoPage {
    /// Repositories.
    pub repos: Vec<RepoView>,
    /// Value of `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// A repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Repository")]
pub struct RepoView {
    /// `owner/name`.
    pub repo: String,
    /// True if the GitHub App is installed in the repository.
    pub managed: bool,
    /// True if only the operator can see the repository.
    pub private: bool,
    /// True if an area has one holder at a time.
    pub area_locks_enabled: bool,
    /// Review budget and its use.
    pub budget: BudgetView,
    /// True while the repository is paused and hands out nothing.
    pub paused: bool,
    /// End of the pause (RFC 3339); null if the repository is not paused, or paused until it is resumed.
    pub paused_until: Option<String>,
    /// Number of tasks in each state; every state is listed.
    pub tasks: BTreeMap<&'static str, i64>,
}

/// Review budget of a repository.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
pub struct BudgetView {
    /// Limit in force.
    pub max_open_prs: i64,
    /// Source of the limit: `policy`, `command` or `operator`.
    pub source: &'static str,
    /// Slots in use.
    pub used: i64,
    /// Slots available for grants.
    pub free: i64,
    /// Slots in use, by kind.
    pub breakdown: Breakdown,
    /// Time of the latest count of open pull requests on GitHub (RFC 3339); null if there is nothing to count.
    pub counted_at: Option<String>,
    /// True while the repository hands out nothing.
    pub throttled: bool,
    /// Rules that keep the repository from handing out anything now, with the same messages as in every refusal.
    pub reasons: Vec<Reason>,
}

/// Slots of a review budget in use, by kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Breakdown {
    /// Open pull requests that count.
    pub open_prs: i64,
    /// Live leases whose holder has no counting pull request for the task.
    pub leases: i64,
    /// Leases that ended without a pull request since the last count began.
    pub uncounted: i64,
}
