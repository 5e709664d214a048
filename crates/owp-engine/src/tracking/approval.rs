//! What was approved: which act offered an issue to the pool, and what the issue said at that moment.
//!
//! The reader of a task's text is often somebody's tool, so nothing reaches it that no maintainer could have seen. What
//! an issue said when the label was set is told by the signed payload of that act; where it was lost, by when GitHub says
//! the text was last edited. Where neither tells, the task is held.

use crate::Engine;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::intake::hints::{Hint, permission_of};
use owp_github::client::{GitHubError, IssueEvent, IssueInfo, Permission, RepoReader};
use owp_github::payload::{Edit, Said};
use owp_pool::labels::LabelRules;
use owp_pool::moves::{EDITED, UNTOLD};
use owp_pool::task::{Task, TaskState, Wording};
use owp_pool::{Span, Timestamp};
use owp_store::TaskExtras;

/// How much earlier than the act's time, and how much later, its payload may say that the issue last changed. Labels are
/// often set several at once, and an edit needs longer.
const BEFORE: Span = Span::secs(5);
const AFTER: Span = Span::secs(1);

/// The latest act that offered the issue to the pool (the label set, or the issue reopened), judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptIn {
    /// The act's id; ids rise with time.
    pub event: i64,
    /// Why a maintainer must approve it first; `None` when whoever set the label may do so.
    pub hold: Option<String>,
    /// Whether somebody who may opt issues in did it, having seen what the issue says. A stranger who reopens their own
    /// issue offers again what was approved, and nothing else.
    pub approves: bool,
    /// When somebody who may opt issues in last saw what it says.
    pub approved_at: Timestamp,
    /// What it said then.
    pub text: Offered,
    /// Since when it says what it says now, at the latest; looked up only for a new task that waits for approval.
    pub text_since: Timestamp,
}

/// What an issue said when it was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offered {
    /// What it says now.
    AsNow {
        /// Whether a signed payload says so, or nobody without write access can have edited it.
        proven: bool,
    },
    /// Something else, as the signed payload has it.
    Signed(Wording),
    /// Something else: somebody without write access has edited it since.
    Edited,
    /// GitHub does not tell.
    Untold,
}

/// Whose words an issue's text is, where it is not what was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those that were approved, or somebody's with write access.
    Trusted,
    /// A signed payload proves that what counts as approved was. It says nothing of what the issue says now.
    Confirmed {
        /// Whether what it says now is somebody's with write access.
        trusted: bool,
    },
    /// Anybody's.
    Anybody,
    /// What counts as approved is anybody's, too: they wrote it after the approval.
    NeverApproved {
        /// What it said before.
        text: Wording,
        /// Whether that is what was approved; otherwise an edit may have come before it.
        proven: bool,
    },
}

/// Applies whose words an issue's present text is: those of people with write access are taken over, anybody else's wait
/// for approval, and until then what was approved stands. A task that waits for its first approval has nothing to keep.
pub(crate) fn reword(task: &mut Task, extras: &mut TaskExtras, now: Wording, words: &Words) {
    let waits = matches!(task.state, TaskState::Ready);
    let unapproved = task.hold.as_deref().is_some_and(|hold| hold != EDITED && hold != UNTOLD);
    match words {
        Words::NeverApproved { text, proven } => {
            task.set_wording(text.clone());
            extras.text_unproven = !proven;
        }
        Words::Confirmed { .. } => extras.text_unproven = false,
        Words::Trusted | Words::Anybody => {}
    }
    let trusted = matches!(words, Words::Trusted | Words::Confirmed { trusted: true });
    let differs = task.wording() != now;
    if !differs && *words != Words::Anybody {
        // Somebody took the change back, or it is proven that there was none.
        let lifted = match words {
            Words::NeverApproved { proven, .. } => *proven,
            _ => task.later.is_some() || matches!(words, Words::Confirmed { .. }),
        };
        task.later = None;
        if lifted {
            task.hold.take_if(|hold| [EDITED, UNTOLD].contains(&hold.as_str()));
        } else if matches!(words, Words::NeverApproved { .. }) {
            task.hold = Some(EDITED.to_owned());
        }
    } else if unapproved || trusted {
        task.set_wording(now);
        task.later = None;
        task.hold.take_if(|hold| hold == EDITED);
    } else {
        task.later = Some(now);
        if waits {
            task.hold = Some(EDITED.to_owned());
        }
    }
}

