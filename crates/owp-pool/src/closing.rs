//! Closing keywords: the issues a pull request says it closes. [`super::branch`] handles branch names.
//!
//! The words are GitHub's: <https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue>.
//! Unlike on GitHub, the target branch does not matter. Code, mathematics and HTML comments are skipped, since
//! templates keep their examples there. Other code decides whether the link counts.

use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::BTreeSet;
use std::ops::Range;

/// Larger bodies are not parsed; GitHub cannot hold them.
const BODY_MAX_BYTES: usize = 4 * 65_536;
const KEYWORDS: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// Returns the issues of `repo_full_name` (`owner/name`, in any case) that the body closes, ascending, each once.
///
/// Each number needs its own keyword: `fixes #1, #2` closes only 1, as on GitHub. Links may name any host, because
/// GitHub Enterprise Servers have their own.
#[must_use]
pub fn closes(body: &str, repo_full_name: &str) -> Vec<i64> {
    if body.len() > BODY_MAX_BYTES || repo_full_name.is_empty() {
        return Vec::new();
    }
    let mut issues = BTreeSet::new();
    for (start, end) in pieces(body) {
        find_in(&body[start..end], repo_full_name, &mut issues);
    }
    issues.into_iter().collect()
}

/// Returns the ranges of the body between the hidden ones.
fn pieces(body: &str) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for hidden in hidden_ranges(body) {
        if hidden.start > at {
            pieces.push((at, hidden.start));
        }
        at = at.max(hidden.end);
    }
    pieces.push((at, body.len()));
    pieces
}

/// Returns the ranges of code, mathematics and HTML comments, in order.
fn hidden_ranges(body: &str) -> Vec<Range<usize>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_MATH | Options::ENABLE_GFM;
    let mut hidden = Vec::new();
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) | Event::Code(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {
                hidden.push(range);
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                hidden.extend(comments(&body[range.clone()]).map(|c| c.start + range.start..c.end + range.start));
            }
            _ => {}
        }
    }
    hidden
}

/// Returns the HTML comments in a piece of HTML; an unclosed one takes the rest.
fn comments(html: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + html[at..].find("<!--")?;
        // The closing mark may share its dashes with the opening one: `<!-->` is a whole comment.
        at = html[start + 2..].find("-->").map_or(html.len(), |end| start + 2 + end + 3);
        Some(start..at)
    })
}

fn find_in(text: &str, repo: &str, issues: &mut BTreeSet<i64>) {
    let mut at = 0;
    while let Some(offset) = text[at..].find(|c: char| c.is_ascii_alphabetic()) {
        let start = at + offset;
        let len = text[start..].bytes().take_while(u8::is_ascii_alphabetic).count();
        at = start + len;
        let word = &text[start..at];
        let whole = !text[..start].chars().next_back().is_some_and(joins_words);
        if whole && KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word)) {
            issues.extend(after_keyword(&text[at..]).and_then(|rest| reference(rest, repo)));
        }
    }
}

/// Keeps `prefix` and `hot-fix` from matching the keyword `fix`.
fn joins_words(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '#' | '@' | '.')
}

/// Skips a colon, spaces and bold marks; `None` when nothing separates the keyword from what follows.
fn after_keyword(text: &str) -> Option<&str> {
    let marks = |text: &str| text.trim_start_matches('*').len();
    let text = &text[text.len() - marks(text)..];
    let colon = text.strip_prefix(':');
    let text = colon.unwrap_or(text);
    let text = &text[text.len() - marks(text)..];
    let rest = text.trim_start_matches([' ', '\t', '\u{a0}']);
    let rest = &rest[rest.len() - marks(rest)..];
    (colon.is_some() || rest.len() < text.len()).then_some(rest)
}

/// Parses `#3`, `owner/name#3` or a link to the issue, in this repository.
fn reference(text: &str, repo: &str) -> Option<i64> {
    if let Some(rest) = text.strip_prefix('#') {
        return number_at_end_of_word(rest);
    }
    if let Some(rest) = strip_caseless(text, repo) {
        return number_at_end_of_word(rest.strip_prefix('#')?);
    }
    let text = text.strip_prefix('<').unwrap_or(text);
    let rest = strip_caseless(text, "https://").or_else(|| strip_caseless(text, "http://"))?;
    let (host, rest) = rest.split_once('/')?;
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':')) {
        return None;
    }
    number_at_end_of_word(strip_caseless(strip_caseless(rest, repo)?, "/issues/")?)
}

