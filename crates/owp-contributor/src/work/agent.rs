//! The agent's rounds: it works, the changes are checked, and it repairs what was found, a bounded number of times.

use super::lease::Reminder;
use super::{Stop, Work, WorkError, stopped};
use crate::changes::Changes;
use crate::checks;
use crate::desk::Event;
use crate::journal::Step;
use crate::prompt::{self, TaskText};
use crate::session::{Conversation, Setup};
use std::convert::Infallible;
use std::path::PathBuf;
use tokio::time::Instant;

/// What the checks found.
enum Verdict {
    /// The work may be committed.
    Good(String),
    /// The agent should repair it: the prompt, and the reason in words.
    Bad { prompt: String, why: String, log: Option<PathBuf> },
}

impl Work<'_> {
    /// Lets the agent work until the checks pass or the rounds are over.
    pub(super) async fn let_agent_work(&mut self) -> Result<Option<Stop>, WorkError> {
        if let Some(stop) = self.lost() {
            return Ok(Some(stop));
        }
        // The contract may have changed since the task was begun.
        if let Some(stop) = self.may_begin().await? {
            return Ok(Some(stop));
        }
        let mut text = self.first_prompt();
        if self.journal.turn_ended {
            match self.examine().await? {
                Ok(Verdict::Good(tree)) => return self.worked(tree),
                Ok(Verdict::Bad { prompt, why, .. }) => {
                    self.cx.desk.show(&Event::Note(format!("{why}; the agent tries to repair it")));
                    text = prompt;
                }
                Err(stop) => return Ok(Some(stop)),
            }
        }
        self.show(format!("Starting {}", self.cx.agent.name));
        let setup = Setup {
            agent: self.cx.agent.clone(),
            tree: self.workspace.tree.clone(),
            folder: self.workspace.folder.clone(),
            environment: self.environment.clone(),
            mode: self.cx.mode,
            turn_limit: self.cx.turn_limit,
            desk: self.cx.desk.clone(),
            reporter: self.cx.reporter.clone(),
        };
        let conversation = match self.unless_lost(Conversation::start(setup)).await {
            Ok(started) => started?,
            Err(stop) => return Ok(Some(stop)),
        };
        let (tool, version) = conversation.tool();
        self.journal.tool = Some((tool.to_owned(), version.map(str::to_owned)));
        for round in 0..=self.cx.rounds {
            match self.unless_lost(self.showing_lease(conversation.prompt(text))).await {
                Ok(turn) => turn?,
                Err(stop) => {
                    conversation.cancel();
                    return Ok(Some(stop));
                }
            }
            self.journal.turn_ended = true;
            self.journal.write(&self.workspace.folder)?;
            let verdict = match self.examine().await? {
                Ok(verdict) => verdict,
                Err(stop) => return Ok(Some(stop)),
            };
            match verdict {
                Verdict::Good(tree) => return self.worked(tree),
                Verdict::Bad { why, log, .. } if round == self.cx.rounds => {
                    let log = log.map(|log| format!(" The output is in {}.", log.display())).unwrap_or_default();
                    let tree = self.workspace.tree.display();
                    return Ok(Some(stopped(format!("{why}.{log} The work so far is in {tree}."))));
                }
                Verdict::Bad { prompt, why, .. } => {
                    self.cx.desk.show(&Event::Note(format!("{why}; the agent tries to repair it")));
                    text = prompt;
                }
            }
        }
        Ok(Some(stopped("The agent was given no round to work in.")))
    }

    /// Shows the time of the lease now and then while the agent works.
    async fn showing_lease<T>(&self, turn: impl Future<Output = T>) -> T {
        let mut reminder = Reminder::default();
        let shows = async {
            loop {
                let due = reminder.due(&self.cx.lease.borrow(), Instant::now());
                if let Some(time) = due {
                    self.cx.desk.show(&Event::Lease(time));
                }
                tokio::time::sleep(Reminder::ASKED_EVERY).await;
            }
        };
        tokio::select! {
            // The first look comes before the agent's first words.
            biased;
            never = shows => {
                let never: Infallible = never;
                match never {}
            }
            ended = turn => ended,
        }
    }

    fn worked(&mut self, tree: String) -> Result<Option<Stop>, WorkError> {
        self.journal.tree = Some(tree);
        self.done(Step::Worked)?;
        Ok(None)
    }

    fn first_prompt(&self) -> String {
        let journal = &self.journal;
        let task = TaskText {
            repo: &journal.leased.repo,
            issue: journal.leased.issue,
            title: &journal.leased.title,
            description: &journal.leased.description,
        };
        match &journal.review {
            Some(review) => prompt::review(&task, &journal.leased.contract, &review.remarks, &review.failed),
            None => prompt::first(&task, &journal.leased.contract),
        }
    }

    /// Looks at the worktree: was anything changed, does it keep the contract, do its commands pass?
    async fn examine(&mut self) -> Result<Result<Verdict, Stop>, WorkError> {
        let (base, parent) = (self.base(), self.parent());
        let tree = self.workspace.snapshot(&parent, Some(&self.cx.credentials)).await?;
        let since_parent = Changes::between(&self.workspace, &parent, &tree).await?;
        if since_parent.is_empty() {
            let why = "The agent changed nothing".to_owned();
            return Ok(Ok(Verdict::Bad { prompt: prompt::after_nothing(), why, log: None }));
        }
        let changes = Changes::between(&self.workspace, &base, &tree).await?;
        let violations = changes.violations(&self.journal.leased.contract);
        if !violations.is_empty() {
            let why = format!("The changes break the repository's contract: {}", violations.join("; "));
            return Ok(Ok(Verdict::Bad { prompt: prompt::after_violations(&violations), why, log: None }));
        }
        let logs = self.workspace.folder.join("logs");
        let desk = self.cx.desk.clone();
        let shown = |kind: crate::contract::CheckKind, command: &str| {
            desk.show(&Event::Check(format!("{}: {command}", kind.name())));
        };
        let checks = checks::run(
            &self.journal.leased.contract,
            &self.workspace.tree,
            &logs,
            &self.environment,
            self.cx.check_limit,
            shown,
        );
        let (results, failed) = match self.unless_lost(checks).await {
            Ok(ran) => ran?,
            Err(stop) => return Ok(Err(stop)),
        };
        for result in &results {
            self.cx.desk.show(&Event::Checked(result.clone()));
        }
        self.journal.checks = results;
        if let Some(failed) = failed {
            let why = format!("The {} command {}", failed.result.kind.name(), failed.result.outcome);
            let prompt = prompt::after_failure(&failed);
            return Ok(Ok(Verdict::Bad { prompt, why, log: Some(failed.log) }));
        }
        // What the commands themselves left behind (a formatter's changes, say) belongs to the work only if the contract
        // allows it.
        let after = self.workspace.snapshot(&parent, Some(&self.cx.credentials)).await?;
        let left = Changes::between(&self.workspace, &base, &after).await?;
        let violations = left.violations(&self.journal.leased.contract);
        Ok(Ok(Verdict::Good(if violations.is_empty() { after } else { tree })))
    }

    pub(super) fn base(&self) -> String {
        self.journal.base.clone().unwrap_or_default()
    }

    pub(super) fn parent(&self) -> String {
        self.journal.parent.clone().unwrap_or_else(|| self.base())
    }
}
