//! Shortens a history that breaks a promise.

use crate::database::Place;
use crate::story::{Outcome, Story, play};

/// Returns the shortest story found that breaks the same promise, and its outcome.
#[must_use]
pub fn shrink(story: &Story, place: &Place) -> (Story, Outcome) {
    let first = play(story, place);
    let Some(check) = first.violation.as_ref().map(|found| found.check) else { return (story.clone(), first) };
    let still = |story: &Story| {
        let outcome = play(story, place);
        outcome.violation.as_ref().is_some_and(|found| found.check == check).then_some(outcome)
    };
    let (mut best, mut outcome) = (story.clone(), first);
    // Nothing after the violation matters.
    if outcome.last_step < best.steps {
        let shorter = Story { steps: outcome.last_step + 1, ..best.clone() };
        if let Some(found) = still(&shorter) {
            (best, outcome) = (shorter, found);
        }
    }
    let mut size = best.steps.div_ceil(2).max(1);
    while size > 0 {
        let steps: Vec<usize> = best.played().collect();
        for part in steps.chunks(size) {
            let mut shorter = best.clone();
            shorter.skipped.extend(part);
            if let Some(found) = still(&shorter) {
                (best, outcome) = (shorter, found);
            }
        }
        size /= 2;
    }
    for step in best.played().collect::<Vec<_>>() {
        let mut calmer = best.clone();
        calmer.calm.insert(step);
        if let Some(found) = still(&calmer) {
            (best, outcome) = (calmer, found);
        }
    }
    (best, outcome)
}
