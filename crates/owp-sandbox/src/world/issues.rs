//! Issues: opening, editing, closing, reopening, assigning, and their event list.
//!
//! Pull requests are issues too, so their titles, bodies and states change here as well.

use super::{
    World,
    access::{Caller, Need},
    model::{Issue, IssueEvent, Role},
};
use crate::error::ApiError;
use serde_json::{Value, json};

/// Parameters of a new issue.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewIssue {
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<u64>,
    /// True for an issue template, which sets its labels for any author.
    pub(crate) from_template: bool,
}

/// Changes of an edit; `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub(crate) struct IssueEdit {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<Option<String>>,
    pub(crate) open: Option<bool>,
    pub(crate) state_reason: Option<String>,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) assignees: Option<Vec<u64>>,
}

/// An entry for an issue's event list.
#[derive(Debug, Clone, Default)]
pub(super) struct IssueChange {
    pub(super) event: String,
    pub(super) actor: u64,
    pub(super) label: Option<(String, String)>,
    pub(super) assignee: Option<u64>,
    pub(super) rename: Option<(String, String)>,
    pub(super) commit: Option<String>,
}

impl IssueChange {
    pub(super) fn new(event: &str, actor: u64) -> Self {
        Self { event: event.to_owned(), actor, ..Self::default() }
    }
}

/// Validates an issue's title and body as GitHub does.
pub(super) fn check_text(title: Option<&str>, body: Option<&str>) -> Result<(), ApiError> {
    if title.is_some_and(|title| title.trim().is_empty()) {
        return Err(ApiError::invalid("Issue", "title", "missing_field"));
    }
    if title.is_some_and(|title| title.chars().count() > 256) {
        return Err(ApiError::custom("Issue", "title", "title is too long (maximum is 256 characters)"));
    }
    if body.is_some_and(|body| body.chars().count() > 65_536) {
        return Err(ApiError::custom("Issue", "body", "body is too long (maximum is 65536 characters)"));
    }
    Ok(())
}

impl World {
    /// Creates an issue that is not part of a repository yet.
    pub(super) fn blank_issue(&mut self, number: u64, author: u64, caller: &Caller) -> Issue {
        let at = self.now();
        Issue {
            id: self.new_id(),
            number,
            title: String::new(),
            body: None,
            author,
            labels: Vec::new(),
            assignees: Vec::new(),
            open: true,
            state_reason: None,
            locked: false,
            pinned: false,
            created_at: at,
            updated_at: at,
            closed_at: None,
            closed_by: None,
            via_app: matches!(caller, Caller::Installation { .. }),
            comments: Vec::new(),
            events: Vec::new(),
            pull: None,
            last_edited: None,
            gone: None,
        }
    }

    /// Returns the next number of a repository, shared by issues and pull requests.
    pub(super) fn next_number(&mut self, repo: u64) -> Result<u64, ApiError> {
        let repo = self.repo_mut(repo)?;
        repo.last_number += 1;
        Ok(repo.last_number)
    }

    /// Opens an issue. Labels and assignees from users without triage are silently dropped, as on GitHub.
    pub(crate) fn create_issue(&mut self, caller: &Caller, repo: u64, new: &NewIssue) -> Result<u64, ApiError> {
        self.need(caller, repo, Need::IssuesWrite)?;
        let actor = self.actor(caller)?;
        check_text(Some(&new.title), new.body.as_deref())?;
        let insider = self.has_role(caller, repo, Role::Triage);
        let mut labels: Vec<String> = Vec::new();
        if insider || new.from_template {
            for name in &new.labels {
                let name = self.label_named(repo, name)?;
                if !labels.contains(&name) {
                    labels.push(name);
                }
            }
        }
        let number = self.next_number(repo)?;
        let mut issue = self.blank_issue(number, actor, caller);
        new.title.clone_into(&mut issue.title);
        issue.body = new.body.clone().filter(|body| !body.is_empty());
        issue.labels.clone_from(&labels);
        self.repo_mut(repo)?.issues.insert(number, issue);
        self.announce_issue(repo, number, "opened", actor, json!({}))?;
        for name in &labels {
            let color = self.repo(repo)?.labels.get(&name.to_lowercase()).map_or("ededed", |one| &one.color).to_owned();
            let label = Some((name.clone(), color));
            self.happened(caller, repo, number, IssueChange { label, ..IssueChange::new("labeled", actor) })?;
            let label = self.label_json(repo, name);
            self.announce_issue(repo, number, "labeled", actor, json!({ "label": label }))?;
        }
        if insider {
            self.set_assignees(caller, actor, repo, number, &new.assignees)?;
        }
        Ok(number)
    }

