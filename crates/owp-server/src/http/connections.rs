//! TCP connections: their number, timeouts for sending a request head and for reading a response, and graceful
//! shutdown. Requests are the router's concern.

use super::connection_counts::ConnectionCounts;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connection limits and timeouts.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Maximum number of connections; more wait to be accepted.
    all: usize,
    /// Maximum number of connections of one far address, or one /64 of IPv6. A near address is usually a proxy that
    /// carries every client.
    per_address: usize,
    /// Timeout for a request's head, from its first byte; for the first request, from the start of the connection.
    head: Duration,
    /// Idle timeout between requests. Longer than the keep-alive of proxies, which would otherwise send a request into
    /// a connection that is being closed.
    idle: Duration,
    /// Timeout for a client that does not read its response. Every byte read restarts it.
    stalled: Duration,
    /// Time after the stop in which a connection has one more request answered, which may be on its way.
    linger: Duration,
}

const LIMITS: Limits = Limits {
    all: 8_192,
    per_address: 1_024,
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    stalled: Duration::from_secs(60),
    linger: Duration::from_millis(500),
};
/// Delay after a failed accept, usually because the process has too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves connections until `stop`, then waits for requests in progress. Dropping the future aborts them.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_within(LIMITS, listener, router, stop).await;
}

async fn serve_within(limits: Limits, listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut server = Server {
        limits,
        router,
        stop: stop.clone(),
        places: Arc::new(Semaphore::new(limits.all)),
        counts: Arc::default(),
        open: JoinSet::new(),
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &server.places) => accepted,
            // Reaps connections that ended.
            Some(_) = server.open.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer, place)) => server.begin(stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                }
            }
        }
    }
    if let Err(error) = server.accept_the_rest(listener) {
        tracing::debug!(%error, "cannot accept the connections that wait");
    }
    while server.open.join_next().await.is_some() {}
}

struct Server {
    limits: Limits,
    router: Router,
    stop: CancellationToken,
    places: Arc<Semaphore>,
    counts: Arc<ConnectionCounts>,
    open: JoinSet<()>,
}

impl Server {
    fn begin(&mut self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let Some(counted) = self.counts.enter(peer.ip(), self.limits.per_address) else { return };
        // Sends small responses at once. The option is an optimisation; its failure is harmless.
        let _works_without = stream.set_nodelay(true);
        let connection = connection(self.limits, stream, peer, self.router.clone(), self.stop.clone());
        self.open.spawn(async move {
            connection.await;
            drop((place, counted));
        });
    }

    /// Accepts what the system has taken in before the stop: those clients may have sent their requests already. The
    /// listener closes with that.
    fn accept_the_rest(&mut self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    self.begin(TcpStream::from_std(stream)?, peer, place);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Accepts the next connection once the limit allows it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream, peer, place)),
            // The client left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn connection(limits: Limits, stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let answering = Arc::new(AtomicBool::new(false));
    let stream = Timed::new(stream, Arc::clone(&answering), limits);
    let stopping = stop.clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        answering.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        // Rate limits are also per address.
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, answering, stopping) = (router.clone(), Arc::clone(&answering), stopping.clone());
        async move {
            let mut response = router.oneshot(request).await;
            answering.store(false, Ordering::Relaxed);
            if let Ok(response) = &mut response
                && stopping.is_cancelled()
            {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopped(&stop, limits.linger) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended with an error");
    }
}

/// Waits until idle connections are to be closed: some time after the stop. A response that is given meanwhile tells the
/// client that its connection ends, so it sends no request into one that is being closed.
async fn stopped(stop: &CancellationToken, linger: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(linger).await;
}

