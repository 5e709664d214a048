//! Agents that speak the Agent Client Protocol: this is the client, and the agent a child process.

use super::files::Tree;
use super::permission::Guard;
use super::terminals::{self, Terminals};
use super::transcript::Transcript;
use super::{AgentError, Conversation, Request, Setup};
use crate::agents::{Agent, Launch, find_program};
use crate::desk::{Desk, Event};
use crate::environment::ChildEnvironment;
use crate::process::{DRAINING, Running, Tail};
use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::schema::{
    AuthMethod, CancelNotification, ClientCapabilities, ContentBlock, CreateTerminalRequest, CreateTerminalResponse,
    FileSystemCapabilities, Implementation, InitializeRequest, InitializeResponse, KillTerminalRequest,
    KillTerminalResponse, McpServer, McpServerStdio, NewSessionRequest, PlanEntryStatus, PromptRequest,
    ReadTextFileRequest, ReadTextFileResponse, ReleaseTerminalRequest, ReleaseTerminalResponse,
    RequestPermissionRequest, SessionNotification, SessionUpdate, SetSessionModeRequest, TerminalOutputRequest,
    ToolCallContent, ToolCallStatus, WaitForTerminalExitRequest, WaitForTerminalExitResponse, WriteTextFileRequest,
    WriteTextFileResponse,
};
use agent_client_protocol::v1::{ConnectionTo, Responder};
use agent_client_protocol::{ByteStreams, Client, Error, ErrorCode, on_receive_notification, on_receive_request};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

/// Time for a program to start and answer; a package may have to be fetched first.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const ERRORS_MAX_BYTES: usize = 16 * 1024;

type Agentward = ConnectionTo<agent_client_protocol::Agent>;

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Its name and version, if it gives them.
    pub info: Option<(String, String)>,
    /// How its user can sign in.
    pub sign_in: Vec<String>,
    /// True if a session can be opened as it is, as far as the agent tells.
    pub signed_in: SignIn,
}

/// Whether an agent's user is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A session was opened; some agents check the account only at the first prompt.
    SessionOpened,
    /// The agent wants its user to sign in.
    Required,
    /// The agent failed to open a session for another reason.
    Unknown,
}

/// The end of an agent's error output, while it is read.
struct Errors {
    tail: Tail,
    reading: JoinHandle<()>,
}

impl Errors {
    /// Returns the last line, after the output has ended or some time.
    async fn last_line(self) -> Option<String> {
        drop(tokio::time::timeout(DRAINING, self.reading).await);
        let (text, _) = self.tail.text();
        text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
    }
}

/// Starts the agent's program.
fn launch(
    agent: &Agent,
    tree: &Path,
    environment: &ChildEnvironment,
) -> Result<(Running, ChildStdin, ChildStdout, Errors), AgentError> {
    let failed = |cause: String| AgentError::Start { name: agent.name.clone(), cause };
    let Launch::Protocol(words) = &agent.launch else {
        return Err(failed("it does not speak the protocol".to_owned()));
    };
    let (name, arguments) = words.split_first().ok_or_else(|| failed("its command is empty".to_owned()))?;
    let program = find_program(name, environment).ok_or_else(|| failed(format!("`{name}` is not installed")))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command, tree, environment).map_err(|error| failed(error.to_string()))?;
    let pipes = (running.child.stdin.take(), running.child.stdout.take(), running.child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(failed("it has no pipes".to_owned())) };
    let tail = Tail::new(ERRORS_MAX_BYTES);
    let follows = tail.clone();
    let reading = tokio::spawn(async move { follows.follow(stderr).await });
    Ok((running, stdin, stdout, Errors { tail, reading }))
}

