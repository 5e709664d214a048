//! Before the agent starts: may it, and in which working copy?

use super::{Context, Outcome, Stop, Work, WorkError, stopped};
use crate::checks::Approvals;
use crate::contract::AiUse;
use crate::desk::Question;
use crate::journal::{Journal, Step, Upstream};
use crate::workspace::{Place, Workspace};

/// Returns the workspace of a journal's task.
pub(super) fn workspace(cx: &Context, journal: &Journal) -> Result<Workspace, WorkError> {
    let (repo, url) = match &journal.upstream {
        Some(upstream) => (upstream.name.clone(), upstream.url.clone()),
        None => (journal.leased.repo.clone(), format!("{}{}.git", cx.site.web, journal.leased.repo)),
    };
    let place = Place { host: cx.site.host.clone(), repo, url };
    Ok(cx.workspaces.of(&place, &journal.leased.task)?)
}

impl Work<'_> {
    /// Checks that an agent may work on the task, and makes the worktree.
    pub(super) async fn prepare(&mut self) -> Result<Option<Stop>, WorkError> {
        if let Some(stop) = self.may_begin().await? {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.renew("An agent begins with the task.").await? {
            return Ok(Some(stop));
        }
        self.show(format!("Preparing a working copy of {}", self.journal.leased.repo));
        let repo = self.cx.github.repo(&self.journal.leased.repo).await?;
        if repo.archived {
            return Ok(Some(stopped(format!("{} is archived, so nothing can be pushed to it.", repo.full_name))));
        }
        if !self.cx.site.has(&repo.clone_url) {
            // The token must not go elsewhere.
            return Ok(Some(stopped(format!("{} is on another host than {}.", repo.clone_url, self.cx.site.web))));
        }
        self.journal.upstream = Some(Upstream {
            name: repo.full_name,
            url: repo.clone_url,
            default_branch: repo.default_branch.clone(),
            may_push: repo.permissions.push,
        });
        self.workspace = workspace(self.cx, &self.journal)?;
        let branch = self.journal.leased.contract.branch.clone();
        let prepared = self.workspace.prepare(&branch, &repo.default_branch, Some(&self.cx.credentials));
        let base = match self.unless_lost(prepared).await {
            Ok(base) => base?,
            Err(stop) => return Ok(Some(stop)),
        };
        self.journal.parent = Some(base.clone());
        self.journal.base = Some(base);
        self.done(Step::Prepared)?;
        Ok(None)
    }

    /// Returns a reason to stop if the contract refuses AI tools, or has commands that the contributor does not approve.
    /// Exactly the commands that were approved before are not asked for again.
    pub(super) async fn may_begin(&mut self) -> Result<Option<Stop>, WorkError> {
        let contract = &self.journal.leased.contract;
        if contract.ai == AiUse::Refuse {
            return Ok(Some(Outcome::AiRefused));
        }
        let mut approvals = Approvals::read(self.cx.approvals.clone());
        if approvals.has(&self.journal.leased.repo, contract) {
            return Ok(None);
        }
        let commands = contract.commands().into_iter();
        let commands = commands.map(|(kind, command)| (kind.name().to_owned(), command.to_owned())).collect();
        let repo = self.journal.leased.repo.clone();
        match self.cx.desk.ask(Question::Commands { repo: repo.clone(), commands }).await {
            Some(true) => {
                approvals.add(&repo, contract)?;
                Ok(None)
            }
            Some(false) => Ok(Some(stopped(format!("You did not approve the commands of {repo}.")))),
            None => Ok(Some(stopped(format!(
                "The commands of {repo} are not approved in this form, and nobody can be asked. Run `owp worker do {}` on a terminal once.",
                self.journal.leased.task
            )))),
        }
    }
}
