//! Closing keywords in a pull request's body: the issues that a merge closes.
//!
//! GitHub's own rules (docs: "Linking a pull request to an issue"). The pool's parser is deliberately not shared.

/// A reference: another repository's `owner/name`, or `None` for this one, and the issue number.
pub(crate) type Reference = (Option<String>, u64);

const KEYWORDS: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// Returns every reference that follows a closing keyword, outside code.
pub(super) fn references(body: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    for piece in prose(body) {
        collect(piece, &mut found);
    }
    found
}

/// Returns every reference outside code, with or without a keyword.
pub(crate) fn mentions(body: &str) -> Vec<Reference> {
    let opening = |c: char| !c.is_alphanumeric() && c != '#';
    let words = prose(body).into_iter().flat_map(str::split_whitespace);
    words.filter_map(|word| reference(word.trim_start_matches(opening))).collect()
}

/// Returns the parts of a text that are not code.
fn prose(body: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in body.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        // The odd parts between backticks are inline code.
        found.extend(line.split('`').step_by(2));
    }
    found
}

fn collect(text: &str, found: &mut Vec<Reference>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.windows(2) {
        let keyword = pair[0].trim_start_matches(|c: char| !c.is_alphanumeric());
        let keyword = keyword.strip_suffix(':').unwrap_or(keyword).to_lowercase();
        if !KEYWORDS.contains(&keyword.as_str()) {
            continue;
        }
        if let Some(reference) = reference(pair[1])
            && !found.contains(&reference)
        {
            found.push(reference);
        }
    }
}

/// Parses `#7`, `owner/name#7` or an issue's URL.
fn reference(word: &str) -> Option<Reference> {
    let word = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    if let Some(url) = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")) {
        let parts: Vec<&str> = url.split('/').collect();
        let [_, owner, name, "issues", number] = parts.as_slice() else { return None };
        return Some((Some(format!("{owner}/{name}")), number.parse().ok()?));
    }
    let (repo, number) = word.split_once('#')?;
    let repo = (!repo.is_empty()).then(|| repo.to_owned());
    if repo.as_ref().is_some_and(|name| name.split('/').count() != 2) {
        return None;
    }
    Some((repo, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_and_every_way_to_name_an_issue_is_read() {
        let body = "Fixes #1, closes: acme/docs#2.\nRESOLVED https://github.com/acme/rocket/issues/3\n(fix #1)";
        let docs = Some("acme/docs".to_owned());
        let rocket = Some("acme/rocket".to_owned());
        assert_eq!(references(body), [(None, 1), (docs, 2), (rocket, 3)]);
    }

    #[test]
    fn a_mention_needs_no_keyword() {
        let named = mentions("See #1 (and acme/docs#2), not `#3` nor #none.");
        assert_eq!(named, [(None, 1), (Some("acme/docs".to_owned()), 2)]);
    }

    #[test]
    fn code_and_other_words_close_nothing() {
        assert_eq!(references("see #1, prefixes #2, `fixes #3`\n```\ncloses #4\n```\nfixes issue #5"), []);
    }
}
