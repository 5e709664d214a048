//! An OWP client: sends HTTP requests, returns JSON, and reports errors fit for users. It implements the protocol's
//! conventions (authentication, idempotency keys, retries, timeouts) and knows nothing about single endpoints.
//!
//! A token is sent only to the address it was configured with: redirects are not followed.

mod error;
mod stored_token;
mod task_name;

pub use error::{ClientError, Problem, Reason, cause};
pub use task_name::TaskName;

use data_encoding::HEXLOWER;
use owp_base::clock::Entropy;
use owp_base::net::is_loopback;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use stored_token::StoredToken;
use tokio::time::Instant;

/// Connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Total time for a call, retries included.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Total time for a pull, which waits up to one minute.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(90);
/// Delay after which the user is told that the response is still pending.
const DELAY_NOTICE_AFTER: Duration = Duration::from_secs(2);
/// Attempts per call when the server asks to retry soon.
const MAX_ATTEMPTS: u32 = 3;
/// Longest retry delay a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Total time for a streamed response.
const STREAM_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Size limit of a response.
const RESPONSE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Credentials a client sends.
#[derive(Debug, Clone)]
pub enum Auth {
    /// None.
    None,
    /// A worker's token.
    Worker(SecretString),
    /// The operator's admin token.
    Operator(SecretString),
}

/// A client for the pool at one address, with one set of credentials.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    auth: Auth,
    /// The stored worker token, which another process may replace; takes precedence over the token in `auth`.
    stored: Option<StoredToken>,
    http: reqwest::Client,
    entropy: Entropy,
    timeout: Duration,
    on_delay: Option<fn(&str)>,
}

/// A call, repeated on every attempt.
struct Call<'a> {
    method: Method,
    url: String,
    body: Option<&'a Value>,
    key: Option<String>,
}

