//! Labels: those of a repository, and adding and removing them on issues.

use super::{
    World,
    access::{Caller, Need},
    issues::IssueChange,
    model::{Label, Role},
};
use crate::error::ApiError;
use serde_json::json;

impl World {
    /// Returns the repository's label of this name in its original spelling; creates it if it is new.
    pub(crate) fn label_named(&mut self, repo: u64, name: &str) -> Result<String, ApiError> {
        if name.trim().is_empty() || name.chars().count() > 50 {
            return Err(ApiError::invalid("Label", "name", "invalid"));
        }
        if let Some(label) = self.repo(repo)?.labels.get(&name.to_lowercase()) {
            return Ok(label.name.clone());
        }
        let id = self.new_id();
        let label = Label { id, name: name.to_owned(), color: "ededed".to_owned(), description: None };
        self.repo_mut(repo)?.labels.insert(name.to_lowercase(), label);
        Ok(name.to_owned())
    }

    /// Creates a label in the repository.
    pub(crate) fn create_label(
        &mut self,
        caller: &Caller,
        repo: u64,
        name: &str,
        color: Option<&str>,
        description: Option<&str>,
    ) -> Result<String, ApiError> {
        self.need(caller, repo, Need::IssuesWrite)?;
        self.need_role(caller, repo, Role::Triage)?;
        if self.repo(repo)?.labels.contains_key(&name.to_lowercase()) {
            return Err(ApiError::invalid("Label", "name", "already_exists"));
        }
        let made = self.label_named(repo, name)?;
        if let Some(label) = self.repo_mut(repo)?.labels.get_mut(&name.to_lowercase()) {
            if let Some(color) = color {
                color.clone_into(&mut label.color);
            }
            label.description = description.map(str::to_owned);
        }
        Ok(made)
    }

    /// Renames a label of the repository. Its issues show the new name, but they are not changed and cause no events.
    pub(crate) fn rename_label(&mut self, caller: &Caller, repo: u64, from: &str, to: &str) -> Result<(), ApiError> {
        self.need(caller, repo, Need::IssuesWrite)?;
        self.need_role(caller, repo, Role::Write)?;
        let found = self.repo_mut(repo)?;
        if from.to_lowercase() != to.to_lowercase() && found.labels.contains_key(&to.to_lowercase()) {
            return Err(ApiError::invalid("Label", "name", "already_exists"));
        }
        let mut label = found.labels.remove(&from.to_lowercase()).ok_or_else(ApiError::not_found)?;
        let old = std::mem::replace(&mut label.name, to.to_owned());
        found.labels.insert(to.to_lowercase(), label);
        for issue in found.issues.values_mut() {
            for name in issue.labels.iter_mut().filter(|name| **name == old) {
                to.clone_into(name);
            }
        }
        Ok(())
    }

    fn may_label(&self, caller: &Caller, repo: u64, number: u64) -> Result<(), ApiError> {
        self.see(caller, repo)?;
        self.need_for(caller, repo, self.issue(repo, number)?, true)?;
        self.need_role(caller, repo, Role::Triage)
    }

    /// Adds labels to an issue; one event and one delivery for each that is new.
    pub(crate) fn add_labels(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        names: &[String],
    ) -> Result<(), ApiError> {
        self.may_label(caller, repo, number)?;
        let actor = self.actor(caller)?;
        for name in names {
            self.put_label(caller, actor, repo, number, name)?;
        }
        Ok(())
    }

    /// Adds one label without a permission check.
    pub(super) fn put_label(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        name: &str,
    ) -> Result<(), ApiError> {
        let name = self.label_named(repo, name)?;
        if self.issue(repo, number)?.labels.contains(&name) {
            return Ok(());
        }
        self.issue_mut(repo, number)?.labels.push(name.clone());
        self.label_changed(caller, actor, repo, number, "labeled", &name)
    }

    /// Removes one label; 404 if the issue does not have it.
    pub(crate) fn remove_label(&mut self, caller: &Caller, repo: u64, number: u64, name: &str) -> Result<(), ApiError> {
        self.may_label(caller, repo, number)?;
        let actor = self.actor(caller)?;
        let held = self.issue(repo, number)?.labels.iter().find(|one| one.eq_ignore_ascii_case(name)).cloned();
        let held = held.ok_or_else(|| ApiError::new(404, "Label does not exist"))?;
        self.issue_mut(repo, number)?.labels.retain(|one| *one != held);
        self.label_changed(caller, actor, repo, number, "unlabeled", &held)
    }

    /// Replaces the labels of an issue.
    pub(crate) fn set_labels(
        &mut self,
        caller: &Caller,
        repo: u64,
        number: u64,
        names: &[String],
    ) -> Result<(), ApiError> {
        self.may_label(caller, repo, number)?;
        let before = self.issue(repo, number)?.labels.clone();
        for old in before.iter().filter(|old| !names.iter().any(|name| name.eq_ignore_ascii_case(old))) {
            self.remove_label(caller, repo, number, old)?;
        }
        self.add_labels(caller, repo, number, names)
    }

    fn label_changed(
        &mut self,
        caller: &Caller,
        actor: u64,
        repo: u64,
        number: u64,
        action: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        self.touch(repo, number);
        let color = self.repo(repo)?.labels.get(&name.to_lowercase()).map_or("ededed", |one| &one.color).to_owned();
        let label = Some((name.to_owned(), color));
        self.happened(caller, repo, number, IssueChange { label, ..IssueChange::new(action, actor) })?;
        let label = self.label_json(repo, name);
        self.announce_issue(repo, number, action, actor, json!({ "label": label }))
    }
}
