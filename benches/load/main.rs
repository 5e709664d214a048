//! The whole server under load, over HTTP: `scripts/bench`.
//!
//! The clients share the machine's cores with the server. Responses come after the commit; the database is in the folder
//! for temporary files, which should be on a disk.

mod driver;
mod fill;
mod limit;
mod measure;
mod memory;
mod pages;
mod peers;
mod scenarios;
mod server;
mod value;

use fill::{Fill, Head};
use measure::{Measured, empty};
use memory::Waiting;
use owp_testing::postgres::PostgresDatabase;
use peers::Peers;
use scenarios::Bench;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};
use value::Asking;

/// Names a program to measure instead of this build's, for a comparison.
const BINARY: &str = "OWP_BENCH_BINARY";
/// Share of the small database's lifecycles below which `--check` fails; noise does not reach it.
const GROSS: f64 = 0.25;
/// A server on which databases can be made; without it PostgreSQL is left out.
const POSTGRES: &str = "OWP_TEST_POSTGRES_URL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let short = arguments.iter().any(|argument| argument == "--short");
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1).cloned();
    let only = after("--only");
    let binary = env::var_os(BINARY).map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_owp")), PathBuf::from);
    let bench = Bench { binary: &binary, seconds: if short { 2.0 } else { 8.0 } };
    if arguments.iter().any(|argument| argument == "--check") {
        return check(&bench).await;
    }
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|part| part == name));
    let (mut all, mut others) = (Vec::new(), Vec::new());
    println!(
        "{:<12} {:<72} {:>10} {:>8}  {:<60} {:>14} {:>9}",
        "unit", "load", "per second", "CPU ms", "p50 / p99 ms", "memory MiB", "start ms"
    );
    // The first row is what the others are compared with.
    let size = |full: usize, fast: usize| if short { fast } else { full };
    let one = Fill::plain(1, size(40_000, 10_000));
    let behind = size(20_000, 5_000);
    let fills = [
        one,
        Fill::plain(100, size(100_000, 10_000)),
        Fill::plain(1_000, size(100_000, 10_000)),
        Fill::plain(10_000, size(1_000_000, 100_000)),
        Fill { head: Head::OtherSkills, behind, ..one },
        Fill { head: Head::Assigned, behind, ..one },
        Fill { head: Head::Full(900), behind, ..Fill::plain(100, one.tasks) },
        Fill { finished: size(1_000_000, 100_000), ..one },
    ];
    if let Some(minutes) = after("--steady").and_then(|minutes| minutes.parse().ok()) {
        return steady(&bench, minutes, &wanted).await;
    }
    if wanted("limit") {
        let per_second = limit::lifecycles(&binary, bench.seconds).await;
        let row = empty("a bare loop that writes the rows of lifecycles, SQLite", "lifecycles");
        all.push(shown(Measured { per_second, processor_ms: 1e3 / per_second, ..row }));
        if env::var_os(POSTGRES).is_some() {
            let database = PostgresDatabase::empty().await;
            let per_second = limit::lifecycles_on_postgres(&binary, &database.url, bench.seconds).await;
            let row = empty("a bare loop that writes the rows of lifecycles, PostgreSQL", "lifecycles");
            all.push(shown(Measured { per_second, ..row }));
        }
    }
    if wanted("sqlite") {
        for fill in &fills {
            all.push(shown(bench.lifecycles(None, fill).await));
        }
    }
    if wanted("postgres") && env::var_os(POSTGRES).is_some() {
        for fill in &fills {
            let database = PostgresDatabase::empty().await;
            all.push(shown(bench.lifecycles(Some(&database.url), fill).await));
        }
    }
    if wanted("polls") {
        for repos in [1, 1000] {
            all.push(shown(bench.empty_polls(repos).await));
        }
    }
    if wanted("webhooks") {
        all.push(shown(bench.webhooks().await));
    }
    if wanted("peers") {
        all.extend(peers(&bench).await);
    }
    if wanted("memory") {
        others.push(bench.memory(Waiting::Pull, 5_000).await);
        others.push(bench.memory(Waiting::Stream, 2_000).await);
    }
    if wanted("pages") {
        others.extend(bench.pages(if short { 5 } else { 20 }).await);
        for readers in [0, 60] {
            all.push(shown(bench.lifecycles_beside_readers(readers).await));
        }
    }
    if wanted("value") {
        for asking in Asking::ALL {
            others.push(bench.value(asking, if short { 10 } else { 40 }).await);
        }
    }
    if let Some(file) = after("--json") {
        let all: Vec<_> = all.iter().map(Measured::json).chain(others).collect();
        fs::write(&file, serde_json::to_string_pretty(&all).expect("JSON")).expect("the file can be written");
    }
    ExitCode::SUCCESS
}

/// Measures other programs where npm can install them.
async fn peers(bench: &Bench<'_>) -> Vec<Measured> {
    let Some(peers) = Peers::install() else {
        println!("The peers are left out: `npm ci` cannot install them.");
        return Vec::new();
    };
    let mut rows = vec![shown(peers.webhooks(bench).await)];
    if env::var_os(POSTGRES).is_some() {
        rows.push(shown(peers.jobs(bench).await));
    }
    rows
}

/// Runs at full load on one server, and on another with PostgreSQL where there is one.
async fn steady(bench: &Bench<'_>, minutes: usize, wanted: impl Fn(&str) -> bool) -> ExitCode {
    if wanted("sqlite") {
        bench.steady(None, minutes, shown).await;
    }
    if wanted("postgres") && env::var_os(POSTGRES).is_some() {
        let database = PostgresDatabase::empty().await;
        bench.steady(Some(&database.url), minutes, shown).await;
    }
    ExitCode::SUCCESS
}

/// Compares large databases with a small one in the same run, and fails when one is far slower: its cost has begun to
/// grow with something.
async fn check(bench: &Bench<'_>) -> ExitCode {
    let one = Fill::plain(1, 2_000);
    let small = bench.lifecycles(None, &one).await.per_second;
    let large = [
        Fill::plain(2_000, 20_000),
        Fill { head: Head::OtherSkills, behind: 5_000, ..one },
        Fill { head: Head::Assigned, behind: 5_000, ..one },
        Fill { head: Head::Full(1_000), behind: 2_000, ..one },
        Fill { finished: 100_000, ..one },
    ];
    let mut slow = false;
    for fill in large {
        let ratio = bench.lifecycles(None, &fill).await.per_second / small;
        slow |= ratio < GROSS;
        println!("{ratio:.2} of the lifecycles a second of {one}: {fill}");
    }
    if slow {
        println!("A ratio below {GROSS} says that the cost grows with what is in the database.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn shown(measured: Measured) -> Measured {
    let Measured { name, unit, per_second, processor_ms, calls, memory, start } = &measured;
    let start = start.map(|start| start.as_millis().to_string()).unwrap_or_default();
    let calls: Vec<String> = calls.iter().map(|(name, (p50, p99))| format!("{name} {p50:.1}/{p99:.1}")).collect();
    let calls = calls.join(", ");
    println!(
        "{unit:<12} {name:<72} {per_second:>10.0} {processor_ms:>8.3}  {calls:<60} {:>6.0} /{:>6.0} {start:>9}",
        memory.0, memory.1
    );
    measured
}
