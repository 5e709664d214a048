//! A history that can be played: its seed, its length, and what is left out of it.

use crate::coverage::Coverage;
use crate::database::{Database, Place};
use crate::world::World;
use owp_plants::Plant;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A history: the same story has the same trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The seed of every choice.
    pub seed: u64,
    /// Number of steps.
    pub steps: usize,
    /// Steps that are left out.
    pub skipped: BTreeSet<usize>,
    /// Steps in which nothing goes wrong by itself.
    pub calm: BTreeSet<usize>,
    /// The planted bug, if any.
    pub plant: Option<Plant>,
}

impl Story {
    /// Creates the history of a seed.
    #[must_use]
    pub fn new(seed: u64, steps: usize, plant: Option<Plant>) -> Self {
        Self { seed, steps, skipped: BTreeSet::new(), calm: BTreeSet::new(), plant }
    }

    /// Returns the steps that are played.
    pub fn played(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.steps).filter(|step| !self.skipped.contains(step))
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check.
    pub check: &'static str,
    /// What was found.
    pub found: String,
}

/// A line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// True for what a story can do without: answers that are as they should be.
    pub is_detail: bool,
}

/// What a history came to.
#[derive(Debug)]
pub struct Outcome {
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// What happened.
    pub trace: Vec<Line>,
    /// The step of the violation; the number of steps if it came out in the end.
    pub last_step: usize,
    /// What the history reached.
    pub coverage: Coverage,
}

impl Outcome {
    /// Returns the trace and the violation as text, with or without details.
    #[must_use]
    pub fn text(&self, details: bool) -> String {
        let mut text = String::new();
        for line in self.trace.iter().filter(|line| details || !line.is_detail) {
            let _infallible = writeln!(text, "{}", line.text);
        }
        if let Some(Violation { check, found }) = &self.violation {
            let _infallible = writeln!(text, "VIOLATION of {check}: {found}");
        }
        text
    }
}

/// Plays a history.
///
/// # Panics
/// Panics when the database or a thread cannot be had.
#[must_use]
pub fn play(story: &Story, place: &Place) -> Outcome {
    owp_plants::plant(story.plant);
    let database = Database::make(place, story.seed);
    let mut world = World::new(story, &database);
    let last_step = world.play(story);
    let outcome = world.end(last_step);
    owp_plants::plant(None);
    outcome
}
