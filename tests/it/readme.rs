//! The README against the program: its shell blocks are run or say that they are not, its tables are the program's own,
//! its links lead somewhere.

use owp_config::{CLIENT_VARIABLES, VARIABLES};
use owp_github::render::{Contract, LeaseComment, LeaseState, Via, lease_comment};
use owp_pool::{
    command::verbs_markdown,
    labels::{LabelRules, read_labels},
};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Pages for people who use the program.
const PAGES: [&str; 6] = [
    "README.md",
    "SECURITY.md",
    "docs/install.md",
    "docs/contributing-work.md",
    "docs/contributing-with-ai.md",
    "docs/glossary.md",
];

/// Timeout of a block.
const PATIENCE_SECS: &str = "120";

/// A fenced block.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    /// The words after the fence: `sh run`, `yaml`.
    info: String,
    code: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(Block { info: info.to_owned(), code: code.join("\n") });
        }
    }
    found
}

/// The lines of the table whose head begins so, head and rule left out.
fn table_rows<'a>(markdown: &'a str, head: &str) -> Vec<&'a str> {
    let from = markdown.find(head).unwrap_or_else(|| panic!("README.md has no table {head:?}"));
    markdown[from..].lines().skip(2).take_while(|line| line.starts_with('|')).collect()
}

