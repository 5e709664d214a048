//! Escapes external text: it is shown as it was written, and has no effect.
//!
//! Zero-width spaces stop GitHub's recognition in rendered text (mentions, references to issues and commits, bare
//! links). Backslashes and entities stop the recognition of Markdown, mathematics and HTML in the source.

use owp_pool::text::is_hidden;

/// Maximum length of external text within a sentence, in characters.
const MAX_INLINE: usize = 400;
/// Maximum length of external text with its own paragraphs.
const MAX_TEXT: usize = 4_000;
/// Maximum length of a pool sentence that contains external text.
const MAX_PROSE: usize = 1_000;
/// Maximum length of a command, branch or name in code.
const MAX_CODE: usize = 400;
/// Maximum number of external texts listed in a sentence.
const MAX_LISTED: usize = 20;
/// Maximum number of combining marks on one letter; no language needs more.
const MAX_MARKS: usize = 4;
/// An invisible character that stops GitHub's recognition.
const BREAK: char = '\u{200B}';

/// Escapes external text as one line, at most 400 characters of it.
#[must_use]
pub fn safe_inline(text: &str) -> String {
    let one_line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    escape_line(&shorten(&one_line, MAX_INLINE))
}

/// Escapes external text with its lines and paragraphs, at most 4,000 characters of it.
#[must_use]
pub fn safe_text(text: &str) -> String {
    let text = shorten(&clean(text), MAX_TEXT);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // Four leading spaces would start a code block, and two trailing spaces a line break.
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(escape_line(&line));
        }
    }
    lines.join("\n").trim_end().to_owned()
}

/// Formats text as inline code, for example a command, branch, label or worker name. Nothing in code has an effect.
#[must_use]
pub fn code(text: &str) -> String {
    let text = shorten(&clean(text).split_whitespace().collect::<Vec<_>>().join(" "), MAX_CODE);
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    // GitHub treats comment delimiters inside code as text, but other readers are less careful.
    let text = text.replace("<!--", "<\u{200B}!--").replace("-->", "--\u{200B}>");
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Escapes a pool sentence. Words between backticks become code, and everything else may be external. Both are
/// harmless, whoever wrote the backticks. At most 1,000 characters are kept.
#[must_use]
pub(super) fn prose(text: &str) -> String {
    prose_with(text, code, escape_line)
}

/// Like [`prose`], for sentences whose numbers all come from the pool: `#12` links to the pull request.
pub(super) fn prose_with_references(text: &str) -> String {
    prose_with(text, code, |line| {
        let parts: Vec<String> = line.split('#').map(escape_line).collect();
        parts.join("#")
    })
}

/// Like [`prose`], inside a table.
pub(super) fn prose_in_table(text: &str) -> String {
    prose_with(text, code_in_table, escape_line)
}

fn prose_with(text: &str, code: fn(&str) -> String, escape: fn(&str) -> String) -> String {
    let one_line = shorten(&clean(text).split_whitespace().collect::<Vec<_>>().join(" "), MAX_PROSE);
    let mut out = String::new();
    let mut rest = one_line.as_str();
    while let Some((before, inside, after)) = first_code(rest) {
        out.push_str(&escape(before));
        out.push_str(&code(inside));
        rest = after;
    }
    out.push_str(&escape(rest));
    out
}

/// Splits off the first code span: the text before it, its content, and the text after it.
fn first_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (inside, after) = rest.split_once('`')?;
    (!inside.trim().is_empty()).then_some((before, inside, after))
}

/// Formats inline code inside a table, where a bar would end the cell.
pub(super) fn code_in_table(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Mentions a login, which notifies its owner. An invalid login is shown as text and mentions nobody.
#[must_use]
pub fn mention(login: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = login.strip_suffix("[bot]").unwrap_or(login);
    let ends = |c: char| c == '_';
    let odd = name.starts_with('-') || name.starts_with(ends) || name.ends_with(ends);
    if name.is_empty() || login.len() > 100 || odd || !name.chars().all(plain) {
        return safe_inline(login);
    }
    format!("@{login}")
}

/// Formats a list of at most `max` items, plus the number of further ones.
pub(super) fn bullets(items: impl IntoIterator<Item = String>, max: usize) -> String {
    let items: Vec<String> = items.into_iter().collect();
    let mut lines: Vec<String> = items.iter().take(max).map(|item| format!("- {item}")).collect();
    if items.len() > max {
        lines.push(format!("- … and {} more", items.len() - max));
    }
    lines.join("\n")
}

/// Joins external texts within a sentence; texts beyond the maximum are left out.
pub(super) fn listed(words: &[String]) -> String {
    words.iter().take(MAX_LISTED).map(|one| safe_inline(one)).collect::<Vec<_>>().join(", ")
}

/// Removes misleading characters: controls, direction changes, invisible letters, and combining marks stacked until
/// they cover neighbouring lines.
fn clean(text: &str) -> String {
    let mut marks = 0;
    text.replace("\r\n", "\n")
        .chars()
        .filter_map(|c| match c {
            '\n' => Some('\n'),
            '\t' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => Some(' '),
            c if is_hidden(c) => None,
            c => Some(c),
        })
        .filter(|c| {
            marks = if is_combining(*c) { marks + 1 } else { 0 };
            marks <= MAX_MARKS
        })
        .collect()
}

/// Returns true for marks that combine with any letter. Marks of a single script are part of its letters.
fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{FE20}'..='\u{FE2F}')
}

fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.push('…');
    short
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}

/// Escapes one line, independent of the text before it in the final body.
fn escape_line(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = String::with_capacity(line.len() + 16);
    let mut commit = 0..0;
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|i| chars[i]);
        if at >= commit.end && !is_word(before) {
            commit = at..at + commit_id(&chars[at..]);
        }
        let after = chars.get(at + 1).copied();
        let next_is_digit = after.is_some_and(|c| c.is_ascii_digit());
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '$' => out.push_str("&#36;"),
            '@' => out.extend([c, BREAK]),
            '#' if next_is_digit => out.extend([c, BREAK]),
            '-' if next_is_digit && ends_with_ignoring_case(&chars[..at], "gh") => out.extend([c, BREAK]),
            ':' if chars[at + 1..].starts_with(&['/', '/']) => out.extend([c, BREAK]),
            '.' if ends_with_ignoring_case(&chars[..at], "www") => out.extend([BREAK, c]),
            '/' if at == 0 => out.extend([c, BREAK]),
            '\\' | '`' | '*' | '~' | '|' => out.extend(['\\', c]),
            '_' if !(is_word(before) && is_word(after)) => out.extend(['\\', c]),
            '[' if !is_rule_name(&chars[at + 1..]) => out.extend(['\\', c]),
            '#' | '-' | '+' | '=' if at == 0 => out.extend(['\\', c]),
            c if at < commit.end => {
                out.push(c);
                // The parts between two breaks are too short for a commit id.
                if (at - commit.start) % 6 == 5 {
                    out.push(BREAK);
                }
            }
            '.' | ')' if at > 0 && chars[..at].iter().all(char::is_ascii_digit) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Returns the length of a possible commit id at the start, which GitHub would link: 7 to 40 hexadecimal digits that
/// are not a number.
fn commit_id(chars: &[char]) -> usize {
    let (mut length, mut digits) = (0, 0);
    for c in chars.iter().take(41).take_while(|c| c.is_alphanumeric()) {
        if !matches!(c, '0'..='9' | 'a'..='f') {
            return 0;
        }
        length += 1;
        digits += usize::from(c.is_ascii_digit());
    }
    if (7..=40).contains(&length) && digits > 0 && digits < length { length } else { 0 }
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

fn ends_with_ignoring_case(chars: &[char], word: &str) -> bool {
    chars.len() >= word.len()
        && chars[chars.len() - word.len()..].iter().zip(word.chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b))
}