/// A stream with timeouts for sending a request's head and for reading a response. `hyper`'s timer starts at the last
/// response, so it cannot distinguish an idle client from one that sends its head byte by byte. `hyper` has no timeout
/// for a client that does not read.
struct Timed<S> {
    stream: S,
    /// True while a request is in progress: bytes read then are not part of a head.
    answering: Arc<AtomicBool>,
    limits: Limits,
    /// Runs while a head is arriving.
    head: Option<Pin<Box<Sleep>>>,
    /// Runs while a write waits for the client to read.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    fn new(stream: S, answering: Arc<AtomicBool>, limits: Limits) -> Self {
        let head = Some(Box::pin(tokio::time::sleep(limits.head)));
        Self { stream, answering, limits, head, stalled: None }
    }

    /// Returns the result of a write, or an error after a stall timeout.
    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.limits.stalled)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let answering = this.answering.load(Ordering::Relaxed);
        if answering {
            this.head = None;
        }
        if this.head.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if !answering && this.head.is_none() && buffer.filled().len() > before {
            this.head = Some(Box::pin(tokio::time::sleep(this.limits.head)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::routing::get;
    use futures_util::stream;
    use std::convert::Infallible;
    use std::task::Waker;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const QUICK: Limits = Limits {
        all: 2,
        per_address: 1,
        head: Duration::from_millis(300),
        idle: Duration::from_secs(30),
        stalled: Duration::from_millis(300),
        linger: Duration::from_millis(300),
    };
    const LARGE: Bytes = Bytes::from_static(&[b' '; 64 * 1024]);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn start(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/slow", get(slow))
            .route("/endless", get(|| async { Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(LARGE))) }))
            .route("/events", get(|| async { Body::from_stream(stream::unfold(0, event)) }));
        (address, stop.clone(), tokio::spawn(serve_within(limits, listener, router, stop)))
    }

    /// Yields three events with a pause between them.
    async fn event(n: u32) -> Option<(Result<String, Infallible>, u32)> {
        tokio::time::sleep(QUICK.stalled * 2).await;
        (n < 3).then(|| (Ok(format!("event {n};")), n + 1))
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        // A reset connection has ended too.
        let _ended = stream.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_closes_its_connection_and_an_idle_one_stays() {
        let (address, _stop, _server) = start(QUICK).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut idle).await.ends_with("hello"));
        let mut half = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        assert!(!rest(&mut half).await.contains("200 OK"));
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not closed for being idle");
        tokio::time::sleep(QUICK.head * 2).await;
        idle.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut idle).await.ends_with("hello"), "it may send its next request");
        idle.write_all(b"GET ").await.unwrap();
        assert!(!rest(&mut idle).await.contains("200 OK"), "and that one has a deadline too");
    }

    #[tokio::test]
    async fn further_connections_wait_until_one_ends() {
        let (address, _stop, _server) = start(QUICK).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        for stream in [&mut first, &mut second] {
            stream.write_all(REQUEST).await.unwrap();
            assert!(answer(stream).await.ends_with("hello"));
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(REQUEST).await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(300), answer(&mut third)).await;
        assert!(waiting.is_err(), "{waiting:?}");
        drop(first);
        assert!(answer(&mut third).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn a_stop_lets_requests_finish_and_closes_what_is_idle() {
        let (address, stop, server) = start(QUICK).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut idle).await.ends_with("hello"));
        stop.cancel();
        assert!(rest(&mut slow).await.ends_with("slow"), "longer than a head may take, and answered");
        assert_eq!(rest(&mut idle).await, "");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_was_on_its_way_at_the_stop_is_answered_and_ends_its_connection() {
        let (address, stop, server) = start(Limits { linger: Duration::from_secs(30), ..QUICK }).await;
        let mut used = TcpStream::connect(address).await.unwrap();
        used.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut used).await.ends_with("hello"));
        // The server has no turn before the stop, so it has not accepted this one.
        let waiting = std::net::TcpStream::connect(address).unwrap();
        waiting.set_nonblocking(true).unwrap();
        stop.cancel();
        let mut waiting = TcpStream::from_std(waiting).unwrap();
        for stream in [&mut used, &mut waiting] {
            stream.write_all(REQUEST).await.unwrap();
            let answered = rest(stream).await;
            assert!(answered.ends_with("hello") && answered.contains("connection: close"), "{answered}");
        }
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_of_its_answer_loses_its_connection() {
        let (address, _stop, _server) = start(Limits { all: 1, ..QUICK }).await;
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // The only slot is free once the first connection has ended.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(REQUEST).await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(20), answer(&mut next)).await;
        assert!(answered.is_ok_and(|answer| answer.ends_with("hello")));
        drop(stalled);
    }

    #[tokio::test]
    async fn a_stream_that_is_read_stays_however_seldom_something_comes() {
        let (address, _stop, _server) = start(QUICK).await;
        let mut reader = TcpStream::connect(address).await.unwrap();
        let request = b"GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        reader.write_all(request).await.unwrap();
        let events = rest(&mut reader).await;
        assert!(events.contains("event 0;") && events.contains("event 2;"), "{events}");
        assert!(events.ends_with("0\r\n\r\n"), "it came to its end: {events}");
    }

    #[tokio::test]
    async fn each_time_the_client_reads_its_deadline_begins_anew() {
        let (near, mut client) = tokio::io::duplex(8);
        let mut timed = Timed::new(near, Arc::default(), QUICK);
        let mut write = || Pin::new(&mut timed).poll_write(&mut Context::from_waker(Waker::noop()), b"8 bytes.");
        assert!(matches!(write(), Poll::Ready(Ok(8))));
        for _ in 0..3 {
            assert!(write().is_pending(), "nothing was read of what is there");
            tokio::time::sleep(QUICK.stalled * 2).await;
            client.read_exact(&mut [0; 8]).await.unwrap();
            assert!(matches!(write(), Poll::Ready(Ok(8))));
        }
        assert!(write().is_pending());
        tokio::time::sleep(QUICK.stalled * 2).await;
        assert!(matches!(write(), Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut));
    }
}
