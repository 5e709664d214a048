//! What GitHub says now, fetched before a transaction: deliveries and timers are only hints where to look.

use super::absent::UNSEEN;
use super::commits::PullLook;
use super::error::EngineError;
use super::facts::RepoContext;
use super::issues::{IssueView, OptIn, Words, needs_opt_in};
use super::{Engine, GitHubSide, uptime};
use crate::github::client::{GitHubError, IssueEvent, IssueInfo, Permission, RepoHandle, RepoReader};
use crate::github::payload::{Edit, RepoRef, UserRef};
use crate::pool::Timestamp;
use crate::pool::labels::LabelRules;
use crate::pool::task::{Task, Wording};
use crate::store::{RepoRow, RepoSighting, Scope};

/// Why an issue is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hint<'d> {
    /// A delivery says that it was offered to the pool anew.
    pub offered_anew: bool,
    /// A delivery says that this person edited its text.
    pub edit: Option<(&'d UserRef, &'d Edit)>,
}

impl Engine {
    pub(super) fn github_side(&self) -> Result<&GitHubSide, EngineError> {
        self.github().ok_or_else(|| {
            EngineError::GitHub(GitHubError::Config { message: "no GitHub App is configured".to_owned() })
        })
    }

    pub(super) fn reader(&self, repo: &RepoRow) -> Result<RepoReader, EngineError> {
        let (Some(installation), Some(github_id)) = (repo.installation_id, repo.github_id) else {
            return Err(EngineError::Managed(format!("{} is not served by the App", repo.name)));
        };
        let handle = RepoHandle { github_id, full_name: repo.name.clone() };
        Ok(self.github_side()?.client.reader(installation, handle))
    }

