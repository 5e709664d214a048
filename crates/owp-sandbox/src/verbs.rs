//! What people do, as verbs on a handle: tests and the demo read like stories.
//!
//! Every verb obeys the same rules as the REST face and is announced the same way.

use super::{
    Sandbox,
    error::ApiError,
    world::{
        World,
        access::Caller,
        issues::{IssueEdit, NewIssue},
        model::{Role, UserKind},
        pulls::NewPull,
    },
};

/// What a pull request is opened with.
#[derive(Debug, Clone, Default)]
pub struct PrSpec {
    /// The branch. For people without write access it is a branch of their fork; `login:branch` names a fork outright.
    pub head: String,
    /// The target branch; empty means the default branch.
    pub base: String,
    /// One line.
    pub title: String,
    /// Markdown; closing keywords link issues.
    pub body: String,
    /// Opened as a draft.
    pub draft: bool,
    /// Its first commit carries a signature that GitHub verified.
    pub signed: bool,
}

/// A person, acting.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) sandbox: Sandbox,
    pub(super) login: String,
}

impl Person {
    fn act<T>(&self, verb: impl FnOnce(&mut World, &Caller) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut world = self.sandbox.inner.world();
        let caller = Caller::User(world.user_by_login(&self.login)?);
        verb(&mut world, &caller)
    }

    fn on<T>(
        &self,
        repo: &str,
        verb: impl FnOnce(&mut World, &Caller, u64) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.act(|world, caller| {
            let id = world.repo_of(repo)?;
            verb(world, caller, id)
        })
    }

    /// Opens an issue; its number.
    ///
    /// # Errors
    /// GitHub's refusal, as for every verb here.
    pub fn open_issue(&self, repo: &str, title: &str, body: &str, labels: &[&str]) -> Result<u64, ApiError> {
        self.open(repo, title, body, labels, false)
    }

