//! Parses and validates request bodies: JSON into a type, the type into checked values, or a problem.

use super::check::Checks;
use super::problem::{Problem, ProblemKind};
use owp_pool::text::tidy_line;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Length limit of a quoted parser message, which can contain parts of the body.
const MESSAGE_MAX_CHARS: usize = 200;

/// A request body that can be validated.
pub trait Request: DeserializeOwned {
    /// The validated form.
    type Checked;

    /// Validates every field and collects the errors. The result is used only if there are none.
    fn check(self, checks: &mut Checks) -> Self::Checked;
}

/// Parses and validates a body.
///
/// # Errors
/// A problem (422) that names the position or the fields.
pub fn read<R: Request>(body: &[u8]) -> Result<R::Checked, Box<Problem>> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    // Serde would also accept arrays for structs, by position.
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(malformed("The body is empty; send a JSON object.")),
        Some(b'{') => {}
        Some(_) => return Err(malformed("The body is not a JSON object.")),
    }
    let request: R = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let mut checks = Checks::default();
    let checked = request.check(&mut checks);
    match checks.into_errors() {
        errors if errors.is_empty() => Ok(checked),
        errors => Err(Box::new(Problem::invalid(errors))),
    }
}

fn malformed(detail: &str) -> Box<Problem> {
    Box::new(Problem::new(ProblemKind::MalformedBody, detail))
}

fn unreadable(error: &serde_json::Error) -> Box<Problem> {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let place = format!(" at line {line} column {column}");
    let words = tidy_line(words.strip_suffix(&place).unwrap_or(&words), MESSAGE_MAX_CHARS);
    let detail = format!("The body cannot be read at line {line}, column {column}: {words}.");
    Box::new(Problem { line: Some(line), column: Some(column), ..*malformed(&detail) })
}

/// A whole number in JSON: `5`, or `5.0` as some clients write it, but not `"5"`. A number out of range is clamped, and
/// the bounds then reject it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole(pub i64);

impl<'de> de::Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

impl JsonSchema for Whole {
    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// A JSON object inside a body. Serde would otherwise accept arrays for structs, by position.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub T);

impl<'de, T: de::Deserialize<'de>> de::Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: de::Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the bounds refuse both ends")]
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        if number.fract() == 0.0 {
            return Ok(Whole(number as i64));
        }
        Err(E::invalid_type(de::Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Probe {
        #[serde(default)]
        points: Option<Whole>,
        #[serde(default)]
        _inner: Option<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "a")]
        _a: Option<bool>,
    }

    impl Request for Probe {
        type Checked = i64;
        fn check(self, checks: &mut Checks) -> i64 {
            checks.number("points", self.points, 7, 1..=100)
        }
    }

    fn detail(body: &str) -> String {
        read::<Probe>(body.as_bytes()).unwrap_err().detail
    }

    #[test]
    fn absent_null_and_unknown_are_fine_and_defaults_apply() {
        for (body, points) in [
            ("{}", 7),
            (r#"{"points":null}"#, 7),
            (r#"{"points":5,"else":[1,{"deep":"er"}]}"#, 5),
            ("\u{feff} {\"points\": 5.0}", 5),
        ] {
            assert_eq!(read::<Probe>(body.as_bytes()).unwrap(), points, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        insta::assert_snapshot!(detail("{\n  \"points\": \"5\"}"), @r#"The body cannot be read at line 2, column 15: invalid type: string "5", expected a whole number."#);
        insta::assert_snapshot!(detail("{\"points\": 1"), @"The body cannot be read at line 1, column 12: EOF while parsing an object.");
        insta::assert_snapshot!(detail(r#"{"points": 1.5}"#), @"The body cannot be read at line 1, column 14: invalid type: floating point `1.5`, expected a whole number.");
        assert_eq!(detail(""), "The body is empty; send a JSON object.");
        assert_eq!(detail("[5]"), "The body is not a JSON object.");
        assert!(read::<Probe>(b"{\"points\": \"\xff\"}").is_err());
        assert!(detail(&format!("{{\"points\":\"{}\"}}", "x".repeat(10_000))).chars().count() < 300);
    }

    #[test]
    fn an_object_inside_is_no_array() {
        for body in [r#"{"_inner":{"a":true}}"#, r#"{"_inner":{}}"#, r#"{"_inner":null}"#] {
            assert_eq!(read::<Probe>(body.as_bytes()).unwrap(), 7, "{body}");
        }
        for (body, found) in [(r#"{"_inner":[]}"#, "sequence"), (r#"{"_inner":[true]}"#, "sequence")] {
            assert!(detail(body).contains(&format!("invalid type: {found}, expected an object")), "{}", detail(body));
        }
        assert!(detail(r#"{"_inner":{"a":5}}"#).contains("expected a boolean"), "{}", detail(r#"{"_inner":{"a":5}}"#));
    }

    #[test]
    fn numbers_beyond_every_bound_are_out_of_bounds_and_not_unreadable() {
        for number in ["99999999999999999999", "1e300", "-1e300", "0", "18446744073709551615"] {
            let problem = read::<Probe>(format!("{{\"points\":{number}}}").as_bytes()).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::InvalidValue, "{number}");
        }
    }
}
