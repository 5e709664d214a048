//! An OWP client: one call over HTTP, its answer as JSON, and failures that can be told to a person. It knows the
//! protocol's manners (which token, keys for calls that are repeated, how long to wait) and nothing of what is asked.
//!
//! A token goes to the address it was given with and nowhere else: redirects are not followed.

mod error;
mod kept;

pub use error::{ClientError, Reason, Told, cause};

use data_encoding::HEXLOWER;
use kept::KeptToken;
use owp_base::clock::Entropy;
use owp_base::net::is_loopback;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// The time a call may take in all, with its repetitions.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same of a pull, which waits a minute at most.
const PATIENCE_WAITING: Duration = Duration::from_secs(90);
/// After how long a person hears that the answer is still awaited.
const NOTICE: Duration = Duration::from_secs(2);
/// How often a call is made when the server asks to come back soon.
const ATTEMPTS: u32 = 3;
/// The longest time that is waited for a server that asks to come back.
const WAIT_MOST: Duration = Duration::from_secs(10);

/// The time an answer of lines may go on.
const LINES_WITHIN: Duration = Duration::from_secs(60 * 60);
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
    /// The worker's token, where it may be replaced meanwhile; it stands for the one of `who`.
    kept: Option<KeptToken>,
    http: reqwest::Client,
    entropy: Entropy,
    patience: Duration,
    on_delay: Option<fn(&str)>,
}

/// A call, as often as it is made.
struct Call<'a> {
    method: Method,
    url: String,
    body: Option<&'a Value>,
    key: Option<String>,
}

impl Client {
    /// A client of the pool at `base`, such as `https://pool.example.org`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] for what is no address of a web server, [`ClientError::Versioned`] for that of its API.
    pub fn new(base: &str, who: Who) -> Result<Self, ClientError> {
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
            .connect_timeout(CONNECT)
            .timeout(PATIENCE_WAITING);
        if is_loopback(&url) {
            // A proxy would look for the pool on its own machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| wrong())?;
        Ok(Self { base: url, who, kept: None, http, entropy: Entropy::system(), patience: PATIENCE, on_delay: None })
    }

    /// The same pool, with so much time for each call in all, its repetitions included.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same pool; `tell` hears its address once during each call that takes longer than two seconds. A pull that was
    /// asked to wait tells nothing.
    #[must_use]
    pub fn on_delay(self, tell: fn(&str)) -> Self {
        Self { on_delay: Some(tell), ..self }
    }

    /// The same pool, without a word about delays.
    #[must_use]
    pub fn quietly(self) -> Self {
        Self { on_delay: None, ..self }
    }

    /// The same pool, asked as somebody else.
    #[must_use]
    pub fn as_who(&self, who: Who) -> Self {
        Self { who, kept: None, ..self.clone() }
    }

    /// The same pool, asked as the same worker. When the pool refuses the worker's token (401), `read` gives the one that is
    /// kept now; if that is another, the call is made once more with it.
    #[must_use]
    pub fn with_kept_token(mut self, read: impl Fn() -> Option<SecretString> + Send + Sync + 'static) -> Self {
        if let Who::Worker(token) = &self.who {
            self.kept = Some(KeptToken::new(token.clone(), read));
        }
        self
    }

    /// Returns true when calls are made as a worker.
    #[must_use]
    pub fn is_worker(&self) -> bool {
        matches!(self.who, Who::Worker(_))
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

    /// `GET path`, an answer of lines, each handed over as it comes until `line` returns false. There is no limit for all
    /// of them together, only for how long the next may take.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_lines(&self, path: &str, mut line: impl FnMut(&str) -> bool) -> Result<(), ClientError> {
        let url = format!("{}{path}", self.base());
        let request = self.signed(self.http.get(&url)).timeout(LINES_WITHIN);
        let broken = |error| ClientError::unreachable(self.base(), &error);
        let silent = |_| ClientError::Silent { url: self.base().to_owned(), secs: self.patience.as_secs() };
        let sent = tokio::time::timeout(self.patience, request.send()).await.map_err(silent)?;
        let mut answer = sent.map_err(broken)?;
        if !answer.status().is_success() {
            return read(&url, answer).await.map(drop);
        }
        let mut rest = Vec::new();
        while let Some(chunk) =
            tokio::time::timeout(self.patience, answer.chunk()).await.map_err(silent)?.map_err(broken)?
        {
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let one: Vec<u8> = rest.drain(..=end).collect();
                if !line(String::from_utf8_lossy(&one).trim_end()) {
                    return Ok(());
                }
            }
            if rest.len() > ANSWER_MAX_BYTES {
                return Err(ClientError::TooLong { url, most: ANSWER_MAX_BYTES });
            }
        }
        Ok(())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, keyed: bool) -> Result<Value, ClientError> {
        let call = Call { method, url: format!("{}{path}", self.base()), body, key: keyed.then(|| self.key()) };
        let waits = path.contains("wait=");
        let within = if waits { PATIENCE_WAITING } else { self.patience };
        let answer = self.admitted(&call, within);
        let Some(tell) = self.on_delay.filter(|_| !waits) else { return answer.await };
        let mut answer = std::pin::pin!(answer);
        match tokio::time::timeout(NOTICE, &mut answer).await {
            Ok(answered) => answered,
            Err(_) => {
                tell(self.base());
                answer.await
            }
        }
    }

