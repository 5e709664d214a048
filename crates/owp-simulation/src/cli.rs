//! `owp simulate`.

use crate::{Coverage, Outcome, Place, Plant, Story, keep_to_core, play, shrink};
use clap::Args;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Searches for faults: plays random histories of the pool and checks every promise after every commit
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Number of histories
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub seeds: u64,
    /// First seed
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Steps of each history
    #[arg(long, default_value_t = 60, value_name = "K")]
    pub steps: usize,
    /// sqlite, or the URL of a PostgreSQL server on which databases can be made
    #[arg(long, default_value = "sqlite", value_name = "ENGINE")]
    pub engine: String,
    /// Plants this bug, which the histories must find; `list` names all
    #[arg(long, value_name = "BUG")]
    pub plant: Option<String>,
    /// Prints the whole history of the first seed
    #[arg(long)]
    pub trace: bool,
    /// Prints every call to GitHub and every answer in the shortened story
    #[arg(long)]
    pub details: bool,
    /// Prints what the histories reached
    #[arg(long)]
    pub coverage: bool,
    /// Plays all histories, even after a promise was broken, and lists what was found
    #[arg(long)]
    pub all: bool,
    /// Number of threads
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub threads: usize,
}

/// Runs the subcommand.
#[must_use]
pub fn run(args: &SimulateArgs) -> ExitCode {
    let plant = match args.plant.as_deref() {
        Some("list") => {
            for plant in Plant::ALL {
                println!("{:32} {}", plant.name(), plant.mistake());
            }
            return ExitCode::SUCCESS;
        }
        Some(name) => match Plant::from_name(name) {
            Some(plant) => Some(plant),
            None => return refuse(&format!("there is no plant `{name}`; `--plant list` names all")),
        },
        None => None,
    };
    let place = match args.engine.as_str() {
        "sqlite" => Place::sqlite(),
        url if url.starts_with("postgres") => Place::postgres(url),
        other => return refuse(&format!("`{other}` is neither sqlite nor the URL of a PostgreSQL server")),
    };
    let place = match place {
        Ok(place) => place,
        Err(why) => return refuse(&why),
    };
    if args.trace {
        print!("{}", play(&Story::new(args.seed, args.steps, plant), &place).text(true));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let Search { found, coverage, played } = search(args, plant, &place);
    if args.coverage {
        print!("{coverage}");
    }
    let secs = began.elapsed().as_secs_f64();
    println!("{played} histories of {} steps in {secs:.1} s", args.steps);
    let Some(story) = found else { return ExitCode::SUCCESS };
    let (short, outcome) = shrink(&story, &place);
    println!(
        "seed {} breaks a promise; shortened from {} steps to {}:\n",
        story.seed,
        story.steps,
        short.played().count()
    );
    print!("{}", outcome.text(args.details));
    ExitCode::FAILURE
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("owp simulate: {why}");
    ExitCode::from(2)
}

/// What a search came to.
pub struct Search {
    /// The first story found that breaks a promise.
    pub found: Option<Story>,
    /// What all histories reached.
    pub coverage: Coverage,
    /// Number of histories.
    pub played: u64,
}

/// Plays the seeds on some threads until one breaks a promise.
#[must_use]
pub fn search(args: &SimulateArgs, plant: Option<Plant>, place: &Place) -> Search {
    let (next, stop) = (AtomicU64::new(args.seed), AtomicBool::new(false));
    let found: Mutex<Option<Story>> = Mutex::default();
    let coverage: Mutex<Coverage> = Mutex::default();
    let played = AtomicU64::new(0);
    let end = args.seed.saturating_add(args.seeds);
    std::thread::scope(|threads| {
        for thread in 0..args.threads.max(1) {
            let (next, stop, found, coverage, played) = (&next, &stop, &found, &coverage, &played);
            threads.spawn(move || {
                keep_to_core(thread);
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let story = Story::new(seed, args.steps, plant);
                    let Outcome { violation, coverage: reached, .. } = play(&story, place);
                    played.fetch_add(1, Ordering::Relaxed);
                    coverage.lock().unwrap_or_else(PoisonError::into_inner).add(&reached);
                    if let Some(broken) = violation {
                        if args.all {
                            println!("seed {seed}: {}: {}", broken.check, broken.found);
                        }
                        if !args.all || plant.is_some() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.as_ref().is_none_or(|known| known.seed > seed) {
                            *found = Some(story);
                        }
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let coverage = coverage.into_inner().unwrap_or_else(PoisonError::into_inner);
    Search { found, coverage, played: played.into_inner() }
}
