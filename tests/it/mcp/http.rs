//! `/mcp`: the server's own endpoint for AI tools.

use super::{Connection, NEW, OLD, handshake, story, with_metadata};
use crate::worker_cli::stage::Stage;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// A client of `/mcp`.
struct Http {
    url: String,
    token: Option<String>,
    is_new: bool,
    more: Vec<(&'static str, String)>,
    runtime: tokio::runtime::Runtime,
}

/// A response.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Http {
    fn new(stage: &Stage, token: Option<String>, is_new: bool) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { url: format!("{}/mcp", stage.url), token, is_new, more: Vec::new(), runtime }
    }

    fn send(&self, method: &str, params: &Value) -> Told {
        let mut headers: Vec<(&str, String)> = vec![
            ("accept", "application/json, text/event-stream".to_owned()),
            ("mcp-protocol-version", if self.is_new { NEW } else { OLD }.to_owned()),
        ];
        if self.is_new {
            headers.push(("mcp-method", method.to_owned()));
            let named = ["name", "uri"].iter().find_map(|key| params[*key].as_str());
            headers.extend(named.map(|name| ("mcp-name", name.to_owned())));
        }
        headers.extend(self.token.iter().map(|token| ("authorization", format!("Bearer {token}"))));
        headers.extend(self.more.clone());
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let params = if self.is_new { with_metadata(params.clone()) } else { params.clone() };
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        self.runtime.block_on(async {
            let told = http.post(&self.url).headers(headers).json(&body).send().await.unwrap();
            let (status, headers) = (told.status().as_u16(), told.headers().clone());
            let body = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap_or_default();
            Told { status, headers, body }
        })
    }
}

impl Connection for Http {
    fn ask(&mut self, method: &str, params: Value) -> Value {
        let told = self.send(method, &params);
        assert!(
            told.body["result"].is_object() || told.body["error"].is_object(),
            "{method}: {} {}",
            told.status,
            told.body
        );
        told.body
    }
}

#[test]
fn an_old_client_works_with_every_tool_over_http() {
    let stage = Stage::new();
    stage.register();
    let mut client = Http::new(&stage, Some(stage.token()), false);
    let told = client.ask("initialize", handshake());
    assert_eq!(told["result"]["protocolVersion"], OLD, "{told}");
    story::contents(&mut client);
    let mut careful = Http::new(&stage, Some(stage.worker_that_acknowledges()), false);
    story::every_tool(&stage, &mut client, &mut careful);
}

#[test]
fn a_new_client_needs_no_handshake_over_http() {
    let stage = Stage::new();
    stage.register();
    let mut client = Http::new(&stage, Some(stage.token()), true);
    let told = client.ask("server/discover", json!({}));
    assert!(told["result"]["supportedVersions"].as_array().unwrap().contains(&json!(NEW)), "{told}");
    story::contents(&mut client);
    let mut careful = Http::new(&stage, Some(stage.worker_that_acknowledges()), true);
    story::every_tool(&stage, &mut client, &mut careful);
}

#[test]
fn callers_without_a_known_token_are_rejected() {
    let stage = Stage::new();
    for token in [None, Some("owp_unknown".to_owned())] {
        let told = Http::new(&stage, token, true).send("tools/list", &json!({}));
        assert_eq!(told.status, 401, "{}", told.body);
        assert!(told.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"), "{:?}", told.headers);
    }
}

#[test]
fn web_pages_of_other_origins_and_other_host_names_are_rejected() {
    let stage = Stage::new();
    stage.register();
    let status = |name: &'static str, value: &str| {
        let mut client = Http::new(&stage, Some(stage.token()), true);
        client.more.push((name, value.to_owned()));
        client.send("tools/list", &json!({})).status
    };
    assert_eq!(status("origin", "https://evil.example"), 403);
    assert_eq!(status("origin", "null"), 403);
    assert_eq!(status("host", "evil.example"), 403);
    assert_eq!(status("origin", "http://localhost:6274"), 200);
    assert_eq!(status("host", "localhost:8787"), 200);
}
