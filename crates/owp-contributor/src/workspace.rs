//! Folders for work: one blobless repository per GitHub repository, and one worktree per task.
//!
//! ```text
//! repos/<host>/<owner>/<name>.git   objects and references
//! tasks/<task>/tree                 the worktree
//! tasks/<task>/journal.json         the steps done, and logs and transcripts beside it
//! ```
//!
//! The repository's configuration is written anew before each use, because an agent on this machine could have changed it.

use crate::git::{Credentials, Git, GitError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Address that stands for the remote in a push, so that `git push` in the worktree fails.
const NO_PUSH: &str = "owp-pushes-after-its-checks://disabled";
/// The branch's commit that the pool's work begins with.
const BASE: &str = "refs/owp/base";

/// An error of a workspace.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file or folder cannot be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A name from outside is no name of a folder.
    #[error("`{0}` cannot be the name of a folder here.")]
    Name(String),
}

/// The folder of all workspaces.
#[derive(Debug, Clone)]
pub struct Workspaces {
    root: PathBuf,
}

/// A GitHub repository's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host with port, such as `github.com`.
    pub host: String,
    /// `owner/name`.
    pub repo: String,
    /// Address for git.
    pub url: String,
}

/// A task's workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder with the journal, the logs and the worktree.
    pub folder: PathBuf,
    /// The folder in which the work is done.
    pub tree: PathBuf,
    /// The repository with the objects.
    repository: PathBuf,
    place: Place,
}

impl Workspaces {
    /// Uses a folder, which need not exist.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Returns the workspace of a task.
    ///
    /// # Errors
    /// If a name is unusable as a folder.
    pub fn of(&self, place: &Place, task: &str) -> Result<Workspace, WorkspaceError> {
        let (owner, name) = place.repo.split_once('/').ok_or_else(|| WorkspaceError::Name(place.repo.clone()))?;
        let repository = self.root.join("repos").join(folder_name(&place.host)?).join(folder_name(owner)?);
        let repository = repository.join(format!("{}.git", folder_name(name)?));
        let folder = self.folder_of(task)?;
        Ok(Workspace { tree: folder.join("tree"), folder, repository, place: place.clone() })
    }

    /// Returns the folder of a task.
    ///
    /// # Errors
    /// If the task's id is unusable as a folder.
    pub fn folder_of(&self, task: &str) -> Result<PathBuf, WorkspaceError> {
        Ok(self.root.join("tasks").join(folder_name(task)?))
    }

