//! The record of a task's approval, and its changes: a new issue, a new text or act, and `/owp approve`.

use super::opt_in::{OfferedText, OptIn};
use super::text::TextTrust;
use super::{HOLD_EDITED, HOLD_EDITOR_UNKNOWN, LABELLER_UNKNOWN};
use crate::task::{IssueText, Task, TaskState};
use crate::{Span, Timestamp};
use owp_plants::{Plant, is_planted};

/// Time for which GitHub is asked again about a hold caused by missing information, and the first pause.
const TOLD_LATER: Span = Span::hours(1);
const TOLD_SOON: Span = Span::secs(30);

/// Facts about the approval of a task's text, kept beside the task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Id of the act that was judged last; each act is judged once.
    pub opt_in_event: Option<i64>,
    /// Time at which the text was approved, by setting the label or by a command.
    pub approved_at: Timestamp,
    /// The issue's time of last change when its current text was noticed.
    pub later_at: Timestamp,
    /// True while the text that counts as approved was read after the approval and no signed payload confirms it.
    pub unproven: bool,
    /// Time of the last request to GitHub for the missing fact that holds the task.
    pub asked_at: Timestamp,
}

/// A known task with the record of its approval.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its record.
    pub record: &'a Record,
}

impl Record {
    /// Returns true when the act with this event id has not been judged yet.
    #[must_use]
    pub fn is_news(&self, event: i64) -> bool {
        self.opt_in_event.is_none_or(|judged| event > judged)
    }
}

/// What a judgement of an issue's text rests on. A judgement made on another basis must not be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    text: IssueText,
    later: Option<IssueText>,
    hold: Option<String>,
    record: Record,
}

impl Known<'_> {
    /// Returns what a judgement by now would rest on.
    #[must_use]
    pub fn basis(self) -> Basis {
        let Self { task, record } = self;
        Basis { text: task.issue_text(), later: task.later.clone(), hold: task.hold.clone(), record: record.clone() }
    }

    /// Returns true when GitHub is due to be asked again for information that a held task lacks. The pauses double:
    /// missing information mostly stays missing, and every request costs hourly quota.
    #[must_use]
    pub fn asks_again(self, now: Timestamp) -> bool {
        let Self { task, record } = self;
        let lacks = task.hold.as_deref().is_some_and(|hold| hold == HOLD_EDITOR_UNKNOWN || hold == LABELLER_UNKNOWN);
        let pause = Span((record.asked_at - task.created_at).0.max(TOLD_SOON.0));
        lacks && !task.state.is_over() && task.created_at + TOLD_LATER > now && record.asked_at + pause <= now
    }
}

/// Approval of a new issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The approved text; while nobody has approved one, the current text.
    pub text: IssueText,
    /// The current text, when it differs.
    pub later: Option<IssueText>,
    /// Reason a maintainer must approve the task first, if any.
    pub hold: Option<String>,
    /// The record to keep.
    pub record: Record,
}

/// Decides the approval of a new issue, noticed at `now`. `text` is its current text, `updated_at` its last change.
#[must_use]
pub fn first(opt_in: Option<&OptIn>, text: IssueText, updated_at: Timestamp, now: Timestamp) -> First {
    let (approved, hold, unproven) = match opt_in {
        None => (text.clone(), Some(LABELLER_UNKNOWN.to_owned()), false),
        // A text that nobody has approved yet is approved as it reads by then.
        Some(act) if act.hold.is_some() => (text.clone(), act.hold.clone(), false),
        Some(act) => match &act.text {
            OfferedText::AsNow { proven } => (text.clone(), None, !proven),
            OfferedText::Signed(signed) => (signed.clone(), Some(HOLD_EDITED.to_owned()), false),
            OfferedText::Edited => (text.clone(), Some(HOLD_EDITED.to_owned()), true),
            OfferedText::Untold => (text.clone(), Some(HOLD_EDITOR_UNKNOWN.to_owned()), true),
        },
    };
    let record = Record {
        opt_in_event: opt_in.map(|act| act.event),
        approved_at: opt_in.map_or(now, |act| act.approved_at),
        later_at: opt_in.map_or(updated_at, |act| act.text_since),
        unproven,
        asked_at: now,
    };
    First { later: Some(text).filter(|text| *text != approved), text: approved, hold, record }
}

/// The judged state of an offered issue that has a task.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The current text.
    pub text: &'a IssueText,
    /// Trust in it.
    pub trust: &'a TextTrust,
    /// The latest act that offered it, if judged.
    pub opt_in: Option<&'a OptIn>,
    /// The issue's last change.
    pub updated_at: Timestamp,
}

/// Effect of an offered issue on its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// None: a merged task needs a new act, because a merge can leave its issue open.
    Rests,
    /// Text and hold follow the issue.
    Follows {
        /// True when a new act offered the issue.
        anew: bool,
        /// True when a holder works on a text that was never approved, so that the lease must end.
        ends_lease: bool,
    },
}