/// Everything between backticks.
fn inline_code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Runs a block as a person would paste it, in an empty folder, with `cargo run --` starting the binary under test and
/// the README's port exchanged for a free one. What it leaves running is ended with it.
fn run(code: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let cargo = folder.path().join("cargo");
    let stand_in = format!(
        "#!/bin/sh\n[ \"$1 $2\" = 'run --' ] || exit 64\nshift 2\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_owp")
    );
    fs::write(&cargo, stand_in).expect("written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("executable");
    let outer = crate::support::program::owp(&[]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = [folder.path().to_path_buf()].into_iter().chain(std::env::split_paths(&path));
    // `timeout` leads a process group of its own, and ends it even when this test is killed meanwhile.
    let mut shell = Command::new("timeout");
    for (name, _) in outer.get_envs() {
        shell.env_remove(name);
    }
    // Written to files, because a pipe stays open as long as anything the block started still runs.
    let written = |name: &str| fs::File::create(folder.path().join(name)).expect("a file");
    let mut child = shell
        .args([
            "--kill-after=5",
            PATIENCE_SECS,
            "bash",
            "-euo",
            "pipefail",
            "-c",
            &code.replace("8787", &crate::support::program::free_port().to_string()),
        ])
        .env("PATH", std::env::join_paths(paths).expect("a PATH"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(written("out"))
        .stderr(written("err"))
        .spawn()
        .expect("bash");
    let group = format!("-{}", child.id());
    let status = child.wait().expect("the block ends");
    // There is nobody left in the group when the block cleaned up after itself.
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let read = |name: &str| fs::read(folder.path().join(name)).expect("readable");
    Output { status, stdout: read("out"), stderr: read("err") }
}

/// Kinds of shell blocks, which the words after the fence name: `sh run` is run as it stands, `sh quickstart` by
/// `scripts/quickstart`, `sh docker` by `tests/deployment`; `sh norun` waits for Ctrl-C, for GitHub or for minutes.
const SHELL: [&str; 4] = ["sh run", "sh norun", "sh quickstart", "sh docker"];

#[test]
fn every_block_says_what_it_is() {
    for page in PAGES {
        for block in blocks(&text(page)) {
            let known = SHELL.contains(&block.info.as_str())
                || ["text", "mermaid", "yaml", "json", "toml"].contains(&block.info.as_str());
            assert!(known, "{page}: a block is fenced {:?}; shell is one of {SHELL:?}", block.info);
        }
    }
}

#[test]
fn pages_speak_to_their_readers_and_not_about_tests() {
    for page in PAGES {
        let text = text(page).to_lowercase();
        for words in ["run by the tests", "run them by the tests", "being what runs"] {
            assert!(!text.contains(words), "{page} says {words:?}; use the words after the fence instead");
        }
    }
}

#[test]
fn the_blocks_that_can_be_run_work() {
    let mut said = String::new();
    let blocks: Vec<Block> = PAGES.iter().flat_map(|page| blocks(&text(page))).collect();
    let runnable: Vec<_> = blocks.iter().filter(|block| block.info == "sh run").collect();
    assert_eq!(runnable.len(), 6);
    for block in runnable {
        let output = run(&block.code);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}\n--- {} and said\n{out}\n{err}", block.code, output.status);
        said.push_str(&out);
    }
    assert!(said.contains("\"merged\":3"), "the demo's line of JSON is missing: {said}");
    assert!(said.contains("127.0.0.1") && said.contains(" conforms: "), "the protocol was not checked: {said}");
    assert!(said.contains("Delivered: http"), "no pull request was opened: {said}");
    assert!(said.contains("\"leases\":") && said.contains("Write the changelog"), "no lease was granted: {said}");
}

#[test]
fn the_demo_goes_on_when_its_first_twenty_issues_are_done() {
    let output = crate::support::program::owp(&["demo", "--exit-after-merged", "21"]).output().expect("runs");
    let (out, narrated) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("\"merged\":2"), "{out} {narrated}");
    assert!(!narrated.contains(" INFO "), "the demo narrates, and logs nothing besides: {narrated}");
}

#[test]
fn every_command_line_of_the_program_is_one_it_takes() {
    let mut seen = 0;
    let blocks: Vec<Block> = PAGES.iter().flat_map(|page| blocks(&text(page))).collect();
    for block in blocks.iter().filter(|block| block.info.starts_with("sh ")) {
        for line in block.code.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (["cargo", "run", "--", args @ ..]
            | ["target/release/owp" | "owp", args @ ..]
            | ["docker", "compose", "exec", "owp", "owp", args @ ..]) = words.as_slice()
            else {
                continue;
            };
            let line: Vec<String> = ["owp"].iter().chain(args).map(|word| (*word).to_owned()).collect();
            let wrong = crate::support::program::refused(&line, crate::support::program::help);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} command lines were found");
}

#[test]
fn the_command_table_is_the_programs_own() {
    let expected = verbs_markdown();
    assert!(text("README.md").contains(&expected), "README.md must hold this table:\n{expected}");
}

#[test]
fn the_configuration_table_is_the_programs_own() {
    let expected: Vec<String> = VARIABLES.iter().map(|(name, help)| format!("| `{name}` | {help} |")).collect();
    let readme = text("README.md");
    let rows = table_rows(&readme, "| variable |");
    assert_eq!(rows, expected, "README.md must hold these rows:\n{}", expected.join("\n"));
}

#[test]
fn the_table_of_client_variables_is_the_programs_own() {
    let expected: Vec<String> = CLIENT_VARIABLES.iter().map(|(name, help)| format!("| `{name}` | {help} |")).collect();
    let readme = text("README.md");
    let rows = table_rows(&readme, "| client variable |");
    assert_eq!(rows, expected, "README.md must hold these rows:\n{}", expected.join("\n"));
}

/// Compares a session with its picture; the script fails by itself when the picture shows something else, or when it takes
/// too long. Returns what it printed.
fn pictured(script: &str, picture: &str) -> String {
    let output = Command::new(script)
        .args(["--check", picture])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("OWP_BIN", env!("CARGO_BIN_EXE_owp"))
        .stdin(Stdio::null())
        .output()
        .expect("Python 3");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

#[test]
fn from_nothing_to_a_leased_task_takes_less_than_two_minutes_and_looks_as_in_the_picture() {
    let out = pictured("scripts/quickstart", "docs/quickstart.svg");
    assert!(out.contains("from nothing to a leased task: "), "{out}");
}

#[test]
fn a_task_with_an_agent_looks_as_in_the_picture() {
    let out = pictured("scripts/agent-picture", "docs/contributing-with-ai.svg");
    assert!(out.contains("Delivered: http"), "{out}");
}

/// A text as `scripts/quickstart` compares it.
fn same_but_for_chance(text: &str) -> String {
    let script = "import runpy, sys\n\
                  script = runpy.run_path('scripts/quickstart')\n\
                  print(script['same_but_for_chance'](sys.argv[1].split('\\n')))";
    let output = Command::new("python3")
        .args(["-c", script, text])
        .env("PYTHONIOENCODING", "utf-8")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("Python 3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_picture_fits_on_any_day_and_on_a_slow_machine() {
    let at = |date: &str, left: &str, took: &str| {
        format!(
            "leased t_06gvth4bip \"Write\" until {date} UTC\nt_06gvth4bip  leased  {left}\nready in {took}\n[1] 4711"
        )
    };
    let drawn = same_but_for_chance(&at("21 Nov 2026, 16:10", "29m57s", "3 s"));
    for (date, left, took) in [
        ("1 Jan 2031, 00:00", "29m57s", "3 s"),
        ("21 Nov 2026, 16:10", "30m", "1m 3s"),
        ("9 May 2027, 09:59", "28m1s", "59s"),
    ] {
        assert_eq!(same_but_for_chance(&at(date, left, took)), drawn);
    }
    let other = same_but_for_chance(&at("21 Nov 2026, 16:10", "29m57s", "3 s").replace("leased", "offered"));
    assert_ne!(other, drawn, "what the program says is compared");
}

#[test]
fn every_label_of_the_table_is_read_as_a_label() {
    let readme = text("README.md");
    let rows = table_rows(&readme, "| label |");
    let nothing = read_labels(&[], &LabelRules::default());
    let mut kinds = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        for label in inline_code(cells[0]) {
            let reading = read_labels(&[label.to_owned()], &LabelRules::default());
            assert!(reading.problems.is_empty(), "{label}: {:?}", reading.problems);
            assert_ne!(reading, nothing, "`{label}` says nothing");
            kinds.insert(label.split(':').next().unwrap_or_default().to_owned());
        }
        let fallback = cells[2].trim_end_matches(" |");
        match inline_code(cells[0])[0].split(':').next() {
            Some("estimate") => assert_eq!(fallback, nothing.estimate.to_string()),
            Some("priority") => assert_eq!(fallback, nothing.priority.to_string()),
            Some("tier") => assert_eq!(fallback, nothing.tier.to_string()),
            _ => {}
        }
    }
    let rules = LabelRules::default();
    for prefix in [rules.estimate, rules.priority, rules.skills, rules.area, rules.tier].concat() {
        assert!(kinds.contains(&prefix), "the table leaves out `{prefix}:`");
    }
    assert!(kinds.contains("pool"), "the table leaves out the label that opts in");
}

#[test]
fn the_registration_address_asks_for_what_the_manifest_asks_for() {
    let readme = text("README.md");
    let address = readme.lines().find(|line| line.starts_with("https://github.com/settings/apps/new?")).expect("it");
    let query = address.split_once('?').expect("a query").1;
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
    let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let manifest: serde_json::Value = serde_saphyr::from_str(&text("app-manifest.yml")).expect("YAML");
    for (permission, access) in manifest["default_permissions"].as_object().expect("a mapping") {
        // The form can name the one file, which the manifest cannot.
        let asked = if permission == "contents" { "single_file" } else { permission };
        assert_eq!(value(asked), access.as_str(), "{asked}");
    }
    assert_eq!((value("contents"), value("single_file_name")), (None, Some(".github/owp.yml")));
    assert_eq!(value("webhook_url"), manifest["hook_attributes"]["url"].as_str());
    let events: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "events[]").map(|(_, value)| value.as_str()).collect();
    assert_eq!(serde_json::json!(events), manifest["default_events"]);
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(markdown: &str) -> Vec<String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_comment_in_the_readme_is_what_the_pool_says() {
    let readme = text("README.md");
    let shown =
        readme.lines().skip_while(|line| !line.starts_with("> @ada, ")).take_while(|line| line.starts_with('>'));
    let shown: Vec<&str> = shown.map(|line| line.trim_start_matches('>').trim_start()).collect();
    let at = |text: &str| owp_pool::Timestamp::parse_rfc3339(text).expect("a time");
    let said = lease_comment(&LeaseComment {
        login: "ada".to_owned(),
        via: Via::Comment,
        issue: 12,
        branch: "owp/12-fix-login".to_owned(),
        contract: Contract::default(),
        state: LeaseState::Active { until: at("2026-11-24T03:09:00Z"), at_most: Some(at("2026-12-05T03:09:00Z")) },
        held: false,
    });
    assert_eq!(shown.join("\n"), said);
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<String> =
        PAGES.iter().chain(&["CONTRIBUTING.md", "CHANGELOG.md"]).map(ToString::to_string).collect();
    for folder in ["docs", "docs/adr"] {
        let files = fs::read_dir(root.join(folder)).expect("a folder").map(|file| file.expect("a file").file_name());
        let names = files.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".md"));
        pages.extend(names.map(|name| format!("{folder}/{name}")));
    }
    assert!(pages.len() > 30, "{pages:?}");
    for page in &pages {
        let folder = root.join(page).parent().expect("a folder").to_path_buf();
        for target in text(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.starts_with("https://") {
                continue;
            }
            let linked = if file.is_empty() { root.join(page) } else { folder.join(file) };
            assert!(linked.exists(), "{page} links to {target}, which is not there");
            if !anchor.is_empty() {
                let headings = anchors(&fs::read_to_string(&linked).expect("text"));
                assert!(
                    headings.iter().any(|heading| heading == anchor),
                    "{page} links to {target}; there is {headings:?}"
                );
            }
        }
    }
}

