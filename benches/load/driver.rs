//! A client that costs as little as it can: one connection, one request at a time.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// The header with a client's credentials.
pub(crate) type Credentials<'a> = Option<(&'a str, &'a str)>;

pub(crate) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self { requests, host: address.to_string() })
    }

    /// Sends a request; returns the status and the body.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> (u16, Bytes) {
        let answer = self.requests.send_request(request).await.expect("the server answers");
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.expect("a whole body").to_bytes())
    }

    pub(crate) async fn get(&mut self, path: &str, credentials: Credentials<'_>) -> (u16, Bytes) {
        let request = self.request(Method::GET, path, credentials, &[], Bytes::new());
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, credentials: Credentials<'_>, body: &Value) -> (u16, Value) {
        let json = [("content-type", "application/json")];
        let request = self.request(Method::POST, path, credentials, &json, body.to_string().into());
        let (status, answer) = self.send(request).await;
        (status, serde_json::from_slice(&answer).unwrap_or_default())
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        credentials: Credentials<'_>,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        for (name, value) in headers.iter().chain(&credentials) {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body)).expect("a well-formed request")
    }
}
