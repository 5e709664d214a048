//! An OWP client: one call over HTTP, its answer as JSON, and failures that can be told to a person. It knows the
//! protocol's manners (which token, keys for calls that are repeated, how long to wait) and nothing of what is asked.
//!
//! A token goes to the address it was given with and nowhere else: redirects are not followed.

mod error;

pub use error::{ClientError, Told};

use crate::clock::Entropy;
use crate::net::is_loopback;
use data_encoding::HEXLOWER;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same of a pull, which waits a minute at most.
const PATIENCE_WAITING: Duration = Duration::from_secs(90);
/// How often a call is made when the server asks to come back soon.
const ATTEMPTS: u32 = 3;
/// The longest time that is waited for a server that asks to come back.
const WAIT_MOST: Duration = Duration::from_secs(10);

/// The most that is read of an answer.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// As whom calls are made.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody in particular.
    Nobody,
    /// A worker, by its token.
    Worker(SecretString),
    /// The operator, by the admin token.
    Operator(SecretString),
}

/// A pool at an address, asked as somebody.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    who: Who,
    http: reqwest::Client,
    entropy: Entropy,
}

impl Client {
    /// A client of the pool at `base`, such as `https://pool.example.org`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] for what is no address of a web server.
    pub fn new(base: &str, who: Who) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(base.to_owned());
        let url = Url::parse(base.trim()).map_err(|_| wrong())?;
        let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        let more = url.query().is_some() || url.fragment().is_some();
        if !web || more || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("owp/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE_WAITING);
        if is_loopback(&url) {
            // A proxy would look for the pool on its own machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| wrong())?;
        Ok(Self { base: url, who, http, entropy: Entropy::system() })
    }

    /// The same pool, asked as somebody else.
    #[must_use]
    pub fn as_who(&self, who: Who) -> Self {
        Self { who, ..self.clone() }
    }

    /// Where the pool is, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// True when what is sent there could be read on its way.
    #[must_use]
    pub fn in_clear_text(&self) -> bool {
        self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// `GET path`, a path with its query such as `/v1/work?wait=30`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None, false).await
    }

    /// `POST path`: a call that is made once, and again only where it certainly had no effect (429).
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body), false).await
    }

    /// `POST path` with an idempotency key of its own, so that it has its effect once however often it is repeated here.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post_once(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body), true).await
    }

    /// `PATCH path`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::PATCH, path, Some(body), false).await
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::DELETE, path, None, false).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, keyed: bool) -> Result<Value, ClientError> {
        let url = format!("{}{path}", self.base());
        let repeatable = keyed || method == Method::GET;
        let key = keyed.then(|| HEXLOWER.encode(&self.entropy.bytes::<16>()));
        let mut attempt = 1;
        loop {
            let mut call = self.signed(self.http.request(method.clone(), &url)).timeout(patience(path));
            if let Some(key) = &key {
                call = call.header("idempotency-key", key);
            }
            if let Some(body) = body {
                call = call.json(body);
            }
            let answer = call.send().await.map_err(|error| ClientError::unreachable(self.base(), &error))?;
            match come_back(&answer, repeatable).filter(|wait| attempt < ATTEMPTS && *wait <= WAIT_MOST) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return read(&url, answer).await,
            }
            attempt += 1;
        }
    }

    fn signed(&self, call: RequestBuilder) -> RequestBuilder {
        match &self.who {
            Who::Nobody => call,
            Who::Worker(token) => call.bearer_auth(token.expose_secret()),
            Who::Operator(token) => call.header("x-admin-token", token.expose_secret()),
        }
    }
}

/// Text as one part of a path: `acme/rocket` becomes `acme%2Frocket`.
#[must_use]
pub fn segment(text: &str) -> String {
    if matches!(text, "." | "..") {
        // Even as `%2E` these are taken for steps to another path (WHATWG URL, 4.3). Encoded twice they are a name, which
        // nothing has.
        return text.replace('.', "%252E");
    }
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// How long an answer may take: a pull that waits is told how long it may.
fn patience(path: &str) -> Duration {
    if path.contains("wait=") { PATIENCE_WAITING } else { PATIENCE }
}

/// How long a server that is busy asks to wait, when the call may be made again. 429 means that nothing happened; after 503
/// it may have had its effect, so that only what is `repeatable` is.
fn come_back(answer: &Response, repeatable: bool) -> Option<Duration> {
    match answer.status().as_u16() {
        429 => {}
        503 if repeatable => {}
        _ => return None,
    }
    let secs = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs))
}

