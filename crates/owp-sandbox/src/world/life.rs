//! Rare changes of an issue, which GitHub offers only by hand and by GraphQL: pinning, deletion, transfer, conversion
//! to a discussion.

use super::{
    World,
    access::Caller,
    issues::IssueChange,
    model::{Removal, Role},
};
use crate::error::ApiError;
use serde_json::json;

/// GitHub allows three pinned issues.
const PINNED_MAX: usize = 3;

impl World {
    /// Pins or unpins an issue.
    pub(crate) fn set_pinned(&mut self, caller: &Caller, repo: u64, number: u64, pinned: bool) -> Result<(), ApiError> {
        let actor = self.writer_of(caller, repo, number)?;
        if self.issue(repo, number)?.pinned == pinned {
            return Ok(());
        }
        let count = self.repo(repo)?.issues.values().filter(|issue| issue.pinned && issue.gone.is_none()).count();
        if pinned && count >= PINNED_MAX {
            return Err(ApiError::custom("Issue", "pinned", "Maximum 3 pinned issues per repository"));
        }
        self.issue_mut(repo, number)?.pinned = pinned;
        let action = if pinned { "pinned" } else { "unpinned" };
        self.happened(caller, repo, number, IssueChange::new(action, actor))?;
        self.announce_issue(repo, number, action, actor, json!({}))
    }

    /// Converts an issue to a discussion, which leaves it closed and locked.
    pub(crate) fn convert_to_discussion(&mut self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
        let actor = self.writer_of(caller, repo, number)?;
        self.happened(caller, repo, number, IssueChange::new("converted_to_discussion", actor))?;
        self.close(caller, actor, repo, number, None, None)?;
        self.set_locked(caller, repo, number, true)
    }

    /// Returns the acting account if it has write access and the issue is not a pull request.
    fn writer_of(&self, caller: &Caller, repo: u64, number: u64) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        if self.issue(repo, number)?.pull.is_some() {
            return Err(ApiError::not_found());
        }
        self.need_role(caller, repo, Role::Write)?;
        self.actor(caller)
    }

    /// Deletes an issue; it returns 410 from now on.
    pub(crate) fn delete_issue(&mut self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        self.need_role(caller, repo, Role::Admin)?;
        let actor = self.actor(caller)?;
        if self.issue(repo, number)?.pull.is_some() {
            return Err(ApiError::custom("Issue", "id", "pull requests cannot be deleted"));
        }
        self.announce_issue(repo, number, "deleted", actor, json!({}))?;
        let issue = self.issue_mut(repo, number)?;
        issue.gone = Some(Removal::Deleted);
        for comment in issue.comments.clone() {
            self.comments.remove(&comment);
        }
        Ok(())
    }

    /// Moves an issue to another repository, with a new id and number: first `opened` there, then `transferred` here.
    /// Labels that the other repository lacks are lost; comments move without events.
    pub(crate) fn transfer_issue(&mut self, caller: &Caller, repo: u64, number: u64, to: u64) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        self.see(caller, to)?;
        self.need_role(caller, repo, Role::Write)?;
        self.need_role(caller, to, Role::Write)?;
        let actor = self.actor(caller)?;
        if repo == to || self.issue(repo, number)?.pull.is_some() {
            return Err(ApiError::custom("Issue", "repository", "this issue cannot be transferred there"));
        }
        let (old_json, old_repo) = (self.issue_json(repo, number)?, self.repo_json(repo)?);
        let mut issue = self.issue(repo, number)?.clone();
        let there = self.next_number(to)?;
        issue.id = self.new_id();
        issue.number = there;
        let known = &self.repo(to)?.labels;
        issue.labels.retain(|label| known.contains_key(&label.to_lowercase()));
        for id in &issue.comments {
            if let Some(comment) = self.comments.get_mut(id) {
                (comment.repo, comment.issue) = (to, there);
            }
        }
        self.repo_mut(to)?.issues.insert(there, issue);
        let changes = json!({ "old_issue": old_json, "old_repository": old_repo });
        self.announce_issue(to, there, "opened", actor, json!({ "changes": changes }))?;
        let changes = json!({ "new_issue": self.issue_json(to, there)?, "new_repository": self.repo_json(to)? });
        self.announce_issue(repo, number, "transferred", actor, json!({ "changes": changes }))?;
        let left = self.issue_mut(repo, number)?;
        left.gone = Some(Removal::Moved { repo: to, number: there });
        left.comments.clear();
        Ok(there)
    }
}
