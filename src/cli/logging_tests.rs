//! Tests that every event is one line, whatever it contains, and cannot control a terminal.

use super::*;
use crate::cli::untrusted::is_unsafe;
use owp_testing::hostile::corpus;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// A writer that collects the output.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect()
    }
}

fn info() -> EnvFilter {
    filter("info").unwrap()
}

/// Logs every text in every position a text can have.
fn log_all(log: impl Subscriber + Send + Sync) -> usize {
    let texts = corpus();
    tracing::subscriber::with_default(log, || {
        for (name, text) in &texts {
            let span = tracing::info_span!("delivery", id = %text, quoted = text.as_str());
            let _inside = span.enter();
            let error = io::Error::other(text.clone());
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(name, why = %text, debug = ?text, quoted = text.as_str(), error, "told: {text}");
        }
    });
    texts.len()
}

#[test]
fn in_words_one_event_is_one_line_without_anything_that_steers() {
    let paper = Paper::default();
    let events = log_all(in_words(
        info(),
        {
            let paper = paper.clone();
            move || paper.clone()
        },
        false,
    ));
    let lines = paper.lines();
    assert_eq!(lines.len(), events);
    for line in &lines {
        assert!(!line.chars().any(is_unsafe), "{line:?}");
        assert!(line.contains("WARN") && line.contains("told: ") && line.contains("why="), "{line:?}");
    }
    assert!(lines.iter().any(|line| line.contains(r"why=\u{1b}[31mred\u{1b}[0m")), "what was written can be read");
}

#[test]
fn in_colours_the_only_sequences_are_our_own() {
    let paper = Paper::default();
    let events = log_all(in_words(
        info(),
        {
            let paper = paper.clone();
            move || paper.clone()
        },
        true,
    ));
    let lines = paper.lines();
    assert_eq!(lines.len(), events);
    for line in &lines {
        for sequence in line.split('\u{1b}').skip(1) {
            let end = sequence.find('m').unwrap_or_else(|| panic!("{sequence:?} in {line:?}"));
            let code = sequence[..end].strip_prefix('[').unwrap_or("?");
            assert!(["0", "1", "2", "3", "33"].contains(&code), "{code:?} in {line:?}");
        }
        assert!(!line.replace('\u{1b}', "").chars().any(is_unsafe), "{line:?}");
    }
}

#[test]
fn as_json_one_event_is_one_line_that_says_exactly_what_was_logged() {
    let paper = Paper::default();
    let events = log_all(as_json(info(), {
        let paper = paper.clone();
        move || paper.clone()
    }));
    let lines = paper.lines();
    assert_eq!(lines.len(), events);
    for (line, (name, text)) in lines.iter().zip(corpus()) {
        assert!(!line.chars().any(is_unsafe), "{line:?}");
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["name"], &event["level"]), (&Value::from(name), &Value::from("WARN")));
        assert_eq!((&event["why"], &event["quoted"]), (&Value::from(text.as_str()), &Value::from(text.as_str())));
        assert_eq!(event["message"], format!("told: {text}"), "{name}");
    }
}

#[test]
fn a_mistyped_filter_is_refused_and_says_what_is_accepted() {
    for odd in ["verbose", "inf0", "info,engine", "owp_engine", "owp=loud", "info,owp=loud", ","] {
        let error = filter(odd).unwrap_err().to_string();
        assert!(error.contains("OWP_LOG_FILTER") && error.contains("info,owp_engine=debug"), "{error}");
    }
    for good in [
        "info",
        "WARN",
        "off",
        "info,owp_engine=debug",
        " info , sqlx=warn ",
        "owp[delivery{id=1}]=trace",
        "[delivery]",
    ] {
        assert!(filter(good).is_ok(), "{good}");
    }
}

#[test]
fn no_filter_silences_the_setup_token() {
    for silent in ["off", "error", "owp_engin=debug"] {
        let paper = Paper::default();
        let writer = {
            let paper = paper.clone();
            move || paper.clone()
        };
        tracing::subscriber::with_default(in_words(filter(silent).unwrap(), writer, false), || {
            tracing::info!("something else");
            tracing::info!(target: SETUP_TARGET, "give it the setup token");
        });
        let lines = paper.lines();
        assert!(lines.len() == 1 && lines[0].contains("setup token"), "{silent}: {lines:?}");
    }
}

#[test]
fn the_mcp_library_is_quiet_unless_a_filter_names_it() {
    for (text, most) in [
        ("info", 0),
        ("debug", 0),
        ("warn", 0),
        ("error", 0),
        ("info,rmcp=info", 2),
        ("warn,rmcp=warn", 1),
        ("rmcp=debug", 2),
    ] {
        let paper = Paper::default();
        let writer = {
            let paper = paper.clone();
            move || paper.clone()
        };
        tracing::subscriber::with_default(in_words(filter(text).unwrap(), writer, false), || {
            tracing::info!(target: "rmcp::service", "a connection");
            tracing::warn!(target: "rmcp::service", "a mistake of a client");
        });
        assert_eq!(paper.lines().iter().filter(|line| !line.is_empty()).count(), most, "{text}");
    }
}
