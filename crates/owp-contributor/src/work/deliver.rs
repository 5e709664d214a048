//! From checked work to a reported pull request. Each step first looks whether it was done already, because a crash may
//! have come between the act and the journal.

use super::{Stop, Work, WorkError, stopped};
use crate::changes::{Changes, possible_secrets, secrets};
use crate::desk::{Event, Question};
use crate::github::GitHubError;
use crate::journal::{PullLink, Step, Target};
use crate::prompt;
use crate::pull_request::{body, commit_message, title};
use crate::workspace::{Identity, WorkspaceError};
use serde_json::json;
use std::time::Duration;

/// Attempts to reach a new fork, which GitHub makes in the background.
const FORK_ATTEMPTS: u32 = 30;
const FORK_DELAY: Duration = Duration::from_secs(2);
/// Files that a summary lists.
const FILES_SHOWN: usize = 30;

impl Work<'_> {
    /// Commits the work on the branch.
    pub(super) async fn commit(&mut self) -> Result<Option<Stop>, WorkError> {
        let identity = Identity::of(&self.cx.me.login, self.cx.me.id).await;
        let message = commit_message(&self.journal, &identity);
        let tree = self.journal.tree.clone().unwrap_or_default();
        let branch = self.journal.leased.contract.branch.clone();
        let commit = self.workspace.commit(&branch, &tree, &self.parent(), &identity, &message).await?;
        self.journal.commit = Some(commit);
        self.done(Step::Committed)?;
        Ok(None)
    }

    /// Shows the changes, looks for secrets in them, and asks whether to push.
    pub(super) async fn approve(&mut self) -> Result<Option<Stop>, WorkError> {
        if std::mem::take(&mut self.may_differ) {
            let tree = self.workspace.snapshot(&self.parent(), Some(&self.cx.credentials)).await?;
            if self.journal.tree.as_ref() != Some(&tree) {
                // The contributor went on by hand: check it anew.
                self.done(Step::Prepared)?;
                return Ok(None);
            }
        }
        let commit = self.newest();
        let changes = Changes::between(&self.workspace, &self.base(), &commit).await?;
        let found = secrets(&self.workspace, &self.base(), &commit, &possible_secrets(&self.cx.environment)).await?;
        if !found.is_empty() {
            return Ok(Some(stopped(format!(
                "Nothing was pushed, because the changes may contain secrets: {}. Remove them in {} and run the command again.",
                found.join("; "),
                self.workspace.tree.display()
            ))));
        }
        let mut summary = vec![prompt::summary(&changes)];
        let files = changes.files.iter().take(FILES_SHOWN).map(|file| match (file.added, file.removed) {
            (Some(added), Some(removed)) => format!("  {} +{added} -{removed}", file.path),
            _ => format!("  {} (binary)", file.path),
        });
        summary.extend(files);
        if changes.files.len() > FILES_SHOWN {
            summary.push(format!("  and {} more", changes.files.len() - FILES_SHOWN));
        }
        summary.extend(self.journal.checks.iter().map(|check| format!("{}: {}", check.kind.name(), check.outcome)));
        summary.push(format!("The working copy is {}", self.workspace.tree.display()));
        if self.cx.push_without_asking {
            summary.iter().for_each(|line| self.cx.desk.show(&Event::Note(line.clone())));
        } else {
            match self.cx.desk.ask(Question::Push { summary }).await {
                Some(true) => {}
                Some(false) => {
                    let again = format!("`owp worker do {}` goes on from here.", self.journal.leased.task);
                    return Ok(Some(stopped(format!("Nothing was pushed. {again}"))));
                }
                None => {
                    let why = "Nothing was pushed, because nobody can be asked. `--yes` allows it beforehand.";
                    return Ok(Some(stopped(why)));
                }
            }
        }
        self.done(Step::Approved)?;
        Ok(None)
    }

    /// Renews the lease, makes a fork if one is needed, and pushes the branch.
    pub(super) async fn push(&mut self) -> Result<Option<Stop>, WorkError> {
        if self.journal.pull.is_none()
            && let Some(stop) = self.renew("The work is done; the pull request follows.").await?
        {
            return Ok(Some(stop));
        }
        let target = match self.journal.target.clone() {
            Some(target) => target,
            None => self.choose_target().await?,
        };
        if !self.cx.site.has(&target.url) {
            return Ok(Some(stopped(format!("{} is on another host than {}.", target.url, self.cx.site.web))));
        }
        self.journal.target = Some(target.clone());
        self.journal.write(&self.workspace.folder)?;
        let branch = self.journal.leased.contract.branch.clone();
        self.show(format!("Pushing {branch} to {}", target.name));
        let there = self.remote_branch(&target, &branch).await?;
        let commit = self.newest();
        if there.as_ref() != Some(&commit) {
            if there != self.journal.pushed {
                return Ok(Some(stopped(format!(
                    "The branch {branch} of {} has other commits. Delete it there, or open the pull request by hand, and run the command again.",
                    target.name
                ))));
            }
            let credentials = &self.cx.credentials;
            self.workspace.push(&target.url, &branch, &commit, there.as_deref(), credentials).await?;
        }
        self.journal.pushed = Some(commit);
        self.done(Step::Pushed)?;
        Ok(None)
    }

    /// Returns the upstream repository if the contributor may push to it, else a fork.
    async fn choose_target(&self) -> Result<Target, WorkError> {
        let upstream = self.journal.upstream.clone();
        let upstream = upstream.ok_or_else(|| std::io::Error::other("the journal names no repository"))?;
        if upstream.may_push {
            return Ok(Target { name: upstream.name, url: upstream.url });
        }
        self.show(format!("Looking for a fork of {}", upstream.name));
        let fork = self.cx.github.fork(&upstream.name, self.cx.fork_owner.as_deref()).await?;
        Ok(Target { name: fork.full_name, url: fork.clone_url })
    }

    /// Returns the branch's commit at the target; waits for a fork that is being made.
    async fn remote_branch(&self, target: &Target, branch: &str) -> Result<Option<String>, WorkError> {
        let mut attempt = 1;
        loop {
            match self.workspace.remote_branch(&target.url, branch, &self.cx.credentials).await {
                Ok(commit) => return Ok(commit),
                // A token without rights does not get them by waiting.
                Err(error) if attempt < FORK_ATTEMPTS && self.journal.pushed.is_none() && !is_refused(&error) => {
                    tokio::time::sleep(FORK_DELAY).await;
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens the pull request, unless there is one from this branch.
    pub(super) async fn open(&mut self) -> Result<Option<Stop>, WorkError> {
        let (Some(upstream), Some(target)) = (self.journal.upstream.clone(), self.journal.target.clone()) else {
            return Ok(Some(stopped("The journal names no repository to open the pull request in.")));
        };
        let branch = &self.journal.leased.contract.branch;
        let (github, owner) = (&self.cx.github, target.owner());
        let known = github
            .find_pull(&upstream.name, owner, branch)
            .await?
            .filter(|pull| pull.is_open() && self.is_ours(&pull.head.sha));
        let pull = match known {
            Some(pull) => pull,
            None => {
                let new = json!({
                    "title": title(&self.journal), "body": body(&self.journal), "head": format!("{owner}:{branch}"),
                    "base": upstream.default_branch, "maintainer_can_modify": true,
                });
                match github.open_pull(&upstream.name, &new).await {
                    Ok(pull) => pull,
                    // The answer may have been lost after the pull request was made.
                    Err(error @ (GitHubError::Unavailable(_) | GitHubError::Rejected { .. })) => {
                        let found = github.find_pull(&upstream.name, owner, branch).await?;
                        found.filter(|pull| pull.is_open()).ok_or(error)?
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        self.show(format!("The pull request is {}", pull.html_url));
        self.journal.pull = Some(PullLink { number: pull.number, url: pull.html_url });
        self.done(Step::Opened)?;
        Ok(None)
    }

    /// Tells the pool about the pull request.
    pub(super) async fn report(&mut self) -> Result<Option<Stop>, WorkError> {
        let url = self.journal.pull.as_ref().map(|pull| pull.url.clone()).unwrap_or_default();
        if !self.journal.reported
            && let Some(why) = self.report_pull(&url, &self.newest()).await?
        {
            self.cx.desk.show(&Event::Note(format!("The pool learns of the pull request from GitHub: {why}")));
        }
        self.journal.reported = true;
        if let Some(review) = self.journal.review.take() {
            self.journal.handled.extend(review.remarks.iter().map(|remark| remark.id));
        }
        self.done(Step::Reported)?;
        Ok(None)
    }

    fn newest(&self) -> String {
        self.journal.commit.clone().unwrap_or_default()
    }

    fn is_ours(&self, commit: &str) -> bool {
        [&self.journal.commit, &self.journal.pushed].into_iter().flatten().any(|known| known == commit)
    }
}

fn is_refused(error: &WorkspaceError) -> bool {
    let message = error.to_string();
    ["Authentication failed", "403", "401"].iter().any(|part| message.contains(part))
}