impl Client {
    /// Creates a client for the pool at `base`, such as `https://pool.example.org`. Sends nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `base` is not a web address, [`ClientError::Versioned`] if it ends in `/v1`.
    pub fn new(base: &str, auth: Auth) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(base.to_owned());
        let url = Url::parse(base.trim()).map_err(|_| wrong())?;
        let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        let more = url.query().is_some() || url.fragment().is_some();
        if !web || more || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        if let Some(pool) = base.trim().trim_end_matches('/').strip_suffix("/v1") {
            return Err(ClientError::Versioned { given: base.trim().to_owned(), pool: pool.to_owned() });
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("owp/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(LONG_POLL_TIMEOUT);
        if is_loopback(&url) {
            // A proxy would look for the pool on the proxy's own machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| wrong())?;
        Ok(Self {
            base: url,
            auth,
            stored: None,
            http,
            entropy: Entropy::system(),
            timeout: CALL_TIMEOUT,
            on_delay: None,
        })
    }

    /// Sets the total time for each call, retries included.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets a callback that receives the pool's address once during each call that takes longer than two seconds. Pulls
    /// that wait for work do not trigger it.
    #[must_use]
    pub fn on_delay(self, notify: fn(&str)) -> Self {
        Self { on_delay: Some(notify), ..self }
    }

    /// Removes the callback for slow calls.
    #[must_use]
    pub fn without_delay_notice(self) -> Self {
        Self { on_delay: None, ..self }
    }

    /// Returns a client for the same pool with other credentials.
    #[must_use]
    pub fn with_auth(&self, auth: Auth) -> Self {
        Self { auth, stored: None, ..self.clone() }
    }

    /// Reloads the worker's token when the pool rejects it with 401. `read` returns the stored token; if it differs,
    /// the call is repeated once with it.
    #[must_use]
    pub fn with_stored_token(mut self, read: impl Fn() -> Option<SecretString> + Send + Sync + 'static) -> Self {
        if let Auth::Worker(token) = &self.auth {
            self.stored = Some(StoredToken::new(token.clone(), read));
        }
        self
    }

    /// Returns true if calls are authenticated as a worker.
    #[must_use]
    pub fn is_worker(&self) -> bool {
        matches!(self.auth, Auth::Worker(_))
    }

    /// Returns the pool's address, without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Returns true if requests are sent unencrypted over a network.
    #[must_use]
    pub fn is_unencrypted(&self) -> bool {
        self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// Sends `GET path`, a path with its query such as `/v1/work?wait=30`.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None, false).await
    }

    /// Sends `POST path`. Retries only after 429, where the call certainly had no effect.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body), false).await
    }

    /// Sends `POST path` with a fresh idempotency key, so that retries have one effect.
    pub async fn post_once(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body), true).await
    }

    /// Sends `PATCH path`.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::PATCH, path, Some(body), false).await
    }

    /// Sends `DELETE path`.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::DELETE, path, None, false).await
    }

    /// Sends `GET path` and passes each line of the response to `line` until it returns false. The total size is not
    /// limited; the wait for each line is.
    pub async fn get_lines(&self, path: &str, mut line: impl FnMut(&str) -> bool) -> Result<(), ClientError> {
        let url = format!("{}{path}", self.base());
        let request = self.authenticate(self.http.get(&url)).timeout(STREAM_TIMEOUT);
        let broken = |error| ClientError::unreachable(self.base(), &error);
        let silent = |_| ClientError::Timeout { url: self.base().to_owned(), secs: self.timeout.as_secs() };
        let sent = tokio::time::timeout(self.timeout, request.send()).await.map_err(silent)?;
        let mut response = sent.map_err(broken)?;
        if !response.status().is_success() {
            return read(&url, response).await.map(drop);
        }
        let mut rest = Vec::new();
        while let Some(chunk) =
            tokio::time::timeout(self.timeout, response.chunk()).await.map_err(silent)?.map_err(broken)?
        {
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let one: Vec<u8> = rest.drain(..=end).collect();
                if !line(String::from_utf8_lossy(&one).trim_end()) {
                    return Ok(());
                }
            }
            if rest.len() > RESPONSE_MAX_BYTES {
                return Err(ClientError::TooLong { url, most: RESPONSE_MAX_BYTES });
            }
        }
        Ok(())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, keyed: bool) -> Result<Value, ClientError> {
        let call = Call { method, url: format!("{}{path}", self.base()), body, key: keyed.then(|| self.key()) };
        let waits = path.contains("wait=");
        let within = if waits { LONG_POLL_TIMEOUT } else { self.timeout };
        let response = self.call_with_stored_token(&call, within);
        let Some(notify) = self.on_delay.filter(|_| !waits) else { return response.await };
        let mut response = std::pin::pin!(response);
        match tokio::time::timeout(DELAY_NOTICE_AFTER, &mut response).await {
            Ok(answered) => answered,
            Err(_) => {
                notify(self.base());
                response.await
            }
        }
    }

    fn key(&self) -> String {
        HEXLOWER.encode(&self.entropy.bytes::<16>())
    }

    /// Sends a call, and repeats it once when the token was replaced meanwhile: a rejected call had no effect.
    async fn call_with_stored_token(&self, call: &Call<'_>, within: Duration) -> Result<Value, ClientError> {
        let Some(stored) = &self.stored else { return self.call_with_retries(call, within).await };
        let used = stored.current();
        match self.call_with_retries(call, within).await {
            Err(ClientError::Problem(problem)) if problem.status == 401 && stored.replace(&used) => {
                self.call_with_retries(call, within).await
            }
            response => response,
        }
    }

    /// Sends a call, and retries when the server asks for it and the deadline allows it.
    async fn call_with_retries(&self, call: &Call<'_>, within: Duration) -> Result<Value, ClientError> {
        let deadline = Instant::now() + within;
        let silent = || ClientError::Timeout { url: self.base().to_owned(), secs: within.as_secs() };
        // A busy server's own message says more than a timeout of the next attempt.
        let mut last_error = None;
        let mut attempt = 1;
        loop {
            let Ok((response, wait)) = tokio::time::timeout_at(deadline, self.call_once(call)).await else {
                return Err(last_error.unwrap_or_else(silent));
            };
            let in_time = |wait: &Duration| *wait <= MAX_RETRY_AFTER && Instant::now() + *wait < deadline;
            match (response, wait.filter(|wait| attempt < MAX_ATTEMPTS && in_time(wait))) {
                (Err(error), Some(wait)) => {
                    last_error = Some(error);
                    tokio::time::sleep(wait).await;
                }
                (response, _) => return response,
            }
            attempt += 1;
        }
    }

    /// Sends a call once. The second value is the retry delay the server asks for, if the call may be repeated.
    async fn call_once(&self, call: &Call<'_>) -> (Result<Value, ClientError>, Option<Duration>) {
        let mut request = self.authenticate(self.http.request(call.method.clone(), &call.url));
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        match request.send().await {
            Ok(response) => {
                let wait = retry_delay(&response, call.key.is_some() || call.method == Method::GET);
                (read(&call.url, response).await, wait)
            }
            Err(error) => (Err(ClientError::unreachable(self.base(), &error)), None),
        }
    }

    fn authenticate(&self, call: RequestBuilder) -> RequestBuilder {
        match (&self.auth, &self.stored) {
            (Auth::None, _) => call,
            (Auth::Worker(_), Some(stored)) => call.bearer_auth(stored.current().expose_secret()),
            (Auth::Worker(token), None) => call.bearer_auth(token.expose_secret()),
            (Auth::Operator(token), _) => call.header("x-admin-token", token.expose_secret()),
        }
    }
}

