//! Runs the system's git, through its porcelain-stable and plumbing commands only.
//!
//! A worktree was written to by an agent, so nothing in it may steer these commands: hooks, file system monitors and
//! credential helpers are off, and the repository is named explicitly instead of being looked up from the worktree.

use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Timeout of a git command; a first clone of a large repository takes minutes.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Variables with which a caller's environment could redirect git (`git rev-parse --local-env-vars`).
const REDIRECTIONS: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];
/// Settings of every command.
const SETTINGS: [(&str, &str); 8] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    // A transfer that stands still for two minutes is given up.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "120"),
    ("protocol.ext.allow", "never"),
    ("submodule.recurse", "false"),
];

/// An error of git.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program cannot be started.
    #[error("git cannot be started: {0}. Install git 2.38 or newer.")]
    Missing(std::io::Error),
    /// The command failed.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The subcommand.
        command: String,
        /// The end of what it printed.
        message: String,
    },
    /// The command took too long.
    #[error("`git {command}` did not finish within {} minutes.", TIMEOUT.as_secs() / 60)]
    Slow {
        /// The subcommand.
        command: String,
    },
}

/// Credentials for one host, sent in a header that no argument list or file shows.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Scheme and host, such as `https://github.com/`.
    pub site: String,
    /// The contributor's GitHub token.
    pub token: SecretString,
}

/// A prepared git command.
pub struct Git {
    command: Command,
    name: String,
    input: Option<Vec<u8>>,
}

impl Git {
    /// Prepares a subcommand.
    #[must_use]
    pub fn new(subcommand: &str) -> Self {
        Self::with(subcommand, None)
    }

    /// Prepares a subcommand that may talk to the credentials' host.
    #[must_use]
    pub fn with(subcommand: &str, credentials: Option<&Credentials>) -> Self {
        let mut command = Command::new("git");
        for name in REDIRECTIONS {
            command.env_remove(name);
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        let mut settings: Vec<(String, String)> =
            SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if let Some(Credentials { site, token }) = credentials {
            let basic = data_encoding::BASE64.encode(format!("x-access-token:{}", token.expose_secret()).as_bytes());
            settings.push((format!("http.{site}.extraHeader"), format!("Authorization: Basic {basic}")));
        }
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (n, (key, value)) in settings.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        command.arg(subcommand).stdin(Stdio::null()).kill_on_drop(true);
        Self { command, name: subcommand.to_owned(), input: None }
    }

    /// Works in a repository without a worktree.
    #[must_use]
    pub fn repository(mut self, folder: &Path) -> Self {
        self.command.env("GIT_DIR", folder);
        self
    }

    /// Works on a worktree with an index of its own; the worktree's `.git` is not read.
    #[must_use]
    pub fn worktree(mut self, folder: &Path, index: &Path) -> Self {
        self.command.env("GIT_WORK_TREE", folder).env("GIT_INDEX_FILE", index).current_dir(folder);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sends text to the command's input.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        self.input = Some(text.as_bytes().to_vec());
        self
    }

    /// Runs the command and returns what it printed.
    ///
    /// # Errors
    /// If git is missing, fails or hangs.
    pub async fn bytes(self) -> Result<Vec<u8>, GitError> {
        let Self { mut command, name, input } = self;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(GitError::Missing)?;
        if let Some((mut pipe, input)) = child.stdin.take().zip(input) {
            // A command that ends early says why in its exit code.
            drop(pipe.write_all(&input).await);
        }
        let Ok(output) = tokio::time::timeout(TIMEOUT, child.wait_with_output()).await else {
            return Err(GitError::Slow { command: name });
        };
        let output = output.map_err(GitError::Missing)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(GitError::Failed { command: name, message: last_lines(&output.stderr) })
    }

    /// Runs the command and returns what it printed as text, without the last line break.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn text(self) -> Result<String, GitError> {
        let bytes = self.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// Runs the command for its effect.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn run(self) -> Result<(), GitError> {
        self.bytes().await.map(drop)
    }
}

/// Returns a setting of the contributor's own configuration, such as `user.name`.
pub async fn setting(name: &str) -> Option<String> {
    let value = Git::new("config").args(["--get", name]).text().await.ok()?;
    Some(value).filter(|value| !value.is_empty())
}

/// Returns the last lines of an error output, on one line.
fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    if last.is_empty() { "it printed no reason".to_owned() } else { last.join("; ") }
}

/// Converts a path that git printed.
#[must_use]
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}
