//! The act that offered an issue to the pool: the actor's permission, and the text at that time.

use super::record::Known;
use super::{Account, Act, ActKind, HOLD_EDITOR_UNKNOWN, IssueFacts, Lacks, LastEdit, SignedText};
use crate::labels::LabelRules;
use crate::permission::Permission;
use crate::task::IssueText;
use crate::{Span, Timestamp};

/// Tolerance, before and after the act, for the last change that its payload reports. Several labels are often set at
/// once; an edit takes longer.
const BEFORE: Span = Span::secs(5);
const AFTER: Span = Span::secs(1);

/// The latest act that offered the issue to the pool (label set or issue reopened), judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
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
    pub text: OfferedText,
    /// Latest time at which the current text began; known only for a new task that waits for approval.
    pub text_since: Timestamp,
}

/// An issue's text at the time of its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferedText {
    /// The same as the current text.
    AsNow {
        /// True when a signed payload confirms it, or nobody without write access can have edited it.
        proven: bool,
    },
    /// A different text, from the signed payload.
    Signed(IssueText),
    /// A different text: somebody without write access has edited it since.
    Edited,
    /// Unknown: GitHub does not say.
    Untold,
}

impl OfferedText {
    const PROVEN: Self = Self::AsNow { proven: true };

    fn by_writer(writes: bool) -> Self {
        if writes { Self::PROVEN } else { Self::Edited }
    }
}

impl SignedText {
    /// Returns true when the payload shows the issue as it was at the act done at `at`.
    pub(super) fn belongs(&self, at: Timestamp, labels: &LabelRules) -> bool {
        let offered = self.labels.iter().any(|label| label.eq_ignore_ascii_case(&labels.ready));
        offered && self.at.is_some_and(|changed| changed >= at - BEFORE && changed <= at + AFTER)
    }
}

/// Judges the act that offered the issue; returns `None` when its history has no such act. The labeller needs triage
/// permission. Reopening a labelled issue offers it again on the same authority.
///
/// # Errors
/// Returns the missing fact when the decision cannot be made yet.
pub fn judge(issue: &IssueFacts, known: Option<Known<'_>>, labels: &LabelRules) -> Result<Option<OptIn>, Lacks> {
    let acts = issue.acts()?;
    let sets_label =
        |act: &&Act| matches!(&act.kind, ActKind::Labelled(label) if label.eq_ignore_ascii_case(&labels.ready));
    let Some(labelled) = acts.iter().filter(sets_label).max_by_key(|act| act.id) else { return Ok(None) };
    let reopens = |act: &&Act| act.kind == ActKind::Reopened && act.id > labelled.id;
    let reopened = acts.iter().filter(reopens).max_by_key(|act| act.id);
    let hold = hold_for(issue, labels, labelled.actor.as_ref())?;
    let approves = match reopened.map(|reopened| &reopened.actor) {
        None => true,
        Some(Some(actor)) if !actor.is_bot => issue.permission(actor)? >= Permission::Triage,
        Some(_) => false,
    };
    let event = reopened.map_or(labelled.id, |reopened| reopened.id);
    let approved_at = reopened.filter(|_| approves).unwrap_or(labelled).at;
    let is_news = known.is_none_or(|known| known.record.is_news(event));
    let untold = known.is_some_and(|known| known.task.hold.as_deref() == Some(HOLD_EDITOR_UNKNOWN));
    let matters = hold.is_none() && (known.is_none() || is_news && approves || untold);
    let text = if matters { text_at(issue, approved_at, known, labels)? } else { OfferedText::PROVEN };
    let waits = known.is_none() && (hold.is_some() || !matches!(text, OfferedText::AsNow { .. }));
    let text_since = if waits { text_since(issue)? } else { approved_at };
    Ok(Some(OptIn { event, hold, approves, approved_at, text, text_since }))
}

/// Returns the reason a maintainer must approve an issue that `labeller` offered; `None` when nobody must.
fn hold_for(issue: &IssueFacts, labels: &LabelRules, labeller: Option<&Account>) -> Result<Option<String>, Lacks> {
    let Some(labeller) = labeller else {
        return Ok(Some("the account that set the label is gone".to_owned()));
    };
    let login = &labeller.login;
    if labeller.is_bot {
        let trusted = labels.bots.contains(&login.to_lowercase());
        return Ok((!trusted).then(|| format!("the label was set by the bot {login}")));
    }
    let permission = issue.permission(labeller)?;
    Ok((permission < Permission::Triage)
        .then(|| format!("the label was set by {login}, who has no triage permission here")))
}

/// Returns the issue's text at `at`, when it was approved.
fn text_at(
    issue: &IssueFacts,
    at: Timestamp,
    known: Option<Known<'_>>,
    labels: &LabelRules,
) -> Result<OfferedText, Lacks> {
    let now = &issue.text;
    let signed = issue.signed_at(at, labels);
    if signed == Some(now) || issue.author_may_write()? {
        return Ok(OfferedText::PROVEN);
    }
    if let Some(text) = signed {
        return Ok(OfferedText::Signed(text.clone()));
    }
    if let Some(Known { task, record }) = known {
        // Approved earlier, or seen before the act.
        let seen_before = task.later.as_ref() == Some(now) && record.later_at < at;
        if seen_before || task.issue_text() == *now && task.hold.is_none() && !record.unproven {
            return Ok(OfferedText::PROVEN);
        }
    }
    if let Some(edit) = &issue.edit
        && edit.after == *now
        && edit.at.is_none_or(|edited| edited >= at)
    {
        return issue.may_write(&edit.by).map(OfferedText::by_writer);
    }
    let renames = |act: &&Act| act.kind == ActKind::Renamed && act.at >= at;
    if let Some(renamed) = issue.acts()?.iter().filter(renames).max_by_key(|act| act.id)
        && !renamed.actor.as_ref().map_or(Ok(false), |actor| issue.may_write(actor))?
    {
        return Ok(OfferedText::Edited);
    }
    match issue.last_edit()? {
        LastEdit::Untold => Ok(OfferedText::Untold),
        LastEdit::Never => Ok(OfferedText::AsNow { proven: false }),
        // Times have a resolution of one second: an edit in the same second may have come later.
        LastEdit::At { at: edited, .. } if *edited < at => Ok(OfferedText::AsNow { proven: false }),
        LastEdit::At { editor, .. } => {
            let writes = editor.as_ref().map_or(Ok(false), |editor| issue.may_write(editor))?;
            Ok(OfferedText::by_writer(writes))
        }
    }
}

/// Returns the time since which an issue has its current text: an approving comment may be older. If GitHub does not
/// say, the issue's last change of any kind counts.
fn text_since(issue: &IssueFacts) -> Result<Timestamp, Lacks> {
    let renamed = issue.acts()?.iter().filter(|act| act.kind == ActKind::Renamed).map(|act| act.at).max();
    Ok(match issue.last_edit()? {
        LastEdit::Untold => issue.updated_at,
        LastEdit::Never => renamed.unwrap_or_default(),
        LastEdit::At { at, .. } => renamed.max(Some(*at)).unwrap_or_default(),
    })
}