/// Applies an offered issue to its task and the record at `now`: trust first, then the act that offered it.
pub fn follow(task: &mut Task, record: &mut Record, offer: Offer<'_>, now: Timestamp) -> Effect {
    let Offer { text, trust, opt_in, updated_at } = offer;
    let act = opt_in.filter(|act| record.is_news(act.event));
    if (Known { task, record }).asks_again(now) {
        record.asked_at = now;
    }
    if task.later.as_ref().unwrap_or(&task.issue_text()) != text {
        record.later_at = updated_at;
    }
    let over = task.state.is_over() && is_planted(Plant::WithdrawnTasksStayAway);
    if (task.state == TaskState::Merged || over) && act.is_none() {
        return Effect::Rests;
    }
    record.opt_in_event = act.map(|act| act.event).or(record.opt_in_event);
    reword(task, record, text.clone(), trust);
    // GitHub may give the information it lacked at first about an act that was judged already.
    let told_late = || opt_in.filter(|_| task.hold.as_deref() == Some(HOLD_EDITOR_UNKNOWN));
    if let Some(act) = act.or_else(told_late) {
        apply_act(task, record, text.clone(), act);
    }
    let ends_lease = task.state.is_held() && matches!(trust, TextTrust::NeverApproved { .. });
    Effect::Follows { anew: act.is_some(), ends_lease }
}

/// Applies the trust in an issue's current text. Trusted text is taken over; untrusted text waits for approval while
/// the approved one stays in force. A task that waits for its first approval has no text to keep.
fn reword(task: &mut Task, record: &mut Record, now: IssueText, trust: &TextTrust) {
    let waits = matches!(task.state, TaskState::Ready);
    let unapproved = task.hold.as_deref().is_some_and(|hold| hold != HOLD_EDITED && hold != HOLD_EDITOR_UNKNOWN);
    match trust {
        TextTrust::NeverApproved { text, proven } => {
            task.set_text(text.clone());
            record.unproven = !proven;
        }
        TextTrust::Confirmed { .. } => record.unproven = false,
        TextTrust::Trusted | TextTrust::Untrusted => {}
    }
    let trusted = matches!(trust, TextTrust::Trusted | TextTrust::Confirmed { trusted: true });
    let differs = task.issue_text() != now;
    if !differs && *trust != TextTrust::Untrusted {
        // The change was reverted, or proven never to have happened.
        let lifted = match trust {
            TextTrust::NeverApproved { proven, .. } => *proven,
            _ => task.later.is_some() || matches!(trust, TextTrust::Confirmed { .. }),
        };
        task.later = None;
        if lifted {
            task.hold.take_if(|hold| [HOLD_EDITED, HOLD_EDITOR_UNKNOWN].contains(&hold.as_str()));
        } else if matches!(trust, TextTrust::NeverApproved { .. }) {
            task.hold = Some(HOLD_EDITED.to_owned());
        }
    } else if unapproved || trusted {
        task.set_text(now);
        task.later = None;
        task.hold.take_if(|hold| hold == HOLD_EDITED);
    } else {
        task.later = Some(now);
        if waits {
            task.hold = Some(HOLD_EDITED.to_owned());
        }
    }
}

/// Applies an act that offered the issue. Runs after [`reword`].
fn apply_act(task: &mut Task, record: &mut Record, now: IssueText, act: &OptIn) {
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
    record.approved_at = act.approved_at;
    match &act.text {
        OfferedText::AsNow { proven } => {
            task.set_text(now);
            (task.later, task.hold) = (None, None);
            record.unproven = !proven;
        }
        OfferedText::Signed(text) => {
            task.set_text(text.clone());
            task.later = Some(now).filter(|now| now != text);
            record.unproven = false;
            let held = task.later.is_some() && (task.state == TaskState::Ready || over);
            task.hold = held.then(|| HOLD_EDITED.to_owned());
        }
        OfferedText::Edited | OfferedText::Untold => {
            if task.issue_text() != now {
                task.later = Some(now);
            }
            let why = if act.text == OfferedText::Untold { HOLD_EDITOR_UNKNOWN } else { HOLD_EDITED };
            if task.state == TaskState::Ready || over {
                task.hold = Some(why.to_owned());
            }
        }
    }
}

/// Decision on `/owp approve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Nothing about the task waits for approval.
    NothingWaits,
    /// The text may have been changed after the comment, so its author may not have seen it.
    MayBeUnseen,
    /// The current text is approved, and the task is not held any more.
    Approved,
}

/// Applies `/owp approve`, said at `said_at`, by somebody with write access. A comment approves the text that its
/// author could see.
pub fn approve(task: &mut Task, record: &mut Record, said_at: Timestamp) -> Approval {
    if task.hold.is_none() && task.later.is_none() {
        return Approval::NothingWaits;
    }
    if record.later_at > said_at {
        return Approval::MayBeUnseen;
    }
    task.hold = None;
    task.adopt_current_text();
    (record.approved_at, record.unproven) = (said_at, false);
    Approval::Approved
}
