//! The system's `git`, for sandboxes that serve git: one bare repository for each repository of the world.
//!
//! Only processes and their output live here. Rules are in `world/git.rs`, HTTP is in `routes/smart_http.rs`. The
//! user's and the system's git configuration never apply: every process gets the configuration written here.

pub(crate) mod bare;
pub(crate) mod diff;

use crate::error::StartError;
use bare::Bare;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

/// Oldest git with `merge-tree --write-tree`: <https://git-scm.com/docs/git-merge-tree>.
const OLDEST: (u32, u32) = (2, 38);

/// Configuration of every process. Hidden references can be fetched, but not pushed, as on GitHub.
const CONFIG: &str = "[core]
	hooksPath = ../hooks
	quotePath = false
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	receivePack = true
[receive]
	hideRefs = refs/pull
[safe]
	directory = *
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
";

/// The `update` hook. git itself already refuses to delete the branch that `HEAD` names.
const UPDATE_HOOK: &str = "#!/bin/sh
# Refuses to rewrite the default branch, as a protected branch on GitHub does.
[ \"$1\" = \"$(git symbolic-ref HEAD)\" ] || exit 0
case \"$2\" in *[!0]*) ;; *) exit 0 ;; esac
git merge-base --is-ancestor \"$2\" \"$3\" && exit 0
echo \"error: GH006: Protected branch update failed for $1.\" >&2
echo \"error: Cannot force-push to this branch\" >&2
exit 1
";

/// A folder of bare repositories.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    folder: Arc<Path>,
}

impl Git {
    /// Creates the folder with its configuration. It must be empty, because a sandbox always starts with a new world.
    ///
    /// # Errors
    /// The folder has files, or cannot be written to, or the system's git is missing or too old.
    pub(crate) fn create(folder: &Path) -> Result<Self, StartError> {
        check_system_git()?;
        let failed = |cause: io::Error| StartError::Git(format!("cannot use the folder {}: {cause}", folder.display()));
        fs::create_dir_all(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(StartError::Git(format!("the folder {} is not empty", folder.display())));
        }
        // Absolute, because processes run in other folders.
        let folder = fs::canonicalize(folder).map_err(failed)?;
        let hooks = folder.join("hooks");
        let update = hooks.join("update");
        fs::create_dir(&hooks)
            .and_then(|()| fs::write(folder.join("gitconfig"), CONFIG))
            .and_then(|()| fs::write(&update, UPDATE_HOOK))
            .map_err(failed)?;
        #[cfg(unix)]
        fs::set_permissions(&update, std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(failed)?;
        Ok(Self { folder: folder.into() })
    }

    /// Returns the folder of the bare repositories.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the bare repository of a repository; it may not exist yet.
    pub(crate) fn bare(&self, repo: u64) -> Bare {
        Bare::new(self.clone(), self.folder.join(bare_name(repo)))
    }

    /// Builds a git process without the user's configuration, and without an input.
    pub(crate) fn command(&self) -> Command {
        let mut command = isolated();
        command.env("GIT_CONFIG_GLOBAL", self.folder.join("gitconfig")).env("HOME", self.folder.as_os_str());
        command.current_dir(&self.folder);
        command
    }
}

/// Returns the folder name of a bare repository.
pub(crate) fn bare_name(repo: u64) -> String {
    format!("{repo}.git")
}

/// Builds a git process that reads no configuration but its own, and asks nothing.
fn isolated() -> Command {
    let mut command = Command::new("git");
    // A hook or a test runner may have set variables for a repository of its own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command.env_remove("XDG_CONFIG_HOME").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Checks that the system's git can serve repositories.
///
/// # Errors
/// git is missing or too old, or was installed without `git http-backend`.
pub fn check_system_git() -> Result<(), StartError> {
    let ask = |argument: &str| -> Result<String, StartError> {
        let output = isolated().arg(argument).output();
        let output = output.map_err(|cause| StartError::Git(format!("cannot run git: {cause}")))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let version = ask("--version")?;
    if parse_version(&version).is_none_or(|found| found < OLDEST) {
        return Err(StartError::Git(format!("git 2.38 or newer is needed, not \"{version}\"")));
    }
    let programs = PathBuf::from(ask("--exec-path")?);
    if !["git-http-backend", "git-http-backend.exe"].iter().any(|name| programs.join(name).exists()) {
        return Err(StartError::Git("this git has no `git http-backend`".to_owned()));
    }
    Ok(())
}

/// Parses major and minor version of `git version 2.39.5 (…)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_git_is_read_from_its_own_words() {
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("git version 2.38"), Some((2, 38)));
        assert_eq!(parse_version("gut version 3"), None);
    }
}
