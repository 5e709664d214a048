//! Runs commands with limits on time and output, each in a process group of its own, so that all it started ends with it.

use crate::environment::ChildEnvironment;
use rustix::process::{Pid, Signal, kill_process_group};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Waits until its standard input ends, which is when this program has ended, however it did; then ends its own group.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -9 0";
/// Time for the rest of the output of a process that ended or failed.
pub(crate) const DRAINING: Duration = Duration::from_secs(2);

/// Says a time in words: seconds up to two minutes, then minutes.
pub(crate) fn spoken(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        secs @ ..120 => format!("{secs} seconds"),
        secs => format!("{} minutes", secs.div_ceil(60)),
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It was stopped because its time was over.
    TimedOut,
}

impl Ended {
    /// Reads the status of a process.
    pub(crate) fn of(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// The end of a process's output, of both streams in the order of arrival.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    kept: Arc<Mutex<Kept>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Tail {
    /// Keeps so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend_from_slice(bytes);
        let over = kept.bytes.len().saturating_sub(self.limit);
        if over > 0 {
            kept.bytes.drain(..over);
            kept.truncated = true;
        }
    }

    /// Returns the text, and true if its beginning is missing.
    pub(crate) fn text(&self) -> (String, bool) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A cut may be in the middle of a character.
        let begin = kept.bytes.iter().take(4).take_while(|byte| kept.truncated && (**byte & 0xC0) == 0x80).count();
        (String::from_utf8_lossy(&kept.bytes[begin..]).into_owned(), kept.truncated)
    }

    /// Copies a stream until it ends.
    pub(crate) async fn follow(&self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            self.add(&buffer[..read]);
        }
    }
}

/// A running process; dropping it ends all that it started, and so does the end of this program.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    group: Option<Pid>,
    _guard: Option<Child>,
}

impl Running {
    /// Starts a command in a process group of its own.
    ///
    /// # Errors
    /// If the program does not exist or cannot be started.
    pub(crate) fn start(mut command: Command, folder: &Path, environment: &ChildEnvironment) -> std::io::Result<Self> {
        environment.apply(&mut command);
        let child = command.current_dir(folder).env("PWD", folder).process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // Without a guard, only a killed program leaves processes behind.
        let guard = group.and_then(|group| guard(group, environment).ok());
        Ok(Self { child, group, _guard: guard })
    }

    /// Ends the process and all that it started.
    pub(crate) fn kill(&mut self) {
        // The group's number may belong to others once its leader was waited for and all members are gone. The guard is
        // a member, so the kernel keeps the number until then.
        if let Some(group) = self.group.take() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a member of a process group that ends the group when this program is killed and cannot do it.
fn guard(group: Pid, environment: &ChildEnvironment) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    environment.apply(&mut command);
    command.args(["-c", GUARD]).current_dir("/").process_group(group.as_raw_nonzero().get());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()
}

/// Runs a shell command to its end.
///
/// # Errors
/// If the shell cannot be started.
pub(crate) async fn shell(
    line: &str,
    folder: &Path,
    environment: &ChildEnvironment,
    timeout: Duration,
    tail: &Tail,
) -> std::io::Result<Ended> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command, folder, environment)?;
    let output = tokio::spawn(follow(&mut running.child, tail));
    let ended = tokio::time::timeout(timeout, running.child.wait()).await;
    // What the command left running must not go on changing the worktree, and keeps the pipes open.
    running.kill();
    drop(tokio::time::timeout(DRAINING, output).await);
    match ended {
        Ok(status) => Ok(Ended::of(status?)),
        Err(_) => Ok(Ended::TimedOut),
    }
}

/// Copies both output streams of a process.
pub(crate) fn follow(child: &mut Child, tail: &Tail) -> impl Future<Output = ()> + Send + use<> {
    let (stdout, stderr, tail) = (child.stdout.take(), child.stderr.take(), tail.clone());
    async move {
        let stdout = async {
            if let Some(stream) = stdout {
                tail.follow(stream).await;
            }
        };
        let stderr = async {
            if let Some(stream) = stderr {
                tail.follow(stream).await;
            }
        };
        tokio::join!(stdout, stderr);
    }
}
