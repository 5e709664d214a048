//! Logging to stderr, as text or JSON lines. No log event holds a secret. No untrusted text can control a terminal or
//! forge a log line.

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

/// Target of the setup token's event. No filter suppresses it: without the token nobody can register the App.
pub(super) const SETUP_TARGET: &str = "owp::setup";

/// Level of the MCP library, which logs every connection at `info` and every mistake of a client at `warn`, so that clients
/// could fill the log; a filter that names it wins.
const MCP_LIBRARY: &str = "rmcp=error";

/// Initialises logging for the process; an existing logger is kept.
pub(super) fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = filter(&config.filter)?;
    let started = if config.json {
        as_json(filter, stderr).try_init()
    } else {
        // Respects NO_COLOR, CLICOLOR, TERM=dumb and the program's own flag.
        let colours = AutoStream::choice(&stderr()) != ColorChoice::Never;
        in_words(filter, stderr, colours).try_init()
    };
    drop(started);
    Ok(())
}

/// Parses a filter. Rejects a single word that is not a level: it would count as a module name and silence all others.
fn filter(text: &str) -> Result<EnvFilter, ConfigError> {
    let wrong = |what: &str| {
        ConfigError::new(format!(
            "OWP_LOG_FILTER: `{what}` is not a log filter. Write a level (error, warn, info, debug, trace or off), or \
             levels of parts of the program, such as info,owp_engine=debug"
        ))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    // Brackets name a span, which needs no level.
    let odd = parts.iter().find(|part| !part.contains(['=', '[', ']']) && part.parse::<LevelFilter>().is_err());
    if let Some(odd) = odd {
        return Err(wrong(odd));
    }
    let setup = format!("{SETUP_TARGET}=info").parse().map_err(|_| wrong(SETUP_TARGET))?;
    let given = EnvFilter::try_new(parts.join(",")).ok().filter(|_| !parts.is_empty()).ok_or_else(|| wrong(text))?;
    let filter = match given.max_level_hint() > Some(LevelFilter::ERROR) {
        true => EnvFilter::try_new(format!("{MCP_LIBRARY},{}", parts.join(","))).map_err(|_| wrong(text))?,
        false => given,
    };
    Ok(filter.add_directive(setup))
}

/// Formats each event as a line of text. A line that cannot be written is dropped: telling so on a standard error that
/// takes nothing would panic, and a full disk must not stop the service. Values are escaped before colours are added.
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
        .log_internal_errors(false)
        .finish()
}

/// Formats each event as a line of JSON. As in [`in_words`], a line that cannot be written is dropped.
fn as_json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Escaping(writer))
        .json()
        .flatten_event(true)
        .log_internal_errors(false)
        .finish()
}

/// Escapes characters in finished JSON that JSON allows in strings but a terminal interprets. They occur only inside
/// strings, so the meaning stays the same.
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
        // An event is written in one call, so no character is split.
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
