//! The house rules that no compiler knows, as tests: headers, sizes, words.
//!
//! Every checker works on source text and is itself tested with a planted violation beside it. The rules and
//! their reasons are told to people in `CONTRIBUTING.md`; changing one means changing both.

mod functions;
mod source;
mod words;

use source::SourceFile;

/// Fails with every violation at once, so that one run is enough to mend them all.
fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}\n  {}\n", violations.join("\n  "));
}

fn check(files: &[SourceFile], checker: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(checker).collect()
}

#[test]
fn the_walk_finds_the_source() {
    let files = source::read(&["src", "crates", "tests"]);
    for expected in ["src/lib.rs", "crates/owp-pool/src/lib.rs", "tests/it/house/mod.rs"] {
        assert!(files.iter().any(|f| f.path == expected), "{expected} was not read, so the other tests prove nothing");
    }
}

#[test]
fn every_file_parses() {
    let broken = check(&source::read(&["src", "crates", "tests", "benches"]), |file| {
        syn::parse_file(&file.text).err().map(|e| format!("{}: {e}", file.path)).into_iter().collect()
    });
    assert_none("These files could not be read by the house tests:", &broken);
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let found = check(&source::read(&["src", "crates", "tests", "benches"]), words::header);
    assert_none("Open the file with `//!`: what lives here, what must not:", &found);
}

#[test]
fn no_file_is_longer_than_one_can_hold_in_mind() {
    let found = check(&source::read(&["src", "crates", "tests", "benches"]), words::length);
    assert_none("Split these files by what they are about:", &found);
}

#[test]
fn doc_comments_begin_with_a_verb_or_a_noun() {
    let files = source::read(&["src", "crates", "tests", "benches"]);
    let (counts, found): (Vec<usize>, Vec<Vec<String>>) = files.iter().map(words::clauses).unzip();
    let (all, found) = (counts.iter().sum::<usize>(), found.concat());
    assert!(
        found.len() * 100 < all * 2,
        "{} of {all} doc comments begin with a clause (\"What is told\"), which takes two readings:\n  {}",
        found.len(),
        found.join("\n  ")
    );
}

#[test]
fn no_function_is_longer_than_a_screen_or_two() {
    let found = check(&source::read(&["src", "crates", "tests", "benches"]), functions::too_long);
    assert_none("Split these functions; one thing at one height:", &found);
}

#[test]
fn nothing_is_left_for_later() {
    let found = check(&source::read(&["src", "crates", "tests", "benches"]), words::left_for_later);
    assert_none("Finish it, or write an issue; a marker in the code is read by nobody:", &found);
}

#[test]
fn exceptions_to_lints_give_their_reason() {
    let found = check(&source::read(&["src", "crates", "benches"]), words::silent_exceptions);
    assert_none("Use `#[expect(lint, reason = \"…\")]`: it disappears when it is no longer needed:", &found);
}
