//! The loops that call the engine's steps. The loops own waiting, backoff and shutdown; the steps do none of it. A loop
//! stops between two steps, never during one.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use owp_engine::{Engine, EngineError, Pull};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Polling interval without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Time for the writes of others between two batches of history.
const HISTORY_PAUSE: Duration = Duration::from_millis(50);
const SAMPLES_POLL_INTERVAL: Duration = Duration::from_secs(5);
const HOURLY: Duration = Duration::from_secs(3600);
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);
/// Maximum number of distinct error messages remembered.
const MAX_LOGGED_MESSAGES: usize = 32;

type Step = for<'e> fn(&'e Engine) -> BoxFuture<'e, Result<bool, EngineError>>;
type Notification = for<'e> fn(&'e Engine) -> BoxFuture<'e, ()>;

/// A kind of loop.
struct Loop {
    name: &'static str,
    /// Number of concurrent instances.
    copies: usize,
    step: Step,
    /// Notification of possible work; without it the loop only polls.
    notification: Option<Notification>,
    /// Delay after a step that found nothing to do.
    idle: Duration,
    /// True if the loop needs a GitHub App and waits for one.
    github: bool,
    /// Time limit of a step before the process reports not ready: far longer than a slow step takes.
    limit: Duration,
}

/// Limit for steps that only use the database.
const DATABASE_LIMIT: Duration = Duration::from_secs(60);
/// Limit for steps that wait for GitHub; each of its calls ends within twenty seconds.
const GITHUB_LIMIT: Duration = Duration::from_secs(900);

const EXPIRY: Loop = Loop {
    name: "expiry",
    copies: 1,
    step: |engine| async { engine.scheduler().step_expiry().await }.boxed(),
    notification: None,
    idle: POLL_INTERVAL,
    github: false,
    limit: DATABASE_LIMIT,
};

/// Polls, because writes of other replicas cause no local notification.
const FEED: Loop = Loop {
    name: "feed",
    copies: 1,
    step: |engine| async { engine.feed().step_feed().await }.boxed(),
    notification: Some(|engine| async { engine.feed().event_came().await }.boxed()),
    idle: POLL_INTERVAL,
    github: false,
    limit: DATABASE_LIMIT,
};

/// Pauses between two batches, so that others write as fast as before.
const HISTORY: Loop = Loop {
    name: "history",
    copies: 1,
    step: |engine| {
        async {
            let more = engine.history().step_history().await?;
            if more {
                tokio::time::sleep(HISTORY_PAUSE).await;
            }
            Ok(more)
        }
        .boxed()
    },
    notification: None,
    idle: HOURLY,
    github: false,
    limit: DATABASE_LIMIT,
};

/// Whether samples are due is stored in the database.
const SAMPLES: Loop = Loop {
    name: "samples",
    copies: 1,
    step: |engine| async { engine.history().step_samples().await.map(|()| false) }.boxed(),
    notification: None,
    idle: SAMPLES_POLL_INTERVAL,
    github: false,
    limit: DATABASE_LIMIT,
};

/// Loops that need a GitHub App; setup may supply one while they wait.
const WITH_GITHUB: [Loop; 8] = [
    Loop {
        name: "inbox",
        copies: 4,
        step: |engine| async { engine.intake().step_inbox().await }.boxed(),
        notification: Some(|engine| engine.delivery_came().boxed()),
        idle: POLL_INTERVAL,
        github: true,
        limit: GITHUB_LIMIT,
    },
    // Helpers never poll: one wakes when another loop has taken an item, and in turn wakes the next.
    Loop {
        name: "inbox helper",
        copies: 8,
        step: |engine| async { engine.intake().step_inbox().await }.boxed(),
        notification: Some(|engine| engine.more_deliveries().boxed()),
        idle: HOURLY,
        github: true,
        limit: GITHUB_LIMIT,
    },
    Loop {
        name: "sender",
        copies: 2,
        step: |engine| async { engine.comments().step_sender().await }.boxed(),
        notification: Some(|engine| engine.comment_wanted().boxed()),
        idle: POLL_INTERVAL,
        github: true,
        limit: GITHUB_LIMIT,
    },
    Loop {
        name: "sync",
        copies: 2,
        step: |engine| async { engine.reconciler().step_sync().await }.boxed(),
        notification: Some(|engine| engine.sync_wanted().boxed()),
        idle: POLL_INTERVAL,
        github: true,
        limit: GITHUB_LIMIT,
    },
    Loop {
        name: "sync helper",
        copies: 14,
        step: |engine| async { engine.reconciler().step_sync().await }.boxed(),
        notification: Some(|engine| engine.more_syncs().boxed()),
        idle: HOURLY,
        github: true,
        limit: GITHUB_LIMIT,
    },
    Loop {
        name: "watch",
        copies: 1,
        step: |engine| async { engine.reconciler().step_watch().await }.boxed(),
        notification: None,
        idle: POLL_INTERVAL,
        github: true,
        limit: GITHUB_LIMIT,
    },
    Loop {
        name: "installations",
        copies: 1,
        step: |engine| async { engine.intake().step_installations().await.map(|()| false) }.boxed(),
        notification: None,
        idle: HOURLY,
        github: true,
        limit: GITHUB_LIMIT,
    },
    // Schedule and pace are stored in the database; the loop only checks them.
    Loop {
        name: "missed deliveries",
        copies: 1,
        step: |engine| async { engine.intake().step_missed().await }.boxed(),
        notification: None,
        idle: POLL_INTERVAL,
        github: true,
        limit: GITHUB_LIMIT,
    },
];

