//! Output of a running worker: a table redrawn in place on a terminal, plain lines elsewhere, JSON if requested.

use super::super::table::{Line, lines, width};
use super::ledger::Ledger;
use super::news::News;
use crate::cli::failure::{said, say, versioned};
use crate::cli::untrusted::visible_json;
use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Write};
use tokio::time::Instant;

/// A lease with less time left is highlighted.
const SOON_SECS: u64 = 5 * 60;

/// The output mode.
pub(super) enum View {
    /// A live table below, messages above it.
    Table(Drawn),
    /// One line per message.
    Lines,
    /// One JSON object per message.
    Json,
}

/// A table redrawn in place.
pub(super) struct Drawn {
    /// One item of several lines, so that it is never half drawn.
    screen: ProgressBar,
    colours: bool,
    _no_echo: Option<NoEcho>,
}

/// Hides the `^C` that the terminal echoes on Ctrl-C, which would break the table; restored on drop.
struct NoEcho(Termios);

impl NoEcho {
    /// Returns `None` if stdin is not a terminal.
    fn new() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHOCTL);
        tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

impl View {
    /// Returns the mode that fits stdout.
    pub(super) fn new(json: bool) -> Self {
        match (json, std::io::stdout().is_terminal()) {
            (true, _) => Self::Json,
            (false, false) => Self::Lines,
            (false, true) => Drawn::new().map_or(Self::Lines, Self::Table),
        }
    }

    /// Returns true if a user can be asked.
    pub(super) fn can_ask(&self) -> bool {
        !matches!(self, Self::Json) && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
    }

    /// Prints a message; returns false if stdout is closed.
    pub(super) fn tell(&self, news: &News) -> bool {
        let told = match self {
            Self::Json => said(&visible_json(&versioned(news.json()), false)),
            Self::Lines => said(&news.words()),
            // Removes the table and draws it again, so that the message may have any number of lines.
            Self::Table(drawn) => drawn.screen.suspend(|| said(&drawn.painted(colour(news), &news.words()))),
        };
        !told.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Draws the current tasks.
    pub(super) fn draw(&mut self, ledger: &Ledger) {
        let Self::Table(drawn) = self else { return };
        let now = Instant::now();
        let tasks: Vec<Line<'_>> = ledger.rows(now).map(|(held, secs_left)| Line { held, secs_left }).collect();
        let mut text = Vec::new();
        if tasks.is_empty() {
            text.push(drawn.painted(Style::new().dimmed(), "No tasks; waiting for work. Ctrl-C ends."));
        } else {
            let mut table = lines(&tasks, width()).into_iter();
            text.extend(table.next().map(|header| drawn.painted(Style::new().bold(), &header)));
            let soon = |task: &Line<'_>| task.secs_left.is_some_and(|left| left < SOON_SECS);
            let style = |task| if soon(task) { AnsiColor::Yellow.on_default() } else { Style::new() };
            text.extend(tasks.iter().zip(table).map(|(task, line)| drawn.painted(style(task), &line)));
        }
        drawn.screen.set_message(text.join("\n"));
    }

    /// Leaves the drawn table in place and continues below it line by line.
    pub(super) fn leave_table(&mut self) {
        if let Self::Table(drawn) = self {
            let last = drawn.screen.message();
            drawn.screen.finish_and_clear();
            say(&last);
            *self = Self::Lines;
        }
    }
}

impl Drawn {
    /// Returns `None` if the terminal cannot redraw in place.
    fn new() -> Option<Self> {
        let target = ProgressDrawTarget::stdout();
        if target.is_hidden() {
            return None;
        }
        let screen = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            screen.set_style(style);
        }
        let colours = anstream::AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        Some(Self { screen, colours, _no_echo: NoEcho::new() })
    }

    fn painted(&self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn colour(news: &News) -> Style {
    let colour = match news {
        News::Leased(_) | News::Back | News::Released(_) => AnsiColor::Green,
        News::Has(_) | News::Changed { .. } => AnsiColor::Cyan,
        News::Ended { .. } | News::Lost(_) => AnsiColor::Yellow,
        News::Away { .. } | News::NotAccepted { .. } | News::NotReleased { .. } => AnsiColor::Red,
        News::Started { .. } | News::Idle { .. } | News::Stopping | News::Stopped { .. } => return Style::new(),
    };
    colour.on_default()
}

/// Prints a prompt without ending its line.
pub(super) fn prompt(question: &str) {
    let mut stdout = std::io::stdout();
    drop(write!(stdout, "{question} "));
    drop(stdout.flush());
}
