//! The pool as AI tools reach it: raw JSON-RPC to the real program, over stdio and over HTTP.

mod clients;
mod http;
mod stdio;
mod story;

use serde_json::{Value, json};

/// The newest revision of the protocol; its requests carry their own metadata, and there is no handshake.
pub(crate) const NEW: &str = "2026-07-28";
/// A revision that begins with a handshake.
pub(crate) const OLD: &str = "2025-06-18";

/// A connection of an AI tool.
pub(crate) trait Connection {
    /// Sends a request and returns the whole response.
    fn ask(&mut self, method: &str, params: Value) -> Value;

    /// Calls a tool and returns its result.
    fn tool(&mut self, name: &str, arguments: &Value) -> Value {
        let response = self.ask("tools/call", json!({ "name": name, "arguments": arguments }));
        assert!(response["result"].is_object(), "{name}: {response}");
        response["result"].clone()
    }

    /// Calls a tool that succeeds; returns its structured result and its text.
    fn done(&mut self, name: &str, arguments: &Value) -> (Value, String) {
        let result = self.tool(name, arguments);
        assert_ne!(result["isError"], true, "{name}: {result}");
        assert!(result["structuredContent"].is_object(), "{name}: {result}");
        (result["structuredContent"].clone(), text(&result))
    }

    /// Calls a tool that fails; returns its text.
    fn refused(&mut self, name: &str, arguments: &Value) -> String {
        let result = self.tool(name, arguments);
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None), "{name}: {result}");
        text(&result)
    }
}

pub(crate) fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}")).to_owned()
}

/// Metadata of a request of the newest revision.
pub(crate) fn with_metadata(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

/// Parameters of the handshake.
pub(crate) fn handshake() -> Value {
    json!({ "protocolVersion": OLD, "capabilities": {}, "clientInfo": { "name": "test", "version": "0" } })
}
