//! A PostgreSQL server of a test's own, which the test may kill, stop and fill up.

use super::stage::fill_disk;
use crate::support::program::free_port;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Most connections at a time, those of all replicas together included.
const CONNECTIONS: &str = "40";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Cluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
    /// User and group of the server: PostgreSQL does not run as root.
    owner: Option<(u32, u32)>,
    postmaster: Mutex<Option<Child>>,
    pub(crate) url: String,
    port: u16,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = owner();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = free_port();
        let url = format!("postgres://owp@127.0.0.1:{port}/postgres");
        let cluster = Self { programs: programs(), folder, owner, postmaster: Mutex::default(), url, port };
        let made = cluster
            .program("initdb")
            .args(["-U", "owp", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.run().await;
        cluster
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Prepares one of PostgreSQL's programs, to run as the server's owner.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts the server, as soon as nothing is left of the one before, and waits until it answers.
    pub(crate) async fn run(&self) {
        let began = Instant::now();
        loop {
            let log = fs::File::create(self.folder.path().join("log")).unwrap();
            let mut server = self
                .program("postgres")
                .args(["-p", &self.port.to_string(), "-c", &format!("max_connections={CONNECTIONS}")])
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-D"])
                .arg(self.data())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            while server.try_wait().unwrap().is_none() {
                if self.answers() {
                    *self.postmaster.lock().unwrap() = Some(server);
                    return;
                }
                assert!(began.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.log());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not stay: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn answers(&self) -> bool {
        let asked = self.program("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]).status();
        asked.is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `kill -9`: transactions that were not committed are gone, and the next start recovers from the log.
    pub(crate) fn kill(&self) {
        if let Some(mut server) = self.postmaster.lock().unwrap().take() {
            let _ended = server.kill();
            let _reaped = server.wait();
        }
    }

    /// Lets every write of the server fail, as on a full disk. It does not survive that.
    pub(crate) fn fill_disk(&self) {
        let server = self.postmaster.lock().unwrap().as_ref().expect("it runs").id();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap();
        assert!(self.fill(&server.to_string()));
        // Some end meanwhile.
        let full = children.split_whitespace().filter(|child| self.fill(child)).count();
        assert!(full > 0, "it has no processes but the first");
    }

    /// Lets the writes of one of its processes fail; false if it has ended. Only its owner may.
    fn fill(&self, process: &str) -> bool {
        let mut limit = fill_disk(process, true);
        if let Some((user, group)) = self.owner {
            limit.uid(user).gid(group);
        }
        limit.status().expect("the package util-linux is installed").success()
    }

    /// Stops the server as an update would: connections are closed, and what was committed is written out.
    pub(crate) fn stop(&self) {
        let data = self.data();
        let stopped = self.program("pg_ctl").args(["stop", "-m", "fast", "-D"]).arg(&data).output().unwrap();
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stdout));
        if let Some(mut server) = self.postmaster.lock().unwrap().take() {
            let _reaped = server.wait();
        }
    }
}

/// Returns the folder of the newest PostgreSQL's programs. Debian keeps them out of the `PATH`.
fn programs() -> PathBuf {
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let newest = versions.flatten().map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists());
    newest.max_by_key(|path| version(path)).expect("there is a version with initdb").join("bin")
}

/// Returns user and group for a server that is started by root: those of `postgres`, or of `nobody`.
fn owner() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().ok());
        Some((ids.next()??, ids.next()??))
    };
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    if is_root { of("postgres").or_else(|| of("nobody")) } else { None }
}
