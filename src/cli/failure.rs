//! How a command for people ends when it fails: a sentence on stderr, what to do next, an exit code; with `--json` the
//! same as JSON on stdout.
//!
//! Exit codes: 0 done, 1 failed or refused, 2 asked wrongly (a flag, a file, a setting), 4 no access (no token, or not the
//! right one).

use super::place;
use super::untrusted::{visible, visible_json, visible_line};
use owp_client::ClientError;
use owp_config::ConfigError;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

const FAILED: u8 = 1;
const ASKED_WRONGLY: u8 = 2;
const NO_ACCESS: u8 = 4;
/// Said of a "no" for several reasons, which follow.
const SEVERAL: &str = "The pool says no, for each of these reasons:";

/// Why a command failed, and what helps.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    /// Lines that stand alone above it, such as the places of faults in a file.
    above: Vec<String>,
    /// Further lines, such as the rules that do not hold.
    because: Vec<String>,
    next: Option<String>,
    code: u8,
    problem: Option<Box<Value>>,
    /// What was done nevertheless.
    done: Option<Box<Value>>,
}

impl Failure {
    /// It was tried and did not work.
    pub(super) fn failed(what: impl Into<String>) -> Self {
        let (above, because) = (Vec::new(), Vec::new());
        Self { what: what.into(), above, because, next: None, code: FAILED, problem: None, done: None }
    }

    /// It was not tried: a flag, a file or a setting is wrong.
    pub(super) fn asked_wrongly(what: impl Into<String>) -> Self {
        Self { code: ASKED_WRONGLY, ..Self::failed(what) }
    }

    /// Nobody known asks.
    pub(super) fn no_access(what: impl Into<String>) -> Self {
        Self { code: NO_ACCESS, ..Self::failed(what) }
    }

    /// Adds what to do next, as a sentence.
    #[must_use]
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds lines that say more.
    #[must_use]
    pub(super) fn because(mut self, lines: Vec<String>) -> Self {
        self.because = lines;
        self
    }

    /// Adds lines that stand alone above it, each a finding of its own such as `FILE:LINE:COLUMN: what`.
    #[must_use]
    pub(super) fn above(mut self, lines: Vec<String>) -> Self {
        self.above = lines;
        self
    }

    /// Adds what was done nevertheless, for programs.
    #[must_use]
    pub(super) fn having_done(mut self, done: Value) -> Self {
        self.done = Some(Box::new(done));
        self
    }

    /// The same, as a fault of whoever asked.
    #[must_use]
    pub(super) fn of_the_asker(self) -> Self {
        Self { code: ASKED_WRONGLY, ..self }
    }

    /// What people read first: the reasons of a "no" are its lines, and not told before them one after the other.
    fn heading(&self) -> &str {
        let is_told_below = self.because.len() > 1 && self.because.join(" ") == self.what;
        if is_told_below { SEVERAL } else { &self.what }
    }

    /// Its exit code.
    #[cfg(test)]
    pub(super) fn code(&self) -> u8 {
        self.code
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
        Self::asked_wrongly(sentence(&error.to_string()))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        // Part of it may be the server's own words, which get no lines of their own.
        let what = match &error {
            ClientError::Problem(told) => place::detail(told),
            error => sentence(&error.to_string()),
        };
        let what = visible_line(&sentence(&what));
        match error {
            ClientError::Address(_) | ClientError::Versioned { .. } => Self::asked_wrongly(what),
            ClientError::Silent { .. } => {
                Self::failed(what).next("Try again in a moment; `owp healthcheck` tells whether the pool is ready.")
            }
            ClientError::Unreachable { .. } => Self::failed(what)
                .next("Is a pool running there? `owp serve` starts one; `--server` and OWP_SERVER name another."),
            ClientError::Trouble { .. } => Self::failed(what).next("Try again in a moment."),
            ClientError::Nonsense { .. } | ClientError::TooLong { .. } => {
                Self::failed(what).next("Look at the address: `--server` and OWP_SERVER name another.")
            }
            ClientError::Problem(told) => {
                let code = if told.status == 401 { NO_ACCESS } else { FAILED };
                // One reason is usually the detail itself.
                let because = told.reasons().iter().map(place::reason).filter(|reason| *reason != what).collect();
                Self { code, because, problem: Some(Box::new(told.body.clone())), ..Self::failed(what) }
            }
        }
    }
}

