//! Growth from one replica to three on one PostgreSQL server: lifecycles a second, and the processor time and the transactions
//! that each takes. Each number is compared with one replica in the same run:
//! `OWP_TEST_POSTGRES_URL=postgres://… cargo bench --bench replicas`.
//!
//! No other PostgreSQL may run meanwhile. On a machine with few cores the replicas, the server and the workers compete for
//! them. Where the kernel's control groups can be written (version 1, as root), each replica gets a share of a core, so that
//! there is something to grow into.

use owp_testing::postgres::PostgresDatabase;
use owp_testing::processor_time;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

const ADMIN: &str = "an-operators-token-for-the-benchmark";
const WORKERS: usize = 24;
const TASKS: usize = 6_000;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
/// Share of a core for each replica, in percent.
const SHARE: u64 = 20;
const GROUPS: &str = "/sys/fs/cgroup/cpu";

#[tokio::main]
async fn main() {
    let limited = Group::make("probe").is_ok();
    println!(
        "{WORKERS} workers; {}",
        if limited { "each replica has 20 % of a core" } else { "replicas are not limited" }
    );
    println!("                                             per lifecycle: ms of CPU             transactions");
    println!("repositories  replicas  lifecycles/s  ratio  of the replicas  of PostgreSQL  committed  rolled back");
    for repos in [1, 24] {
        let mut alone = None;
        for replicas in 1..=3 {
            let Measured { rate, replica, server, committed, rolled_back } = measure(repos, replicas, limited).await;
            let ratio = rate / *alone.get_or_insert(rate);
            println!(
                "{repos:>12}  {replicas:>8}  {rate:>12.1}  {ratio:>5.2}  {replica:>15.2}  {server:>13.2}  {committed:>9.1}  {rolled_back:>11.1}"
            );
        }
    }
}

struct Measured {
    rate: f64,
    /// Milliseconds of the replicas' processor time per lifecycle.
    replica: f64,
    /// Those of PostgreSQL.
    server: f64,
    /// Transactions per lifecycle, those that only read included.
    committed: f64,
    rolled_back: f64,
}

async fn measure(repos: usize, replicas: usize, limited: bool) -> Measured {
    let database = PostgresDatabase::empty().await;
    let mut pool = Vec::new();
    for at in 0..replicas {
        pool.push(Replica::start(&database.url, limited.then(|| format!("{at}"))).await);
    }
    let http = Client::builder().no_proxy().build().expect("a client");
    for repo in 0..repos {
        let name = format!("acme/repo{repo}");
        let admin = |path: &str| http.post(format!("{}/v1/admin/{path}", pool[0].url)).header("X-Admin-Token", ADMIN);
        answer(admin("repos").json(&json!({ "repo": name, "max_open_prs": 100 }))).await;
        let mut left = TASKS / repos;
        while left > 0 {
            let tasks: Vec<Value> = (0..left.min(250)).map(|n| json!({ "title": format!("Task {n}") })).collect();
            left -= tasks.len();
            answer(admin("tasks/bulk").json(&json!({ "repo": name, "tasks": tasks }))).await;
        }
    }
    let (done, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut workers = Vec::new();
    for n in 0..WORKERS {
        let url = pool[n % replicas].url.clone();
        let register = json!({ "name": format!("worker {n}"), "max_concurrent_tasks": 1 });
        let answered = answer(http.post(format!("{url}/v1/workers/register")).json(&register)).await;
        let token = answered["token"].as_str().expect("a token").to_owned();
        workers.push(tokio::spawn(work(http.clone(), url, token, Arc::clone(&done), Arc::clone(&over))));
    }
    let replica_ids: Vec<u32> = pool.iter().map(|replica| replica.child.id()).collect();
    let state = async || {
        let transactions = transactions(&database).await;
        (
            Instant::now(),
            done.load(Ordering::Relaxed),
            processor_time(&replica_ids),
            processor_time(&postgres()),
            transactions,
        )
    };
    tokio::time::sleep(WARM_UP).await;
    let before = state().await;
    tokio::time::sleep(MEASURED).await;
    let after = state().await;
    over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("a worker comes to its end");
    }
    let count = f64::from(u32::try_from(after.1 - before.1).expect("a small number"));
    Measured {
        rate: count / (after.0 - before.0).as_secs_f64(),
        replica: (after.2 - before.2) * 1e3 / count,
        server: (after.3 - before.3) * 1e3 / count,
        committed: (after.4.0 - before.4.0) / count,
        rolled_back: (after.4.1 - before.4.1) / count,
    }
}