/// Encodes text as one path segment: `acme/rocket` becomes `acme%2Frocket`.
#[must_use]
pub fn segment(text: &str) -> String {
    if matches!(text, "." | "..") {
        // URL parsers treat `%2E` as a dot segment too (WHATWG URL, 4.3). Encoded twice it is a name that nothing has.
        return text.replace('.', "%252E");
    }
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Returns the retry delay a busy server asks for, if the call may be repeated. 429 means it had no effect. After 503
/// it may have had one, so only a `repeatable` call is retried.
fn retry_delay(response: &Response, repeatable: bool) -> Option<Duration> {
    match response.status().as_u16() {
        429 => {}
        503 if repeatable => {}
        _ => return None,
    }
    let secs = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs))
}

async fn read(url: &str, mut response: Response) -> Result<Value, ClientError> {
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.to_str().is_ok_and(|k| k.contains("json")));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| ClientError::unreachable(url, &error))? {
        if bytes.len() + chunk.len() > RESPONSE_MAX_BYTES {
            return Err(ClientError::TooLong { url: url.to_owned(), most: RESPONSE_MAX_BYTES });
        }
        bytes.extend_from_slice(&chunk);
    }
    let body = serde_json::from_slice::<Value>(&bytes).ok().filter(|_| json);
    match body {
        Some(body) if status.is_success() => Ok(body),
        Some(body) => Err(ClientError::Problem(Box::new(Problem::new(status.as_u16(), body)))),
        None if status.is_server_error() => {
            Err(ClientError::ServerError { url: url.to_owned(), status: status.as_u16() })
        }
        None => Err(ClientError::NotJson { url: url.to_owned(), status: status.as_u16() }),
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
        let base = |text: &str| Client::new(text, Auth::None).map(|client| client.base().to_owned());
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
    fn the_address_of_the_api_is_not_the_pools() {
        for given in ["http://127.0.0.1:8787/v1", " https://pool.example.org/owp/v1/ "] {
            let problem = Client::new(given, Auth::None).unwrap_err();
            let pool = given.trim().trim_end_matches('/').trim_end_matches("/v1");
            assert!(problem.to_string().ends_with(&format!("give the address without it, {pool}")), "{problem}");
        }
    }

    #[test]
    fn what_leaves_the_machine_unencrypted_is_known() {
        let clear = |text: &str| Client::new(text, Auth::None).unwrap().is_unencrypted();
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

    /// Starts a server that gives every call the same response. Returns its address and its call counter.
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
            let client = Client::new(&url, Auth::None).unwrap();
            let counted = || calls.swap(0, Ordering::SeqCst);
            assert!(client.get("/").await.is_err() && counted() == often, "{head}");
            assert!(client.post_once("/", &body).await.is_err() && counted() == often, "{head}");
            assert!(client.post("/", &body).await.is_err() && counted() == once, "{head}");
            assert!(client.patch("/", &body).await.is_err() && counted() == once, "{head}");
            assert!(client.delete("/").await.is_err() && counted() == once, "{head}");
        }
    }

    #[tokio::test]
    async fn a_server_in_trouble_is_given_a_bounded_time_and_its_own_words_are_told() {
        let (url, calls) = server("503 X\r\nretry-after: 1", 0).await;
        let client = Client::new(&url, Auth::None).unwrap().with_timeout(Duration::from_millis(1_500));
        let since = Instant::now();
        let problem = client.get("/").await.unwrap_err();
        assert!(matches!(problem, ClientError::Problem(_)), "{problem}");
        assert_eq!(calls.load(Ordering::SeqCst), 2, "one second is waited for, another would be too late");
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_awaited_for_ever() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), Auth::None).unwrap();
        let client = client.with_timeout(Duration::from_secs(3)).on_delay(|_| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        });
        let problem = client.get("/v1/tasks").await.unwrap_err();
        assert!(problem.to_string().ends_with("did not answer within 3 seconds"), "{problem}");
        assert_eq!(TOLD.load(Ordering::SeqCst), 1, "a person hears once that the answer is awaited");
        assert!(client.without_delay_notice().get("/v1/tasks").await.is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn https_at_a_server_of_http_is_told_in_plain_words() {
        let (url, _) = server("400 Bad Request", 0).await;
        let client = Client::new(&url.replace("http:", "https:"), Auth::None).unwrap();
        let problem = client.get("/").await.unwrap_err().to_string();
        assert!(problem.ends_with("the server speaks http, not https; begin the address with http://"), "{problem}");
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_it() {
        let (url, _) = server("200 OK", RESPONSE_MAX_BYTES / 2).await;
        assert!(Client::new(&url, Auth::None).unwrap().get("/").await.is_ok());
        let (url, _) = server("200 OK", RESPONSE_MAX_BYTES).await;
        let problem = Client::new(&url, Auth::None).unwrap().get("/").await.unwrap_err();
        assert!(matches!(problem, ClientError::TooLong { .. }), "{problem}");
    }
}
