//! Errors of a worker's calls, with the next step.

use crate::cli::failure::Failure;
use owp_client::{ClientError, Problem};

/// Turns a client error into a failure with the contributor's next step.
pub(super) fn with_next_step(error: ClientError) -> Failure {
    let about_no_task = |problem: &Problem| problem.kind == "refused" && problem.reasons().is_empty();
    let next = error.problem().filter(|problem| !about_no_task(problem)).and_then(|problem| next_step(&problem.kind));
    let usage_error = error.problem().is_some_and(|problem| matches!(problem.status, 413 | 422));
    let failure = Failure::from(error);
    let failure = if usage_error { failure.as_usage_error() } else { failure };
    match next {
        Some(next) => failure.next(next),
        None => failure,
    }
}

/// Returns the next step by the last part of the problem's `type`, which is part of the protocol.
fn next_step(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "unauthorized" => "Fix or unset OWP_WORKER_TOKEN, or run `owp worker register --again`.",
        "unknown-task" | "unknown-lease" => "`owp worker list` lists the tasks and leases you hold.",
        "not-yours" => "See your tasks with `owp worker list`, or claim one again with `owp worker claim TASK`.",
        "refused" => "`owp worker why TASK` explains one task, `owp worker list --explain` all that wait.",
        "managed-repository" => "Open the pull request on GitHub: the pool finds it there.",
        "invalid-value" | "malformed-body" => "See `--help` for accepted values.",
        "unknown-path" => "The pool does not know this call: it may be older than this program.",
        "rate-limited" => "Wait a moment, or use `owp worker run`, which respects the rate limit.",
        "unavailable" | "internal" => "Try again in a moment; `owp healthcheck` checks that the pool is ready.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_server::wire::ProblemKind;

    #[test]
    fn the_steps_are_for_problems_that_there_are() {
        let names: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        for kind in ["unauthorized", "unknown-task", "unknown-lease", "not-yours", "refused", "managed-repository"] {
            assert!(names.contains(&kind) && next_step(kind).is_some(), "{kind}");
        }
        for kind in ["invalid-value", "malformed-body", "rate-limited", "unavailable", "internal"] {
            assert!(names.contains(&kind) && next_step(kind).is_some(), "{kind}");
        }
        assert_eq!(next_step("something-newer"), None);
    }
}