/// Returns the numbers of transactions so far, committed and rolled back, of a database that nobody else uses.
async fn transactions(database: &PostgresDatabase) -> (f64, f64) {
    let counted = "SELECT CAST(xact_commit AS DOUBLE PRECISION), CAST(xact_rollback AS DOUBLE PRECISION)
        FROM pg_stat_database WHERE datname = $1";
    let mut conn = AnyConnection::connect(&database.url).await.expect("a connection");
    let counts =
        sqlx::query_as(counted).bind(&database.name).fetch_one(&mut conn).await.expect("the server's statistics");
    conn.close().await.expect("the server answers");
    counts
}

/// Takes tasks, reports them as begun and as merged, one after the other.
async fn work(http: Client, url: String, token: String, done: Arc<AtomicUsize>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        let told = answer(http.get(format!("{url}/v1/work?wait=1")).bearer_auth(&token)).await;
        for lease in told["leases"].as_array().into_iter().flatten() {
            let task = lease["task_id"].as_str().expect("a task");
            for status in ["in_progress", "merged"] {
                let report = json!({ "status": status, "lease_id": lease["lease_id"] });
                let call = http.post(format!("{url}/v1/tasks/{task}/status")).bearer_auth(&token);
                answer(call.json(&report)).await;
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn answer(call: RequestBuilder) -> Value {
    let answer = call.send().await.expect("a response");
    let status = answer.status();
    let body = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status} {body}");
    body
}

struct Replica {
    child: Child,
    url: String,
    /// Outlives the process.
    _group: Option<Group>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Replica {
    async fn start(database: &str, group: Option<String>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let child = Command::new(env!("CARGO_BIN_EXE_owp"))
            .args(["serve", "--listen", &free.to_string()])
            .env("OWP_ADMIN_TOKEN", ADMIN)
            .env("OWP_RATE_LIMIT", "off")
            .env("OWP_DATABASE_URL", database)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let replica = Self { child, url: format!("http://{free}"), _group: group.map(|name| Group::of(&name)) };
        let http = Client::new();
        while !http.get(format!("{}/readyz", replica.url)).send().await.is_ok_and(|a| a.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Some(group) = &replica._group {
            group.add(replica.child.id()).expect("a process can be moved to its group");
        }
        replica
    }
}

/// A control group whose processes get a share of a core.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir(&self.0);
    }
}

impl Group {
    fn of(name: &str) -> Self {
        Self::make(name).expect("a group was made before")
    }

    fn make(name: &str) -> io::Result<Self> {
        let group = Self(Path::new(GROUPS).join(format!("owp-bench-{name}")));
        fs::create_dir(&group.0)?;
        // In periods of 10 ms, so that no call waits for long.
        group.set("cpu.cfs_period_us", 10_000)?;
        group.set("cpu.cfs_quota_us", SHARE * 100)?;
        Ok(group)
    }

    fn add(&self, process: u32) -> io::Result<()> {
        self.set("cgroup.procs", process.into())
    }

    /// Writes to a file that the kernel has made; elsewhere there is none.
    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(self.0.join(file))?;
        write!(file, "{value}")
    }
}

/// Returns the processes of PostgreSQL.
fn postgres() -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("the kernel's list of processes").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "postgres"))
        .collect()
}
