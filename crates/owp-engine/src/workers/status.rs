//! Status reports of workers: believed in manual repositories, checked against GitHub in GitHub repositories.

use crate::Workers;
use crate::error::{EngineError, Refused};
use crate::facts::{self, RepoContext};
use crate::tracking::commits::PullDetails;
use crate::tracking::pulls;
use crate::tracking::transition;
use crate::workers::contributors::due_for_renewal;
use crate::workers::once::{Keep, settle};
use owp_github::client::GitHubError;
use owp_pool::event::{Event, EventKind};
use owp_pool::lease::Via;
use owp_pool::moves::Move;
use owp_pool::task::{Task, TaskState};
use owp_pool::worker::Worker;
use owp_pool::{LeaseId, RepoId, TaskId};
use owp_store::{Ahead, Scope, Tx, transaction};
use serde_json::json;

/// A status that a worker reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedStatus {
    /// The worker has started.
    InProgress,
    /// The worker cannot continue.
    Blocked,
    /// A pull request is open.
    PrOpened,
    /// The work is merged.
    Merged,
}

impl ReportedStatus {
    fn state(self) -> TaskState {
        match self {
            Self::InProgress => TaskState::InProgress,
            Self::Blocked => TaskState::Blocked,
            Self::PrOpened => TaskState::PrOpened,
            Self::Merged => TaskState::Merged,
        }
    }
}

/// A status report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The new status.
    pub status: ReportedStatus,
    /// Message, at most 4000 characters.
    pub message: Option<String>,
    /// The lease that the worker believes it holds; without one the current holder is meant.
    pub lease: Option<LeaseId>,
    /// URL of the pull request.
    pub pr_url: Option<String>,
    /// The commit, as the worker names it.
    pub commit_sha: Option<String>,
    /// URL of a patch.
    pub patch_url: Option<String>,
}

impl Report {
    /// Returns the audit event of the report; `None` when it adds nothing to the task's state.
    fn event(&self) -> Option<Event> {
        let said = [&self.message, &self.pr_url, &self.commit_sha, &self.patch_url];
        if said.iter().all(|text| text.is_none()) {
            return None;
        }
        let artifact = json!({ "pr_url": self.pr_url, "commit_sha": self.commit_sha, "patch_url": self.patch_url });
        let status = self.status.state().name();
        let payload = json!({ "status": status, "message": self.message, "artifact": artifact });
        Some(Event::new(EventKind::TaskReported, payload))
    }
}

