//! Comparing labelled issues with the tasks made of them: heals what lost deliveries left behind.

use super::Engine;
use super::error::EngineError;
use super::facts::RepoContext;
use super::hints::Hint;
use super::issues::{self, IssueView};
use super::sync::Turn;
use crate::github::client::RepoReader;
use crate::pool::Timestamp;
use crate::store::Scope;
use std::collections::BTreeSet;

impl Engine {
    pub(super) async fn compare(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        began: Timestamp,
        turn: &mut Turn,
    ) -> Result<(), EngineError> {
        let listed = reader.labelled_issues(&repo.policy.labels.ready).await?;
        let numbers: BTreeSet<i64> = listed.iter().map(|issue| issue.number).collect();
        for info in listed {
            self.keep_turn(Some(&mut *turn)).await?;
            let number = info.number;
            let view = self.judge_issue(reader, repo, info, Hint::default()).await?;
            self.apply_issue(repo, number, view).await?;
        }
        let id = repo.row.id.clone();
        let live = self.read(move |tx| Box::pin(async move { Ok(tx.live_issues(&id).await?) })).await?;
        for missing in live.into_iter().filter(|number| !numbers.contains(number)) {
            self.keep_turn(Some(&mut *turn)).await?;
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
