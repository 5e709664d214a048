//! Verbs and looks that several stories share, beyond those of the stage itself.

use crate::support::world::{REPO, World};
use owp_engine::ReadAccess;
use owp_github::render::with_key;
use owp_pool::Span;
use owp_pool::task::Task;
use owp_store::Scope;

/// Writes of the App. GitHub notifies people of new comments, never of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub created: usize,
    pub edited: usize,
}

impl World {
    /// Counts the comments the App created and its edits, by the request journal.
    pub(crate) fn written(&self) -> Written {
        let requests = self.github.requests();
        let count = |method: &str| {
            requests.iter().filter(|r| r.by_app() && r.method == method && r.route.contains("/comments")).count()
        };
        Written { created: count("POST"), edited: count("PATCH") }
    }

    /// Deliveries come in and are processed; nothing else happens, above all nothing is sent.
    pub(crate) async fn hear(&self) {
        self.receive().await;
        while self.engine.intake().step_inbox().await.unwrap() {}
    }

    /// An issue whose one bad label was taken off again before anything was sent: nothing is said on it.
    pub(crate) async fn mended_unsaid(&self) -> u64 {
        let mona = self.github.as_user("mona");
        let issue = mona.open_issue(REPO, "Parse dates", "Please.", &["pool:ready", "estimate:many"]).unwrap();
        self.hear().await;
        mona.unlabel(REPO, issue, "estimate:many").unwrap();
        self.hear().await;
        self.settle().await;
        assert_eq!(self.written(), Written { created: 0, edited: 0 }, "{:#?}", self.ours(issue));
        issue
    }

    /// A bad label is set and taken off again, with time to speak after each.
    pub(crate) async fn mar_and_mend(&self, issue: u64) {
        let mona = self.github.as_user("mona");
        mona.label(REPO, issue, "estimate:many").unwrap();
        self.settle().await;
        mona.unlabel(REPO, issue, "estimate:many").unwrap();
        self.settle().await;
    }

    /// The one comment our App has on an issue.
    pub(crate) fn sole(&self, issue: u64) -> String {
        let ours = self.ours(issue);
        assert_eq!(ours.len(), 1, "one comment was expected on #{issue}: {ours:#?}");
        readable(&ours[0])
    }

    /// The last comment our App wrote on an issue.
    pub(crate) fn last(&self, issue: u64) -> String {
        readable(&self.ours(issue).pop().unwrap_or_default())
    }

    /// Our only comment on `issue` that contains `words`.
    pub(crate) fn only(&self, issue: u64, words: &str) -> String {
        let ours: Vec<String> = self.ours(issue).iter().map(|body| readable(body)).collect();
        let mut found = ours.iter().filter(|body| body.contains(words));
        match (found.next(), found.next()) {
            (Some(one), None) => one.clone(),
            _ => panic!("exactly one comment with {words:?} was expected on #{issue}: {ours:#?}"),
        }
    }

    /// Writes the policy file of the main repository, and lets the pool read it.
    pub(crate) async fn policy(&self, text: &str) {
        self.github.as_user("mona").put_file(REPO, ".github/owp.yml", text).unwrap();
        self.next_count().await;
    }

    /// Time for the next count of open pull requests, and the count.
    pub(crate) async fn next_count(&self) {
        self.advance(Span::minutes(6));
        self.settle().await;
    }

    /// The maintainer commits the policy file, and the pool has read it.
    pub(crate) async fn rules(&self, yaml: &str) {
        self.github.as_user("mona").put_file(REPO, ".github/owp.yml", yaml).unwrap();
        self.next_count().await;
    }

    /// Wants a comment on an issue to say something.
    pub(crate) async fn want(&self, repo: &'static str, issue: u64, key: &str, words: &str) {
        let (key, body, issue) = (key.to_owned(), with_key(key, words), i64::try_from(issue).unwrap());
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    let repo = tx.repos().by_name(repo).await?.unwrap();
                    tx.comments().want(&repo.id, issue, &key, &body).await
                })
            })
            .await
            .unwrap();
    }

    /// Slots taken and the limit, in the main repository.
    pub(crate) async fn slots(&self) -> (i64, i64) {
        let view = self.engine.views().overview(1, ReadAccess::public()).await.unwrap();
        let repo = view.repos.iter().find(|repo| repo.name == REPO).expect("the repository is shown");
        (repo.budget.used(), repo.budget.limit)
    }

    /// Lets `login` have one task merged: no newcomer any more.
    pub(crate) async fn seasoned(&self, login: &str) {
        let issue = self.task(&format!("A first task for {login}"), &[]).await;
        self.say(login, issue, "/owp claim").await;
        let pull = self.open_pr(login, issue).await;
        self.merge(pull).await;
        assert_eq!(self.state(issue).await, "merged");
    }

    /// The task of an issue in any repository.
    pub(crate) async fn task_in(&self, repo: &'static str, issue: u64) -> Option<Task> {
        let issue = i64::try_from(issue).unwrap();
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let Some(repo) = tx.repos().by_name(repo).await? else { return Ok(None) };
                    tx.tasks().by_issue(&repo.id, issue).await
                })
            })
            .await
            .unwrap()
    }

    /// Counts the live leases.
    pub(crate) async fn live_leases(&self, issues: &[u64]) -> usize {
        let mut held = 0;
        for issue in issues {
            held += usize::from(["leased", "in_progress"].contains(&self.state(*issue).await));
        }
        held
    }

    /// The App's one installation.
    pub(crate) async fn installation(&self) -> u64 {
        let ids = self.store().read(|tx| Box::pin(async move { tx.installations().ids().await })).await.unwrap();
        u64::try_from(ids[0]).unwrap()
    }

    /// Counts the audit events of a kind in all repositories.
    pub(crate) async fn events(&self, kind: &str) -> usize {
        let events = self.store().read(|tx| Box::pin(async move { tx.events().recent(10_000).await })).await.unwrap();
        events.iter().filter(|event| event.kind == kind).count()
    }
}

/// A comment as people see it, without the invisible marks that keep names and numbers from linking.
fn readable(body: &str) -> String {
    body.replace('\u{200b}', "")
}