async fn read(url: &str, mut answer: Response) -> Result<Value, ClientError> {
    let status = answer.status();
    let json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.to_str().is_ok_and(|k| k.contains("json")));
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| ClientError::unreachable(url, &error))? {
        if bytes.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(ClientError::TooLong { url: url.to_owned(), most: ANSWER_MAX_BYTES });
        }
        bytes.extend_from_slice(&chunk);
    }
    let body = serde_json::from_slice::<Value>(&bytes).ok().filter(|_| json);
    match body {
        Some(body) if status.is_success() => Ok(body),
        Some(body) => Err(ClientError::Problem(Box::new(Told::new(status.as_u16(), body)))),
        None if status.is_server_error() => Err(ClientError::Trouble { url: url.to_owned(), status: status.as_u16() }),
        None => Err(ClientError::Nonsense { url: url.to_owned(), status: status.as_u16() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn an_address_is_a_web_server_and_nothing_else() {
        let base = |text: &str| Client::new(text, Who::Nobody).map(|client| client.base().to_owned());
        assert_eq!(base("http://127.0.0.1:8787/").unwrap(), "http://127.0.0.1:8787");
        assert_eq!(base(" https://pool.example.org/owp ").unwrap(), "https://pool.example.org/owp");
        for wrong in [
            "127.0.0.1:8787",
            "ftp://pool",
            "http://",
            "https://me:secret@pool",
            "https://pool?x=1",
            "https://pool#x",
            "",
        ] {
            assert!(matches!(base(wrong), Err(ClientError::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn what_leaves_the_machine_unencrypted_is_known() {
        let clear = |text: &str| Client::new(text, Who::Nobody).unwrap().in_clear_text();
        assert!(clear("http://pool.example.org"));
        for safe in ["https://pool.example.org", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert!(!clear(safe), "{safe}");
        }
    }

    #[test]
    fn a_part_of_a_path_stays_one() {
        assert_eq!(segment("t_1"), "t_1");
        assert_eq!(segment("../a b/ü"), "..%2Fa%20b%2F%C3%BC");
        for dots in [".", "..", "../..", "..."] {
            let url = Url::parse(&format!("http://pool/v1/tasks/{}/status", segment(dots))).unwrap();
            assert_eq!(url.path_segments().unwrap().count(), 4, "{dots}: {url}");
        }
    }

    /// A server that answers every call alike; its address, and how often it was called.
    async fn server(head: &'static str, length: usize) -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let called = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                called.fetch_add(1, Ordering::SeqCst);
                let _asked = stream.read(&mut [0; 4096]).await;
                let head =
                    format!("HTTP/1.1 {head}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{{}}");
                let _told = stream.write_all(head.as_bytes()).await;
                let _more = stream.write_all(&vec![b' '; length]).await;
            }
        });
        (url, calls)
    }

    #[tokio::test]
    async fn a_call_that_may_have_had_its_effect_is_not_made_again() {
        let body = Value::Null;
        for (head, often, once) in [("503 X\r\nretry-after: 0", 3, 1), ("429 X\r\nretry-after: 0", 3, 3)] {
            let (url, calls) = server(head, 0).await;
            let client = Client::new(&url, Who::Nobody).unwrap();
            let counted = || calls.swap(0, Ordering::SeqCst);
            assert!(client.get("/").await.is_err() && counted() == often, "{head}");
            assert!(client.post_once("/", &body).await.is_err() && counted() == often, "{head}");
            assert!(client.post("/", &body).await.is_err() && counted() == once, "{head}");
            assert!(client.patch("/", &body).await.is_err() && counted() == once, "{head}");
            assert!(client.delete("/").await.is_err() && counted() == once, "{head}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_it() {
        let (url, _) = server("200 OK", ANSWER_MAX_BYTES / 2).await;
        assert!(Client::new(&url, Who::Nobody).unwrap().get("/").await.is_ok());
        let (url, _) = server("200 OK", ANSWER_MAX_BYTES).await;
        let told = Client::new(&url, Who::Nobody).unwrap().get("/").await.unwrap_err();
        assert!(matches!(told, ClientError::TooLong { .. }), "{told}");
    }
}
