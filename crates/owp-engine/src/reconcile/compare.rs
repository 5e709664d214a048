//! Comparison of labelled issues with their tasks: repairs what lost deliveries left behind.

use crate::Reconciler;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::intake::hints::Hint;
use crate::reconcile::grace;
use crate::reconcile::histories::Histories;
use crate::reconcile::sync::SyncHold;
use crate::tracking::issues::{self, IssueView, LabelEvidence};
use owp_github::client::{GitHubError, IssueInfo, RepoReader};
use owp_pool::doubt::DoubtKind;
use owp_pool::task::Task;
use owp_pool::{Span, Timestamp};
use owp_store::{Scope, TaskExtras, transaction};
use std::collections::{BTreeMap, BTreeSet};

/// Opt-ins judged in one comparison, so that other repositories get their turn.
const JUDGED_AT_MOST: usize = 1000;
/// Opt-ins without a history from a page, and permissions: each costs a request or two of the installation's hourly quota.
const LOOKUPS_AT_MOST: usize = 50;
/// Delay before the remaining issues are compared.
const REST_SOON: Span = Span::minutes(1);
/// Above this number of issues that left the list, all open issues are listed instead of fetched one by one.
const ASKED_ONE_BY_ONE: usize = 20;

/// State that a comparison loads before it fetches single issues.
struct LoadedState {
    /// Tasks of listed issues, and all live tasks, by issue.
    tasks: BTreeMap<i64, (Task, TaskExtras)>,
    /// Issues with live tasks.
    live: BTreeSet<i64>,
    /// Issues with dead letters because the conversation was locked.
    locked: BTreeSet<i64>,
    now: Timestamp,
}

