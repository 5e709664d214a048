//! Rules for every file: a header, a bounded size, nothing left for later, no silent exceptions, plain doc comments.

use super::source::SourceFile;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Lines in a file; half of it is the aim.
pub(crate) const LONGEST_FILE: usize = 500;
/// Files that may be longer, with their length. A rule that belongs into a full file goes there, with an entry here; an
/// entry only ever shrinks.
const LONGER_FILES: &[(&str, usize)] = &[];

/// Words that replace a noun at the beginning of a doc comment.
const CLAUSE_WORDS: [&str; 11] =
    ["What", "Who", "Whose", "Whom", "Where", "When", "Which", "Why", "How", "Whether", "Whatever"];

/// The first line says what lives here.
pub(crate) fn header(file: &SourceFile) -> Vec<String> {
    let says =
        file.text.lines().next().and_then(|line| line.strip_prefix("//!")).is_some_and(|says| says.trim().len() > 3);
    if says { Vec::new() } else { vec![format!("{}:1: no `//!` header", file.path)] }
}

pub(crate) fn length(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    let longer = LONGER_FILES.iter().find(|(path, _)| *path == file.path).map(|(_, most)| *most);
    let most = longer.unwrap_or(LONGEST_FILE);
    if lines > most {
        vec![format!("{}: {lines} lines; at most {most}", file.path)]
    } else if longer.is_some_and(|most| lines < most) {
        vec![format!("{}: {lines} lines; lower or remove its entry in LONGER_FILES", file.path)]
    } else {
        Vec::new()
    }
}

/// Counts the doc comments of a file, and lists those that begin with a clause instead of a verb or a noun.
pub(crate) fn clauses(file: &SourceFile) -> (usize, Vec<String>) {
    let (mut comments, mut found, mut inside) = (0, Vec::new(), false);
    for (number, line) in file.text.lines().enumerate() {
        let text = line.trim_start();
        let doc = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"));
        if let Some(doc) = doc.filter(|_| !inside) {
            comments += 1;
            let first = doc.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
            if CLAUSE_WORDS.contains(&first) {
                found.push(format!("{}:{}: {}", file.path, number + 1, text));
            }
        }
        inside = doc.is_some();
    }
    (comments, found)
}

/// Markers in comments, macros that stand for missing code, and tests that are switched off.
pub(crate) fn left_for_later(file: &SourceFile) -> Vec<String> {
    // Put together here, because this file is checked too.
    let markers = [concat!("FIX", "ME"), concat!("X", "XX"), concat!("TO", "DO")];
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for marker in markers.iter().filter(|marker| has_word(line, marker)) {
            found.push(format!("{}:{}: {marker}", file.path, number + 1));
        }
    }
    each(&file.text, &mut |tokens, at| {
        if let Some((word, line)) = ident(tokens, at) {
            let called = tokens.get(at + 1).is_some_and(|next| punct(next, '!'));
            if called && matches!(word.as_str(), "todo" | "unimplemented" | "dbg") {
                found.push(format!("{}:{line}: {word}!", file.path));
            }
        }
        if let Some((attribute, line)) = attribute(tokens, at) {
            let words: Vec<String> = attribute
                .iter()
                .filter_map(|token| match token {
                    TokenTree::Ident(ident) => Some(ident.to_string()),
                    TokenTree::Group(group) => Some(group.stream().to_string()),
                    _ => None,
                })
                .collect();
            let off = words.first().is_some_and(|first| first == "ignore")
                || (words.first().is_some_and(|first| first == "cfg_attr")
                    && words.iter().any(|w| has_word(w, "ignore")));
            if off {
                found.push(format!("{}:{line}: a test is switched off", file.path));
            }
        }
    });
    found
}

/// `#[allow]` and `#![allow]`, which stay behind when their reason is gone.
pub(crate) fn silent_exceptions(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    each(&file.text, &mut |tokens, at| {
        let attribute = attribute(tokens, at);
        let allow = |inside: &[TokenTree]| matches!(inside.first(), Some(TokenTree::Ident(first)) if first == "allow");
        if let Some((_, line)) = attribute.filter(|(inside, _)| allow(inside)) {
            found.push(format!("{}:{line}: allow", file.path));
        }
    });
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    line.match_indices(word)
        .any(|(at, _)| outside(line[..at].chars().next_back()) && outside(line[at + word.len()..].chars().next()))
}

