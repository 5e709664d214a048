//! The specification and the suite name the same requirements: what is written is checked, and what is checked is written.

use owp_conformance::{Check, Profile, all};
use std::path::Path;

/// A paragraph, an item of a list or a row of a table, and the headings it stands under.
struct Block {
    section: String,
    text: String,
}

/// The document in blocks, without what is fenced as code.
fn blocks(markdown: &str) -> Vec<Block> {
    let (mut blocks, mut sections, mut fenced) = (Vec::<Block>::new(), Vec::<String>::new(), false);
    let mut ended = true;
    for line in markdown.lines() {
        let line = line.trim();
        let fence = line.starts_with("```");
        fenced ^= fence;
        if let (false, Some((marks, title))) = (fenced, line.split_once(' ').filter(|(marks, _)| is_heading(marks))) {
            sections.truncate(marks.len() - 1);
            sections.push(title.to_owned());
        }
        let begins = ended || ["|", "- ", "#"].iter().any(|mark| line.starts_with(mark));
        ended = fence || fenced || line.is_empty() || line.starts_with('#');
        match blocks.last_mut().filter(|_| !begins) {
            _ if ended => {}
            Some(block) => block.text.push_str(&format!(" {line}")),
            None => blocks.push(Block { section: sections.join(" / "), text: line.to_owned() }),
        }
    }
    blocks
}

fn is_heading(marks: &str) -> bool {
    !marks.is_empty() && marks.chars().all(|mark| mark == '#')
}

/// The requirements named in a text, as in `**[WORK-3]**`.
fn names(text: &str) -> Vec<&str> {
    let named = text.split("**[").skip(1).filter_map(|rest| rest.split_once("]**"));
    named.map(|(name, _)| name).collect()
}

/// Returns the requirements that only the document or only the checks name.
fn faults(markdown: &str, checks: &[&Check]) -> Vec<String> {
    let blocks = blocks(markdown);
    let mut faults = Vec::new();
    let named: Vec<&str> = blocks.iter().flat_map(|block| names(&block.text)).collect();
    let known: Vec<&str> = checks.iter().map(|check| check.id).collect();
    faults.extend(known.iter().filter(|id| !named.contains(id)).map(|id| format!("{id} is checked and not written")));
    faults.extend(named.iter().filter(|id| !known.contains(id)).map(|id| format!("{id} is written and not checked")));
    let (once, twice): (Vec<_>, Vec<_>) = (0..named.len()).partition(|at| !named[..*at].contains(&named[*at]));
    faults.extend(twice.iter().map(|at| format!("{} is named twice", named[*at])));
    if faults.is_empty() && once.iter().map(|at| named[*at]).ne(known.iter().copied()) {
        faults.push(format!("the order is another: {named:?}"));
    }
    for block in &blocks {
        let required = block.text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "MUST");
        // The sentence that says what these words mean requires nothing.
        if required && names(&block.text).is_empty() && !block.text.contains("RFC 2119") {
            faults.push(format!("this is required and has no name: {}", block.text));
        }
        for check in checks.iter().filter(|check| names(&block.text).contains(&check.id)) {
            faults.extend(misplaced(check, &block.section, &blocks));
        }
    }
    faults
}

/// A check of the core stands under a heading that says so, one of the extended profile in a section that names its feature.
fn misplaced(check: &Check, section: &str, blocks: &[Block]) -> Option<String> {
    let profile = if check.profile == Profile::Core { "Core" } else { "Extended" };
    if !section.contains(profile) {
        return Some(format!("{} is {profile}, and stands under: {section}", check.id));
    }
    let feature = check.feature?;
    // The document's title, and the chapter.
    let chapter: Vec<&str> = section.split(" / ").take(2).collect();
    let here = blocks.iter().filter(|block| block.section.starts_with(&chapter.join(" / ")));
    let told = here.into_iter().any(|block| block.text.contains(&format!("`{feature}`")));
    (!told).then(|| format!("{} is of `{feature}`, which is not named under: {section}", check.id))
}

#[test]
fn the_specification_and_the_suite_name_the_same_requirements() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/owp-spec.md");
    let faults = faults(&std::fs::read_to_string(path).unwrap(), &all());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_not_alike_is_found() {
    let checks: Vec<&Check> =
        all().into_iter().filter(|check| ["HTTP-1", "HTTP-2", "CLAIM-1"].contains(&check.id)).collect();
    let right = "# OWP\nMUST is a word of RFC 2119.\n\n## 5. Core: calls\n\n| name | requirement |\n|---|---|\n\
        | **[HTTP-1]** | It MUST be JSON. |\n| **[HTTP-2]** | It MUST say why. |\n\n```text\nMUST not be read\n```\n\n\
        ## 6. Extended: claims\n\nFeature `claims`.\nHere it is.\n\n- **[CLAIM-1]** A claim MUST\n  be granted.\n";
    assert_eq!(faults(right, &checks), Vec::<String>::new());
    for (from, to, found) in [
        ("**[HTTP-2]**", "", "HTTP-2 is checked and not written"),
        ("**[HTTP-2]**", "", "this is required and has no name: |  | It MUST say why. |"),
        ("**[HTTP-2]**", "**[HTTP-1]**", "HTTP-1 is named twice"),
        ("**[HTTP-2]**", "**[HTTP-2]** **[HTTP-9]**", "HTTP-9 is written and not checked"),
        ("Here it is.", "It MUST be here.", "this is required and has no name: Feature `claims`. It MUST be here."),
        ("5. Core", "5. Extended", "HTTP-1 is Core, and stands under: OWP / 5. Extended: calls"),
        ("6. Extended", "6. Core", "CLAIM-1 is Extended, and stands under: OWP / 6. Core: claims"),
        ("`claims`", "claims", "CLAIM-1 is of `claims`, which is not named under: OWP / 6. Extended: claims"),
    ] {
        let faults = faults(&right.replace(from, to), &checks);
        assert!(faults.iter().any(|fault| fault == found), "{found}: {faults:?}");
    }
    let swapped = right.replace("HTTP-1", "HTTP-0").replace("HTTP-2", "HTTP-1").replace("HTTP-0", "HTTP-2");
    assert!(faults(&swapped, &checks).concat().contains("the order is another"));
}
