//! Policy values with a notation of their own: durations and percentages.

use crate::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in the notation of policy files: `30m`, `4h`, `1d12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub Span);

/// A percentage in the notation of policy files: `20%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub i64);

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = Span::parse(&text.trim().to_lowercase());
        span.map(Self).ok_or_else(|| serde::de::Error::custom("a duration is written like `30m`, `4h` or `1d12h`"))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.compact())
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^([0-9]+[a-z]+)+$", "examples": ["30m", "4h", "1d12h"],
            "description": "One or more numbers with units: s, m, h, d, w."
        })
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        number.map(Self).ok_or_else(|| serde::de::Error::custom("a percentage is written like `20%`"))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}%", self.0))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{1,2} *%$", "examples": ["20%"] })
    }
}
