//! The list of agents: the one of this package (`agents.toml`) and the contributor's own file, which adds and overrides
//! entries.

use crate::environment::ChildEnvironment;
use crate::process::{Ended, Running, Tail, follow};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const PACKAGED: &str = include_str!("agents.toml");
/// Time for a program to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
const VERSION_MAX_BYTES: usize = 4096;

/// An agent's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Name in commands, such as `claude`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// How it is started.
    pub launch: Launch,
    /// Command that prints its version.
    pub version: Vec<String>,
    /// Oldest major version of Node.js that it runs on, if it needs Node.js.
    pub node: Option<u32>,
    /// Variables of the environment that it may see.
    pub env: Vec<String>,
    /// Session modes in which it asks before it acts, the best first.
    pub modes: Vec<String>,
    /// Where the entry comes from.
    pub source: String,
}

/// How an agent is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// It speaks the Agent Client Protocol on its standard streams.
    Protocol(Vec<String>),
    /// It gets a file with the prompt and ends when it is done: `{prompt}` and `{dir}` are filled in.
    Prompt(Vec<String>),
}

impl Launch {
    /// Returns the program that is started.
    #[must_use]
    pub fn program(&self) -> &str {
        let (Self::Protocol(words) | Self::Prompt(words)) = self;
        words.first().map_or("", String::as_str)
    }

    /// Returns the whole command line.
    #[must_use]
    pub fn line(&self) -> String {
        let (Self::Protocol(words) | Self::Prompt(words)) = self;
        words.join(" ")
    }
}

/// An error in a list of agents.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// The contributor's file cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// There is no such agent.
    #[error("There is no agent `{name}`. Known agents: {known}.")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The known names.
        known: String,
    },
}

/// An entry as written; keys of the contributor's file override those of the package one by one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    name: Option<String>,
    command: Option<Vec<String>>,
    prompt: Option<Vec<String>>,
    version: Option<Vec<String>>,
    node: Option<u32>,
    env: Option<Vec<String>>,
    modes: Option<Vec<String>>,
    source: Option<String>,
}

/// Reads the packaged list and the contributor's file, if it exists.
///
/// # Errors
/// If the file cannot be read or has unknown keys, or an entry has no command.
pub fn read(file: &Path) -> Result<Vec<Agent>, AgentsError> {
    let unreadable = |cause: String| AgentsError::Unreadable { path: file.to_owned(), cause };
    let mut entries: BTreeMap<String, Entry> =
        toml::from_str(PACKAGED).map_err(|error| unreadable(error.to_string()))?;
    let own = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let own: BTreeMap<String, Entry> =
        toml::from_str(&own).map_err(|error| unreadable(error.to_string().trim_end().to_owned()))?;
    for (id, entry) in own {
        let known = entries.remove(&id).unwrap_or_default();
        entries.insert(id, entry.over(known));
    }
    entries.into_iter().map(|(id, entry)| entry.agent(id).map_err(unreadable)).collect()
}

/// Finds an agent by its name.
///
/// # Errors
/// If there is none.
pub fn find(agents: Vec<Agent>, name: &str) -> Result<Agent, AgentsError> {
    let known: Vec<String> = agents.iter().map(|agent| agent.id.clone()).collect();
    agents
        .into_iter()
        .find(|agent| agent.id.eq_ignore_ascii_case(name))
        .ok_or_else(|| AgentsError::Unknown { name: name.to_owned(), known: known.join(", ") })
}

impl Entry {
    fn over(self, known: Self) -> Self {
        // An entry with its own command replaces the packaged command and its requirement of Node.js.
        let (command, prompt, node) = match (self.command, self.prompt) {
            (None, None) => (known.command, known.prompt, self.node.or(known.node)),
            (command, prompt) => (command, prompt, self.node),
        };
        Self {
            name: self.name.or(known.name),
            command,
            prompt,
            version: self.version.or(known.version),
            node,
            env: self.env.or(known.env),
            modes: self.modes.or(known.modes),
            source: self.source.or(known.source),
        }
    }

