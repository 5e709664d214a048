//! Finding every path a source file mentions: in `use` lines (grouped, nested, renamed), expressions, types,
//! attributes, and inside macros, whose insides `syn` leaves unparsed. It therefore reads tokens, not items.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// `crate::…`, `super::…` and `self::…` without the head, resolved from the crate's root; others as written.
    pub path: Vec<String>,
    /// Whether the path leads into this crate.
    pub ours: bool,
    pub line: usize,
}

impl Mention {
    pub fn text(&self) -> String {
        let head = if self.ours { "crate::" } else { "" };
        format!("{head}{}", self.path.join("::"))
    }
}

/// Every path that starts at our own crate, or at one of the `externals` (crate names as in code). `module` is where the
/// tokens stand.
pub fn mentions(tokens: TokenStream, module: &[String], externals: &[&str]) -> Vec<Mention> {
    let mut scan = Scan { externals, found: Vec::new() };
    scan.stream(tokens, module);
    scan.found
}

struct Scan<'a> {
    externals: &'a [&'a str],
    found: Vec<Mention>,
}

impl Scan<'_> {
    fn stream(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(&tokens, at, module);
        }
    }

    /// Looks at one token and answers where to look next.
    fn step(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        if let Some((name, body)) = inline_module(tokens, at) {
            let inside: Vec<String> = module.iter().cloned().chain([name]).collect();
            self.stream(body, &inside);
            return at + 3;
        }
        match &tokens[at] {
            TokenTree::Group(group) => {
                self.stream(group.stream(), module);
                at + 1
            }
            TokenTree::Ident(ident) if !continues_a_path(tokens, at) => {
                let line = ident.span().start().line;
                match self.head(&ident.to_string(), module) {
                    Some((base, ours)) if leads_on(tokens, at) => self.follow(tokens, at + 1, base, ours, line),
                    _ => at + 1,
                }
            }
            _ => at + 1,
        }
    }

    /// Where a path that starts with this word starts from.
    fn head(&self, word: &str, module: &[String]) -> Option<(Vec<String>, bool)> {
        match word {
            // Our library under its own name, as the binary and `extern crate self as owp` see it.
            "crate" | "owp" => Some((Vec::new(), true)),
            "self" => Some((module.to_vec(), true)),
            "super" => Some((parent(module), true)),
            _ if self.externals.contains(&word) => Some((vec![word.to_owned()], false)),
            _ => None,
        }
    }

    /// Walks `:: a :: {b, c::d}` from `at`, noting every end it comes to, and answers where the path is over.
    fn follow(&mut self, tokens: &[TokenTree], mut at: usize, mut path: Vec<String>, ours: bool, line: usize) -> usize {
        while is_path_separator(tokens, at) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(ident)) => {
                    enter(&mut path, &ident.to_string());
                    at += 3;
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.branches(group.stream(), &path, ours);
                    return at + 3;
                }
                Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
                    path.push("*".to_owned());
                    at += 3;
                }
                // A turbofish: the path proper ends here, its arguments are read as tokens of their own.
                _ => break,
            }
        }
        self.found.push(Mention { path, ours, line });
        at
    }

    /// The comma-separated branches of a `use` group.
    fn branches(&mut self, group: TokenStream, base: &[String], ours: bool) {
        let tokens: Vec<TokenTree> = group.into_iter().collect();
        for branch in tokens.split(|token| is_punct(token, ',')) {
            let line = branch.first().map_or(0, |token| token.span().start().line);
            match branch.first() {
                Some(TokenTree::Ident(ident)) => {
                    let mut path = base.to_vec();
                    enter(&mut path, &ident.to_string());
                    self.follow(branch, 1, path, ours, line);
                }
                Some(TokenTree::Punct(_)) => {
                    let path = base.iter().cloned().chain(["*".to_owned()]).collect();
                    self.found.push(Mention { path, ours, line });
                }
                Some(TokenTree::Group(inner)) => self.branches(inner.stream(), base, ours),
                _ => {}
            }
        }
    }
}

fn parent(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default()
}

fn enter(path: &mut Vec<String>, word: &str) {
    match word {
        "self" => {}
        "super" => *path = parent(path),
        _ => path.push(word.trim_start_matches("r#").to_owned()),
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!((tokens.get(at), tokens.get(at + 1)), (Some(a), Some(b)) if is_punct(a, ':') && is_punct(b, ':'))
}

fn is_word(tokens: &[TokenTree], at: usize, wanted: &str) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == wanted)
}

