//! The API documentation as a page, rendered from the OpenAPI document without external resources.

use crate::http::pages::{prose, themed};
use maud::{Markup, html};
use serde_json::Value;

/// Renders the whole page.
pub(super) fn render(description: &Value) -> String {
    let body = html! {
        main {
            p { (prose(text(&description["info"]["description"]))) }
            p { "Machine-readable description: " a href="/openapi.json" { "openapi.json" } "." }
            @for tag in list(&description["tags"]) {
                section {
                    h2 { (text(&tag["description"])) }
                    @for (path, method, operation) in operations(description, &tag["name"]) {
                        (one(path, method, operation))
                    }
                }
            }
            section {
                h2 { "Schemas" }
                ul {
                    @for name in names(&description["components"]["schemas"]) {
                        li { a href={ "/schemas/" (name) } { (name) } }
                    }
                }
            }
        }
    };
    themed("The Open Work Protocol", &html! {}, &body).into_string()
}

fn one(path: &str, method: &str, operation: &Value) -> Markup {
    let body = &operation["requestBody"]["content"]["application/json"];
    html! {
        article id=(text(&operation["operationId"])) {
            h3 { code { (method.to_uppercase()) " " (path) } }
            p { (prose(text(&operation["summary"]))) }
            p { "Access: " (callers(&operation["security"])) "." }
            @if !list(&operation["parameters"]).is_empty() {
                dl {
                    @for param in list(&operation["parameters"]) {
                        dt { code { (text(&param["name"])) } " (" (text(&param["in"])) "; " (bounds(&param["schema"])) ")" }
                        dd { (prose(text(&param["description"]))) }
                    }
                }
            }
            @if let Some(name) = shape(&body["schema"]) {
                p { "Body: " a href={ "/schemas/" (name) } { (name) } "." }
            }
            @if let Some(example) = body.get("example") {
                p { "Example:" }
                pre { code { (serde_json::to_string_pretty(example).unwrap_or_default()) } }
            }
            dl {
                @for status in names(&operation["responses"]) {
                    dt { (status) }
                    dd { (prose(text(&operation["responses"][status]["description"]))) (answer(&operation["responses"][status])) }
                }
            }
        }
    }
}

/// Renders the schema of a response, if it is a named one.
fn answer(response: &Value) -> Markup {
    let content = response["content"].as_object().into_iter().flatten();
    html! {
        @for name in content.filter_map(|(_, content)| shape(&content["schema"])) {
            " " a href={ "/schemas/" (name) } { (name) }
        }
    }
}

/// Returns the name of a referenced schema.
fn shape(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// Describes the allowed values of a parameter in a few words.
fn bounds(schema: &Value) -> String {
    let mut words = vec![text(&schema["type"]).to_owned()];
    if let (Some(least), Some(most)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        words.push(format!("{least} to {most}"));
    }
    if let Some(usual) = schema.get("default") {
        words.push(format!("default {usual}"));
    }
    let choices: Vec<&str> = list(&schema["enum"]).iter().map(text).collect();
    if !choices.is_empty() {
        words.push(choices.join(", "));
    }
    words.join(", ")
}

fn callers(security: &Value) -> &'static str {
    match list(security) {
        [] => "everyone",
        [one] if one.get("operator").is_some() => "the operator",
        [_] => "a worker",
        _ => "everyone; the operator also sees private repositories",
    }
}

fn operations<'a>(description: &'a Value, tag: &Value) -> Vec<(&'a str, &'a str, &'a Value)> {
    let paths = description["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .filter(|(_, _, operation)| list(&operation["tags"]).contains(tag))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}
