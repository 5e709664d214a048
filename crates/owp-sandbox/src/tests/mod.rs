//! Tests of the sandbox over HTTP and by verbs. Shared helpers are here, and each other file has one subject.

mod access;
mod app;
mod checks;
mod control;
mod deliveries;
mod faults;
mod fidelity;
mod git;
mod git_pulls;
mod lists;
mod manifest;
mod pulls;
mod stories;

use super::{Role, Sandbox, SandboxConfig, generate_private_key};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use owp_testing::kept::kept;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

pub(super) const ROCKET: &str = "acme/rocket";

/// A sandbox with the usual users, a stopped clock, and an HTTP client.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) installation: u64,
    http: reqwest::Client,
}

/// Builds an HTTP client with the `User-Agent` that GitHub requires and this redirect policy.
pub(super) fn http_with(redirect: reqwest::redirect::Policy) -> reqwest::Client {
    reqwest::Client::builder().user_agent("story").redirect(redirect).build().unwrap()
}

pub(super) fn http() -> reqwest::Client {
    http_with(reqwest::redirect::Policy::default())
}

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

pub(super) fn config(clock: &Arc<AtomicI64>) -> SandboxConfig {
    let clock = clock.clone();
    let private_key = kept("pkcs1-key", || generate_private_key().unwrap());
    SandboxConfig {
        private_key: Some(private_key),
        ..SandboxConfig::new(Arc::new(move || clock.load(Ordering::SeqCst)))
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(super) async fn with(change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        let clock = Arc::new(AtomicI64::new(START));
        let sandbox = Sandbox::start(change(config(&clock))).await.unwrap();
        sandbox.add_repo(ROCKET).unwrap();
        sandbox.add_repo("acme/docs").unwrap();
        sandbox.add_collaborator(ROCKET, "mona", Role::Admin).unwrap();
        sandbox.add_collaborator("acme/docs", "mona", Role::Admin).unwrap();
        sandbox.add_collaborator(ROCKET, "tri", Role::Triage).unwrap();
        sandbox.add_user("ada");
        let installation = sandbox.install(&[ROCKET]).unwrap();
        Self { sandbox, clock, installation, http: http() }
    }

    pub(super) fn advance_secs(&self, secs: i64) {
        self.clock.fetch_add(secs * 1_000, Ordering::SeqCst);
    }

    pub(super) fn token(&self, login: &str) -> String {
        self.sandbox.add_user(login).token
    }

    /// Signs a JWT of the app with valid claims, overridden by these.
    pub(super) fn jwt(&self, more: &Value) -> String {
        let now = self.clock.load(Ordering::SeqCst) / 1_000;
        let mut claims = json!({ "iat": now - 60, "exp": now + 540, "iss": self.sandbox.app_id() });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let key = EncodingKey::from_rsa_pem(self.sandbox.private_key_pem().as_bytes()).unwrap();
        encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    pub(super) async fn send(&self, method: Method, token: &str, path: &str, body: Value) -> reqwest::Result<Response> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.sandbox.api_url()) };
        let mut request = self.http.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await
    }

    /// Sends a call; returns status and body.
    pub(super) async fn call(&self, method: Method, token: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = self.send(method, token, path, body).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        self.call(Method::GET, token, path, Value::Null).await
    }

    /// Pushes a branch, as git would.
    pub(super) async fn push_branch(&self, repo: &str, login: &str, head: &str) {
        let body = json!({ "repo": repo, "login": login, "head": head });
        assert_eq!(self.call(Method::PUT, "", "/_sandbox/branches", body).await.0, 204);
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, token, path, body).await
    }

    /// Mints an installation token, narrowed by `ask`.
    pub(super) async fn mint(&self, ask: Value) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let (status, body) = self.post(&self.jwt(&json!({})), &path, ask).await;
        assert_eq!(status, 201, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }
}
