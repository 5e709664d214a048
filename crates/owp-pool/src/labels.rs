//! What an issue's labels say about its task: opted in or not, estimate, priority, skills, area, risk tier.
//!
//! Who set a label, and whether that counts as an opt-in, is not decided here.
//!
//! Labels that disagree take the safer value, and the disagreement is reported:
//!
//! | kind | the safer value |
//! |---|---|
//! | estimate | the larger: it takes more of a worker's capacity |
//! | tier | the higher: it asks for more trust |
//! | priority | the lower: nothing jumps the queue because of a leftover label |
//! | area | the first by name: an arbitrary but stable choice, since a task has one area |
//!
//! Skills never disagree; they add up.

use super::text::is_hidden;
use std::collections::BTreeSet;

/// The longest skill or area, in characters. GitHub's labels end at 50.
pub const NAME_MAX_CHARS: usize = 64;
/// The estimate of an issue without an estimate label.
pub const DEFAULT_ESTIMATE: i64 = 1;
/// The priority of an issue without a priority label.
pub const DEFAULT_PRIORITY: i64 = 50;
/// The highest risk tier, and what an unreadable tier label counts as.
pub const MAX_TIER: i64 = 3;

/// Which label names mean what. A prefix is followed by a colon (`estimate` reads `estimate:3`), unless it ends in
/// punctuation of its own (`size/` reads `size/M`). Everything is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRules {
    /// The label that opts an issue in, in full.
    pub ready: String,
    /// Prefixes of estimates.
    pub estimate: Vec<String>,
    /// Prefixes of priorities.
    pub priority: Vec<String>,
    /// Prefixes of required skills.
    pub skills: Vec<String>,
    /// Prefixes of areas.
    pub area: Vec<String>,
    /// Prefixes of risk tiers.
    pub tier: Vec<String>,
    /// Logins of bots whose `ready` label counts as an opt-in, in lower case.
    pub bots: Vec<String>,
}

impl Default for LabelRules {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            ready: "pool:ready".to_owned(),
            estimate: list(&["estimate", "size"]),
            priority: list(&["priority"]),
            skills: list(&["skills", "skill"]),
            area: list(&["area"]),
            tier: list(&["tier"]),
            bots: Vec::new(),
        }
    }
}

/// A label that looks like ours and was not taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelProblem {
    /// The label as it is spelled on the issue; text from people, to be neutralised before it is shown.
    pub label: String,
    /// What is wrong with it, as a clause: "is not a whole number from 1 to 100 …".
    pub what: String,
    /// What counts instead: "estimate 1".
    pub used: String,
}

/// What an issue's labels say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelReading {
    /// The opt-in label is there.
    pub ready: bool,
    /// Points, 1 to 100.
    pub estimate: i64,
    /// 0 to 1000; higher goes first.
    pub priority: i64,
    /// Required skills: trimmed, lower-case, sorted, each once.
    pub skills: Vec<String>,
    /// The area, lower-case, when one is named.
    pub area: Option<String>,
    /// Risk, 0 to 3.
    pub tier: i64,
    /// Labels that were not taken as they stand, in the order of the labels.
    pub problems: Vec<LabelProblem>,
    /// Those of them that are only much like the opt-in label.
    pub alike: Vec<String>,
}

/// Reads an issue's labels. The order of the labels changes nothing but the order of the problems.
#[must_use]
pub fn read_labels(labels: &[String], rules: &LabelRules) -> LabelReading {
    let mut found = Found::default();
    let (ready, ready_letters) = (fold(&rules.ready), squash(&rules.ready));
    let mut is_ready = false;
    for label in labels {
        if !ready.is_empty() && fold(label) == ready {
            is_ready = true;
        } else if !ready_letters.is_empty() && squash(label) == ready_letters {
            found.bad(label, format!("is not the label `{}`, only much like it", rules.ready), Kind::Ready);
        } else if let Some(value) = value_of(label, &rules.estimate) {
            found.estimate(label, value);
        } else if let Some(value) = value_of(label, &rules.priority) {
            found.priority(label, value);
        } else if let Some(value) = value_of(label, &rules.skills) {
            found.skills(label, value);
        } else if let Some(value) = value_of(label, &rules.area) {
            found.area(label, value);
        } else if let Some(value) = value_of(label, &rules.tier) {
            found.tier(label, value);
        }
    }
    found.settle(is_ready)
}