/// Calls `look` for every token at every depth, macros included.
fn each(text: &str, look: &mut impl FnMut(&[TokenTree], usize)) {
    fn walk(stream: TokenStream, look: &mut impl FnMut(&[TokenTree], usize)) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for at in 0..tokens.len() {
            look(&tokens, at);
            if let TokenTree::Group(group) = &tokens[at] {
                walk(group.stream(), look);
            }
        }
    }
    if let Ok(tokens) = text.parse() {
        walk(tokens, look);
    }
}

fn ident(tokens: &[TokenTree], at: usize) -> Option<(String, usize)> {
    match &tokens[at] {
        TokenTree::Ident(ident) => Some((ident.to_string(), ident.span().start().line)),
        _ => None,
    }
}

fn punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The inside of the attribute `#[…]` or `#![…]` that starts at `at`.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(Vec<TokenTree>, usize)> {
    if !punct(&tokens[at], '#') {
        return None;
    }
    let inner = tokens.get(at + 1).is_some_and(|next| punct(next, '!'));
    match tokens.get(at + if inner { 2 } else { 1 }) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((group.stream().into_iter().collect(), tokens[at].span().start().line))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_FILE, SourceFile, clauses, header, left_for_later, length, silent_exceptions};

    fn file(text: &str) -> SourceFile {
        SourceFile::new("src/a.rs", text)
    }

    #[test]
    fn a_missing_or_empty_header_is_caught() {
        for text in ["", "use std::fmt;\n//! late", "//!\nfn f() {}", "// not a header", "/// an item's"] {
            assert_eq!(header(&file(text)).len(), 1, "{text:?}");
        }
        assert!(header(&file("//! What lives here.\n")).is_empty());
    }

    #[test]
    fn a_file_one_line_too_long_is_caught() {
        assert!(length(&file(&"\n".repeat(LONGEST_FILE))).is_empty());
        assert_eq!(length(&file(&"\n".repeat(LONGEST_FILE + 1))), ["src/a.rs: 501 lines; at most 500"]);
    }

    #[test]
    fn a_doc_comment_that_begins_with_a_clause_is_caught() {
        let text =
            "//! What it is.\n//! How it works.\n\n/// Returns it.\n/// Why not.\nfn f() {}\n    /// Whose it is\n";
        let (comments, found) = clauses(&file(text));
        assert_eq!((comments, found.len()), (3, 2), "{found:?}");
    }

    #[test]
    fn what_is_left_for_later_is_caught() {
        for text in [
            concat!("// FIX", "ME: later"),
            concat!("/// X", "XX"),
            concat!("// TO", "DO(me) later"),
            "fn f() { todo!() }",
            "fn f() { g(unimplemented!(\"not yet\")) }",
            "fn f() { std::dbg!(1); }",
            "#[test]\n#[ignore]\nfn f() {}",
            "#[ignore = \"slow\"] fn f() {}",
            "proptest! { #[ignore] fn f() {} }",
            "#[cfg_attr(windows, ignore)] fn f() {}",
        ] {
            assert_eq!(left_for_later(&file(text)).len(), 1, "{text}: {:?}", left_for_later(&file(text)));
        }
        let fine =
            "/// Ids look like WXXX9; `ignore` the rest.\nfn todo() { ignore(\"XXXX\"); } #[derive(Debug)] struct A;";
        assert!(left_for_later(&file(fine)).is_empty(), "{:?}", left_for_later(&file(fine)));
    }

    #[test]
    fn a_silent_exception_is_caught() {
        for text in
            ["#[allow(dead_code)] fn f() {}", "#![allow(unused)]", "mod a { #[allow(x, reason = \"y\")] fn f() {} }"]
        {
            assert_eq!(silent_exceptions(&file(text)).len(), 1, "{text}");
        }
        assert!(silent_exceptions(&file("#[expect(dead_code, reason = \"why\")] fn allow() {}")).is_empty());
    }
}
