//! Comments: creating, editing and deleting them, by users and by the app.

use super::{
    World,
    access::Caller,
    model::{Comment, Role},
};
use crate::error::ApiError;
use serde_json::json;

/// Maximum length of a comment on GitHub, in characters.
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
    /// Creates a comment on an issue or pull request.
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

    /// Returns the comment if the caller may change it: its author, or a user with write access.
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

    /// Replaces a comment's text. GitHub announces an edit even if the text is unchanged.
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

    /// Deletes a comment; later edits return 404.
    pub(crate) fn delete_comment(&mut self, caller: &Caller, repo: u64, id: u64) -> Result<(), ApiError> {
        let (actor, before) = self.own_comment(caller, repo, id)?;
        self.issue_mut(repo, before.issue)?.comments.retain(|one| *one != id);
        self.touch(repo, before.issue);
        self.announce_comment(id, "deleted", actor, json!({}))?;
        self.comments.remove(&id);
        Ok(())
    }
}
