//! Compression of responses: large ones shrink for clients that accept gzip, and event streams never wait for a compressor.

use crate::protocol::sse::{Stream, operator};
use crate::support::database::Db;
use crate::support::pool::Pool;
use flate2::read::GzDecoder;
use reqwest::header::HeaderMap;
use std::io::Read;

/// Gets a path with an `Accept-Encoding`; returns the headers and the body as it was sent.
async fn get(pool: &Pool, path: &str, accepted: &str) -> (HeaderMap, Vec<u8>) {
    let request = pool.client.get(format!("{}{path}", pool.running.url())).header("Accept-Encoding", accepted);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path} {accepted}");
    (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get("content-encoding").is_some_and(|value| value == "gzip")
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_large_response_is_compressed_for_a_client_that_accepts_gzip() {
    let pool = Pool::start(Db::Sqlite).await;
    let plain = pool.get("/openapi.json").await;
    assert!(!is_gzip(&plain.headers), "{plain:?}");
    let (headers, packed) = get(&pool, "/openapi.json", "gzip, deflate, br").await;
    assert!(is_gzip(&headers) && !headers.contains_key("content-length"), "{headers:?}");
    assert!(headers.get_all("vary").iter().any(|value| value == "accept-encoding"), "{headers:?}");
    assert!(packed.len() * 4 < plain.text.len(), "{} of {} bytes", packed.len(), plain.text.len());
    assert!(unpacked(&packed) == plain.text, "the same bytes");
    for name in ["content-security-policy", "x-content-type-options", "cache-control", "content-type"] {
        assert_eq!(headers.get(name), plain.headers.get(name), "{name}");
    }
    assert_eq!(headers["x-request-id"].len(), 16);
    let (headers, page) = get(&pool, "/docs", "gzip").await;
    assert!(is_gzip(&headers) && unpacked(&page).contains("<html"), "{headers:?}");
}

#[tokio::test]
async fn a_small_response_is_sent_as_it_is_and_so_is_one_for_a_client_without_gzip() {
    let pool = Pool::start(Db::Sqlite).await;
    let (headers, small) = get(&pool, "/healthz", "gzip").await;
    assert_eq!((is_gzip(&headers), small.as_slice()), (false, &br#"{"ok":true}"#[..]));
    let plain = pool.get("/openapi.json").await.text;
    // A client that accepts nothing at all gets a response that it can at least look at, and never a 406.
    for accepted in ["br", "identity", "gzip;q=0", "identity;q=0", "*;q=0", "gzip;q=0, *;q=0, Identity;q=0"] {
        let (headers, body) = get(&pool, "/openapi.json", accepted).await;
        assert!(!is_gzip(&headers) && body == plain.as_bytes(), "{accepted}");
    }
}

#[tokio::test]
async fn an_event_stream_is_never_compressed() {
    let pool = Pool::start(Db::Sqlite).await;
    let mut headers = operator();
    headers.push(("Accept-Encoding".to_owned(), "gzip".to_owned()));
    let mut answer = Stream::ask(&pool.running.url(), "", &headers).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(!is_gzip(answer.headers()), "{answer:?}");
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"retry: 2000\n"), "{first:?}");
}
