//! What an agent, and the commands that it or a contract asks for, may see of the contributor's environment: a list of
//! allowed variables, so that a new secret is hidden without anybody's thinking of it.

use tokio::process::Command;

/// Variables of every process: where things are, how to talk, and how to reach the network.
const ALLOWED: [&str; 37] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "COLORTERM",
    "CURL_CA_BUNDLE",
    "DEVELOPER_DIR",
    "GOPATH",
    "GOROOT",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "JAVA_HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "NVM_DIR",
    "PATH",
    "PYENV_ROOT",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_HOME",
    "SDKROOT",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "VOLTA_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "http_proxy",
    "https_proxy",
];
/// Names that no agent's entry can add: they open the pool, GitHub, or other machines.
const REFUSED: [&str; 6] = ["OWP_", "GITHUB_", "GH_", "GIT_", "SSH_", "GPG_"];

/// Settings with which git pushes nothing: no address can be pushed to, no credentials are found, no ssh is started.
const GIT_SETTINGS: [(&str, &str); 6] = [
    ("credential.helper", ""),
    ("core.sshCommand", "false"),
    (NO_PUSH, "https://"),
    (NO_PUSH, "http://"),
    (NO_PUSH, "ssh://"),
    (NO_PUSH, "git@"),
];
const NO_PUSH: &str = "url.owp-pushes-after-its-checks://.pushInsteadOf";

/// The contributor's environment, as far as others may see it.
#[derive(Debug, Clone)]
pub struct ChildEnvironment {
    variables: Vec<(String, String)>,
}

impl ChildEnvironment {
    /// Selects the allowed variables and those that an agent's entry names.
    #[must_use]
    pub fn new(all: &[(String, String)], also: &[String]) -> Self {
        let allowed = |name: &str| {
            let named =
                also.iter().any(|also| also == name) && !REFUSED.iter().any(|refused| name.starts_with(refused));
            named || ALLOWED.contains(&name) || name.starts_with("LC_")
        };
        let mut variables: Vec<_> = all.iter().filter(|(name, _)| allowed(name)).cloned().collect();
        let mut set = |name: String, value: &str| variables.push((name, value.to_owned()));
        set("GIT_TERMINAL_PROMPT".to_owned(), "0");
        set("GIT_ASKPASS".to_owned(), "false");
        set("GIT_CONFIG_COUNT".to_owned(), &GIT_SETTINGS.len().to_string());
        for (n, (key, value)) in GIT_SETTINGS.iter().enumerate() {
            set(format!("GIT_CONFIG_KEY_{n}"), key);
            set(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        Self { variables }
    }

    /// Gives a command this environment and no other.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Returns a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_hidden_even_when_an_entry_asks_for_them() {
        let all = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("OWP_WORKER_TOKEN", "x"),
            ("GITHUB_TOKEN", "x"),
            ("SSH_AUTH_SOCK", "x"),
            ("ANTHROPIC_API_KEY", "key"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let all: Vec<_> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let also = ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "OWP_WORKER_TOKEN", "SSH_AUTH_SOCK"].map(str::to_owned);
        let seen = ChildEnvironment::new(&all, &also);
        for (name, value) in [("PATH", Some("/bin")), ("LC_ALL", Some("C")), ("ANTHROPIC_API_KEY", Some("key"))] {
            assert_eq!(seen.get(name), value, "{name}");
        }
        for hidden in ["OWP_WORKER_TOKEN", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY"] {
            assert_eq!(seen.get(hidden), None, "{hidden}");
        }
        assert_eq!(seen.get("GIT_ASKPASS"), Some("false"));
    }
}
