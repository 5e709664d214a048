//! The power fails while SQLite writes: what a process wrote is recorded, and cut at any point. What was synced by then is
//! there; of the rest any part may be, in any order.

use super::stage::Stage;
use super::under_load::{Acknowledged, Caller, work};
use owp_testing::rounds;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{AnyConnection, Connection};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Number of cuts; the variable is for longer runs.
const CUTS: &str = "OWP_TEST_CUTS";
const DEFAULT_CUTS: usize = 40;
/// Calls that are answered while the record is made: enough to move the log into the database several times.
const ANSWERS: usize = 1_500;
const WORKERS: usize = 8;
/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The library that records what a process writes.
fn recorder(folder: &Path) -> PathBuf {
    let library = folder.join("record_writes.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/two_processes/record_writes.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(built.expect("there is a C compiler").success());
    library
}

/// One entry of the record.
struct Entry<'a> {
    operation: u8,
    file: u8,
    offset: usize,
    /// The bytes of a write.
    bytes: &'a [u8],
    /// The length of the record up to here, this entry included.
    end: u64,
}

fn entries(record: &[u8]) -> Vec<Entry<'_>> {
    let (mut entries, mut rest) = (Vec::new(), record);
    // The process was killed, so the last entry may be half written.
    while let Some((head, after)) = rest.split_at_checked(18) {
        let number = |at: usize| usize::try_from(u64::from_ne_bytes(head[at..at + 8].try_into().unwrap())).unwrap();
        let Some((bytes, after)) = after.split_at_checked(number(10)) else { break };
        let end = u64::try_from(record.len() - after.len()).unwrap();
        entries.push(Entry { operation: head[0], file: head[1], offset: number(2), bytes, end });
        rest = after;
    }
    entries
}

/// A file on a disk that has a cache.
#[derive(Clone, Default)]
struct File<'a> {
    synced: Vec<u8>,
    /// Writes and truncations since the last sync.
    cached: Vec<&'a Entry<'a>>,
}

fn apply(content: &mut Vec<u8>, entry: &Entry<'_>, length: usize) {
    if entry.operation == b't' {
        content.resize(entry.offset, 0);
        return;
    }
    let end = entry.offset + length;
    if content.len() < end {
        content.resize(end, 0);
    }
    content[entry.offset..end].copy_from_slice(&entry.bytes[..length]);
}

impl<'a> File<'a> {
    fn take(&mut self, entry: &'a Entry<'a>) {
        match entry.operation {
            b's' => {
                for cached in self.cached.drain(..) {
                    apply(&mut self.synced, cached, cached.bytes.len());
                }
            }
            b'x' => *self = Self::default(),
            _ => self.cached.push(entry),
        }
    }

    /// Returns what is on the disk after a power cut.
    fn left(&self, rng: &mut StdRng) -> Vec<u8> {
        let mut content = self.synced.clone();
        let survives = rng.random_range(0..=100);
        for entry in &self.cached {
            if rng.random_range(0..100) >= survives {
                continue;
            }
            let torn = rng.random_range(0..8) == 0;
            let length =
                if torn { rng.random_range(0..=entry.bytes.len()) / SECTOR * SECTOR } else { entry.bytes.len() };
            apply(&mut content, entry, length);
        }
        content
    }
}

/// Checks the files that a power cut left: the database is whole, and holds what was acknowledged by then.
async fn check(folder: &Path, acknowledged: &[Acknowledged], cut: u64) {
    let database = folder.join("owp.db");
    let mut conn = AnyConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    assert_eq!(whole, "ok", "cut at {cut}");
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut conn).await.unwrap();
    assert!(dangling.is_empty(), "cut at {cut}");
    let tasks = sqlx::query_as("SELECT id, state FROM tasks").fetch_all(&mut conn).await.unwrap();
    let tasks: BTreeMap<String, String> = tasks.into_iter().collect();
    for Acknowledged { task, state, .. } in acknowledged.iter().filter(|one| one.recorded <= cut) {
        let found = tasks.get(task);
        assert!(found.is_some(), "the task {task} was acknowledged and is lost at {cut}");
        assert!(*state != "merged" || found.is_some_and(|found| found == "merged"), "{task} is {found:?} at {cut}");
    }
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record");
    let preload = [("LD_PRELOAD", recorder(folder.path())), ("OWP_TEST_RECORD", record.clone())];
    let stage = Arc::new(Stage::start_with(None, 1, &preload).await);
    let caller = Caller::new(&stage, Some(record.clone())).await;
    let workers: Vec<_> = (0..WORKERS).map(|name| tokio::spawn(work(caller.clone(), name))).collect();
    caller.until_answered(ANSWERS).await;
    caller.end();
    let mut acknowledged = Vec::new();
    for worker in workers {
        acknowledged.extend(worker.await.unwrap());
    }
    drop((caller, stage));

    sqlx::any::install_default_drivers();
    let record = fs::read(&record).unwrap();
    let entries = entries(&record);
    let first = acknowledged.iter().map(|one| one.recorded).min().expect("something was acknowledged");
    let begin = entries.iter().position(|entry| entry.end > first).expect("and something was written after that");
    let moved = entries.iter().filter(|entry| (entry.operation, entry.file) == (b's', b'd')).count();
    assert!(moved > 2, "the log was moved into the database {moved} times");
    let mut rng = StdRng::seed_from_u64(13);
    let cuts = rounds(CUTS, DEFAULT_CUTS);
    let mut at: Vec<usize> = (0..cuts).map(|_| rng.random_range(begin..entries.len())).collect();
    at.sort_unstable();
    let mut at = at.into_iter().peekable();
    let mut files: BTreeMap<u8, File<'_>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        files.entry(entry.file).or_default().take(entry);
        while at.next_if_eq(&index).is_some() {
            let disk = tempfile::tempdir().unwrap();
            for (file, name) in [(b'd', "owp.db"), (b'w', "owp.db-wal")] {
                let left = files.get(&file).map(|file| file.left(&mut rng)).unwrap_or_default();
                fs::write(disk.path().join(name), left).unwrap();
            }
            check(disk.path(), &acknowledged, entry.end).await;
        }
    }
}
