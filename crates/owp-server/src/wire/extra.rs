//! Client extensions: negotiated capabilities, and custom fields whose names start with `x_`. Custom fields are stored
//! and passed through; the program never reads them.

use super::check::Checks;
use owp_pool::worker::Capabilities;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Prefix of custom fields.
const PREFIX: &str = "x_";
const FIELDS_MAX: usize = 32;
const FIELDS_MAX_BYTES: usize = 8 * 1024;
const TOOLS_MAX: usize = 64;
const TOOL_MAX_CHARS: usize = 64;

/// Capabilities a worker declares. An omitted capability counts as absent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "Capabilities")]
pub(super) struct CapabilitiesBody {
    /// True if the worker acknowledges offers within `ack_by`; without this a lease is active at once.
    #[serde(default)]
    ack: Option<bool>,
    /// True if the worker can run the repository's tests.
    #[serde(default)]
    can_run_tests: Option<bool>,
    /// True if the worker can open pull requests itself.
    #[serde(default)]
    can_open_prs: Option<bool>,
    /// Tools the worker can use, at most 64.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(max = 64), regex(pattern = r"\S")))]
    supports_tool: Option<Vec<String>>,
}

impl CapabilitiesBody {
    pub(super) fn check(self, checks: &mut Checks) -> Capabilities {
        let tools = self.supports_tool.unwrap_or_default();
        if tools.len() > TOOLS_MAX {
            checks.fault("capabilities.supports_tool", format!("must hold at most {TOOLS_MAX} tools"));
        }
        let mut tidy = BTreeSet::new();
        for (index, tool) in tools.into_iter().take(TOOLS_MAX).enumerate() {
            let field = format!("capabilities.supports_tool[{index}]");
            tidy.insert(checks.name(&field, tool, TOOL_MAX_CHARS));
        }
        Capabilities {
            ack: self.ack.unwrap_or(false),
            can_run_tests: self.can_run_tests.unwrap_or(false),
            can_open_prs: self.can_open_prs.unwrap_or(false),
            supports_tool: tidy.into_iter().collect(),
        }
    }
}

/// Returns the custom fields of a body. Other unknown fields are ignored.
pub(super) fn own_fields(checks: &mut Checks, rest: Map<String, Value>) -> Map<String, Value> {
    let own: Map<String, Value> = rest.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    let bytes = serde_json::to_string(&own).map_or(usize::MAX, |text| text.len());
    if own.len() > FIELDS_MAX || bytes > FIELDS_MAX_BYTES {
        checks.fault("x_*", format!("must be at most {FIELDS_MAX} fields of {} KiB together", FIELDS_MAX_BYTES / 1024));
        return Map::new();
    }
    if own.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)) {
        checks.fault("x_*", "must not hold NUL characters");
    }
    own
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn own(body: Value) -> (Map<String, Value>, usize) {
        let mut checks = Checks::default();
        let Value::Object(rest) = body else { panic!("not an object") };
        let own = own_fields(&mut checks, rest);
        (own, checks.into_errors().len())
    }

    #[test]
    fn only_fields_that_begin_with_x_are_kept() {
        let (kept, faults) = own(json!({ "x_a": { "b": [1, null] }, "colour": "blue", "X_B": 1 }));
        assert_eq!((Value::Object(kept), faults), (json!({ "x_a": { "b": [1, null] } }), 0));
    }

    #[test]
    fn own_fields_are_bounded() {
        assert_eq!(own(json!({ "x_a": "x".repeat(9_000) })).1, 1);
        assert_eq!(own((0..33).map(|n| (format!("x_{n}"), Value::Null)).collect()).1, 1);
        assert_eq!(own(json!({ "x_a": [{ "b": "a\0" }] })).1, 1);
    }

    #[test]
    fn tools_are_listed_once_and_bounded() {
        let body =
            |tools: Value| serde_json::from_value::<CapabilitiesBody>(json!({ "supports_tool": tools })).unwrap();
        let mut checks = Checks::default();
        let read = body(json!(["cargo", "npm", "cargo"])).check(&mut checks);
        assert_eq!((read.supports_tool, read.ack), (vec!["cargo".to_owned(), "npm".to_owned()], false));
        assert!(checks.into_errors().is_empty());
        let mut checks = Checks::default();
        body(json!(vec!["t"; 65])).check(&mut checks);
        body(json!([""])).check(&mut checks);
        assert_eq!(checks.into_errors().len(), 2);
    }
}
