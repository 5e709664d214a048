//! Messages of a running worker, each as one line of text and as one JSON object.

use super::super::held::Held;
use super::super::holding::Ended;
use super::super::whoami::Me;
use crate::cli::print::word;
use crate::cli::untrusted::visible_line;
use serde_json::{Value, json};

/// A message.
#[derive(Debug)]
pub(super) enum Notice {
    /// The run has started.
    Started { me: Box<Me>, server: String, shown: Value },
    /// The worker got a lease on a task.
    Leased(Held),
    /// The worker still has a task without a live lease: blocked, or with a pull request.
    Has(Held),
    /// A task's state changed.
    Changed { held: Held, before: String },
    /// A lease ended, with a reason.
    Ended { end: Ended, name: Option<String> },
    /// A lease ended without a known reason.
    Lost(Held),
    /// There is no work, with the reason.
    Idle { why: String },
    /// An offer could not be accepted.
    NotAccepted { name: String, why: String },
    /// The pool does not respond.
    Away { why: String },
    /// The pool responds again.
    Back,
    /// The run is stopping.
    Stopping,
    /// A task was released.
    Released(Held),
    /// A task could not be released.
    NotReleased { held: Held, why: String },
    /// The run has ended, with the tasks still held and whether the pool confirmed it.
    Stopped { kept: Vec<Held>, released: usize, confirmed: bool },
}

impl Notice {
    /// Formats the message as text; untrusted parts are escaped.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Started { me, server, .. } => {
                format!("{} asks {} for work, {}.{}", me.name(), visible_line(server), me.takes(), me.pause())
            }
            Self::Leased(held) => {
                let what = if held.is_offered() { "offered" } else { "leased" };
                let show = format!(
                    "`owp worker show {}` prints the description, the issue and the commands.",
                    word(&held.task_id)
                );
                let lines = [format!("{what} {} until {}", held.name(), held.until())].into_iter();
                let lines = lines.chain(held.notes()).chain([show]);
                lines.collect::<Vec<_>>().join("\n  ")
            }
            Self::Has(held) | Self::Changed { held, .. } => format!("{} {}", held.state(), held.name()),
            Self::Ended { end, name } => {
                let name = name.clone().unwrap_or_else(|| word(&end.task_id));
                format!("ended {name}: {}", reason(&end.reason))
            }
            Self::Lost(held) => format!("ended {}: it is no longer listed", held.name()),
            Self::Idle { why } => format!("idle: {why}"),
            Self::NotAccepted { name, why } => format!("not accepted {name}: {}", visible_line(why)),
            Self::Away { why } => {
                format!("away: {}. Retrying until it answers.", visible_line(why).trim_end_matches('.'))
            }
            Self::Back => "back: the pool answers again.".to_owned(),
            Self::Stopping => "Stopped asking for work.".to_owned(),
            Self::Released(held) => format!("released {}", held.name()),
            Self::NotReleased { held, why } => format!("not released {}: {}", held.name(), visible_line(why)),
            Self::Stopped { kept, released, confirmed: true } => stopped(kept, *released),
            Self::Stopped { kept, released, confirmed: false } => {
                format!("{} The pool did not confirm this; check with `owp worker list`.", stopped(kept, *released))
            }
        }
    }

    /// Formats the message as JSON; tasks and the worker are as the pool sent them.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Started { server, shown, .. } => json!({ "event": "started", "server": server, "worker": shown }),
            Self::Leased(held) => json!({ "event": "leased", "task": held.raw }),
            Self::Has(held) => json!({ "event": "has", "task": held.raw }),
            Self::Changed { held, before } => json!({ "event": "changed", "before": before, "task": held.raw }),
            Self::Ended { end: Ended { lease_id, task_id, reason, ended_at }, .. } => {
                json!({ "event": "ended", "task_id": task_id, "lease_id": lease_id, "reason": reason, "ended_at": ended_at })
            }
            Self::Lost(held) => {
                json!({ "event": "ended", "task_id": held.task_id, "lease_id": held.lease_id, "reason": null })
            }
            Self::Idle { why } => json!({ "event": "idle", "why": why }),
            Self::NotAccepted { why, .. } => json!({ "event": "not_accepted", "why": why }),
            Self::Away { why } => json!({ "event": "away", "why": why }),
            Self::Back => json!({ "event": "back" }),
            Self::Stopping => json!({ "event": "stopping" }),
            Self::Released(held) => {
                json!({ "event": "released", "task_id": held.task_id, "lease_id": held.lease_id })
            }
            Self::NotReleased { held, why } => json!({ "event": "not_released", "task_id": held.task_id, "why": why }),
            Self::Stopped { kept, released, confirmed } => {
                let kept: Vec<&Value> = kept.iter().map(|held| &held.raw).collect();
                json!({ "event": "stopped", "released": released, "kept": kept, "confirmed": confirmed })
            }
        }
    }
}

fn stopped(kept: &[Held], released: usize) -> String {
    if kept.is_empty() {
        return match released {
            0 => "Ended; nothing is held.".to_owned(),
            1 => "Ended; the task was released, nothing is held any more.".to_owned(),
            _ => format!("Ended; {released} tasks were released, nothing is held any more."),
        };
    }
    let kept: Vec<String> = kept.iter().map(|held| format!("{} until {}", word(&held.task_id), held.until())).collect();
    format!(
        "Ended; kept {}. Continue with `owp worker run`, or release one with `owp worker release TASK`.",
        kept.join(", ")
    )
}

/// Explains the end of a lease to its former holder.
fn reason(reason: &str) -> String {
    let more = match reason {
        "delivered" => " (a pull request is open)",
        "nacked" => " (declined)",
        "ack_timeout" => " (the offer was not accepted in time)",
        "expired" => " (no heartbeat or report arrived in time)",
        "revoked" => " (by the operator or a maintainer)",
        _ => "",
    };
    format!("{}{more}", word(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pool_steers_no_terminal() {
        let end = Ended {
            lease_id: "l_1".into(),
            task_id: "t_\u{1b}[2J".into(),
            reason: "revoked\u{7}\n".into(),
            ended_at: "\u{9b}".into(),
        };
        let words = Notice::Ended { end, name: None }.words();
        assert_eq!(words, r"ended t_\u{1b}[2J: revoked\u{7}\n");
        let words = Notice::Away { why: "\u{1b}]0;x\u{7}".into() }.words();
        assert!(!words.chars().any(char::is_control), "{words:?}");
    }
}
