//! Describes the demo's events on the terminal, one line each.

use super::stage::{BUDGET, REPOS, Stage};
use crate::cli::untrusted::visible_line;
use anstyle::{AnsiColor, Style};
use owp_pool::text::tidy_line;
use owp_pool::{EventId, TaskId, WorkerId};
use owp_store::{EventRow, StoreError, transaction};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

const RECENT: i64 = 100;
/// Delay of the invitation, until the opening has been seen.
const INVITE_AFTER_SECS: f64 = 15.0;
/// User text is truncated to this length.
const WORDS_MAX_CHARS: usize = 200;

/// Introduces the demo.
pub(super) fn opening(stage: &Stage) {
    print_line(&format!(
        "OWP Pool demo: two repositories, six contributors, one maintainer who reviews {BUDGET} pull requests at a time.\n\n  \
         Dashboard       {}\n  Sandbox GitHub  {}  (every issue and pull request)\n\n\
         Open both in a browser. New issues keep coming; Ctrl-C ends the demo.\n",
        stage.url,
        stage.github.api_url()
    ));
}

/// Invites the viewer to take part.
fn invitation(stage: &Stage) -> String {
    format!(
        "\nTry it yourself: the buttons of the dashboard stop a worker, open an issue and merge a pull request. This, too, \
         opens an\nissue as the maintainer. Watch who gets it.\n\n  \
         curl -s -o /dev/null {}/repos/{}/issues -H 'Authorization: Bearer {}' \\\n    \
         -d '{{\"title\": \"My first task\", \"labels\": [\"pool:ready\", \"priority:critical\", \"skills:docs\"]}}'\n",
        stage.github.api_url(),
        REPOS[1],
        stage.maintainer_token
    )
}

/// Prints every event once, in order, until aborted; if `watched`, also the invitation. Prints nothing unless `loud`.
pub(super) async fn run(stage: Arc<Stage>, loud: bool, watched: bool) {
    if !loud {
        return;
    }
    let mut last: Option<EventId> = None;
    let mut refused = BTreeSet::new();
    let mut invited = !watched;
    loop {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let Ok(mut events) = stage.store.read(transaction!(|tx| tx.events().recent(RECENT).await)).await else {
            continue;
        };
        events.reverse();
        for event in events {
            if last.as_ref().is_some_and(|seen| event.id <= *seen) {
                continue;
            }
            if let Ok(Some(line)) = line_of(&stage, &event).await {
                print_line(&format!("{:>6.1}s  {line}", stage.seconds()));
            }
            last = Some(event.id);
        }
        for (place, text) in stage.refusals() {
            if refused.insert((place.clone(), text.clone())) {
                print_line(&format!("{:>6.1}s  {}", stage.seconds(), painted(&place, AnsiColor::Red, &text)));
            }
        }
        if !invited && stage.seconds() >= INVITE_AFTER_SECS {
            print_line(&invitation(&stage));
            invited = true;
        }
    }
}

async fn line_of(stage: &Stage, event: &EventRow) -> Result<Option<String>, StoreError> {
    let (task, worker) = (event.task.clone().map(TaskId::new), event.worker.clone().map(WorkerId::new));
    let (task, worker) = stage
        .store
        .read(transaction!(|tx| {
            let task = match task {
                Some(id) => tx.tasks().get(&id).await?,
                None => None,
            };
            let worker = match worker {
                Some(id) => tx.workers().get(&id).await?,
                None => None,
            };
            Ok::<_, StoreError>((task, worker))
        }))
        .await?;
    let place = match (&event.repo, task.as_ref().and_then(|t| t.issue)) {
        (Some(repo), Some(issue)) => format!("{repo} #{issue}"),
        (Some(repo), None) => repo.clone(),
        (None, _) => "pool".to_owned(),
    };
    let title = task.map(|t| t.title).unwrap_or_default();
    let who = worker.map(|w| w.display_name().to_owned()).unwrap_or_default();
    Ok(sentence(event, &title, &who).map(|(color, text)| painted(&place, color, &text)))
}

/// Returns a sentence about an event, and its colour.
fn sentence(event: &EventRow, title: &str, who: &str) -> Option<(AnsiColor, String)> {
    let pull = &event.payload["pull"];
    Some(match event.kind.as_str() {
        "task.created" => (AnsiColor::BrightBlack, format!("new task: {title}")),
        "lease.granted" => (AnsiColor::Cyan, format!("leased to {who}: {title}")),
        "lease.ended" => {
            let how = match event.payload["reason"].as_str()? {
                "nacked" => format!("{who} declines the offer"),
                "ack_timeout" => format!("{who} does not acknowledge the offer in time"),
                "expired" => format!("the time of {who} ran out"),
                _ => return None,
            };
            (AnsiColor::Red, format!("{how}: {title}"))
        }
        "task.pr_opened" => (AnsiColor::Yellow, format!("pull request #{pull} waits for review: {title}")),
        "task.merged" => (AnsiColor::Green, format!("merged: {title}")),
        "task.ready" => (AnsiColor::Magenta, format!("ready again: {title}")),
        "worker.registered" => (AnsiColor::BrightBlack, format!("{who} registered a worker")),
        "worker.linked" => (AnsiColor::BrightBlack, format!("{who} linked a worker by a comment")),
        "person.joined" => (AnsiColor::BrightBlack, format!("{who} joined")),
        "trust.set" => (AnsiColor::Blue, {
            let login = event.payload["login"].as_str().unwrap_or_default();
            format!("{login} is trusted for tier {}", event.payload["level"])
        }),
        "budget.set" => (AnsiColor::Blue, format!("the review budget is {} now", event.payload["budget"])),
        _ => return None,
    })
}

/// Formats a line with its repository and colour. User text is escaped, so the colour is its only terminal sequence.
fn painted(place: &str, color: AnsiColor, text: &str) -> String {
    let (place, text) = (visible_line(place), tidy_line(text, WORDS_MAX_CHARS));
    let style = Style::new().fg_color(Some(color.into()));
    format!("{place:<15} {style}{text}{style:#}")
}

fn print_line(line: &str) {
    // A closed stdout does not stop the demo.
    let _closed = writeln!(anstream::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::untrusted::is_unsafe;
    use owp_testing::hostile::corpus;
    use serde_json::json;

    #[test]
    fn whatever_people_wrote_the_only_sequence_is_the_colour() {
        let kinds =
            ["task.created", "lease.granted", "lease.ended", "task.merged", "person.joined", "trust.set", "budget.set"];
        for (name, words) in corpus() {
            for kind in kinds {
                let event = EventRow {
                    id: EventId::new("e_1"),
                    seq: 1,
                    kind: kind.to_owned(),
                    at: owp_pool::Timestamp(0),
                    repo: None,
                    task: None,
                    worker: None,
                    lease: None,
                    payload: json!({ "pull": words, "login": words, "level": words, "budget": words, "reason": "nacked" }),
                };
                let (color, text) = sentence(&event, &words, &words).unwrap();
                let line = painted(&words, color, &text);
                assert_eq!(line.matches('\u{1b}').count(), 2, "{name}: {line:?}");
                assert!(!line.replace('\u{1b}', "").chars().any(is_unsafe), "{name}: {line:?}");
            }
        }
    }
}
