//! Terminals of an agent: commands that run in its worktree and environment.

use super::files::Tree;
use crate::environment::ChildEnvironment;
use crate::process::{DRAINING, Ended, Running, Tail, follow};
use agent_client_protocol::v1::schema::{CreateTerminalRequest, TerminalExitStatus, TerminalOutputResponse};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::process::Command;
use tokio::sync::watch;

/// Bytes of output that are kept for each terminal.
const OUTPUT_MAX_BYTES: usize = 1024 * 1024;
/// Terminals of a session that may exist at once.
const TERMINALS_MAX: usize = 32;

/// All terminals of a session.
#[derive(Clone, Default)]
pub(super) struct Terminals {
    all: Arc<Mutex<HashMap<String, Terminal>>>,
    next: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Terminal {
    tail: Tail,
    ended: watch::Receiver<Option<Ended>>,
    stop: watch::Sender<bool>,
}

/// Formats a command for a question to the contributor.
pub(super) fn line(request: &CreateTerminalRequest) -> String {
    let mut line = request.command.clone();
    for argument in &request.args {
        line.push(' ');
        line.push_str(argument);
    }
    line
}

impl Terminals {
    /// Starts a command; without arguments, it is a line for the shell.
    ///
    /// # Errors
    /// If its folder is outside the worktree, it cannot be started, or there are too many.
    pub(super) fn create(
        &self,
        request: &CreateTerminalRequest,
        tree: &Tree,
        environment: &ChildEnvironment,
    ) -> io::Result<String> {
        let folder = tree.folder(request.cwd.as_deref().unwrap_or(Path::new(".")))?;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TERMINALS_MAX {
            return Err(io::Error::other(format!("{TERMINALS_MAX} terminals are open; release one first")));
        }
        let mut command = if request.args.is_empty() {
            let mut shell = Command::new("sh");
            shell.args(["-c", &request.command]);
            shell
        } else {
            let mut command = Command::new(&request.command);
            command.args(&request.args);
            command
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let limit = request.output_byte_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(OUTPUT_MAX_BYTES);
        let tail = Tail::new(limit.min(OUTPUT_MAX_BYTES));
        let mut running = Running::start(command, &folder, environment)?;
        let output = follow(&mut running.child, &tail);
        let (ends, ended) = watch::channel(None);
        let (stop, mut stopped) = watch::channel(false);
        let id = format!("terminal-{}", self.next.fetch_add(1, Ordering::Relaxed));
        tokio::spawn(async move {
            let output = tokio::spawn(output);
            let status = tokio::select! {
                status = running.child.wait() => status,
                _ = stopped.changed() => {
                    running.kill();
                    running.child.wait().await
                }
            };
            running.kill();
            drop(tokio::time::timeout(DRAINING, output).await);
            ends.send_replace(Some(status.map_or(Ended::Code(-1), Ended::of)));
        });
        all.insert(id.clone(), Terminal { tail, ended, stop });
        Ok(id)
    }

    fn find(&self, id: &str) -> Option<Terminal> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Returns the output so far.
    pub(super) fn output(&self, id: &str) -> Option<TerminalOutputResponse> {
        let terminal = self.find(id)?;
        let (text, truncated) = terminal.tail.text();
        let ended = *terminal.ended.borrow();
        Some(TerminalOutputResponse::new(text, truncated).exit_status(ended.map(status)))
    }

    /// Waits until the command ends.
    pub(super) async fn wait(&self, id: &str) -> Option<TerminalExitStatus> {
        let mut terminal = self.find(id)?;
        let ended = terminal.ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended);
        Some(status(ended.unwrap_or(Ended::Code(-1))))
    }

    /// Ends a command; its output stays.
    pub(super) fn kill(&self, id: &str) -> bool {
        self.find(id).is_some_and(|terminal| {
            terminal.stop.send_replace(true);
            true
        })
    }

    /// Ends a command and forgets it.
    pub(super) fn release(&self, id: &str) -> bool {
        let known = self.kill(id);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        known
    }
}

fn status(ended: Ended) -> TerminalExitStatus {
    match ended {
        Ended::Code(code) => TerminalExitStatus::new().exit_code(u32::try_from(code).unwrap_or(u32::MAX)),
        Ended::Signal(signal) => TerminalExitStatus::new().signal(signal.to_string()),
        Ended::TimedOut => TerminalExitStatus::new().signal("KILL".to_owned()),
    }
}