    /// The repository a delivery is about. One we do not know yet is taken in only when GitHub confirms, with the
    /// App's own token, that the App is installed there; anything else has no effect.
    pub(super) async fn repo_of(
        &self,
        repo: &RepoRef,
        installation: Option<i64>,
    ) -> Result<Option<RepoRow>, EngineError> {
        let id = repo.id;
        let known = self.read(move |tx| Box::pin(async move { Ok(tx.repo_by_github_id(id).await?) })).await?;
        if let Some(row) = known.clone().filter(|row| row.ask_again) {
            // The delivery is proof that there is something to see: ask at once, and process it then.
            self.store()
                .write(Scope::repo(&row.id.clone()), move |tx| {
                    Box::pin(async move {
                        let now = tx.now();
                        tx.sync_by(&row.id, now).await
                    })
                })
                .await?;
            self.ring();
            return Err(EngineError::InDoubt(format!("the repository {}", repo.full_name)));
        }
        if let Some(row) = known {
            return Ok(Some(row).filter(|row| row.managed && row.inactive.is_none()));
        }
        let Some(installation) = installation else { return Ok(None) };
        let handle = RepoHandle { github_id: repo.id, full_name: repo.full_name.clone() };
        let seen = match self.github_side()?.client.reader(installation, handle).repository().await {
            Ok(seen) => seen,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        let sighting = RepoSighting {
            github_id: seen.id,
            installation_id: installation,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        };
        self.take_in(sighting).await.map(Some)
    }

    /// Records a repository the App is installed on, and asks for its first count.
    pub(super) async fn take_in(&self, seen: RepoSighting) -> Result<RepoRow, EngineError> {
        let (settings, github_id) = (self.settings().clone(), seen.github_id);
        let known = self.read(move |tx| Box::pin(async move { Ok(tx.repo_by_github_id(github_id).await?) })).await?;
        let scope = known.map_or_else(Scope::global, |row| Scope::repo(&row.id));
        let row = self
            .store()
            .write(scope, move |tx| {
                Box::pin(async move {
                    tx.ensure_installation(seen.installation_id).await?;
                    let before = tx.repo_by_github_id(seen.github_id).await?;
                    let id = tx.record_sighting(&seen, true).await?;
                    if let Some(before) = before.as_ref().filter(|row| row.inactive.as_deref() == Some(UNSEEN)) {
                        // It was there all the time, and so were the people who commented.
                        tx.record_heard(&id, before.heard_until).await?;
                    }
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    let away_since = before.and_then(|row| row.inactive_since);
                    if let Some(since) = away_since.filter(|_| repo.row.inactive.is_none()) {
                        uptime::give_back(tx, &repo, since).await?;
                    }
                    Ok::<_, EngineError>(repo.row)
                })
            })
            .await?;
        self.ring();
        Ok(row)
    }

    /// Looks at an issue, and at who offered it to the pool when that matters.
    pub(super) async fn view_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
        hint: Hint<'_>,
    ) -> Result<IssueView, EngineError> {
        match reader.issue(number).await {
            Ok(info) => self.judge_issue(reader, repo, info, hint).await,
            Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {
                // Everything of a repository one may no longer see is "not found" too: ask for it, and fail with that.
                reader.repository().await?;
                Ok(IssueView::Gone)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn judge_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: IssueInfo,
        hint: Hint<'_>,
    ) -> Result<IssueView, EngineError> {
        let (id, number) = (repo.row.id.clone(), info.number);
        let known: Option<(Task, Timestamp)> = self
            .read(move |tx| {
                Box::pin(async move {
                    let Some(task) = tx.task_by_issue(&id, number).await? else { return Ok(None) };
                    let approved_at = tx.task_extras(&task.id).await?.approved_at;
                    Ok(Some((task, approved_at)))
                })
            })
            .await?;
        let task = known.as_ref().map(|(task, _)| task);
        let opt_in = if hint.offered_anew || needs_opt_in(task, &info, repo) {
            self.judge_opt_in(reader, repo, number).await?
        } else {
            None
        };
        let words = match &known {
            Some((task, approved_at)) if !task.state.is_over() => {
                self.whose_words(reader, &info, task, *approved_at, hint.edit).await?
            }
            // What a stranger wrote after it was offered is not what was offered.
            _ => match (&opt_in, hint.edit) {
                (Some(offer), Some((sender, edit))) if edit.at.is_none_or(|at| at >= offer.at) => {
                    let writes = permission_of(reader, &sender.login, sender.id).await? >= Permission::Write;
                    if writes { Words::Trusted } else { Words::Anybody }
                }
                _ => Words::Trusted,
            },
        };
        Ok(IssueView::Present(Box::new(info), opt_in, words))
    }

    /// Whose words an issue's text is. Who edits a text is told by deliveries alone; where none does, only people with write
    /// access and the author can have.
    async fn whose_words(
        &self,
        reader: &RepoReader,
        info: &IssueInfo,
        task: &Task,
        approved_at: Timestamp,
        edit: Option<(&UserRef, &Edit)>,
    ) -> Result<Words, EngineError> {
        let (now, approved) = (Wording::of_issue(&info.title, &info.body), task.wording());
        let writes = async |login: &str, id: i64| {
            permission_of(reader, login, id).await.map(|permission| permission >= Permission::Write)
        };
        let told = edit.filter(|(_, edit)| Wording::of_issue(&edit.title, &edit.body) == now);
        if task.later.as_ref() == Some(&now) {
            return Ok(Words::Anybody);
        }
        if now == approved {
            // It may have been edited between the approval and our first look.
            return Ok(match told {
                // Somebody took the change back.
                Some((_, edit)) if task.later == Some(Wording::of_issue(&edit.old_title, &edit.old_body)) => {
                    Words::Trusted
                }
                Some((sender, edit))
                    if edit.at.is_none_or(|at| at >= approved_at) && !writes(&sender.login, sender.id).await? =>
                {
                    Words::Anybody
                }
                _ => Words::Trusted,
            });
        }
        if let Some((sender, edit)) = told
            && Wording::of_issue(&edit.old_title, &edit.old_body) == approved
        {
            let trusted = writes(&sender.login, sender.id).await?;
            return Ok(if trusted { Words::Trusted } else { Words::Anybody });
        }
        match &info.author {
            Some(author) if writes(&author.login, author.id).await? => Ok(Words::Trusted),
            _ => Ok(Words::Anybody),
        }
    }

    /// Who offered the issue, and whether they may. Whoever set the label must have triage permission; reopening an
    /// issue that still carries it offers it again on the same authority.
    async fn judge_opt_in(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
    ) -> Result<Option<OptIn>, EngineError> {
        let events = reader.issue_events(number).await?;
        let ready = &repo.policy.labels.ready;
        let sets_label = |e: &&IssueEvent| {
            e.event == "labeled" && e.label.as_ref().is_some_and(|label| label.eq_ignore_ascii_case(ready))
        };
        let Some(labelled) = events.iter().filter(sets_label).max_by_key(|e| e.id) else { return Ok(None) };
        let reopened = events.iter().filter(|e| e.event == "reopened" && e.id > labelled.id).max_by_key(|e| e.id);
        let hold = self.hold_for(reader, &repo.policy.labels, labelled).await?;
        let Some(reopened) = reopened else {
            return Ok(Some(OptIn { event: labelled.id, hold, approves: true, at: labelled.created_at }));
        };
        let approves = match &reopened.actor {
            Some(actor) if !actor.is_bot => permission_of(reader, &actor.login, actor.id).await? >= Permission::Triage,
            _ => false,
        };
        Ok(Some(OptIn { event: reopened.id, hold, approves, at: reopened.created_at }))
    }

    async fn hold_for(
        &self,
        reader: &RepoReader,
        labels: &LabelRules,
        labelled: &IssueEvent,
    ) -> Result<Option<String>, EngineError> {
        let Some(actor) = &labelled.actor else {
            return Ok(Some("the account that set the label is gone".to_owned()));
        };
        if actor.is_bot {
            let trusted = labels.bots.contains(&actor.login.to_lowercase());
            return Ok((!trusted).then(|| format!("the label was set by the bot {}", actor.login)));
        }
        let permission = permission_of(reader, &actor.login, actor.id).await?;
        Ok((permission < Permission::Triage)
            .then(|| format!("the label was set by {}, who has no triage permission here", actor.login)))
    }

    /// The open pull requests that name an issue's task, fetched afresh: an issue closed by a merge may be told
    /// before the merge is.
    pub(super) async fn pulls_of_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
    ) -> Result<Vec<PullLook>, EngineError> {
        let id = repo.row.id.clone();
        let open = self
            .read(move |tx| {
                Box::pin(async move {
                    let Some(task) = tx.task_by_issue(&id, number).await? else { return Ok(Vec::new()) };
                    let pulls = tx.pulls_of_task(&task.id).await?;
                    Ok(pulls.into_iter().filter(|p| p.facts.open).map(|p| p.facts.number).collect::<Vec<_>>())
                })
            })
            .await?;
        let mut views = Vec::new();
        for number in open {
            match reader.pull(number).await {
                Ok(pull) => views.push(self.look_at_commit(reader, repo, pull, false).await?),
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(views)
    }
}

/// The permission of an account, by login but only if it is still the account with this id.
pub(super) async fn permission_of(reader: &RepoReader, login: &str, id: i64) -> Result<Permission, EngineError> {
    match reader.permission(login).await {
        Ok(info) if info.user.as_ref().is_none_or(|user| user.id == id) => Ok(info.permission),
        Ok(_) | Err(GitHubError::NotFound { .. }) => Ok(Permission::None),
        Err(error) => Err(error.into()),
    }
}
