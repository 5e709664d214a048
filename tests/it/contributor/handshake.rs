//! The handshake with agents as their makers publish them: no account is used, so no more than that can be tried.
//!
//! They come from npm, installed under `tests/npm/agents/`. A missing package is a failure, never a skip.

use crate::support::program::owp;
use serde_json::{Value, json};

/// Asks a published agent what it is and whether its user is signed in.
fn ask(agent: &str, program: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let program = format!("{}/tests/npm/agents/node_modules/.bin/{program}", env!("CARGO_MANIFEST_DIR"));
    assert!(std::path::Path::new(&program).exists(), "run `npm ci --prefix tests/npm/agents`: {program} is missing");
    let settings = folder.path().join("owp");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("agents.toml"), format!("[{agent}]\ncommand = [{program:?}]\n")).unwrap();
    let mut command = owp(&["worker", "agents", agent, "--json"]);
    for name in ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_HOME"] {
        command.env_remove(name);
    }
    let output = command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn claude_code_says_who_it_is_and_opens_a_session() {
    let told = ask("claude", "claude-agent-acp");
    assert_eq!((&told["version"], &told["sign_in_required"]), (&json!("0.49.0"), &json!(false)), "{told}");
    assert!(told["title"].as_str().unwrap().contains("claude"), "{told}");
}

#[test]
fn codex_says_who_it_is_and_how_to_sign_in() {
    let told = ask("codex", "codex-acp");
    assert_eq!((&told["version"], &told["sign_in_required"]), (&json!("0.16.0"), &json!(true)), "{told}");
    let ways = told["sign_in"].as_array().unwrap();
    assert!(ways.iter().any(|way| way.as_str().unwrap().contains("ChatGPT")), "{told}");
}
