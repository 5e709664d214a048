//! The rest of the handle: installations, deliveries, faults, and inspection of the results.

use super::{
    ApiError, Chaos, CommentView, Delivery, DeliveryFault, Fault, Faults, IssueView, PullView, RecordedRequest,
    Sandbox, WebhookEvent, WebhookRequest, World, sender,
};
use crate::world::model::Issue;
use serde_json::Value;
use std::collections::BTreeMap;

impl Sandbox {
    /// Hides an issue or pull request, as GitHub does while its author is flagged as spam: reads return 404 and lists
    /// omit it. No webhook is sent.
    ///
    /// # Errors
    /// Fails when the repository does not exist.
    pub fn hide(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.hidden.insert((repo, number));
        Ok(())
    }

    /// Reverts [`Sandbox::hide`].
    ///
    /// # Errors
    /// Fails when the repository does not exist.
    pub fn unhide(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.hidden.remove(&(repo, number));
        Ok(())
    }

    /// Installs the app on repositories of one account and returns the installation's id.
    ///
    /// # Errors
    /// Fails when a repository is missing or belongs to another account.
    pub fn install(&self, repos: &[&str]) -> Result<u64, ApiError> {
        let mut world = self.inner.world();
        let ids: Result<Vec<u64>, ApiError> = repos.iter().map(|name| world.repo_of(name)).collect();
        world.install(&ids?)
    }

