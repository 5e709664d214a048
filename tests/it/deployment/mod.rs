//! The deployment files against the program: Docker, Compose and Fly cannot be run in a test, but every flag, variable,
//! path and port in them can be compared with the binary's own. The manifest asks for what it must and no more.

mod compose;
mod dockerfile;
mod logs;
mod server;

use dockerfile::Dockerfile;
use owp_config::VARIABLES;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

const FILES: [&str; 5] = ["Dockerfile", "compose.yml", "fly.toml", "env.local.example", "app-manifest.yml"];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn fly() -> Value {
    let table: toml::Table = text("fly.toml").parse().expect("fly.toml is TOML");
    serde_json::to_value(table).expect("TOML fits into JSON")
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// Every word that is spelled like one of our variables.
fn variables_in(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("OWP_") || word.starts_with("GITHUB_"))
        .collect()
}

fn known_variables() -> BTreeSet<&'static str> {
    VARIABLES.iter().map(|(name, _)| *name).collect()
}

/// The port of `127.0.0.1:8787` and the like.
fn port(address: &str) -> u64 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {address:?}"))
}

/// Every command line of `owp` in the deployment files, with the file it stands in.
fn command_lines() -> Vec<(&'static str, Vec<String>)> {
    let image = Dockerfile::parse(&text("Dockerfile"));
    let after_entrypoint = |args: Vec<String>| [image.list("ENTRYPOINT"), args].concat();
    let (compose, fly) = (yaml("compose.yml"), fly());
    let service = &compose["services"]["owp"];
    let fly_args = fly["processes"]["app"].as_str().expect("a process").split(' ').map(str::to_owned).collect();
    vec![
        ("Dockerfile", after_entrypoint(image.list("CMD"))),
        ("Dockerfile", image.list("HEALTHCHECK")),
        ("compose.yml", after_entrypoint(words(&service["command"]))),
        ("compose.yml", words(&service["healthcheck"]["test"])[1..].to_vec()),
        ("fly.toml", after_entrypoint(fly_args)),
    ]
}

