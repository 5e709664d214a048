//! Validation of fields, and the error messages. All errors of a body are reported at once.

use super::problem::FieldError;
use super::read::Whole;
use owp_pool::labels::{NAME_MAX_CHARS, normalise_area, normalise_skill};
use owp_pool::text::is_hidden;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Maximum number of skills of a worker or a task.
pub const SKILLS_MAX: usize = 64;

const REPO_MAX_CHARS: usize = 200;

/// Collects the errors of a body.
#[derive(Debug, Default)]
pub struct Checks(Vec<FieldError>);

impl Checks {
    /// Adds an error; the message is a clause about the field: "must not be blank".
    pub fn fault(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Returns the collected errors.
    #[must_use]
    pub fn into_errors(self) -> Vec<FieldError> {
        self.0
    }

    /// Validates a required text: not blank, at most `max` characters.
    pub fn name(&mut self, field: &str, text: String, max: usize) -> String {
        let text = self.text(field, text, max);
        if text.trim().is_empty() {
            self.fault(field, "must not be blank");
        }
        text
    }

    /// Validates the field `repo`: trimmed, 1–200 characters, none of them invisible. Names that look alike would
    /// otherwise be different repositories.
    pub fn repo(&mut self, name: &str) -> String {
        let joins = |c| matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0f}');
        let odd = |c: char| c.is_control() || is_hidden(c) || joins(c) || (c.is_whitespace() && c != ' ');
        let name = name.trim().to_owned();
        if name.chars().any(|c| c != '\0' && odd(c)) {
            self.fault("repo", "must not hold control characters or others that cannot be seen");
        }
        self.name("repo", name, REPO_MAX_CHARS)
    }

    /// Validates a text of at most `max` characters. Rejects NUL, which the databases store differently.
    pub fn text(&mut self, field: &str, text: String, max: usize) -> String {
        // The byte count decides for huge texts without counting characters.
        let count = if text.len() > max * 4 { max + 1 } else { text.chars().count() };
        if count > max {
            self.fault(field, format!("must have at most {max} characters"));
        }
        if text.contains('\0') {
            self.fault(field, "must not hold NUL characters");
        }
        text
    }

    /// Validates an optional text.
    pub fn optional_text(&mut self, field: &str, text: Option<String>, max: usize) -> Option<String> {
        text.map(|text| self.text(field, text, max))
    }

    /// Validates a number within bounds, or returns the default.
    pub fn number(&mut self, field: &str, number: Option<Whole>, default: i64, bounds: RangeInclusive<i64>) -> i64 {
        let Some(Whole(number)) = number else { return default };
        if !bounds.contains(&number) {
            let (from, to) = bounds.into_inner();
            self.fault(field, format!("must be a whole number from {from} to {to}"));
        }
        number
    }

    /// Normalises skills for comparison: trimmed, lower case, sorted, unique. Ignores blank ones.
    pub fn skills(&mut self, field: &str, skills: Option<Vec<String>>) -> Vec<String> {
        let skills = skills.unwrap_or_default();
        if skills.len() > SKILLS_MAX {
            self.fault(field, format!("must hold at most {SKILLS_MAX} skills, not {}", skills.len()));
            return Vec::new();
        }
        let mut tidy = BTreeSet::new();
        for (index, skill) in skills.iter().enumerate().filter(|(_, skill)| !skill.trim().is_empty()) {
            match normalise_skill(skill) {
                Some(skill) => drop(tidy.insert(skill)),
                None => self.fault(format!("{field}[{index}]"), name_fault()),
            }
        }
        tidy.into_iter().collect()
    }

    /// Normalises an area for comparison; a blank one counts as none.
    pub fn area(&mut self, field: &str, area: Option<&str>) -> Option<String> {
        let area = area.filter(|area| !area.trim().is_empty())?;
        let tidy = normalise_area(area);
        if tidy.is_none() {
            self.fault(field, name_fault());
        }
        tidy
    }
}

fn name_fault() -> String {
    format!("must have at most {NAME_MAX_CHARS} characters, and neither commas nor characters nobody can see")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(run: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        run(&mut checks);
        checks.into_errors().into_iter().map(|e| format!("{} {}", e.field, e.message)).collect()
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(faults(|c| drop(c.name("name", "é".repeat(120), 120))).is_empty());
        assert_eq!(faults(|c| drop(c.name("name", "é".repeat(121), 120))), ["name must have at most 120 characters"]);
        assert_eq!(faults(|c| drop(c.name("name", " \t".into(), 120))), ["name must not be blank"]);
        assert_eq!(faults(|c| drop(c.text("note", "a\0b".into(), 9))), ["note must not hold NUL characters"]);
    }

    #[test]
    fn a_repository_is_named_by_what_can_be_seen() {
        assert!(faults(|c| drop(c.repo("Größe/of things"))).is_empty());
        assert_eq!(Checks::default().repo(" a/b\u{3000}\n"), "a/b");
        assert_eq!(faults(|c| drop(c.repo("\u{3000}"))), ["repo must not be blank"]);
        for odd in ["a\n/b", "a/\u{1b}[2Jb", "a/b\u{202e}", "a/\u{200b}b", "a/b\u{200d}", "a\u{2028}b"] {
            let told = ["repo must not hold control characters or others that cannot be seen"];
            assert_eq!(faults(|c| drop(c.repo(odd))), told, "{odd:?}");
        }
    }

    #[test]
    fn skills_are_trimmed_caseless_sorted_and_bounded() {
        let mut checks = Checks::default();
        let skills = [" Rust ", "rust", "", "SQL"].map(str::to_owned).to_vec();
        assert_eq!(checks.skills("skills", Some(skills)), ["rust", "sql"]);
        assert!(checks.into_errors().is_empty());
        let many = (0..65).map(|n| format!("s{n}")).collect();
        assert_eq!(faults(|c| drop(c.skills("skills", Some(many)))), ["skills must hold at most 64 skills, not 65"]);
        let odd = vec!["ok".to_owned(), "a\0b".to_owned()];
        let found = faults(|c| drop(c.skills("skills", Some(odd))));
        assert!(found[0].starts_with("skills[1] must have"), "{found:?}");
    }

    #[test]
    fn a_blank_area_is_none_and_a_bad_one_is_told() {
        let mut checks = Checks::default();
        assert_eq!(checks.area("area", Some("  ")), None);
        assert_eq!(checks.area("area", Some(" Auth ")), Some("auth".to_owned()));
        assert!(checks.into_errors().is_empty());
        assert_eq!(faults(|c| drop(c.area("area", Some(&"x".repeat(65))))).len(), 1);
    }
}