    /// Adds and removes repositories of an installation.
    ///
    /// # Errors
    /// Fails when the installation or a repository is missing.
    pub fn change_installation(&self, id: u64, add: &[&str], remove: &[&str]) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let add: Result<Vec<u64>, ApiError> = add.iter().map(|name| world.repo_of(name)).collect();
        let remove: Result<Vec<u64>, ApiError> = remove.iter().map(|name| world.repo_of(name)).collect();
        world.change_repos(id, &add?, &remove?)
    }

    /// Suspends or unsuspends an installation.
    ///
    /// # Errors
    /// Fails when the installation is missing.
    pub fn suspend(&self, id: u64, suspended: bool) -> Result<(), ApiError> {
        self.inner.world().set_suspended(id, suspended)
    }

    /// Changes an installation's permissions.
    ///
    /// # Errors
    /// Fails when the installation is missing.
    pub fn grant(&self, id: u64, permissions: BTreeMap<String, String>) -> Result<(), ApiError> {
        self.inner.world().grant(id, permissions)
    }

    /// Removes the app from an account.
    ///
    /// # Errors
    /// Fails when the installation is missing.
    pub fn uninstall(&self, id: u64) -> Result<(), ApiError> {
        self.inner.world().uninstall(id)
    }

    /// Sets a check (`queued`, `in_progress`, `completed` with a conclusion) on a pull request's head, as another app.
    /// Returns the run's id. A new head commit starts without checks.
    ///
    /// # Errors
    /// Fails when the pull request is missing, or status and conclusion do not fit.
    pub fn set_check(
        &self,
        repo: &str,
        pull: u64,
        name: &str,
        status: &str,
        conclusion: Option<&str>,
    ) -> Result<u64, ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.set_check(repo, pull, name, status, conclusion)
    }

    /// Sets a commit status (`error`, `failure`, `pending`, `success`) on a pull request's head, as another app.
    ///
    /// # Errors
    /// Fails when the pull request is missing or the state is unknown.
    pub fn set_status(&self, repo: &str, pull: u64, context: &str, state: &str) -> Result<u64, ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.set_status(repo, pull, context, state)
    }

    /// Adds a user to a team of an organization; team and organization are created if new.
    pub fn add_team_member(&self, org: &str, team: &str, login: &str) {
        self.inner.world().add_team_member(org, team, login);
    }

    /// Removes a user from a team.
    ///
    /// # Errors
    /// Fails when the user is not a member.
    pub fn remove_team_member(&self, org: &str, team: &str, login: &str) -> Result<(), ApiError> {
        self.inner.world().remove_team_member(org, team, login)
    }

    /// Expires every installation token.
    pub fn expire_tokens(&self) {
        self.inner.world().expire_tokens(None);
    }

    /// Adds a fault for the next matching requests.
    pub fn fault(&self, fault: Fault) {
        self.inner.world().faults.requests.push(fault);
    }

    /// Adds a fault for the next matching deliveries.
    pub fn delivery_fault(&self, fault: DeliveryFault) {
        self.inner.world().faults.deliveries.push(fault);
    }

    /// Sets the probabilities of random faults.
    pub fn chaos(&self, chaos: Chaos) {
        self.inner.world().faults.chaos = chaos;
    }

    /// Simulates an outage: while down, every request fails.
    pub fn set_down(&self, down: bool) {
        self.inner.world().faults.down = down;
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.inner.world().faults = Faults::default();
    }

    /// Returns the request faults that are not used up yet.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.inner.world().faults.requests.clone()
    }

    /// Holds deliveries until they are flushed, taken or released.
    pub fn hold_deliveries(&self) {
        self.inner.world().outbox.held = true;
    }

    /// Resumes automatic delivery.
    pub fn release_deliveries(&self) {
        self.inner.world().outbox.release();
    }

    /// Flushes held deliveries in order; if nothing is held, waits for the queue to drain. Returns how many it sent.
    pub async fn flush(&self) -> usize {
        sender::flush(&self.inner).await
    }

    /// Returns the queued deliveries in order.
    #[must_use]
    pub fn held(&self) -> Vec<WebhookEvent> {
        self.inner.world().outbox.queue.iter().map(|one| one.webhook.clone()).collect()
    }

    /// Shuffles the queued deliveries, using the seed.
    pub fn shuffle_held(&self) {
        self.inner.world().shuffle_deliveries();
    }

    /// Duplicates the delivery at an index; the copy lands at a random later position. Returns false if there is none.
    pub fn duplicate_held(&self, index: usize) -> bool {
        self.inner.world().duplicate_delivery(index)
    }

    /// Drops the delivery at an index.
    pub fn drop_held(&self, index: usize) -> Option<WebhookEvent> {
        self.inner.world().outbox.queue.remove(index).map(|one| one.webhook)
    }

    /// Removes the queued deliveries, signed as they would be sent, and records them as delivered.
    pub fn take_deliveries(&self) -> Vec<WebhookRequest> {
        let mut world = self.inner.world();
        let at = world.now();
        let mut webhooks = Vec::new();
        while let Some(queued) = world.outbox.take() {
            let webhook = queued.webhook;
            let (headers, body) = (world.outbox.headers(&webhook, &world.app), world.outbox.wire(&webhook));
            world.outbox.record(&webhook, queued.redelivery, at, 0, Ok((202, String::new())));
            world.outbox.in_flight -= 1;
            webhooks.push(WebhookRequest { webhook, headers, body });
        }
        webhooks
    }

    /// Records that a taken delivery failed with this status of the receiver; 0 without a response.
    pub fn record_failure(&self, webhook: &WebhookEvent, code: u16) {
        let mut world = self.inner.world();
        let at = world.now();
        let outcome = if code == 0 { Err("timed out".to_owned()) } else { Ok((code, String::new())) };
        world.outbox.record(webhook, false, at, 0, outcome);
    }

    /// Sends a ping, as a new webhook does.
    pub fn ping(&self) {
        self.inner.world().ping();
    }

    /// Queues any payload as a delivery of this event, such as one of GitHub's published examples. Returns its `guid`.
    pub fn deliver(&self, event: &str, payload: &Value) -> String {
        self.inner.world().deliver(event, payload)
    }

    /// Returns every delivery that was sent or failed, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.world().outbox.done.values().cloned().collect()
    }

    /// Returns every recorded request.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.world().journal.requests.clone()
    }

    /// Returns an issue (or a pull request as an issue).
    ///
    /// # Errors
    /// Fails when it does not exist.
    pub fn issue(&self, repo: &str, number: u64) -> Result<IssueView, ApiError> {
        let world = self.inner.world();
        world.issue_view(world.repo_of(repo)?, number)
    }

    /// Returns the comments of an issue, oldest first; empty when it does not exist.
    #[must_use]
    pub fn comments(&self, repo: &str, number: u64) -> Vec<CommentView> {
        let world = self.inner.world();
        let Ok(issue) = world.repo_of(repo).and_then(|id| world.issue(id, number)) else { return Vec::new() };
        issue.comments.iter().filter_map(|id| world.comment(*id).ok()).map(|one| world.comment_view(one)).collect()
    }

    /// Returns a pull request.
    ///
    /// # Errors
    /// Fails when it does not exist.
    pub fn pull(&self, repo: &str, number: u64) -> Result<PullView, ApiError> {
        let world = self.inner.world();
        world.pull_view(world.repo_of(repo)?, number)
    }

    /// Returns `owner/name` of a repository, unless it was deleted.
    #[must_use]
    pub fn repo_name(&self, id: u64) -> Option<String> {
        let world = self.inner.world();
        world.repo(id).is_ok().then(|| world.full_name(id))
    }

    /// Returns the issues of a repository that were not deleted or transferred, without pull requests, oldest first.
    #[must_use]
    pub fn issues(&self, repo: &str) -> Vec<IssueView> {
        self.view_each(repo, |world, id, issue| {
            issue.pull.is_none().then(|| world.issue_view(id, issue.number).ok()).flatten()
        })
    }

    /// Returns the pull requests of a repository, oldest first.
    #[must_use]
    pub fn pulls(&self, repo: &str) -> Vec<PullView> {
        self.view_each(repo, |world, id, issue| world.pull_view(id, issue.number).ok())
    }

    /// Views each issue and pull request that was not deleted or transferred, oldest first.
    fn view_each<T>(&self, repo: &str, view: impl Fn(&World, u64, &Issue) -> Option<T>) -> Vec<T> {
        let world = self.inner.world();
        let Ok(id) = world.repo_of(repo) else { return Vec::new() };
        let Ok(found) = world.repo(id) else { return Vec::new() };
        found.issues.values().filter(|issue| issue.gone.is_none()).filter_map(|one| view(&world, id, one)).collect()
    }

    /// Returns the open pull requests of a repository, oldest first.
    #[must_use]
    pub fn open_pulls(&self, repo: &str) -> Vec<PullView> {
        self.pulls(repo).into_iter().filter(|pull| pull.open).collect()
    }
}
