//! An OWP client: one call over HTTP, its answer as JSON, and failures that can be told to a person. It knows the
//! protocol's manners (which token, keys for calls that are repeated, how long to wait) and nothing of what is asked.
//!
//! A token goes to the address it was given with and nowhere else: redirects are not followed.

mod error;

pub use error::{ClientError, Told};

use crate::clock::Entropy;
use data_encoding::HEXLOWER;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take; the longest pull takes a minute.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a call is made when the server asks to come back soon.
const ATTEMPTS: u32 = 3;
/// The longest time that is waited for a server that asks to come back.
const WAIT_MOST: Duration = Duration::from_secs(10);

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
        if !web || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("owp/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE);
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

    /// `POST path`: a call that does no harm when it is made twice.
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
        let key = keyed.then(|| HEXLOWER.encode(&self.entropy.bytes::<16>()));
        let mut attempt = 1;
        loop {
            let mut call = self.signed(self.http.request(method.clone(), &url));
            if let Some(key) = &key {
                call = call.header("idempotency-key", key);
            }
            if let Some(body) = body {
                call = call.json(body);
            }
            let answer = call.send().await.map_err(|error| ClientError::unreachable(self.base(), &error))?;
            match come_back(&answer).filter(|wait| attempt < ATTEMPTS && *wait <= WAIT_MOST) {
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
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How long a server that is busy asks to wait. Both mean that nothing happened.
fn come_back(answer: &Response) -> Option<Duration> {
    if !matches!(answer.status().as_u16(), 429 | 503) {
        return None;
    }
    let secs = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs))
}

async fn read(url: &str, answer: Response) -> Result<Value, ClientError> {
    let status = answer.status();
    let json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.to_str().is_ok_and(|k| k.contains("json")));
    let bytes = answer.bytes().await.map_err(|error| ClientError::unreachable(url, &error))?;
    let body = serde_json::from_slice::<Value>(&bytes).ok().filter(|_| json);
    match body {
        Some(body) if status.is_success() => Ok(body),
        Some(body) => Err(ClientError::Problem(Box::new(Told::new(status.as_u16(), body)))),
        None => Err(ClientError::Nonsense { url: url.to_owned(), status: status.as_u16() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_web_server_and_nothing_else() {
        let base = |text: &str| Client::new(text, Who::Nobody).map(|client| client.base().to_owned());
        assert_eq!(base("http://127.0.0.1:8787/").unwrap(), "http://127.0.0.1:8787");
        assert_eq!(base(" https://pool.example.org/owp ").unwrap(), "https://pool.example.org/owp");
        for wrong in ["127.0.0.1:8787", "ftp://pool", "http://", "https://me:secret@pool", "https://pool?x=1", ""] {
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
    }
}
