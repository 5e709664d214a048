//! "Did you mean": suggests the verb probably meant by an unknown word.

use super::verbs::Verb;
use strsim::osa_distance;

/// Words for a verb that edit distance does not find.
const SYNONYMS: [(&str, &str); 14] = [
    ("abandon", "release"),
    ("allow", "approve"),
    ("commands", "help"),
    ("drop", "release"),
    ("info", "status"),
    ("grab", "claim"),
    ("ready", "approve"),
    ("register", "join"),
    ("start", "claim"),
    ("stop", "pause"),
    ("take", "claim"),
    ("unassign", "revoke"),
    ("unclaim", "release"),
    ("unpause", "resume"),
];

/// Returns the nearest verb: one slip away, or two in a longer word that begins with the right letter.
pub(super) fn nearest_verb(word: &str) -> Option<&'static str> {
    let word: String = word.trim_matches(|c: char| !c.is_alphanumeric()).chars().take(16).collect();
    if let Some((_, verb)) = SYNONYMS.iter().find(|(said, _)| *said == word) {
        return Some(verb);
    }
    // Never suggest the opposite of the word.
    let verbs = Verb::ALL.into_iter().map(Verb::name).filter(|name| word.starts_with("un") == name.starts_with("un"));
    nearest(&word, verbs)
}

/// Returns the known name nearest to a word: one slip away, or two in a longer word that begins with the right letter. A
/// slip is a letter added, dropped, changed, or swapped with its neighbour.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(64).collect();
    let allowed = if word.chars().count() <= 4 { 1 } else { 2 };
    known
        .map(|name| (osa_distance(&word, name), name))
        .filter(|(slips, name)| *slips <= allowed && *slips * 2 < name.len())
        .filter(|(slips, name)| *slips < 2 || word.chars().next() == name.chars().next())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_lead_to_the_verb_that_was_meant() {
        for (said, meant) in [
            ("cliam", "claim"),
            ("claims", "claim"),
            ("clam", "claim"),
            ("realease", "release"),
            ("wyh", "why"),
            ("stauts", "status"),
            ("unlnk", "unlink"),
            ("aprove", "approve"),
            ("hlep", "help"),
            ("trsut", "trust"),
            ("с\u{6c}aim", "claim"),
            ("unclaim", "release"),
            ("unpause", "resume"),
            ("take", "claim"),
        ] {
            assert_eq!(nearest_verb(said), Some(meant), "{said}");
        }
    }

    #[test]
    fn nothing_is_suggested_for_what_is_far_off_or_the_opposite() {
        for said in ["", "a", "frobnicate", "unban", "please", "x", &"claim".repeat(10_000)] {
            assert_eq!(nearest_verb(said), None, "{said:.20}");
        }
    }

    #[test]
    fn every_word_on_the_list_leads_to_a_verb_and_is_none_itself() {
        for (said, meant) in SYNONYMS {
            assert!(Verb::from_name(meant).is_some() && Verb::from_name(said).is_none(), "{said}");
        }
    }
}
