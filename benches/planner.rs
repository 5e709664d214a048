//! Planning time, compared with the plain greedy planner in the same run: `cargo bench --bench planner`.

#[path = "../tests/it/planner_optimum/instances.rs"]
mod instances;

use instances::{NOW, instance};
use owp_pool::planner::{Assignment, Snapshot, aged_priority, plan, plan_greedily};
use std::time::{Duration, Instant};

const RUNS: usize = 15;

fn main() {
    println!("workers × tasks  slots   plan median      max   greedy median  time ratio  value ratio  bar");
    for (workers, tasks, bar) in [(30, 80, 10), (200, 2_000, 250)] {
        for slots in [6, 12, 30] {
            let snapshot = instance(7, workers, tasks, slots);
            let (assignments, times) = timed(|| plan(&snapshot, NOW));
            let (plain, plain_times) = timed(|| plan_greedily(&snapshot, NOW));
            let (median, most, greedy) = (times[RUNS / 2], times[RUNS - 1], plain_times[RUNS / 2]);
            println!(
                "{workers:>7} × {tasks:<5} {slots:>6}  {median:>11.2?} {most:>10.2?}  {greedy:>13.2?}  {:>9.1}×  {:>11.4}  {bar} ms {}",
                median.as_secs_f64() / greedy.as_secs_f64(),
                value(&snapshot, &assignments) as f64 / value(&snapshot, &plain).max(1) as f64,
                if median <= Duration::from_millis(bar) { "kept" } else { "MISSED" },
            );
        }
    }
}

fn timed(work: impl Fn() -> Vec<Assignment>) -> (Vec<Assignment>, Vec<Duration>) {
    let assignments = work();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(work(), assignments, "the same snapshot gives the same plan");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    (assignments, times)
}

fn value(snapshot: &Snapshot, assignments: &[Assignment]) -> i64 {
    let worth = |assignment: &Assignment| {
        let facts = snapshot.tasks.iter().find(|facts| facts.task.id == assignment.task);
        facts.map_or(0, |facts| aged_priority(facts.task.spec.priority, facts.task.ready_since, NOW))
    };
    assignments.iter().map(worth).sum()
}
