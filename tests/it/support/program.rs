//! The real binary: how to start it, and what its help offers.

use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::sync::Mutex;

/// The binary with none of this machine's settings: the one that was built with the tests, or another for long runs.
pub(crate) fn owp(args: &[&str]) -> Command {
    let binary = std::env::var_os("OWP_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_owp").into());
    let mut command = Command::new(binary);
    command.args(args).stdin(Stdio::null()).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in owp_config::VARIABLES.iter().chain(owp_config::CLIENT_VARIABLES) {
        command.env_remove(name);
    }
    command
}

/// `owp <subcommand> --help`, where one may be `admin init-repo`; `owp --help` for an empty name.
pub(crate) fn help(subcommand: &str) -> String {
    let args: Vec<&str> = subcommand.split_whitespace().chain(["--help"]).collect();
    let output = owp(&args).output().expect("the binary runs");
    assert!(output.status.success() && !output.stdout.is_empty(), "owp {args:?} offers no help: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the reasons why the program would reject a command line, judged by its help.
pub(crate) fn refused(line: &[String], help: impl Fn(&str) -> String) -> Vec<String> {
    let whole = line.join(" ");
    let [program, subcommand, args @ ..] = line else { return vec![format!("`{whole}` names no subcommand")] };
    if program != "owp" {
        return vec![format!("`{whole}` starts something else")];
    }
    let offered = help("");
    let listed = |word: &str| offered.lines().any(|l| l.starts_with("  ") && l.split_whitespace().next() == Some(word));
    if subcommand.starts_with('-') || !listed(subcommand) {
        return vec![format!("`{whole}`: there is no `{subcommand}`")];
    }
    let mut subcommand = subcommand.clone();
    let mut flags = help(&subcommand);
    if flags.contains("\nCommands:\n") {
        let nested = args.first().filter(|word| flags.lines().any(|line| line.starts_with(&format!("  {word} "))));
        let Some(nested) = nested else { return vec![format!("`{whole}`: `{subcommand}` has no such command")] };
        subcommand = format!("{subcommand} {nested}");
        flags = help(&subcommand);
    }
    let mut known = flags.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect::<Vec<_>>();
    known.retain(|word| word.starts_with("--"));
    args.iter()
        .filter(|arg| arg.starts_with("--"))
        .map(|arg| arg.split('=').next().unwrap_or_default())
        .filter(|flag| !known.contains(flag))
        .map(|flag| format!("`{whole}`: `{subcommand}` takes no `{flag}`"))
        .collect()
}

/// Starts `owp sandbox` in a folder, with webhooks to the pool at this address; returns the process and the facts that it
/// prints.
pub(crate) fn sandbox(folder: &Path, pool: &str, more: &[&str]) -> (Child, Value) {
    let mut child = owp(&["sandbox", "--listen", "127.0.0.1:0", "--webhook-url", &format!("{pool}/github/webhooks")])
        .args(more)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    (child, serde_json::from_str(&line).expect("JSON"))
}

/// Returns the variables with which `owp serve` is the App of a sandbox.
pub(crate) fn app_of(facts: &Value) -> [(&'static str, String); 4] {
    [
        ("GITHUB_APP_ID", "app_id"),
        ("GITHUB_APP_PRIVATE_KEY_FILE", "private_key_file"),
        ("GITHUB_WEBHOOK_SECRET", "webhook_secret"),
        ("GITHUB_API_URL", "api_url"),
    ]
    .map(|(name, key)| (name, facts[key].as_str().map_or_else(|| facts[key].to_string(), ToOwned::to_owned)))
}

/// A port nobody listens on, and which no other test gets before this process ends: a program that is started for it
/// begins to listen a little later, and another test would talk to that one. Below the ports that the system gives to
/// connections.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ports");
    fs::create_dir_all(&folder).expect("a folder for locks");
    let begin = process::id().wrapping_mul(61);
    for offset in 0..COUNT {
        let port = u16::try_from(FIRST + begin.wrapping_add(offset) % COUNT).expect("a port");
        let lock = File::create(folder.join(port.to_string())).expect("a lock");
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.lock().unwrap().push(lock);
            return port;
        }
    }
    panic!("no port is free");
}

#[test]
fn a_planted_flag_or_subcommand_is_refused() {
    let help = |subcommand: &str| match subcommand {
        "" => "Usage: owp <COMMAND>\n\nCommands:\n  serve        Runs the pool\n  admin  Orders it\n".to_owned(),
        "admin" => "Usage: owp admin <COMMAND>\n\nCommands:\n  pause  Stops\n".to_owned(),
        _ => "Options:\n      --listen <ADDR>  [env: OWP_LISTEN=]\n  -h, --help\n".to_owned(),
    };
    let judge = |line: &str| refused(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), help).join("\n");
    assert_eq!(judge("owp serve --listen 0.0.0.0:80"), "");
    assert_eq!(judge("owp serve --listen=0.0.0.0:80"), "");
    assert!(judge("owp serve --lis x").contains("takes no `--lis`"));
    assert!(judge("owp server").contains("no `server`"));
    assert_eq!(judge("owp admin pause --listen x"), "");
    assert!(judge("owp admin pause --lis x").contains("`admin pause` takes no `--lis`"));
    assert!(judge("owp admin resume").contains("`admin` has no such command"));
    assert!(judge("owp --listen x").contains("no `--listen`"));
    assert!(judge("sh -c owp").contains("something else"));
    assert!(judge("owp").contains("no subcommand"));
}