/// Starts an agent and opens a session in the worktree.
pub(super) async fn start(setup: Setup) -> Result<Conversation, AgentError> {
    let name = setup.agent.name.clone();
    let failed = |cause: String| AgentError::Start { name: name.clone(), cause };
    let tree = Arc::new(Tree::open(&setup.tree).map_err(|error| failed(error.to_string()))?);
    let transcript = Transcript::open(&setup.folder).map_err(|error| failed(error.to_string()))?;
    let (running, stdin, stdout, errors) = launch(&setup.agent, tree.root(), &setup.environment)?;
    let (requests, asked) = mpsc::channel(4);
    let (ready, opened) = oneshot::channel();
    let limit = setup.turn_limit;
    let host = Host {
        tree,
        guard: Guard::new(setup.mode, Arc::clone(&setup.desk)),
        terminals: Terminals::default(),
        transcript,
        setup: Arc::new(setup),
    };
    let ends = tokio::spawn(async move {
        let mut ready = Some(ready);
        let ended = host.connect(stdin, stdout, async |cx| host.converse(cx, &mut ready, asked).await).await;
        if let (Err(error), Some(ready)) = (ended, ready) {
            drop(ready.send(Err(error)));
        }
    });
    let said = async |cause: &str| match errors.last_line().await {
        Some(last) => format!("{cause}; it said: {last}"),
        None => cause.to_owned(),
    };
    let answer = tokio::time::timeout(START_TIMEOUT, opened).await;
    let opened = match answer {
        Err(_) => {
            let cause = format!("it does not answer within {} seconds", START_TIMEOUT.as_secs());
            return Err(failed(said(&cause).await));
        }
        Ok(Err(_)) => return Err(failed(said("it ended before it opened a session").await)),
        Ok(Ok(Err(error))) => return Err(explained(&name, &error, &said(&error.message).await)),
        Ok(Ok(Ok(opened))) => opened,
    };
    let (tool, version) = opened.agent_info.map_or((name.clone(), None), |info| {
        (info.title.unwrap_or(info.name), Some(info.version).filter(|version| !version.is_empty()))
    });
    Ok(Conversation { name, limit, requests, tool: (tool, version), _ends: ends, _running: Some(running) })
}

/// Starts an agent, asks what it says of itself, and tries to open a session in an empty folder.
pub(super) async fn handshake(
    agent: &Agent,
    folder: &Path,
    environment: &ChildEnvironment,
    desk: Arc<dyn Desk>,
) -> Result<Handshake, AgentError> {
    let failed = |cause: String| AgentError::Start { name: agent.name.clone(), cause };
    let tree = Arc::new(Tree::open(folder).map_err(|error| failed(error.to_string()))?);
    let (_running, stdin, stdout, errors) = launch(agent, tree.root(), environment)?;
    let setup = Setup {
        agent: agent.clone(),
        tree: folder.to_owned(),
        folder: folder.to_owned(),
        environment: environment.clone(),
        mode: super::PermissionMode::Ask,
        turn_limit: START_TIMEOUT,
        desk: Arc::clone(&desk),
        reporter: None,
    };
    let host = Host {
        tree,
        guard: Guard::new(setup.mode, desk),
        terminals: Terminals::default(),
        transcript: Transcript::default(),
        setup: Arc::new(setup),
    };
    let (mut about, mut signed_in) = (None, SignIn::Unknown);
    let talk = host.connect(stdin, stdout, async |cx: Agentward| {
        about = Some(host.initialize(&cx).await?);
        signed_in = match cx.send_request(NewSessionRequest::new(host.tree.root())).block_task().await {
            Ok(_) => SignIn::SessionOpened,
            Err(error) if error.code == ErrorCode::AUTH_REQUIRED => SignIn::Required,
            Err(_) => SignIn::Unknown,
        };
        Ok(())
    });
    let talked = tokio::time::timeout(START_TIMEOUT, talk).await;
    let Some(about) = about else {
        let last = errors.last_line().await.unwrap_or_else(|| "it does not answer".to_owned());
        return Err(match talked {
            Ok(Err(error)) => failed(format!("{}; {last}", error.message)),
            _ => failed(last),
        });
    };
    let sign_in = about.auth_methods.iter().map(method_name).collect();
    let info = about.agent_info.map(|info| (info.name, info.version));
    Ok(Handshake { info, sign_in, signed_in })
}

fn method_name(method: &AuthMethod) -> String {
    match method {
        AuthMethod::Terminal(method) => method.name.clone(),
        AuthMethod::Agent(method) => method.name.clone(),
        _ => "another way".to_owned(),
    }
}

fn explained(name: &str, error: &Error, cause: &str) -> AgentError {
    if error.code == ErrorCode::AUTH_REQUIRED {
        let how = format!(
            "Sign in with its own program first; `owp worker agents` shows what it offers ({}).",
            error.message
        );
        return AgentError::SignIn { name: name.to_owned(), how };
    }
    AgentError::Stopped { name: name.to_owned(), cause: cause.to_owned() }
}

/// Answers the agent's requests.
#[derive(Clone)]
struct Host {
    tree: Arc<Tree>,
    guard: Guard,
    terminals: Terminals,
    transcript: Transcript,
    setup: Arc<Setup>,
}

