//! The rarer ends of an issue: deletion and transfer, which GitHub offers by hand and by GraphQL only.

use super::{
    World,
    access::Caller,
    model::{Gone, Role},
};
use crate::sandbox::error::ApiError;
use serde_json::json;

impl World {
    /// Deletes an issue; it answers 410 from now on.
    pub(in crate::sandbox) fn delete_issue(&mut self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
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
    pub(in crate::sandbox) fn transfer_issue(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        to: u64,
    ) -> Result<u64, ApiError> {
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
