//! Reading the package's own Rust files, and knowing which module each one is.

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
    pub fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
        let is_root = parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main");
        if is_root || parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        parts
    }

    /// The room (first module) of a file in `src/`; none for the crate's roots.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?.trim_end_matches(".rs");
        (!matches!(first, "lib" | "main")).then_some(first)
    }
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
    ] {
        let file = SourceFile::new(path, "");
        assert_eq!(file.module().join("::"), module, "{path}");
        assert_eq!(file.room(), room, "{path}");
    }
}
