//! Tools without the protocol: a program that reads a prompt from a file and ends when it is done. Its exit code says
//! little (some always end with 0), so its work is judged by the worktree.

use super::transcript::Transcript;
use super::{AgentError, Conversation, Request, Setup};
use crate::agents::{find_program, version};
use crate::desk::Event;
use crate::process::{Running, Tail, follow};
use agent_client_protocol::v1::schema::StopReason;
use std::process::Stdio;
use tokio::process::Command;
use tokio::sync::mpsc;

const OUTPUT_MAX_BYTES: usize = 256 * 1024;
/// Lines of its last output that are shown.
const SHOWN_LINES: usize = 12;

pub(super) async fn start(setup: Setup, words: Vec<String>) -> Result<Conversation, AgentError> {
    let name = setup.agent.name.clone();
    let program = words.first().map_or("", String::as_str);
    if find_program(program, &setup.environment).is_none() {
        return Err(AgentError::Start { name, cause: format!("`{program}` is not installed") });
    }
    let tool = (name.clone(), version(&setup.agent, &setup.environment).await);
    let limit = setup.turn_limit;
    let transcript = Transcript::open(&setup.folder)
        .map_err(|error| AgentError::Start { name: name.clone(), cause: error.to_string() })?;
    let (requests, mut asked) = mpsc::channel(4);
    let ends = tokio::spawn(async move {
        let mut turn = 0;
        while let Some(request) = asked.recv().await {
            let Request::Prompt(text, answer) = request else { continue };
            turn += 1;
            transcript.add("prompt", &text);
            let result = run(&setup, &words, turn, &text, &mut asked, &transcript).await;
            drop(answer.send(result));
        }
    });
    Ok(Conversation { name, limit, requests, tool, _ends: ends, _running: None })
}

async fn run(
    setup: &Setup,
    words: &[String],
    turn: u32,
    text: &str,
    asked: &mut mpsc::Receiver<Request>,
    transcript: &Transcript,
) -> Result<StopReason, AgentError> {
    let failed =
        |cause: std::io::Error| AgentError::Stopped { name: setup.agent.name.clone(), cause: cause.to_string() };
    let prompt = setup.folder.join(format!("prompt-{turn}.md"));
    std::fs::write(&prompt, text).map_err(failed)?;
    let fill = |word: &String| {
        word.replace("{prompt}", &prompt.to_string_lossy()).replace("{dir}", &setup.tree.to_string_lossy())
    };
    let words: Vec<String> = words.iter().map(fill).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command, &setup.tree, &setup.environment).map_err(failed)?;
    let tail = Tail::new(OUTPUT_MAX_BYTES);
    let output = tokio::spawn(follow(&mut running.child, &tail));
    let status = tokio::select! {
        status = running.child.wait() => Some(status.map_err(failed)?),
        _ = asked.recv() => None,
    };
    running.kill();
    drop(tokio::time::timeout(super::CANCELLATION, output).await);
    let (said, _) = tail.text();
    transcript.add("output", &said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    setup.desk.show(&Event::Text(lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")));
    match status {
        None => Ok(StopReason::Cancelled),
        Some(status) if status.success() => Ok(StopReason::EndTurn),
        Some(status) => Err(AgentError::Stopped { name: setup.agent.name.clone(), cause: status.to_string() }),
    }
}
