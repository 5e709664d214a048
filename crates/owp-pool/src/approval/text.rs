//! Trust in the current text of a known task's issue.

use super::record::Known;
use super::{HOLD_EDITED, IssueFacts, Lacks};
use crate::labels::LabelRules;
use crate::task::IssueText;
use owp_plants::{Plant, is_planted};

/// Trust in an issue's current text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTrust {
    /// Approved, or written by somebody with write access.
    Trusted,
    /// A signed payload proves that the recorded text was approved. It says nothing about the current text.
    Confirmed {
        /// True when somebody with write access wrote the current text.
        trusted: bool,
    },
    /// Untrusted: anybody may have written it, so a maintainer must approve it.
    Untrusted,
    /// The recorded text was not approved either: an untrusted edit replaced it after the approval.
    NeverApproved {
        /// The text before that edit.
        text: IssueText,
        /// True when that text was the approved one; otherwise an earlier edit may have changed it.
        proven: bool,
    },
}

impl TextTrust {
    fn by_writer(writes: bool) -> Self {
        if writes { Self::Trusted } else { Self::Untrusted }
    }
}

/// Decides whether the current text of a known task's issue is trusted. Only deliveries name the editor; without one,
/// only the author or somebody with write access can have edited it.
///
/// # Errors
/// Returns the missing fact when the decision cannot be made yet.
pub fn judge(issue: &IssueFacts, known: Known<'_>, labels: &LabelRules) -> Result<TextTrust, Lacks> {
    if is_planted(Plant::EditsAreTrusted) {
        return Ok(TextTrust::Trusted);
    }
    let Known { task, record } = known;
    let (now, approved) = (&issue.text, task.issue_text());
    if let Some(signed) = issue.signed_at(record.approved_at, labels).filter(|_| record.unproven) {
        let trusted = issue.author_may_write()?;
        if trusted || *signed == approved {
            return Ok(TextTrust::Confirmed { trusted });
        }
        return Ok(TextTrust::NeverApproved { text: signed.clone(), proven: true });
    }
    if let Some(edit) = issue.edit.as_ref().filter(|edit| record.unproven && edit.after == approved)
        && edit.at.is_none_or(|at| at >= record.approved_at)
    {
        if !issue.may_write(&edit.by)? {
            return Ok(TextTrust::NeverApproved { text: edit.before.clone(), proven: false });
        }
        // Another edit may have followed.
        return Ok(TextTrust::Confirmed { trusted: *now == approved || issue.author_may_write()? });
    }
    if let Some(edit) = issue.edit.as_ref().filter(|edit| edit.after == *now && edit.before == approved)
        && *now != approved
    {
        return Ok(TextTrust::by_writer(issue.may_write(&edit.by)?));
    }
    if task.later.as_ref() == Some(now) {
        return Ok(TextTrust::Untrusted);
    }
    if *now == approved {
        let nobody_saw = record.unproven && task.hold.as_deref() == Some(HOLD_EDITED);
        return Ok(TextTrust::by_writer(!nobody_saw));
    }
    Ok(TextTrust::by_writer(issue.author_may_write()?))
}
