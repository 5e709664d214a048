//! Test helpers shared by several crates.

pub mod hostile;
pub mod kept;
pub mod postgres;

use std::str::FromStr;
use std::{env, fs};

/// Clock ticks a second in `/proc`: the kernel's interface has always 100.
const TICKS: f64 = 100.0;

/// Returns a number of rounds: that of the environment variable for longer runs, if it is set.
pub fn rounds<N: FromStr>(variable: &str, default: N) -> N {
    env::var_os(variable).and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(default)
}

/// Returns the processor time that these processes took so far, and those of their children that ended, in seconds.
pub fn processor_time(processes: &[u32]) -> f64 {
    let ticks = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The fields after the name: utime, stime, cutime and cstime are the 14th to 17th of all.
        let fields = status.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().skip(11).take(4);
        fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
    };
    processes.iter().map(ticks).sum::<f64>() / TICKS
}
