//! The rest of the handle: installations, deliveries, faults, and reading back what happened.

use super::{
    ApiError, Chaos, CommentView, Delivery, DeliveryFault, Fault, Faults, IssueView, Letter, Parcel, PullView,
    RecordedRequest, Sandbox, sender,
};
use serde_json::Value;
use std::collections::BTreeMap;

impl Sandbox {
    /// Hides an issue or pull request, as GitHub does while its author is flagged as spam: a look answers 404 and no list
    /// shows it. Nothing is announced.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn hide(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.hidden.insert((repo, number));
        Ok(())
    }

    /// Shows again what [`Sandbox::hide`] hid.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn unhide(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.hidden.remove(&(repo, number));
        Ok(())
    }

    /// Installs the app on these repositories of one account; the installation's id.
    ///
    /// # Errors
    /// When a repository is missing or belongs to another account.
    pub fn install(&self, repos: &[&str]) -> Result<u64, ApiError> {
        let mut world = self.inner.world();
        let ids: Result<Vec<u64>, ApiError> = repos.iter().map(|name| world.repo_of(name)).collect();
        world.install(&ids?)
    }

    /// Adds and removes repositories of an installation.
    ///
    /// # Errors
    /// When the installation or a repository is missing.
    pub fn change_installation(&self, id: u64, add: &[&str], remove: &[&str]) -> Result<(), ApiError> {
        let mut world = self.inner.world();
        let add: Result<Vec<u64>, ApiError> = add.iter().map(|name| world.repo_of(name)).collect();
        let remove: Result<Vec<u64>, ApiError> = remove.iter().map(|name| world.repo_of(name)).collect();
        world.change_repos(id, &add?, &remove?)
    }

    /// Suspends or unsuspends an installation.
    ///
    /// # Errors
    /// When the installation is missing.
    pub fn suspend(&self, id: u64, suspended: bool) -> Result<(), ApiError> {
        self.inner.world().set_suspended(id, suspended)
    }

    /// Changes an installation's permissions.
    ///
    /// # Errors
    /// When the installation is missing.
    pub fn grant(&self, id: u64, permissions: BTreeMap<String, String>) -> Result<(), ApiError> {
        self.inner.world().grant(id, permissions)
    }

    /// Removes the app from an account.
    ///
    /// # Errors
    /// When the installation is missing.
    pub fn uninstall(&self, id: u64) -> Result<(), ApiError> {
        self.inner.world().uninstall(id)
    }

    /// Sets a check (`queued`, `in_progress`, `completed` with a conclusion) on a pull request's head, as another app;
    /// the run's number. A push starts anew.
    ///
    /// # Errors
    /// When the pull request is missing, or status and conclusion do not fit.
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
    /// When the pull request is missing, or there is no such state.
    pub fn set_status(&self, repo: &str, pull: u64, context: &str, state: &str) -> Result<u64, ApiError> {
        let mut world = self.inner.world();
        let repo = world.repo_of(repo)?;
        world.set_status(repo, pull, context, state)
    }

    /// Puts somebody in a team of an organization; both are made when they are new.
    pub fn add_team_member(&self, org: &str, team: &str, login: &str) {
        self.inner.world().add_team_member(org, team, login);
    }

    /// Takes somebody out of a team.
    ///
    /// # Errors
    /// When the person was not in it.
    pub fn remove_team_member(&self, org: &str, team: &str, login: &str) -> Result<(), ApiError> {
        self.inner.world().remove_team_member(org, team, login)
    }

    /// Lets every installation token end at once.
    pub fn expire_tokens(&self) {
        self.inner.world().expire_tokens(None);
    }

    /// Switches a fault on for the next requests that match it.
    pub fn fault(&self, fault: Fault) {
        self.inner.world().faults.requests.push(fault);
    }

    /// Switches a fault on for the next deliveries that match it.
    pub fn delivery_fault(&self, fault: DeliveryFault) {
        self.inner.world().faults.deliveries.push(fault);
    }

    /// Lets things go wrong by chance.
    pub fn chaos(&self, chaos: Chaos) {
        self.inner.world().faults.chaos = chaos;
    }

    /// While down, every request fails.
    pub fn set_down(&self, down: bool) {
        self.inner.world().faults.down = down;
    }

    /// Switches every fault off.
    pub fn clear_faults(&self) {
        self.inner.world().faults = Faults::default();
    }

    /// The faults that are switched on and not used up yet.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.inner.world().faults.requests.clone()
    }

    /// Keeps deliveries back until they are flushed, taken or released.
    pub fn hold_deliveries(&self) {
        self.inner.world().outbox.held = true;
    }

    /// Lets deliveries go on their own again.
    pub fn release_deliveries(&self) {
        self.inner.world().outbox.release();
    }

    /// Sends what is held, in its order; while not held, waits until everything has been sent. How many it sent itself.
    pub async fn flush(&self) -> usize {
        sender::flush(&self.inner).await
    }

    /// What waits to be sent, in its order.
    #[must_use]
    pub fn held(&self) -> Vec<Letter> {
        self.inner.world().outbox.queue.iter().map(|one| one.letter.clone()).collect()
    }

    /// Puts what waits into another order, by the seed.
    pub fn shuffle_held(&self) {
        self.inner.world().shuffle_deliveries();
    }

    /// Doubles the delivery at this place; the copy lands anywhere behind it. False when there is none.
    pub fn duplicate_held(&self, index: usize) -> bool {
        self.inner.world().duplicate_delivery(index)
    }

    /// Loses the delivery at this place.
    pub fn drop_held(&self, index: usize) -> Option<Letter> {
        self.inner.world().outbox.queue.remove(index).map(|one| one.letter)
    }

    /// Takes what waits out of the box, signed as it would travel, and notes it as delivered.
    pub fn take_deliveries(&self) -> Vec<Parcel> {
        let mut world = self.inner.world();
        let at = world.now();
        let mut parcels = Vec::new();
        while let Some(waiting) = world.outbox.take() {
            let letter = waiting.letter;
            let (headers, body) = (world.outbox.headers(&letter, &world.app), world.outbox.wire(&letter));
            world.outbox.record(&letter, waiting.redelivery, at, 0, Ok((202, String::new())));
            world.outbox.in_flight -= 1;
            parcels.push(Parcel { letter, headers, body });
        }
        parcels
    }

    /// Greets the receiver, as a hook does when it is set up.
    pub fn ping(&self) {
        self.inner.world().ping();
    }

    /// Queues any payload as a delivery of this event, such as one of GitHub's published examples; its `guid`.
    pub fn deliver(&self, event: &str, payload: &Value) -> String {
        self.inner.world().deliver(event, payload)
    }

    /// Every delivery that was sent or failed, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.world().outbox.done.values().cloned().collect()
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.world().journal.requests.clone()
    }

    /// An issue, or a pull request seen as one.
    ///
    /// # Errors
    /// When it is not there.
    pub fn issue(&self, repo: &str, number: u64) -> Result<IssueView, ApiError> {
        let world = self.inner.world();
        world.issue_view(world.repo_of(repo)?, number)
    }

    /// The comments of an issue, oldest first; none when it is not there.
    #[must_use]
    pub fn comments(&self, repo: &str, number: u64) -> Vec<CommentView> {
        let world = self.inner.world();
        let Ok(issue) = world.repo_of(repo).and_then(|id| world.issue(id, number)) else { return Vec::new() };
        issue.comments.iter().filter_map(|id| world.comment(*id).ok()).map(|one| world.comment_view(one)).collect()
    }

    /// A pull request.
    ///
    /// # Errors
    /// When it is not there.
    pub fn pull(&self, repo: &str, number: u64) -> Result<PullView, ApiError> {
        let world = self.inner.world();
        world.pull_view(world.repo_of(repo)?, number)
    }

    /// The open pull requests of a repository, oldest first.
    #[must_use]
    pub fn open_pulls(&self, repo: &str) -> Vec<PullView> {
        let world = self.inner.world();
        let Ok(id) = world.repo_of(repo) else { return Vec::new() };
        let Ok(found) = world.repo(id) else { return Vec::new() };
        let open = found.issues.values().filter(|issue| issue.open && issue.pull.is_some());
        open.filter_map(|issue| world.pull_view(id, issue.number).ok()).collect()
    }
}
