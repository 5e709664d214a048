//! Stored registrations of the user's workers: one JSON file in the XDG configuration folder, readable only by its
//! owner, with one worker per pool and the pool registered with last.
//!
//! A token belongs to the pool that issued it and is never sent to another.

use super::failure::Failure;
use owp_config::Environment;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

const FILE: &str = "workers.json";
const ELSEWHERE: &str = "Set XDG_CONFIG_HOME to keep the settings in another folder.";
/// Far more than any number of registrations needs.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// A worker registered from this machine.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// Its id.
    pub worker_id: String,
    /// Its display name.
    pub name: String,
    /// Its token.
    pub token: SecretString,
}

/// The file of registrations.
pub(super) struct Profile {
    path: PathBuf,
    kept: StoredProfile,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredProfile {
    /// The default pool.
    server: Option<String>,
    workers: BTreeMap<String, StoredWorker>,
}

#[derive(Serialize, Deserialize)]
struct StoredWorker {
    worker_id: String,
    name: String,
    token: String,
}

impl std::fmt::Debug for StoredWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptWorker").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}

impl Profile {
    /// Reads the file; a missing file counts as empty.
    ///
    /// # Errors
    /// If others may read the file, or its content is invalid.
    pub(super) fn open(env: &Environment) -> Result<Self, Failure> {
        let path = env.config_home().map_err(Failure::from)?.join("owp").join(FILE);
        Self::read(path)
    }