    fn agent(self, id: String) -> Result<Agent, String> {
        let launch = match (self.command, self.prompt) {
            (Some(words), None) if !words.is_empty() => Launch::Protocol(words),
            (None, Some(words)) if !words.is_empty() => Launch::Prompt(words),
            (Some(_), Some(_)) => return Err(format!("[{id}] has both `command` and `prompt`; keep one")),
            _ => return Err(format!("[{id}] needs `command` or `prompt` with at least the program's name")),
        };
        Ok(Agent {
            name: self.name.unwrap_or_else(|| id.clone()),
            launch,
            version: self.version.unwrap_or_default(),
            node: self.node,
            env: self.env.unwrap_or_default(),
            modes: self.modes.unwrap_or_default(),
            source: self.source.unwrap_or_default(),
            id,
        })
    }
}

/// Finds a program in the `PATH` of an environment.
#[must_use]
pub fn find_program(name: &str, environment: &ChildEnvironment) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| runs(path));
    }
    let folders = environment.get("PATH").unwrap_or_default().split(':').filter(|folder| !folder.is_empty());
    folders.map(|folder| Path::new(folder).join(name)).find(|path| runs(path))
}

/// Asks an agent's program for its version; `None` if it is not installed or does not say.
pub async fn version(agent: &Agent, environment: &ChildEnvironment) -> Option<String> {
    first_line(&agent.version, environment).await
}

/// Explains that this machine's Node.js is too old for an agent, if it is.
pub(crate) async fn node_is_too_old(agent: &Agent, environment: &ChildEnvironment) -> Option<String> {
    let needed = agent.node?;
    let installed = first_line(&["node".to_owned(), "--version".to_owned()], environment).await?;
    let major: u32 = installed.trim_start_matches('v').split('.').next()?.parse().ok()?;
    (major < needed).then(|| format!("it needs Node.js {needed} or newer, and `node` is {installed}"))
}

/// Runs a command and returns the first line that it prints.
async fn first_line(words: &[String], environment: &ChildEnvironment) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let program = find_program(program, environment)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(command, Path::new("/"), environment).ok()?;
    let tail = Tail::new(VERSION_MAX_BYTES);
    let output = follow(&mut running.child, &tail);
    let ended = tokio::time::timeout(VERSION_TIMEOUT, async { tokio::join!(running.child.wait(), output).0 }).await;
    let status = ended.ok()?.ok()?;
    let (text, _) = tail.text();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    (Ended::of(status) == Ended::Code(0)).then(|| line.chars().filter(|c| !c.is_control()).take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_list_is_sound() {
        let agents = read(Path::new("/nonexistent/agents.toml")).unwrap();
        let ids: Vec<_> = agents.iter().map(|agent| agent.id.as_str()).collect();
        assert_eq!(ids, ["aider", "claude", "codex", "copilot", "cursor", "gemini", "goose", "opencode"]);
        for agent in &agents {
            assert!(agent.node.is_none_or(|_| agent.launch.program() == "npx"), "{agent:?}");
            assert!(agent.source.starts_with("https://") && !agent.version.is_empty(), "{agent:?}");
            assert_eq!(matches!(agent.launch, Launch::Prompt(_)), agent.id == "aider");
        }
    }

    #[test]
    fn the_own_file_adds_and_overrides_entry_by_entry() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agents.toml");
        std::fs::write(&file, "[claude]\ncommand = [\"my-claude\"]\n[mine]\nprompt = [\"tool\", \"{prompt}\"]\n")
            .unwrap();
        let agents = read(&file).unwrap();
        let claude = find(agents.clone(), "Claude").unwrap();
        assert_eq!((claude.name.as_str(), claude.launch.line().as_str()), ("Claude Code", "my-claude"));
        assert_eq!(claude.node, None, "the package's own command needed it");
        assert_eq!(
            find(agents.clone(), "mine").unwrap().launch,
            Launch::Prompt(vec!["tool".into(), "{prompt}".into()])
        );
        assert!(find(agents, "nobody").unwrap_err().to_string().contains("aider, claude"));
    }

    #[test]
    fn mistakes_in_the_own_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agents.toml");
        for (text, part) in [
            ("[x]\nname = \"X\"\n", "[x] needs `command` or `prompt`"),
            ("[x]\ncommand = [\"a\"]\nprompt = [\"b\"]\n", "keep one"),
            ("[x]\ncomand = [\"a\"]\n", "comand"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("agents.toml"), "{error}");
        }
    }
}
