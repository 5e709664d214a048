//! "Did you mean": suggests the verb probably meant by an unknown word.

use super::verbs::Verb;

/// Words for a verb that edit distance does not find.
const MEANT: [(&str, &str); 14] = [
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
    let word: Vec<char> = word.trim_matches(|c: char| !c.is_alphanumeric()).chars().take(16).collect();
    let folded: String = word.iter().collect();
    if let Some((_, verb)) = MEANT.iter().find(|(said, _)| *said == folded) {
        return Some(verb);
    }
    // Never suggest the opposite of the word.
    let verbs = Verb::ALL.into_iter().map(Verb::name).filter(|name| folded.starts_with("un") == name.starts_with("un"));
    nearest(&folded, verbs)
}

/// Returns the known name nearest to a word: one slip away, or two in a longer word that begins with the right letter.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(64).collect();
    let allowed = if word.len() <= 4 { 1 } else { 2 };
    known
        .map(|name| (distance(&word, &name.chars().collect::<Vec<_>>()), name))
        .filter(|(slips, name)| *slips <= allowed && *slips * 2 < name.len())
        .filter(|(slips, name)| *slips < 2 || word.first().copied() == name.chars().next())
        .min()
        .map(|(_, name)| name)
}

/// Counts letters to add, drop, change, or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
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
        for (said, meant) in MEANT {
            assert!(Verb::named(meant).is_some() && Verb::named(said).is_none(), "{said}");
        }
    }
}
