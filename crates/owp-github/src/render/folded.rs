//! The single comment per issue in quiet mode: the task's state on top, the latest replies below.

use owp_pool::Timestamp;

/// Maximum length of all parts, in characters; leaves space for the key and the separators.
const MAX_FOLDED: usize = 60_000;
/// Maximum number of pull requests shown.
const MAX_PULLS: usize = 3;

/// One wanted comment, rendered as if it stood alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentPart {
    /// The key it would have as a separate comment.
    pub key: String,
    /// The text, without the hidden key.
    pub body: String,
    /// Time of its last change.
    pub at: Timestamp,
}

/// Builds the folded comment: the last lease with its warning, pull requests, notes, then the replies. `standing` is
/// ordered by first appearance, `answers` newest first. A part that does not fit is left out entirely, the oldest reply
/// first, so that no text is cut.
#[must_use]
pub fn folded(standing: &[CommentPart], answers: &[CommentPart]) -> String {
    let mut room = MAX_FOLDED;
    let mut fits = |body: &str| {
        let needed = body.chars().count() + 10;
        let fits = needed <= room;
        room -= if fits { needed } else { 0 };
        fits
    };
    let mut sections: Vec<String> =
        in_order(standing).into_iter().filter(|said| fits(&said.body)).map(|said| said.body.clone()).collect();
    let answers = answers.iter().map(|said| format!("**{}:** {}", said.at.human(), said.body));
    let answers: Vec<String> = answers.filter(|answer| fits(answer)).collect();
    if !answers.is_empty() {
        sections.push(answers.join("\n\n"));
    }
    if sections.is_empty() {
        return "There is nothing to say about this task at the moment.".to_owned();
    }
    sections.join("\n\n---\n\n")
}

/// Selects and orders the standing parts: only the last lease, with only its own warning.
fn in_order(standing: &[CommentPart]) -> Vec<&CommentPart> {
    let of = |kind: &'static str| standing.iter().rev().filter(move |said| said.key.starts_with(kind));
    let lease = of("lease:").next();
    let warning = lease.and_then(|lease| {
        let id = lease.key.strip_prefix("lease:")?;
        of("warn:").find(|said| said.key.strip_prefix("warn:") == Some(id))
    });
    let known = |said: &&CommentPart| ["lease:", "warn:", "pull:"].iter().any(|kind| said.key.starts_with(kind));
    let others = standing.iter().filter(|said| !known(said));
    lease.into_iter().chain(warning).chain(of("pull:").take(MAX_PULLS)).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str, body: &str, minute: i64) -> CommentPart {
        CommentPart { key: key.to_owned(), body: body.to_owned(), at: Timestamp(1_795_230_540_000 + minute * 60_000) }
    }

    #[test]
    fn how_the_task_stands_is_on_top_and_the_newest_answer_first() {
        let standing = [
            said("notes", "One thing about this task:\n\n- It is held.", 0),
            said("lease:l_1", "@ada gave this task back.", 1),
            said("warn:l_1", "@ada, your time runs out.", 1),
            said("pull:3", "#3 by ada is linked.", 2),
            said("lease:l_2", "@bo, this task is yours.", 3),
            said("warn:l_2", "@bo, your time runs out.", 4),
        ];
        let answers = [said("reply:9", "@cy, no.", 6), said("refusal:4:1", "@eve, you cannot claim this task now.", 5)];
        insta::assert_snapshot!(folded(&standing, &answers), @r#"
        @bo, this task is yours.

        ---

        @bo, your time runs out.

        ---

        #3 by ada is linked.

        ---

        One thing about this task:

        - It is held.

        ---

        **21 Nov 2026, 03:15 UTC:** @cy, no.

        **21 Nov 2026, 03:14 UTC:** @eve, you cannot claim this task now.
        "#);
    }

    #[test]
    fn a_warning_of_somebody_else_s_lease_is_not_told() {
        let standing = [said("lease:l_1", "a", 0), said("warn:l_2", "b", 0), said("policy", "c", 0)];
        assert_eq!(folded(&standing, &[]), "a\n\n---\n\nc");
        assert_eq!(folded(&[], &[said("reply:1", "x", 0)]), "**21 Nov 2026, 03:09 UTC:** x");
        insta::assert_snapshot!(folded(&[], &[]), @"There is nothing to say about this task at the moment.");
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let long = "é".repeat(25_000);
        let answers: Vec<CommentPart> = (0..5).map(|n| said(&format!("reply:{n}"), &format!("{n}{long}"), n)).collect();
        let body = folded(&[said("lease:l_1", "Yours.", 0)], &answers);
        assert!(body.starts_with("Yours.") && body.chars().count() <= MAX_FOLDED, "{}", body.chars().count());
        assert_eq!(body.matches("UTC:**").count(), 2);
        assert!(body.ends_with('é'));
    }
}