    /// Edits an issue or pull request. Non-authors need write access for the text and triage for the state.
    pub(crate) fn edit_issue(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        edit: &IssueEdit,
    ) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        let issue = self.issue(repo, number)?;
        self.need_for(caller, repo, issue, true)?;
        let actor = self.actor(caller)?;
        let own = issue.author == actor;
        let words = edit.title.is_some() || edit.body.is_some();
        if words && !own {
            self.need_role(caller, repo, Role::Write)?;
        }
        let reopens_foreign_close = edit.open == Some(true) && issue.closed_by.is_some_and(|by| by != actor);
        if edit.open.is_some() && (!own || reopens_foreign_close) {
            self.need_role(caller, repo, Role::Triage)?;
        }
        if edit.labels.is_some() || edit.assignees.is_some() {
            self.need_role(caller, repo, Role::Triage)?;
        }
        check_text(edit.title.as_deref(), edit.body.as_ref().and_then(Option::as_deref))?;
        if words {
            self.edit_words(caller, actor, repo, number, edit)?;
        }
        if let Some(labels) = &edit.labels {
            self.set_labels(caller, repo, number, labels)?;
        }
        if let Some(assignees) = &edit.assignees {
            self.set_assignees(caller, actor, repo, number, assignees)?;
        }
        match edit.open {
            Some(false) => self.close(caller, actor, repo, number, edit.state_reason.as_deref(), None),
            Some(true) => self.reopen(caller, actor, repo, number),
            None => Ok(()),
        }
    }

    fn edit_words(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        edit: &IssueEdit,
    ) -> Result<(), ApiError> {
        let at = self.now();
        let issue = self.issue_mut(repo, number)?;
        let mut changes = json!({});
        let mut rename = None;
        if let Some(title) = edit.title.as_ref().filter(|title| **title != issue.title) {
            changes["title"] = json!({ "from": issue.title });
            rename = Some((std::mem::replace(&mut issue.title, title.clone()), title.clone()));
        }
        if let Some(body) = edit.body.as_ref().filter(|body| **body != issue.body) {
            changes["body"] = json!({ "from": issue.body });
            issue.body.clone_from(body);
            issue.last_edited = Some((at, actor));
        }
        if changes == json!({}) {
            return Ok(());
        }
        self.touch(repo, number);
        if rename.is_some() {
            self.happened(caller, repo, number, IssueChange { rename, ..IssueChange::new("renamed", actor) })?;
        }
        self.announce_issue(repo, number, "edited", actor, json!({ "changes": changes }))
    }

    /// Closes an issue or pull request; does nothing if it is already closed.
    pub(super) fn close(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        reason: Option<&str>,
        commit: Option<&str>,
    ) -> Result<(), ApiError> {
        let at = self.now();
        let issue = self.issue_mut(repo, number)?;
        if !issue.open {
            return Ok(());
        }
        issue.open = false;
        issue.state_reason = issue.pull.is_none().then(|| reason.unwrap_or("completed").to_owned());
        issue.closed_at = Some(at);
        issue.closed_by = Some(actor);
        issue.updated_at = at;
        let commit = commit.map(str::to_owned);
        self.happened(caller, repo, number, IssueChange { commit, ..IssueChange::new("closed", actor) })?;
        self.announce_issue(repo, number, "closed", actor, json!({}))
    }

    fn reopen(&mut self, caller: &Caller, actor: u64, repo: u64, number: u64) -> Result<(), ApiError> {
        let (issue, at) = (self.issue(repo, number)?, self.now());
        if issue.open {
            return Ok(());
        }
        if issue.pull.as_ref().is_some_and(|pull| pull.merged_at.is_some() || pull.head_repo.is_none()) {
            return Err(ApiError::custom(
                "PullRequest",
                "state",
                "state cannot be changed. The pull request cannot be reopened.",
            ));
        }
        let issue = self.issue_mut(repo, number)?;
        issue.open = true;
        issue.state_reason = issue.pull.is_none().then(|| "reopened".to_owned());
        issue.closed_at = None;
        issue.closed_by = None;
        issue.updated_at = at;
        self.happened(caller, repo, number, IssueChange::new("reopened", actor))?;
        self.announce_issue(repo, number, "reopened", actor, json!({}))
    }

    fn set_assignees(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        wanted: &[u64],
    ) -> Result<(), ApiError> {
        let before = self.issue(repo, number)?.assignees.clone();
        let gone = before.iter().filter(|id| !wanted.contains(id)).map(|id| (*id, "unassigned"));
        let new = wanted.iter().filter(|id| !before.contains(id)).map(|id| (*id, "assigned"));
        let changes: Vec<(u64, &str)> = gone.chain(new).collect();
        for (user, action) in changes {
            let assignees = &mut self.issue_mut(repo, number)?.assignees;
            assignees.retain(|id| *id != user);
            if action == "assigned" {
                assignees.push(user);
            }
            self.touch(repo, number);
            let assignee = Some(user);
            self.happened(caller, repo, number, IssueChange { assignee, ..IssueChange::new(action, actor) })?;
            let extra = json!({ "assignee": self.user_json(user) });
            self.announce_issue(repo, number, action, actor, extra)?;
        }
        Ok(())
    }

    /// Locks or unlocks a conversation.
    pub(crate) fn set_locked(&mut self, caller: &Caller, repo: u64, number: u64, locked: bool) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        self.need_for(caller, repo, self.issue(repo, number)?, true)?;
        self.need_role(caller, repo, Role::Write)?;
        let actor = self.actor(caller)?;
        if self.issue(repo, number)?.locked == locked {
            return Ok(());
        }
        self.issue_mut(repo, number)?.locked = locked;
        self.touch(repo, number);
        let action = if locked { "locked" } else { "unlocked" };
        self.happened(caller, repo, number, IssueChange::new(action, actor))?;
        self.announce_issue(repo, number, action, actor, json!({}))
    }

    /// Adds an entry to an issue's event list.
    pub(super) fn happened(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        what: IssueChange,
    ) -> Result<(), ApiError> {
        let event = IssueEvent {
            id: self.new_id(),
            event: what.event,
            actor: what.actor,
            via_app: matches!(caller, Caller::Installation { .. }),
            label: what.label,
            assignee: what.assignee,
            rename: what.rename,
            commit: what.commit,
            created_at: self.now(),
        };
        self.issue_mut(repo, number)?.events.push(event);
        Ok(())
    }

    /// Announces a change of an issue, as `pull_request` if it is one.
    pub(super) fn announce_issue(
        &mut self,
        repo: u64,
        number: u64,
        action: &str,
        actor: u64,
        extra: Value,
    ) -> Result<(), ApiError> {
        let (event, mut payload) = if self.issue(repo, number)?.pull.is_some() {
            ("pull_request", json!({ "number": number, "pull_request": self.pull_json(repo, number)? }))
        } else {
            ("issues", json!({ "issue": self.issue_json(repo, number)? }))
        };
        if let (Some(into), Value::Object(more)) = (payload.as_object_mut(), extra) {
            into.extend(more);
        }
        self.announce(event, Some(action), Some(repo), actor, payload);
        Ok(())
    }
}
