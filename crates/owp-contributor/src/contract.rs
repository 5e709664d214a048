//! A repository's contract, as the pool sends it with a lease, and its rules about paths.

use serde::{Deserialize, Serialize};

/// Use of AI tools for the work on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AiUse {
    /// Welcome, and need not be disclosed.
    Welcome,
    /// Refused.
    Refuse,
    /// Welcome when the pull request discloses it. Also stands for words of a newer pool.
    #[default]
    #[serde(other)]
    Disclose,
}

/// The contract. Fields that older pools omit have their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contract {
    /// Text that closes the issue.
    pub closes: String,
    /// Branch of the pull request.
    pub branch: String,
    /// Command that sets up the working copy.
    #[serde(default)]
    pub setup: Option<String>,
    /// Command that runs the tests.
    #[serde(default)]
    pub test: Option<String>,
    /// Command that runs the linter.
    #[serde(default)]
    pub lint: Option<String>,
    /// Template of the pull request's description.
    #[serde(default)]
    pub pr_template: Option<String>,
    /// Use of AI tools.
    #[serde(default)]
    pub ai: AiUse,
    /// Paths that may be changed.
    #[serde(default)]
    pub paths: PathRules,
    /// Limit on changed lines.
    #[serde(default)]
    pub max_diff: Option<u64>,
    /// True if each commit needs a `Signed-off-by` line.
    #[serde(default)]
    pub sign_off: bool,
    /// Trailers of each commit, with placeholders.
    #[serde(default)]
    pub trailers: Vec<String>,
}

impl Contract {
    /// Returns the commands that run on this machine, in their order: setup, test, lint.
    #[must_use]
    pub fn commands(&self) -> Vec<(CheckKind, &str)> {
        let all = [(CheckKind::Setup, &self.setup), (CheckKind::Test, &self.test), (CheckKind::Lint, &self.lint)];
        all.into_iter().filter_map(|(kind, command)| Some((kind, command.as_deref()?))).collect()
    }
}

/// A command of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// Sets up the working copy.
    Setup,
    /// Runs the tests.
    Test,
    /// Runs the linter.
    Lint,
}

impl CheckKind {
    /// Returns the name, as in a policy file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Test => "test",
            Self::Lint => "lint",
        }
    }
}

/// Patterns of paths: `*` stands for anything within one folder, `**` for any number of folders, and a folder for all
/// in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathRules {
    /// Paths that may be changed; empty if all may.
    pub only: Vec<String>,
    /// Paths that may not be changed, even if `only` has them.
    pub never: Vec<String>,
}

impl PathRules {
    /// Explains why a path may not be changed; `None` if it may.
    #[must_use]
    pub fn violation(&self, path: &str) -> Option<String> {
        if let Some(pattern) = self.never.iter().find(|pattern| matches(pattern, path)) {
            return Some(format!("{path} may not be changed: `contract.paths.never` has `{pattern}`"));
        }
        if self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, path)) {
            return None;
        }
        Some(format!("{path} may not be changed: `contract.paths.only` allows {}", self.only.join(", ")))
    }
}

/// Returns true if a pattern stands for a path or for a folder above it.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path: Vec<&str> = path.split('/').collect();
    folders_match(&pattern, &path)
}

fn folders_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, _) => true,
        (Some((&"**", [])), _) => !path.is_empty(),
        (Some((&"**", rest)), _) => (0..path.len()).any(|skipped| folders_match(rest, &path[skipped..])),
        (Some((first, rest)), Some((name, below))) => name_matches(first, name) && folders_match(rest, below),
        (Some(_), None) => false,
    }
}

/// Matches one name with a pattern whose `*` stand for anything.
fn name_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let Some(last) = parts.next_back() else { return true };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_files_and_folders() {
        for (pattern, path, expected) in [
            ("src/**", "src/a/b.rs", true),
            ("src/**", "src", false),
            ("src/**", "other/src/a", false),
            ("docs", "docs/a/b.md", true),
            ("docs/", "docs/a", true),
            ("docs", "docs2/a", false),
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/a/README.md", true),
            ("**/*.md", "README.md", true),
            (".github/**", ".github/workflows/ci.yml", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
            ("src/*/mod.rs", "src/x/mod.rs", true),
            ("src/*/mod.rs", "src/x/y/mod.rs", false),
            ("./src", "src/x", true),
            ("**", "a", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn never_wins_over_only_and_both_say_why() {
        let rules = PathRules { only: vec!["src/**".into(), "docs".into()], never: vec!["src/secret.rs".into()] };
        assert_eq!(rules.violation("src/a.rs"), None);
        assert!(rules.violation("src/secret.rs").unwrap().contains("never"));
        assert!(rules.violation("Cargo.toml").unwrap().contains("allows src/**, docs"));
        assert_eq!(PathRules::default().violation("anything"), None);
    }

    #[test]
    fn an_older_or_newer_pool_is_understood() {
        let old: Contract =
            serde_json::from_str(r#"{ "closes": "Fixes #7", "branch": "owp/7-x", "drafts_pass": true }"#).unwrap();
        assert_eq!((old.ai, old.paths.only.len(), old.max_diff), (AiUse::Disclose, 0, None));
        let new: Contract = serde_json::from_str(r#"{ "closes": "", "branch": "", "ai": "praise" }"#).unwrap();
        assert_eq!(new.ai, AiUse::Disclose);
    }
}
