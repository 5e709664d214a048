//! One bare repository: its references, commits and files.
//!
//! Every commit has the identity and the time that the caller gives, so that the same calls make the same hashes.

use super::Git;
use crate::error::ApiError;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// A bare repository.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    git: Git,
    path: PathBuf,
}

/// Name, email address and time of a commit's author or committer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    /// Unix seconds.
    pub(crate) at: i64,
}

impl Signature {
    /// Sets the variables from which git takes author and committer.
    fn on<'a>(&self, command: &'a mut Command, role: &str) -> &'a mut Command {
        command
            .env(format!("GIT_{role}_NAME"), &self.name)
            .env(format!("GIT_{role}_EMAIL"), &self.email)
            .env(format!("GIT_{role}_DATE"), format!("{} +0000", self.at))
    }
}

/// A commit that changes files of a branch.
#[derive(Debug, Clone)]
pub(crate) struct FileCommit<'a> {
    pub(crate) branch: &'a str,
    /// The parent; a commit without a parent is the first one.
    pub(crate) parent: Option<&'a str>,
    pub(crate) by: &'a Signature,
    pub(crate) message: &'a str,
    /// Paths with their new text; `None` removes the file.
    pub(crate) changes: &'a [(&'a str, Option<&'a str>)],
}

/// A commit as git shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedCommit {
    pub(crate) sha: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Signature,
    pub(crate) message: String,
}

impl Bare {
    pub(super) fn new(git: Git, path: PathBuf) -> Self {
        Self { git, path }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.git.command();
        command.arg("--git-dir").arg(&self.path).args(arguments);
        command
    }

    /// Runs git and returns its output whatever the exit status is.
    pub(super) fn output(&self, arguments: &[&str]) -> Result<Output, ApiError> {
        self.command(arguments).output().map_err(|error| broken(arguments, &error.to_string()))
    }