    /// Lists the tasks that have a folder, with the bytes each takes.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn tasks(&self) -> Result<Vec<(String, u64)>, WorkspaceError> {
        let tasks = self.root.join("tasks");
        let mut found = Vec::new();
        for name in names(&tasks)? {
            let size = size(&tasks.join(&name));
            found.push((name, size));
        }
        found.sort();
        Ok(found)
    }

    /// Returns the bytes that the shared repositories take.
    #[must_use]
    pub fn repositories_size(&self) -> u64 {
        size(&self.root.join("repos"))
    }

    /// Returns the folder of all workspaces.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Workspace {
    /// Fetches the default branch and makes the worktree on a branch of the given name; an existing worktree is kept.
    /// Returns the commit that the work begins with.
    ///
    /// # Errors
    /// If git fails, or a folder cannot be written.
    pub async fn prepare(
        &self,
        branch: &str,
        default_branch: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, WorkspaceError> {
        self.make_repository().await?;
        let remote = format!("refs/remotes/origin/{default_branch}");
        let refspec = format!("+refs/heads/{default_branch}:{remote}");
        let fetch = Git::with("fetch", credentials).repository(&self.repository);
        fetch.args(["--quiet", "--no-tags", "--filter=blob:none", "origin", &refspec]).run().await?;
        if self.tree.join(".git").exists() {
            return self.resolve(&self.base_ref()).await;
        }
        let base = self.resolve(&remote).await?;
        let add = Git::with("worktree", credentials).repository(&self.repository);
        let tree = self.tree.as_os_str();
        // An interrupted attempt may have left a part; nobody has worked in it yet.
        drop(remove(&self.tree));
        Git::new("worktree").repository(&self.repository).args(["prune"]).run().await?;
        self.point(&self.base_ref(), &base).await?;
        add.args([
            "add".as_ref(),
            "--quiet".as_ref(),
            "--force".as_ref(),
            "-B".as_ref(),
            branch.as_ref(),
            tree,
            base.as_ref(),
        ])
        .run()
        .await?;
        Ok(base)
    }

    /// Makes the repository if there is none, and writes its configuration.
    async fn make_repository(&self) -> Result<(), WorkspaceError> {
        make_folder(&self.folder)?;
        if !self.repository.join("HEAD").exists() {
            make_folder(&self.repository)?;
            Git::new("init").args(["--quiet", "--bare"]).args([&self.repository]).run().await?;
        }
        self.write_configuration()
    }

    /// Writes the repository's configuration.
    fn write_configuration(&self) -> Result<(), WorkspaceError> {
        let Place { url, .. } = &self.place;
        let text = format!(
            "[core]\n\trepositoryformatversion = 1\n\tfilemode = true\n\tbare = true\n\
             [extensions]\n\tpartialClone = origin\n\
             [remote \"origin\"]\n\turl = {url}\n\tpushurl = {NO_PUSH}\n\tpromisor = true\n\tpartialclonefilter = blob:none\n"
        );
        let path = self.repository.join("config");
        fs::write(&path, text).map_err(at(&path))
    }

    /// Returns the reference that keeps the commit the work begins with.
    fn base_ref(&self) -> String {
        let task = self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{BASE}/{task}")
    }

    async fn resolve(&self, name: &str) -> Result<String, WorkspaceError> {
        let commit = format!("{name}^{{commit}}");
        Ok(self.git("rev-parse").args(["--verify", "--quiet", &commit]).text().await?)
    }

    /// Points a reference at a commit.
    pub(crate) async fn point(&self, reference: &str, commit: &str) -> Result<(), WorkspaceError> {
        Ok(self.git("update-ref").args([reference, commit]).run().await?)
    }

    /// Prepares a command on the repository.
    pub(crate) fn git(&self, subcommand: &str) -> Git {
        Git::new(subcommand).repository(&self.repository)
    }

    /// Writes the state of the worktree into the repository, with new and without ignored files, and returns the tree.
    ///
    /// # Errors
    /// If git fails.
    pub async fn snapshot(&self, parent: &str, credentials: Option<&Credentials>) -> Result<String, WorkspaceError> {
        self.write_configuration()?;
        let index = self.folder.join("index");
        let on = |subcommand: &str| {
            Git::with(subcommand, credentials).repository(&self.repository).worktree(&self.tree, &index)
        };
        on("read-tree").args([parent]).run().await?;
        on("add").args(["--all", "--", "."]).run().await?;
        let tree = on("write-tree").text().await?;
        Ok(tree)
    }

    /// Commits a tree on a parent and moves the branch there. The author comes from the identity, the trailers from the
    /// message.
    ///
    /// # Errors
    /// If git fails, for example because a signature was asked for and cannot be made.
    pub async fn commit(
        &self,
        branch: &str,
        tree: &str,
        parent: &str,
        identity: &Identity,
        message: &str,
    ) -> Result<String, WorkspaceError> {
        let commit = self.git("commit-tree").args([tree, "-p", parent, "-F", "-"]).input(message);
        let commit = if identity.signs { commit.args(["-S"]) } else { commit };
        let commit = commit
            .env("GIT_AUTHOR_NAME", &identity.name)
            .env("GIT_AUTHOR_EMAIL", &identity.email)
            .env("GIT_COMMITTER_NAME", &identity.name)
            .env("GIT_COMMITTER_EMAIL", &identity.email)
            .text()
            .await?;
        self.point(&format!("refs/heads/{branch}"), &commit).await?;
        // The worktree's own index now matches its branch again.
        if let Ok(link) = fs::read_to_string(self.tree.join(".git"))
            && let Some(folder) = link.trim().strip_prefix("gitdir: ").map(PathBuf::from)
            && folder.starts_with(&self.repository)
        {
            drop(fs::copy(self.folder.join("index"), folder.join("index")));
        }
        Ok(commit)
    }

    /// Pushes a commit to a branch of a repository named by its address. The branch there must be absent or at
    /// `expected`, so that nobody's commits are lost.
    ///
    /// # Errors
    /// If the other side refuses.
    pub async fn push(
        &self,
        url: &str,
        branch: &str,
        commit: &str,
        expected: Option<&str>,
        credentials: &Credentials,
    ) -> Result<(), WorkspaceError> {
        self.write_configuration()?;
        let reference = format!("refs/heads/{branch}");
        let lease = format!("--force-with-lease={reference}:{}", expected.unwrap_or_default());
        let target = format!("{commit}:{reference}");
        let push = Git::with("push", Some(credentials)).repository(&self.repository);
        Ok(push.args(["--quiet", "--no-verify", &lease, url, &target]).run().await?)
    }

    /// Returns the commit of a branch at an address; `None` if there is no such branch.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub async fn remote_branch(
        &self,
        url: &str,
        branch: &str,
        credentials: &Credentials,
    ) -> Result<Option<String>, WorkspaceError> {
        let reference = format!("refs/heads/{branch}");
        let listed = Git::with("ls-remote", Some(credentials)).repository(&self.repository);
        let listed = listed.args([url, &reference]).text().await?;
        Ok(listed.split_whitespace().next().map(str::to_owned))
    }

    /// Removes the worktree, the branch and the folder of the task. Objects stay in the shared repository.
    ///
    /// # Errors
    /// If a folder cannot be removed.
    pub async fn remove(&self, branch: Option<&str>) -> Result<(), WorkspaceError> {
        remove(&self.folder)?;
        if self.repository.join("HEAD").exists() {
            self.write_configuration()?;
            self.git("worktree").args(["prune"]).run().await?;
            self.git("update-ref").args(["-d", &self.base_ref()]).run().await?;
            if let Some(branch) = branch {
                self.git("update-ref").args(["-d", &format!("refs/heads/{branch}")]).run().await?;
            }
        }
        Ok(())
    }
}

