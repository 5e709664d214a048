//! A running `owp serve`.

use crate::support::program::{free_port, owp};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// `owp serve` on a fresh database, without a GitHub App; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_on("127.0.0.1", &[])
    }

    /// The same on another address, with these variables besides.
    pub(crate) fn start_on(host: &str, variables: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let database = format!("sqlite:{}", folder.path().join("owp.db").display());
        let child = owp(&["serve", "--listen", &format!("{host}:{port}"), "--database", &database])
            .envs(variables.iter().cloned())
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
    pub(crate) fn request(&self, method: &str, path: &str) -> u16 {
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
