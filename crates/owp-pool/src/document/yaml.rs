//! Reads the policy file: YAML, with the line and column of every fault.

use super::Document;
use super::fault::Fault;
use crate::policy::Policy;
use crate::yaml::{Bounds, read_all, read_tree};

/// Maximum size of a policy file, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
const BOUNDS: Bounds = Bounds { bytes: MAX_BYTES, nodes: 2_000, depth: 12, aliases: 20 };

/// Reads a policy file and checks it against `base`. An empty file changes nothing.
///
/// # Errors
/// Returns all faults with their places. A file that is not YAML has one fault.
pub fn read_yaml(text: &str, base: &Policy) -> Result<Document, Vec<Fault>> {
    let (document, mut faults) = read_all::<Document>(text, BOUNDS);
    // The rest of a faulty file is checked too, so that its author sees all faults at once.
    let document = document.unwrap_or_default();
    if let Err(mut beyond) = document.apply(base) {
        set_positions(text, &mut beyond);
        faults.extend(beyond);
    }
    faults.sort_by_key(|fault| fault.place);
    if faults.is_empty() { Ok(document) } else { Err(faults) }
}

/// Reads the structure of a policy file; the caller checks its values.
///
/// # Errors
/// Returns every unknown key and every value of a wrong type, with its place.
pub fn read_shape(text: &str) -> Result<Document, Vec<Fault>> {
    match read_all::<Document>(text, BOUNDS) {
        (document, faults) if faults.is_empty() => Ok(document.unwrap_or_default()),
        (_, faults) => Err(faults),
    }
}

/// Sets the places of faults that name keys.
pub fn set_positions(text: &str, faults: &mut [Fault]) {
    // The text is parsed a second time, for the places alone.
    let tree = read_tree(text, BOUNDS).ok();
    for fault in faults {
        fault.place = tree.as_ref().and_then(|tree| tree.find(&fault.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        read_yaml(text, &Policy::managed()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = include_str!("../../../../docs/owp.example.yml");
        let policy = read_yaml(text, &Policy::managed()).unwrap().apply(&Policy::managed()).unwrap();
        assert_eq!(policy.tiers[2].allow, ["octocat", "org/core"]);
        assert_eq!(policy.lanes.len(), 1);
        assert!(policy.pause.is_some() && policy.gates.checklist);
    }

    #[test]
    fn an_empty_file_and_one_of_comments_change_nothing() {
        for text in ["", "\n", "# nothing yet\n", "---\n", "{}"] {
            assert_eq!(read_yaml(text, &Policy::managed()), Ok(Document::default()), "{text:?}");
        }
    }

    #[test]
    fn everything_wrong_is_told_with_line_and_column() {
        insta::assert_snapshot!(
            told("version: 1\nbudget:\n  max_open_prs: 500\nleases: { ttl: 4h, claim_ttl: 5s }\nlanes:\n  - for: { trust: 9 }\n    allow: { areas: [docs, \"a,b\"] }\n").join("\n"),
            @r"
        line 3, column 17: `budget.max_open_prs` must be from 0 to 100, not 500
        line 4, column 31: `leases.claim_ttl` must be from 1h to 90d, not 5s
        line 6, column 19: `lanes.0.for.trust` must be from 0 to 3, not 9
        line 7, column 28: `lanes.0.allow.areas.1` is not the name of an area
        "
        );
    }

    #[test]
    fn every_fault_is_told_at_once_with_what_was_probably_meant() {
        insta::assert_snapshot!(
            told("bugdet: { max_open_prs: 3 }\nbudget:\n  max_open_prs: many\n  draft: true\nleases: { ttl: soon, claim_ttl: 5s }\nclaims: [1]\ncomments: loud\nlanes:\n  - { fro: 1 }\n").join("\n"),
            @r#"
        line 1, column 1: there is no key `bugdet` here; did you mean `budget`?
        line 3, column 17: must be a whole number
        line 4, column 3: there is no key `draft` here; did you mean `drafts`?
        line 5, column 16: a duration is written like `30m`, `4h` or `1d12h`
        line 5, column 33: `leases.claim_ttl` must be from 1h to 90d, not 5s
        line 6, column 9: must be keys with values, as in `budget: { max_open_prs: 5 }`
        line 7, column 11: `loud` is not a value of this key; expected one of normal, quiet
        line 9, column 5: `lanes.0.for` must name whom the lane is for: `trust`, or `newcomers: true`
        line 9, column 7: there is no key `fro` here; did you mean `for`?
        "#
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_line_and_column() {
        let mut all = Vec::new();
        for text in [
            "bugdet: { max_open_prs: 3 }",
            "budget:\n  max_open_prs: many",
            "budget:\n  max_open_prs: 3\n  max_open_prs: 4",
            "leases: { ttl: 4 hours or so }",
            "leases:\n\tttl: 4h",
            "budget: [1, 2]",
            "claims: { join_first: yes }",
            "comments: loud",
            "budget: { max_open_prs: 3",
            "just words",
        ] {
            all.push(format!("{} -> {}", text.replace('\n', "\\n").replace('\t', "\\t"), told(text).join(" | ")));
        }
        insta::assert_snapshot!(all.join("\n"), @r#"
        bugdet: { max_open_prs: 3 } -> line 1, column 1: there is no key `bugdet` here; did you mean `budget`?
        budget:\n  max_open_prs: many -> line 2, column 17: must be a whole number
        budget:\n  max_open_prs: 3\n  max_open_prs: 4 -> line 3, column 3: the key `max_open_prs` is repeated
        leases: { ttl: 4 hours or so } -> line 1, column 16: a duration is written like `30m`, `4h` or `1d12h`
        leases:\n\tttl: 4h -> line 2, column 2: tabs disallowed within this context (block indentation)
        budget: [1, 2] -> line 1, column 9: must be keys with values, as in `budget: { max_open_prs: 5 }`
        claims: { join_first: yes } -> line 1, column 23: must be true or false
        comments: loud -> line 1, column 11: `loud` is not a value of this key; expected one of normal, quiet
        budget: { max_open_prs: 3 -> line 1, column 9: unclosed bracket '{'
        just words -> line 1, column 1: must be keys with values, as in `budget: { max_open_prs: 5 }`
        "#);
    }

    #[test]
    fn a_file_that_would_grow_without_end_is_refused() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
        let deep = "[".repeat(50_000);
        for text in [bomb.to_owned(), deep, "x".repeat(MAX_BYTES + 1), "a: 1\n".repeat(10_000)] {
            assert_eq!(told(&text).len(), 1);
        }
    }
}
