//! Facts about an issue's text: fetched from GitHub, as far as the decisions in [`owp_pool::approval`] ask for them.

use crate::error::EngineError;
use crate::intake::hints::{Hint, permission_of};
use owp_github::client::{self, GitHubError, IssueEvent, IssueInfo, RepoReader};
use owp_pool::Timestamp;
use owp_pool::approval::{Account, Act, ActKind, IssueFacts, Lacks, LastEdit, SignedText, TextEdit};
use owp_pool::task::IssueText;
use std::collections::BTreeMap;

/// The facts known about an issue, with the means to fetch more.
pub(crate) struct Facts<'a> {
    reader: &'a RepoReader,
    number: i64,
    issue: IssueFacts,
}

impl<'a> Facts<'a> {
    /// Collects the facts that an issue and a delivery contain.
    pub(crate) fn new(reader: &'a RepoReader, info: &IssueInfo, hint: Hint<'_>) -> Self {
        let signed = hint.said.map(|said| SignedText {
            text: IssueText::of_issue(&said.title, &said.body),
            labels: said.labels.clone(),
            at: said.at,
        });
        let edit = hint.edit.map(|(by, edit)| TextEdit {
            by: Account { id: by.id, login: by.login.clone(), is_bot: by.is_bot },
            before: IssueText::of_issue(&edit.old_title, &edit.old_body),
            after: IssueText::of_issue(&edit.title, &edit.body),
            at: edit.at,
        });
        // A replica of GitHub may lag: a history from before the issue's last change may lack that change.
        let history = hint.history.filter(|history| history.updated_at >= info.updated_at);
        let issue = IssueFacts {
            text: IssueText::of_issue(&info.title, &info.body),
            author: info.author.as_ref().map(account),
            updated_at: info.updated_at,
            signed,
            edit,
            acts: history.map(|history| history.events.iter().cloned().filter_map(act).collect()),
            last_edit: history.map(|history| last_edit(&history.last_edit)),
            permissions: BTreeMap::new(),
        };
        Self { reader, number: info.number, issue }
    }

    /// Makes a decision, and fetches each fact that it lacks.
    pub(crate) async fn decide<T>(
        &mut self,
        decision: impl Fn(&IssueFacts) -> Result<T, Lacks>,
    ) -> Result<T, EngineError> {
        loop {
            match decision(&self.issue) {
                Ok(decided) => return Ok(decided),
                Err(lacks) => self.fetch(lacks).await?,
            }
        }
    }

    async fn fetch(&mut self, lacks: Lacks) -> Result<(), EngineError> {
        match lacks {
            Lacks::Permission(account) => {
                let permission = permission_of(self.reader, &account.login, account.id, self.newest_act()).await?;
                self.issue.permissions.insert(account, permission);
            }
            Lacks::Acts => {
                let events = self.reader.issue_events(self.number).await?;
                self.issue.acts = Some(events.into_iter().filter_map(act).collect());
            }
            Lacks::LastEdit => self.issue.last_edit = Some(self.last_edit().await?),
        }
        Ok(())
    }

    /// Returns the time of the newest act among the facts: a permission that GitHub reported before it proves nothing about
    /// it. `None` when a delivery does not date the edit that it reports.
    fn newest_act(&self) -> Option<Timestamp> {
        let issue = &self.issue;
        let edited = match &issue.edit {
            Some(edit) => edit.at?,
            None => Timestamp::default(),
        };
        let signed = issue.signed.as_ref().and_then(|signed| signed.at);
        let acts = issue.acts.iter().flatten().map(|act| act.at);
        let last_edit = match issue.last_edit {
            Some(LastEdit::At { at, .. }) => Some(at),
            _ => None,
        };
        acts.chain(signed).chain(last_edit).chain([edited, issue.updated_at]).max()
    }

    async fn last_edit(&self) -> Result<LastEdit, EngineError> {
        match self.reader.last_edit(self.number).await {
            Ok(edit) => Ok(last_edit(&edit)),
            Err(
                error @ (GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::NotFound { .. }),
            ) => {
                let repo = &self.reader.handle().full_name;
                tracing::warn!(%repo, issue = self.number, %error, "GitHub does not say when an issue was edited");
                Ok(LastEdit::Untold)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn account(user: &owp_github::client::UserRef) -> Account {
    Account { id: user.id, login: user.login.clone(), is_bot: user.is_bot }
}

fn last_edit(edit: &client::LastEdit) -> LastEdit {
    edit.at.map_or(LastEdit::Never, |at| LastEdit::At { at, editor: edit.editor.as_ref().map(account) })
}

fn act(event: IssueEvent) -> Option<Act> {
    let kind = match event.event.as_str() {
        "labeled" => ActKind::Labelled(event.label?),
        "reopened" => ActKind::Reopened,
        "renamed" => ActKind::Renamed,
        _ => return None,
    };
    Some(Act { id: event.id, kind, actor: event.actor.as_ref().map(account), at: event.created_at })
}
