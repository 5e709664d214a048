//! `owp sandbox`: the sandbox GitHub alone, for trying the service with `curl` and no GitHub account.
//!
//! Prints one JSON line on stdout; everything else goes to stderr. No part of the service runs here.

use super::failure::print_error;
use super::untrusted::visible;
use clap::Args;
use owp_base::clock::Clock;
use owp_engine::sign_in_url;
use owp_sandbox::{Sandbox, SandboxConfig, SeededWorld, StartError, check_system_git, seed};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tempfile::TempDir;

/// Arguments of `owp sandbox`.
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9797", value_parser = super::values::listen)]
    pub listen: SocketAddr,
    /// Address to send webhooks to, for example http://127.0.0.1:8787/github/webhooks
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub webhook_url: Option<String>,
    /// Secret that signs webhooks; random by default.
    #[arg(long, value_name = "SECRET")]
    pub webhook_secret: Option<String>,
    /// Seed for ids and tokens; the same seed gives the same ones.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// File for the App's private key; by default a new file in the temporary folder.
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// Empty folder for the git repositories; by default a temporary one, if git 2.38 or newer is installed.
    #[arg(long, value_name = "FOLDER")]
    pub git: Option<PathBuf>,
    /// Serve no git: branches have names, but no content.
    #[arg(long, conflicts_with = "git")]
    pub no_git: bool,
}

fn web_address(text: &str) -> Result<String, String> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        Ok(url) => Err(format!("must be an http:// or https:// address, not {}://", url.scheme())),
        Err(_) => Err("must be an address such as http://127.0.0.1:8787/github/webhooks".to_owned()),
    }
}

