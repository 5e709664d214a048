//! Comment deliveries: finds the commands in a comment and runs them. A comment found by polling is stored as if its
//! delivery had arrived.

use crate::comments::duplicates::{self, CommentSummary};
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::intake::hints::Hint;
use crate::policy::reads::FRESH;
use crate::tracking::issues;
use crate::{Intake, commands};
use owp_github::client::{CommentInfo, GitHubError, RepoReader};
use owp_github::payload::{CommentAction, CommentRef, Incoming, Kind, RepoRef, UserRef};
use owp_plants::{Plant, is_planted};
use owp_pool::command::{CommandLine, parse_comment, parse_edited};
use owp_pool::{Person, Span, Timestamp};
use owp_store::{Delivery, NewDelivery, RepoRow, Scope, transaction};

/// Age from which a comment is fetched again before its commands run.
const LATE: Span = Span::minutes(10);
/// Number of "not found" answers after which a late comment is taken for deleted, or its repository for gone. It is more
/// than for an issue, because a command that is dropped never comes back.
pub(super) const MIN_MISSES: i64 = 6;

/// The thread of a comment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thread {
    /// The issue, or the pull request.
    pub number: i64,
    /// True for the thread of a pull request.
    pub on_pull: bool,
}

impl Intake<'_> {
    /// Returns the commands of a delivery. Bots, our own App and people who edit another author's comment give no
    /// commands; an edit gives only its new lines. A comment that a person writes through another App (a code editor in
    /// the browser, say) is that person's comment.
    pub(crate) fn commands_in(&self, incoming: &Incoming) -> Vec<CommandLine> {
        let Kind::IssueComment { comment, action, old_body, .. } = &incoming.kind else { return vec![] };
        let Some(author) = comment.author.as_ref().filter(|a| !a.is_bot) else { return vec![] };
        let by_author = incoming.sender.as_ref().is_some_and(|sender| sender.id == author.id);
        if self.wrote(comment.via_app_id) || !(by_author || is_planted(Plant::EditRunsAsAuthor)) {
            return vec![];
        }
        match (action, old_body) {
            (CommentAction::Created, _) => parse_comment(&comment.body),
            (CommentAction::Edited, Some(old)) => parse_edited(old, &comment.body),
            _ => vec![],
        }
    }

    /// Processes a comment in a served repository.
    pub(crate) async fn process_comment(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        (place, action): (Thread, CommentAction),
        comment: &CommentRef,
        lines: Vec<CommandLine>,
    ) -> Result<(), EngineError> {
        if self.wrote(comment.via_app_id) {
            let seen = CommentSummary { issue: place.number, comment: comment.id, body: comment.body.clone() };
            return self.process_own(delivery, row, action, seen).await;
        }
        if place.on_pull {
            return self.process_misplaced(delivery, row, place.number, comment, &lines).await;
        }
        let row = self.policies().with_policy(row, FRESH).await?;
        let reader = self.reader(&row)?;
        let repo = self.context(row);
        let now = Timestamp(self.store().clock().now_ms()).max(delivery.received_at);
        let lines = still_said(&reader, delivery, comment, lines, now).await?;
        let said_at = match action {
            CommentAction::Edited => comment.updated_at.or(comment.created_at),
            _ => comment.created_at,
        };
        let said_at = said_at.unwrap_or_default();
        let said = commands::weigh(self, &repo.row.id, (place.number, said_at), comment, lines).await?;
        self.obey(&reader, &repo, said, delivery).await
    }

    /// Processes one of our own comments: it holds no commands, but may be a late duplicate.
    async fn process_own(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        action: CommentAction,
        seen: CommentSummary,
    ) -> Result<(), EngineError> {
        if action != CommentAction::Created {
            return self.finish(delivery).await;
        }
        let repo = self.context(row);
        self.commit(delivery, &repo, transaction!(|tx, repo| Ok(duplicates::point_out(tx, &repo.row.id, &seen).await?)))
            .await
    }

    /// Rejects commands in a pull request's thread, and tells their author where that is possible.
    async fn process_misplaced(
        &self,
        delivery: &Delivery,
        row: RepoRow,
        pull: i64,
        comment: &CommentRef,
        lines: &[CommandLine],
    ) -> Result<(), EngineError> {
        let author = comment.author.clone().filter(|_| lines.iter().any(|line| line.parsed.is_ok()));
        let Some(author) = author else { return self.finish(delivery).await };
        let (repo, comment) = (self.context(row), comment.id);
        self.commit(
            delivery,
            &repo,
            transaction!(|tx, repo| commands::point_to_issue(tx, &repo, (pull, comment), &author).await),
        )
        .await
    }

    /// Runs a comment's commands.
    async fn obey(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        mut said: commands::PendingCommands,
        delivery: &Delivery,
    ) -> Result<(), EngineError> {
        if said.lines.is_empty() {
            return self.finish(delivery).await;
        }
        let issue = said.issue;
        if said.is_too_fast(reader).await? {
            return self
                .commit(delivery, repo, transaction!(|tx, repo| commands::turn_away(tx, &repo, &said).await))
                .await;
        }
        // The comment may overtake the label that made the issue a task, so fetch the issue first.
        let view = self.view_issue(reader, repo, issue, Hint::default()).await?;
        let asked = commands::prepare(self, (reader, repo.row.private), said).await?;
        if asked.claims() {
            self.reconciler().count_for_claim(reader, repo).await?;
        }
        let person = Person::GitHub(asked.author.id);
        let scope = Scope::repo(&repo.row.id).with_workers(asked.workers_to_lock()).with_person(&person);
        self.commit_in(
            scope,
            delivery,
            repo,
            transaction!(|tx, repo| {
                issues::apply(tx, &repo, issue, &view).await?;
                commands::run(tx, &repo, &asked).await
            }),
        )
        .await
    }

    /// Stores a comment found by polling as if its delivery had arrived, with the same processing and retries. Returns
    /// false when it was stored before.
    pub(crate) async fn store_heard(
        &self,
        repo: &RepoContext,
        issue: i64,
        comment: &CommentInfo,
    ) -> Result<bool, EngineError> {
        let (Some(author), Some(github_id)) = (&comment.author, repo.row.github_id) else { return Ok(false) };
        let author = UserRef { id: author.id, login: author.login.clone(), is_bot: false };
        let speaker = Some(author.id);
        let incoming = Incoming {
            event: "issue_comment".to_owned(),
            action: Some("created".to_owned()),
            installation_id: repo.row.installation_id,
            repository: Some(RepoRef {
                id: github_id,
                full_name: repo.row.name.clone(),
                private: repo.row.private,
                archived: false,
                default_branch: None,
            }),
            sender: Some(author.clone()),
            kind: Kind::IssueComment {
                issue_number: issue,
                on_pull: false,
                comment: CommentRef {
                    id: comment.id,
                    body: comment.body.clone(),
                    author: Some(author),
                    via_app_id: None,
                    created_at: Some(comment.created_at),
                    updated_at: Some(comment.updated_at),
                },
                action: CommentAction::Created,
                old_body: None,
            },
        };
        let new = NewDelivery {
            id: format!("heard-{}", comment.id),
            event: incoming.event.clone(),
            order_key: format!("repo:{github_id}"),
            payload: incoming.to_json(),
            comment: Some(comment.id),
            speaker,
        };
        let fresh = self.write(Scope::global(), transaction!(|tx| Ok(tx.deliveries().insert(&new).await?))).await?;
        self.inner().inbox_notify.notify_one();
        Ok(fresh)
    }
}

/// Keeps the commands that are still in the comment. A redelivery can arrive days later, and a failed delivery is
/// retried for a day; the comment may have been deleted or rewritten since.
async fn still_said(
    reader: &RepoReader,
    delivery: &Delivery,
    comment: &CommentRef,
    mut lines: Vec<CommandLine>,
    now: Timestamp,
) -> Result<Vec<CommandLine>, EngineError> {
    if comment.created_at.is_none_or(|at| now - at < LATE) {
        return Ok(lines);
    }
    let body = match reader.comment(comment.id).await {
        Ok(now) => Some(now.body),
        Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {
            // An inaccessible repository also answers "not found": fetch it, and fail with that error.
            reader.repository().await?;
            if delivery.misses + 1 < MIN_MISSES && !is_planted(Plant::MissingCommentBelievedAtOnce) {
                return Err(EngineError::CommentInDoubt(comment.id));
            }
            None
        }
        Err(error) => return Err(error.into()),
    };
    let said = body.map(|body| parse_comment(&body)).unwrap_or_default();
    lines.retain(|line| said.iter().any(|said| said.text == line.text));
    Ok(lines)
}