    /// Runs git and returns its output as text, without the last line's end.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, ApiError> {
        text_of(arguments, &self.output(arguments)?)
    }

    /// Creates the repository, without a commit.
    pub(crate) fn init(&self, default_branch: &str) -> Result<(), ApiError> {
        let branch = format!("--initial-branch={default_branch}");
        self.run(&["init", "--quiet", "--bare", "--template=", &branch]).map(drop)
    }

    /// Creates the repository as a copy of another one, with all branches or only one.
    pub(crate) fn copy(&self, source: &Self, only: Option<&str>) -> Result<(), ApiError> {
        let arguments = ["clone", "--quiet", "--bare", "--template="];
        let mut command = self.git.command();
        command.args(arguments);
        if let Some(branch) = only {
            command.args(["--single-branch", "--branch", branch]);
        }
        let output = command.arg(&source.path).arg(&self.path).output();
        let output = output.map_err(|error| broken(&arguments, &error.to_string()))?;
        text_of(&arguments, &output).map(drop)
    }

    /// Returns the newest commit of every branch.
    pub(crate) fn branches(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let text = self.run(&["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads"])?;
        let pairs = text.lines().filter_map(|line| line.rsplit_once(' '));
        Ok(pairs.map(|(name, sha)| (name.to_owned(), sha.to_owned())).collect())
    }

    /// Returns true if the repository has this commit.
    pub(crate) fn has_commit(&self, sha: &str) -> Result<bool, ApiError> {
        Ok(is_hash(sha) && self.output(&["cat-file", "-e", &format!("{sha}^{{commit}}")])?.status.success())
    }

    /// Moves or creates a reference; with `old`, only if it still has this value.
    pub(crate) fn set_ref(&self, name: &str, sha: &str, old: Option<&str>) -> Result<(), ApiError> {
        let mut arguments = vec!["update-ref", name, sha];
        arguments.extend(old);
        self.run(&arguments).map(drop)
    }

    /// Sets the default branch.
    pub(crate) fn set_head(&self, branch: &str) -> Result<(), ApiError> {
        self.run(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).map(drop)
    }

    /// Copies a commit and its history from another repository, without a reference to it.
    pub(crate) fn fetch(&self, source: &Self, sha: &str) -> Result<(), ApiError> {
        if self.path == source.path || self.has_commit(sha)? {
            return Ok(());
        }
        let source = source.path.to_string_lossy();
        self.run(&["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &source, sha]).map(drop)
    }

    /// Returns the text of a file; `None` for folders and missing files.
    pub(crate) fn read(&self, commit: &str, path: &str) -> Result<Option<String>, ApiError> {
        let output = self.output(&["cat-file", "blob", &format!("{commit}:{path}")])?;
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Returns true if `older` is `newer` or part of its history.
    pub(crate) fn is_ancestor(&self, older: &str, newer: &str) -> Result<bool, ApiError> {
        Ok(self.output(&["merge-base", "--is-ancestor", older, newer])?.status.success())
    }

    /// Returns true if the two commits share history.
    pub(crate) fn related(&self, one: &str, other: &str) -> Result<bool, ApiError> {
        Ok(self.output(&["merge-base", one, other])?.status.success())
    }

    /// Adds a commit to a branch and returns its hash.
    pub(crate) fn commit_files(&self, new: &FileCommit<'_>) -> Result<String, ApiError> {
        let Signature { name, email, at } = new.by;
        let reference = format!("refs/heads/{}", new.branch);
        let mut script = format!("commit {reference}\ncommitter {name} <{email}> {at} +0000\n");
        data(&mut script, new.message);
        if let Some(parent) = new.parent {
            script.push_str(&format!("from {parent}\n"));
        }
        for (path, text) in new.changes {
            match text {
                Some(text) => {
                    script.push_str(&format!("M 100644 inline {}\n", quoted(path)));
                    data(&mut script, text);
                }
                None => script.push_str(&format!("D {}\n", quoted(path))),
            }
        }
        let arguments = ["fast-import", "--quiet", "--date-format=raw"];
        let fed = feed(self.command(&arguments), &script).map_err(|error| broken(&arguments, &error.to_string()))?;
        text_of(&arguments, &fed)?;
        self.run(&["rev-parse", &reference])
    }

    /// Returns the commits of `head` that `base` does not have, oldest first.
    pub(crate) fn log(&self, base: &str, head: &str) -> Result<Vec<LoggedCommit>, ApiError> {
        let range = format!("{base}..{head}");
        let format = "--format=%H%n%T%n%P%n%an%n%ae%n%at%n%B";
        let text = self.run(&["log", "-z", "--reverse", "--topo-order", format, &range])?;
        Ok(text.split('\0').filter_map(logged).collect())
    }

    /// Merges two commits; `None` if they conflict. Returns the hash of the merged tree.
    pub(crate) fn merge_tree(&self, base: &str, head: &str) -> Result<Option<String>, ApiError> {
        let arguments = ["merge-tree", "--write-tree", base, head];
        let output = self.output(&arguments)?;
        // Status 1 is a conflict; anything above is an error.
        if output.status.code() == Some(1) {
            return Ok(None);
        }
        text_of(&arguments, &output).map(Some)
    }

    /// Writes a commit with this tree and returns its hash; no reference moves.
    pub(crate) fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        author: &Signature,
        committer: &Signature,
        message: &str,
    ) -> Result<String, ApiError> {
        let mut arguments = vec!["commit-tree", tree, "-m", message];
        arguments.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        let mut command = self.command(&arguments);
        author.on(&mut command, "AUTHOR");
        committer.on(&mut command, "COMMITTER");
        let output = command.output().map_err(|error| broken(&arguments, &error.to_string()))?;
        text_of(&arguments, &output)
    }
}

/// Returns true for the form of a commit hash.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Appends a text in the form of fast-import: its length, then its bytes.
fn data(script: &mut String, text: &str) {
    script.push_str(&format!("data {}\n{text}\n", text.len()));
}

/// Quotes a path for fast-import.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Runs a process with this input.
fn feed(mut command: Command, input: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // A process that fails early closes its input; its message says more than the broken pipe.
    if output.status.success() {
        written?;
    }
    Ok(output)
}

fn text_of(arguments: &[&str], output: &Output) -> Result<String, ApiError> {
    if !output.status.success() {
        return Err(broken(arguments, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}

fn broken(arguments: &[&str], cause: &str) -> ApiError {
    ApiError::new(500, format!("git {} failed: {cause}", arguments.first().unwrap_or(&"")))
}

fn logged(entry: &str) -> Option<LoggedCommit> {
    let mut lines = entry.splitn(7, '\n');
    let mut next = || lines.next().map(str::to_owned);
    let (sha, tree, parents) = (next()?, next()?, next()?);
    let author = Signature { name: next()?, email: next()?, at: next()?.parse().ok()? };
    let message = next()?.trim_end().to_owned();
    let parents = parents.split_whitespace().map(str::to_owned).collect();
    Some(LoggedCommit { sha, tree, parents, author, message })
}
