//! Approval of issue texts: the act that offered an issue to the pool, and the text of the issue at that moment.
//!
//! A task's text is often read by a contributor's tool, so it must be text that a maintainer could have seen. The
//! signed payload of the label event holds the text at that moment. If its delivery was lost, the time of the last edit
//! decides. If that is unknown too, the task is held.

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

/// Tolerance, before and after the act, for the last change that its payload reports. Several labels are often set at
/// once; an edit takes longer.
const BEFORE: Span = Span::secs(5);
const AFTER: Span = Span::secs(1);

/// The latest act that offered the issue to the pool (label set or issue reopened), judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptIn {
    /// Event id of the act; ids rise with time.
    pub event: i64,
    /// Reason a maintainer must approve it first; `None` when the labeller may opt issues in.
    pub hold: Option<String>,
    /// True when the actor may opt issues in and has seen the text. A stranger who reopens an issue offers only the
    /// approved text again.
    pub approves: bool,
    /// Last time at which somebody who may opt issues in saw the text.
    pub approved_at: Timestamp,
    /// The text at that time.
    pub text: Offered,
    /// Latest time at which the current text began; looked up only for a new task that waits for approval.
    pub text_since: Timestamp,
}

/// An issue's text at the time of its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offered {
    /// The same as the current text.
    AsNow {
        /// True when a signed payload confirms it, or nobody without write access can have edited it.
        proven: bool,
    },
    /// A different text, from the signed payload.
    Signed(Wording),
    /// A different text: somebody without write access has edited it since.
    Edited,
    /// Unknown: GitHub does not say.
    Untold,
}

/// Trust in an issue's current text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Words {
    /// Approved, or written by somebody with write access.
    Trusted,
    /// A signed payload proves that the recorded text was approved. It says nothing about the current text.
    Confirmed {
        /// True when somebody with write access wrote the current text.
        trusted: bool,
    },
    /// Untrusted: anybody may have written it.
    Anybody,
    /// The recorded text was not approved either: an untrusted edit replaced it after the approval.
    NeverApproved {
        /// The text before that edit.
        text: Wording,
        /// True when that text was the approved one; otherwise an earlier edit may have changed it.
        proven: bool,
    },
}

/// Applies the trust in an issue's current text. Trusted text is taken over; untrusted text waits for approval while
/// the approved one stays in force. A task that waits for its first approval has no text to keep.
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
        // The change was reverted, or proven never to have happened.
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

/// Applies an act that offered the issue. Runs after [`reword`].
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

/// Returns true when a payload shows the issue as it was at the act done at `at`.
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

/// Returns true when only people with write access can edit the issue, because its author is one.
async fn author_may_write(reader: &RepoReader, info: &IssueInfo) -> Result<bool, EngineError> {
    match &info.author {
        Some(author) => may_write(reader, &author.login, author.id).await,
        None => Ok(false),
    }
}

/// Returns the time since which an issue has its current text: an approving comment may be older. If GitHub does not
/// say, the issue's last change of any kind counts.
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
    /// Decides whether the current text of a known task's issue is trusted. Only deliveries name the editor; without
    /// one, only the author or somebody with write access can have edited it.
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
            // Another edit may have followed.
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

    /// Judges the act that offered the issue: the actor's permission, and the text at that time. The labeller needs
    /// triage permission; reopening a labelled issue offers it again on the same authority.
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

    /// Returns the issue's text at `at`, when it was approved.
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
            // Approved earlier, or seen before the act.
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
            // Times have a resolution of one second: an edit in the same second may have come later.
            Ok(edit) if edit.at.is_none_or(|edited| edited < at) => Ok(Offered::AsNow { proven: false }),
            Ok(edit) => match edit.editor {
                Some(editor) => by_writer(&editor.login, editor.id).await,
                None => Ok(Offered::Edited),
            },
            Err(
                error @ (GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::NotFound { .. }),
            ) => {
                tracing::warn!(repo = %repo.row.name, issue = info.number, %error, "GitHub does not say when an issue was edited");
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
