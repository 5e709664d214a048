//! Actions of users, as methods of a handle, so that tests and the demo read like stories.
//!
//! Every verb follows the same rules as the REST API, sends the same webhooks, and fails with GitHub's error.

use super::{
    Sandbox,
    error::ApiError,
    world::{
        World,
        access::Caller,
        forks::NewFork,
        issues::{IssueEdit, NewIssue},
        model::{Role, UserKind},
        pulls::{MergeHow, NewPull},
        reviews::{NewReview, Verdict},
    },
};

/// Parameters of a new pull request.
#[derive(Debug, Clone, Default)]
pub struct PrSpec {
    /// The branch. For users without write access it is a branch of their fork; `login:branch` names a fork explicitly.
    pub head: String,
    /// The target branch; empty means the default branch.
    pub base: String,
    /// The title, one line.
    pub title: String,
    /// The body in Markdown; closing keywords link issues.
    pub body: String,
    /// True to open it as a draft.
    pub draft: bool,
    /// True if its first commit has a verified signature.
    pub signed: bool,
}

/// A user who acts on the sandbox.
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

    /// Opens an issue and returns its number.
    pub fn open_issue(&self, repo: &str, title: &str, body: &str, labels: &[&str]) -> Result<u64, ApiError> {
        self.open(repo, title, body, labels, false)
    }

    /// Opens an issue from a template, whose labels are set for any author.
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
    pub fn retitle(&self, repo: &str, number: u64, title: &str) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { title: Some(title.to_owned()), ..IssueEdit::default() })
    }

    /// Changes an issue's or pull request's body.
    pub fn rewrite(&self, repo: &str, number: u64, body: &str) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { body: Some(Some(body.to_owned())), ..IssueEdit::default() })
    }

    /// Closes an issue or, unmerged, a pull request.
    pub fn close(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { open: Some(false), ..IssueEdit::default() })
    }

    /// Closes an issue as not planned.
    pub fn close_not_planned(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        let state_reason = Some("not_planned".to_owned());
        self.edit(repo, number, &IssueEdit { open: Some(false), state_reason, ..IssueEdit::default() })
    }

    /// Reopens an issue or pull request.
    pub fn reopen(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.edit(repo, number, &IssueEdit { open: Some(true), ..IssueEdit::default() })
    }

    /// Replaces the assignees.
    pub fn assign(&self, repo: &str, number: u64, logins: &[&str]) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| {
            let people: Result<Vec<u64>, ApiError> = logins.iter().map(|login| world.user_by_login(login)).collect();
            let edit = IssueEdit { assignees: Some(people?), ..IssueEdit::default() };
            world.edit_issue(caller, id, number, &edit)
        })
    }

    /// Adds a label; requires the triage role.
    pub fn label(&self, repo: &str, number: u64, label: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.add_labels(caller, id, number, &[label.to_owned()]))
    }

    /// Adds several labels; one event each.
    pub fn label_all(&self, repo: &str, number: u64, labels: &[&str]) -> Result<(), ApiError> {
        let names: Vec<String> = labels.iter().map(|one| (*one).to_owned()).collect();
        self.on(repo, |world, caller, id| world.add_labels(caller, id, number, &names))
    }

    /// Removes a label.
    pub fn unlabel(&self, repo: &str, number: u64, label: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.remove_label(caller, id, number, label))
    }

    /// Renames a label of the repository, also on the issues that have it; requires write access.
    pub fn rename_label(&self, repo: &str, from: &str, to: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.rename_label(caller, id, from, to))
    }

    /// Posts a comment and returns its id.
    pub fn comment(&self, repo: &str, number: u64, body: &str) -> Result<u64, ApiError> {
        self.on(repo, |world, caller, id| world.create_comment(caller, id, number, body))
    }

    /// Edits one of the user's own comments or, with write access, any comment.
    pub fn edit_comment(&self, repo: &str, comment: u64, body: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.edit_comment(caller, id, comment, body))
    }

    /// Deletes a comment.
    pub fn delete_comment(&self, repo: &str, comment: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_comment(caller, id, comment))
    }

    /// Locks a conversation.
    pub fn lock(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_locked(caller, id, number, true))
    }

    /// Unlocks a conversation.
    pub fn unlock(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_locked(caller, id, number, false))
    }

    /// Pins an issue; requires write access. At most three issues can be pinned.
    pub fn pin_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_pinned(caller, id, number, true))
    }

    /// Unpins an issue; requires write access.
    pub fn unpin_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_pinned(caller, id, number, false))
    }

    /// Converts an issue to a discussion, which leaves it closed and locked; requires write access.
    pub fn convert_to_discussion(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.convert_to_discussion(caller, id, number))
    }

    /// Deletes an issue; requires the admin role.
    pub fn delete_issue(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_issue(caller, id, number))
    }

    /// Transfers an issue and returns its number in the other repository.
    pub fn transfer_issue(&self, repo: &str, number: u64, to: &str) -> Result<u64, ApiError> {
        self.on(repo, |world, caller, id| {
            let to = world.repo_of(to)?;
            world.transfer_issue(caller, id, number, to)
        })
    }

    /// Pushes a branch, opens a pull request from it and returns its number.
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

    /// Pushes a commit to a pull request and returns its hash.
    pub fn push(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.push(caller, id, number, false))
    }

    /// Pushes a commit with a verified signature and returns its hash.
    pub fn push_signed(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.push(caller, id, number, true))
    }

    /// Marks a draft ready for review.
    pub fn ready_for_review(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_draft(caller, id, number, false))
    }

    /// Converts a pull request back to a draft.
    pub fn convert_to_draft(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_draft(caller, id, number, true))
    }

    /// Changes the target branch of a pull request.
    pub fn retarget(&self, repo: &str, number: u64, base: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.edit_pull(caller, id, number, &IssueEdit::default(), Some(base)))
    }

    /// Forks a repository, unless that was done, and returns the fork's full name.
    pub fn fork(&self, repo: &str) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| {
            let fork = world.fork(caller, id, &NewFork::default())?;
            Ok(world.full_name(fork))
        })
    }

    /// Reviews a pull request: `APPROVE`, `REQUEST_CHANGES` or `COMMENT`.
    pub fn review(&self, repo: &str, number: u64, event: &str, body: &str) -> Result<u64, ApiError> {
        let verdict =
            Verdict::parse(event).ok_or_else(|| ApiError::invalid("PullRequestReview", "event", "invalid"))?;
        let new = NewReview { verdict, body: body.to_owned(), comments: Vec::new() };
        self.on(repo, |world, caller, id| world.review(caller, id, number, new))
    }

    /// Merges a pull request and returns the merge commit; requires write access, and rejects drafts.
    pub fn merge(&self, repo: &str, number: u64) -> Result<String, ApiError> {
        self.on(repo, |world, caller, id| world.merge(caller, id, number, &MergeHow::default()))
    }

    /// Closes a pull request unmerged.
    pub fn close_pr(&self, repo: &str, number: u64) -> Result<(), ApiError> {
        self.close(repo, number)
    }

    /// Writes a file to the default branch, such as `.github/owp.yml`.
    pub fn put_file(&self, repo: &str, path: &str, text: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.put_file(caller, id, path, text, (None, "Write a file")).map(drop))
    }

    /// Renames a repository; requests with the old name get a 301.
    pub fn rename_repo(&self, repo: &str, name: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.rename_repo(caller, id, name))
    }

    /// Transfers a repository to another account; an unknown account becomes an organization.
    pub fn transfer_repo(&self, repo: &str, owner: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| {
            let to = world.user_named(owner, UserKind::Organization);
            world.transfer_repo(caller, id, to)
        })
    }

    /// Makes a repository private or public.
    pub fn set_private(&self, repo: &str, private: bool) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_private(caller, id, private))
    }

    /// Changes the default branch.
    pub fn set_default_branch(&self, repo: &str, branch: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_default_branch(caller, id, branch))
    }

    /// Archives or unarchives a repository.
    pub fn set_archived(&self, repo: &str, archived: bool) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.set_archived(caller, id, archived))
    }

    /// Deletes a repository, such as the user's own fork.
    pub fn delete_repo(&self, repo: &str) -> Result<(), ApiError> {
        self.on(repo, |world, caller, id| world.delete_repo(caller, id))
    }
}