impl Reconciler<'_> {
    pub(crate) async fn compare(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
        turn: &mut SyncHold,
    ) -> Result<(), EngineError> {
        let listed = reader.labelled_issues(&repo.policy.labels.ready).await?;
        let numbers: BTreeSet<i64> = listed.iter().map(|issue| issue.number).collect();
        let known = self.known_issues(repo, numbers.clone()).await?;
        let left = self.compare_listed(reader, repo, &known, listed, turn).await?;
        let missing = known.live.iter().copied().filter(|number| !numbers.contains(number)).collect();
        let views = self.recheck_missing(reader, repo, missing, turn).await?;
        let unlabelled = views.iter().filter(|(_, view)| is_unlabelled(view, repo)).count();
        if grace::is_many(unlabelled, known.live.len()) {
            self.begin_grace(repo).await?;
        }
        for (number, view) in views {
            self.keep_turn(Some(&mut *turn)).await?;
            if !matches!(&view, IssueView::Present(sight) if sight.info.is_open()) {
                for pull in self.intake().pulls_of_issue(reader, repo, number).await? {
                    self.apply_pull(repo, pull).await?;
                }
            }
            self.apply_issue(repo, number, view).await?;
        }
        let (id, row) = (repo.row.id.clone(), repo.row.clone());
        self.in_repo(
            &repo.row.id,
            transaction!(|tx, repo| {
                grace::review(tx, &repo, unlabelled).await?;
                tx.sync().record_compare(&row, began).await?;
                if left {
                    let soon = tx.now() + REST_SOON;
                    tx.sync().compare_by(&id, soon).await?;
                }
                Ok(())
            }),
        )
        .await
    }

    async fn known_issues(&self, repo: &RepoContext, listed: BTreeSet<i64>) -> Result<LoadedState, EngineError> {
        let id = repo.row.id.clone();
        self.read(transaction!(|tx| {
            let mut tasks = tx.tasks().live_issues(&id).await?;
            let live: BTreeSet<i64> = tasks.keys().copied().collect();
            for number in listed.difference(&live) {
                if let Some(over) = tx.tasks().by_issue_with_extras(&id, *number).await? {
                    tasks.insert(*number, over);
                }
            }
            let locked = tx.comments().dead_issues(&id, &GitHubError::Locked.to_string()).await?;
            Ok(LoadedState { tasks, live, locked, now: tx.now() })
        }))
        .await
    }

    /// Applies the listed issues that differ from their tasks. Returns true when some are left for the next comparison.
    async fn compare_listed(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        known: &LoadedState,
        listed: Vec<IssueInfo>,
        turn: &mut SyncHold,
    ) -> Result<bool, EngineError> {
        let needs = |info: &IssueInfo| {
            let task = known.tasks.get(&info.number).map(|(task, extras)| (task, extras));
            (task, issues::needs_opt_in(task, info, repo, known.now))
        };
        let to_judge = listed.iter().filter(|info| needs(info).1).map(|info| info.number).take(JUDGED_AT_MOST);
        let mut histories = Histories::of(to_judge.collect());
        let (mut judged, mut singles, mut left, mut failed) = (0, 0, false, None);
        for info in listed {
            let number = info.number;
            let (task, judges) = needs(&info);
            let settled = task.is_some_and(|(task, extras)| issues::is_settled(task, extras, &info, repo));
            if settled && !judges && !known.locked.contains(&number) {
                continue;
            }
            let lookups = reader.permissions_asked().max(singles);
            if judges && (judged == JUDGED_AT_MOST || lookups >= LOOKUPS_AT_MOST) {
                // An issue that only waits for information from GitHub can wait for the next comparison.
                left |= task.is_none_or(|known| issues::has_moved(known, &info));
                continue;
            }
            self.keep_turn(Some(&mut *turn)).await?;
            let history = if judges { histories.take(reader, number).await } else { None };
            judged += usize::from(judges);
            singles += usize::from(judges && history.is_none());
            let hint = Hint { history: history.as_ref(), ..Hint::default() };
            let view = match Box::pin(self.intake().judge_issue(reader, repo, info, hint)).await {
                Ok(view) => view,
                Err(EngineError::GitHub(error)) if error.retry_at().is_none() => {
                    // Compare the other issues all the same.
                    tracing::warn!(repo = %repo.row.name, issue = number, %error, "failed to compare an issue");
                    failed = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.apply_issue(repo, number, compared(view)).await?;
        }
        match failed {
            Some(error) if error.is_transient() => Err(error.into()),
            _ => Ok(left),
        }
    }

    /// Fetches the issues that left the list. Those that GitHub does not show are left out while they are in doubt.
    async fn recheck_missing(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        missing: Vec<i64>,
        turn: &mut SyncHold,
    ) -> Result<Vec<(i64, IssueView)>, EngineError> {
        let mut open = BTreeMap::new();
        if missing.len() > ASKED_ONE_BY_ONE {
            open = reader.open_issues().await?.into_iter().map(|info| (info.number, info)).collect();
        }
        let mut views = Vec::new();
        for number in missing {
            self.keep_turn(Some(&mut *turn)).await?;
            let view = match open.remove(&number) {
                Some(info) => Box::pin(self.intake().judge_issue(reader, repo, info, Hint::default())).await,
                None => self.intake().view_issue(reader, repo, number, Hint::default()).await,
            };
            match view {
                Ok(view) => views.push((number, compared(view))),
                Err(EngineError::InDoubt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(views)
    }

    /// Fetches again the issues that GitHub did not show.
    pub(crate) async fn recheck_doubted(&self, reader: &RepoReader, repo: &RepoContext) -> Result<(), EngineError> {
        let id = repo.row.id.clone();
        let (mut doubts, now) = self.read(transaction!(|tx| Ok((tx.doubts().of_repo(&id).await?, tx.now())))).await?;
        doubts.retain(|(kind, ..)| *kind == DoubtKind::Issue);
        let (due, early): (Vec<_>, Vec<_>) = doubts.into_iter().partition(|(.., doubt)| doubt.next_at() <= now);
        for (_, number, _) in due {
            match self.intake().view_issue(reader, repo, number, Hint::default()).await {
                Ok(view) => self.apply_issue(repo, number, view).await?,
                Err(EngineError::InDoubt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        // The latest of them: answers count twenty seconds apart, so one sync can ask about all.
        let Some(next) = early.iter().map(|(.., doubt)| doubt.next_at()).max() else { return Ok(()) };
        let id = repo.row.id.clone();
        self.write(Scope::repo(&repo.row.id), transaction!(|tx| Ok(tx.sync().sync_by(&id, next).await?))).await
    }

    async fn apply_issue(&self, repo: &RepoContext, number: i64, view: IssueView) -> Result<(), EngineError> {
        let applied = self
            .in_repo(&repo.row.id, transaction!(|tx, repo| issues::apply(tx, &repo, number, &view).await.map(drop)))
            .await;
        match applied {
            // A delivery changed the task meanwhile, and knew more.
            Err(EngineError::Overtaken(_)) => Ok(()),
            applied => applied,
        }
    }
}

fn is_unlabelled(view: &IssueView, repo: &RepoContext) -> bool {
    match view {
        IssueView::Present(sight) => {
            sight.info.is_open() && !sight.info.is_pull && !issues::is_offered(&sight.info, repo)
        }
        IssueView::Gone(_) => false,
    }
}

/// Marks a view as part of a comparison.
fn compared(mut view: IssueView) -> IssueView {
    if let IssueView::Present(sight) = &mut view {
        sight.proof = LabelEvidence::Comparison;
    }
    view
}
