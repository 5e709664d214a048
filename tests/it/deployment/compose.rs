//! `compose.yml` and `.env` as Compose reads them, for the pool's own service; tests run without Docker.

use super::{server::Server, text, yaml};
use crate::support::program;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

type Variables = BTreeMap<String, String>;

/// Replaces `${NAME:-default}` and `${NAME:?message}`; an error is what Compose stops with.
fn interpolated(value: &str, known: &Variables) -> Result<String, String> {
    let Some((before, rest)) = value.split_once("${") else { return Ok(value.to_owned()) };
    let (expression, after) = rest.split_once('}').expect("a closing brace");
    let (name, other) = expression.split_once(':').unwrap_or((expression, "-"));
    let set = known.get(name).filter(|value| !value.is_empty()).cloned();
    let value = match (set, other.split_at(1)) {
        (Some(set), _) => set,
        (None, ("-", default)) => default.to_owned(),
        (None, ("?", message)) => return Err(format!("required variable {name} is missing a value: {message}")),
        (None, _) => panic!("Compose does not know ${{{expression}}}"),
    };
    Ok(format!("{before}{value}{}", interpolated(after, known)?))
}

/// The environment of the container `owp`.
fn container(dotenv: &Path) -> Result<Variables, String> {
    let of_file = || dotenvy::from_path_iter(dotenv).expect("a file").map(|pair| pair.expect("NAME=value"));
    let service = &yaml("compose.yml")["services"]["owp"];
    assert_eq!(service["env_file"], ".env", "the file that Compose itself reads");
    let known: Variables = of_file().collect();
    let mut variables = known.clone();
    for (name, value) in service["environment"].as_object().expect("a mapping") {
        variables.insert(name.clone(), interpolated(value.as_str().expect("text"), &known)?);
    }
    Ok(variables)
}

/// The block of a page that is fenced `sh docker`.
fn docker_steps(page: &str) -> String {
    let text = text(page);
    let blocks: Vec<&str> = text.split("```sh docker\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 1, "{page} has one block fenced `sh docker`");
    blocks[0].to_owned()
}

/// Runs the steps in an empty clone with a `docker` that does nothing.
fn folder_after(steps: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("env.local.example"), text("env.local.example")).expect("written");
    let docker = folder.path().join("docker");
    fs::write(&docker, "#!/bin/sh\n[ \"$1\" = compose ]\n").expect("written");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).expect("executable");
    let paths = [folder.path().to_path_buf()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(paths.into_iter().chain(std::env::split_paths(&path))).expect("a PATH");
    let mut shell = Command::new("bash");
    let done = shell.args(["-euo", "pipefail", "-c", steps]).env("PATH", path).current_dir(folder.path()).output();
    let done = done.expect("bash");
    assert!(done.status.success(), "{steps}\n{}", String::from_utf8_lossy(&done.stderr));
    folder
}

#[test]
fn the_steps_of_both_pages_start_a_pool_that_listens_on_every_address() {
    let steps = docker_steps("README.md");
    assert_eq!(steps, docker_steps("docs/install.md"), "one way to start, told twice");
    let folder = folder_after(&steps);
    let dotenv = folder.path().join(".env");
    let mode = fs::metadata(&dotenv).expect("made by the steps").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "it holds the admin token");
    let mut variables = container(&dotenv).expect("every variable is there");
    let listen = variables.remove("OWP_LISTEN").expect("an address");
    let host = listen.strip_suffix(":8787").expect("the container's port");
    assert_eq!(host, "0.0.0.0", "or no port of the container could be published");
    variables.remove("OWP_DATABASE_URL");
    let token = variables.get("OWP_ADMIN_TOKEN").expect("made by the steps").clone();
    assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{} characters", token.len());
    let variables: Vec<_> = variables.into_iter().collect();
    let server = Server::start_on(host, &variables);
    assert_eq!(server.request("GET", "/readyz"), 200);
}

/// The folders of the container that last, with where they are mounted.
fn mounts() -> Vec<String> {
    let service = &yaml("compose.yml")["services"]["owp"];
    let volumes = service["volumes"].as_array().expect("a list").iter();
    volumes.map(|volume| volume.as_str().and_then(|v| v.split(':').nth(1)).expect("NAME:FOLDER").to_owned()).collect()
}

#[test]
fn the_key_of_an_app_made_by_hand_is_where_the_container_looks_for_it() {
    let page = text("docs/install.md");
    let step = page.lines().find(|line| line.starts_with("docker compose exec -T owp sh -c ")).expect("a step");
    assert!(text("compose.yml").contains(step), "one way, told twice");
    let place = page.split("`GITHUB_APP_PRIVATE_KEY_FILE=").nth(1).and_then(|rest| rest.split('`').next()).expect("it");
    assert!(mounts().iter().any(|folder| place.starts_with(&format!("{folder}/"))), "{place} goes with the container");
    // The container's folder stands in the clone here, and `docker compose exec -T owp` does nothing but run the rest.
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("made");
    fs::write(folder.path().join("downloaded.private-key.pem"), "a key").expect("written");
    let run = step.replace("docker compose exec -T owp ", "").replace("/data/", "data/");
    let done = Command::new("bash").args(["-euc", &run]).current_dir(folder.path()).output().expect("bash");
    assert!(done.status.success(), "{run}\n{}", String::from_utf8_lossy(&done.stderr));
    let key = folder.path().join(place.trim_start_matches('/'));
    assert_eq!(fs::read_to_string(&key).expect("the key"), "a key");
    assert_eq!(fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o600);
}

#[test]
fn without_an_admin_token_compose_stops_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let dotenv = folder.path().join(".env");
    fs::write(&dotenv, text("env.local.example")).expect("written");
    let stopped = container(&dotenv).expect_err("nothing starts");
    assert!(stopped.contains("OWP_ADMIN_TOKEN") && stopped.contains(".env"), "{stopped}");
    // What the sentence keeps people from: a container that ends at once, again and again.
    let ended = program::owp(&["serve", "--listen", "0.0.0.0:0"]).current_dir(folder.path()).output().expect("runs");
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn variables_are_replaced_as_compose_does() {
    let known: Variables = [("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())].into();
    assert_eq!(interpolated("x${A:-2}y${B:-3}", &known).as_deref(), Ok("x1y3"));
    assert_eq!(interpolated("${E:?say it}", &known), Err("required variable E is missing a value: say it".to_owned()));
    assert_eq!(interpolated("${A:?say it}", &known).as_deref(), Ok("1"));
}
