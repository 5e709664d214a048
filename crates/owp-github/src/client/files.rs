//! Reads one file of a repository's default branch with conditional requests; an unchanged file costs no quota.
//!
//! An installation may have granted the file alone (`single_file`) or all contents. A token with the narrower
//! permission is tried second, because Apps made from a manifest can only ask for the wider one.

use super::{
    GitHubError, Identity, RepoReader,
    token::{Purpose, Scope},
};
use data_encoding::BASE64;
use lru::LruCache;
use serde::Deserialize;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Capacity of the file cache. A full cache drops the least recently used file, which costs a request.
const CACHE_CAPACITY: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// Content of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileText {
    /// No file.
    Absent,
    /// A text file.
    Text(String),
    /// Another kind of content; the text completes "it is".
    Other(&'static str),
}

#[derive(Clone)]
struct CachedFile {
    purpose: Purpose,
    etag: Option<String>,
    text: FileText,
}

/// Cache of file contents, by repository id and path.
pub(super) struct FileCache(Mutex<LruCache<(i64, String), CachedFile>>);

impl Default for FileCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHE_CAPACITY)))
    }
}

impl FileCache {
    fn get(&self, key: &(i64, String)) -> Option<CachedFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: (i64, String), known: CachedFile) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, known);
    }

    fn forget(&self, key: &(i64, String)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(key);
    }
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

impl RepoReader {
    /// Returns the current content of a path on the default branch.
    /// <https://docs.github.com/en/rest/repos/contents#get-repository-content>
    ///
    /// # Errors
    /// [`GitHubError::Forbidden`] or [`GitHubError::NoToken`] when the App lacks the permission to read it.
    pub async fn file(&self, path: &str) -> Result<FileText, GitHubError> {
        let key = (self.repo.github_id, path.to_owned());
        let known = self.github.0.files.get(&key);
        let purposes = match &known {
            Some(known) => vec![known.purpose],
            None => vec![Purpose::Contents, Purpose::SingleFile],
        };
        let last = purposes.len() - 1;
        for (at, purpose) in purposes.into_iter().enumerate() {
            match self.file_as(purpose, path, known.as_ref()).await {
                // The installation has not granted this permission.
                Err(GitHubError::NoToken { cause })
                    if at < last
                        && matches!(*cause, GitHubError::Validation { .. } | GitHubError::Forbidden { .. }) => {}
                Ok(read) => {
                    self.github.0.files.put(key, read.clone());
                    return Ok(read.text);
                }
                Err(error) => {
                    self.github.0.files.forget(&key);
                    return Err(error);
                }
            }
        }
        Err(GitHubError::Forbidden { message: format!("no permission lets the App read {path}") })
    }

    async fn file_as(
        &self,
        purpose: Purpose,
        path: &str,
        known: Option<&CachedFile>,
    ) -> Result<CachedFile, GitHubError> {
        let scope = match self.identity {
            Identity::Installation(scope) => Scope { purpose, ..scope },
            Identity::App => return Err(GitHubError::Forbidden { message: "an App reads no files".to_owned() }),
        };
        let etag = known.and_then(|known| known.etag.as_deref());
        let what = self.path(&format!("/contents/{path}"))?;
        let response = match self.github.get(Identity::Installation(scope), &what, etag).await {
            Ok(response) => response,
            Err(GitHubError::NotFound { .. }) => {
                // A hidden repository also gives 404: check the repository, and fail if it is hidden.
                self.repository().await?;
                return Ok(CachedFile { purpose, etag: None, text: FileText::Absent });
            }
            Err(error) => return Err(error),
        };
        if response.redirected_to.is_some_and(|id| id != self.repo.github_id) {
            return Err(GitHubError::OtherRepository { full_name: self.repo.full_name.clone() });
        }
        if let (true, Some(known)) = (response.not_modified, known) {
            return Ok(known.clone());
        }
        let text = text_of(&response.json::<serde_json::Value>()?);
        Ok(CachedFile { purpose, etag: response.etag, text })
    }
}

fn text_of(response: &serde_json::Value) -> FileText {
    // GitHub returns a list for a folder.
    let Ok(file) = RawFile::deserialize(response) else { return FileText::Other("a folder") };
    if file.kind != "file" {
        return FileText::Other("neither a file nor a link to one in the repository");
    }
    if file.encoding != "base64" {
        return FileText::Other("too large to be read");
    }
    let packed: String = file.content.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(packed.as_bytes()).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(FileText::Other("not text (UTF-8)"), FileText::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_text_is_text() {
        let file = |content: &str| json!({ "type": "file", "encoding": "base64", "content": content });
        assert_eq!(text_of(&file("YTog\nMQo=\n")), FileText::Text("a: 1\n".to_owned()));
        for (response, words) in [
            (json!([{ "type": "file" }]), "a folder"),
            (json!({ "type": "submodule" }), "neither"),
            (json!({ "type": "file", "encoding": "none", "content": "" }), "too large"),
            (file("/w=="), "not text"),
        ] {
            assert!(matches!(text_of(&response), FileText::Other(said) if said.contains(words)), "{response}");
        }
    }
}
