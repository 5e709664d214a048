//! Runs the commands of a repository's contract in a worktree. A command runs only after the contributor approved
//! exactly this text for this repository.

use crate::contract::{CheckKind, Contract};
use crate::environment::ChildEnvironment;
use crate::process::{Ended, Tail, shell, spoken};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a command's output that are kept: its end.
const OUTPUT_MAX_BYTES: usize = 256 * 1024;
/// Bytes of a command's output that an agent gets.
const EXCERPT_MAX_BYTES: usize = 16 * 1024;

/// The result of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The kind of command.
    pub kind: CheckKind,
    /// Its text.
    pub command: String,
    /// True if it ended with exit code 0.
    pub passed: bool,
    /// How it ended, in words.
    pub outcome: String,
}

/// A command that failed, with the end of its output.
#[derive(Debug, Clone)]
pub struct FailedCheck {
    /// The result.
    pub result: CheckResult,
    /// The end of its output.
    pub excerpt: String,
    /// The file with more of it.
    pub log: PathBuf,
}

/// Runs the contract's commands one after another, until one fails.
///
/// # Errors
/// If the shell cannot be started or a log cannot be written.
pub async fn run(
    contract: &Contract,
    tree: &Path,
    logs: &Path,
    environment: &ChildEnvironment,
    timeout: Duration,
    mut shown: impl FnMut(CheckKind, &str),
) -> std::io::Result<(Vec<CheckResult>, Option<FailedCheck>)> {
    let mut results = Vec::new();
    for (kind, command) in contract.commands() {
        shown(kind, command);
        let tail = Tail::new(OUTPUT_MAX_BYTES);
        let ended = shell(command, tree, environment, timeout, &tail).await?;
        let (output, truncated) = tail.text();
        let log = logs.join(format!("{}.log", kind.name()));
        write_log(&log, command, &output, truncated)?;
        let outcome = match ended {
            Ended::Code(0) => "passed".to_owned(),
            Ended::Code(code) => format!("failed with exit code {code}"),
            Ended::Signal(signal) => format!("was ended by signal {signal}"),
            Ended::TimedOut => format!("was stopped after {}", spoken(timeout)),
        };
        let passed = ended == Ended::Code(0);
        let result = CheckResult { kind, command: command.to_owned(), passed, outcome };
        results.push(result.clone());
        if !passed {
            return Ok((results, Some(FailedCheck { result, excerpt: excerpt(&output), log })));
        }
    }
    Ok((results, None))
}

fn write_log(path: &Path, command: &str, output: &str, truncated: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let note = if truncated { "[the beginning is missing]\n" } else { "" };
    fs::write(path, format!("$ {command}\n{note}{output}"))
}

/// Returns the end of an output, from the beginning of a line.
fn excerpt(output: &str) -> String {
    let mut from = output.len().saturating_sub(EXCERPT_MAX_BYTES);
    while !output.is_char_boundary(from) {
        from += 1;
    }
    let rest = &output[from..];
    let rest = if from > 0 { rest.split_once('\n').map_or(rest, |(_, whole)| whole) } else { rest };
    rest.to_owned()
}

/// The commands that the contributor approved, by repository: a file that only its owner can read.
#[derive(Debug)]
pub struct Approvals {
    path: PathBuf,
    approved: BTreeMap<String, String>,
}

impl Approvals {
    /// Reads the file. A missing or damaged one approves nothing.
    #[must_use]
    pub fn read(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_default();
        Self { path, approved: serde_json::from_slice(&text).unwrap_or_default() }
    }

    /// Returns true if exactly these commands were approved for the repository.
    #[must_use]
    pub fn has(&self, repo: &str, contract: &Contract) -> bool {
        contract.commands().is_empty() || self.approved.get(repo) == Some(&digest(contract))
    }

    /// Remembers the approval of a contract's commands.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, repo: &str, contract: &Contract) -> std::io::Result<()> {
        self.approved.insert(repo.to_owned(), digest(contract));
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&self.approved)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Computes the digest of the commands with their kinds; the lengths keep two lists apart.
fn digest(contract: &Contract) -> String {
    let mut hasher = Sha256::new();
    for (kind, command) in contract.commands() {
        hasher.update(format!("{}:{}:{command}\n", kind.name(), command.len()));
    }
    data_encoding::HEXLOWER.encode(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(test: &str) -> Contract {
        Contract { test: Some(test.to_owned()), ..Contract::default() }
    }

    #[test]
    fn an_approval_is_for_one_repository_and_exactly_these_commands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a").join("approved.json");
        let mut approvals = Approvals::read(file.clone());
        assert!(approvals.has("a/b", &Contract::default()), "no commands need no approval");
        assert!(!approvals.has("a/b", &contract("make test")));
        approvals.add("a/b", &contract("make test")).unwrap();
        let approvals = Approvals::read(file);
        assert!(approvals.has("a/b", &contract("make test")));
        assert!(
            !approvals.has("a/b", &contract("make test; curl evil")) && !approvals.has("a/c", &contract("make test"))
        );
    }

    #[tokio::test]
    async fn the_first_failure_ends_the_checks_and_keeps_its_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let environment = ChildEnvironment::new(&[("PATH".to_owned(), path)], &[]);
        let contract = Contract {
            setup: Some("echo ready".into()),
            test: Some("echo '1 failed'; sleep 30 & exit 3".into()),
            lint: Some("echo never".into()),
            ..Contract::default()
        };
        let timeout = Duration::from_secs(20);
        let (results, failed) =
            run(&contract, folder.path(), folder.path(), &environment, timeout, |_, _| {}).await.unwrap();
        let failed = failed.unwrap();
        assert_eq!((results.len(), results[0].passed, failed.excerpt.as_str()), (2, true, "1 failed\n"));
        assert_eq!(failed.result.outcome, "failed with exit code 3");
        let slow = Contract { test: Some("sleep 60".into()), ..Contract::default() };
        let timeout = Duration::from_secs(1);
        let (_, failed) = run(&slow, folder.path(), folder.path(), &environment, timeout, |_, _| {}).await.unwrap();
        assert_eq!(failed.unwrap().result.outcome, "was stopped after 1 second");
    }
}
