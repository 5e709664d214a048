//! The pool knows nothing of time, randomness, files, networks, databases or waiting. Crates are allowed by name, so a
//! new dependency is outside until somebody decides that it only computes. The pool's own tests may time it.

use super::{
    paths,
    source::{SourceFile, tests_without_cfg, without_tests},
};
use proc_macro2::TokenTree;

/// Dependencies that only compute.
const PURE_CRATES: &[&str] = &[
    "chrono",
    "cron",
    "data_encoding",
    "form_urlencoded",
    "humantime",
    "proptest",
    "pulldown_cmark",
    "schemars",
    "serde",
    "serde_json",
    "serde_saphyr",
    "sha2",
    "std",
    "thiserror",
    "uuid",
];

/// Paths that do more than compute, in crates that otherwise do not. Their parents may not be imported whole either:
/// `use std::time;` would let `time::Instant` through.
const IMPURE_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::future",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::task",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "chrono::Local",
];

/// Calls that ask the machine for time or randomness under whatever name their type was imported.
const IMPURE_CALLS: &[&str] = &["now", "now_v7", "now_v6", "now_v1", "new_v4"];

/// The names, as code spells them, of everything `Cargo.toml` depends on, and of the standard library.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let mut names = vec!["std".to_owned(), "core".to_owned(), "alloc".to_owned()];
    for section in ["dependencies", "dev-dependencies"] {
        let table = manifest.get(section).and_then(toml::Value::as_table).expect("a dependency section");
        names.extend(table.keys().map(|name| name.replace('-', "_")));
    }
    names
}

/// What in this file of the pool is not pure.
pub fn violations(file: &SourceFile, dependencies: &[String]) -> Vec<String> {
    let externals: Vec<&str> = dependencies.iter().map(String::as_str).collect();
    let mut found = tests_without_cfg(file);
    if file.is_tests() {
        return found;
    }
    let tokens = without_tests(file.tokens());
    for mention in paths::mentions(tokens.clone(), &file.module(), &externals).iter().filter(|m| !m.ours) {
        let text = mention.text().replacen("core::", "std::", 1).replacen("alloc::", "std::", 1);
        let head = text.split("::").next().unwrap_or_default();
        if !PURE_CRATES.contains(&head) {
            found.push(format!("{}:{}: `{head}` is not known to be pure", file.path, mention.line));
        } else if let Some(path) = IMPURE_PATHS.iter().find(|path| reaches(&text, path)) {
            found.push(format!("{}:{}: `{}` lets `{path}` in", file.path, mention.line, mention.text()));
        }
    }
    impure_words(&tokens.into_iter().collect::<Vec<_>>(), &file.path, &mut found);
    found
}

/// Whether a mentioned path is the forbidden one, something inside it, or a parent taken whole.
fn reaches(mentioned: &str, forbidden: &str) -> bool {
    let mentioned = mentioned.trim_end_matches("::*");
    let inside = |outer: &str, inner: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    inside(forbidden, mentioned) || inside(mentioned, forbidden)
}

fn impure_words(tokens: &[TokenTree], path: &str, found: &mut Vec<String>) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => impure_words(&group.stream().into_iter().collect::<Vec<_>>(), path, found),
            TokenTree::Ident(ident) => {
                let (word, line) = (ident.to_string(), ident.span().start().line);
                let after_colons = at >= 1 && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == ':');
                if matches!(word.as_str(), "async" | "await") {
                    found.push(format!("{path}:{line}: `{word}`: deciding never waits"));
                } else if after_colons && at >= 2 && IMPURE_CALLS.contains(&word.as_str()) && ends_a_path(tokens, at) {
                    found.push(format!("{path}:{line}: `::{word}` asks the machine; take it as an argument"));
                }
            }
            _ => {}
        }
    }
}

/// Whether the colon before this word is the second of `::` (and not a field's type: `at: now`).
fn ends_a_path(tokens: &[TokenTree], at: usize) -> bool {
    matches!(&tokens[at - 2], TokenTree::Punct(p) if p.as_char() == ':')
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, dependencies, violations};

    const MANIFEST: &str = "[dependencies]\ntokio = \"1\"\nsqlx = \"1\"\nrand = \"1\"\nchrono = \"1\"\nserde = \"1\"\n\
                            tower-http = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n";

    fn found(text: &str) -> String {
        violations(&SourceFile::new("src/pool/plan.rs", text), &dependencies(MANIFEST)).join("\n")
    }

    #[test]
    fn planted_impurities_are_caught() {
        for (text, word) in [
            ("use tokio::sync::Mutex;", "`tokio`"),
            ("#[tokio::test] fn f() {}", "`tokio`"),
            ("fn f() { ::sqlx::query(\"\"); }", "`sqlx`"),
            ("use tower_http::trace;", "`tower_http`"),
            ("fn f() -> u8 { rand::random() }", "`rand`"),
            ("use rand as dice;", "`rand`"),
            ("use std::time::{Duration, Instant};", "std::time::Instant"),
            ("use std::time;", "lets `std::time::"),
            ("use std::time::*;", "lets `std::time::"),
            ("use core::time::*;", "lets `std::time::"),
            ("fn f() { std::env::var(\"A\"); }", "std::env"),
            ("use std::{collections::BTreeMap, fs::File};", "std::fs"),
            ("fn f() { let t = SystemTime::now(); }", "::now"),
            ("fn f() { let t = chrono::Utc::now(); }", "::now"),
            ("async fn f() {}", "`async`"),
            ("fn f() { let g = async { 1 }; }", "`async`"),
            ("mod tests { use std::time::Instant; }", "std::time::Instant"),
            ("mod tests;", "not behind #[cfg(test)]"),
        ] {
            assert!(found(text).contains(word), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn computing_is_pure() {
        for text in [
            "use std::{collections::BTreeMap, fmt, time::Duration};",
            "use serde::Serialize; use chrono::{DateTime, Utc};",
            "struct A { at: now } fn f(now: i64) -> i64 { now }",
            "/// An async fn of tokio, told about in `std::fs`.\nfn f() {}",
            "#[cfg(test)] mod tests { use std::time::Instant; }",
            "fn f() { proptest::proptest!(|(a in 0..3)| { assert!(a < 3) }); }",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
