//! GitHub's OpenAPI description, and schemas compiled from it. Not a test by itself; see `npm.rs`.

use crate::github_data::npm::read;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// GitHub's OpenAPI description of its REST API and webhooks.
pub(crate) fn description() -> Value {
    let mut description = read("@octokit/openapi/generated/api.github.com.json");
    repair(&mut description);
    description
}

/// Two places where the description contradicts GitHub itself. Each is asserted, so that a better one is noticed.
fn repair(description: &mut Value) {
    // An account is a user or an enterprise, as `GET /app/installations/{installation_id}` says; this list says both.
    let list =
        "/paths/~1app~1installations/get/responses/200/content/application~1json/schema/items/properties/account";
    let account = description.pointer_mut(list).unwrap().as_object_mut().unwrap();
    let both = account.remove("allOf").expect("the list's account is described better now: drop this repair");
    account.insert("anyOf".to_owned(), both);
    // A pull request outlives its fork, and then `head.repo` is null.
    let head = "/components/schemas/pull-request/properties/head/properties/repo";
    let repo = description.pointer_mut(head).unwrap();
    assert!(repo.get("nullable").is_none(), "head.repo is described better now: drop this repair");
    *repo = json!({ "nullable": true, "allOf": [repo.clone()] });
}

/// An OpenAPI 3.0 schema as JSON Schema draft 4: `nullable` becomes a choice with null, examples go.
fn translate(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(translate).collect(),
        Value::Object(map) if map.contains_key("$ref") => json!({ "$ref": map["$ref"] }),
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, value) in map {
                match key.as_str() {
                    "nullable" | "example" | "examples" | "discriminator" | "default" | "description" | "title" => {}
                    "properties" => {
                        let translated =
                            value.as_object().unwrap().iter().map(|(name, one)| (name.clone(), translate(one)));
                        out.insert(key.clone(), Value::Object(translated.collect()));
                    }
                    "enum" | "required" => {
                        out.insert(key.clone(), value.clone());
                    }
                    _ => {
                        out.insert(key.clone(), translate(value));
                    }
                }
            }
            if map.get("nullable") == Some(&Value::Bool(true)) {
                return json!({ "anyOf": [{ "type": "null" }, out] });
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// Names of the schemas that a schema refers to.
fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|one| references(one, found)),
        Value::Object(map) => {
            if let Some(name) =
                map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/components/schemas/"))
            {
                found.insert(name.to_owned());
            }
            map.values().for_each(|one| references(one, found));
        }
        _ => {}
    }
}

/// A validator for one schema, with just the parts of the description it needs.
pub(crate) fn compile(description: &Value, schema: &Value) -> Validator {
    let mut needed = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    references(schema, &mut wanted);
    while let Some(name) = wanted.pop_first() {
        if needed.contains_key(&name) {
            continue;
        }
        let part = &description["components"]["schemas"][&name];
        references(part, &mut wanted);
        needed.insert(name, translate(part));
    }
    let root = json!({ "allOf": [translate(schema)], "components": { "schemas": needed } });
    jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&root).unwrap()
}

/// Returns a value's schema violations in a few short lines.
pub(crate) fn complaints(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let validator = compile(description, schema);
    let words = |error: jsonschema::ValidationError<'_>| {
        let text: String = error.to_string().chars().take(300).collect();
        format!("at {}: {text}", error.instance_path())
    };
    validator.iter_errors(value).take(4).map(words).collect()
}
