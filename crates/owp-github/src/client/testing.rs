//! A scripted test server that records the requests it receives.

use super::{GitHub, GitHubConfig, RepoHandle};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use owp_base::clock::Clock;
use owp_testing::kept::kept;
use secrecy::SecretString;
use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

pub(super) const NOW: i64 = 1_700_000_000_000;
pub(super) const INSTALLATION: i64 = 7;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// `GET /repos/…?page=1`, without the prefix.
    pub(super) line: String,
    pub(super) bearer: String,
    pub(super) etag: Option<String>,
    pub(super) body: serde_json::Value,
}

pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    #[expect(clippy::needless_pass_by_value, reason = "a test writes json!(…) in place, and & before each is noise")]
    pub(super) fn json(status: u16, body: serde_json::Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
    }
    pub(super) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.to_owned() }
    }
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Face {
    script: Script,
    calls: Arc<Mutex<Vec<Call>>>,
    delay: Duration,
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) clock: Clock,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Server {
    /// Answers token calls itself (`ghs_1`, `ghs_2`, …, valid for one hour) and passes all others to the script.
    pub(super) async fn with_tokens(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let minted = std::sync::atomic::AtomicUsize::new(0);
        Self::start(Duration::ZERO, move |call| {
            if !call.line.ends_with("/access_tokens") {
                return script(call);
            }
            let n = minted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            Reply::json(201, serde_json::json!({"token": format!("ghs_{n}"), "expires_at": "2023-11-14T23:13:20Z"}))
        })
        .await
    }

    pub(super) async fn start(delay: Duration, script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v3/", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let face = Face { script: Arc::new(script), calls: calls.clone(), delay };
        let app = Router::new().fallback(response).with_state(face);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, clock: Clock::manual(NOW), calls }
    }

    pub(super) fn github(&self) -> GitHub {
        github(&self.url, self.clock.clone(), Duration::from_secs(20))
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Returns the request lines, without the token calls.
    pub(super) fn lines(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.line).filter(|line| !line.ends_with("/access_tokens")).collect()
    }

    pub(super) fn minted(&self) -> usize {
        self.calls().iter().filter(|call| call.line.ends_with("/access_tokens")).count()
    }
}

async fn response(State(face): State<Face>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    let path = uri.path_and_query().unwrap().as_str();
    let path = path.strip_prefix("/api/v3").unwrap_or(path);
    let call = Call {
        line: format!("{method} {path}"),
        bearer: text("authorization").unwrap_or_default().replace("Bearer ", ""),
        etag: text("if-none-match"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    face.calls.lock().unwrap().push(call.clone());
    tokio::time::sleep(face.delay).await;
    let reply = (face.script)(&call);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body.into()).unwrap()
}

pub(super) fn github(url: &str, clock: Clock, timeout: Duration) -> GitHub {
    let private_key_pem = SecretString::from(key().0.clone());
    GitHub::new(GitHubConfig { api_url: url.to_owned(), app_id: 42, private_key_pem, timeout, clock }).unwrap()
}

pub(super) fn repo() -> RepoHandle {
    RepoHandle { github_id: 99, full_name: "octo/hello".to_owned() }
}

/// Returns a private key in PEM (PKCS#8), and its public half in DER.
pub(super) fn key() -> &'static (String, Vec<u8>) {
    static KEY: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    KEY.get_or_init(|| {
        let base64 = kept("pkcs8-key", || {
            let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            data_encoding::BASE64.encode(der.as_ref())
        });
        let pair = KeyPair::from_pkcs8(&data_encoding::BASE64.decode(base64.as_bytes()).unwrap()).unwrap();
        let lines: Vec<&str> = (0..base64.len()).step_by(64).map(|i| &base64[i..(i + 64).min(base64.len())]).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref().to_vec();
        (pem, public)
    })
}
