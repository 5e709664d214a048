//! The pool's tools for the agent of one task: an MCP server at a socket in a private folder. The agent reaches it through
//! `owp mcp --session`, without a token of its own.

use owp_client::Client;
use owp_mcp::PoolServer;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};

/// Delay after a connection that could not be accepted.
const RETRY: Duration = Duration::from_secs(1);
/// Permissions of the folder: nobody else reaches the socket.
const PRIVATE: u32 = 0o700;
const SOCKET: &str = "mcp";

/// A server in the background; it ends when this is dropped.
pub(super) struct TaskServer {
    folder: tempfile::TempDir,
    program: PathBuf,
    accepting: JoinHandle<()>,
}

impl TaskServer {
    /// Starts a server that shows one task, explains it and reports its progress.
    pub(super) fn start(pool: &Client, task: &str) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let folder = tempfile::Builder::new().prefix("owp-").permissions(Permissions::from_mode(PRIVATE)).tempdir()?;
        let listener = UnixListener::bind(folder.path().join(SOCKET))?;
        let server = PoolServer::for_task(Arc::new(pool.clone()), task);
        let accepting = tokio::spawn(accept(listener, server));
        Ok(Self { folder, program, accepting })
    }

    /// Returns the program that connects an agent, and its arguments.
    pub(super) fn command(&self) -> (PathBuf, Vec<String>) {
        let socket = self.folder.path().join(SOCKET).to_string_lossy().into_owned();
        (self.program.clone(), vec!["mcp".to_owned(), "--session".to_owned(), socket])
    }
}

impl Drop for TaskServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves every connection; all of them end with this.
async fn accept(listener: UnixListener, server: PoolServer) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let server = server.clone();
                connections.spawn(async move {
                    if let Err(error) = owp_mcp::serve(stream, server).await {
                        tracing::debug!(%error, "a connection of the agent broke");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of the agent could not be accepted");
                tokio::time::sleep(RETRY).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}