/// Applies an act that offered the issue, after [`reword`].
pub(crate) fn offer(task: &mut Task, extras: &mut TaskExtras, now: Wording, act: &OptIn) {
    let over = task.state.is_over();
    if let Some(why) = &act.hold {
        if over || task.hold.is_some() || task.later.is_some() {
            task.hold = Some(why.clone());
        }
        return;
    }
    if !act.approves {
        return;
    }
    extras.approved_at = act.approved_at;
    match &act.text {
        Offered::AsNow { proven } => {
            task.set_wording(now);
            (task.later, task.hold) = (None, None);
            extras.text_unproven = !proven;
        }
        Offered::Signed(text) => {
            task.set_wording(text.clone());
            task.later = Some(now).filter(|now| now != text);
            extras.text_unproven = false;
            let held = task.later.is_some() && (task.state == TaskState::Ready || over);
            task.hold = held.then(|| EDITED.to_owned());
        }
        Offered::Edited | Offered::Untold => {
            if task.wording() != now {
                task.later = Some(now);
            }
            let why = if act.text == Offered::Untold { UNTOLD } else { EDITED };
            if task.state == TaskState::Ready || over {
                task.hold = Some(why.to_owned());
            }
        }
    }
}

/// True when a payload shows the issue as it was at the act that was done at `at`.
fn belongs(said: &Said, at: Timestamp, labels: &LabelRules) -> bool {
    let offered = said.labels.iter().any(|label| label.eq_ignore_ascii_case(&labels.ready));
    offered && said.at.is_some_and(|changed| changed >= at - BEFORE && changed <= at + AFTER)
}

fn text_of(said: &Said) -> Wording {
    Wording::of_issue(&said.title, &said.body)
}

fn before(edit: &Edit) -> Wording {
    Wording::of_issue(&edit.old_title, &edit.old_body)
}

fn after(edit: &Edit) -> Wording {
    Wording::of_issue(&edit.title, &edit.body)
}

async fn may_write(reader: &RepoReader, login: &str, id: i64) -> Result<bool, EngineError> {
    Ok(permission_of(reader, login, id).await? >= Permission::Write)
}

/// True when only people with write access can edit the issue, because its author is one.
async fn author_may_write(reader: &RepoReader, info: &IssueInfo) -> Result<bool, EngineError> {
    match &info.author {
        Some(author) => may_write(reader, &author.login, author.id).await,
        None => Ok(false),
    }
}

/// Since when an issue says what it says now: a comment that approves it may have been written before. Where GitHub does
/// not tell, the issue's last change of any kind counts.
async fn text_since(reader: &RepoReader, info: &IssueInfo, events: &[IssueEvent]) -> Result<Timestamp, EngineError> {
    let renamed = events.iter().filter(|e| e.event == "renamed").map(|e| e.created_at).max();
    match reader.last_edit(info.number).await {
        Ok(edit) => Ok(renamed.max(edit.at).unwrap_or_default()),
        Err(GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::NotFound { .. }) => {
            Ok(info.updated_at)
        }
        Err(error) => Err(error.into()),
    }
}

impl Engine {
    /// Whose words the text of a known task's issue is. Who edits a text is told by deliveries alone; where none does,
    /// only people with write access and the author can have.
    pub(crate) async fn whose_words(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: &IssueInfo,
        (task, extras): (&Task, &TaskExtras),
        hint: Hint<'_>,
    ) -> Result<Words, EngineError> {
        let (now, approved) = (Wording::of_issue(&info.title, &info.body), task.wording());
        if let Some(said) =
            hint.said.filter(|said| extras.text_unproven && belongs(said, extras.approved_at, &repo.policy.labels))
        {
            let trusted = author_may_write(reader, info).await?;
            if trusted || text_of(said) == approved {
                return Ok(Words::Confirmed { trusted });
            }
            return Ok(Words::NeverApproved { text: text_of(said), proven: true });
        }
        if let Some((sender, edit)) = hint.edit.filter(|(_, edit)| extras.text_unproven && after(edit) == approved)
            && edit.at.is_none_or(|at| at >= extras.approved_at)
        {
            if !may_write(reader, &sender.login, sender.id).await? {
                return Ok(Words::NeverApproved { text: before(edit), proven: false });
            }
            // Somebody else may have edited it since.
            return Ok(Words::Confirmed { trusted: now == approved || author_may_write(reader, info).await? });
        }
        if let Some((sender, _)) = hint.edit.filter(|(_, edit)| after(edit) == now && before(edit) == approved)
            && now != approved
        {
            let trusted = may_write(reader, &sender.login, sender.id).await?;
            return Ok(if trusted { Words::Trusted } else { Words::Anybody });
        }
        if task.later.as_ref() == Some(&now) {
            return Ok(Words::Anybody);
        }
        if now == approved {
            let nobody_saw = extras.text_unproven && task.hold.as_deref() == Some(EDITED);
            return Ok(if nobody_saw { Words::Anybody } else { Words::Trusted });
        }
        let trusted = author_may_write(reader, info).await?;
        Ok(if trusted { Words::Trusted } else { Words::Anybody })
    }

