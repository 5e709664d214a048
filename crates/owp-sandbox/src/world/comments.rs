//! Comments: writing, editing and deleting them, by people and by the app.

use super::{
    World,
    access::Caller,
    model::{Comment, Role},
};
use crate::error::ApiError;
use serde_json::json;

/// The longest comment GitHub takes, in characters.
const LONGEST: usize = 65_536;

fn check_body(body: &str) -> Result<(), ApiError> {
    if body.trim().is_empty() {
        return Err(ApiError::custom("IssueComment", "body", "Body cannot be blank"));
    }
    if body.chars().count() > LONGEST {
        return Err(ApiError::custom("IssueComment", "body", "body is too long (maximum is 65536 characters)"));
    }
    Ok(())
}

impl World {
    /// Writes a comment under an issue or pull request.
    pub(crate) fn create_comment(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        body: &str,
    ) -> Result<u64, ApiError> {
        self.see(caller, repo)?;
        let actor = self.actor(caller)?;
        let issue = self.issue(repo, number)?;
        self.need_for(caller, repo, issue, true)?;
        let insider = matches!(caller, Caller::User(_)) && self.has_role(caller, repo, Role::Write);
        if issue.locked && !insider {
            return Err(ApiError::new(403, "Unable to create comment because issue is locked."));
        }
        check_body(body)?;
        let id = self.new_id();
        let at = self.now();
        let via_app = matches!(caller, Caller::Installation { .. });
        let comment = Comment {
            id,
            repo,
            issue: number,
            author: actor,
            body: body.to_owned(),
            created_at: at,
            updated_at: at,
            via_app,
        };
        self.comments.insert(id, comment);
        let issue = self.issue_mut(repo, number)?;
        issue.comments.push(id);
        issue.updated_at = at;
        self.announce_comment(id, "created", actor, json!({}))?;
        Ok(id)
    }

    /// The comment, when the caller may change it: its author, or somebody with write access.
    fn own_comment(&self, caller: &Caller, repo: u64, id: u64) -> Result<(u64, Comment), ApiError> {
        self.see(caller, repo)?;
        let actor = self.actor(caller)?;
        let comment = self.comment(id)?;
        if comment.repo != repo {
            return Err(ApiError::not_found());
        }
        self.need_for(caller, repo, self.issue(repo, comment.issue)?, true)?;
        if comment.author != actor && !self.has_role(caller, repo, Role::Write) {
            return Err(ApiError::role("write"));
        }
        Ok((actor, comment.clone()))
    }

    /// Changes a comment's text. GitHub announces an edit even when the text is the same.
    pub(crate) fn edit_comment(&mut self, caller: &Caller, repo: u64, id: u64, body: &str) -> Result<(), ApiError> {
        let (actor, before) = self.own_comment(caller, repo, id)?;
        check_body(body)?;
        let at = self.now();
        if let Some(comment) = self.comments.get_mut(&id) {
            body.clone_into(&mut comment.body);
            comment.updated_at = at;
        }
        self.touch(repo, before.issue);
        let mut changes = json!({});
        if before.body != body {
            changes["body"] = json!({ "from": before.body });
        }
        self.announce_comment(id, "edited", actor, json!({ "changes": changes }))
    }

    /// Deletes a comment; editing it afterwards is a 404.
    pub(crate) fn delete_comment(&mut self, caller: &Caller, repo: u64, id: u64) -> Result<(), ApiError> {
        let (actor, before) = self.own_comment(caller, repo, id)?;
        self.issue_mut(repo, before.issue)?.comments.retain(|one| *one != id);
        self.touch(repo, before.issue);
        self.announce_comment(id, "deleted", actor, json!({}))?;
        self.comments.remove(&id);
        Ok(())
    }
}
