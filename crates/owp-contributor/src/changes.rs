//! The changes of a worktree: a summary, and what the contract or good sense forbids in them.

use crate::contract::Contract;
use crate::git::{GitError, path};
use crate::workspace::{Workspace, WorkspaceError};
use serde::{Deserialize, Serialize};

/// Shorter values of the environment are too common to be secrets.
const SECRET_MIN_CHARS: usize = 12;
/// Larger patches are not searched for secrets line by line beyond this.
const PATCH_MAX_BYTES: usize = 20 * 1024 * 1024;
/// Beginnings of well-known tokens, with the least number of characters after them.
const TOKEN_PREFIXES: [(&str, usize); 9] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("AKIA", 16),
    ("owp_", 40),
    ("-----BEGIN ", 0),
];

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Path in the repository.
    pub path: String,
    /// Added lines; `None` for a binary file.
    pub added: Option<u64>,
    /// Removed lines.
    pub removed: Option<u64>,
    /// True if it is another repository inside this one.
    pub is_repository: bool,
}

/// All changes between two trees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// The files, by path.
    pub files: Vec<ChangedFile>,
}

impl Changes {
    /// Compares a tree with a commit.
    ///
    /// # Errors
    /// If git fails.
    pub async fn between(workspace: &Workspace, parent: &str, tree: &str) -> Result<Self, WorkspaceError> {
        let numbers = workspace.git("diff-tree").args(["-r", "-z", "--numstat", "--no-renames", parent, tree]);
        let raw = workspace.git("diff-tree").args(["-r", "-z", "--raw", "--no-renames", parent, tree]);
        let (numbers, raw) = (numbers.bytes().await?, raw.bytes().await?);
        let repositories = repositories(&raw);
        let files = numbers.split(|byte| *byte == 0).filter(|row| !row.is_empty()).filter_map(|row| {
            let mut parts = row.splitn(3, |byte| *byte == b'\t');
            let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
            let (added, removed) = (number(), number());
            let path = path(parts.next()?).to_string_lossy().into_owned();
            let is_repository = repositories.contains(&path);
            Some(ChangedFile { path, added, removed, is_repository })
        });
        Ok(Self { files: files.collect() })
    }

    /// Returns the number of added and removed lines.
    #[must_use]
    pub fn lines(&self) -> (u64, u64) {
        let sum = |of: fn(&ChangedFile) -> Option<u64>| self.files.iter().filter_map(of).sum();
        (sum(|file| file.added), sum(|file| file.removed))
    }

    /// Returns true if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Explains what the contract forbids in these changes, one sentence each.
    #[must_use]
    pub fn violations(&self, contract: &Contract) -> Vec<String> {
        let mut found: Vec<String> =
            self.files.iter().filter_map(|file| contract.paths.violation(&file.path)).collect();
        found.extend(self.files.iter().filter(|file| file.is_repository).map(|file| {
            format!("{} is a repository of its own; remove its `.git` folder or the whole folder", file.path)
        }));
        let (added, removed) = self.lines();
        if let Some(limit) = contract.max_diff.filter(|limit| added + removed > *limit) {
            found.push(format!(
                "{added} lines were added and {removed} removed: `contract.max_diff` allows {limit} together"
            ));
        }
        found
    }
}

/// Returns the paths that are repositories of their own, from `git diff-tree --raw -z`.
fn repositories(raw: &[u8]) -> Vec<String> {
    let mut rows = raw.split(|byte| *byte == 0).filter(|row| !row.is_empty());
    let mut found = Vec::new();
    while let (Some(about), Some(name)) = (rows.next(), rows.next()) {
        if about.splitn(3, |byte| *byte == b' ').nth(1) == Some(b"160000") {
            found.push(path(name).to_string_lossy().into_owned());
        }
    }
    found
}

