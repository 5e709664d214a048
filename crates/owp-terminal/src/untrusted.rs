//! Escaping of untrusted text for terminals and logs. Characters that control a terminal, are invisible, or start a new
//! line are shown as escapes.

use owp_pool::text::is_hidden;

/// Returns one line in which every unsafe character is an escape such as `\u{1b}`.
pub fn visible_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut line, c));
    line
}

/// Escapes like [`visible_line`], but keeps line breaks.
pub fn visible(text: &str) -> String {
    text.split('\n').map(visible_line).collect::<Vec<_>>().join("\n")
}

fn push(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c if is_unsafe(c) => line.push_str(&c.escape_unicode().to_string()),
        c => line.push(c),
    }
}

/// Formats JSON for a terminal, on several lines or on one. JSON strings may contain characters that a terminal
/// interprets; they occur only inside strings, so escaping them keeps the meaning. Keys are sorted, whoever sent them.
pub fn visible_json(value: &serde_json::Value, pretty: bool) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    let text = if pretty { format!("{value:#}") } else { value.to_string() };
    escape_json(&text)
}

/// Escapes every unsafe character inside the strings of finished JSON; keeps line breaks between them.
pub fn escape_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Returns true for characters that a terminal may interpret or a reader cannot see.
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_is_shown_and_letters_stay() {
        assert_eq!(visible_line("a\u{1b}[31mb\u{9b}2J\u{7}\0"), r"a\u{1b}[31mb\u{9b}2J\u{7}\u{0}");
        assert_eq!(visible_line("x\r\n2026 INFO y\tz\u{2028}"), r"x\r\n2026 INFO y\tz\u{2028}");
        assert_eq!(visible_line("\u{202e}gpj.exe\u{200b}"), r"\u{202e}gpj.exe\u{200b}");
        assert_eq!(visible_line("Größe 👩\u{200d}💻 می\u{200c}خواهم"), "Größe 👩\u{200d}💻 می\u{200c}خواهم");
        assert_eq!(visible("one\r\ntwo\u{7}"), "one\\r\ntwo\\u{7}");
    }

    #[test]
    fn json_keeps_its_meaning_and_steers_nothing() {
        let value = serde_json::json!({ "title": "a\u{1b}[31m\u{9b}2J\u{202e}\u{e0041} Größe \n" });
        for pretty in [true, false] {
            let text = visible_json(&value, pretty);
            assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