/// A skill as it is compared and kept: lower-case, single spaces, at most [`NAME_MAX_CHARS`] characters.
/// `None` when nothing is left, when it is too long, or when it holds a comma or characters nobody can see.
#[must_use]
pub fn normalise_skill(text: &str) -> Option<String> {
    normalise_name(text)
}

/// An area as it is compared and kept, by the same rules as [`normalise_skill`].
#[must_use]
pub fn normalise_area(text: &str) -> Option<String> {
    normalise_name(text)
}

fn normalise_name(text: &str) -> Option<String> {
    // Four bytes a character: a huge string is turned away before it is copied.
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_MAX_CHARS * 4 || text.contains(',') || text.chars().any(is_hidden) {
        return None;
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    (name.chars().count() <= NAME_MAX_CHARS).then_some(name)
}

/// What a label is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ready,
    Estimate,
    Priority,
    Skills,
    Area,
    Tier,
}

/// The readable values with their labels, and the problems met so far.
#[derive(Default)]
struct Found {
    estimates: Vec<i64>,
    priorities: Vec<i64>,
    skills: BTreeSet<String>,
    areas: BTreeSet<String>,
    tiers: Vec<i64>,
    /// Label, what is wrong (empty: nothing, unless its kind turns out to be in conflict), kind.
    notes: Vec<(String, String, Kind)>,
}

impl Found {
    fn bad(&mut self, label: &str, what: impl Into<String>, kind: Kind) {
        self.notes.push((label.to_owned(), what.into(), kind));
    }

    fn good(&mut self, label: &str, kind: Kind) {
        self.bad(label, "", kind);
    }

    fn estimate(&mut self, label: &str, value: &str) {
        let points = match fold(value).as_str() {
            "xs" => Some(1),
            "s" => Some(2),
            "m" => Some(3),
            "l" => Some(5),
            "xl" => Some(8),
            other => whole(other, 1, 100),
        };
        match points {
            Some(points) => {
                self.estimates.push(points);
                self.good(label, Kind::Estimate);
            }
            None => self.bad(label, "is not a whole number from 1 to 100, nor XS, S, M, L or XL", Kind::Estimate),
        }
    }

    fn priority(&mut self, label: &str, value: &str) {
        let priority = match fold(value).as_str() {
            "critical" => Some(100),
            "high" => Some(80),
            "medium" => Some(50),
            "low" => Some(20),
            other => whole(other, 0, 1000),
        };
        match priority {
            Some(priority) => {
                self.priorities.push(priority);
                self.good(label, Kind::Priority);
            }
            None => {
                let what = "is not critical, high, medium or low, nor a whole number from 0 to 1000";
                self.bad(label, what, Kind::Priority);
            }
        }
    }

    fn skills(&mut self, label: &str, value: &str) {
        let mut any = false;
        for part in value.split(',').filter(|part| !part.trim().is_empty()) {
            any = true;
            match normalise_skill(part) {
                Some(skill) => {
                    self.skills.insert(skill);
                }
                None => self.bad(label, "holds a skill that is too long or has hidden characters", Kind::Skills),
            }
        }
        if !any {
            self.bad(label, "names no skill", Kind::Skills);
        }
    }

    fn area(&mut self, label: &str, value: &str) {
        let parts: Vec<_> = value.split(',').filter(|part| !part.trim().is_empty()).collect();
        let names: Vec<_> = parts.iter().filter_map(|part| normalise_area(part)).collect();
        if parts.is_empty() {
            self.bad(label, "names no area", Kind::Area);
        } else if names.len() < parts.len() {
            self.bad(label, "names an area that is too long or has hidden characters", Kind::Area);
        } else {
            self.good(label, Kind::Area);
        }
        self.areas.extend(names);
    }

