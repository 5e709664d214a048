//! `owp policy` as people run it: the real program, real files, a real pool.

use crate::support::program::{free_port, help, owp};
use std::io::Write;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

/// Remedy for a faulty file.
const MORE: &str = "docs/policy.md explains every key; `owp policy schema` prints the JSON Schema for editors.";
const TOKEN: &str = "an-admin-token-for-the-test";

fn words(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_good_file_is_fine_and_a_bad_one_is_told_by_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("owp.yml");
    std::fs::write(&file, "budget: { max_open_prs: 3 }\n").unwrap();
    let path = file.to_str().unwrap();
    let fine = owp(&["policy", "check", path]).output().unwrap();
    assert_eq!(words(&fine), (Some(0), format!("{path}: fine\n"), String::new()));

    std::fs::write(&file, "budget:\n  max_open_prs: 300\nleases: { ttl: 1s }\n").unwrap();
    let (code, said, wrong) = words(&owp(&["policy", "check", path]).output().unwrap());
    let expected = format!(
        "{path}:2:17: `budget.max_open_prs` must be from 0 to 100, not 300\n{path}:3:16: `leases.ttl` must be from 1m to 30d, not 1s\nowp policy check: {path} has 2 faults.\n  {MORE}\n"
    );
    assert_eq!((code, said.as_str(), wrong), (Some(1), "", expected));

    let (code, _, wrong) = words(&owp(&["policy", "check", "no/such/file.yml"]).output().unwrap());
    assert_eq!(code, Some(2));
    assert!(wrong.contains("no/such/file.yml cannot be read"), "{wrong}");
}

#[test]
fn the_help_names_what_there_is() {
    let help = help("policy");
    assert!(["check", "simulate", "schema"].iter().all(|word| help.contains(word)), "{help}");
}

