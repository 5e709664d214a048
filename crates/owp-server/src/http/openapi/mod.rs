//! The OpenAPI 3.1 description, built from the table of operations and the types that parse bodies and write responses;
//! and the page and JSON Schemas derived from it. A test compares `docs/openapi.json` with it.

mod operation;
mod operator;
mod page;
mod public;
mod worker;

use super::problem::unknown_path;
use crate::wire::{PROBLEM_JSON, Problem, ProblemKind};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{Uri, header};
use axum::response::{Html, IntoResponse, Response};
use operation::{Answer, Auth, Operation, Param, Place};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

const ABOUT: &str = "The Open Work Protocol as OWP Pool implements it. The pool hands out tasks from labelled issues, \
each to one contributor at a time and for a limited time, and never more than maintainers can review. Errors are \
problems (RFC 9457); the page at a problem's `type` explains the fix. Unknown fields are ignored; optional fields \
accept null. Fields that begin with `x_` are stored and passed through. Mutating requests accept an `Idempotency-Key`. \
The header `RateLimit` of every response says how many requests are left.";

/// Returns every operation, in the order users meet them.
fn operations() -> Vec<Operation> {
    [worker::operations(), public::operations(), operator::operations()].concat()
}

/// `GET /openapi.json`
pub(super) async fn serve() -> Response {
    let text = serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default() + "\n";
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// `GET /docs`: the description as a page.
pub(super) async fn show() -> Html<String> {
    Html(page::render(&DOCUMENT))
}

/// `GET /schemas/{name}`: one type as a JSON Schema (2020-12).
pub(super) async fn schema(name: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    let schemas = &DOCUMENT["components"]["schemas"];
    let Some(name) = name.ok().map(|Path(name)| name).filter(|name| schemas.get(name).is_some()) else {
        return unknown_path(uri).await.into_response();
    };
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": { "schemas": schemas },
    });
    ([(header::CONTENT_TYPE, "application/schema+json")], schema.to_string()).into_response()
}

fn document() -> Value {
    let settings = || SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    // Requests and responses differ: a field with a default is optional in a body and always present in a response.
    let mut reads = settings().for_deserialize().into_generator();
    let mut writes = settings().for_serialize().into_generator();
    let problem = writes.subschema_for::<Problem>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let described = describe(&operation, &problem, &mut reads, &mut writes);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.to_owned(), described);
        }
    }
    let mut schemas = writes.take_definitions(true);
    schemas.extend(reads.take_definitions(true));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OWP Pool",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "tags": [
            { "name": "workers", "description": "Operations for workers." },
            { "name": "public", "description": "Public operations." },
            { "name": "operator", "description": "Operations for the operator." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "worker": { "type": "http", "scheme": "bearer", "description": "Token from the response to a registration." },
                "operator": { "type": "apiKey", "in": "header", "name": "X-Admin-Token" },
            },
        },
    });
    // A stable order, so that two versions can be compared.
    document.sort_all_objects();
    document
}

fn describe(
    operation: &Operation,
    problem: &Value,
    reads: &mut SchemaGenerator,
    writes: &mut SchemaGenerator,
) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": security(operation.auth),
        "responses": responses(operation, problem, writes),
    });
    let mut params: Vec<Value> = operation.params.iter().map(param).collect();
    if operation.takes_key() {
        params.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": { "type": "string", "maxLength": 255 },
            "description": "Requests with the same key and body take effect once and get the same response for 24 hours.",
        }));
    }
    if !params.is_empty() {
        described["parameters"] = Value::from(params);
    }
    if let Some(body) = &operation.body {
        let schema = (body.schema)(reads).to_value();
        described["requestBody"] = json!({
            "required": body.required,
            "content": { "application/json": { "schema": schema, "example": body.example } },
        });
    }
    described
}

fn param(param: &Param) -> Value {
    let place = match param.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": param.name, "in": place, "required": param.required,
        "description": param.description, "schema": param.schema, "example": param.example,
    })
}

fn security(auth: Auth) -> Value {
    match auth {
        Auth::Nobody => json!([]),
        Auth::Worker => json!([{ "worker": [] }]),
        Auth::Operator => json!([{ "operator": [] }]),
        Auth::Anybody => json!([{}, { "worker": [] }, { "operator": [] }]),
    }
}

/// Returns the schema of one stream event, as clients see it after joining its lines.
fn streamed() -> Value {
    json!({
        "type": "object",
        "description": "One Server-Sent Event of the stream.",
        "properties": {
            "id": { "type": "string", "description": "Position after this event: the value of `Last-Event-ID`." },
            "event": { "type": "string", "description": "Kind of the event, or `reset`." },
            "data": {
                "type": "string", "contentMediaType": "application/json",
                "description": "The event, as on a page; for `reset`, the reason and the cursor to continue from.",
            },
            "retry": { "type": "integer", "description": "Milliseconds to wait before reconnecting." },
        },
    })
}

fn responses(operation: &Operation, problem: &Value, writes: &mut SchemaGenerator) -> Value {
    let content = match &operation.answer {
        Answer::Json(schema) => json!({ "application/json": { "schema": schema(writes).to_value() } }),
        Answer::JsonOrStream(schema) => json!({
            "application/json": { "schema": schema(writes).to_value() },
            "text/event-stream": { "schema": streamed() },
        }),
        Answer::Lines(schema) => json!({ "application/x-ndjson": { "schema": schema(writes).to_value() } }),
        Answer::Text(media_type) => {
            let mut content = Map::new();
            content.insert((*media_type).to_owned(), json!({ "schema": { "type": "string" } }));
            Value::Object(content)
        }
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": operation.answered, "content": content }));
    let always = [ProblemKind::RateLimited, ProblemKind::Unavailable];
    for kind in operation.problems().into_iter().chain(always) {
        let status = kind.status().to_string();
        let words = format!("{} (`{}`).", kind.title(), kind.type_path());
        let media = json!({ PROBLEM_JSON: { "schema": problem } });
        let response = responses.entry(status).or_insert_with(|| json!({ "description": "", "content": media }));
        let known = response["description"].as_str().unwrap_or_default();
        response["description"] = Value::from(format!("{known} {words}").trim());
    }
    Value::Object(responses)
}
