//! Many clients at once, and how long each of their calls took.

use crate::server;
use owp_testing::processor_time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_secs(1);

/// What one client did: how many units of work, and the time of each call by its name.
#[derive(Default)]
pub(crate) struct Done {
    units: usize,
    calls: BTreeMap<&'static str, Vec<Duration>>,
}

impl Done {
    pub(crate) fn unit(&mut self) {
        self.units += 1;
    }

    pub(crate) fn call(&mut self, name: &'static str, began: Instant) {
        self.calls.entry(name).or_default().push(began.elapsed());
    }

    fn add(&mut self, other: Self) {
        self.units += other.units;
        for (name, times) in other.calls {
            self.calls.entry(name).or_default().extend(times);
        }
    }
}

/// The phases of a run, which all clients see.
#[derive(Default)]
pub(crate) struct Phase {
    measured: AtomicBool,
    over: AtomicBool,
}

impl Phase {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Forgets what was done so far when the measured time begins.
    pub(crate) fn begin_if_measured(&self, done: &mut Done, began: &mut bool) {
        if !*began && self.measured.load(Ordering::Relaxed) {
            *began = true;
            *done = Done::default();
        }
    }
}

/// The result of a run.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) per_second: f64,
    /// Milliseconds of the server's processor time per unit.
    pub(crate) processor_ms: f64,
    /// The median and the 99th percentile of each call, in milliseconds.
    pub(crate) calls: BTreeMap<&'static str, (f64, f64)>,
    /// Time that the server took to start on the filled database.
    pub(crate) start: Option<Duration>,
    /// Memory of the server in MiB: at the end, and the most.
    pub(crate) memory: (f64, f64),
}

impl Measured {
    pub(crate) fn json(&self) -> Value {
        let calls: BTreeMap<_, _> = self
            .calls
            .iter()
            .map(|(name, (median, p99))| (*name, json!({ "p50_ms": median, "p99_ms": p99 })))
            .collect();
        json!({
            "name": self.name, "unit": self.unit, "per_second": self.per_second, "processor_ms": self.processor_ms,
            "calls": calls, "start_ms": self.start.map(|time| time.as_secs_f64() * 1e3), "memory_mib": self.memory.0, "peak_memory_mib": self.memory.1,
        })
    }
}

/// Returns a row with no figure yet.
pub(crate) fn empty(name: &str, unit: &'static str) -> Measured {
    let (name, calls) = (name.to_owned(), BTreeMap::new());
    Measured { name, unit, per_second: 0.0, processor_ms: 0.0, calls, start: None, memory: (0.0, 0.0) }
}

/// Runs the clients of a process for a time and adds up what they did.
pub(crate) async fn run<F>(
    process: u32,
    (name, unit): (String, &'static str),
    seconds: f64,
    clients: impl IntoIterator<Item = impl FnOnce(Arc<Phase>) -> F>,
) -> Measured
where
    F: Future<Output = Done> + 'static,
{
    let phase = Arc::new(Phase::default());
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            let clients: Vec<_> =
                clients.into_iter().map(|client| tokio::task::spawn_local(client(Arc::clone(&phase)))).collect();
            tokio::time::sleep(WARM_UP).await;
            phase.measured.store(true, Ordering::Relaxed);
            let (began, processor) = (Instant::now(), processor_time(&[process]));
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            let (lasted, processor) = (began.elapsed().as_secs_f64(), processor_time(&[process]) - processor);
            phase.over.store(true, Ordering::Relaxed);
            let memory = server::memory(process);
            let mut all = Done::default();
            for client in clients {
                all.add(client.await.expect("a client comes to its end"));
            }
            let units = as_float(all.units);
            let calls = all.calls.into_iter().map(|(name, times)| (name, percentiles(times))).collect();
            let (per_second, processor_ms) = (units / lasted, processor * 1e3 / units);
            Measured { name, unit, per_second, processor_ms, calls, start: None, memory }
        })
        .await
}

/// Returns the median and the 99th percentile in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (ms(at(50)), ms(at(99)))
}

pub(crate) fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
