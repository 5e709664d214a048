//! The specification's examples are what the server's own description allows: whoever writes a client from the one can
//! rely on the other.

use serde_json::{Value, json};
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks fenced as JSON: the shape they are an example of, if they name one, and the text.
fn examples(markdown: &str) -> Vec<(Option<String>, String)> {
    let blocks = markdown.split("\n```json").skip(1);
    let parts = blocks.filter_map(|block| block.split_once('\n'));
    parts
        .map(|(name, rest)| {
            let code = rest.split("\n```").next().unwrap_or_default();
            (Some(name.trim().to_owned()).filter(|name| !name.is_empty()), code.to_owned())
        })
        .collect()
}

/// Returns the reasons why a value does not match a schema.
fn faults(description: &Value, shape: &str, example: &Value) -> Vec<String> {
    if description["components"]["schemas"][shape].is_null() {
        return vec![format!("there is no shape {shape}")];
    }
    let schema = json!({ "$ref": format!("#/components/schemas/{shape}"), "components": description["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(example).map(|fault| format!("{} at {}", fault, fault.instance_path())).collect()
}

#[test]
fn every_example_is_what_the_server_takes_or_answers() {
    let description: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let mut named = 0;
    for (shape, code) in examples(&read("docs/owp-spec.md")) {
        let example: Value = serde_json::from_str(&code).unwrap_or_else(|error| panic!("{error} in\n{code}"));
        let Some(shape) = shape else { continue };
        let wrong = faults(&description, &shape, &example);
        assert!(wrong.is_empty(), "an example of {shape}: {}\n{code}", wrong.join("; "));
        named += 1;
    }
    assert!(named >= 15, "only {named} examples name what they are of");
}

#[test]
fn an_example_that_is_none_is_found() {
    let description: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    assert!(faults(&description, "Beat", &json!({ "ok": true })).join("").contains("server_time"));
    assert!(faults(&description, "Heartbeat", &json!({ "status": "asleep" })).len() == 1);
    assert_eq!(faults(&description, "Heard", &json!({})), ["there is no shape Heard"]);
    let found = examples("a\n```json Beat\n{\n}\n```\nb\n```json\n[]\n```\n");
    assert_eq!(found, [(Some("Beat".to_owned()), "{\n}".to_owned()), (None, "[]".to_owned())]);
}
