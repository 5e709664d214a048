//! Cleanup of untrusted text: hidden characters are removed before text is compared, stored or shown.
//!
//! Neutralising markup and mentions is left to the renderer.

/// Returns true for characters that are invisible or change how their neighbours look: controls, bidirectional
/// overrides, zero-width characters and the invisible "tag" letters. Whitespace is excluded, and so are the joiners
/// that scripts and emoji need.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_whitespace() {
        return false;
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns the text as one trimmed line, without hidden characters and with each run of whitespace as one space. At
/// most `max_chars` characters remain; the last one is an ellipsis when text was cut.
#[must_use]
pub fn tidy_line(text: &str, max_chars: usize) -> String {
    let mut tidy = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        let mut visible = word.chars().filter(|c| !is_hidden(*c)).peekable();
        if visible.peek().is_some() && !tidy.is_empty() {
            tidy.push(' ');
            count += 1;
        }
        for c in visible {
            tidy.push(c);
            count += 1;
        }
        if count > max_chars {
            let mut cut: String = tidy.chars().take(max_chars.saturating_sub(1)).collect();
            cut.truncate(cut.trim_end().len());
            cut.push('…');
            return cut;
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_go_and_whitespace_becomes_one_space() {
        assert_eq!(tidy_line(" a\u{202e}b \t\u{a0} c\u{0} \u{200b} d ", 80), "ab c d");
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis_within_the_limit() {
        assert_eq!(tidy_line("one two three", 9), "one two…");
        assert_eq!(tidy_line("one two", 7), "one two");
        assert_eq!(tidy_line(&"é".repeat(1_000), 10).chars().count(), 10);
    }
}