/// Whether the word at `at` is a later part of a path (`engine::store`), so that its name says nothing by itself.
/// A leading `::` starts a path and does not continue one.
fn continues_a_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 3
        && is_path_separator(tokens, at - 2)
        && match &tokens[at - 3] {
            TokenTree::Ident(ident) => !matches!(ident.to_string().as_str(), "use" | "in" | "return" | "as"),
            token => is_punct(token, '>'),
        }
}

/// Whether the word is used as a path's head: followed by `::`, or taken whole by `use x;` and `use x as y`.
fn leads_on(tokens: &[TokenTree], at: usize) -> bool {
    is_path_separator(tokens, at + 1)
        || (at >= 1 && (is_word(tokens, at - 1, "use") || is_word(tokens, at - 1, "crate")))
        || (at >= 3 && is_path_separator(tokens, at - 2) && is_word(tokens, at - 3, "use"))
}

fn inline_module(tokens: &[TokenTree], at: usize) -> Option<(String, TokenStream)> {
    match (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2)) {
        (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(name)), Some(TokenTree::Group(body)))
            if word == "mod" && body.delimiter() == Delimiter::Brace =>
        {
            Some((name.to_string(), body.stream()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::mentions;

    /// What a file of `crate::engine::claim` mentions, as text.
    fn seen(text: &str) -> Vec<String> {
        let module = ["engine".to_owned(), "claim".to_owned()];
        mentions(text.parse().unwrap(), &module, &["std", "tokio"]).iter().map(super::Mention::text).collect()
    }

    #[test]
    fn use_lines_are_flattened() {
        assert_eq!(seen("use crate::pool::Task;"), ["crate::pool::Task"]);
        assert_eq!(
            seen("use crate::{clock::Clock, pool::{self, ids::*}, store as s};"),
            ["crate::clock::Clock", "crate::pool", "crate::pool::ids::*", "crate::store"]
        );
        assert_eq!(seen("use crate as root;"), ["crate::"]);
        assert_eq!(seen("use crate::*;"), ["crate::*"]);
    }

    #[test]
    fn relative_paths_are_resolved_from_where_they_stand() {
        assert_eq!(
            seen("use super::grant; use super::super::store::Row;"),
            ["crate::engine::grant", "crate::store::Row"]
        );
        assert_eq!(seen("use self::parts::A;"), ["crate::engine::claim::parts::A"]);
        assert_eq!(
            seen("mod tests { use super::*; mod deep { use super::super::super::X; } }"),
            ["crate::engine::claim::*", "crate::engine::X"]
        );
        assert_eq!(seen("use super::{super::http::Page, inbox};"), ["crate::http::Page", "crate::engine::inbox"]);
    }

    #[test]
    fn paths_outside_use_lines_are_seen() {
        assert_eq!(
            seen("fn f(a: &crate::http::Page) -> owp::wire::Work { todo }"),
            ["crate::http::Page", "crate::wire::Work"]
        );
        assert_eq!(seen("fn f() { let x = Vec::<crate::store::Row>::new(); }"), ["crate::store::Row"]);
        assert_eq!(seen("fn f() { format!(\"{}\", crate::github::sign(a)) }"), ["crate::github::sign"]);
        assert_eq!(seen("macro_rules! m { () => { $crate::http::page() } }"), ["crate::http::page"]);
        assert_eq!(seen("#[derive(crate::wire::Shape)] struct A;"), ["crate::wire::Shape"]);
    }

    #[test]
    fn other_crates_are_seen_by_their_head_only() {
        assert_eq!(
            seen("use tokio::sync::{Mutex, mpsc}; use std::fmt;"),
            ["tokio::sync::Mutex", "tokio::sync::mpsc", "std::fmt"]
        );
        assert_eq!(
            seen("use ::tokio::time; use tokio as t; #[tokio::test] async fn f() {}"),
            ["tokio::time", "tokio", "tokio::test"]
        );
        assert_eq!(seen("extern crate tokio;"), ["tokio"]);
        assert_eq!(seen("fn f() { engine::tokio::x(); let tokio = 1; }"), Vec::<String>::new());
    }

    #[test]
    fn words_that_only_look_like_paths_are_left_alone() {
        assert_eq!(seen("pub(crate) fn f(&self) { self.store() } pub(super) struct A;"), Vec::<String>::new());
        assert_eq!(
            seen("/// crate::store::Row\nconst A: &str = \"crate::http\"; // crate::http::x"),
            Vec::<String>::new()
        );
    }
}