impl Workers<'_> {
    /// Applies a worker's report. Repeating one changes nothing.
    ///
    /// # Errors
    /// [`EngineError::UnknownTask`], [`EngineError::NotYours`], or a refusal with the reason.
    pub async fn report_status(
        &self,
        worker: &Worker,
        task: &TaskId,
        report: Report,
        keep: Option<Keep<()>>,
    ) -> Result<(), EngineError> {
        let (repo, view) = match self.inner().places.of_task(task) {
            Some(place) if !place.managed => (place.repo, None),
            _ => self.before_report(worker, task, &report).await?,
        };
        let (settings, worker, task) = (self.settings().clone(), worker.clone(), task.clone());
        let scope = Scope::repo(&repo).with_workers([worker.id.clone()]);
        let due = self
            .write(
                scope,
                transaction!(|tx| {
                    let (of_task, of_worker) = (Ahead::LiveLease(&task), Ahead::LiveLeases(&worker.id));
                    tx.read_ahead(&[Ahead::Repo(&repo), Ahead::Task(&task), of_task, of_worker]).await?;
                    let context = RepoContext::load(tx, &repo, &settings).await?;
                    let task = tx.tasks().get(&task).await?.ok_or(EngineError::UnknownTask)?;
                    check_holder(&worker, &task, report.lease.as_ref())?;
                    // Before the move, so that nothing is read between the changes.
                    let due = due_for_renewal(tx, &worker.id).await?;
                    if task.state != report.status.state() {
                        if let Some(event) = report.event() {
                            tx.events().append(&[event.about_task(&task.id).about_worker(&worker.id)])?;
                        }
                        match (context.row.managed, view) {
                            (true, Some(view)) => managed_pull(tx, &context, &task, &view).await?,
                            (true, None) => managed(tx, &context, task, &report).await?,
                            (false, _) => manual(tx, &context, task, &worker, &report).await?,
                        }
                    }
                    tx.workers().record_seen(&worker.id, None, None).await?;
                    settle(keep, tx, &()).await?;
                    Ok(due)
                }),
            )
            .await?;
        self.ring();
        // Any status report renews all leases of the worker. The report itself stands, whatever becomes of that.
        for lease in due {
            if let Err(error) = self.renew(lease.repo, lease.id).await {
                tracing::warn!(%error, "a lease of a worker was not renewed by its status report");
            }
        }
        Ok(())
    }

    /// Checks a report before its transaction. Returns the task's repository, and the pull request that the report names.
    async fn before_report(
        &self,
        worker: &Worker,
        task: &TaskId,
        report: &Report,
    ) -> Result<(RepoId, Option<PullDetails>), EngineError> {
        let id = task.clone();
        let task = self.store().read_one(transaction!(|tx| tx.tasks().get(&id).await)).await?;
        let task = task.ok_or(EngineError::UnknownTask)?;
        check_holder(worker, &task, report.lease.as_ref())?;
        let is_delivery = report.status == ReportedStatus::PrOpened && task.state != TaskState::PrOpened;
        let view = if is_delivery { self.reported_pull(&task.repo, report).await? } else { None };
        Ok((task.repo, view))
    }

    /// Fetches the pull request that a report names: in the right repository, and open. Returns `None` in a manual
    /// repository, where reports are believed.
    async fn reported_pull(&self, repo: &RepoId, report: &Report) -> Result<Option<PullDetails>, EngineError> {
        let id = repo.clone();
        let row = self.read(transaction!(|tx| Ok(tx.repos().get(&id).await?))).await?;
        let row = row.ok_or(EngineError::UnknownTask)?;
        if !row.managed {
            return Ok(None);
        }
        let refuse = |why: String| EngineError::Refused(Refused::because(why));
        let url = report.pr_url.as_deref().ok_or_else(|| {
            refuse("A pull request is believed when it can be checked: send its address as artifact.pr_url.".to_owned())
        })?;
        let number = pull_number(url, &row.name).ok_or_else(|| {
            refuse(format!(
                "artifact.pr_url is not a pull request of {}; it should end in {}/pull/NUMBER.",
                row.name, row.name
            ))
        })?;
        let reader = self.reader(&row)?;
        match reader.pull(number).await {
            Ok(pull) if pull.is_open() => {
                self.tracking().fetch_checks(&reader, &self.context(row), pull, true).await.map(Some)
            }
            Ok(_) => Err(refuse(format!("Pull request #{number} is not open."))),
            Err(GitHubError::NotFound { .. }) => {
                Err(refuse(format!("GitHub shows no pull request #{number} in {}.", row.name)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Parses `…/owner/name/pull/N`; the host is GitHub's or an Enterprise Server's and proves nothing either way.
fn pull_number(url: &str, repo: &str) -> Option<i64> {
    let path = url.split(['?', '#']).next()?.trim_end_matches('/');
    let (front, number) = path.rsplit_once("/pull/")?;
    let named = front.to_lowercase().ends_with(&format!("/{}", repo.to_lowercase()));
    number.parse().ok().filter(|n| *n > 0 && named)
}

fn check_holder(worker: &Worker, task: &Task, lease: Option<&LeaseId>) -> Result<(), EngineError> {
    if lease.is_some() && lease != task.last_lease.as_ref() {
        return Err(EngineError::Refused(Refused::because(
            "This is not the task's last lease: it was given to somebody anew since. Nothing was changed.",
        )));
    }
    if task.assignee.as_ref() != Some(&worker.id) {
        return Err(EngineError::NotYours);
    }
    Ok(())
}

fn reason(report: &Report) -> String {
    report.message.clone().filter(|m| !m.trim().is_empty()).unwrap_or_else(|| "no reason given".to_owned())
}

async fn managed(tx: &mut Tx, repo: &RepoContext, task: Task, report: &Report) -> Result<(), EngineError> {
    let step = match report.status {
        ReportedStatus::InProgress if task.state.is_held() => Move::Start,
        ReportedStatus::Blocked if task.state.is_held() => {
            if let Some(person) = &task.last_holder
                && let Some(why) = transition::too_many_blocked(tx, repo, person).await?
            {
                return Err(Refused::because(why).into());
            }
            Move::Block { reason: reason(report) }
        }
        ReportedStatus::Merged => {
            return Err(EngineError::Managed(
                "A merge is taken from GitHub alone: it is seen there as soon as the pull request is merged."
                    .to_owned(),
            ));
        }
        _ => {
            return Err(Refused::because(format!(
                "The task is {}; in this repository that changes on GitHub: by its pull request, or by `/owp` commands.",
                task.state
            ))
            .into());
        }
    };
    transition::carry_out(tx, repo, task, step, None).await.map(drop)
}

async fn managed_pull(tx: &mut Tx, repo: &RepoContext, task: &Task, look: &PullDetails) -> Result<(), EngineError> {
    let author = look.info.author.as_ref().map(|user| user.id);
    let theirs = match &task.last_holder {
        Some(holder) => tx.people().agents_of(&[holder]).await?.is_work_of(author, holder),
        None => false,
    };
    if !theirs {
        return Err(Refused::because(format!(
            "Pull request #{} was not opened by the task's holder, nor by an agent they named with `/owp join agents:@login`, so it does not answer the task.",
            look.info.number
        ))
        .into());
    }
    pulls::reported(tx, repo, task, look).await
}

async fn manual(
    tx: &mut Tx,
    repo: &RepoContext,
    task: Task,
    worker: &Worker,
    report: &Report,
) -> Result<(), EngineError> {
    use ReportedStatus as Said;
    let step = match (task.state, report.status) {
        (TaskState::Leased | TaskState::InProgress, Said::InProgress) => Move::Start,
        (TaskState::Leased | TaskState::InProgress, Said::Blocked) => Move::Block { reason: reason(report) },
        (TaskState::Leased | TaskState::InProgress | TaskState::Blocked, Said::PrOpened) => {
            Move::Deliver { pull: None, author: None }
        }
        (TaskState::Leased | TaskState::InProgress | TaskState::Blocked | TaskState::PrOpened, Said::Merged) => {
            Move::Merge { pull: None, author: None }
        }
        (TaskState::Blocked, Said::InProgress) => return resume(tx, repo, task, worker).await,
        (TaskState::PrOpened, Said::InProgress) => {
            let back = Move::PullClosed { author: Some(worker.person.clone()) };
            let moved = transition::carry_out(tx, repo, task, back, None).await?;
            return resume(tx, repo, moved.task, worker).await;
        }
        (state, said) => {
            let said = said.state();
            return Err(
                Refused::because(format!("The task is {state}; it cannot be reported {said} from there.")).into()
            );
        }
    };
    transition::carry_out(tx, repo, task, step, None).await.map(drop)
}

/// Resumes a task through a new grant, with every rule; then the contributor it was reserved for has started it.
async fn resume(tx: &mut Tx, repo: &RepoContext, task: Task, worker: &Worker) -> Result<(), EngineError> {
    let fresh = facts::known_worker(tx, &worker.id).await?;
    match transition::grant(tx, repo, task, &fresh, Via::Rest).await? {
        Ok(moved) => transition::carry_out(tx, repo, moved.task, Move::Start, None).await.map(drop),
        Err(reasons) => Err(Refused::rules(reasons).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_address_must_be_of_the_repository() {
        let of = |url| pull_number(url, "Acme/Rocket");
        assert_eq!(of("https://github.com/acme/rocket/pull/7"), Some(7));
        assert_eq!(of("https://ghe.example/acme/rocket/pull/7/?diff=split#x"), Some(7));
        assert_eq!(of("https://github.com/evil/rocket/pull/7"), None);
        assert_eq!(of("https://github.com/acme/rocket/issues/7"), None);
        assert_eq!(of("https://github.com/acme/rocket/pull/-7"), None);
    }
}
