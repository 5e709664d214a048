//! Error reporting of commands: a sentence on stderr, the next step, and an exit code; with `--json` also as JSON on
//! stdout.
//!
//! Exit codes: 0 success, 1 failed or refused, 2 usage error (a flag, a file, a setting), 4 no access (missing or
//! invalid token).

use super::rephrase;
use super::untrusted::{visible, visible_json, visible_line};
use owp_client::ClientError;
use owp_config::ConfigError;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

const FAILED: u8 = 1;
const USAGE_ERROR: u8 = 2;
const NO_ACCESS: u8 = 4;
/// Heading of a refusal with several reasons, which follow it.
const SEVERAL_REASONS: &str = "The pool refused, for each of these reasons:";

/// The error of a command, and its fix.
#[derive(Debug)]
pub struct Failure {
    what: String,
    /// Lines printed before it, such as the errors in a file.
    above: Vec<String>,
    /// Further lines, such as the rules that do not hold.
    because: Vec<String>,
    next: Option<String>,
    code: u8,
    problem: Option<Box<Value>>,
    /// Work completed despite the failure.
    done: Option<Box<Value>>,
}

impl Failure {
    /// Creates the failure of an operation that did not succeed.
    pub fn failed(what: impl Into<String>) -> Self {
        let (above, because) = (Vec::new(), Vec::new());
        Self { what: what.into(), above, because, next: None, code: FAILED, problem: None, done: None }
    }

    /// Creates the failure of an operation that was not attempted: a flag, a file or a setting is wrong.
    pub fn usage_error(what: impl Into<String>) -> Self {
        Self { code: USAGE_ERROR, ..Self::failed(what) }
    }

    /// Creates the failure of an operation that lacks valid credentials.
    pub fn no_access(what: impl Into<String>) -> Self {
        Self { code: NO_ACCESS, ..Self::failed(what) }
    }

    /// Adds the next step, as a sentence.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds lines with details.
    #[must_use]
    pub fn because(mut self, lines: Vec<String>) -> Self {
        self.because = lines;
        self
    }

    /// Adds lines printed before the message, each an independent finding such as `FILE:LINE:COLUMN: what`.
    #[must_use]
    pub fn above(mut self, lines: Vec<String>) -> Self {
        self.above = lines;
        self
    }

    /// Adds the work completed despite the failure, for `--json`.
    #[must_use]
    pub fn with_completed(mut self, done: Value) -> Self {
        self.done = Some(Box::new(done));
        self
    }

    /// Marks the failure as a usage error.
    #[must_use]
    pub fn as_usage_error(self) -> Self {
        Self { code: USAGE_ERROR, ..self }
    }

    /// Returns the first line: the message, or a heading if the message only repeats the reasons that follow.
    fn heading(&self) -> &str {
        let is_told_below = self.because.len() > 1 && self.because.join(" ") == self.what;
        if is_told_below { SEVERAL_REASONS } else { &self.what }
    }

    /// Returns the exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Returns the message with its next step, for a log in which the command goes on.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match &self.next {
            Some(next) => format!("{} {next}", self.heading()),
            None => self.heading().to_owned(),
        }
    }

    fn as_json(&self) -> Value {
        let because: Vec<_> = self.above.iter().chain(&self.because).collect();
        let mut error = json!({
            "message": self.what, "because": because, "next": self.next, "exit_code": self.code, "problem": self.problem,
        });
        if let Some(done) = &self.done {
            error["done"] = Value::clone(done);
        }
        versioned(json!({ "error": error }))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage_error(sentence(&error.to_string()))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        // It may quote the server, whose text must not start a line of its own.
        let what = match &error {
            ClientError::Problem(problem) => rephrase::detail(problem),
            error => sentence(&error.to_string()),
        };
        let what = visible_line(&sentence(&what));
        match error {
            ClientError::Address(_) | ClientError::Versioned { .. } => Self::usage_error(what),
            ClientError::Timeout { .. } => {
                Self::failed(what).next("Try again in a moment; `owp healthcheck` checks that the pool is ready.")
            }
            ClientError::Unreachable { .. } => Self::failed(what)
                .next("Check that a pool runs there: `owp serve` starts one; `--server` and OWP_SERVER name another."),
            ClientError::ServerError { .. } => Self::failed(what).next("Try again in a moment."),
            ClientError::NotJson { .. } | ClientError::TooLong { .. } => {
                Self::failed(what).next("Check the address: `--server` and OWP_SERVER name another.")
            }
            ClientError::Problem(problem) => {
                let code = if problem.status == 401 { NO_ACCESS } else { FAILED };
                // A single reason usually equals the detail.
                let because = problem.reasons().iter().map(rephrase::reason).filter(|reason| *reason != what).collect();
                Self { code, because, problem: Some(Box::new(problem.body.clone())), ..Self::failed(what) }
            }
        }
    }
}

