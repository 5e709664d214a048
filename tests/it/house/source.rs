//! Reading the workspace's own Rust files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Rust file of this workspace.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// From the workspace's root, with forward slashes.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read_text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All Rust files below the given folders, in a stable order. A folder that does not exist holds none.
pub(crate) fn read(folders: &[&str]) -> Vec<SourceFile> {
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