#[test]
fn every_command_line_is_one_the_program_takes() {
    let lines = command_lines();
    assert_eq!(lines.len(), 5);
    let wrong: Vec<String> = lines
        .iter()
        .flat_map(|(file, line)| {
            crate::support::program::refused(line, crate::support::program::help)
                .into_iter()
                .map(move |why| format!("{file}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_variable_is_one_the_program_reads() {
    let known = known_variables();
    for file in FILES.iter().chain(&["CONTRIBUTING.md", "docs/install.md"]) {
        let text = text(file);
        let unknown: Vec<_> = variables_in(&text)
            .into_iter()
            .filter(|name| !known.contains(name) && !name.starts_with("OWP_TEST_"))
            .collect();
        assert!(unknown.is_empty(), "{file} names variables the program does not read: {unknown:?}");
    }
}

#[test]
fn the_example_environment_explains_every_variable_and_holds_no_secret() {
    let example = text("env.local.example");
    let set: Vec<(&str, &str)> = example
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let names: BTreeSet<&str> = set.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known_variables(), "left: env.local.example, right: the program");
    assert_eq!(names.len(), set.len(), "a variable stands there twice");
    for (name, value) in set {
        let secret = ["TOKEN", "SECRET", "KEY"].iter().any(|word| name.contains(word));
        assert!(!secret || value.is_empty(), "{name} has a value in env.local.example");
    }
}

#[test]
fn every_variable_has_a_help_sentence() {
    for (name, help) in VARIABLES {
        assert!(help.len() > 15 && help.ends_with('.'), "{name}: {help:?} is no sentence");
        let base = name.strip_suffix("_FILE");
        let stands_for_one = base.is_none_or(|base| known_variables().contains(base));
        // This file is written by the program itself; nobody could put it into a variable.
        assert!(stands_for_one || *name == "OWP_CREDENTIALS_FILE", "{name} has no variable to stand for");
    }
}

#[test]
fn one_port_is_used_everywhere() {
    let image = Dockerfile::parse(&text("Dockerfile"));
    let (compose, fly) = (yaml("compose.yml"), fly());
    let service = &compose["services"]["owp"];
    let published = words(&service["ports"]);
    let ports = [
        port(&image.variables()["OWP_LISTEN"]),
        port(&image.argument("EXPOSE")),
        port(service["environment"]["OWP_LISTEN"].as_str().expect("an address")),
        port(&published[0]),
        port(fly["env"]["OWP_LISTEN"].as_str().expect("an address")),
        fly["http_service"]["internal_port"].as_u64().expect("a port"),
    ];
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    assert!(
        crate::support::program::help("serve").contains(&format!("127.0.0.1:{}", ports[0])),
        "serve has another default port"
    );
    assert!(published[0].starts_with("127.0.0.1:"), "compose publishes to the whole network, without TLS");
}

#[test]
fn the_database_lives_on_the_volume() {
    let image = Dockerfile::parse(&text("Dockerfile"));
    let (compose, fly) = (yaml("compose.yml"), fly());
    let file = image.variables()["OWP_DATABASE_URL"].strip_prefix("sqlite:").expect("SQLite").to_owned();
    let volume = image.argument("VOLUME");
    assert!(file.starts_with(&format!("{volume}/")), "{file} is outside {volume} and lost with the container");
    assert_eq!(fly["mounts"][0]["destination"], volume.as_str());
    assert_eq!(fly["env"]["OWP_DATABASE_URL"], format!("sqlite:{file}"));
    let service = &compose["services"]["owp"];
    assert_eq!(service["environment"]["OWP_DATABASE_URL"], format!("${{OWP_DATABASE_URL:-sqlite:{file}}}"));
    let mounted = words(&service["volumes"]);
    let (name, at) = mounted[0].split_once(':').expect("volume:path");
    assert_eq!(at, volume);
    assert!(compose["volumes"].as_object().is_some_and(|volumes| volumes.contains_key(name)), "{name} is not declared");
}

/// Files outside `src` and `crates` that the program is compiled from, by `include_str!` in code that is not for tests.
fn included_from_outside() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let Ok(code) = fs::read_to_string(&entry) else { continue };
            let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for target in code.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let file = folder.join(target).canonicalize().unwrap_or_else(|e| panic!("{target}: {e}"));
                let path = file.strip_prefix(root.canonicalize().expect("a root")).expect("inside").to_path_buf();
                let inside = |path: &&str| path.starts_with("src/") || path.starts_with("crates/");
                found.extend(path.to_str().filter(|path| !inside(path)).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn the_image_has_every_file_the_program_is_compiled_from() {
    let copied = Dockerfile::parse(&text("Dockerfile")).copied_from_context();
    let included = included_from_outside();
    assert!(included.contains("app-manifest.yml"), "{included:?}");
    let left_out: Vec<_> = included.iter().filter(|file| !copied.contains(file)).collect();
    assert!(left_out.is_empty(), "the image does not copy {left_out:?}");
}

#[test]
fn the_image_is_built_from_files_that_exist_and_runs_without_root() {
    let image = Dockerfile::parse(&text("Dockerfile"));
    let ignored = text(".dockerignore");
    for source in image.copied_from_context() {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(&source).exists(),
            "the image copies {source}, which is not there"
        );
        assert!(ignored.lines().any(|line| line == format!("!{source}")), ".dockerignore keeps {source} out");
    }
    let manifest: toml::Table = text("Cargo.toml").parse().expect("TOML");
    assert!(image.copied_from_context().contains(&"benches".to_owned()), "cargo looks for the files of [[bench]]");
    for target in ["test", "example"] {
        assert!(
            !manifest.contains_key(target),
            "cargo looks for the files of [[{target}]], which the image leaves out"
        );
    }
    assert!(image.stages() >= 2, "the compiler would be shipped");
    assert!(!["root", "0", ""].contains(&image.argument("USER").as_str()));
}

#[test]
fn fly_keeps_one_machine_awake_and_asks_whether_it_is_ready() {
    let fly = fly();
    assert_eq!(fly["http_service"]["auto_stop_machines"], "off");
    assert_eq!(fly["http_service"]["min_machines_running"], 1);
    assert_eq!(fly["mounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(fly["http_service"]["checks"][0]["path"], "/readyz");
    assert!(fly["deploy"].get("release_command").is_none(), "migrations run at start, on the machine with the volume");
}

#[test]
fn compose_uses_sqlite_unless_the_postgres_profile_is_asked_for() {
    let services = &yaml("compose.yml")["services"];
    assert!(services["owp"].get("profiles").is_none(), "the pool always runs");
    assert_eq!(services["postgres"]["profiles"], json!(["postgres"]));
    assert_eq!(services["owp"]["depends_on"]["postgres"]["required"], false, "SQLite needs no PostgreSQL");
}

#[test]
fn the_manifest_asks_for_the_least_that_works() {
    let manifest = yaml("app-manifest.yml");
    assert_eq!(
        manifest["default_permissions"],
        json!({ "issues": "write", "pull_requests": "read", "metadata": "read", "contents": "read" })
    );
    assert_eq!(manifest["default_events"], json!(["issues", "issue_comment", "pull_request", "repository"]));
    // https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    let documented = [
        "name",
        "url",
        "hook_attributes",
        "redirect_url",
        "callback_urls",
        "setup_url",
        "description",
        "public",
        "default_events",
        "default_permissions",
        "request_oauth_on_install",
        "setup_on_update",
    ];
    for key in manifest.as_object().expect("a mapping").keys() {
        assert!(documented.contains(&key.as_str()), "GitHub does not document `{key}` in a manifest");
    }
}

#[test]
fn the_running_program_answers_on_every_path_the_files_name() {
    let server = server::Server::start();
    let check = fly()["http_service"]["checks"][0]["path"].as_str().expect("a path").to_owned();
    for path in [check.as_str(), "/healthz", "/livez"] {
        assert_eq!(server.request("GET", path), 200, "GET {path}");
    }
    let hook = yaml("app-manifest.yml")["hook_attributes"]["url"].as_str().expect("an address").to_owned();
    let path = hook.strip_prefix("https://owp.example.org").expect("the example's host");
    assert_eq!(server.request("POST", path), 503, "POST {path}: there is a webhook endpoint, and it has no secret yet");
    assert_eq!(server.request("POST", "/no/such/path"), 404, "or the line above proves nothing");
}

#[test]
fn the_health_check_asks_the_address_the_container_listens_on() {
    let server = server::Server::start();
    let check = |port: u16| {
        crate::support::program::owp(&["healthcheck"])
            .env("OWP_LISTEN", format!("0.0.0.0:{port}"))
            .output()
            .expect("runs")
    };
    let well = check(server.port);
    assert!(well.status.success(), "{well:?}");
    let nobody = check(crate::support::program::free_port());
    assert!(!nobody.status.success(), "nobody listens there: {nobody:?}");
}

#[test]
fn off_loopback_the_program_wants_an_admin_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("owp.db").display());
    let output = crate::support::program::owp(&["serve", "--listen", "0.0.0.0:0", "--database", &database])
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it listened to the whole network without a token");
    assert!(said.contains("OWP_ADMIN_TOKEN"), "it does not say what is missing: {said:?}");
    let weak = crate::support::program::owp(&["serve", "--listen", "0.0.0.0:0", "--database", &database])
        .env("OWP_ADMIN_TOKEN", "only-for-trying-it-out")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&weak.stderr);
    assert_eq!(weak.status.code(), Some(2), "{said}");
    assert!(said.contains("openssl rand -hex 32") && !said.contains("only-for-trying"), "{said}");
}

#[test]
fn a_planted_variable_is_found() {
    let found = variables_in("OWP_LISTEN=1 ${OWP_LISTTEN:-x} `GITHUB_APP_ID`, MY_OWP_X=2, owp_listen, POSTGRES_USER");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["GITHUB_APP_ID", "OWP_LISTEN", "OWP_LISTTEN"]);
}
