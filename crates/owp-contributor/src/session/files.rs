//! The files of a worktree, for an agent's requests: nothing outside it can be reached, whatever the path or the
//! symbolic links in it say, and not the worktree's `.git`.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Larger files are not text that an agent reads in one request.
const FILE_MAX_BYTES: u64 = 10 * 1024 * 1024;

/// A worktree.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    folder: Dir,
}

impl Tree {
    /// Opens a worktree.
    ///
    /// # Errors
    /// If it does not exist.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let folder = Dir::open_ambient_dir(&root, ambient_authority())?;
        Ok(Self { root, folder })
    }

    /// Returns the root, without symbolic links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a text file, or some of its lines. Lines count from 1.
    ///
    /// # Errors
    /// If the path leaves the worktree, or the file cannot be read.
    pub(super) fn read(&self, path: &Path, line: Option<u32>, limit: Option<u32>) -> io::Result<String> {
        let path = self.inside(path)?;
        if self.folder.metadata(&path)?.len() > FILE_MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 10 MiB"));
        }
        let text = self.folder.read_to_string(&path)?;
        if line.is_none() && limit.is_none() {
            return Ok(text);
        }
        let skipped = usize::try_from(line.unwrap_or(1).saturating_sub(1)).unwrap_or(usize::MAX);
        let taken = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(text.split_inclusive('\n').skip(skipped).take(taken).collect())
    }

    /// Writes a text file, with its folders.
    ///
    /// # Errors
    /// If the path leaves the worktree, or the file cannot be written.
    pub(super) fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let path = self.inside(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.folder.create_dir_all(parent)?;
        }
        self.folder.write(&path, text)
    }

    /// Returns a folder of the worktree as an absolute path without symbolic links.
    ///
    /// # Errors
    /// If the path leaves the worktree, or is no folder.
    pub(super) fn folder(&self, path: &Path) -> io::Result<PathBuf> {
        let relative = self.inside(path)?;
        if relative.as_os_str().is_empty() {
            return Ok(self.root.clone());
        }
        let real = self.folder.canonicalize(&relative)?;
        self.folder.open_dir(&real)?;
        Ok(self.root.join(real))
    }

    /// Returns a path relative to the worktree, without `.` and `..`.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let outside = || {
            let what = format!("{} is outside the working copy {}", path.display(), self.root.display());
            io::Error::new(io::ErrorKind::PermissionDenied, what)
        };
        let relative = if path.is_absolute() { path.strip_prefix(&self.root).map_err(|_| outside())? } else { path };
        let mut clean = PathBuf::new();
        for part in relative.components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                Component::ParentDir if clean.pop() => {}
                _ => return Err(outside()),
            }
        }
        let is_git = clean.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
        if is_git {
            let what = format!("{} belongs to git and is closed to agents", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        Ok(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_outside_the_worktree_can_be_read_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("tree"), folder.path().join("secret"));
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(&outside, "secret").unwrap();
        std::fs::write(root.join(".git"), "gitdir: elsewhere").unwrap();
        symlink(&outside, root.join("link")).unwrap();
        symlink(folder.path(), root.join("up")).unwrap();
        symlink("src", root.join("inner")).unwrap();
        let tree = Tree::open(&root).unwrap();
        let root = tree.root().to_owned();
        for path in
            ["../secret", "link", "up/secret", "src/../../secret", "/etc/passwd", ".git", "src/../.git", ".GIT/config"]
        {
            assert!(tree.read(&root.join(path), None, None).is_err(), "read {path}");
            assert!(tree.write(&root.join(path), "x").is_err(), "write {path}");
        }
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret");
        assert!(tree.folder(&root.join("up")).is_err());

        tree.write(&root.join("new/deep/file.txt"), "one\ntwo\nthree").unwrap();
        assert_eq!(tree.read(&root.join("new/deep/file.txt"), Some(2), Some(1)).unwrap(), "two\n");
        tree.write(Path::new("inner/by-link.rs"), "x").unwrap();
        assert!(root.join("src/by-link.rs").exists());
        assert_eq!(tree.folder(&root.join("inner")).unwrap(), root.join("src"));
        assert_eq!(tree.folder(&root).unwrap(), root);
    }
}
