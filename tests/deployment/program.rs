//! The real binary: what its help offers, and a running server.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The binary with none of this machine's settings.
pub fn owp(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_owp"));
    command.args(args).stdin(Stdio::null()).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in owp::config::VARIABLES {
        command.env_remove(name);
    }
    command
}

/// `owp <subcommand> --help`, or `owp --help` for an empty name.
pub fn help(subcommand: &str) -> String {
    let args = if subcommand.is_empty() { vec!["--help"] } else { vec![subcommand, "--help"] };
    let output = owp(&args).output().expect("the binary runs");
    assert!(output.status.success() && !output.stdout.is_empty(), "owp {args:?} offers no help: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Why the program would not take this command line, judged by its help.
pub fn refused(line: &[String], help: impl Fn(&str) -> String) -> Vec<String> {
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
    let flags = help(subcommand);
    let mut known = flags.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect::<Vec<_>>();
    known.retain(|word| word.starts_with("--"));
    args.iter()
        .filter(|arg| arg.starts_with("--"))
        .map(|arg| arg.split('=').next().unwrap_or_default())
        .filter(|flag| !known.contains(flag))
        .map(|flag| format!("`{whole}`: `{subcommand}` takes no `{flag}`"))
        .collect()
}

/// A port nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// `owp serve` on a fresh database, without a GitHub App; it is killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let database = format!("sqlite:{}", folder.path().join("owp.db").display());
        let child = owp(&["serve", "--listen", &format!("127.0.0.1:{port}"), "--database", &database])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let mut server = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while server.try_request("GET", "/livez").is_none() {
            let over = server.child.try_wait().expect("a child");
            assert!(over.is_none(), "owp serve ended: {over:?}");
            assert!(begun.elapsed() < Duration::from_secs(30), "owp serve does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// The status of an answer.
    pub fn request(&self, method: &str, path: &str) -> u16 {
        self.try_request(method, path).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    fn try_request(&self, method: &str, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_planted_flag_or_subcommand_is_refused() {
    let help = |subcommand: &str| match subcommand {
        "" => "Usage: owp <COMMAND>\n\nCommands:\n  serve        Runs the pool\n  healthcheck  Asks it\n".to_owned(),
        _ => "Options:\n      --listen <ADDR>  [env: OWP_LISTEN=]\n  -h, --help\n".to_owned(),
    };
    let judge = |line: &str| refused(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), help).join("\n");
    assert_eq!(judge("owp serve --listen 0.0.0.0:80"), "");
    assert_eq!(judge("owp serve --listen=0.0.0.0:80"), "");
    assert!(judge("owp serve --lis x").contains("takes no `--lis`"));
    assert!(judge("owp server").contains("no `server`"));
    assert!(judge("owp --listen x").contains("no `--listen`"));
    assert!(judge("sh -c owp").contains("something else"));
    assert!(judge("owp").contains("no subcommand"));
}
