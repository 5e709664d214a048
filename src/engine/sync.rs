//! Counting and comparing: what heals when deliveries are lost.
//!
//! A count lists the open pull requests, looks at each one that left the list, and only then says it succeeded. A
//! compare does the same for labelled issues. Views from a list never overrule a newer one (§5, invariants 4 and 8).

use super::commits::PullLook;
use super::duplicates::Sighting;
use super::error::EngineError;
use super::facts::RepoContext;
use super::hints::Hint;
use super::issues::{self, IssueView};
use super::{Engine, pulls};
use crate::github::client::{CommentInfo, GitHubError, RepoReader};
use crate::github::payload::{CommentRef, UserRef};
use crate::pool::command::{CommandLine, parse_comment};
use crate::pool::event::{Event, EventKind};
use crate::pool::{Span, Timestamp};
use crate::store::{PullRow, RepoRow, RepoSighting, Scope};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How long one sync may take before another process takes it over.
const HOLD: Span = Span::minutes(10);
/// GitHub's clock and ours differ, and its list lags a little behind its writes.
const SLACK: Span = Span::minutes(2);
/// How soon a failed count is tried again.
const RETRY: Span = Span::secs(15);

impl Engine {
    /// Syncs the repository that has waited longest. False when none is due.
    ///
    /// # Errors
    /// When the database refuses. What GitHub refuses is recorded with the repository.
    pub async fn step_sync(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        let every = self.settings().count_every;
        let taken = self
            .store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let (until, next) = (tx.now() + HOLD, tx.now() + every);
                    Ok::<_, EngineError>(tx.take_sync(until, next).await?.map(|row| (row, tx.now())))
                })
            })
            .await?;
        let Some((row, began)) = taken else { return Ok(false) };
        let mut counted = false;
        let outcome = self.sync(row.clone(), began, &mut counted).await;
        self.end_sync(&row, outcome, counted).await?;
        self.ring();
        Ok(true)
    }

    /// Gives the repository back. A count that failed stops grants; a compare or a hearing that did is only repeated.
    async fn end_sync(
        &self,
        row: &RepoRow,
        outcome: Result<(), EngineError>,
        counted: bool,
    ) -> Result<(), EngineError> {
        let id = row.id.clone();
        let failure = match outcome {
            Ok(()) => None,
            Err(EngineError::Store(error)) => return Err(error.into()),
            Err(error) => Some(error),
        };
        if let Some(error) = &failure {
            tracing::warn!(repo = %row.name, %error, counted, "a repository could not be synced");
        }
        // What disappears while issues are compared is an issue, not the repository.
        let gone = failure.as_ref().filter(|_| !counted).and_then(why_gone);
        let first = row.count_failed_at.is_none();
        self.store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    tx.finish_sync(&id).await?;
                    let Some(error) = failure else { return Ok(()) };
                    if !counted {
                        tx.record_count_failure(&id).await?;
                    }
                    if let Some(why) = gone {
                        tx.set_inactive(&id, Some(why)).await?;
                        tx.append_events(&[Event::new(EventKind::RepoRemoved, json!({ "why": why }))]).await?;
                        return Ok(());
                    }
                    if first && !counted {
                        let why = json!({ "why": error.to_string() });
                        tx.append_events(&[Event::new(EventKind::CountFailed, why)]).await?;
                    }
                    let retry_at = match &error {
                        EngineError::GitHub(error) => error.retry_at().unwrap_or_default(),
                        _ => Timestamp::default(),
                    };
                    let due = retry_at.max(tx.now() + RETRY);
                    Ok(tx.sync_by(&id, due).await?)
                })
            })
            .await
    }

    async fn sync(&self, row: RepoRow, began: Timestamp, counted: &mut bool) -> Result<(), EngineError> {
        let row = self.resight(row).await?;
        if row.inactive.is_some() {
            return Ok(());
        }
        let row = self.with_policy(row, Span(0)).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        self.count(&reader, &repo, began).await?;
        *counted = true;
        self.recheck(&reader, &repo).await?;
        if repo.row.compared_at + self.settings().compare_every <= began {
            self.compare(&reader, &repo, began).await?;
        }
        self.hear(&reader, &repo, began).await
    }

    /// Looks at the repository itself: its name, privacy and archive flag may have changed.
    async fn resight(&self, row: RepoRow) -> Result<RepoRow, EngineError> {
        let seen = self.reader(&row)?.repository().await?;
        let Some(installation_id) = row.installation_id else { return Ok(row) };
        let sighting = RepoSighting {
            github_id: seen.id,
            installation_id,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        };
        if (&sighting.name, sighting.private, sighting.archived) == (&row.name, row.private, false) {
            return Ok(row);
        }
        let id = row.id.clone();
        let renamed = json!({ "name": sighting.name, "private": sighting.private, "archived": sighting.archived });
        self.store()
            .write(Scope::repo(&row.id), move |tx| {
                Box::pin(async move {
                    tx.record_sighting(&sighting, false).await?;
                    tx.append_events(&[Event::new(EventKind::RepoUpdated, renamed)]).await?;
                    Ok(tx.repo(&id).await?.unwrap_or(row))
                })
            })
            .await
    }

    /// Counts for a claim that would otherwise be refused because the count is not known: after a failure, a restart or
    /// a suspension nobody should have to ask twice. When it fails again, admission says so.
    pub(super) async fn count_for_claim(&self, reader: &RepoReader, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        let (row, began) = self.read(move |tx| Box::pin(async move { Ok((tx.repo(&id).await?, tx.now())) })).await?;
        let unknown = |row: &RepoRow| row.counted_at.is_none() || row.count_failed_at.is_some();
        let Some(row) = row.filter(|row| row.inactive.is_none() && unknown(row)) else { return Ok(()) };
        match self.count(reader, &self.context(row), began).await {
            Err(EngineError::GitHub(error)) => {
                tracing::warn!(repo = %repo.row.name, %error, "open pull requests could not be counted for a claim");
                Ok(())
            }
            counted => counted,
        }
    }

    async fn count(&self, reader: &RepoReader, repo: &RepoContext, began: Timestamp) -> Result<(), EngineError> {
        let listed = reader.open_pulls().await?;
        let numbers: BTreeSet<i64> = listed.iter().map(|pull| pull.number).collect();
        let id = repo.row.id.clone();
        let stored = self.read(move |tx| Box::pin(async move { Ok(tx.open_pulls(&id).await?) })).await?;
        let known: BTreeMap<i64, PullRow> = stored.into_iter().map(|pull| (pull.facts.number, pull)).collect();
        let mut views = listed;
        views.retain(|view| known.get(&view.number).is_none_or(|known| !known.reads_as(&pulls::row_of(view, repo))));
        for missing in known.into_keys().filter(|n| !numbers.contains(n)) {
            match reader.pull(missing).await {
                Ok(pull) => views.push(pull),
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => self.drop_pull(repo, missing).await?,
                Err(error) => return Err(error.into()),
            }
        }
        for view in views {
            let look = self.look_at_commit(reader, repo, view, false).await?;
            self.apply_pull(repo, look).await?;
        }
        let (id, before) = (repo.row.id.clone(), repo.row.clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    tx.record_count(&id, began).await?;
                    if before.counted_at.is_some() && before.count_failed_at.is_none() {
                        return Ok(());
                    }
                    let taken = Event::new(EventKind::CountTaken, json!({ "open": numbers.len() }));
                    Ok(tx.append_events(&[taken]).await?)
                })
            })
            .await
    }

    /// Applies one pull request by itself, if it is news.
    async fn apply_pull(&self, repo: &RepoContext, look: PullLook) -> Result<(), EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    let fresh = pulls::row_of(&look.info, &repo);
                    if tx.pull(&id, look.info.number).await?.is_some_and(|known| known.reads_as(&fresh)) {
                        return Ok(());
                    }
                    pulls::apply(tx, &repo, &look).await
                })
            })
            .await
    }

    /// Closes a pull request that GitHub does not show any more, although it shows the others.
    async fn drop_pull(&self, repo: &RepoContext, number: i64) -> Result<(), EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    pulls::vanished(tx, &repo, number).await
                })
            })
            .await
    }

    async fn compare(&self, reader: &RepoReader, repo: &RepoContext, began: Timestamp) -> Result<(), EngineError> {
        let listed = reader.labelled_issues(&repo.policy.labels.ready).await?;
        let numbers: BTreeSet<i64> = listed.iter().map(|issue| issue.number).collect();
        for info in listed {
            let number = info.number;
            let view = self.judge_issue(reader, repo, info, Hint::default()).await?;
            self.apply_issue(repo, number, view).await?;
        }
        let id = repo.row.id.clone();
        let live = self.read(move |tx| Box::pin(async move { Ok(tx.live_issues(&id).await?) })).await?;
        for missing in live.into_iter().filter(|number| !numbers.contains(number)) {
            let view = self.view_issue(reader, repo, missing, Hint::default()).await?;
            for pull in self.pulls_of_issue(reader, repo, missing).await? {
                self.apply_pull(repo, pull).await?;
            }
            self.apply_issue(repo, missing, view).await?;
        }
        let id = repo.row.id.clone();
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move { Ok(tx.record_compare(&id, began).await?) })
            })
            .await
    }

    /// Looks for commands whose delivery was lost. Only comments nobody edited count: who edited one, and what it said
    /// before, is told by deliveries alone.
    async fn hear(&self, reader: &RepoReader, repo: &RepoContext, began: Timestamp) -> Result<(), EngineError> {
        for comment in reader.comments_everywhere(repo.row.heard_until - SLACK).await? {
            if let (true, Some(issue)) = (self.wrote(comment.via_app_id), comment.issue) {
                self.point_out(&repo.row.id, Sighting { issue, comment: comment.id, body: comment.body }).await?;
                continue;
            }
            let Some((issue, comment, lines)) = unheard(comment) else { continue };
            let comment_id = comment.id;
            let ran = self.read(move |tx| Box::pin(async move { Ok(tx.comment_has_run(comment_id).await?) })).await?;
            if ran {
                continue;
            }
            match self.obey(reader, repo, issue, &comment, lines, None).await {
                Ok(()) => {}
                Err(error) if error.is_transient() => return Err(error),
                // As with a delivery that is given up: one comment does not keep the others from being heard.
                Err(error) => {
                    tracing::error!(repo = %repo.row.name, comment = comment_id, %error, "a comment was given up");
                }
            }
        }
        let id = repo.row.id.clone();
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| Box::pin(async move { Ok(tx.record_heard(&id, began).await?) }))
            .await
    }

    async fn apply_issue(&self, repo: &RepoContext, number: i64, view: IssueView) -> Result<(), EngineError> {
        let (id, settings) = (repo.row.id.clone(), self.settings().clone());
        self.store()
            .write(Scope::repo(&repo.row.id), move |tx| {
                Box::pin(async move {
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    issues::apply(tx, &repo, number, &view).await.map(drop)
                })
            })
            .await
    }
}

/// The commands of a comment that was found by looking: a person's, on an issue, as it was first written.
fn unheard(comment: CommentInfo) -> Option<(i64, CommentRef, Vec<CommandLine>)> {
    let author = comment.author.filter(|author| !author.is_bot)?;
    if comment.on_pull || comment.via_app_id.is_some() || comment.updated_at != comment.created_at {
        return None;
    }
    let lines = parse_comment(&comment.body);
    let author = UserRef { id: author.id, login: author.login, is_bot: false };
    let heard = CommentRef {
        id: comment.id,
        body: comment.body,
        author: Some(author),
        via_app_id: None,
        created_at: Some(comment.created_at),
    };
    comment.issue.filter(|_| !lines.is_empty()).map(|issue| (issue, heard, lines))
}

/// Why a repository is out of reach for good, when that is what an error says.
fn why_gone(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::GitHub(error) if error.is_suspended() => Some("the App's installation is suspended"),
        EngineError::GitHub(error) if error.installation_gone() => Some("the App was uninstalled"),
        EngineError::GitHub(GitHubError::NotFound { .. }) => Some("the App may not see the repository any more"),
        _ => None,
    }
}