/// Turns an error text, which is a clause, into a sentence.
fn sentence(clause: &str) -> String {
    if clause.ends_with(['.', '!', '?']) { clause.to_owned() } else { format!("{clause}.") }
}

/// Ends a command: prints nothing after success, else the failure under the command's name (`owp worker run`).
pub fn finish(command: &str, result: Result<(), Failure>, json: bool) -> ExitCode {
    end(command, result, json.then_some(true))
}

/// Like [`finish`], for a command that prints one line of JSON per event.
pub fn finish_in_one_line(command: &str, result: Result<(), Failure>, json: bool) -> ExitCode {
    end(command, result, json.then_some(false))
}

fn end(command: &str, result: Result<(), Failure>, pretty: Option<bool>) -> ExitCode {
    let Err(failure) = result.and_then(|()| stdout_result()) else { return ExitCode::SUCCESS };
    if let Some(pretty) = pretty {
        print_line(&visible_json(&failure.as_json(), pretty));
    }
    let mut text: String = failure.above.iter().map(|line| visible_line(line) + "\n").collect();
    text.push_str(&format!("{command}: {}", visible(failure.heading())));
    for line in &failure.because {
        text.push_str(&format!("\n  - {}", visible_line(line)));
    }
    if let Some(next) = &failure.next {
        text.push_str(&format!("\n  {}", visible(next)));
    }
    print_error(&text);
    ExitCode::from(failure.code)
}

/// Version of the `--json` output. It increases when a field is removed or changes its meaning.
const JSON_VERSION: u8 = 1;

/// Adds the version to JSON output.
#[must_use]
pub fn versioned(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("schema_version".to_owned(), JSON_VERSION.into());
    }
    value
}

/// Prints a line to stdout. A closed pipe is not an error; a full disk is, reported at the end.
pub fn print_line(line: &str) {
    let failed = try_print_line(line).err().filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
    if failed.is_some() {
        STDOUT_FAILED.store(true, Ordering::Relaxed);
    }
}

/// True if a write to stdout failed.
static STDOUT_FAILED: AtomicBool = AtomicBool::new(false);

fn stdout_result() -> Result<(), Failure> {
    if STDOUT_FAILED.load(Ordering::Relaxed) {
        return Err(Failure::failed("The output could not be written to stdout; the call itself was made."));
    }
    Ok(())
}

/// Prints like [`print_line`], but returns an error once stdout is closed.
pub fn try_print_line(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// Prints a line to stderr; a failed write does not change the exit code.
pub fn print_error(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_does_not_get_lines_of_its_own() {
        let body = json!({ "type": "/problems/x", "detail": "No.\nowp worker run: all is well\u{1b}[2J" });
        let problem = ClientError::Problem(Box::new(owp_client::Problem {
            status: 409,
            kind: "x".into(),
            detail: body["detail"].as_str().unwrap().into(),
            body,
        }));
        assert_eq!(Failure::from(problem).what, r"No.\nowp worker run: all is well\u{1b}[2J.");
    }

    #[test]
    fn each_reason_is_told_once() {
        let failure = |detail: &str, messages: &[&str]| {
            let reasons: Vec<Value> = messages.iter().map(|message| json!({ "message": message })).collect();
            let body = json!({ "type": "/problems/refused", "detail": detail, "reasons": reasons });
            let problem = owp_client::Problem { status: 409, kind: "refused".into(), detail: detail.into(), body };
            let failure = Failure::from(ClientError::Problem(Box::new(problem)));
            assert_eq!(failure.what, detail, "programs are told all of it");
            (failure.heading().to_owned(), failure.because)
        };
        assert_eq!(failure("No.", &["No."]), ("No.".to_owned(), vec![]));
        let lines = vec!["No.".to_owned(), "Not now.".to_owned()];
        assert_eq!(failure("No. Not now.", &["No.", "Not now."]), (SEVERAL_REASONS.to_owned(), lines.clone()));
        assert_eq!(failure("Refused.", &["No.", "Not now."]), ("Refused.".to_owned(), lines));
    }

    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        let unreachable = ClientError::Unreachable { url: "http://x".into(), cause: "Connection refused".into() };
        assert_eq!(Failure::from(unreachable).code(), 1);
        assert_eq!(Failure::from(ClientError::Address("x".into())).code(), 2);
        assert_eq!(Failure::from(ConfigError::new("OWP_LISTEN is wrong")).code(), 2);
        assert_eq!(Failure::no_access("No worker is registered here.").code(), 4);
    }
}
