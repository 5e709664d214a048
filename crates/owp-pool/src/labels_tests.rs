//! Tests of the label mapping; see `labels.rs`.

use super::*;
use proptest::prelude::*;

fn read(labels: &[&str]) -> LabelReading {
    let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
    read_labels(&labels, &LabelRules::default())
}

#[test]
fn the_example_of_the_guide_reads_as_the_guide_says() {
    let reading = read(&["pool:ready", "estimate:3", "priority:high", "skills:rust", "area:auth", "tier:1", "bug"]);
    assert_eq!(
        reading,
        LabelReading {
            ready: true,
            estimate: 3,
            priority: 80,
            skills: vec!["rust".into()],
            area: Some("auth".into()),
            tier: 1,
            problems: vec![],
            alike: vec![],
        }
    );
}

#[test]
fn an_issue_without_our_labels_has_the_defaults_and_no_problems() {
    let reading =
        read(&["bug", "estimated", "sized", "area", "tier", "priority", "good first issue", "pool", "area51"]);
    assert_eq!((reading.ready, reading.estimate, reading.priority, reading.tier), (false, 1, 50, 0));
    assert_eq!((reading.skills, reading.area, reading.problems), (vec![], None, vec![]));
}

#[test]
fn sizes_and_named_priorities_have_their_numbers() {
    for (label, points) in [
        ("size:XS", 1),
        ("size:s", 2),
        ("Size: M", 3),
        ("SIZE:l", 5),
        ("size:XL", 8),
        ("estimate:xl", 8),
        ("size:13", 13),
        ("estimate:100", 100),
    ] {
        assert_eq!(read(&[label]).estimate, points, "{label}");
        assert_eq!(read(&[label]).problems, [], "{label}");
    }
    for (label, priority) in [
        ("priority:critical", 100),
        ("Priority:HIGH", 80),
        ("priority:medium", 50),
        ("priority:low", 20),
        ("priority:0", 0),
        ("priority : 1000", 1000),
    ] {
        assert_eq!(read(&[label]).priority, priority, "{label}");
        assert_eq!(read(&[label]).problems, [], "{label}");
    }
}

#[test]
fn skills_are_gathered_trimmed_caseless_sorted_and_single() {
    let reading = read(&["skills: Rust, sql ,,", "Skill:RUST", "skill:c++", "skills:Machine  Learning"]);
    assert_eq!(reading.skills, ["c++", "machine learning", "rust", "sql"]);
    assert_eq!(reading.problems, []);
}

#[test]
fn labels_that_disagree_take_the_safer_value_and_are_reported() {
    let reading =
        read(&["estimate:2", "size:L", "priority:high", "priority:low", "tier:0", "tier:2", "area:web", "area:api"]);
    assert_eq!((reading.estimate, reading.priority, reading.tier), (5, 20, 2));
    assert_eq!(reading.area.as_deref(), Some("api"));
    assert_eq!(reading.problems.len(), 8, "each label that takes part is named: {:?}", reading.problems);
    assert_eq!(reading.problems[0].what, "disagrees with another label; the largest estimate counts");
    assert_eq!(reading.problems[7].used, "area api");
}

#[test]
fn labels_that_say_the_same_do_not_disagree() {
    let reading =
        read(&["estimate:3", "size:M", "priority:80", "priority:high", "area:Web", "area:web", "tier:1", "tier: 1"]);
    assert_eq!((reading.estimate, reading.priority, reading.tier), (3, 80, 1));
    assert_eq!(reading.problems, []);
}

#[test]
fn a_label_that_does_not_parse_is_reported_with_what_counts_instead() {
    for (label, used) in [
        ("estimate:", "estimate 1"),
        ("estimate:0", "estimate 1"),
        ("estimate:101", "estimate 1"),
        ("estimate:+3", "estimate 1"),
        ("estimate:-3", "estimate 1"),
        ("estimate:3.5", "estimate 1"),
        ("estimate:٣", "estimate 1"),
        ("estimate:99999999999999999999", "estimate 1"),
        ("size:XXL", "estimate 1"),
        ("priority:urgent", "priority 50"),
        ("priority:1001", "priority 50"),
        ("priority:-1", "priority 50"),
        ("skills:", "no required skill"),
        ("skill: , ", "no required skill"),
        ("area: ", "no area"),
        ("area:a\u{202e}b", "no area"),
        ("tier:4", "tier 3"),
        ("tier:high", "tier 3"),
        ("tier:", "tier 3"),
        ("pool-ready", "nothing; the label is ignored"),
        ("Pool: Ready", "nothing; the label is ignored"),
    ] {
        let reading = read(&[label]);
        assert_eq!(reading.problems.len(), 1, "{label}");
        assert_eq!((reading.problems[0].label.as_str(), reading.problems[0].used.as_str()), (label, used));
        assert!(!reading.problems[0].what.is_empty() && !reading.ready);
    }
}

