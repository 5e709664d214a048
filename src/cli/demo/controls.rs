//! What the viewer can let happen with the buttons of the dashboard. Each does what a person of the demo could do.

use super::actors::BEAT;
use super::backlog;
use super::stage::{CLIENTS, MAINTAINER, REPOS};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use owp_pool::text::tidy_line;
use owp_sandbox::Sandbox;
use owp_server::http::{Control, DemoControls};
use owp_store::{ReadAccess, Store, transaction};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Titles are truncated to this length.
const TITLE_MAX_CHARS: usize = 80;
/// Leases that are searched for those of the worker.
const LEASES: i64 = 100;

/// The buttons, and the switch of one worker.
pub(super) struct Controls {
    github: Sandbox,
    store: Store,
    /// True while the worker of the first client runs.
    runs: watch::Sender<bool>,
    /// Issues that the viewer had opened.
    opened: AtomicUsize,
}

impl Controls {
    pub(super) fn new(github: Sandbox, store: Store) -> Self {
        Self { github, store, runs: watch::Sender::new(true), opened: AtomicUsize::new(0) }
    }

    /// Waits until the viewer stops this contributor's worker; for most, for ever.
    pub(super) async fn stopped(&self, login: &str) {
        if login != stoppable() {
            std::future::pending::<()>().await;
        }
        self.until(false).await;
    }

    /// Waits until the viewer starts the worker again.
    pub(super) async fn started(&self) {
        self.until(true).await;
    }

    async fn until(&self, runs: bool) {
        // The sender is ours, so the channel is never closed.
        let mut switch = self.runs.subscribe();
        let _closed = switch.wait_for(|now| *now == runs).await;
    }

    async fn stop(&self) -> Result<String, String> {
        self.runs.send_replace(false);
        // The pool may be answering a call that the worker made before.
        tokio::time::sleep(BEAT).await;
        let leases =
            self.store.read(transaction!(|tx| tx.leases().live_by_expiry(&ReadAccess::public(), LEASES).await));
        let leases = leases.await.map_err(|e| e.to_string())?;
        let login = stoppable();
        let held = leases.iter().filter(|lease| lease.login.as_deref() == Some(login));
        let held: Vec<String> =
            held.map(|lease| format!("{} #{}", lease.repo, lease.issue.unwrap_or_default())).collect();
        Ok(match held.as_slice() {
            [] => format!("{login}'s worker is stopped. It holds no lease, and gets none until it is started again."),
            held => format!(
                "{login}'s worker is stopped while it holds {}. Its time runs out within a minute; then others get the task.",
                held.join(" and ")
            ),
        })
    }

    fn start(&self) -> String {
        self.runs.send_replace(true);
        format!("{}'s worker runs again.", stoppable())
    }

    fn open_issue(&self) -> Result<String, String> {
        let idea = backlog::of_viewer(self.opened.fetch_add(1, Ordering::SeqCst));
        let (repo, maintainer) = (REPOS[idea.repo], self.github.as_user(MAINTAINER));
        let labels: Vec<&str> = ["pool:ready"].into_iter().chain(idea.labels.iter().map(String::as_str)).collect();
        let number = maintainer.open_issue(repo, &idea.title, "The viewer of the demo asked for it.", &[]);
        let number = number.map_err(|e| e.to_string())?;
        maintainer.label_all(repo, number, &labels).map_err(|e| e.to_string())?;
        Ok(format!("{MAINTAINER} opened issue #{number} in {repo} and labelled it `pool:ready`: {}.", idea.title))
    }

    /// Merges the oldest pull request of the repository with the most.
    fn merge(&self) -> Result<String, String> {
        let open = REPOS.map(|repo| (repo, self.github.open_pulls(repo)));
        let (repo, pulls) = open.into_iter().max_by_key(|(_, pulls)| pulls.len()).unwrap_or_default();
        let pull = pulls.first().ok_or("No pull request is open. Wait until a contributor has opened one.")?;
        self.github.as_user(MAINTAINER).merge(repo, pull.number).map_err(|e| e.to_string())?;
        let title = tidy_line(&pull.title, TITLE_MAX_CHARS);
        Ok(format!("{MAINTAINER} merged pull request #{} in {repo}: {title}. Its slot is free.", pull.number))
    }
}

/// Returns the contributor whose worker the viewer can stop.
fn stoppable() -> &'static str {
    CLIENTS[0].login
}

impl DemoControls for Controls {
    fn controls(&self) -> Vec<Control> {
        let control = |name: &str, label: String, description: &str| Control {
            name: name.to_owned(),
            label,
            description: description.to_owned(),
        };
        let login = stoppable();
        let worker = if *self.runs.borrow() {
            let silent = "The pool hears nothing of it any more. If it holds a task, others get it within a minute.";
            control("stop", format!("Stop {login}'s worker"), silent)
        } else {
            control("start", format!("Start {login}'s worker again"), "It goes on with what it still holds.")
        };
        let issue = "It is urgent, so whoever can take it gets it as soon as a slot is free.";
        let merge = "Its slot is free at once, and the next task goes out.";
        vec![
            worker,
            control("issue", "Open and label an issue".to_owned(), issue),
            control("merge", "Merge a pull request".to_owned(), merge),
        ]
    }

    fn act<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, String>> {
        async move {
            match name {
                "stop" => self.stop().await,
                "start" => Ok(self.start()),
                "issue" => self.open_issue(),
                "merge" => self.merge(),
                _ => Err("The page asked for something that the demo does not know. Load it again.".to_owned()),
            }
        }
        .boxed()
    }

    fn github(&self) -> String {
        self.github.api_url()
    }
}