fn strip_caseless<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn number_at_end_of_word(text: &str) -> Option<i64> {
    let (number, after) = leading_number(text)?;
    (!after.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(number)
}

/// Splits off a positive number in ASCII digits.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let (digits, after) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let number = digits.parse().ok().filter(|n| *n > 0)?;
    Some((number, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_closes(body: &str, expected: &[i64]) {
        assert_eq!(closes(body, "Octo-Org/the.repo"), expected, "{body}");
    }

    #[test]
    fn every_keyword_closes_in_any_case_with_or_without_a_colon() {
        for keyword in KEYWORDS {
            assert_closes(&format!("{keyword} #12"), &[12]);
            assert_closes(&format!("{}: #12.", keyword.to_uppercase()), &[12]);
        }
        assert_closes("Adds it.\r\n\r\nFixes:#3", &[3]);
        assert_closes("**Closes:** #3 and **fixes** #4, resolves **#5**", &[3, 4, 5]);
        assert_closes("(closes #3)\n- [x] fixes #4\n> resolves #5", &[3, 4, 5]);
    }

    #[test]
    fn numbers_come_sorted_once_and_each_needs_its_keyword() {
        assert_closes("Fixes #9, closes #2, fixes #9", &[2, 9]);
        assert_closes("Fixes #1, #2 and #3", &[1]);
    }

    #[test]
    fn other_spellings_name_the_repository_and_others_do_not_count() {
        assert_closes("Closes octo-org/THE.repo#7", &[7]);
        assert_closes("Closes https://github.com/octo-org/the.repo/issues/7", &[7]);
        assert_closes("closes <https://ghes.example:8443/Octo-Org/The.Repo/issues/7#issuecomment-1>.", &[7]);
        for other in [
            "Closes octo-org/other#7",
            "Closes other/the.repo#7",
            "Closes octo-org/the.repo2#7",
            "Closes the.repo#7",
            "Closes https://github.com/octo-org/other/issues/7",
            "Closes https://github.com/octo-org/the.repo/pull/7",
            "Closes https://x@y/octo-org/the.repo/issues/7",
            "Closes https:///octo-org/the.repo/issues/7",
        ] {
            assert_closes(other, &[]);
        }
    }

    #[test]
    fn what_only_resembles_a_keyword_or_a_number_closes_nothing() {
        for body in [
            "",
            "#3",
            "prefix #3",
            "hot-fix #3",
            "my_fixes #3",
            "closer #3",
            "closing #3",
            "fixes#3",
            "fixes # 3",
            "fixes 3",
            "fixes #",
            "fixes #0",
            "fixes #3abc",
            "fixes #3_x",
            "fixes #-3",
            "fixes #99999999999999999999",
            "fixes the #3",
            "fixes\n#3",
            "fixes \\#3",
            "f\u{456}xes #3",
            "\u{e9}fixes #3",
            "fixes #\u{663}",
            "refs #3",
            "unresolved #3",
        ] {
            assert_closes(body, &[]);
        }
    }

    #[test]
    fn code_and_comments_close_nothing() {
        for body in [
            "`fixes #3`",
            "```\nfixes #3\n```",
            "~~~\nfixes #3",
            "    fixes #3",
            "<!-- fixes #3 -->",
            "<!--\n\nfixes #3\n\n-->",
            "a <!-- fixes #3 --> b",
            "fixes `#3`",
            "fixes <!-- x --> #3",
            "<div><!-- fixes #3 --></div>",
            "$$\nfixes #3\n$$",
        ] {
            assert_closes(body, &[]);
        }
        assert_closes("<!-- e.g. fixes #1 -->\nFixes #3\n```\nfixes #4\n```\ncloses #5", &[3, 5]);
        assert_closes("<details>\nFixes #3\n</details>", &[3]);
        assert_closes("<!--> fixes #3", &[3]);
    }

    #[test]
    fn a_body_no_pull_request_can_have_is_not_read_and_the_largest_is_read_to_its_end() {
        assert_closes(&"fixes #3 ".repeat(40_000), &[]);
        // A parser worse than quadratic would exceed the test runner's timeout.
        for piece in ["fixes #3 ", "<!--", "`", "<!-->", "fixes ", "#", "> ", "[", "<a '"] {
            let _ = closes(&piece.repeat(65_536 / piece.len()), "a/b");
        }
    }

    proptest! {
        #[test]
        fn any_body_closes_positive_numbers_it_mentions(
            body in "(fixes|Closes| |:|#|[0-9]{1,3}|a/b|https://h/a/b/issues/|<!--|-->|`|\\n|é|\\*){0,30}") {
            let issues = closes(&body, "a/b");
            prop_assert!(issues.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(issues.iter().all(|n| *n > 0 && body.contains(&n.to_string())));
        }
    }
}
