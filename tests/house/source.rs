//! Reading the package's own Rust files, and knowing which module each one is.

use proc_macro2::{TokenStream, TokenTree};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Rust file of this package.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// From the package's root, with forward slashes.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module this file is: `src/pool/ids.rs` is `["pool", "ids"]`, `src/lib.rs` and `src/main.rs` are `[]`.
    /// By our convention `labels_tests.rs` is the module `tests` of `labels`, put beside it with `#[path]`.
    pub fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
        let is_root = parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main");
        if is_root || parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        if let Some(tested) = parts.last().and_then(|last| last.strip_suffix("_tests")).map(str::to_owned) {
            parts.pop();
            parts.extend([tested, "tests".to_owned()]);
        }
        parts
    }

    /// The file as tokens. One that is no Rust has none; another test reports it.
    pub fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_default()
    }

    /// Whether the file holds nothing but tests, by its name: `tests.rs`, `labels_tests.rs`, `tests/hostile.rs`.
    pub fn is_tests(&self) -> bool {
        self.path.split('/').any(|part| is_tests_name(part.trim_end_matches(".rs")))
    }

    /// The room (first module) of a file in `src/`; none for the crate's roots.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?.trim_end_matches(".rs");
        (!matches!(first, "lib" | "main")).then_some(first)
    }
}

fn is_tests_name(module: &str) -> bool {
    module == "tests" || module.ends_with("_tests")
}

fn texts(tokens: &[TokenTree]) -> Vec<String> {
    tokens.iter().map(ToString::to_string).collect()
}

/// The tokens without inline `#[cfg(test)] mod … { … }`.
pub fn without_tests(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inline_tests = tokens[at..].get(..5).is_some_and(|five| {
            let text = texts(&five[..3]);
            text == ["#", "[cfg (test)]", "mod"] && matches!(five[4], TokenTree::Group(_))
        });
        if inline_tests {
            at += 5;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept.into_iter().collect()
}

/// The attributes these tokens end with, as in `#[a] #[b]`.
fn attributes_before(mut words: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    while let [rest @ .., hash, attribute] = words {
        if hash != "#" {
            break;
        }
        found.push(attribute.as_str());
        words = rest;
    }
    found
}

/// Modules named like tests that are also part of the program.
pub fn tests_without_cfg(file: &SourceFile) -> Vec<String> {
    let tokens: Vec<TokenTree> = file.tokens().into_iter().collect();
    let words = texts(&tokens);
    (1..words.len())
        .filter(|at| words[at - 1] == "mod" && is_tests_name(&words[*at]))
        .filter(|at| !attributes_before(&words[..at - 1]).contains(&"[cfg (test)]"))
        .map(|at| format!("{}: `mod {}` is not behind #[cfg(test)]", file.path, words[at]))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A text file of the package.
pub fn read_text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All Rust files below the given folders, in a stable order. A folder that does not exist holds none.
pub fn read(folders: &[&str]) -> Vec<SourceFile> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut found);
    }
    found.sort();
    found
        .iter()
        .map(|path| {
            let relative = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
            SourceFile { text: read_text(&relative), path: relative }
        })
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            // Packages of the npm registry may bring Rust files along; they are not ours.
            if path.file_name().is_none_or(|name| name != "node_modules") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_file_knows_its_module() {
    for (path, module, room) in [
        ("src/lib.rs", "", None),
        ("src/main.rs", "", None),
        ("src/clock.rs", "clock", Some("clock")),
        ("src/pool/mod.rs", "pool", Some("pool")),
        ("src/pool/ids.rs", "pool::ids", Some("pool")),
        ("src/store/ops/mod.rs", "store::ops", Some("store")),
        ("src/cli/main.rs", "cli::main", Some("cli")),
        ("src/pool/labels_tests.rs", "pool::labels::tests", Some("pool")),
    ] {
        let file = SourceFile::new(path, "");
        assert_eq!(file.module().join("::"), module, "{path}");
        assert_eq!(file.room(), room, "{path}");
    }
}

#[test]
fn tests_are_told_apart_from_the_program() {
    for (path, is_tests) in [
        ("src/pool/command/tests.rs", true),
        ("src/pool/labels_tests.rs", true),
        ("src/pool/tests/hostile.rs", true),
        ("src/pool/contests.rs", false),
    ] {
        assert_eq!(SourceFile::new(path, "").is_tests(), is_tests, "{path}");
    }
    let file = SourceFile::new(
        "src/a.rs",
        "fn a() {} #[cfg(test)] mod tests { fn b() {} } #[cfg(test)] #[a] mod c_tests; mod d {}",
    );
    assert_eq!(without_tests(file.tokens()).to_string(), "fn a () { } # [cfg (test)] # [a] mod c_tests ; mod d { }");
    assert_eq!(tests_without_cfg(&file), Vec::<String>::new());
    assert_eq!(tests_without_cfg(&SourceFile::new("src/a.rs", "mod tests; #[cfg(unix)] mod b_tests {}")).len(), 2);
}