impl Host {
    /// Connects to the agent's pipes and answers its requests while `talk` runs. Handlers return at once; what takes
    /// time runs beside them, because a blocked handler blocks the connection.
    async fn connect<T>(
        &self,
        stdin: ChildStdin,
        stdout: ChildStdout,
        talk: impl AsyncFnOnce(Agentward) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let on = || self.clone();
        let (updates, permissions, reads, writes) = (on(), on(), on(), on());
        let (creates, outputs, waits, kills, releases) = (on(), on(), on(), on(), on());
        Client
            .v1()
            .name("owp")
            .on_receive_notification(
                async move |update: SessionNotification, _cx| {
                    updates.show(&update);
                    Ok(())
                },
                on_receive_notification!(),
            )
            .on_receive_request(
                async move |asked: RequestPermissionRequest, responder: Responder<_>, cx: Agentward| {
                    let host = permissions.clone();
                    cx.spawn(async move {
                        host.transcript.add("permission", &asked);
                        let answer = host.guard.answer(&asked, host.tree.root()).await;
                        host.transcript.add("answer", &answer);
                        responder.respond(answer)
                    })
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: ReadTextFileRequest, responder: Responder<_>, _cx| {
                    let text = reads.tree.read(&asked.path, asked.line, asked.limit);
                    responder.respond_with_result(text.map(ReadTextFileResponse::new).map_err(|e| reads.refused(&e)))
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: WriteTextFileRequest, responder: Responder<_>, _cx| {
                    let done = writes.tree.write(&asked.path, &asked.content);
                    if done.is_ok() {
                        writes.setup.desk.show(&Event::Changed(asked.path));
                    }
                    responder.respond_with_result(
                        done.map(|()| WriteTextFileResponse::new()).map_err(|error| writes.refused(&error)),
                    )
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: CreateTerminalRequest, responder: Responder<_>, cx: Agentward| {
                    let host = creates.clone();
                    cx.spawn(async move { responder.respond_with_result(host.create_terminal(&asked).await) })
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: TerminalOutputRequest, responder: Responder<_>, _cx| {
                    let output = outputs.terminals.output(&asked.terminal_id.0);
                    responder.respond_with_result(output.ok_or_else(no_terminal))
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: WaitForTerminalExitRequest, responder: Responder<_>, cx: Agentward| {
                    let terminals = waits.terminals.clone();
                    cx.spawn(async move {
                        let status = terminals.wait(&asked.terminal_id.0).await;
                        let answer = status.map(WaitForTerminalExitResponse::new).ok_or_else(no_terminal);
                        responder.respond_with_result(answer)
                    })
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: KillTerminalRequest, responder: Responder<_>, _cx| {
                    let known = kills.terminals.kill(&asked.terminal_id.0);
                    responder.respond_with_result(known.then(KillTerminalResponse::new).ok_or_else(no_terminal))
                },
                on_receive_request!(),
            )
            .on_receive_request(
                async move |asked: ReleaseTerminalRequest, responder: Responder<_>, _cx| {
                    let known = releases.terminals.release(&asked.terminal_id.0);
                    responder.respond_with_result(known.then(ReleaseTerminalResponse::new).ok_or_else(no_terminal))
                },
                on_receive_request!(),
            )
            .connect_with(ByteStreams::new(stdin.compat_write(), stdout.compat()), talk)
            .await
    }

    async fn initialize(&self, cx: &Agentward) -> Result<InitializeResponse, Error> {
        let files = FileSystemCapabilities::new().read_text_file(true).write_text_file(true);
        let capabilities = ClientCapabilities::new().fs(files).terminal(true);
        let about = Implementation::new("owp", env!("CARGO_PKG_VERSION"));
        let request = InitializeRequest::new(ProtocolVersion::V1).client_capabilities(capabilities).client_info(about);
        cx.send_request(request).block_task().await
    }

    /// Opens a session and passes prompts on until nobody sends any more.
    async fn converse(
        &self,
        cx: Agentward,
        ready: &mut Option<oneshot::Sender<Result<InitializeResponse, Error>>>,
        mut asked: mpsc::Receiver<Request>,
    ) -> Result<(), Error> {
        let about = self.initialize(&cx).await?;
        let mut request = NewSessionRequest::new(self.tree.root());
        if let Some((program, arguments)) = &self.setup.reporter {
            let server = McpServerStdio::new("owp", program.clone()).args(arguments.clone());
            request = request.mcp_servers(vec![McpServer::Stdio(server)]);
        }
        let session = cx.send_request(request).block_task().await?;
        let id = session.session_id;
        if let Some(modes) = session.modes {
            let offered = |mode: &&String| modes.available_modes.iter().any(|known| *known.id.0 == ***mode);
            let wanted = self.setup.agent.modes.iter().find(offered);
            if let Some(mode) = wanted.filter(|mode| *modes.current_mode_id.0 != ***mode) {
                cx.send_request(SetSessionModeRequest::new(id.clone(), mode.clone())).block_task().await?;
            }
        }
        if let Some(ready) = ready.take() {
            drop(ready.send(Ok(about)));
        }
        while let Some(request) = asked.recv().await {
            let Request::Prompt(text, answer) = request else { continue };
            self.transcript.add("prompt", &text);
            let prompt = PromptRequest::new(id.clone(), vec![ContentBlock::from(text)]);
            let mut turn = Box::pin(cx.send_request(prompt).block_task());
            let result = loop {
                tokio::select! {
                    result = &mut turn => break result,
                    request = asked.recv() => match request {
                        Some(_) => cx.send_notification(CancelNotification::new(id.clone()))?,
                        None => return Ok(()),
                    },
                }
            };
            let name = &self.setup.agent.name;
            drop(answer.send(match result {
                Ok(response) => Ok(response.stop_reason),
                Err(error) => Err(explained(name, &error, &error.message)),
            }));
        }
        Ok(())
    }

    async fn create_terminal(&self, asked: &CreateTerminalRequest) -> Result<CreateTerminalResponse, Error> {
        let line = terminals::line(asked);
        self.transcript.add("command", &line);
        if !self.guard.command(&line).await {
            return Err(Error::new(ErrorCode::INVALID_PARAMS, format!("The contributor does not allow `{line}`.")));
        }
        let id = self.terminals.create(asked, &self.tree, &self.setup.environment);
        id.map(CreateTerminalResponse::new).map_err(|error| self.refused(&error))
    }

    /// Tells the contributor about a request that left the worktree, and returns the error for the agent.
    fn refused(&self, error: &std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            self.setup.desk.show(&Event::Refused(error.to_string()));
        }
        Error::new(ErrorCode::INVALID_PARAMS, error.to_string())
    }

    /// Shows an update of the session.
    fn show(&self, update: &SessionNotification) {
        self.transcript.add("update", &update.update);
        let desk = &self.setup.desk;
        match &update.update {
            SessionUpdate::AgentMessageChunk(chunk) => {
                if let ContentBlock::Text(text) = &chunk.content {
                    desk.show(&Event::Text(text.text.clone()));
                }
            }
            SessionUpdate::Plan(plan) => {
                let entries = plan.entries.iter().map(|entry| (entry.content.clone(), plan_state(&entry.status)));
                desk.show(&Event::Plan(entries.collect()));
            }
            SessionUpdate::ToolCall(call) => {
                desk.show(&Event::Tool { title: call.title.clone(), state: tool_state(call.status) });
                self.show_changes(&call.content);
            }
            SessionUpdate::ToolCallUpdate(call) => {
                let fields = &call.fields;
                if let (Some(title), Some(status)) = (&fields.title, fields.status) {
                    desk.show(&Event::Tool { title: title.clone(), state: tool_state(status) });
                }
                self.show_changes(fields.content.as_deref().unwrap_or_default());
            }
            SessionUpdate::UsageUpdate(usage) => {
                let cost = usage.cost.as_ref().map(|cost| (cost.amount, cost.currency.clone()));
                desk.show(&Event::Usage { used: usage.used, size: usage.size, cost });
            }
            _ => {}
        }
    }

    fn show_changes(&self, content: &[ToolCallContent]) {
        for part in content {
            if let ToolCallContent::Diff(diff) = part {
                self.setup.desk.show(&Event::Changed(diff.path.clone()));
            }
        }
    }
}

fn no_terminal() -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, "There is no such terminal.")
}

fn plan_state(status: &PlanEntryStatus) -> &'static str {
    match status {
        PlanEntryStatus::InProgress => "in progress",
        PlanEntryStatus::Completed => "done",
        _ => "to do",
    }
}

fn tool_state(status: ToolCallStatus) -> &'static str {
    match status {
        ToolCallStatus::InProgress => "running",
        ToolCallStatus::Completed => "done",
        ToolCallStatus::Failed => "failed",
        _ => "asked",
    }
}
