//! The rarer things that happen to an issue: pinning, deletion, transfer, becoming a discussion, which GitHub offers by
//! hand and by GraphQL only.

use super::{
    World,
    access::Caller,
    issues::Happening,
    model::{Gone, Role},
};
use crate::error::ApiError;
use serde_json::json;

/// GitHub shows three pinned issues.
const PINNED_MAX: usize = 3;

impl World {
    /// Pins an issue above the list, or unpins it.
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
        self.happened(caller, repo, number, Happening::new(action, actor))?;
        self.announce_issue(repo, number, action, actor, json!({}))
    }

    /// Makes a discussion of an issue: what stays of it is closed and locked.
    pub(crate) fn convert_to_discussion(&mut self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
        let actor = self.writer_of(caller, repo, number)?;
        self.happened(caller, repo, number, Happening::new("converted_to_discussion", actor))?;
        self.close(caller, actor, repo, number, None, None)?;
        self.set_locked(caller, repo, number, true)
    }

    /// Who acts, on an issue that is no pull request, with write access.
    fn writer_of(&self, caller: &Caller, repo: u64, number: u64) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        if self.issue(repo, number)?.pull.is_some() {
            return Err(ApiError::not_found());
        }
        self.need_role(caller, repo, Role::Write)?;
        self.actor(caller)
    }

    /// Deletes an issue; it answers 410 from now on.
    pub(crate) fn delete_issue(&mut self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        self.need_role(caller, repo, Role::Admin)?;
        let actor = self.actor(caller)?;
        if self.issue(repo, number)?.pull.is_some() {
            return Err(ApiError::custom("Issue", "id", "pull requests cannot be deleted"));
        }
        self.announce_issue(repo, number, "deleted", actor, json!({}))?;
        let issue = self.issue_mut(repo, number)?;
        issue.gone = Some(Gone::Deleted);
        for comment in issue.comments.clone() {
            self.comments.remove(&comment);
        }
        Ok(())
    }

    /// Moves an issue to another repository: a new id and number there, `opened` there first, then `transferred` here.
    /// Labels the other repository does not have are lost; comments go along and replay nothing.
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
        left.gone = Some(Gone::Moved { repo: to, number: there });
        left.comments.clear();
        Ok(there)
    }
}
