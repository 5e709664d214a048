//! The files that a pull request changes, as git compares them.

use super::bare::Bare;
use crate::error::ApiError;

/// A changed file. Renames are a removal and an addition here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedFile {
    pub(crate) path: String,
    /// `added`, `removed`, `modified`: GitHub's `status`.
    pub(crate) status: &'static str,
    /// Hash of the new content, or of the old one if the file was removed.
    pub(crate) blob: String,
    /// Added lines; 0 for a binary file.
    pub(crate) additions: u64,
    /// Removed lines; 0 for a binary file.
    pub(crate) deletions: u64,
    /// The hunks; `None` for a binary file.
    pub(crate) patch: Option<String>,
}

impl Bare {
    /// Returns the files that `head` changes since it left `base`, in the order of their paths.
    pub(crate) fn changed_files(&self, base: &str, head: &str) -> Result<Vec<ChangedFile>, ApiError> {
        let range = format!("{base}...{head}");
        let compare = |form: &[&str]| self.run(&[&["diff", "--no-renames", "--no-color"], form, &[&range]].concat());
        let (kinds, counts) = (compare(&["--raw", "--no-abbrev"])?, compare(&["--numstat"])?);
        // Lines of a file begin with a sign or a space, so this is always the start of the next file.
        let patches = format!("\n{}", compare(&["--patch"])?);
        let mut patches = patches.split("\ndiff --git ").skip(1);
        let mut files: Vec<ChangedFile> = kinds.lines().filter_map(kind).collect();
        for (file, count) in files.iter_mut().zip(counts.lines()) {
            let mut numbers = count.split('\t').map(|number| number.parse().unwrap_or(0));
            file.additions = numbers.next().unwrap_or(0);
            file.deletions = numbers.next().unwrap_or(0);
            let whole = patches.next().unwrap_or_default();
            file.patch = whole.find("\n@@ ").map(|start| whole[start + 1..].trim_end_matches('\n').to_owned());
        }
        Ok(files)
    }
}

/// Parses a line such as `:100644 100644 <old> <new> M<tab>path`.
fn kind(line: &str) -> Option<ChangedFile> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split(' ').skip(2);
    let (old, new, letter) = (facts.next()?, facts.next()?, facts.next()?);
    let (status, blob) = match letter {
        "A" => ("added", new),
        "D" => ("removed", old),
        _ => ("modified", new),
    };
    let (path, blob) = (path.to_owned(), blob.to_owned());
    Some(ChangedFile { path, status, blob, additions: 0, deletions: 0, patch: None })
}
