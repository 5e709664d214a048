//! The log: on stderr, in words or as JSON lines. Nothing that is logged anywhere in the program holds a secret, and
//! nothing that somebody else wrote steers a terminal or passes for a line of ours.

use super::untrusted::{escape_json, visible_line};
use anstream::{AutoStream, ColorChoice};
use owp_config::{ConfigError, LogConfig};
use std::io::{self, Write, stderr};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::{MakeWriter, format};
use tracing_subscriber::util::SubscriberInitExt;

/// Target of the event that tells the setup token. No filter silences it: without the token nobody can register the App.
pub(super) const SETUP_TARGET: &str = "owp::setup";

/// Starts logging for the whole process. Where somebody started it before, that stays.
pub(super) fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = filter(&config.filter)?;
    let started = if config.json {
        as_json(filter, stderr).try_init()
    } else {
        // Honours NO_COLOR, CLICOLOR, TERM=dumb and what a flag has chosen for the whole program.
        let colours = AutoStream::choice(&stderr()) != ColorChoice::Never;
        in_words(filter, stderr, colours).try_init()
    };
    drop(started);
    Ok(())
}

/// Reads a filter. A single word that is not a level would be taken for the name of a module, and silence all others.
fn filter(text: &str) -> Result<EnvFilter, ConfigError> {
    let wrong = |what: &str| {
        ConfigError::new(format!(
            "OWP_LOG_FILTER: `{what}` is not a log filter. Write a level (error, warn, info, debug, trace or off), or \
             levels of parts of the program, such as info,owp::engine=debug"
        ))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    // Brackets name a span, which needs no level.
    let odd = parts.iter().find(|part| !part.contains(['=', '[', ']']) && part.parse::<LevelFilter>().is_err());
    if let Some(odd) = odd {
        return Err(wrong(odd));
    }
    let setup = format!("{SETUP_TARGET}=info").parse().map_err(|_| wrong(SETUP_TARGET))?;
    match EnvFilter::try_new(parts.join(",")) {
        Ok(filter) if !parts.is_empty() => Ok(filter.add_directive(setup)),
        _ => Err(wrong(text)),
    }
}

/// One line of words per event. What is logged is escaped before colours are put around it.
fn in_words<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let fields = format::debug_fn(|out, field, value| {
        let value = visible_line(&format!("{value:?}"));
        match field.name() {
            "message" => write!(out, "{value}"),
            name => write!(out, "{name}={value}"),
        }
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(fields.delimited(" "))
        .finish()
}

/// One JSON object per line and event.
fn as_json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(Escaping(writer)).json().flatten_event(true).finish()
}

/// Escapes, in finished JSON, what JSON allows in a text as it is and a terminal does not: outside of texts there are no
/// such characters, so the meaning stays the same.
struct Escaping<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Escaping<W> {
    type Writer = EscapingWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        EscapingWriter(self.0.make_writer())
    }
}

struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // An event comes in one piece, so that no character is ever cut in two.
        let text = String::from_utf8_lossy(line);
        self.0.write_all(escape_json(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
