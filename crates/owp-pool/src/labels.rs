//! Label mapping: reads opt-in, estimate, priority, skills, area and risk tier from an issue's labels.
//!
//! An opt-in also depends on who set the label; that is decided elsewhere.
//!
//! If labels disagree, the safer value counts and the disagreement is reported:
//!
//! | kind | the safer value |
//! |---|---|
//! | estimate | the larger: it takes more of a worker's capacity |
//! | tier | the higher: it requires more trust |
//! | priority | the lower: a leftover label must not raise a task |
//! | area | the first by name: arbitrary but stable, since a task has one area |
//!
//! Skills never disagree; they add up.

use super::text::is_hidden;
use std::collections::BTreeSet;

/// Maximum length of a skill or area, in characters. GitHub limits labels to 50.
pub const NAME_MAX_CHARS: usize = 64;
/// The estimate of an issue without an estimate label.
pub const DEFAULT_ESTIMATE: i64 = 1;
/// The priority of an issue without a priority label.
pub const DEFAULT_PRIORITY: i64 = 50;
/// The highest risk tier; an unreadable tier label counts as this.
pub const MAX_TIER: i64 = 3;

/// Label names of a repository. A prefix is followed by a colon (`estimate` reads `estimate:3`), unless it ends in
/// punctuation of its own (`size/` reads `size/M`). Comparisons ignore case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRules {
    /// Full name of the label that opts an issue in.
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

/// A label that resembles one of the pool's and could not be used as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelProblem {
    /// The label as spelled on the issue. Untrusted text.
    pub label: String,
    /// The problem, as a clause: "is not a whole number from 1 to 100 …".
    pub what: String,
    /// The value used instead: "estimate 1".
    pub used: String,
}

/// Task settings read from an issue's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelReading {
    /// True when the opt-in label is present.
    pub ready: bool,
    /// Estimate in points, 1 to 100.
    pub estimate: i64,
    /// Priority, 0 to 1000; higher goes first.
    pub priority: i64,
    /// Required skills: trimmed, lower-case, sorted, without duplicates.
    pub skills: Vec<String>,
    /// Area in lower case, if any.
    pub area: Option<String>,
    /// Risk tier, 0 to 3.
    pub tier: i64,
    /// Labels that could not be used as written, in the order of the labels.
    pub problems: Vec<LabelProblem>,
    /// Labels among them that merely resemble the opt-in label.
    pub alike: Vec<String>,
}

/// Reads an issue's labels. Their order affects only the order of the problems.
#[must_use]
pub fn read_labels(labels: &[String], rules: &LabelRules) -> LabelReading {
    let mut found = Found::default();
    let (ready, ready_letters) = (lowercase(&rules.ready), letters_and_digits(&rules.ready));
    let mut is_ready = false;
    for label in labels {
        if !ready.is_empty() && lowercase(label) == ready {
            is_ready = true;
        } else if !ready_letters.is_empty() && letters_and_digits(label) == ready_letters {
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
    found.resolve(is_ready)
}

/// Normalises a skill: lower-case, single spaces, at most [`NAME_MAX_CHARS`] characters.
/// `None` for a name that is empty or too long, or that has a comma or hidden characters.
#[must_use]
pub fn normalise_skill(text: &str) -> Option<String> {
    normalise_name(text)
}

/// Normalises an area by the rules of [`normalise_skill`].
#[must_use]
pub fn normalise_area(text: &str) -> Option<String> {
    normalise_name(text)
}

fn normalise_name(text: &str) -> Option<String> {
    // A character has at most four bytes, so this rejects a huge string before it is copied.
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_MAX_CHARS * 4 || text.contains(',') || text.chars().any(is_hidden) {
        return None;
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    (name.chars().count() <= NAME_MAX_CHARS).then_some(name)
}

/// Kind of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ready,
    Estimate,
    Priority,
    Skills,
    Area,
    Tier,
}

/// Readable values, and a note for each label read so far.
#[derive(Default)]
struct Found {
    estimates: Vec<i64>,
    priorities: Vec<i64>,
    skills: BTreeSet<String>,
    areas: BTreeSet<String>,
    tiers: Vec<i64>,
    /// Label, problem (empty for a readable label, which is reported only if its kind is in conflict), kind.
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
        let points = match lowercase(value).as_str() {
            "xs" => Some(1),
            "s" => Some(2),
            "m" => Some(3),
            "l" => Some(5),
            "xl" => Some(8),
            other => parse_number(other, 1, 100),
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
        let priority = match lowercase(value).as_str() {
            "critical" => Some(100),
            "high" => Some(80),
            "medium" => Some(50),
            "low" => Some(20),
            other => parse_number(other, 0, 1000),
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
        match parse_number(value, 0, MAX_TIER) {
            Some(tier) => {
                self.tiers.push(tier);
                self.good(label, Kind::Tier);
            }
            None => {
                // The label marks a risk of unknown level, so the highest is assumed.
                self.tiers.push(MAX_TIER);
                self.bad(label, "is not a tier from 0 to 3", Kind::Tier);
            }
        }
    }

    fn resolve(self, ready: bool) -> LabelReading {
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
            Kind::Estimate => disagree(&self.estimates),
            Kind::Priority => disagree(&self.priorities),
            Kind::Area => self.areas.len() > 1,
            Kind::Tier => disagree(&self.tiers),
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

fn disagree(values: &[i64]) -> bool {
    values.iter().any(|value| *value != values[0])
}

fn lowercase(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Keeps only letters and digits, so that `Pool - ready` is found to resemble `pool:ready`.
fn letters_and_digits(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the text after one of the prefixes; `None` for any other label.
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

/// Compares character by character, so that the rest is cut at the right byte even if lower-casing changes lengths.
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

/// Parses a number in ASCII digits within the bounds; no sign, no fraction, no digits of other scripts.
fn parse_number(text: &str, min: i64, max: i64) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| (min..=max).contains(n))
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