/// Name and address of the commits' author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Display name.
    pub name: String,
    /// Address.
    pub email: String,
    /// True if the contributor's configuration asks for signed commits.
    pub signs: bool,
}

impl Identity {
    /// Reads the contributor's git configuration; without a name or an address there, GitHub's no-reply address is used.
    pub async fn of(login: &str, id: i64) -> Self {
        let name = crate::git::setting("user.name").await;
        let email = crate::git::setting("user.email").await;
        let signs = crate::git::setting("commit.gpgSign").await;
        Self {
            name: name.unwrap_or_else(|| login.to_owned()),
            email: email.unwrap_or_else(|| format!("{id}+{login}@users.noreply.github.com")),
            signs: signs.is_some_and(|value| matches!(value.to_lowercase().as_str(), "true" | "yes" | "on" | "1")),
        }
    }
}

/// Checks that a name from outside is one folder's name.
fn folder_name(name: &str) -> Result<&str, WorkspaceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_name = !name.is_empty() && name.len() <= 120 && !name.starts_with('.') && name.chars().all(plain);
    if is_name { Ok(name) } else { Err(WorkspaceError::Name(name.to_owned())) }
}

fn make_folder(path: &Path) -> Result<(), WorkspaceError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

fn remove(path: &Path) -> Result<(), WorkspaceError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn names(folder: &Path) -> Result<Vec<String>, WorkspaceError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(at(folder)(error)),
    }
}

/// Adds up the sizes of all files below a folder; links are not followed.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

fn at(path: &Path) -> impl Fn(io::Error) -> WorkspaceError {
    let path = path.to_owned();
    move |cause| WorkspaceError::File { path: path.clone(), cause }
}
