//! Tests of task files as users write them, and of the error messages.

use super::*;

fn of(repo: Option<&str>) -> RepoOverride<'_> {
    RepoOverride { repo, option: "--repo" }
}

fn told(text: &str) -> String {
    let faults = load(text, of(None)).map(|load| load.tasks).unwrap_err();
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const GOOD: &str = "repo: acme/rocket\ntasks:\n  - id: 007\n    title: Größe\n";

#[test]
fn a_task_is_sent_as_it_is_written() {
    let text = "repo: acme/rocket\ntasks:\n  - id: 007\n    title: 404\n    description: |\n      One\n      two\n    \
                estimate_points: 3\n    required_skills: [Rust, 3]\n    area: ~\n    x_ticket: { a: [1, null] }\n";
    let read = load(text, of(None)).unwrap();
    assert_eq!(read.repo, "acme/rocket");
    assert_eq!(
        read.tasks,
        [json!({
            "external_id": "007", "title": "404", "description": "One\ntwo\n", "estimate_points": 3,
            "required_skills": ["Rust", "3"], "x_ticket": { "a": [1, null] },
        })]
    );
    assert_eq!(load(text, of(Some("acme/other"))).unwrap().repo, "acme/other");
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let text = "repo: a/b\ntasks:\n  - id: a\n    title: t\n  - id: b\n    title: u\n    tier: 9\n";
    let there = "line 7, column 11: `tasks[1].tier` must be a whole number from 0 to 3";
    assert_eq!(told(text), there);
    assert_eq!(told(&text.replace('\n', "\r\n")), there);
    assert_eq!(told(&format!("\u{feff}{text}")), there);
    let several = "repo: a/b\ntasks:\n  - id: a\n    title: t\n    description: |\n      One\n\n      two\n";
    assert_eq!(load(&several.replace('\n', "\r\n"), of(None)), load(several, of(None)), "as a browser's form sends it");
}

#[test]
fn a_repository_beside_the_file_is_checked_under_its_own_name() {
    let field = |repo| RepoOverride { repo, option: "the field Repository" };
    let text = "tasks:\n  - { id: a, title: t }\n";
    let faults = |repo| load(text, field(repo)).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        faults(None),
        ["line 1, column 1: `repo` is missing: name the repository of the tasks here or with the field Repository"]
    );
    assert_eq!(faults(Some(" ")), ["`the field Repository` must not be blank"]);
}

#[test]
fn every_fault_is_told_at_once() {
    let text = "\
repo: [1]
taks: 3
tasks:
  - title: No id
  - id: a
    title: ''
    estimate_points: many
    priority: '5'
  - id: a
    title: Again
    tier: 4
    area: \"x,y\"
    required_skills: [ok, \"a,b\"]
  - five
  - id: \"\"
    title: Blank
    required_skills: rust
    colour: blue
  - { id: b, title: t, priority: 1001, id: c, x_big: 1 }
  - { id: , title: null }
";
    insta::assert_snapshot!(told(text), @r#"
    line 1, column 7: `repo` must be a repository's name, owner/name
    line 2, column 1: unknown key `taks`, expected `repo` and `tasks`
    line 4, column 5: `tasks[0].id` is missing
    line 6, column 12: `tasks[1].title` must not be blank
    line 7, column 22: `tasks[1].estimate_points` must be a whole number, without quotes
    line 8, column 15: `tasks[1].priority` must be a whole number, without quotes
    line 9, column 9: `tasks[2].id` is already the id of the task on line 5; every task needs its own
    line 11, column 11: `tasks[2].tier` must be a whole number from 0 to 3
    line 12, column 11: `tasks[2].area` must have at most 64 characters, and neither commas nor characters nobody can see
    line 13, column 27: `tasks[2].required_skills[1]` must have at most 64 characters, and neither commas nor characters nobody can see
    line 14, column 5: `tasks[3]` must be a task, with an `id` and a `title`
    line 15, column 9: `tasks[4].id` must not be blank
    line 17, column 22: `tasks[4].required_skills` must be a list, as in `[rust, sql]`
    line 18, column 5: unknown key `colour`, expected one of id, title, description, estimate_points, priority, required_skills, area, tier, or one that begins with x_
    line 19, column 34: `tasks[5].priority` must be a whole number from 0 to 1000
    line 19, column 40: `tasks[5].id` is repeated; it is on line 19 already
    line 20, column 9: `tasks[6].id` must not be empty
    line 20, column 20: `tasks[6].title` must not be empty
    "#);
}

#[test]
fn what_is_no_file_of_tasks_is_told() {
    let mut all = Vec::new();
    for text in [
        "",
        "# nothing\n",
        "- id: a\n",
        "repo: a/b\n",
        "repo: a/b\ntasks: []\n",
        "repo: a/b\ntasks: { id: a }\n",
        "tasks:\n  - { id: a, title: t }\n",
        "repo: ''\ntasks:\n  - { id: a, title: t }\n",
        "repo: a/b\ntasks:\n\t- id: a\n",
        "repo: a/b\ntasks: [{ id: a, title: t }\n",
        "repo: a/b\ntasks:\n  - &a { id: a, title: t }\n  - *a\n",
        "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        "<<: { repo: a/b }\n",
        "repo: a/b\n---\ntasks: []\n",
    ] {
        all.push(format!("{}\n  {}", text.escape_default(), told(text)));
    }
    insta::assert_snapshot!(all.join("\n"), @r#"

      line 1, column 1: the file is empty: it must hold `repo: owner/name` and a list `tasks:`
    # nothing\n
      line 2, column 1: the file is empty: it must hold `repo: owner/name` and a list `tasks:`
    - id: a\n
      line 1, column 1: this is not a task file: it must hold `repo: owner/name` and a list `tasks:`
    repo: a/b\n
      line 1, column 1: `tasks` must be a list of tasks, each with an `id` and a `title`
    repo: a/b\ntasks: []\n
      line 2, column 8: `tasks` must be a list of tasks, each with an `id` and a `title`
    repo: a/b\ntasks: { id: a }\n
      line 2, column 8: `tasks` must be a list of tasks, each with an `id` and a `title`
    tasks:\n  - { id: a, title: t }\n
      line 1, column 1: `repo` is missing: name the repository of the tasks here or with --repo
    repo: \'\'\ntasks:\n  - { id: a, title: t }\n
      line 1, column 7: `repo` must not be blank
    repo: a/b\ntasks:\n\t- id: a\n
      line 3, column 2: tabs disallowed within this context (block indentation)
    repo: a/b\ntasks: [{ id: a, title: t }\n
      line 2, column 8: unclosed bracket '['
    repo: a/b\ntasks:\n  - &a { id: a, title: t }\n  - *a\n
      line 3, column 8: anchors and aliases (`&name`, `*name`) are not supported here
    a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n
      line 1, column 7: anchors and aliases (`&name`, `*name`) are not supported here
    <<: { repo: a/b }\n
      line 1, column 1: `tasks` must be a list of tasks, each with an `id` and a `title`
    repo: a/b\n---\ntasks: []\n
      line 2, column 1: a second document begins here, but a file can have only one
    "#);
}

#[test]
fn deep_and_wide_files_are_refused_in_no_time() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), format!("{GOOD}{}", "  - {}\n".repeat(400_001))] {
        assert_eq!(load(&text, of(None)).map(|load| load.tasks).unwrap_err().len(), 1);
    }
    let long = format!("{GOOD}    description: {}\n", "x".repeat(1024 * 1024));
    assert_eq!(told(&long), "line 3, column 5: `tasks[0]` has 1024 KiB, and a task can have at most 900 KiB");
}