/// Starts every loop. They end when `stop` is cancelled.
pub(super) fn start(engine: &Engine, waiting: mpsc::Receiver<Pull>, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let mut running = vec![tokio::spawn(schedule(engine.clone(), waiting, stop.clone()))];
    for kind in WITH_GITHUB.iter().chain([&EXPIRY, &FEED, &HISTORY, &SAMPLES]) {
        for _ in 0..kind.copies {
            running.push(tokio::spawn(kind.run(engine.clone(), stop.clone())));
        }
    }
    running
}

impl Loop {
    fn run(&self, engine: Engine, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let Self { name, step, notification, idle, github, limit, .. } = *self;
        let tracked = engine.views().track(name, limit);
        async move {
            let mut failures = FailureLog::new(name);
            while !stop.is_cancelled() {
                if github && engine.github().is_none() {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(POLL_INTERVAL) => {}
                    }
                    continue;
                }
                let running = tracked.step();
                let span = tracing::debug_span!("step", of = name);
                let done = AssertUnwindSafe(step(&engine)).catch_unwind().instrument(span).await;
                drop(running);
                let pause = match done {
                    Ok(Ok(more)) => {
                        failures.reset();
                        if more {
                            continue;
                        }
                        idle
                    }
                    Ok(Err(error)) => failures.record(&error.to_string()),
                    Err(_) => failures.record("it panicked; nothing of the step was kept"),
                };
                let notification = notification.filter(|_| !failures.is_failing());
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                    () = notified(notification, &engine) => {}
                }
            }
        }
    }
}

/// Waits for a notification; without a source, for ever.
async fn notified(notification: Option<Notification>, engine: &Engine) {
    match notification {
        Some(notification) => notification(engine).await,
        None => std::future::pending().await,
    }
}

/// Runs the scheduler, which waits inside its step, so only this loop is stopped there. A plan being committed is
/// committed per repository, as a whole or not at all.
async fn schedule(engine: Engine, mut waiting: mpsc::Receiver<Pull>, stop: CancellationToken) {
    let scheduler = engine.scheduler();
    loop {
        let step = AssertUnwindSafe(scheduler.step_schedule(&mut waiting)).catch_unwind();
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            more = step => match more {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => tracing::error!("the schedule loop panicked; its pulls got no work"),
            },
        }
    }
}

/// The failures of a loop: each message is logged once, and the delay grows.
struct FailureLog {
    name: &'static str,
    logged: BTreeSet<String>,
    delay: Duration,
}

impl FailureLog {
    fn new(name: &'static str) -> Self {
        Self { name, logged: BTreeSet::new(), delay: MIN_RETRY_DELAY }
    }

    fn is_failing(&self) -> bool {
        !self.logged.is_empty()
    }

    /// Records a failed step and returns the delay.
    fn record(&mut self, message: &str) -> Duration {
        if self.logged.len() < MAX_LOGGED_MESSAGES && self.logged.insert(message.to_owned()) {
            tracing::warn!("the {} loop failed and will retry: {message}", self.name);
        }
        let pause = self.delay;
        self.delay = (pause * 2).min(MAX_RETRY_DELAY);
        pause
    }

    fn reset(&mut self) {
        if self.is_failing() {
            tracing::info!("the {} loop recovered", self.name);
            *self = Self::new(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_per_message_and_the_pauses_grow_to_a_limit() {
        let mut failures = FailureLog::new("test");
        let pauses: Vec<_> = (0..7).map(|_| failures.record("the database is away").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(failures.logged.len(), 1);
        failures.record("the disk is full");
        assert_eq!(failures.logged.len(), 2);
        failures.reset();
        assert!(!failures.is_failing());
        assert_eq!(failures.record("the database is away"), MIN_RETRY_DELAY);
    }
}
