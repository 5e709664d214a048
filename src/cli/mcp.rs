//! `owp mcp`: the calls of a worker as tools for AI tools, over the Model Context Protocol. stdout carries the protocol and
//! nothing else.

use super::connect::ConnectionArgs;
use super::failure::{Failure, finish};
use super::untrusted::visible_line;
use clap::Args;
use owp_config::Environment;
use owp_mcp::PoolServer;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, copy, join, stdin, stdout};
use tokio::net::UnixStream;

/// Help text: the worker, and the configuration of AI tools.
const MORE: &str = "\
An AI tool starts this program; docs/mcp.md shows the configuration for each one.
Worker: as for `owp worker`. Register first: `owp worker register --server URL --github LOGIN`.
Pool:   --server, else OWP_SERVER, else the one registered with last, else the one on this machine.";

/// Arguments of `owp mcp`.
#[derive(Debug, Clone, Args)]
#[command(after_help = MORE)]
pub struct McpArgs {
    #[arg(long, value_name = "URL", help = "Address of the pool, such as https://pool.example.org")]
    server: Option<String>,
    /// Connects to the server at a Unix socket, which `owp worker do` opens for its agent
    #[arg(long, value_name = "SOCKET", conflicts_with = "server")]
    session: Option<PathBuf>,
}

/// Serves the AI tool that started this program until it closes stdin.
pub async fn run(args: McpArgs, env: &Environment) -> ExitCode {
    let done = match &args.session {
        Some(socket) => relay(socket).await,
        None => serve(args.server, env).await,
    };
    finish("owp mcp", done, false)
}

async fn serve(server: Option<String>, env: &Environment) -> Result<(), Failure> {
    let client = ConnectionArgs { server, json: false }.worker(env)?;
    let served = owp_mcp::serve(join(stdin(), stdout()), PoolServer::new(Arc::new(client))).await;
    served.map_err(|error| {
        Failure::failed(visible_line(&format!("The AI tool does not speak MCP as expected: {error}.")))
            .next("Start this command from the configuration of an AI tool; docs/mcp.md shows how.")
    })
}

/// Copies stdin to a socket and the socket to stdout, until the server closes it.
async fn relay(socket: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::failed(visible_line(&format!("The connection to {} failed: {error}.", socket.display())))
            .next("The socket exists only while `owp worker` works on the task; start the agent with `owp worker do`.")
    };
    let stream = UnixStream::connect(socket).await.map_err(failed)?;
    let (mut from, mut to) = stream.into_split();
    let up = async {
        copy(&mut stdin(), &mut to).await?;
        to.shutdown().await?;
        // Responses may still be on their way.
        std::future::pending().await
    };
    let down = async { copy(&mut from, &mut stdout()).await.map(drop) };
    tokio::select! {
        done = up => done,
        done = down => done,
    }
    .map_err(failed)
}
