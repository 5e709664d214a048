//! One operation of the OpenAPI description. The sibling modules hold the tables; a test compares them with the router
//! and runs every example.

use crate::wire::ProblemKind;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Required authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    /// Public; no token is read.
    Nobody,
    /// A worker's token.
    Worker,
    /// The admin token.
    Operator,
    /// Public; with the admin token more is shown.
    Anybody,
}

/// Location of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// A parameter.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub name: &'static str,
    pub place: Place,
    pub description: &'static str,
    pub schema: Value,
    pub example: Value,
    pub required: bool,
}

impl Param {
    /// Marks the parameter as required.
    pub(super) fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

type Make = fn(&mut SchemaGenerator) -> Schema;

/// A request body.
#[derive(Clone)]
pub(super) struct Body {
    pub schema: Make,
    pub example: Value,
    pub required: bool,
}

/// The response with status 200.
#[derive(Clone)]
pub(super) enum Answer {
    /// A JSON object.
    Json(Make),
    /// A JSON object, or a stream of Server-Sent Events.
    JsonOrStream(Make),
    /// One JSON object per line.
    Lines(Make),
    /// Text of this media type.
    Text(&'static str),
}

/// One operation.
#[derive(Clone)]
pub(super) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub auth: Auth,
    pub params: Vec<Param>,
    pub body: Option<Body>,
    pub answer: Answer,
    pub answered: &'static str,
    own_problems: Vec<ProblemKind>,
}

/// Returns a JSON response of type `T`.
pub(super) fn json_of<T: JsonSchema>() -> Answer {
    Answer::Json(|generator| generator.subschema_for::<T>())
}

/// Returns an id parameter in the path.
pub(super) fn id(description: &'static str, example: &'static str) -> Param {
    let schema = json!({ "type": "string" });
    Param { name: "id", place: Place::Path, description, schema, example: Value::from(example), required: true }
}

/// Returns a filter parameter in the query.
pub(super) fn query(name: &'static str, description: &'static str, schema: Value, example: Value) -> Param {
    Param { name, place: Place::Query, description, schema, example, required: false }
}

impl Operation {
    /// Creates an operation without parameters.
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        auth: Auth,
        answer: Answer,
    ) -> Self {
        let tag = match auth {
            Auth::Worker => "workers",
            Auth::Operator => "operator",
            Auth::Nobody | Auth::Anybody => "public",
        };
        let (params, body, own_problems) = (Vec::new(), None, Vec::new());
        Self { method, path, id, tag, summary, auth, params, body, answer, answered: summary, own_problems }
    }

    /// Sets another tag.
    pub(super) fn tagged(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    /// Adds a body and an example of it.
    pub(super) fn body<T: JsonSchema>(self, example: Value) -> Self {
        let schema: Make = |generator| generator.subschema_for::<T>();
        Self { body: Some(Body { schema, example, required: true }), ..self }
    }

    /// Adds an optional body.
    pub(super) fn optional_body<T: JsonSchema>(self, example: Value) -> Self {
        let schema: Make = |generator| generator.subschema_for::<T>();
        Self { body: Some(Body { schema, example, required: false }), ..self }
    }

    /// Adds parameters.
    pub(super) fn params(self, params: Vec<Param>) -> Self {
        Self { params, ..self }
    }

    /// Adds problems specific to this operation.
    pub(super) fn problems_of(self, own: &[ProblemKind]) -> Self {
        Self { own_problems: own.to_vec(), ..self }
    }

    /// Returns true if the call takes an idempotency key.
    pub(super) fn takes_key(&self) -> bool {
        let mutating = self.method != "get" && self.path.starts_with("/v1/");
        mutating && !super::super::once::NEVER_KEPT.contains(&self.path)
    }

    /// Returns the problems the call can answer with.
    pub(super) fn problems(&self) -> Vec<ProblemKind> {
        let mut problems = self.own_problems.clone();
        if self.auth != Auth::Nobody {
            problems.insert(0, ProblemKind::Unauthorized);
        }
        if self.body.is_some() {
            problems.extend([ProblemKind::MalformedBody, ProblemKind::InvalidValue, ProblemKind::TooLarge]);
        }
        if self.takes_key() {
            problems.extend([ProblemKind::KeyReused, ProblemKind::KeyInUse]);
        }
        problems
    }
}