#[test]
fn blocks_and_tables_are_read_as_they_stand() {
    let page = "One\ntwo:\n\n```sh run\na\n\nb\n```\nafter\n\nThird.\n\n```text\n```\n\n| x | y |\n|---|---|\n| `1` | 2 |\n\nend";
    let found = blocks(page);
    let block = |info: &str, code: &str| Block { info: info.to_owned(), code: code.to_owned() };
    assert_eq!(found, [block("sh run", "a\n\nb"), block("text", "")]);
    assert_eq!(table_rows(page, "| x |"), ["| `1` | 2 |"]);
    assert_eq!(inline_code("a `b`, `c d` e"), ["b", "c d"]);
}

#[test]
fn a_block_that_fails_is_noticed_and_leaves_nothing_running() {
    assert!(!run("false\ntrue").status.success(), "every line counts");
    assert!(!run("cargo build").status.success(), "only `cargo run --` is stood in for");
    let output = run("echo 8787; sleep 600 & echo $!");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    let (port, sleeper) = said.trim().split_once('\n').expect("two lines");
    assert_ne!(port, "8787");
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        // A dead process that nobody has waited for yet is as good as gone.
        fs::read_to_string(format!("/proc/{sleeper}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    assert!(gone, "process {sleeper} goes on");
}