    /// Opens an issue from a template, whose labels are set whoever opens it.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn open_template_issue(&self, repo: &str, title: &str, body: &str, labels: &[&str]) -> Result<u64, ApiError> {
        self.open(repo, title, body, labels, true)
    }

    fn open(&self, repo: &str, title: &str, body: &str, labels: &[&str], template: bool) -> Result<u64, ApiError> {
        let new = NewIssue {
            title: title.to_owned(),
            body: Some(body.to_owned()),
            labels: labels.iter().map(|one| (*one).to_owned()).collect(),
            assignees: Vec::new(),
            from_template: template,
        };
        self.on(repo, |world, caller, id| world.create_issue(caller, id, &new))
    }

    fn edit(&self, repo: &str, number: u64, edit: &IssueEdit) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.edit_issue(caller, id, number, edit))
    }

    /// Changes an issue's or pull request's title.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn retitle(&self, repo: &str, number: u64, title: &str) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { title: Some(title.to_owned()), ..IssueEdit::default() })
    }

    /// Changes an issue's or pull request's body.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn rewrite(&self, repo: &str, number: u64, body: &str) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { body: Some(Some(body.to_owned())), ..IssueEdit::default() })
    }

    /// Closes an issue or, unmerged, a pull request.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn close(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { open: Some(false), ..IssueEdit::default() })
    }

    /// Closes an issue as not planned.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn close_not_planned(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let state_reason = Some("not_planned".to_owned());
        self.edit(repo, number, &IssueEdit { open: Some(false), state_reason, ..IssueEdit::default() })
    }

    /// Reopens an issue or pull request.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn reopen(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { open: Some(true), ..IssueEdit::default() })
    }

    /// Makes the assignees exactly these people.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn assign(&self, repo: &str, number: u64, logins: &[&str]) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| {
            let people: Result<Vec<u64>, ApiError> = logins.iter().map(|login| world.user_by_login(login)).collect();
            let edit = IssueEdit { assignees: Some(people?), ..IssueEdit::default() };
            world.edit_issue(caller, id, number, &edit)
        })
    }

    /// Sets a label.
    ///
    /// # Errors
    /// GitHub's refusal: labelling needs triage.
    pub fn label(&self, repo: &str, number: u64, label: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.add_labels(caller, id, number, &[label.to_owned()]))
    }

    /// Sets several labels; one event each.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn label_all(&self, repo: &str, number: u64, labels: &[&str]) -> Result<(), ApiError> {
        let names: Vec<String> = labels.iter().map(|one| (*one).to_owned()).collect();
        self.on(repo, |world, caller, id| world.add_labels(caller, id, number, &names))
    }

    /// Removes a label.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn unlabel(&self, repo: &str, number: u64, label: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.remove_label(caller, id, number, label))
    }

    /// Gives a label of the repository another name; the issues that carry it show the new one.
    ///
    /// # Errors
    /// GitHub's refusal: needs write.
    pub fn rename_label(&self, repo: &str, from: &str, to: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.rename_label(caller, id, from, to))
    }

    /// Writes a comment; its id.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn comment(&self, repo: &str, number: u64, body: &str) -> Result<u64, ApiError> {
        self.on(repo, |world, caller, id| world.create_comment(caller, id, number, body))
    }

    /// Changes a comment, the person's own or, with write access, anybody's.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn edit_comment(&self, repo: &str, comment: u64, body: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.edit_comment(caller, id, comment, body))
    }

    /// Deletes a comment.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn delete_comment(&self, repo: &str, comment: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_comment(caller, id, comment))
    }

    /// Locks a conversation.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn lock(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_locked(caller, id, number, true))
    }

    /// Unlocks a conversation.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn unlock(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_locked(caller, id, number, false))
    }

    /// Pins an issue above the list of issues.
    ///
    /// # Errors
    /// GitHub's refusal: needs write, and there are three places.
    pub fn pin_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_pinned(caller, id, number, true))
    }

    /// Unpins an issue.
    ///
    /// # Errors
    /// GitHub's refusal: needs write.
    pub fn unpin_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_pinned(caller, id, number, false))
    }

    /// Makes a discussion of an issue; what stays of it is closed and locked.
    ///
    /// # Errors
    /// GitHub's refusal: needs write.
    pub fn convert_to_discussion(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.convert_to_discussion(caller, id, number))
    }

    /// Deletes an issue.
    ///
    /// # Errors
    /// GitHub's refusal: needs admin.
    pub fn delete_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_issue(caller, id, number))
    }

    /// Transfers an issue; its number in the other repository.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn transfer_issue(&self, repo: &str, number: u64, to: &str) -> Result<u64, ApiError> {
        self.on(repo, |world, caller, id| {
            let to = world.repo_of(to)?;
            world.transfer_issue(caller, id, number, to)
        })
    }

    /// Pushes a branch and opens a pull request of it; its number.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn open_pr(&self, repo: &str, spec: PrSpec) -> Result<u64, ApiError> {
        self.on(repo, |world, caller, id| {
            let writes = world.need_role(caller, id, Role::Write).is_ok();
            let head =
                if writes || spec.head.contains(':') { spec.head } else { format!("{}:{}", self.login, spec.head) };
            let base = if spec.base.is_empty() { world.repo(id)?.default_branch.clone() } else { spec.base };
            let body = Some(spec.body);
            let PrSpec { title, draft, signed, .. } = spec;
            world.push_branch(caller, id, &head)?;
            world.create_pull(caller, id, &NewPull { head, base, title, body, draft, signed })
        })
    }

    /// Pushes a commit to a pull request; its name.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn push(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.push(caller, id, number, false))
    }

    /// Pushes a commit whose signature GitHub verified; its name.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn push_signed(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.push(caller, id, number, true))
    }

    /// Marks a draft ready for review.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn ready_for_review(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_draft(caller, id, number, false))
    }

    /// Turns a pull request back into a draft.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn convert_to_draft(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_draft(caller, id, number, true))
    }

    /// Points a pull request at another branch.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn retarget(&self, repo: &str, number: u64, base: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.edit_pull(caller, id, number, &IssueEdit::default(), Some(base)))
    }

    /// Merges a pull request; the merge commit.
    ///
    /// # Errors
    /// GitHub's refusal: needs write, and no draft.
    pub fn merge(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.merge(caller, id, number, None))
    }

    /// Closes a pull request unmerged.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn close_pr(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.close(repo, number)
    }

    /// Writes a file to the default branch, such as `.github/owp.yml`.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn put_file(&self, repo: &str, path: &str, text: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.put_file(caller, id, path, text, None).map(drop))
    }

    /// Renames a repository; its old name answers 301.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn rename_repo(&self, repo: &str, name: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.rename_repo(caller, id, name))
    }

    /// Gives a repository to another account; an account nobody knows becomes an organization.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn transfer_repo(&self, repo: &str, owner: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| {
            let to = world.user_named(owner, UserKind::Organization);
            world.transfer_repo(caller, id, to)
        })
    }

    /// Hides a repository or shows it to everybody.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn set_private(&self, repo: &str, private: bool) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_private(caller, id, private))
    }

    /// Changes which branch is the default one.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn set_default_branch(&self, repo: &str, branch: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_default_branch(caller, id, branch))
    }

    /// Archives or unarchives a repository.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn set_archived(&self, repo: &str, archived: bool) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_archived(caller, id, archived))
    }

    /// Deletes a repository, such as one's own fork.
    ///
    /// # Errors
    /// GitHub's refusal.
    pub fn delete_repo(&self, repo: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_repo(caller, id))
    }
}