    fn tier(&mut self, label: &str, value: &str) {
        match whole(value, 0, MAX_TIER) {
            Some(tier) => {
                self.tiers.push(tier);
                self.good(label, Kind::Tier);
            }
            None => {
                // Somebody meant to say that this is risky; until we know how risky, it is as risky as can be.
                self.tiers.push(MAX_TIER);
                self.bad(label, "is not a tier from 0 to 3", Kind::Tier);
            }
        }
    }

    fn settle(self, ready: bool) -> LabelReading {
        let estimate = self.estimates.iter().copied().max().unwrap_or(DEFAULT_ESTIMATE);
        let priority = self.priorities.iter().copied().min().unwrap_or(DEFAULT_PRIORITY);
        let tier = self.tiers.iter().copied().max().unwrap_or(0);
        let area = self.areas.first().cloned();
        let skills: Vec<_> = self.skills.into_iter().collect();
        let used = |kind| match kind {
            Kind::Ready => "nothing; the label is ignored".to_owned(),
            Kind::Estimate => format!("estimate {estimate}"),
            Kind::Priority => format!("priority {priority}"),
            Kind::Skills if skills.is_empty() => "no required skill".to_owned(),
            Kind::Skills => format!("skills {}", skills.join(", ")),
            Kind::Area => area.as_ref().map_or_else(|| "no area".to_owned(), |area| format!("area {area}")),
            Kind::Tier => format!("tier {tier}"),
        };
        let disagrees = |kind| match kind {
            Kind::Estimate => differ(&self.estimates),
            Kind::Priority => differ(&self.priorities),
            Kind::Area => self.areas.len() > 1,
            Kind::Tier => differ(&self.tiers),
            Kind::Ready | Kind::Skills => false,
        };
        let rule = |kind| match kind {
            Kind::Estimate => "the largest estimate counts",
            Kind::Priority => "the lowest priority counts",
            Kind::Tier => "the highest tier counts",
            _ => "an issue has one area, the first by name counts",
        };
        let alike = self.notes.iter().filter(|(_, _, kind)| *kind == Kind::Ready);
        let alike = alike.map(|(label, ..)| label.clone()).collect();
        let problems = self
            .notes
            .into_iter()
            .filter_map(|(label, what, kind)| {
                let what = match what.as_str() {
                    "" if disagrees(kind) => format!("disagrees with another label; {}", rule(kind)),
                    "" => return None,
                    _ => what,
                };
                Some(LabelProblem { label, what, used: used(kind) })
            })
            .collect();
        LabelReading { ready, estimate, priority, skills, area, tier, problems, alike }
    }
}

fn differ(values: &[i64]) -> bool {
    values.iter().any(|value| *value != values[0])
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Letters and digits alone, so that `Pool - ready` is found to look like `pool:ready`.
fn squash(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What follows one of the prefixes, or `None` when the label is none of ours.
fn value_of<'a>(label: &'a str, prefixes: &[String]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| {
        let prefix = prefix.trim();
        let rest = strip_prefix_caseless(label.trim(), prefix)?;
        if prefix.chars().next_back().is_some_and(|c| !c.is_alphanumeric()) {
            return Some(rest.trim());
        }
        rest.trim_start().strip_prefix(':').map(str::trim)
    })
}

/// Compares character by character, so that the rest is cut at the right byte whatever lower-casing does to lengths.
fn strip_prefix_caseless<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in prefix.chars() {
        let got = rest.next()?;
        if !got.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    (!prefix.is_empty()).then_some(rest.as_str())
}

/// A number in plain digits between the bounds; no sign, no fraction, no digits of other scripts.
fn whole(text: &str, min: i64, max: i64) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| (min..=max).contains(n))
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
