//! Finds the command lines of a comment: those that begin `/owp`, after at most three spaces, in plain text.
//!
//! Plain text is a paragraph (or a heading, since `---` under a line makes it one) that is not nested in anything else.
//! Not commands: fenced and indented code, inline code, quotes with their lazy continuations, list items, tables,
//! footnotes, link texts and titles, emphasis that began on an earlier line, mathematics, HTML blocks and comments, and
//! text between HTML tags that quote, hide, strike or box it. List items are excluded because people list commands to
//! explain them far more often than to run them.
//!
//! `grammar.rs` parses the arguments.

use super::super::text::{is_hidden, tidy_line};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// Upper limit of what GitHub can hold (65,536 characters of at most four bytes); longer bodies are not parsed.
const BODY_MAX_BYTES: usize = 4 * 65_536;

/// HTML elements whose content is not plain text of the comment. Elements that HTML closes by itself (`p`, `li`) are
/// left out: an unclosed one would swallow the rest of the comment, and none of them hides anything.
const CONTAINERS: [&str; 29] = [
    "article",
    "aside",
    "blockquote",
    "code",
    "del",
    "details",
    "div",
    "dl",
    "figure",
    "iframe",
    "kbd",
    "noscript",
    "ol",
    "pre",
    "q",
    "samp",
    "script",
    "section",
    "select",
    "strike",
    "style",
    "summary",
    "svg",
    "table",
    "template",
    "textarea",
    "title",
    "tt",
    "ul",
];

/// A line that begins `/owp` in plain text.
pub(super) struct PlainLine<'a> {
    /// Line number, counted from 1.
    pub(super) line: usize,
    /// The line as written, trimmed.
    pub(super) text: &'a str,
    /// The same without inline HTML, which readers do not see.
    pub(super) visible: String,
}

/// Returns the command lines of a comment, in order.
pub(super) fn command_lines(body: &str) -> Vec<PlainLine<'_>> {
    if body.len() > BODY_MAX_BYTES || !mentions_owp(body) {
        return Vec::new();
    }
    let plain = PlainText::of(body);
    physical_lines(body)
        .enumerate()
        .filter_map(|(index, (start, line))| {
            let spaces = line.bytes().take_while(|b| *b == b' ').count();
            let begin = start + spaces;
            if spaces > 3 || !begins_with_owp(&line[spaces..]) || !plain.covers(begin) {
                return None;
            }
            let text = line.trim();
            Some(PlainLine { line: index + 1, text, visible: plain.without_html(text, begin) })
        })
        .collect()
}

/// Iterates over lines and the byte each starts at, without endings; `\n`, `\r\n` and `\r` end lines, as in CommonMark.
pub(super) fn physical_lines(body: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = body.get(start..).filter(|rest| !rest.is_empty())?;
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        let line = (start, &rest[..end]);
        start += end + ending;
        Some(line)
    })
}

/// Returns the form in which lines are compared.
pub(super) fn canonical(line: &str) -> String {
    tidy_line(line, usize::MAX).to_lowercase()
}

/// Returns true if the line begins with `/owp` as a whole word, in any case.
fn begins_with_owp(line: &str) -> bool {
    line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("/owp"))
        && line[4..].chars().find(|c| !is_hidden(*c)).is_none_or(char::is_whitespace)
}

/// Returns false for most comments, which are then not parsed.
fn mentions_owp(body: &str) -> bool {
    body.as_bytes().windows(4).any(|window| window.eq_ignore_ascii_case(b"/owp"))
}

/// Location of a comment's plain text.
struct PlainText {
    /// Ranges of plain text, in order, not overlapping.
    text: Vec<Range<usize>>,
    /// Ranges of inline HTML, in order.
    html: Vec<Range<usize>>,
}

impl PlainText {
    fn of(body: &str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_MATH
            | Options::ENABLE_GFM;
        let mut found = Self { text: Vec::new(), html: Vec::new() };
        // Number of open blocks and spans, and number of those that are not a paragraph or heading.
        let (mut depth, mut foreign) = (0_usize, 0_usize);
        // Number of open quotes, lists and the like: HTML opened in one of them ends with it.
        let mut boxes = 0_usize;
        let mut open_html = Vec::new();
        for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
            match event {
                Event::Start(tag) => {
                    if matches!(tag, Tag::HtmlBlock) && boxes == 0 {
                        track_html(&body[range], &mut open_html);
                    }
                    depth += 1;
                    foreign += usize::from(!matches!(tag, Tag::Paragraph | Tag::Heading { .. }));
                    boxes += usize::from(is_box(tag.to_end()));
                }
                Event::End(tag) => {
                    depth -= 1;
                    foreign -= usize::from(!matches!(tag, TagEnd::Paragraph | TagEnd::Heading(_)));
                    boxes -= usize::from(is_box(tag));
                }
                Event::Text(_) if depth == 1 && foreign == 0 && open_html.is_empty() => found.text.push(range),
                Event::InlineHtml(_) => {
                    if boxes == 0 {
                        track_html(&body[range.clone()], &mut open_html);
                    }
                    found.html.push(range);
                }
                _ => {}
            }
        }
        found
    }

    fn covers(&self, byte: usize) -> bool {
        let after = self.text.partition_point(|range| range.start <= byte);
        after > 0 && self.text[after - 1].contains(&byte)
    }

    /// Returns the text that starts at byte `start`, with a space in place of inline HTML.
    fn without_html(&self, text: &str, start: usize) -> String {
        let mut visible = String::with_capacity(text.len());
        let mut at = 0;
        let first = self.html.partition_point(|range| range.end <= start);
        for range in &self.html[first..] {
            if range.start >= start + text.len() {
                break;
            }
            let (from, to) = (range.start.saturating_sub(start).max(at), (range.end - start).min(text.len()));
            visible.push_str(&text[at..from]);
            visible.push(' ');
            at = to;
        }
        visible.push_str(&text[at..]);
        visible
    }
}

fn is_box(tag: TagEnd) -> bool {
    matches!(tag, TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::FootnoteDefinition | TagEnd::Table)
}

/// Opens and closes containers by the tags in a piece of HTML. Comments and unknown names are skipped.
fn track_html(html: &str, open: &mut Vec<&'static str>) {
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with("!--") {
            // `<!-->` is a whole comment: the closing mark may share its dashes with the opening one.
            let Some(end) = rest.find("-->") else { return };
            rest = &rest[end + 3..];
            continue;
        }
        let closing = rest.starts_with('/');
        let name_start = usize::from(closing);
        let name_len = rest[name_start..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = rest[name_start..name_start + name_len].to_ascii_lowercase();
        if let Some(known) = CONTAINERS.iter().find(|container| **container == name) {
            if !closing {
                open.push(known);
            } else if let Some(index) = open.iter().rposition(|container| container == known) {
                open.truncate(index);
            }
        }
        rest = &rest[name_start + name_len..];
        if name_len > 0 {
            rest = after_tag(rest);
        }
    }
}

/// Returns the text after a tag's `>`; a `>` in a quoted attribute does not count.
fn after_tag(tag: &str) -> &str {
    let mut quote = None;
    for (index, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return &tag[index + 1..],
            _ => {}
        }
    }
    // A tag that never ends takes the rest with it, as in a browser.
    ""
}