    fn read(path: PathBuf) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::usage_error(format!("{} {what}.", path.display()));
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, kept: StoredProfile::default() });
            }
            Err(error) => return Err(wrong(format!("cannot be read: {error}")).next(ELSEWHERE)),
        };
        if about.permissions().mode() & 0o077 != 0 {
            let mend = format!("Run `chmod 600 {}`.", path.display());
            return Err(wrong("holds tokens and can be read by others".to_owned()).next(mend));
        }
        if about.len() > FILE_MAX_BYTES {
            return Err(wrong("is too large: this program did not write it".to_owned()));
        }
        let text = std::fs::read(&path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        // The parser's message could quote a token; line and column cannot.
        let kept = serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            wrong(format!("is damaged: see {place}")).next("Fix it, or move it away and register again.")
        })?;
        Ok(Self { path, kept })
    }

    /// Returns the pool registered with last.
    pub(super) fn server(&self) -> Option<&str> {
        self.kept.server.as_deref()
    }

    /// Returns the worker registered with a pool.
    pub(super) fn worker(&self, server: &str) -> Option<Registered> {
        let kept = self.kept.workers.get(server)?;
        let token = SecretString::from(kept.token.clone());
        Some(Registered { worker_id: kept.worker_id.clone(), name: kept.name.clone(), token })
    }

    /// Stores a worker for its pool and makes that pool the default.
    ///
    /// # Errors
    /// If the file cannot be reread or written; its old content is kept then.
    pub(super) fn add(&mut self, server: &str, worker: &Registered) -> Result<(), Failure> {
        let kept = StoredWorker {
            worker_id: worker.worker_id.clone(),
            name: worker.name.clone(),
            token: worker.token.expose_secret().to_owned(),
        };
        self.change(|all| {
            all.workers.insert(server.to_owned(), kept);
            all.server = Some(server.to_owned());
        })
    }

    /// Stores a worker's new token; the default pool stays.
    pub(super) fn keep_token(&mut self, server: &str, token: &SecretString) -> Result<(), Failure> {
        self.change(|all| {
            if let Some(kept) = all.workers.get_mut(server) {
                token.expose_secret().clone_into(&mut kept.token);
            }
        })
    }

    /// Removes a pool's worker, and the pool as the default.
    pub(super) fn forget(&mut self, server: &str) -> Result<(), Failure> {
        self.change(|all| {
            all.workers.remove(server);
            all.server.take_if(|meant| meant == server);
        })
    }

    /// Changes the current content, because another command may have changed the file since it was read.
    fn change(&mut self, change: impl FnOnce(&mut StoredProfile)) -> Result<(), Failure> {
        // Held until the end of this function.
        let _lock = self.lock().map_err(|error| self.unwritable(&error))?;
        self.kept = Self::read(self.path.clone())?.kept;
        change(&mut self.kept);
        self.write().map_err(|error| self.unwritable(&error))
    }

    /// Tests that a worker can be stored, before there is one to lose.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        self.beside().map(drop).map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &std::io::Error) -> Failure {
        Failure::failed(format!("{} cannot be written: {error}.", self.path.display())).next(ELSEWHERE)
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Waits for exclusive access. Locks a separate file, because this one is replaced.
    fn lock(&self) -> std::io::Result<std::fs::File> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder())?;
        let path = self.path.with_extension("lock");
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn folder(&self) -> &std::path::Path {
        self.path.parent().unwrap_or(std::path::Path::new("."))
    }

    /// Writes a temporary file, readable only by its owner from the start, and moves it into place.
    fn write(&self) -> std::io::Result<()> {
        let mut file = self.beside()?;
        file.write_all(serde_json::to_string_pretty(&self.kept)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Creates a temporary file in the same folder, which is created if missing.
    fn beside(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let folder = self.folder();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        tempfile::NamedTempFile::new_in(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(folder: &std::path::Path) -> Environment {
        Environment::of([("XDG_CONFIG_HOME", folder.to_str().unwrap())])
    }

    fn worker(token: &str) -> Registered {
        Registered { worker_id: "w_1".into(), name: "laptop".into(), token: token.to_owned().into() }
    }

    #[test]
    fn a_worker_is_found_again_under_its_pool_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut profile = Profile::open(&env(folder.path())).unwrap();
        assert!(profile.server().is_none());
        profile.add("https://a", &worker("owp_a")).unwrap();
        profile.add("https://b", &worker("owp_b")).unwrap();
        let again = Profile::open(&env(folder.path())).unwrap();
        assert_eq!(again.server(), Some("https://b"));
        assert_eq!(again.worker("https://a").unwrap().token.expose_secret(), "owp_a");
        assert!(again.worker("https://c").is_none());
    }

    #[test]
    fn a_new_token_is_kept_and_a_worker_that_left_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut profile = Profile::open(&env(folder.path())).unwrap();
        profile.add("https://a", &worker("owp_a")).unwrap();
        profile.add("https://b", &worker("owp_b")).unwrap();
        profile.keep_token("https://a", &"owp_new".to_owned().into()).unwrap();
        profile.forget("https://b").unwrap();
        let again = Profile::open(&env(folder.path())).unwrap();
        assert_eq!(again.worker("https://a").unwrap().token.expose_secret(), "owp_new");
        assert!(again.worker("https://b").is_none() && again.server().is_none());
    }

    #[test]
    fn registrations_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let register = |n: usize| {
            let mut profile = Profile::open(&env(folder.path())).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(50));
            profile.add(&format!("https://{n}"), &worker("owp_a")).unwrap();
        };
        std::thread::scope(|scope| (0..8).for_each(|n| drop(scope.spawn(move || register(n)))));
        let again = Profile::open(&env(folder.path())).unwrap();
        assert!((0..8).all(|n| again.worker(&format!("https://{n}")).is_some()));
    }

    #[test]
    fn the_file_is_its_owners_alone_and_refused_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut profile = Profile::open(&env(folder.path())).unwrap();
        profile.add("https://a", &worker("owp_a")).unwrap();
        let path = profile.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Profile::open(&env(folder.path())).err().unwrap().code(), 2);
    }

    #[test]
    fn a_file_that_was_damaged_is_told_without_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut profile = Profile::open(&env(folder.path())).unwrap();
        profile.add("https://a", &worker("owp_secret")).unwrap();
        let text = std::fs::read_to_string(profile.path()).unwrap().replace("\"token\": \"owp", "\"token\": owp");
        std::fs::write(profile.path(), text).unwrap();
        let failure = Profile::open(&env(folder.path())).err().unwrap();
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}
