//! The archive: files of JSON lines that only grow. What is in them is on the disk before it is removed from the database,
//! so a crash between the two can repeat lines and never lose one.

use crate::error::EngineError;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The archive's folder, if there is one.
pub(super) struct Archive(Option<PathBuf>);

impl Archive {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// Appends lines to files, given by their names without `.jsonl`, and returns once they are on the disk.
    ///
    /// # Errors
    /// [`EngineError::Archive`]; nothing may be removed then.
    pub(super) async fn append(&self, files: Vec<(String, Vec<Value>)>) -> Result<(), EngineError> {
        let Some(folder) = self.0.clone() else { return Ok(()) };
        let named = folder.display().to_string();
        // A disk can be slow, and the threads of the runtime answer requests meanwhile.
        let written = tokio::task::spawn_blocking(move || write(&folder, &files)).await;
        let failed = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => io::Error::other("writing panicked"),
        };
        Err(EngineError::Archive { folder: named, cause: failed })
    }
}

fn write(folder: &Path, files: &[(String, Vec<Value>)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // All of them first: a file that cannot be opened must not let the others grow with every attempt.
    let opened = files.iter().map(|(name, _)| open(&folder.join(format!("{name}.jsonl"))));
    let opened = opened.collect::<io::Result<Vec<_>>>()?;
    for (mut file, (_, lines)) in opened.into_iter().zip(files) {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        if ends_within_a_line(&mut file)? {
            // A crash cut the last line off; all of it follows.
            text.insert(0, '\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    // The names of new files.
    File::open(folder)?.sync_all()
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    // Events of private repositories are in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn lines_are_added_to_what_is_there_also_after_a_crash_within_a_line() {
        let folder = std::env::temp_dir().join(format!("owp-archive-{}", std::process::id()));
        let _old = fs::remove_dir_all(&folder);
        let archive = Archive::new(Some(folder.clone()));
        archive.append(vec![("tasks".to_owned(), vec![json!({ "id": 1 })])]).await.unwrap();
        let path = folder.join("tasks.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\"").unwrap();
        archive.append(vec![("tasks".to_owned(), vec![json!({ "id": 2 })])]).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"id\":1}\n{\"id\"\n{\"id\":2}\n");
        // A file where the folder should be.
        let nowhere = Archive::new(Some(path.clone()));
        let failed = nowhere.append(vec![("tasks".to_owned(), Vec::new())]).await;
        assert!(matches!(failed, Err(EngineError::Archive { .. })), "{failed:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