/// Recognises a rule such as `[area_lock]` at the end of a refusal. It cannot become a link and stays unescaped.
fn is_rule_name(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|&c| c == ']') else { return false };
    let is_name = end >= 3 && rest[..end].iter().all(|&c| c.is_ascii_lowercase() || c == '_');
    is_name && rest.get(end + 1).is_none_or(|&c| c == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::{Refusal, Rule, Timestamp};

    /// Shows the invisible breaks as bars.
    fn shown(text: &str) -> String {
        safe_inline(text).replace(BREAK, "|")
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_is_referenced() {
        assert_eq!(shown("thanks @octocat and @org/team"), "thanks @|octocat and @|org/team");
        assert_eq!(shown("#12 o/r#12 GH-12 gh-x a@b.c"), "#|12 o/r#|12 GH-|12 gh-x a@|b.c");
        assert_eq!(shown("https://evil.example www.evil.example"), "https:|//evil.example www|.evil.example");
    }

    #[test]
    fn commits_are_not_linked_and_numbers_stay_numbers() {
        assert_eq!(shown("a5c3785ed8d6a35868 x"), "a5c378|5ed8d6|a35868| x");
        assert_eq!(shown("(a5c3785) rails@a5c3785"), "(a5c378|5) rails@|a5c378|5");
        assert_eq!(shown("1000000 deadbeef a5c378 a5c3785x"), "1000000 deadbeef a5c378 a5c3785x");
    }

    #[test]
    fn mathematics_and_piles_of_marks_stay_text() {
        assert_eq!(shown("$x$ and $$y$$"), "&#36;x&#36; and &#36;&#36;y&#36;&#36;");
        assert_eq!(safe_inline(&format!("a{}b", "\u{301}".repeat(90))), format!("a{}b", "\u{301}".repeat(4)));
        assert_eq!(safe_inline("e\u{302}\u{301}"), "e\u{302}\u{301}");
    }

    #[test]
    fn markdown_and_html_are_shown_and_not_obeyed() {
        assert_eq!(shown("<!-- x --> <img> &#64;me"), "&lt;!-- x --&gt; &lt;img&gt; &amp;#|64;me");
        assert_eq!(
            shown("[a](b) ![c](d) **e** `f` ~g~ snake_case _h_"),
            r"\[a](b) !\[c](d) \*\*e\*\* \`f\` \~g\~ snake_case \_h\_"
        );
        assert_eq!(shown("/owp claim"), "/|owp claim");
        for (text, safe) in
            [("# a", r"\# a"), ("- a", r"\- a"), ("1. a", r"1\. a"), ("> a", "&gt; a"), ("===", r"\===")]
        {
            assert_eq!(shown(text), safe);
        }
    }

    #[test]
    fn a_text_keeps_its_lines_but_no_line_starts_anything() {
        assert_eq!(safe_text("a\r\n\r\n\r\n    b\n---\n"), "a\n\nb\n\\---");
        assert_eq!(safe_inline("a\n\n# b"), "a # b");
    }

    #[test]
    fn what_misleads_the_eye_is_dropped() {
        assert_eq!(safe_inline("a\u{202E}b\u{0}c\u{200B}d\u{E0041}e\u{7}"), "abcde");
        assert_eq!(safe_inline("👩\u{200D}💻"), "👩\u{200D}💻");
    }

    #[test]
    fn a_refusal_keeps_its_exact_words() {
        let refusal = Refusal::new(Rule::AreaLock, "The area web-api is taken.")
            .with_limit(1, 1)
            .with_holder(Some("octo-cat"))
            .with_retry(Timestamp::parse_rfc3339("2026-11-21T03:09:00Z"));
        assert_eq!(safe_inline(&refusal.to_string()), refusal.to_string());
    }

    #[test]
    fn a_sentence_keeps_its_code_and_only_that() {
        let shown = |text: &str| prose(text).replace(BREAK, "|");
        assert_eq!(shown("Say `/owp trust @ada 1`, *please*."), r"Say `/owp trust @ada 1`, \*please\*.");
        assert_eq!(shown("not `@ada, and not @bo"), r"not \`@|ada, and not @|bo");
        assert_eq!(shown("`` @ada `x` @bo"), r"\`\` @|ada \`x\` @|bo");
        assert_eq!(shown("now 1 [area_lock]"), "now 1 [area_lock]");
        assert_eq!(prose_in_table("`a|b` | c"), r"`a\|b` \| c");
    }

    #[test]
    fn code_survives_backticks() {
        assert_eq!(code("cargo test"), "`cargo test`");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(code(" \n "), "(empty)");
        assert!(!code("x --> <!-- y").contains("-->"));
        assert_eq!(code_in_table("a|b"), "`a\\|b`");
    }

    #[test]
    fn only_a_possible_login_is_mentioned() {
        assert_eq!(mention("ada-l"), "@ada-l");
        assert_eq!(mention("owp-pool[bot]"), "@owp-pool[bot]");
        assert_eq!(mention("ada @octocat").replace(BREAK, "|"), "ada @|octocat");
        assert_eq!(mention(""), "");
        assert_eq!((mention("octo_acme").as_str(), mention("__").as_str()), ("@octo_acme", r"\_\_"));
    }

    #[test]
    fn long_text_is_cut_and_long_lists_are_counted() {
        assert_eq!(safe_inline(&"x".repeat(1_000)).chars().count(), MAX_INLINE);
        assert!(safe_text(&"x".repeat(10_000)).ends_with('…'));
        assert_eq!(bullets(["a", "b", "c"].map(str::to_owned), 2), "- a\n- b\n- … and 1 more");
    }
}