/// Looks for secrets in the added lines: values of this process's environment and well-known kinds of tokens. Returns
/// the names of what was found, never the values.
///
/// # Errors
/// If git fails.
pub async fn secrets(
    workspace: &Workspace,
    parent: &str,
    tree: &str,
    environment: &[(String, String)],
) -> Result<Vec<String>, GitError> {
    let patch = workspace.git("diff-tree");
    let patch =
        patch.args(["-r", "-p", "-U0", "--no-renames", "--no-ext-diff", "--no-textconv", "--text", parent, tree]);
    let mut patch = patch.bytes().await?;
    patch.truncate(PATCH_MAX_BYTES);
    Ok(secrets_in(&String::from_utf8_lossy(&patch), environment))
}

fn secrets_in(patch: &str, environment: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut file = "";
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("+++ ") {
            file = name.strip_prefix("b/").unwrap_or(name);
            continue;
        }
        let Some(line) = line.strip_prefix('+') else { continue };
        let of_environment = environment.iter().filter(|(_, value)| line.contains(value.as_str()));
        found.extend(of_environment.map(|(name, _)| format!("{file} has the value of {name}")));
        let kind = TOKEN_PREFIXES.iter().find(|(prefix, more)| is_token(line, prefix, *more));
        if let Some((prefix, _)) = kind {
            let what = if prefix.starts_with('-') && !line.contains("PRIVATE KEY") { continue } else { prefix.trim() };
            found.push(format!("{file} has what looks like a secret that begins with `{what}`"));
        }
    }
    found.dedup();
    found
}

fn is_token(line: &str, prefix: &str, more: usize) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let rest = &line[at + prefix.len()..];
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).count() >= more
    })
}

/// Selects the variables of the environment that may be secrets, by name and length.
#[must_use]
pub fn possible_secrets(environment: &[(String, String)]) -> Vec<(String, String)> {
    let secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"]
            .iter()
            .any(|part| name.contains(part))
    };
    let long = |value: &str| value.chars().count() >= SECRET_MIN_CHARS && !value.contains('\n');
    // A path to a file with a secret is no secret.
    let all = environment.iter().filter(|(name, value)| secret(name) && long(value) && !value.starts_with('/'));
    all.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, added: u64, removed: u64) -> ChangedFile {
        ChangedFile { path: path.into(), added: Some(added), removed: Some(removed), is_repository: false }
    }

    #[test]
    fn too_many_lines_and_forbidden_paths_are_named_with_the_rule() {
        let changes = Changes { files: vec![file("src/a.rs", 30, 20), file(".github/ci.yml", 1, 0)] };
        let mut contract = Contract { max_diff: Some(51), ..Contract::default() };
        assert!(changes.violations(&contract).is_empty());
        contract.max_diff = Some(50);
        contract.paths.never = vec![".github".into()];
        assert_eq!(
            changes.violations(&contract),
            [
                ".github/ci.yml may not be changed: `contract.paths.never` has `.github`",
                "31 lines were added and 20 removed: `contract.max_diff` allows 50 together"
            ]
        );
    }

    #[test]
    fn secrets_are_named_and_never_shown() {
        let environment = [
            ("OPENAI_API_KEY", "a-long-value-nobody-guesses"),
            ("SHORT_TOKEN", "abc"),
            ("HOME", "/home/ada/and/so/on"),
            ("KEY_TOKEN_FILE", "/run/secrets/token"),
        ];
        let environment: Vec<_> = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let environment = possible_secrets(&environment);
        assert_eq!(environment.len(), 1);
        let token = format!("ghp_{}", "a1".repeat(18));
        let patch = format!(
            "+++ b/src/a.rs\n+let key = \"a-long-value-nobody-guesses\";\n-let t = \"{token}\";\n+++ b/b.txt\n+x {token}\n+-----BEGIN PUBLIC KEY-----\n+-----BEGIN RSA PRIVATE KEY-----\n"
        );
        let found = secrets_in(&patch, &environment);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "src/a.rs has the value of OPENAI_API_KEY");
        assert!(found.iter().all(|line| !line.contains("nobody") && !line.contains("a1a1")), "{found:?}");
    }
}
