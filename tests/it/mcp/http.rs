//! `/mcp`: the server's own endpoint for AI tools.

use super::{Connection, NEW, OLD, handshake, story, with_metadata};
use crate::worker_cli::stage::Stage;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
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
        let mut sent = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in headers {
            sent.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(&value).unwrap());
        }
        let params = if self.is_new { with_metadata(params.clone()) } else { params.clone() };
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        self.runtime.block_on(async {
            let told = http.post(&self.url).headers(sent).body(body.to_string()).send().await.unwrap();
            let (status, headers) = (told.status().as_u16(), told.headers().clone());
            let body = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap_or_default();
            Told { status, headers, body }
        })
    }
}

impl Http {
    /// Sends a body as it is; returns the status and the type of the problem.
    fn post_text(&self, body: &'static str) -> (u16, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let token = self.token.as_ref().unwrap();
        let call = http.post(&self.url).bearer_auth(token).header("content-type", "application/json");
        let call = call.header("accept", "application/json, text/event-stream").body(body);
        self.runtime.block_on(async {
            let told = call.send().await.unwrap();
            let status = told.status().as_u16();
            let problem: Value = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap_or_default();
            (status, problem["type"].as_str().unwrap_or_default().to_owned())
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

/// Returns the status and the body of a request with these headers.
fn told(stage: &Stage, headers: &[(&'static str, &str)]) -> (u16, Value) {
    let mut client = Http::new(stage, Some(stage.token()), true);
    client.more = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let told = client.send("tools/list", &json!({}));
    if told.status != 200 {
        assert_eq!(told.headers["content-type"], "application/problem+json", "{headers:?}: {}", told.body);
        assert_eq!(told.body["status"], told.status, "{headers:?}: {}", told.body);
    }
    (told.status, told.body)
}

#[test]
fn web_pages_of_other_origins_and_other_host_names_are_rejected() {
    let stage = Stage::new();
    stage.register();
    let status = |name, value| told(&stage, &[(name, value)]).0;
    assert_eq!(status("origin", "https://evil.example"), 403);
    assert_eq!(status("origin", "null"), 403);
    assert_eq!(status("host", "evil.example"), 403);
    assert_eq!(status("host", "owp.internal:8787"), 403);
    assert_eq!(status("host", "evil.example/x"), 403);
    assert_eq!(status("host", "127.0.0.1.evil.example"), 403);
    assert_eq!(status("origin", "http://localhost:6274"), 200);
    assert_eq!(status("host", "localhost:8787"), 200);
    // A web page can let its name point here, but not an address.
    assert_eq!(status("host", "192.168.1.20:8787"), 200);
    assert_eq!(status("host", "[fd00::20]:8787"), 200);
    let (_, body) = told(&stage, &[("host", "owp.internal:8787")]);
    assert_eq!(body["type"], "/problems/foreign-address");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("owp.internal") && detail.contains("OWP_PUBLIC_URL"), "{detail}");
}

#[test]
fn a_pool_that_github_cannot_reach_answers_at_its_own_address() {
    let stage = Stage::with_settings(&[("OWP_PUBLIC_URL", "http://owp.internal:8080")]);
    stage.register();
    for host in ["owp.internal:8080", "owp.internal", "OWP.internal:443", "127.0.0.1:8080"] {
        assert_eq!(told(&stage, &[("host", host)]).0, 200, "{host}");
    }
    assert_eq!(told(&stage, &[("host", "evil.example:8080")]).0, 403);
    assert_eq!(told(&stage, &[("origin", "http://owp.internal:8080")]).0, 200);
    assert_eq!(told(&stage, &[("origin", "http://owp.internal:9999")]).0, 403);
}

#[test]
fn a_trusted_proxy_says_which_host_name_was_called() {
    let public = ("OWP_PUBLIC_URL", "https://pool.example.org");
    let by_proxy = |stage: &Stage, host: &str| told(stage, &[("host", "backend:8787"), ("x-forwarded-host", host)]).0;
    let stage = Stage::with_settings(&[public, ("OWP_TRUSTED_PROXIES", "127.0.0.0/8")]);
    stage.register();
    assert_eq!(by_proxy(&stage, "pool.example.org"), 200);
    // Each proxy appends what it was asked for.
    assert_eq!(by_proxy(&stage, "evil.example, pool.example.org"), 200);
    assert_eq!(by_proxy(&stage, "evil.example"), 403);
    assert_eq!(told(&stage, &[("host", "pool.example.org")]).0, 200);
    let stage = Stage::with_settings(&[public]);
    stage.register();
    assert_eq!(by_proxy(&stage, "pool.example.org"), 403, "anybody can send the header");
}

#[test]
fn requests_of_another_form_are_problems() {
    let stage = Stage::new();
    stage.register();
    for (name, value, status, kind) in [
        ("accept", "text/html", 406, "not-acceptable"),
        ("content-type", "text/plain", 415, "unsupported-media-type"),
        ("origin", "https://evil.example", 403, "foreign-address"),
    ] {
        let (got, body) = told(&stage, &[(name, value)]);
        assert_eq!((got, &body["type"]), (status, &json!(format!("/problems/{kind}"))), "{body}");
        assert!(body["detail"].as_str().unwrap().ends_with('.'), "{body}");
    }
    let mut old = Http::new(&stage, Some(stage.token()), false);
    old.more = vec![("mcp-protocol-version", "1999-01-01".to_owned())];
    let told = old.send("tools/list", &json!({}));
    assert_eq!((told.status, &told.body["type"]), (400, &json!("/problems/unknown-revision")), "{}", told.body);
    let client = Http::new(&stage, Some(stage.token()), true);
    let (status, kind) = client.post_text("{ \"jsonrpc\": ");
    assert_eq!((status, kind.as_str()), (422, "/problems/malformed-body"));
}
