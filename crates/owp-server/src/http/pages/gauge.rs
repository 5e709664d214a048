//! The review budget as a gauge with words: open pull requests, leases, uncounted endings, and the limit.

use super::parts::{Now, capital, encoded, prose, task_path, until};
use maud::{Markup, html};
use owp_pool::budget::{Budget, Occupant};

/// Width and height of the drawing, in its own units.
const WIDTH: i64 = 100;
const HEIGHT: i64 = 6;
/// Number of slots up to which each is set apart: more could not be counted at a glance, and make the page large.
const COUNTABLE: i64 = 12;

/// Renders the budget: the words, the gauge, what takes the slots and who set the limit.
pub(super) fn gauge(budget: &Budget) -> Markup {
    let words = format!("{} of {} slots taken", budget.used(), budget.limit);
    let source = budget.source.words(budget.limit);
    html! {
        span.slots { (words) }
        (drawing(budget, &words))
        span.note {
            @if budget.used() > 0 { (capital(&budget.breakdown())) " · " (prose(&source)) }
            @else { (prose(&capital(&source))) }
        }
    }
}

/// Draws the slots, and a mark at the limit where more are taken.
fn drawing(budget: &Budget, words: &str) -> Markup {
    let whole = budget.limit.max(budget.used()).max(1);
    let parts = [("pulls", budget.open_pulls), ("leases", budget.leases), ("uncounted", budget.uncounted)];
    let mut from = 0;
    let mut rects = Vec::new();
    for (class, slots) in parts {
        let (start, end) = (from * WIDTH / whole, (from + slots) * WIDTH / whole);
        rects.push((class, start, end - start));
        from += slots;
    }
    html! {
        svg.gauge viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(words) {
            rect.track x="0" y="0" width=(WIDTH) height=(HEIGHT) {}
            @for (class, x, width) in rects.iter().filter(|(_, _, width)| *width > 0) {
                rect class=(class) x=(x) y="0" width=(width) height=(HEIGHT) {}
            }
            @if whole <= COUNTABLE {
                @for slot in 1..whole { rect.gap x=(slot * WIDTH / whole) y="0" width="0.5" height=(HEIGHT) {} }
            }
            @if budget.used() > budget.limit {
                rect.limit x=(budget.limit * WIDTH / whole) y="0" width="1" height=(HEIGHT) {}
            }
        }
    }
}

/// Renders who takes the slots of a repository: each lease with its holder and deadline, and each pull request.
pub(super) fn occupants(repo: &str, budget: &Budget, now: Now) -> Markup {
    html! {
        @if !budget.occupants.is_empty() {
            ul.occupants {
                @for occupant in &budget.occupants { li { (occupant_words(repo, occupant, now)) } }
            }
        }
    }
}

fn occupant_words(repo: &str, occupant: &Occupant, now: Now) -> Markup {
    // A task is named by its issue's number or by its id.
    let task = |name: &str| {
        let path = match name.strip_prefix('#') {
            Some(issue) => format!("/tasks?repo={}&issue={issue}", encoded(repo)),
            None => task_path(name),
        };
        html! { a href=(path) { (name) } }
    };
    html! {
        @match occupant {
            Occupant::Lease { who, until: Some(end), task: name } => {
                b { (who) } " holds " (task(name)) " until " (until(*end, now))
            }
            Occupant::Lease { who, until: None, task: name } => { b { (who) } " holds " (task(name)) }
            Occupant::Pull { who, number } => { "Pull request #" (number) " by " b { (who) } }
            Occupant::Review { who, task: id } => { "Pull request by " b { (who) } " for " (task(id.as_str())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::Timestamp;
    use owp_pool::budget::CountState;
    use owp_pool::policy::BudgetSource;

    fn budget(open_pulls: i64, leases: i64) -> Budget {
        Budget {
            limit: 4,
            source: BudgetSource::Policy,
            open_pulls,
            leases,
            uncounted: 0,
            count: CountState::Known(Timestamp(0)),
            occupants: vec![Occupant::Lease { who: "<ada>".into(), until: Some(Timestamp(60_000)), task: "#5".into() }],
        }
    }

    #[test]
    fn a_budget_is_shown_in_words_and_as_a_drawing() {
        let shown = gauge(&budget(1, 1)).into_string();
        assert!(shown.contains("2 of 4 slots taken"), "{shown}");
        let said = "1 open pull request and 1 lease without a pull request · limit from the policy file";
        assert!(shown.contains(said), "{shown}");
        assert!(shown.contains(r#"<rect class="pulls" x="0" y="0" width="25""#), "{shown}");
        assert!(shown.contains(r#"<rect class="leases" x="25" y="0" width="25""#), "{shown}");
        assert!(!shown.contains(r#"class="limit""#), "{shown}");
        let over = gauge(&budget(8, 0)).into_string();
        assert!(over.contains(r#"<rect class="limit" x="50""#), "{over}");
    }

    #[test]
    fn whoever_takes_a_slot_is_named_with_the_deadline() {
        let shown = occupants("a/b", &budget(0, 1), Now(Timestamp(0))).into_string();
        assert!(
            shown.contains("<b>&lt;ada&gt;</b> holds <a href=\"/tasks?repo=a%2Fb&amp;issue=5\">#5</a> until <time"),
            "{shown}"
        );
        assert!(shown.contains("(1 min left)"), "{shown}");
    }
}