    fn key(&self) -> String {
        HEXLOWER.encode(&self.entropy.bytes::<16>())
    }

    /// Makes a call, and once more when its token was replaced meanwhile: a call that was refused had no effect.
    async fn admitted(&self, call: &Call<'_>, within: Duration) -> Result<Value, ClientError> {
        let Some(kept) = &self.kept else { return self.repeated(call, within).await };
        let used = kept.current();
        match self.repeated(call, within).await {
            Err(ClientError::Problem(told)) if told.status == 401 && kept.replace(&used) => {
                self.repeated(call, within).await
            }
            answer => answer,
        }
    }

    /// Makes a call, and again where the server asks to come back and there is time for it.
    async fn repeated(&self, call: &Call<'_>, within: Duration) -> Result<Value, ClientError> {
        let deadline = Instant::now() + within;
        let silent = || ClientError::Silent { url: self.base().to_owned(), secs: within.as_secs() };
        // What a busy server said tells more than that the next try took too long.
        let mut said = None;
        let mut attempt = 1;
        loop {
            let Ok((answer, wait)) = tokio::time::timeout_at(deadline, self.once(call)).await else {
                return Err(said.unwrap_or_else(silent));
            };
            let in_time = |wait: &Duration| *wait <= WAIT_MOST && Instant::now() + *wait < deadline;
            match (answer, wait.filter(|wait| attempt < ATTEMPTS && in_time(wait))) {
                (Err(error), Some(wait)) => {
                    said = Some(error);
                    tokio::time::sleep(wait).await;
                }
                (answer, _) => return answer,
            }
            attempt += 1;
        }
    }

    /// Makes a call once. The second value is how long the server asks to wait, where the call may be made again.
    async fn once(&self, call: &Call<'_>) -> (Result<Value, ClientError>, Option<Duration>) {
        let mut request = self.signed(self.http.request(call.method.clone(), &call.url));
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        match request.send().await {
            Ok(answer) => {
                let wait = come_back(&answer, call.key.is_some() || call.method == Method::GET);
                (read(&call.url, answer).await, wait)
            }
            Err(error) => (Err(ClientError::unreachable(self.base(), &error)), None),
        }
    }

    fn signed(&self, call: RequestBuilder) -> RequestBuilder {
        match (&self.who, &self.kept) {
            (Who::Nobody, _) => call,
            (Who::Worker(_), Some(kept)) => call.bearer_auth(kept.current().expose_secret()),
            (Who::Worker(token), None) => call.bearer_auth(token.expose_secret()),
            (Who::Operator(token), _) => call.header("x-admin-token", token.expose_secret()),
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
    fn the_address_of_the_api_is_not_the_pools() {
        for given in ["http://127.0.0.1:8787/v1", " https://pool.example.org/owp/v1/ "] {
            let told = Client::new(given, Who::Nobody).unwrap_err();
            let pool = given.trim().trim_end_matches('/').trim_end_matches("/v1");
            assert!(told.to_string().ends_with(&format!("give the address without it, {pool}")), "{told}");
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
    async fn a_server_in_trouble_is_given_a_bounded_time_and_its_own_words_are_told() {
        let (url, calls) = server("503 X\r\nretry-after: 1", 0).await;
        let client = Client::new(&url, Who::Nobody).unwrap().within(Duration::from_millis(1_500));
        let since = Instant::now();
        let told = client.get("/").await.unwrap_err();
        assert!(matches!(told, ClientError::Problem(_)), "{told}");
        assert_eq!(calls.load(Ordering::SeqCst), 2, "one second is waited for, another would be too late");
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_awaited_for_ever() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), Who::Nobody).unwrap();
        let client = client.within(Duration::from_secs(3)).on_delay(|_| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        });
        let told = client.get("/v1/tasks").await.unwrap_err();
        assert!(told.to_string().ends_with("did not answer within 3 seconds"), "{told}");
        assert_eq!(TOLD.load(Ordering::SeqCst), 1, "a person hears once that the answer is awaited");
        assert!(client.quietly().get("/v1/tasks").await.is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn https_at_a_server_of_http_is_told_in_plain_words() {
        let (url, _) = server("400 Bad Request", 0).await;
        let client = Client::new(&url.replace("http:", "https:"), Who::Nobody).unwrap();
        let told = client.get("/").await.unwrap_err().to_string();
        assert!(told.ends_with("the server speaks http, not https; begin the address with http://"), "{told}");
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
