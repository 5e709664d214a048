//! Reads GitHub's own data from npm packages installed under `tests/npm/`. Not a test by itself.

use serde_json::Value;
use std::path::{Path, PathBuf};

fn npm_folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test may be told where its data is")]
    let told = std::env::var("OWP_NPM_DIR").ok().map(PathBuf::from);
    told.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm/node_modules"))
}

/// A JSON file of an installed package; says what to run when it is missing.
pub(crate) fn read(path: &str) -> Value {
    let file = npm_folder().join(path);
    let text = std::fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "GitHub's data is not at {} ({error}).\nRun `npm ci --ignore-scripts` in tests/npm, or set OWP_NPM_DIR to a \
             node_modules folder that has @octokit/openapi and @octokit/webhooks-examples.",
            file.display()
        )
    });
    serde_json::from_slice(&text).unwrap()
}
