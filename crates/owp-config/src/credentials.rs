//! The file in which setup stores the GitHub App's credentials: JSON, readable only by its owner.
//!
//! The environment takes precedence over the file. No error message quotes the file's content.

use super::{ConfigError, Environment, OAuthClient, web_origin};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "owp-github-app.json";
/// A key has a few thousand bytes; a larger file is not a credentials file.
const LARGEST: u64 = 64 * 1024;

/// Returns the path of the credentials file.
#[must_use]
pub fn credentials_file(env: &Environment) -> PathBuf {
    env.get("OWP_CREDENTIALS_FILE").unwrap_or_else(|| FILE.to_owned()).into()
}

/// The content of the credentials file.
#[derive(Debug)]
pub struct Credentials {
    /// Base URL of the GitHub REST API at which the App was registered.
    pub api_url: String,
    /// The App's numeric id.
    pub app_id: i64,
    /// The App's name in URLs.
    pub slug: String,
    /// The private key in PEM.
    pub private_key: SecretString,
    /// The secret that signs deliveries; during a rotation two, separated by a comma.
    pub webhook_secret: SecretString,
    /// The App's OAuth client.
    pub client: Option<OAuthClient>,
    /// The pool's public address, as the operator entered it during setup.
    pub public_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    api_url: std::borrow::Cow<'a, str>,
    app_id: i64,
    #[serde(default)]
    slug: std::borrow::Cow<'a, str>,
    private_key: std::borrow::Cow<'a, str>,
    webhook_secret: std::borrow::Cow<'a, str>,
    /// Absent in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_url: Option<std::borrow::Cow<'a, str>>,
}

impl Credentials {
    /// Reads the file; returns `None` if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be read, does not hold credentials, or is readable by others.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let unusable = |what: &str| {
            ConfigError::new(format!(
                "the credentials in {} (OWP_CREDENTIALS_FILE) cannot be used: {what}",
                path.display()
            ))
        };
        let meta = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            meta => meta.map_err(|error| unusable(&error.to_string()))?,
        };
        if !meta.is_file() || meta.len() > LARGEST {
            return Err(unusable("it is not a credentials file"));
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 {
            return Err(unusable(&format!("others may read it; run `chmod 600 {}`", path.display())));
        }
        let text = fs::read_to_string(path).map_err(|error| unusable(&error.to_string()))?;
        // The parser's message could quote the key.
        let written: Written<'_> = serde_json::from_str(&text)
            .map_err(|error| unusable(&format!("line {} is not the JSON that setup writes", error.line())))?;
        if written.app_id <= 0 || written.private_key.trim().is_empty() || written.webhook_secret.trim().is_empty() {
            return Err(unusable("the App's id, its private key or its webhook secret is missing in it"));
        }
        Ok(Some(Self {
            api_url: written.api_url.into_owned(),
            app_id: written.app_id,
            slug: written.slug.into_owned(),
            private_key: written.private_key.into_owned().into(),
            webhook_secret: written.webhook_secret.into_owned().into(),
            client: written
                .client_id
                .zip(written.client_secret)
                .map(|(id, secret)| OAuthClient { id: id.into_owned(), secret: secret.into_owned().into() }),
            public_url: written.public_url.as_deref().and_then(web_origin),
        }))
    }

    /// Writes the file atomically, readable only by its owner.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let written = Written {
            api_url: self.api_url.as_str().into(),
            app_id: self.app_id,
            slug: self.slug.as_str().into(),
            private_key: self.private_key.expose_secret().into(),
            webhook_secret: self.webhook_secret.expose_secret().into(),
            client_id: self.client.as_ref().map(|client| client.id.as_str().into()),
            client_secret: self.client.as_ref().map(|client| client.secret.expose_secret().into()),
            public_url: self.public_url.as_deref().map(Into::into),
        };
        let mut file = create(&beside(path))?;
        serde_json::to_writer_pretty(&mut file, &written)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(beside(path), path)?;
        // The new name is durable only after the folder is synced.
        File::open(folder(path)).and_then(|folder| folder.sync_all())
    }

    /// Tests that [`Credentials::write`] can write to `path`, before there is anything to lose.
    pub fn try_place(path: &Path) -> io::Result<()> {
        create(&beside(path))?.write_all(b"{}")?;
        fs::remove_file(beside(path))
    }
}

fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Returns the temporary name used while the file is written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Creates a new file that only its owner can read. A leftover of the same name is never written through.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn credentials() -> Credentials {
        Credentials {
            api_url: "https://github.example/api/v3".into(),
            app_id: 17,
            slug: "owp-pool".into(),
            private_key: "-----BEGIN hush\nhush".into(),
            webhook_secret: "hush-hush".into(),
            client: Some(OAuthClient { id: "Iv1.5".into(), secret: "client-secret".to_owned().into() }),
            public_url: Some("https://owp.example.org".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.json");
        assert!(Credentials::read(&path).unwrap().is_none(), "no file is no credentials");
        fs::write(beside(&path), "left behind").unwrap();
        Credentials::try_place(&path).unwrap();
        credentials().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Credentials::read(&path).unwrap().unwrap();
        assert_eq!(
            (read.app_id, read.slug.as_str(), read.api_url.as_str()),
            (17, "owp-pool", "https://github.example/api/v3")
        );
        assert_eq!(read.public_url.as_deref(), Some("https://owp.example.org"));
        assert_eq!(read.private_key.expose_secret(), credentials().private_key.expose_secret());
        assert!(!format!("{read:?}").contains("hush"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_not_ours_is_refused_without_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.json");
        credentials().write(&path).unwrap();
        let refusal = |words: &str| {
            let error = Credentials::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hush"), "{error}");
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        refusal("chmod 600");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for (text, words) in [
            ("{\"app_id\": \"hush\"", "line 1"),
            (r#"{"api_url":"x","app_id":0,"private_key":"hush","webhook_secret":"hush"}"#, "is missing in it"),
        ] {
            fs::write(&path, text).unwrap();
            refusal(words);
        }
        assert!(Credentials::try_place(&folder.path().join("no/such/folder.json")).is_err());
    }
}
