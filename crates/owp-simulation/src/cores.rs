//! The core that a history runs on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread, and those that it starts from now on, to one of the machine's cores.
///
/// A process and its database connections take turns, thousands of times in a history, and never run at the same time. On
/// one core a turn is passed on several times as fast as to another that has to wake up. The order of events is the same.
pub fn keep_to_core(n: usize) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let mut one = CpuSet::new();
    if let Some(core) = cores.get(n % cores.len().max(1)) {
        one.set(*core);
        // Best effort: it is only slower without.
        let _slower = sched_setaffinity(None, &one);
    }
}