    /// Who offered the issue, whether they may, and what it said then. Whoever set the label must have triage permission;
    /// reopening an issue that still carries it offers it again on the same authority.
    pub(crate) async fn judge_opt_in(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: &IssueInfo,
        known: Option<(&Task, &TaskExtras)>,
        hint: Hint<'_>,
    ) -> Result<Option<OptIn>, EngineError> {
        let events = reader.issue_events(info.number).await?;
        let ready = &repo.policy.labels.ready;
        let sets_label = |e: &&IssueEvent| {
            e.event == "labeled" && e.label.as_ref().is_some_and(|label| label.eq_ignore_ascii_case(ready))
        };
        let Some(labelled) = events.iter().filter(sets_label).max_by_key(|e| e.id) else { return Ok(None) };
        let reopened = events.iter().filter(|e| e.event == "reopened" && e.id > labelled.id).max_by_key(|e| e.id);
        let hold = hold_for(reader, &repo.policy.labels, labelled).await?;
        let approves = match reopened.map(|reopened| &reopened.actor) {
            None => true,
            Some(Some(actor)) if !actor.is_bot => {
                permission_of(reader, &actor.login, actor.id).await? >= Permission::Triage
            }
            Some(_) => false,
        };
        let event = reopened.map_or(labelled.id, |reopened| reopened.id);
        let approved_at = reopened.filter(|_| approves).unwrap_or(labelled).created_at;
        let is_news = known.is_none_or(|(_, extras)| extras.opt_in_event.is_none_or(|judged| event > judged));
        let untold = known.is_some_and(|(task, _)| task.hold.as_deref() == Some(UNTOLD));
        let matters = hold.is_none() && (known.is_none() || is_news && approves || untold);
        let text = if matters {
            self.text_at(reader, repo, info, (approved_at, &events), known, hint).await?
        } else {
            Offered::AsNow { proven: true }
        };
        let waits = known.is_none() && (hold.is_some() || !matches!(text, Offered::AsNow { .. }));
        let text_since = if waits { text_since(reader, info, &events).await? } else { approved_at };
        Ok(Some(OptIn { event, hold, approves, approved_at, text, text_since }))
    }

    /// What an issue said at `at`, when it was approved.
    async fn text_at(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: &IssueInfo,
        (at, events): (Timestamp, &[IssueEvent]),
        known: Option<(&Task, &TaskExtras)>,
        hint: Hint<'_>,
    ) -> Result<Offered, EngineError> {
        let now = Wording::of_issue(&info.title, &info.body);
        let proven = Offered::AsNow { proven: true };
        let said = hint.said.filter(|said| belongs(said, at, &repo.policy.labels)).map(text_of);
        if said.as_ref() == Some(&now) || author_may_write(reader, info).await? {
            return Ok(proven);
        }
        if let Some(text) = said {
            return Ok(Offered::Signed(text));
        }
        if let Some((task, extras)) = known {
            // What was approved before, or was seen before the act.
            let seen_before = task.later.as_ref() == Some(&now) && extras.later_at < at;
            if seen_before || task.wording() == now && task.hold.is_none() && !extras.text_unproven {
                return Ok(proven);
            }
        }
        let by_writer = async |login: &str, id: i64| {
            may_write(reader, login, id).await.map(|writes| if writes { proven.clone() } else { Offered::Edited })
        };
        if let Some((sender, edit)) = hint.edit
            && after(edit) == now
            && edit.at.is_none_or(|edited| edited >= at)
        {
            return by_writer(&sender.login, sender.id).await;
        }
        if let Some(renamed) = events.iter().filter(|e| e.event == "renamed" && e.created_at >= at).max_by_key(|e| e.id)
        {
            let trusted = match &renamed.actor {
                Some(actor) => may_write(reader, &actor.login, actor.id).await?,
                None => false,
            };
            if !trusted {
                return Ok(Offered::Edited);
            }
        }
        match reader.last_edit(info.number).await {
            // Times have seconds: an edit in the same second may have come after.
            Ok(edit) if edit.at.is_none_or(|edited| edited < at) => Ok(Offered::AsNow { proven: false }),
            Ok(edit) => match edit.editor {
                Some(editor) => by_writer(&editor.login, editor.id).await,
                None => Ok(Offered::Edited),
            },
            Err(
                error @ (GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::NotFound { .. }),
            ) => {
                tracing::warn!(repo = %repo.row.name, issue = info.number, %error, "GitHub does not tell when an issue was edited");
                Ok(Offered::Untold)
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn hold_for(
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
