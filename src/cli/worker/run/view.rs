//! Output of a running worker: a table redrawn in place on a terminal, plain lines elsewhere, JSON if requested.

use super::super::table::{Line, lines, width};
use super::lease_tracker::LeaseTracker;
use super::notice::Notice;
use crate::cli::failure::{print_line, try_print_line, versioned};
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
    Table(LiveTable),
    /// One line per message.
    Lines,
    /// One JSON object per message.
    Json,
}

/// A table redrawn in place.
pub(super) struct LiveTable {
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
            (false, true) => LiveTable::new().map_or(Self::Lines, Self::Table),
        }
    }

    /// Returns true if a user can be asked.
    pub(super) fn can_ask(&self) -> bool {
        !matches!(self, Self::Json) && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
    }

    /// Prints a message; returns false if stdout is closed.
    pub(super) fn show(&self, notice: &Notice) -> bool {
        let told = match self {
            Self::Json => try_print_line(&visible_json(&versioned(notice.json()), false)),
            Self::Lines => try_print_line(&notice.words()),
            // Removes the table and draws it again, so that the message may have any number of lines.
            Self::Table(live_table) => {
                live_table.screen.suspend(|| try_print_line(&live_table.painted(colour(notice), &notice.words())))
            }
        };
        !told.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Draws the current tasks.
    pub(super) fn draw(&mut self, tracker: &LeaseTracker) {
        let Self::Table(live_table) = self else { return };
        let now = Instant::now();
        let tasks: Vec<Line<'_>> = tracker.rows(now).map(|(held, secs_left)| Line { held, secs_left }).collect();
        let mut text = Vec::new();
        if tasks.is_empty() {
            text.push(live_table.painted(Style::new().dimmed(), "No tasks; waiting for work. Ctrl-C ends."));
        } else {
            let mut table = lines(&tasks, width()).into_iter();
            text.extend(table.next().map(|header| live_table.painted(Style::new().bold(), &header)));
            let soon = |task: &Line<'_>| task.secs_left.is_some_and(|left| left < SOON_SECS);
            let style = |task| if soon(task) { AnsiColor::Yellow.on_default() } else { Style::new() };
            text.extend(tasks.iter().zip(table).map(|(task, line)| live_table.painted(style(task), &line)));
        }
        live_table.screen.set_message(text.join("\n"));
    }

    /// Leaves the drawn table in place and continues below it line by line.
    pub(super) fn leave_table(&mut self) {
        if let Self::Table(live_table) = self {
            let last = live_table.screen.message();
            live_table.screen.finish_and_clear();
            print_line(&last);
            *self = Self::Lines;
        }
    }
}

impl LiveTable {
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

fn colour(notice: &Notice) -> Style {
    let colour = match notice {
        Notice::Leased(_) | Notice::Back | Notice::Released(_) => AnsiColor::Green,
        Notice::Has(_) | Notice::Changed { .. } => AnsiColor::Cyan,
        Notice::Ended { .. } | Notice::Lost(_) => AnsiColor::Yellow,
        Notice::Away { .. } | Notice::NotAccepted { .. } | Notice::NotReleased { .. } => AnsiColor::Red,
        Notice::Started { .. } | Notice::Idle { .. } | Notice::Stopping | Notice::Stopped { .. } => {
            return Style::new();
        }
    };
    colour.on_default()
}

/// Prints a prompt without ending its line.
pub(super) fn prompt(question: &str) {
    let mut stdout = std::io::stdout();
    drop(write!(stdout, "{question} "));
    drop(stdout.flush());
}
