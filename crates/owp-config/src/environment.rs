//! Environment variables, merged from the process environment, `env.local` and `.env`. The process environment is not
//! modified, and no other module reads it.

use super::{CLIENT_VARIABLES, ConfigError, VARIABLES};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files read from the working directory, in order of precedence.
const FILES: [&str; 2] = ["env.local", ".env"];
/// Variables that locate a user's folders.
const PLACES: [&str; 3] = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"];
/// Secrets are short; a larger file is not a secret.
const SECRET_FILE_BYTES: u64 = 64 * 1024;

/// The program's own variables. Its `Debug` shows only names.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    /// Names of the variables that a file set.
    of_files: BTreeSet<String>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Environment {
    /// Loads the process environment, then `env.local`, then `.env`; the first value of a variable wins.
    ///
    /// # Errors
    /// If a file cannot be read or a variable is not UTF-8.
    pub fn load() -> Result<Self, ConfigError> {
        let mut env = Self::of_process()?;
        for file in FILES {
            env.add_file(Path::new(file))?;
        }
        Ok(env)
    }

    /// Creates an environment of exactly these variables.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values, of_files: BTreeSet::new() }
    }

    /// Loads only the process environment.
    ///
    /// # Errors
    /// If a variable is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut found = BTreeMap::new();
        let own = VARIABLES.iter().chain(CLIENT_VARIABLES).map(|(name, _)| *name);
        for name in own.chain(PLACES) {
            match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => drop(found.insert(name.to_owned(), value)),
                Ok(_) | Err(std::env::VarError::NotPresent) => {}
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(ConfigError::new(format!("{name} is not readable text (UTF-8)")));
                }
            }
        }
        Ok(Self { values: found, of_files: BTreeSet::new() })
    }

    /// Adds the variables of a file that are not set yet. A missing file is not an error.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        // The parser's message quotes the line, which may hold a secret.
        let unreadable = |what: &str| ConfigError::new(format!("{} cannot be read: {what}", path.display()));
        if !path.exists() {
            return Ok(());
        }
        let lines = dotenvy::from_path_iter(path).map_err(|_| unreadable("no permission, or not a file"))?;
        for line in lines {
            let (name, value) = line.map_err(|error| match error {
                dotenvy::Error::LineParse(line, _) => {
                    let name = line.split('=').next().unwrap_or_default().trim();
                    let known = VARIABLES.iter().any(|(known, _)| *known == name);
                    unreadable(&match known {
                        true => format!("the value of {name} is not well-formed; put it in single quotes"),
                        false => "a line is not NAME=VALUE".to_owned(),
                    })
                }
                _ => unreadable("it is not text"),
            })?;
            let known = VARIABLES.iter().any(|(known, _)| *known == name);
            if known && !value.trim().is_empty() && !self.values.contains_key(&name) {
                self.of_files.insert(name.clone());
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// Returns a variable, trimmed; `None` if it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Returns true if `env.local` or `.env` set the variable. Such a file may come from a stranger's repository; it
    /// must not decide where a secret from the process environment is sent.
    #[must_use]
    pub fn is_from_file(&self, name: &str) -> bool {
        self.of_files.contains(name)
    }

    /// Returns the folder of the user's settings, according to the XDG Base Directory Specification.
    ///
    /// # Errors
    /// If neither `XDG_CONFIG_HOME` nor `HOME` is set.
    pub fn config_home(&self) -> Result<PathBuf, ConfigError> {
        self.user_folder("XDG_CONFIG_HOME", ".config", "the settings")
    }

    /// Returns the folder of the user's data, according to the XDG Base Directory Specification.
    ///
    /// # Errors
    /// If neither `XDG_DATA_HOME` nor `HOME` is set.
    pub fn data_home(&self) -> Result<PathBuf, ConfigError> {
        self.user_folder("XDG_DATA_HOME", ".local/share", "working copies")
    }

    fn user_folder(&self, variable: &str, below_home: &str, of: &str) -> Result<PathBuf, ConfigError> {
        // XDG: "All paths set in these environment variables must be absolute"; relative ones are ignored.
        let absolute = |name: &str| self.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute("HOME").map(|home| home.join(below_home));
        let none = || {
            ConfigError::new(format!("neither {variable} nor HOME is set; set one of them, to name the folder of {of}"))
        };
        absolute(variable).or_else(home).ok_or_else(none)
    }

    /// Returns the whole environment of this process, for what it starts. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_children() -> Vec<(String, String)> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    /// Returns a secret, set as `NAME` or as `NAME_FILE`, the path of a file that holds it.
    ///
    /// # Errors
    /// If both are set or the file cannot be read.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let file_name = format!("{name}_FILE");
        match (self.get(name), self.get(&file_name)) {
            (Some(_), Some(_)) => {
                Err(ConfigError::new(format!("{name} and {file_name} are both set; unset one of them")))
            }
            (Some(value), None) => Ok(Some(value.into())),
            (None, Some(path)) => read_secret(&file_name, &path).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn read_secret(name: &str, path: &str) -> Result<SecretString, ConfigError> {
    let unreadable = |what: &str| ConfigError::new(format!("{name}: {path} cannot be used: {what}"));
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error.to_string()))?.len();
    if size > SECRET_FILE_BYTES {
        return Err(unreadable("the file is too large to be a secret"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(unreadable("the file is empty"));
    }
    Ok(text.to_owned().into())
}