/// Starts the sandbox, prints how to reach it, and runs until Ctrl-C or SIGTERM.
pub async fn run(args: SandboxArgs) -> ExitCode {
    match serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("owp sandbox: {}", visible(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: SandboxArgs) -> Result<(), String> {
    let clock = Clock::System;
    let mut config = SandboxConfig::new(Arc::new(move || clock.now_ms()));
    config.listen = args.listen;
    config.seed = args.seed;
    config.webhook_secret = Some(args.webhook_secret.unwrap_or_else(random_secret));
    let (git, _temporary) = git_folder(args.git, args.no_git)?;
    config.git = git;
    let sandbox = Sandbox::start(config).await.map_err(|error| match error {
        StartError::Listen { .. } => format!("{error}; choose another address with --listen"),
        StartError::Git(_) => format!("{error}; choose an empty folder with --git, or start with --no-git"),
        error => error.to_string(),
    })?;
    let seeded = seed(&sandbox).map_err(|error| error.to_string())?;
    // Set last: events from before the App's installation are not delivered.
    if let Some(url) = &args.webhook_url {
        sandbox.set_webhook_url(url);
        if let Some(pool) = reqwest::Url::parse(url).ok().map(|url| url.origin().ascii_serialization()) {
            sandbox.set_callback_urls(&[sign_in_url(&pool)]);
        }
    }
    let made_here = args.private_key_file.is_none();
    let key_file = args.private_key_file.unwrap_or_else(|| key_path(&sandbox));
    write_private(&key_file, &sandbox.private_key_pem())
        .map_err(|error| format!("cannot write the private key to {}: {error}", key_file.display()))?;
    let told = announce(&introduction(&sandbox, &seeded, &key_file));
    if told.is_ok() {
        let url = sandbox.api_url();
        print_error(&format!("owp sandbox: listening on {url}; Ctrl-C ends it"));
        if sandbox.serves_git() {
            print_error(&format!(
                "owp sandbox: git clone {url}/acme/rocket.git; to push, give a token as the password"
            ));
        }
        until_told_to_stop().await;
    }
    sandbox.stop().await;
    if made_here {
        // The key is useless now; a leftover would only confuse.
        let _ = fs::remove_file(&key_file);
    }
    told.map_err(|error| format!("cannot write to stdout: {error}"))
}

/// Returns the folder for git repositories, and a guard that removes a temporary one.
fn git_folder(chosen: Option<PathBuf>, none: bool) -> Result<(Option<PathBuf>, Option<TempDir>), String> {
    if none || chosen.is_some() {
        return Ok((chosen, None));
    }
    if let Err(error) = check_system_git() {
        print_error(&format!("owp sandbox: {error}; branches have names, but no content"));
        return Ok((None, None));
    }
    let folder = tempfile::Builder::new().prefix("owp-sandbox-git-").tempdir();
    let folder = folder.map_err(|error| format!("cannot make a temporary folder for git: {error}"))?;
    Ok((Some(folder.path().to_owned()), Some(folder)))
}

fn random_secret() -> String {
    data_encoding::HEXLOWER.encode(&owp_base::clock::Entropy::system().bytes::<16>())
}

/// Returns a unique file name, from the port and a random part.
fn key_path(sandbox: &Sandbox) -> PathBuf {
    let port = sandbox.api_url().rsplit(':').next().unwrap_or_default().to_owned();
    std::env::temp_dir().join(format!("owp-sandbox-{port}-{}.pem", &random_secret()[..8]))
}

/// Writes a file that only its owner can read; replaces an old file of this name, never writes through it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Builds the one line on stdout.
fn introduction(sandbox: &Sandbox, seeded: &SeededWorld, key_file: &Path) -> Value {
    let mut users = json!({});
    for one in &seeded.users {
        users[&one.user.login] = json!({ "id": one.user.id, "token": one.user.token, "role": one.role });
    }
    json!({
        "api_url": sandbox.api_url(),
        // A repository is below it, such as /acme/rocket.git.
        "git_url": sandbox.serves_git().then(|| sandbox.api_url()),
        "app_id": sandbox.app_id(),
        "private_key_file": key_file,
        "webhook_secret": sandbox.webhook_secret(),
        "client_id": sandbox.oauth_client().0,
        "client_secret": sandbox.oauth_client().1,
        "installation_id": seeded.installation,
        "users": users,
    })
}

fn announce(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn until_told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else {
            let _ = interrupted.await;
            return;
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupted.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_introduction_has_a_token_for_everybody_and_a_key_only_the_owner_can_read() {
        let clock = Clock::manual(1_000_000);
        let sandbox = Sandbox::start(SandboxConfig::new(Arc::new(move || clock.now_ms()))).await.unwrap();
        let seeded = seed(&sandbox).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        fs::write(&file, "an old key").unwrap();
        write_private(&file, &sandbox.private_key_pem()).unwrap();
        let line = introduction(&sandbox, &seeded, &file);
        assert_eq!(line["users"]["mona"]["role"], "admin");
        assert!(line["users"]["stranger"]["token"].as_str().unwrap().starts_with("ghp_"));
        assert!(fs::read_to_string(&file).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        sandbox.stop().await;
    }

    #[tokio::test]
    async fn the_repositories_can_be_cloned_from_a_temporary_folder_unless_git_is_not_wanted() {
        let (folder, guard) = git_folder(None, false).unwrap();
        assert_eq!(folder.as_deref(), guard.as_ref().map(TempDir::path));
        let clock = Clock::manual(1_000_000);
        let config = SandboxConfig::new(Arc::new(move || clock.now_ms()));
        let sandbox = Sandbox::quiet(SandboxConfig { git: folder, ..config }).unwrap();
        let seeded = seed(&sandbox).unwrap();
        let line = introduction(&sandbox, &seeded, Path::new("key.pem"));
        assert_eq!(line["git_url"], line["api_url"]);
        assert_eq!(git_folder(None, true).unwrap().0, None);
    }

    #[test]
    fn a_webhook_goes_to_a_web_address() {
        assert!(web_address("http://127.0.0.1:8787/github/webhooks").is_ok());
        assert!(web_address("ftp://example.org/").is_err());
        assert!(web_address("127.0.0.1").is_err());
    }
}