#[test]
fn a_bad_tier_counts_as_three_even_beside_a_good_one() {
    let reading = read(&["tier:1", "tier:one"]);
    assert_eq!(reading.tier, 3);
    assert_eq!(reading.problems.len(), 2);
}

#[test]
fn a_bad_estimate_beside_a_good_one_leaves_the_good_one() {
    let reading = read(&["estimate:lots", "size:L"]);
    assert_eq!((reading.estimate, reading.problems[0].used.as_str()), (5, "estimate 5"));
}

#[test]
fn names_are_remappable_and_the_old_ones_then_mean_nothing() {
    let rules = LabelRules {
        ready: "Help Wanted".into(),
        estimate: vec!["sp".into(), "size/".into()],
        ..LabelRules::default()
    };
    let labels = ["help wanted", "pool:ready", "SP:8", "estimate:50"].map(str::to_owned);
    let reading = read_labels(&labels, &rules);
    assert!(reading.ready);
    assert_eq!((reading.estimate, reading.problems), (8, vec![]));
    assert_eq!(read_labels(&["size/XL".to_owned()], &rules).estimate, 8);
    assert!(!read_labels(&["pool:ready".to_owned()], &rules).ready);
}

#[test]
fn an_empty_rule_matches_nothing() {
    let rules = LabelRules { ready: String::new(), estimate: vec![" ".into()], ..LabelRules::default() };
    let reading = read_labels(&["".to_owned(), ":3".to_owned(), "3".to_owned()], &rules);
    assert_eq!((reading.ready, reading.estimate, reading.problems), (false, 1, vec![]));
}

#[test]
fn names_are_bounded_and_visible() {
    assert_eq!(normalise_skill("  Type\tScript "), Some("type script".into()));
    assert_eq!(normalise_area("ÄPFEL"), Some("äpfel".into()));
    assert_eq!(normalise_skill(&"x".repeat(64)).map(|s| s.len()), Some(64));
    for bad in ["", " \n", "a,b", "a\0b", "a\u{200b}b", &"x".repeat(65), &"x".repeat(1_000_000)] {
        assert_eq!(normalise_skill(bad), None);
    }
}

proptest! {
    #[test]
    fn any_labels_read_to_values_within_bounds(labels in prop::collection::vec(
        prop_oneof!["\\PC{0,20}", "(estimate|size|tier|priority|skills?|area|pool) ?[:/-] ?\\PC{0,8}",
            "(tier|estimate|priority):[0-9]{1,4}"], 0..8)) {
        let reading = read_labels(&labels, &LabelRules::default());
        prop_assert!((1..=100).contains(&reading.estimate));
        prop_assert!((0..=1000).contains(&reading.priority));
        prop_assert!((0..=3).contains(&reading.tier));
        prop_assert!(reading.skills.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(reading.problems.iter().all(|problem| labels.contains(&problem.label)));
    }

    #[test]
    fn the_order_of_labels_does_not_matter(labels in prop::collection::vec(
        "(estimate|size|tier|priority|skill|area):[0-9a-cXSML]{0,3}", 0..6)) {
        let mut turned = labels.clone();
        turned.reverse();
        let (mut one, mut other) = (read_labels(&labels, &LabelRules::default()), read_labels(&turned, &LabelRules::default()));
        one.problems.sort_by(|a, b| a.label.cmp(&b.label));
        other.problems.sort_by(|a, b| a.label.cmp(&b.label));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn normalising_twice_changes_nothing(text in "\\PC{0,70}") {
        if let Some(name) = normalise_skill(&text) {
            let again = normalise_skill(&name);
            prop_assert_eq!(again, Some(name));
        }
    }
}