/// Error texts are clauses; what a person reads is a sentence.
fn sentence(clause: &str) -> String {
    if clause.ends_with(['.', '!', '?']) { clause.to_owned() } else { format!("{clause}.") }
}

/// Ends a command: nothing more to say when it went well, else what went wrong under the command's name
/// (`owp worker run`).
pub(super) fn finish(command: &str, result: Result<(), Failure>, json: bool) -> ExitCode {
    end(command, result, json.then_some(true))
}

/// As [`finish`], for a command that prints one line of JSON per event.
pub(super) fn finish_in_one_line(command: &str, result: Result<(), Failure>, json: bool) -> ExitCode {
    end(command, result, json.then_some(false))
}

fn end(command: &str, result: Result<(), Failure>, pretty: Option<bool>) -> ExitCode {
    let Err(failure) = result.and_then(|()| all_was_said()) else { return ExitCode::SUCCESS };
    if let Some(pretty) = pretty {
        say(&visible_json(&failure.as_json(), pretty));
    }
    let mut text: String = failure.above.iter().map(|line| visible_line(line) + "\n").collect();
    text.push_str(&format!("{command}: {}", visible(failure.heading())));
    for line in &failure.because {
        text.push_str(&format!("\n  - {}", visible_line(line)));
    }
    if let Some(next) = &failure.next {
        text.push_str(&format!("\n  {}", visible(next)));
    }
    complain(&text);
    ExitCode::from(failure.code)
}

/// The version of what `--json` prints. It grows when a field goes away or changes its meaning.
const JSON_VERSION: u8 = 1;

/// JSON for programs, with the version of its shape.
#[must_use]
pub(super) fn versioned(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("schema_version".to_owned(), JSON_VERSION.into());
    }
    value
}

/// Prints a line to stdout. A reader that went away is no failure; a full disk is, and told at the end.
pub(super) fn say(line: &str) {
    let failed = said(line).err().filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
    if failed.is_some() {
        UNSAID.store(true, Ordering::Relaxed);
    }
}

/// Whether a line could not be written to stdout.
static UNSAID: AtomicBool = AtomicBool::new(false);

fn all_was_said() -> Result<(), Failure> {
    if UNSAID.load(Ordering::Relaxed) {
        return Err(Failure::failed("What was to be said could not be written to stdout; the call itself was made."));
    }
    Ok(())
}

/// As [`say`]; fails when nobody reads any more.
pub(super) fn said(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// Prints a line to stderr; that nobody can read it is no reason to end otherwise.
pub(super) fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_does_not_get_lines_of_its_own() {
        let body = json!({ "type": "/problems/x", "detail": "No.\nowp worker run: all is well\u{1b}[2J" });
        let told = ClientError::Problem(Box::new(owp_client::Told {
            status: 409,
            kind: "x".into(),
            detail: body["detail"].as_str().unwrap().into(),
            body,
        }));
        assert_eq!(Failure::from(told).what, r"No.\nowp worker run: all is well\u{1b}[2J.");
    }

    #[test]
    fn each_reason_is_told_once() {
        let failure = |detail: &str, messages: &[&str]| {
            let reasons: Vec<Value> = messages.iter().map(|message| json!({ "message": message })).collect();
            let body = json!({ "type": "/problems/refused", "detail": detail, "reasons": reasons });
            let told = owp_client::Told { status: 409, kind: "refused".into(), detail: detail.into(), body };
            let failure = Failure::from(ClientError::Problem(Box::new(told)));
            assert_eq!(failure.what, detail, "programs are told all of it");
            (failure.heading().to_owned(), failure.because)
        };
        assert_eq!(failure("No.", &["No."]), ("No.".to_owned(), vec![]));
        let lines = vec!["No.".to_owned(), "Not now.".to_owned()];
        assert_eq!(failure("No. Not now.", &["No.", "Not now."]), (SEVERAL.to_owned(), lines.clone()));
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
