//! Checks of the database and its content: durability, running processes, stuck work, and repositories in trouble. Read
//! only.

use super::report::Report;
use owp_base::clock::{Clock, Entropy};
use owp_pool::{Span, Timestamp};
use owp_store::{DeadComments, Dialect, InboxHealth, RepoRow, Store, StoreError, StoreOptions, transaction};

/// A running process updates its mark every half minute.
const SILENT: Span = Span::minutes(2);
/// Normally a delivery is processed within a second.
const STUCK: Span = Span::minutes(10);

/// The data read in one snapshot.
struct DatabaseState {
    now: Timestamp,
    alive_at: Option<Timestamp>,
    stopped_at: Option<Timestamp>,
    inbox: InboxHealth,
    dead: Vec<DeadComments>,
    repos: Vec<RepoRow>,
}

pub(super) async fn examine(url: &str, clock: &Clock, report: &mut Report) {
    let options = StoreOptions { url: url.to_owned(), clock: clock.clone(), entropy: Entropy::system() };
    let store = match Store::open_read_only(options).await {
        Ok(store) => store,
        Err(error) => {
            not_open(&error, report);
            return;
        }
    };
    match store.durability().await {
        Ok(durability) => {
            let engine = match store.dialect() {
                Dialect::Sqlite => "SQLite",
                Dialect::Postgres => "PostgreSQL",
            };
            report.ok("database", format!("{engine}, schema {}, {}", durability.schema, durability.settings));
        }
        Err(error) => report.problem("database", error, "switch it on in the server's configuration"),
    }
    match read_state(&store).await {
        Ok(picture) => report_state(&picture, report),
        Err(error) => {
            report.problem("database", error, "run `owp doctor` again; if the error persists, restore a backup");
        }
    }
}

fn not_open(error: &StoreError, report: &mut Report) {
    match error {
        StoreError::Missing(_) => {
            report.warn(
                "database",
                error,
                "start `owp serve`, or name the database with OWP_DATABASE_URL or --database",
            );
        }
        StoreError::Older { .. } => {
            report.warn("database", error, "make a backup, then start `owp serve` of this version");
        }
        StoreError::Newer(_) => report.problem("database", error, "run the newer owp"),
        error => report.problem(
            "database",
            error,
            "correct OWP_DATABASE_URL (or --database), and check that the server runs",
        ),
    }
}

async fn read_state(store: &Store) -> Result<DatabaseState, StoreError> {
    store
        .read(transaction!(|tx| {
            Ok(DatabaseState {
                now: tx.now(),
                alive_at: tx.uptime().alive_at().await?,
                stopped_at: tx.uptime().stopped_at().await?,
                inbox: tx.deliveries().health().await?,
                dead: tx.comments().dead_by_repo().await?,
                repos: tx.repos().list().await?,
            })
        }))
        .await
}

fn report_state(picture: &DatabaseState, report: &mut Report) {
    process(picture, report);
    inbox(&picture.inbox, picture.now, report);
    for dead in &picture.dead {
        let why = dead.error.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
        report.warn(
            &dead.repo,
            format!("comments that could not be written: {}{why}", dead.count),
            "list them with `owp admin comments`; a comment whose text changes is retried automatically",
        );
    }
    let served = picture.repos.iter().filter(|repo| repo.inactive.is_none()).count();
    report.ok("repositories", format!("{served} served, {} known", picture.repos.len()));
    for repo in &picture.repos {
        repository(repo, report);
    }
}

fn process(picture: &DatabaseState, report: &mut Report) {
    match picture.alive_at {
        Some(alive) if picture.stopped_at.is_some_and(|stopped| stopped >= alive) => {
            let stopped = picture.stopped_at.unwrap_or(alive).human();
            report.warn(
                "process",
                format!("the pool that served this database stopped at {stopped}"),
                "start `owp serve`",
            );
        }
        Some(at) if picture.now - at <= SILENT => report.ok("process", "a pool serves this database"),
        Some(at) => report.warn(
            "process",
            format!("no pool has served this database since {}", at.human()),
            "start `owp serve`",
        ),
        None => report.warn("process", "no pool has served this database yet", "start `owp serve`"),
    }
}

fn inbox(inbox: &InboxHealth, now: Timestamp, report: &mut Report) {
    if let Some(oldest) = inbox.oldest.filter(|oldest| now - *oldest > STUCK) {
        let words =
            format!("deliveries that wait to be processed: {}, the first since {}", inbox.waiting, oldest.human());
        report.warn("inbox", words, "see the pool's log; they are retried automatically");
    }
    if inbox.dead > 0 {
        let words = format!("deliveries that were given up: {}", inbox.dead);
        report.warn("inbox", words, "see the pool's log; reconciliation with GitHub recovers what they reported");
    }
    match inbox.last {
        Some(last) => report.ok("inbox", format!("the last delivery came in at {}", last.human())),
        None => report.ok("inbox", "no delivery is stored"),
    }
}

fn repository(repo: &RepoRow, report: &mut Report) {
    if let Some(why) = &repo.inactive {
        report.ok(&repo.name, format!("not served: {why}"));
        return;
    }
    if let Some(error) = &repo.file.error {
        let faults: Vec<&str> = error.lines().collect();
        let remedy = "fix .github/owp.yml on the default branch; `owp policy check` checks a local file";
        let what = format!("its policy file is not followed: {}", faults.join("; "));
        if repo.file.was_read {
            report.warn(&repo.name, format!("{what}; the previous policy stays in force"), remedy);
        } else {
            report.problem(&repo.name, format!("{what}; nothing is handed out"), remedy);
        }
    } else if repo.managed && !repo.file.was_read {
        let remedy = "start `owp serve` and run `owp doctor` again; the log says why GitHub does not answer";
        report.warn(&repo.name, "its policy file was not read yet, so nothing is handed out", remedy);
    }
    if !repo.managed {
        return;
    }
    if let Some(at) = repo.count_failed_at {
        let words = format!("its open pull requests could not be counted at {}, so nothing is handed out", at.human());
        report.problem(
            &repo.name,
            words,
            "see the pool's log; the count is retried automatically, and the App needs read access to pull requests",
        );
    } else if repo.counted_at.is_none() {
        let words = "its open pull requests were not counted yet, so nothing is handed out";
        report.warn(&repo.name, words, "wait a minute while `owp serve` runs");
    }
}