#[test]
fn a_file_may_come_from_standard_input() {
    let mut child = owp(&["policy", "check", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"bugdet: 3\n").unwrap();
    let (code, _, wrong) = words(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(1));
    assert!(wrong.starts_with("-:1:1: there is no key `bugdet` here; did you mean `budget`?"), "{wrong}");
}

#[test]
fn all_faults_are_told_at_once_and_for_programs_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("owp.yml");
    let text =
        "bugdet: 3\nbudget:\n  max_open_prs: many\nleases: { ttl: 1s, claim_tll: 2d }\ncoments: quiet\nlanes: none\n";
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let (code, _, wrong) = words(&owp(&["policy", "check", path]).output().unwrap());
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(wrong.replace(path, "FILE"), @r#"
    FILE:1:1: there is no key `bugdet` here; did you mean `budget`?
    FILE:3:17: must be a whole number
    FILE:4:16: `leases.ttl` must be from 1m to 30d, not 1s
    FILE:4:20: there is no key `claim_tll` here; did you mean `claim_ttl`?
    FILE:5:1: there is no key `coments` here; did you mean `comments`?
    FILE:6:8: must be a list, as in `[docs, tests]`
    owp policy check: FILE has 6 faults.
      docs/policy.md explains every key; `owp policy schema` prints the JSON Schema for editors.
    "#);
    let (code, said, _) = words(&owp(&["policy", "check", path, "--json"]).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    let faults = json["error"]["done"]["faults"].as_array().unwrap();
    assert_eq!((code, faults.len(), &json["schema_version"]), (Some(1), 6, &serde_json::json!(1)), "{json}");
    assert_eq!((&faults[0]["line"], &faults[0]["column"]), (&serde_json::json!(1), &serde_json::json!(1)), "{json}");
    std::fs::write(&file, "budget: { max_open_prs: 3 }\n").unwrap();
    let (code, said, _) = words(&owp(&["policy", "check", path, "--json"]).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json), (Some(0), serde_json::json!({ "file": path, "faults": [], "schema_version": 1 })));
}

#[test]
fn the_committed_schema_and_example_are_the_programs_own() {
    let (code, schema, _) = words(&owp(&["policy", "schema"]).output().unwrap());
    assert_eq!(code, Some(0));
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/owp.schema.json"), &schema).unwrap();
    assert_eq!(schema, include_str!("../../docs/owp.schema.json"), "owp policy schema > docs/owp.schema.json");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/owp.example.yml");
    let (code, _, wrong) = words(&owp(&["policy", "check", example]).output().unwrap());
    assert_eq!((code, wrong.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let example: serde_json::Value = serde_saphyr::from_str(include_str!("../../docs/owp.example.yml")).unwrap();
    jsonschema::validate(&schema, &example).unwrap();
    let bad = serde_json::json!({ "bugdet": 3 });
    assert!(jsonschema::validate(&schema, &bad).is_err());
}

/// The keys of a schema, with dots; lists and what stands in them count as one key.
fn keys(schema: &serde_json::Value, node: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    let node = match node.get("$ref").and_then(serde_json::Value::as_str) {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).unwrap(),
        None => node,
    };
    if let Some(any) = node.get("anyOf").and_then(serde_json::Value::as_array) {
        return keys(schema, &any[0], path, found);
    }
    match node.get("properties").and_then(serde_json::Value::as_object) {
        Some(properties) => {
            for (name, child) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                keys(schema, child, &path, found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn the_documentation_names_every_key() {
    let schema = owp_pool::document::schema();
    let mut found = Vec::new();
    keys(&schema, &schema, "", &mut found);
    assert!(found.len() > 30, "{found:?}");
    let page = include_str!("../../docs/policy.md");
    // What opens a tier is told once for the three of them.
    let told = |key: &String| match key.strip_prefix("tiers.") {
        Some(rest) => page.contains(&format!("`{}`", rest.split_once('.').unwrap().1)),
        None => page.contains(&format!("`{key}`")),
    };
    let untold: Vec<&String> = found.iter().filter(|key| !told(key)).collect();
    assert_eq!(untold, Vec::<&String>::new());
}

struct Pool(Child);

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A pool with two tasks, of which the one worker there is can take one.
async fn pool(folder: &std::path::Path) -> (Pool, String) {
    let url = format!("http://127.0.0.1:{}", free_port());
    let listen = url.trim_start_matches("http://").to_owned();
    let mut serve = owp(&["serve", "--listen", &listen, "--database", "sqlite:pool.db"]);
    serve.current_dir(folder).env("OWP_ADMIN_TOKEN", TOKEN).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Pool(serve.spawn().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let since = Instant::now();
    while http.get(format!("{url}/readyz")).send().await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "the pool does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let admin = async |path: &str, body: serde_json::Value| {
        let call = http.post(format!("{url}{path}")).header("x-admin-token", TOKEN).json(&body);
        assert_eq!(call.send().await.unwrap().status(), 200, "{path}");
    };
    admin("/v1/admin/repos", serde_json::json!({ "repo": "acme/rocket", "max_open_prs": 5 })).await;
    for (title, skill) in [("Parse\u{1b}[31m dates", "rust"), ("Draw a logo", "design")] {
        let task = serde_json::json!({ "repo": "acme/rocket", "title": title, "required_skills": [skill] });
        admin("/v1/admin/tasks", task).await;
    }
    let worker = serde_json::json!({ "name": "ada's laptop", "skills": ["rust"] });
    let registered = http.post(format!("{url}/v1/workers/register")).json(&worker).send().await.unwrap();
    assert_eq!(registered.status(), 200);
    (running, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_says_who_would_get_what_and_why_not_the_rest_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, url) = pool(folder.path()).await;
    let simulate = |extra: &[&str], token: Option<&str>| {
        let mut command = owp(&[&["policy", "simulate", "acme/rocket", "--server", &url], extra].concat());
        command.current_dir(folder.path());
        if let Some(token) = token {
            command.env("OWP_ADMIN_TOKEN", token);
        }
        words(&command.output().unwrap())
    };
    let (code, said, wrong) = simulate(&[], Some(TOKEN));
    assert_eq!(code, Some(0), "{wrong}");
    insta::assert_snapshot!(said, @r#"
    acme/rocket: 1 worker seen recently
    would get Parse\u{1b}[31m dates: ada's laptop
    waits Draw a logo
      ada's laptop: The worker lacks a skill the task needs. (now rust, needed design) [skills]
    "#);
    assert_eq!(simulate(&[], Some(TOKEN)).1, said, "nothing was written");

    std::fs::write(folder.path().join("owp.yml"), "budget: { max_open_prs: 0 }").unwrap();
    let (_, said, _) = simulate(&["--policy", "owp.yml"], Some(TOKEN));
    assert!(said.contains("nothing is handed out: The review budget is 0"), "{said}");
    let (_, json, _) = simulate(&["--policy", "owp.yml", "--json"], Some(TOKEN));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["grants"], serde_json::json!([]));

    std::fs::write(folder.path().join("owp.yml"), "budget: { max_open_prs: x }").unwrap();
    let (code, _, wrong) = simulate(&["--policy", "owp.yml"], Some(TOKEN));
    assert_eq!(
        (code, wrong.as_str()),
        (
            Some(1),
            format!("owp.yml:1:25: must be a whole number\nowp policy simulate: owp.yml has 1 fault.\n  {MORE}\n")
                .as_str()
        )
    );
    for token in [None, Some("another-token")] {
        let (code, _, wrong) = simulate(&[], token);
        assert_eq!(code, Some(4));
        assert!(wrong.contains("OWP_ADMIN_TOKEN"), "{wrong}");
    }
}
