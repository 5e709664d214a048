//! Plans against the exact optimum, on generated instances.

mod exact;
mod instances;
mod world;

use instances::{NOW, instance};
use owp_pool::planner::{plan, plan_greedily};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};

/// Seed, workers, tasks and how tight the slots are.
fn suite() -> impl Iterator<Item = (u64, usize, usize, usize)> {
    (0..300).map(|seed| {
        let workers = 3 + seed as usize % 6;
        (seed, workers, workers * (2 + seed as usize % 4), [6, 10, 16, 30][seed as usize / 6 % 4])
    })
}

#[test]
fn plans_come_close_to_the_exact_optimum() {
    let mut shares = Vec::new();
    let (mut greedy, mut alone, mut best) = (0, 0, 0);
    for (seed, workers, tasks, slots) in suite() {
        let snapshot = instance(seed, workers, tasks, slots);
        let optimum = exact::optimum(&snapshot);
        let assignments = plan(&snapshot, NOW);
        let value = world::value(&snapshot, &assignments);
        world::apply(&mut snapshot.clone(), &assignments).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert!(value <= optimum, "seed {seed}: {value} of {optimum}: the exact solver is not");
        if optimum > 0 {
            shares.push((value as f64 / optimum as f64, seed));
        }
        best += optimum;
        greedy += world::value(&snapshot, &plan_greedily(&snapshot, NOW));
        alone += world::one_by_one(&snapshot);
    }
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = shares.iter().map(|(share, _)| share).sum::<f64>() / shares.len() as f64;
    let worst = shares[shares.len() / 100].0;
    let exact = shares.iter().filter(|(share, _)| *share >= 1.0).count();
    println!(
        "{} instances: mean {mean:.5}, worst 1 % {worst:.5}, worst {:.5} (seed {}), {exact} optimal; in all: plain greedy {:.5}, one by one {:.5}",
        shares.len(),
        shares[0].0,
        shares[0].1,
        greedy as f64 / best as f64,
        alone as f64 / best as f64,
    );
    assert!(shares.len() > 250, "too many instances have nothing to grant");
    assert!(alone < best, "the instances are too easy to tell planners apart");
    assert!(mean >= 0.995, "mean {mean:.5}");
    assert!(worst >= 0.96, "worst 1 % {worst:.5}");
}

#[test]
fn a_plan_is_the_same_in_whatever_order_the_snapshot_lists_things() {
    for seed in 0..10 {
        let snapshot = instance(seed, 10, 40, 12);
        let mut turned = snapshot.clone();
        let mut dice = StdRng::seed_from_u64(seed);
        turned.tasks.shuffle(&mut dice);
        turned.workers.shuffle(&mut dice);
        assert_eq!(plan(&snapshot, NOW), plan(&turned, NOW), "seed {seed}");
    }
}
